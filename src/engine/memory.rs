//! How much memory a step will take, computed before it is taken.
//!
//! The step is gone through without numbers: each value is there from the node that makes it to the last that reads it,
//! forward or backward, exactly as the program keeps it ([`Flow`]). Operations report themselves what they take while
//! they compute (`Compute::memory`).

use super::flow::Flow;
use super::heap::{Block, Heap};
use super::machine;
use rord_graph::flops::shapes;
use rord_graph::gradients::below_objective;
use rord_graph::node::{Graph, NodeSource, OpNode};
use rord_lang::vocabulary::Shapes;
use rord_ops::compute::memory::{Memory, bytes};

/// The program itself, its vocabulary, what threads and the terminal take, and what drawing layouts leaves behind.
pub(super) const PROCESS: usize = 80 << 20;

/// The factor of what is touched over what the heap's map holds: threads take memory from places of their own, and
/// sizes go by classes. Fitted to the networks S and V and the default pipeline.
pub(super) const SPREAD: f64 = 1.1;

/// Steps after which no other memory is taken.
const STEPS: usize = 3;

/// Batches that exist at once: those made ahead, the one at hand, and its tensors.
pub(super) const BATCHES: usize = 5;

/// What a step takes beside its graph.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Samples in a batch.
    pub batch: usize,
    /// Numbers that the optimizer remembers of each number of a weight.
    pub moments: usize,
    /// Bytes of the data's layouts.
    pub pictures: usize,
    /// Bytes that reading layouts takes before the first step.
    pub reading: usize,
}

/// Bytes at the moment of a step at which there are most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Predicted {
    /// The process and its data.
    pub standing: usize,
    /// What every thread keeps for its kernels.
    pub threads: usize,
    /// Weights, what the optimizer remembers of them, values, gradients, and what operations take while they compute.
    pub step: usize,
}

impl Predicted {
    /// All of it.
    pub fn total(&self) -> usize {
        self.standing.saturating_add(self.threads).saturating_add(self.step)
    }
}

/// What a training step takes on the CPU; `None` where a size is not known.
pub fn predict(graph: &Graph, flow: &Flow, load: Load) -> Option<Predicted> {
    let Load { batch, moments, pictures, .. } = load;
    let mut step = Step::new(graph, flow, batch)?;
    let mut weights: Vec<Block> = graph.weights.iter().map(|w| step.heap.make(bytes(&w.shape))).collect();
    // The first steps find other gaps than later ones.
    for number in 0..STEPS {
        step.forward()?;
        let grads = step.backward()?;
        for (weight, grad) in &grads {
            if number == 0 {
                (0..moments).for_each(|_| _ = step.heap.make(grad.bytes()));
            }
            if let Some(slot) = weights.get_mut(*weight) {
                step.old.push(std::mem::replace(slot, step.heap.make(grad.bytes())));
            }
        }
        // All new weights are there before an old one goes.
        for block in step.old.drain(..).chain(grads.into_iter().map(|(_, grad)| grad)) {
            step.heap.free(block);
        }
    }
    let fields = fields(graph, batch)?;
    Some(Predicted {
        standing: PROCESS.saturating_add(pictures).saturating_add(fields.saturating_mul(BATCHES)),
        threads: step.thread.saturating_mul(machine::threads()),
        step: (SPREAD * step.heap.most() as f64) as usize,
    })
}

/// What a validation takes on the CPU beside the process and its data: all that rests meanwhile, which is `resting` bytes, and the
/// values of a pass forward. With it the node at which there is most, and what every thread keeps. `None` where a size is not known.
pub(super) fn forward(graph: &Graph, flow: &Flow, batch: usize, resting: usize) -> Option<Forward> {
    let mut step = Step::new(graph, flow, batch)?;
    step.heap.make(resting);
    step.forward()?;
    Some(Forward { bytes: (SPREAD * step.heap.most() as f64) as usize, at: step.at, thread: step.thread })
}

/// A pass forward without numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forward {
    /// Bytes where there are most.
    pub bytes: usize,
    /// The node at which that is.
    pub at: usize,
    /// Bytes that every thread keeps.
    pub thread: usize,
}

