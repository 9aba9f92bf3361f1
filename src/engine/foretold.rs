//! How much memory a whole run will take, known before it begins: its data, its steps, its validation with all metrics, and the saving
//! of its state. What this machine does not have is refused with the argument that is to blame.

use rord_graph::gradients::trained_by;
use rord_graph::node::{Graph, NodeId, Role};
use rord_lang::report::Report;
use rord_lang::source::Span;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_ops::compute::memory::bytes;

use super::flow::Flow;
use super::graphs;
use super::groups;
use super::machine;
use super::memory::{self, BATCHES, Load, PROCESS, Predicted};
use super::optim::optimizer;
use super::plan::Plan;
use super::refusals::{self, Stop};
use super::source::{self, Held};
use super::weights::weight_specs;

/// Bytes that a run takes, part by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foretold {
    /// The process itself.
    pub process: usize,
    /// Layouts and pictures, and what drawing or reading them takes.
    pub data: usize,
    /// Batches that are made ahead, of training and of the validation.
    pub batches: usize,
    /// Reading layouts that are not drawn yet, which is over before the first step.
    pub reading: usize,
    /// What every thread keeps for its kernels.
    pub threads: usize,
    /// A training step, with weights and what the optimizer remembers of them.
    pub step: usize,
    /// A batch of the validation, with the same.
    pub validation: usize,
    /// The state while it is written, with the same.
    pub saving: usize,
}

impl Foretold {
    /// All of it, at the moment at which there is most.
    pub fn total(&self) -> usize {
        let running = [self.data, self.batches, self.threads, self.step.max(self.validation).max(self.saving)];
        let running = running.into_iter().fold(0, usize::saturating_add);
        self.process.saturating_add(self.reading.max(running))
    }
}

/// What takes too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The data: its dataset by number, and what is held of it.
    Data(usize, Held),
    /// The training step.
    Step,
    /// The validation: the place of the operation at which there is most, and the output that it is for.
    Validation(Span, Option<String>),
    /// The weights, which are written with all that the optimizer remembers.
    Saving,
}

/// A run that memory does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes it would take.
    pub needed: usize,
    /// Bytes there are.
    pub available: usize,
    /// What takes most of them.
    pub blame: Blame,
    /// The largest batch that would fit, found by halving.
    pub batch: Option<usize>,
}

/// The graphs of a run: one for each objective, and that of the validation, each with its flow.
pub struct Graphs {
    /// Those of training.
    pub training: Vec<(Graph, Flow)>,
    /// That of the validation, where there is one.
    pub validation: Option<(Graph, Flow)>,
    /// Processes that share a training batch.
    processes: usize,
}

impl Graphs {
    /// The graphs, where no size is set by the data alone.
    pub fn of(pipeline: &Pipeline, vocabulary: &Vocabulary, plan: &Plan) -> Result<Option<Self>, Stop> {
        if graphs::set_by_data(pipeline, &plan.datasets) {
            return Ok(None);
        }
        let mut training = Vec::new();
        for (objective, wanted) in pipeline.objectives.iter().zip(graphs::training_by_objective(pipeline)) {
            let graph = graphs::graph(pipeline, vocabulary, &wanted, &Default::default())?;
            let flow = Flow::of(&graph, trained_by(pipeline, objective))?;
            training.push((graph, flow));
        }
        let graph = graphs::graph(pipeline, vocabulary, &graphs::validation(pipeline), &Default::default())?;
        let flow = Flow::of(&graph, |_| false)?;
        Ok(Some(Self { training, validation: pipeline.validates().then_some((graph, flow)), processes: 1 }))
    }

    /// The same in one of so many processes that share every training batch. What it gathers of the others is not counted.
    pub fn shared_by(self, processes: usize) -> Self {
        Self { processes: processes.max(1), ..self }
    }

    /// What the run takes with batches of this size, and the node of the validation at which there is most; `None` where a size is
    /// not known.
    fn take(&self, load: Load, moments: usize) -> Option<(Foretold, usize)> {
        let (mut step, mut threads, mut made) = (Predicted::default(), 0, 0);
        let own = Load { batch: load.batch.div_ceil(self.processes), ..load };
        for (graph, flow) in &self.training {
            let found = memory::predict(graph, flow, own)?;
            threads = threads.max(found.threads);
            made = made.max(memory::fields(graph, own.batch)?);
            step = if found.step > step.step { found } else { step };
        }
        let weights = self.training.first().map_or(0, |(graph, _)| graph.weights.iter().map(|w| bytes(&w.shape)).sum());
        let resting = weights.saturating_mul(1 + load.moments);
        let mut all = Foretold {
            process: PROCESS,
            data: load.pictures,
            reading: load.reading,
            batches: made.saturating_mul(BATCHES),
            threads,
            step: step.step,
            // The bytes of the file are there beside what they are made of.
            saving: resting.saturating_add(weights.saturating_mul(1 + moments)),
            validation: 0,
        };
        let Some((graph, flow)) = &self.validation else { return Some((all, 0)) };
        let found = memory::forward(graph, flow, load.batch, resting)?;
        all.validation = found.bytes;
        all.threads = threads.max(found.thread.saturating_mul(machine::threads()));
        // The batches of training stay while those of the validation are made.
        let more = memory::fields(graph, load.batch)?.saturating_mul(BATCHES);
        all.batches = all.batches.saturating_add(more);
        Some((all, found.at))
    }
}

