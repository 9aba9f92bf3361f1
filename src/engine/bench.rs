//! Training steps with a watch: how long one takes, and which operation takes how much of it.
//!
//! The steps are those of `train`, on batches made beforehand, and nothing is written.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use candle_core::Device;

use super::machine;
use super::memory::predict;
use super::plan::Plan;
use super::program::{Part, Watch};
use super::refusals::Stop;
use super::step::{Stepped, Stepper, load, prepare};
use rord_data::batches::Batch;
use rord_data::loader::LoaderError;
use rord_data::pairs::Split;
use rord_graph::flops::{Flops, flops};
use rord_graph::node::{Graph, NodeSource, OpNode};
use rord_kernels::simd::Simd;
use rord_lang::report::runtime;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

/// Batches that steps take turns with.
const BATCHES: u64 = 3;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Steps that count, at least one.
    pub steps: usize,
    /// Steps before them.
    pub warmup: usize,
    /// True for plain Candle operations in place of kernels.
    pub plain: bool,
}

/// What was measured. Times are in milliseconds, and each is the median over the steps of its sum in a step.
#[derive(Clone, Debug)]
pub struct Measured {
    /// A step: median, least, most.
    pub step: (f64, f64, f64),
    /// Making a batch, by one thread.
    pub batch_ms: f64,
    /// The parts of a step, which add up to it.
    pub phases: Phases,
    /// The operations of the graph, convolutions one by one.
    pub rows: Vec<Row>,
    /// Floating-point operations of a step, as `graph::flops` counts them.
    pub flops: f64,
    /// The most memory there has been, in bytes, and what was predicted.
    pub peak: Option<usize>,
    /// As `engine::memory` predicts.
    pub predicted: Option<usize>,
    /// Threads.
    pub threads: usize,
    /// The instructions that kernels use.
    pub simd: &'static str,
}

/// The parts of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phases {
    /// Values of the models.
    pub forward: f64,
    /// All other values, losses above all.
    pub losses: f64,
    /// Gradients.
    pub backward: f64,
    /// Clipping, new weights, running statistics.
    pub optimizer: f64,
}

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name, with what it has taken in: `conv+relu+pool`.
    pub op: String,
    /// The sizes of a convolution: `64 → 128, 3 × 3, 64 × 64`; otherwise empty.
    pub sizes: String,
    /// How often it occurs in the graph.
    pub count: usize,
    /// Values.
    pub forward_ms: f64,
    /// Gradients.
    pub backward_ms: f64,
    /// Floating-point operations.
    pub flops: f64,
}

impl Row {
    /// Values and gradients.
    pub fn ms(&self) -> f64 {
        self.forward_ms + self.backward_ms
    }
}

/// Seconds that the parts of one step took.
struct Stopwatch {
    last: Instant,
    forward: Vec<f64>,
    backward: Vec<f64>,
    feed: f64,
    optimizer: f64,
}

impl Stopwatch {
    fn start(nodes: usize) -> Self {
        let none = || vec![0.0; nodes];
        Self { last: Instant::now(), forward: none(), backward: none(), feed: 0.0, optimizer: 0.0 }
    }

    fn total(&self) -> f64 {
        self.feed + self.forward.iter().chain(&self.backward).sum::<f64>() + self.optimizer
    }
}

impl Watch for Stopwatch {
    fn done(&mut self, part: Part) {
        let now = Instant::now();
        let took = (now - self.last).as_secs_f64();
        self.last = now;
        let slot = match part {
            Part::Feed => Some(&mut self.feed),
            Part::Forward(node) => self.forward.get_mut(node),
            Part::Backward(node) => self.backward.get_mut(node),
            Part::Optimizer => Some(&mut self.optimizer),
        };
        if let Some(slot) = slot {
            *slot += took;
        }
    }
}