/// Bytes of a batch: the fields that a graph takes.
pub(super) fn fields(graph: &Graph, batch: usize) -> Option<usize> {
    let mut bytes_of = 0usize;
    for node in graph.nodes.iter().filter(|node| matches!(node.source, NodeSource::Field { .. })) {
        bytes_of = bytes_of.saturating_add(bytes(&graph.shape(&node.ty, batch)?));
    }
    Some(bytes_of)
}

/// A step without numbers.
struct Step<'a> {
    graph: &'a Graph,
    flow: &'a Flow,
    batch: usize,
    /// Bytes of every node's value.
    sizes: Vec<usize>,
    /// Whether a node's value lies channels last.
    last: Vec<bool>,
    /// The node that made what holds a node's value, while that is there: several may share it, and the last to go
    /// frees it.
    values: Vec<Option<usize>>,
    /// How many values are in what a node made, and that.
    holders: Vec<(usize, Block)>,
    /// What is saved for a node's backward.
    saved: Vec<Block>,
    /// Weights that have been replaced.
    old: Vec<Block>,
    /// Bytes every thread keeps.
    thread: usize,
    /// The node of the pass forward at which most was there.
    at: usize,
    heap: Heap,
}

impl<'a> Step<'a> {
    fn new(graph: &'a Graph, flow: &'a Flow, batch: usize) -> Option<Self> {
        let count = graph.nodes.len();
        let size = |node: &rord_graph::node::Node| Some(bytes(&graph.shape(&node.ty, batch)?));
        Some(Self {
            graph,
            flow,
            batch,
            sizes: graph.nodes.iter().map(size).collect::<Option<_>>()?,
            last: vec![false; count],
            values: vec![None; count],
            holders: vec![(0, Block::default()); count],
            saved: vec![Block::default(); count],
            old: Vec::new(),
            thread: 0,
            at: 0,
            heap: Heap::default(),
        })
    }

    fn size(&self, index: usize) -> usize {
        self.sizes.get(index).copied().unwrap_or(0)
    }