/// Numbers that the optimizer remembers of each number of a weight.
fn moments(pipeline: &Pipeline, plan: &Plan) -> Option<usize> {
    let lr = plan.optimizer.settings.number("lr").unwrap_or_default();
    let optimizer = optimizer(&plan.optimizer, &weight_specs(pipeline), &groups::groups(pipeline, lr));
    optimizer.ok().map(|optimizer| optimizer.moments())
}

/// What a run takes on the CPU; `None` where a size is not known before its data is loaded.
pub fn foretold(pipeline: &Pipeline, plan: &Plan, graphs: &Graphs) -> Option<Foretold> {
    let moments = moments(pipeline, plan)?;
    Some(graphs.take(super::step::load(plan, moments, 0), moments)?.0)
}

/// Refuses a run that memory does not hold. The data is looked at where nothing else is known yet. `rough`: layouts that will fit by the
/// sizes of their files are not looked into.
pub fn refuse(pipeline: &Pipeline, plan: &Plan, graphs: Option<&Graphs>, rough: bool) -> Result<(), Stop> {
    let too_large = machine::available_memory().and_then(|available| {
        // So much is there whatever else the run takes.
        let enough = if rough { available / 4 } else { 0 };
        too_large(pipeline, plan, graphs, available, enough)
    });
    match too_large {
        Some(large) => Err(Stop::Refused(vec![refusals::memory(pipeline, plan, &large)])),
        None => Ok(()),
    }
}

/// The report on a checked pipeline that this machine has no memory for, if it is meant to be trained as it is.
pub fn check(pipeline: &Pipeline, vocabulary: &Vocabulary, end: Span) -> Vec<Report> {
    let Ok(plan) = Plan::new(pipeline, end) else { return Vec::new() };
    // What keeps graphs from being made is said where they are.
    let Ok(graphs) = Graphs::of(pipeline, vocabulary, &plan) else { return Vec::new() };
    refuse(pipeline, &plan, graphs.as_ref(), true).err().map(Stop::reports).unwrap_or_default()
}

fn too_large(
    pipeline: &Pipeline,
    plan: &Plan,
    graphs: Option<&Graphs>,
    available: usize,
    enough: usize,
) -> Option<TooLarge> {
    let held = source::held(&plan.datasets, enough);
    let largest = held.iter().enumerate().max_by_key(|(_, held)| held.bytes().max(held.reading));
    let blamed = || largest.map(|(index, held)| Blame::Data(index, held.clone()));
    let moments = moments(pipeline, plan)?;
    let load = super::step::load(plan, moments, enough);
    let take = |batch| graphs.and_then(|graphs| graphs.take(Load { batch, ..load }, moments));
    let Some((all, at)) = take(load.batch) else {
        // The data alone.
        let needed = PROCESS.saturating_add(load.pictures.max(load.reading));
        let blame = (needed > available).then(blamed).flatten()?;
        return Some(TooLarge { needed, available, blame, batch: None });
    };
    let needed = all.total();
    if needed <= available {
        return None;
    }
    let fits = |batch: usize| take(batch).is_some_and(|(all, _)| all.total() <= available);
    let mut halves = std::iter::successors(Some(load.batch / 2), |n| Some(n / 2)).take_while(|n| *n > 0);
    let batch = halves.find(|n| fits(*n));
    let work = all.step.max(all.validation).max(all.saving).saturating_add(all.batches);
    let blame = match blamed().filter(|_| all.data.max(all.reading) > work) {
        Some(data) => data,
        None if all.validation > all.step && all.validation >= all.saving => validation(graphs, at),
        None if all.saving > all.step => Blame::Saving,
        None => Blame::Step,
    };
    Some(TooLarge { needed, available, blame, batch })
}

/// What takes most in a validation: the place of the node, and the metric that needs it.
fn validation(graphs: Option<&Graphs>, at: usize) -> Blame {
    let Some((graph, _)) = graphs.and_then(|graphs| graphs.validation.as_ref()) else { return Blame::Step };
    let span = graph.nodes.get(at).map(|node| node.span).unwrap_or_default();
    let below = |output: usize| {
        let mut needed = vec![false; graph.nodes.len()];
        needed.get_mut(output).into_iter().for_each(|n| *n = true);
        for index in (0..graph.nodes.len()).rev() {
            if needed.get(index) == Some(&true) {
                let inputs: Vec<usize> = graph.inputs(NodeId(index as u32)).map(|id| id.0 as usize).collect();
                inputs.into_iter().for_each(|i| needed.get_mut(i).into_iter().for_each(|n| *n = true));
            }
        }
        needed.get(at) == Some(&true)
    };
    let metrics = graph.outputs.iter().filter(|output| output.role == Role::Metric);
    let of = metrics.into_iter().find(|output| below(output.node.0 as usize)).map(|output| output.name.clone());
    Blame::Validation(span, of)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
