//! Graphs as they run: built for the values that are wanted, with the sizes of the data, optimized.
//!
//! Training, validation, evaluation and everything that only shows a graph build it here.

use std::collections::{HashMap, HashSet};

use super::refusals::{self, Stop};
use rord_graph::build::{Wanted, build, outputs};
use rord_graph::node::{Graph, Role};
use rord_graph::{passes, sizes};
use rord_lang::dim::Symbol;
use rord_lang::typed::{Dataset, Objective, Output, Pipeline, ValueId, WeightInfo};
use rord_lang::vocabulary::Vocabulary;

/// What a training step computes: with the objective and the losses also those metrics that a number that changes
/// listens to. Further objectives are parts of the step of their own.
pub fn training(pipeline: &Pipeline) -> Vec<Wanted> {
    training_by_objective(pipeline).into_iter().next().unwrap_or_default()
}

/// The same for every objective in turn. A loss is computed with the first objective that it is part of, and else with
/// the first of all.
pub fn training_by_objective(pipeline: &Pipeline) -> Vec<Vec<Wanted>> {
    let heard = pipeline.heard();
    let below: Vec<HashSet<ValueId>> = pipeline.objectives.iter().map(|o| pipeline.below(o.output.value)).collect();
    let place = |value: &ValueId| below.iter().position(|all| all.contains(value)).unwrap_or(0);
    let mut wanted: Vec<Vec<Wanted>> = pipeline.objectives.iter().map(|o| vec![objective(&o.output)]).collect();
    for part in outputs(pipeline, &[Role::Loss, Role::Metric]) {
        let reported = part.role == Role::Loss || heard.contains(&part.name);
        if let Some(list) = wanted.get_mut(place(&part.value)).filter(|_| reported) {
            list.push(part);
        }
    }
    wanted
}

/// The weights that an objective does not train and that live all the same: of models that follow others, and of those
/// that another objective trains.
pub fn live(pipeline: &Pipeline, objective: &Objective) -> HashSet<usize> {
    let lives = |(at, w): (usize, &WeightInfo)| {
        let model = pipeline.models.get(w.model)?;
        let lives = model.follows.is_some() || model.trains() && !objective.of(w.model);
        lives.then_some(at)
    };
    pipeline.weights.iter().enumerate().filter_map(lives).collect()
}

fn objective(output: &Output) -> Wanted {
    Wanted { value: output.value, name: output.name.clone(), role: Role::Objective, span: output.span }
}

/// What a validation computes.
pub fn validation(pipeline: &Pipeline) -> Vec<Wanted> {
    let mut wanted = outputs(pipeline, &[Role::Objective, Role::Loss, Role::Metric]);
    // One objective is the graph's; of the others the numbers are wanted, not gradients.
    let others = pipeline.objectives.iter().skip(1).map(|o| Wanted { role: Role::Loss, ..objective(&o.output) });
    wanted.splice(1.min(wanted.len())..1.min(wanted.len()), others);
    wanted
}

/// The graph of these values. `known` are the sizes that the data has set.
pub fn graph(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    wanted: &[Wanted],
    known: &HashMap<u32, i64>,
) -> Result<Graph, Stop> {
    up_to(pipeline, vocabulary, wanted, known, None)
}

/// The graph of these values of a network that is used and learns no more: as [`graph`], with what its last weights are made of in
/// [`Graph::made`].
pub fn used(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    wanted: &[Wanted],
    known: &HashMap<u32, i64>,
) -> Result<Graph, Stop> {
    let mut graph = up_to(pipeline, vocabulary, wanted, known, Some("build"))?;
    passes::run_used(&mut graph, vocabulary)?;
    Ok(graph)
}

/// As [`graph`], with the passes up to and including `last`; `build` is before all of them.
pub fn up_to(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    wanted: &[Wanted],
    known: &HashMap<u32, i64>,
    last: Option<&str>,
) -> Result<Graph, Stop> {
    let mut graph = build(pipeline, vocabulary, wanted);
    let impossible = sizes::settle(&mut graph, known, &pipeline.frames, vocabulary);
    if !impossible.is_empty() {
        return Err(Stop::Refused(refusals::sizes(&impossible)));
    }
    if last != Some("build") {
        passes::run(&mut graph, vocabulary, last)?;
    }
    Ok(graph)
}

/// Whether data sets a size of its fields, so that no graph of them can be settled before it is loaded.
pub fn set_by_data(pipeline: &Pipeline, datasets: &[Dataset]) -> bool {
    let open = |symbol: &Symbol| !pipeline.sizes.contains_key(&symbol.id) && pipeline.batch != Some(symbol.id);
    let fields = datasets.iter().flat_map(|d| &d.fields);
    fields.flat_map(|(_, ty)| &ty.dims).any(|dim| dim.symbols().any(open))
}