/// Takes steps of a checked pipeline and measures them. `busy` hears what takes its time.
pub fn bench(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    options: &Options,
    device: &Device,
    busy: &mut dyn FnMut(&str),
) -> Result<Measured, Stop> {
    let (mut stepper, data) = prepare(pipeline, vocabulary, plan, None, device, busy)?;
    if options.plain {
        stepper.plainly()?;
    }
    let graph = stepper.program.graph().clone();
    let (mut batches, mut making) = (Vec::new(), Vec::new());
    for number in 0..BATCHES {
        let begun = Instant::now();
        let batch = data.batches.batch_at(Split::Train, number);
        batches.push(batch.map_err(|error| LoaderError::Data { step: number, error })?);
        making.push(ms(begun.elapsed()));
    }
    let load = load(plan, stepper.state.optimizer.moments(), usize::MAX);
    let predicted = predict(&graph, stepper.program.flow(), load).map(|p| p.total());
    let steps = take(&mut stepper, &batches, options, busy)?;
    let gradients = &stepper.program.flow().gradients;
    let counted = flops(&graph, vocabulary, gradients, plan.batch).unwrap_or_default();
    let totals: Vec<f64> = steps.iter().map(|s| 1e3 * s.total()).collect();
    let ends = totals.iter().fold((f64::INFINITY, 0.0f64), |(a, b), t| (a.min(*t), b.max(*t)));
    Ok(Measured {
        step: (median(totals), ends.0, ends.1),
        batch_ms: median(making),
        phases: phases(&graph, vocabulary, &steps),
        rows: rows(&graph, &steps, &counted, plan.batch),
        flops: counted.iter().map(Flops::total).sum(),
        peak: machine::peak_memory(),
        predicted,
        threads: rayon::current_num_threads(),
        simd: Simd::in_use(),
    })
}

/// Takes all steps and returns those that count.
fn take(
    stepper: &mut Stepper,
    batches: &[Batch],
    options: &Options,
    busy: &mut dyn FnMut(&str),
) -> Result<Vec<Stopwatch>, Stop> {
    let nodes = stepper.program.graph().nodes.len();
    let mut steps = Vec::new();
    let mut batches = batches.iter().cycle().cloned();
    for number in 0..(options.warmup + options.steps.max(1)) as u64 {
        busy(&format!("step {} of {}", number + 1, options.warmup + options.steps.max(1)));
        let of_step: Vec<Batch> = batches.by_ref().take(stepper.batches_of_step()).collect();
        let mut watch = Stopwatch::start(nodes);
        if let Stepped::NotFinite { what, .. } = stepper.step(&of_step, &mut watch)? {
            let kept = "nothing is kept of a measurement";
            let report =
                runtime::not_finite(what.span, stepper.objective(), (number, 1), (&what.detail(), what.cause), kept);
            return Err(Stop::NotFinite(Box::new(report)));
        }
        if number >= options.warmup as u64 {
            steps.push(watch);
        }
    }
    Ok(steps)
}

fn ms(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}

/// The middle one, or the mean of the two in the middle; 0 of none.
fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let at = |i: usize| all.get(i).copied().unwrap_or(0.0);
    match all.len() {
        0 => 0.0,
        n if n % 2 == 1 => at(n / 2),
        n => 0.5 * (at(n / 2 - 1) + at(n / 2)),
    }
}

/// The median over the steps of a sum in each, in milliseconds.
fn over(steps: &[Stopwatch], sum: impl Fn(&Stopwatch) -> f64) -> f64 {
    median(steps.iter().map(|s| 1e3 * sum(s)).collect())
}

fn sum_of(times: &[f64], nodes: impl Fn(usize) -> bool) -> f64 {
    times.iter().enumerate().filter(|(i, _)| nodes(*i)).map(|(_, t)| t).sum()
}

fn phases(graph: &Graph, vocabulary: &Vocabulary, steps: &[Stopwatch]) -> Phases {
    let model = of_models(graph, vocabulary);
    let is = |index: usize| model.get(index) == Some(&true);
    Phases {
        forward: over(steps, |s| sum_of(&s.forward, is)),
        losses: over(steps, |s| s.feed + sum_of(&s.forward, |i| !is(i))),
        backward: over(steps, |s| s.backward.iter().sum()),
        optimizer: over(steps, |s| s.optimizer),
    }
}