    fn op(&self, index: usize) -> Option<&'a OpNode> {
        match &self.graph.nodes.get(index)?.source {
            NodeSource::Op(op) => Some(op),
            _ => None,
        }
    }

    fn memory(&self, index: usize, shapes: &Shapes<'_>) -> Memory {
        let compute = self.flow.computes.get(index).copied().flatten();
        compute.map(|c| c.memory(shapes, self.flow.gradients.wants(index))).unwrap_or_default()
    }

    /// Bytes of the inputs that have to be turned for an operation that takes one order of numbers only.
    fn turned(&self, index: usize, op: &OpNode, back: bool) -> usize {
        let Some(compute) = self.flow.computes.get(index).copied().flatten() else { return 0 };
        if compute.either_order() {
            return 0;
        }
        let read = op.inputs.iter().filter(|(name, _)| !back || compute.backward_reads(name));
        let turned = read.filter(|(_, id)| self.last.get(id.0 as usize) == Some(&true));
        turned.map(|(_, id)| self.size(id.0 as usize)).sum()
    }

    fn forward(&mut self) -> Option<()> {
        for index in 0..self.graph.nodes.len() {
            let Some(op) = self.op(index) else { continue };
            let shapes = shapes(self.graph, index, self.batch)?;
            let memory = self.memory(index, &shapes);
            self.thread = self.thread.max(memory.thread);
            let before = self.heap.most_live();
            let first = op.inputs.first().map(|(_, id)| id.0 as usize);
            let compute = self.flow.computes.get(index).copied().flatten();
            let lies_last = compute.is_some_and(|c| c.either_order())
                && matches!(shapes.result.as_slice(), [_, channels, ..] if *channels > 1)
                && shapes.result.len() == 4
                && (shapes.of("weight").is_some() || first.is_some_and(|i| self.last.get(i) == Some(&true)));
            if let Some(last) = self.last.get_mut(index) {
                *last = lies_last;
            }
            let taken = memory.forward.saturating_add(self.turned(index, op, false));
            let taken = self.heap.make(taken);
            let maker = match first.filter(|_| memory.shares) {
                // Of a field or a weight nothing is made.
                Some(input) => self.values.get(input).copied().flatten(),
                None => {
                    let block = self.heap.make(self.size(index));
                    self.holders.get_mut(index).into_iter().for_each(|h| *h = (0, block));
                    Some(index)
                }
            };
            let needs = self.flow.gradients.needs.get(index) == Some(&true);
            let saved = self.heap.make(memory.saved);
            match self.saved.get_mut(index).filter(|_| needs) {
                Some(slot) => *slot = saved,
                None => self.heap.free(saved),
            }
            self.heap.free(taken);
            if self.heap.most_live() > before {
                self.at = index;
            }
            if let (Some(maker), Some(slot)) = (maker, self.values.get_mut(index)) {
                *slot = Some(maker);
                self.holders.get_mut(maker).into_iter().for_each(|(count, _)| *count += 1);
            }
            for (_, id) in &op.inputs {
                let input = id.0 as usize;
                let over = self.flow.last_use.get(input) == Some(&index);
                if over && self.flow.read_back.get(input) == Some(&false) {
                    self.release(input);
                }
            }
        }
        Some(())
    }

    /// Drops a node's value.
    fn release(&mut self, index: usize) {
        let maker = self.values.get_mut(index).and_then(Option::take);
        let Some((count, block)) = maker.and_then(|m| self.holders.get_mut(m)) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.heap.free(*block);
        }
    }

    /// Backward; returns the gradients of weights.
    fn backward(&mut self) -> Option<Vec<(usize, Block)>> {
        let reached = below_objective(self.graph);
        let count = self.graph.nodes.len();
        // A node's gradient so far, and the gradients of its parts.
        let mut grads: Vec<Option<Block>> = vec![None; count];
        let mut pieces: Vec<Vec<Block>> = vec![Vec::new(); count];
        let mut weights = Vec::new();
        for index in (0..count).rev() {
            let mut grad = grads.get_mut(index).and_then(Option::take);
            let parts = pieces.get_mut(index).map(std::mem::take).unwrap_or_default();
            if !parts.is_empty() {
                let whole = self.heap.make(self.size(index));
                parts.into_iter().chain(grad.take()).for_each(|part| self.heap.free(part));
                grad = Some(whole);
            }
            let needs = self.flow.gradients.needs.get(index) == Some(&true) && reached.get(index) == Some(&true);
            match (self.op(index), &self.graph.nodes.get(index)?.source) {
                (Some(op), _) if needs => {
                    let compute = self.flow.computes.get(index).copied().flatten();
                    let part = compute.is_some_and(|c| c.part_of(&op.settings).is_some());
                    match op.inputs.first().filter(|_| part).and_then(|(_, id)| pieces.get_mut(id.0 as usize)) {
                        Some(list) => list.extend(grad.take()),
                        None => self.back(index, op, &mut grads)?,
                    }
                }
                (None, NodeSource::Weight(weight)) => weights.extend(grad.take().map(|grad| (*weight, grad))),
                _ => {}
            }
            let saved = self.saved.get_mut(index).map(std::mem::take);
            grad.into_iter().chain(saved).for_each(|block| self.heap.free(block));
            self.release(index);
        }
        Some(weights)
    }

    /// The gradients of an operation's inputs.
    fn back(&mut self, index: usize, op: &OpNode, grads: &mut [Option<Block>]) -> Option<()> {
        let memory = self.memory(index, &shapes(self.graph, index, self.batch)?);
        self.thread = self.thread.max(memory.thread);
        let wants = self.flow.gradients.wants(index);
        let taken = self.heap.make(memory.backward.saturating_add(self.turned(index, op, true)));
        let made: Vec<(usize, Block)> = op
            .inputs
            .iter()
            .filter(|(name, _)| wants.contains(name))
            .map(|(_, id)| (id.0 as usize, self.heap.make(self.sizes.get(id.0 as usize).copied().unwrap_or(0))))
            .collect();
        self.heap.free(taken);
        for (input, block) in made {
            let there = grads.get_mut(input).and_then(Option::take);
            let sum = match there {
                Some(there) => {
                    // Their sum is there before they go.
                    let sum = self.heap.make(self.size(input));
                    self.heap.free(there);
                    self.heap.free(block);
                    sum
                }
                None => block,
            };
            grads.get_mut(input).into_iter().for_each(|slot| *slot = Some(sum));
        }
        Some(())
    }
}
