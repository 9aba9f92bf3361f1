//! A watch for training steps: how long the parts of a step take, and which operation takes how much of it.

use std::collections::HashMap;
use std::time::Instant;

use candle_core::Device;

use super::program::{Part, Watch};
use rord_graph::flops::Flops;
use rord_graph::node::{Graph, NodeSource, OpNode};
use rord_graph::share::exchanges;
use rord_lang::vocabulary::Vocabulary;

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
    /// The sizes of a convolution: `64 → 128, 3 × 3, 64 × 64`, or `8·16 → 8·16, …` from field to field; otherwise empty.
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
pub(super) struct Stopwatch {
    last: Instant,
    forward: Vec<f64>,
    backward: Vec<f64>,
    feed: f64,
    optimizer: f64,
    /// A device that works on by itself: it is waited for at the end of the step, or after each part.
    settled: Option<(Device, Settled)>,
}

/// When a device is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// At the end of a step, so that the time of steps is what it is in training.
    Steps,
    /// After every part, so that each part has its own time.
    Parts,
}

impl Stopwatch {
    pub(super) fn start(nodes: usize, device: &Device, settled: Settled) -> Self {
        let none = || vec![0.0; nodes];
        let settled = (!device.is_cpu()).then(|| (device.clone(), settled));
        Self { last: Instant::now(), forward: none(), backward: none(), feed: 0.0, optimizer: 0.0, settled }
    }

    /// The nodes of its graph.
    pub(super) fn nodes(&self) -> usize {
        self.forward.len()
    }

    pub(super) fn total(&self) -> f64 {
        self.feed + self.forward.iter().chain(&self.backward).sum::<f64>() + self.optimizer
    }
}

impl Watch for Stopwatch {
    fn done(&mut self, part: Part) {
        if let Some((device, settled)) = &self.settled
            && (*settled == Settled::Parts || part == Part::Optimizer)
        {
            // Where it fails, the next operation on it does, too.
            let _ = device.synchronize();
        }
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

/// The middle one, or the mean of the two in the middle; 0 of none.
pub(super) fn median(mut all: Vec<f64>) -> f64 {
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

/// The parts of steps.
pub(super) fn phases(graph: &Graph, vocabulary: &Vocabulary, steps: &[Stopwatch]) -> Phases {
    let model = of_models(graph, vocabulary);
    let is = |index: usize| model.get(index) == Some(&true);
    Phases {
        forward: over(steps, |s| sum_of(&s.forward, is)),
        losses: over(steps, |s| s.feed + sum_of(&s.forward, |i| !is(i))),
        backward: over(steps, |s| s.backward.iter().sum()),
        optimizer: over(steps, |s| s.optimizer),
    }
}

/// What every process computes for all samples of the batch, in milliseconds; 0 where the batch is not shared.
pub(super) fn common(graph: &Graph, steps: &[Stopwatch]) -> f64 {
    let is = |index: usize| {
        let op = graph.nodes.get(index).is_some_and(|node| is_op(node) && !exchanges(node));
        op && !graph.apart.is_empty() && !graph.is_apart(index)
    };
    over(steps, |s| sum_of(&s.forward, is) + sum_of(&s.backward, is))
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
pub(super) fn rows(graph: &Graph, steps: &[Stopwatch], counted: &[Flops], batch: usize) -> Vec<Row> {
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
        match sizes(graph, index, op, batch) {
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

/// The sizes of what slides a kernel over a map or a field: channels in and out, the kernel, the map. Of a field the
/// channels stand behind its turns: `8·16`.
fn sizes(graph: &Graph, index: usize, op: &OpNode, batch: usize) -> Option<String> {
    let shape = |name: &str| {
        let (_, id) = op.inputs.iter().find(|(n, _)| *n == name)?;
        graph.shape(&graph.node(*id)?.ty, batch)
    };
    let result = graph.shape(&graph.nodes.get(index)?.ty, batch)?;
    let channels = |shape: &[usize]| match *shape {
        [_, channels, _, _] => Some(channels.to_string()),
        [_, turns, channels, _, _] => Some(format!("{turns}·{channels}")),
        _ => None,
    };
    let (x, weight) = (shape("x")?, shape("weight")?);
    let ([.., height, width], [_, _, .., k, l]) = (x.as_slice(), weight.as_slice()) else { return None };
    let apart = op.settings.count("dilation").unwrap_or(1);
    let apart = if apart == 1 { String::new() } else { format!(" apart by {apart}") };
    Some(format!("{} → {}, {k} × {l}{apart}, {height} × {width}", channels(&x)?, channels(&result)?))
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