/// The nodes of models: what goes into a layer with weights, and what is then done to its value, sample by sample.
fn of_models(graph: &Graph, vocabulary: &Vocabulary) -> Vec<bool> {
    let weight = |id| matches!(graph.node(id).map(|n| &n.source), Some(NodeSource::Weight(_)));
    let op = |index: usize| match graph.nodes.get(index).map(|n| &n.source) {
        Some(NodeSource::Op(op)) => Some(op),
        _ => None,
    };
    let mut model = vec![false; graph.nodes.len()];
    for index in (0..graph.nodes.len()).rev() {
        let Some(op) = op(index) else { continue };
        if op.inputs.iter().any(|(_, id)| weight(*id)) || model.get(index) == Some(&true) {
            for id in op.inputs.iter().map(|(_, id)| id.0 as usize).chain([index]) {
                model.get_mut(id).into_iter().for_each(|m| *m = true);
            }
        }
    }
    for index in 0..graph.nodes.len() {
        let Some(op) = op(index) else { continue };
        let alone = vocabulary.operation(op.op).is_some_and(|o| o.entry.graph.per_sample);
        let follows = |id: usize| model.get(id) == Some(&true) && graph.nodes.get(id).is_some_and(is_op);
        if alone && op.inputs.iter().any(|(_, id)| follows(id.0 as usize)) {
            model.get_mut(index).into_iter().for_each(|m| *m = true);
        }
    }
    model
}

fn is_op(node: &rord_graph::node::Node) -> bool {
    matches!(node.source, NodeSource::Op(_))
}

/// A row for each convolution, in the graph's order, and one for each other operation, the longest first.
fn rows(graph: &Graph, steps: &[Stopwatch], counted: &[Flops], batch: usize) -> Vec<Row> {
    let (mut alone, mut together): (Vec<Row>, HashMap<&str, Vec<usize>>) = (Vec::new(), HashMap::new());
    let row = |op: String, sizes: String, nodes: &[usize]| Row {
        op,
        sizes,
        count: nodes.len(),
        forward_ms: over(steps, |s| sum_of(&s.forward, |i| nodes.contains(&i))),
        backward_ms: over(steps, |s| sum_of(&s.backward, |i| nodes.contains(&i))),
        flops: nodes.iter().filter_map(|i| counted.get(*i)).map(Flops::total).sum(),
    };
    for (index, node) in graph.nodes.iter().enumerate() {
        let NodeSource::Op(op) = &node.source else { continue };
        match sizes(graph, op, batch) {
            Some(sizes) => alone.push(row(name(op), sizes, &[index])),
            None => together.entry(op.op).or_default().push(index),
        }
    }
    let mut rest: Vec<Row> = together.iter().map(|(op, nodes)| row((*op).into(), String::new(), nodes)).collect();
    rest.sort_by(|a, b| b.ms().total_cmp(&a.ms()).then_with(|| a.op.cmp(&b.op)));
    alone.extend(rest);
    alone
}

/// `conv+relu+pool` for a convolution that has taken in both.
fn name(op: &OpNode) -> String {
    match op.settings.text("then") {
        Ok(then) => format!("{}+{}", op.op, then.replace('_', "+")),
        Err(_) => op.op.into(),
    }
}

/// The sizes of what slides a kernel over a map: channels in and out, the kernel, the map.
fn sizes(graph: &Graph, op: &OpNode, batch: usize) -> Option<String> {
    let shape = |name: &str| {
        let (_, id) = op.inputs.iter().find(|(n, _)| *n == name)?;
        graph.shape(&graph.node(*id)?.ty, batch)
    };
    let (x, weight) = (shape("x")?, shape("weight")?);
    match (x.as_slice(), weight.as_slice()) {
        ([_, inputs, height, width], [outputs, _, k, l]) => {
            Some(format!("{inputs} → {outputs}, {k} × {l}, {height} × {width}"))
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }
}
