//! Graphs as they run: built for the values that are wanted, with the sizes of the data, optimized.
//!
//! Training, validation, evaluation and everything that only shows a graph build it here.

use std::collections::HashMap;

use super::refusals::{self, Stop};
use rord_graph::build::{Wanted, build, outputs};
use rord_graph::node::{Graph, Role};
use rord_graph::{passes, sizes};
use rord_lang::dim::Symbol;
use rord_lang::typed::{Dataset, Pipeline};
use rord_lang::vocabulary::Vocabulary;

/// What a training step computes.
pub fn training(pipeline: &Pipeline) -> Vec<Wanted> {
    outputs(pipeline, &[Role::Objective, Role::Loss])
}

/// What a validation computes.
pub fn validation(pipeline: &Pipeline) -> Vec<Wanted> {
    outputs(pipeline, &[Role::Objective, Role::Loss, Role::Metric])
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

/// Whether the data sets a size of its fields, so that no graph of them can be settled before it is loaded.
pub fn set_by_data(pipeline: &Pipeline, dataset: &Dataset) -> bool {
    let open = |symbol: &Symbol| !pipeline.sizes.contains_key(&symbol.id) && pipeline.batch != Some(symbol.id);
    dataset.fields.iter().flat_map(|(_, ty)| &ty.dims).any(|dim| dim.symbols().any(open))
}
