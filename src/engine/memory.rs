//! How much memory a step will take, told before it is taken.
//!
//! The step is gone through without numbers: each value is there from the node that makes it to the last that reads it, forward or
//! backward, exactly as the program keeps it ([`Flow`]); what operations take on the way they tell themselves (`Compute::memory`).

use std::collections::HashMap;

use super::flow::Flow;
use super::optim::optimizer;
use super::plan::Plan;
use super::source;
use super::step::graph;
use super::train::Stop;
use super::machine;
use crate::graph::flops::shapes;
use crate::graph::gradients::{below_objective, trained};
use crate::graph::node::{Graph, NodeSource, OpNode, Role};
use crate::lang::typed::Pipeline;
use crate::lang::vocabulary::{Shapes, Vocabulary};
use crate::ops::compute::memory::{Memory, bytes};

/// The program itself, its vocabulary, and what threads and the terminal take.
const PROCESS: usize = 24 << 20;

/// Batches that exist at once: those made ahead, the one at hand, and its tensors.
const BATCHES: usize = 5;

/// Bytes at the moment of a step at which there are most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Predicted {
    /// The process and its data.
    pub standing: usize,
    /// Weights, what the optimizer remembers of them, and what every thread keeps.
    pub kept: usize,
    /// Values, gradients, and what operations take while they compute.
    pub step: usize,
}

impl Predicted {
    /// All of it.
    pub fn total(&self) -> usize {
        self.standing.saturating_add(self.kept).saturating_add(self.step)
    }
}

/// A step that memory does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes it would take.
    pub needed: usize,
    /// Bytes there are.
    pub available: usize,
    /// The largest batch that would fit, found by halving.
    pub batch: Option<usize>,
}

/// What a step of this plan takes on the CPU; `None` where a size is known to the data alone. `known` are sizes that it has set.
pub fn predict(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    known: &HashMap<u32, i64>,
) -> Result<Option<Predicted>, Stop> {
    let graph = graph(pipeline, vocabulary, &[Role::Objective, Role::Loss], known)?;
    let flow = Flow::of(&graph, trained(pipeline))?;
    let moments = optimizer(&plan.optimizer, &[])?.moments();
    Ok(of_step(&graph, &flow, plan.batch, moments, source::pictures(&plan.dataset)))
}

/// As [`predict`], of a graph. `pictures` are the bytes of the data's layouts.
pub fn of_step(graph: &Graph, flow: &Flow, batch: usize, moments: usize, pictures: usize) -> Option<Predicted> {
    let mut step = Step::new(graph, flow, batch)?;
    step.forward()?;
    step.backward()?;
    let size = |index: usize| graph.weights.get(index).map_or(0, |w| bytes(&w.shape));
    let all = (0..graph.weights.len()).map(size).fold(0, usize::saturating_add);
    // The optimizer makes all new weights before it lets the old ones go.
    step.heap.touch(step.trained);
    let mut fields = 0usize;
    for node in &graph.nodes {
        if matches!(node.source, NodeSource::Field { .. }) {
            fields = fields.saturating_add(bytes(&graph.shape(&node.ty, batch)?));
        }
    }
    let threads = step.thread.saturating_mul(rayon::current_num_threads());
    Some(Predicted {
        standing: PROCESS.saturating_add(pictures).saturating_add(fields.saturating_mul(BATCHES)),
        kept: all.saturating_add(step.trained.saturating_mul(moments)).saturating_add(threads),
        step: step.heap.most,
    })
}

/// Compares what a step takes with what there is; `None` where it fits, or where one of the two is not known.
pub fn refused(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    known: &HashMap<u32, i64>,
) -> Result<Option<TooLarge>, Stop> {
    let Some(available) = machine::available_memory() else { return Ok(None) };
    let graph = graph(pipeline, vocabulary, &[Role::Objective, Role::Loss], known)?;
    let flow = Flow::of(&graph, trained(pipeline))?;
    let (moments, pictures) = (optimizer(&plan.optimizer, &[])?.moments(), source::pictures(&plan.dataset));
    let needed = |batch| of_step(&graph, &flow, batch, moments, pictures).map(|p| p.total());
    let Some(all) = needed(plan.batch).filter(|all| *all > available) else { return Ok(None) };
    let halves = std::iter::successors(Some(plan.batch / 2), |n| Some(n / 2)).take_while(|n| *n > 0);
    let batch = halves.into_iter().find(|n| needed(*n).is_some_and(|all| all <= available));
    Ok(Some(TooLarge { needed: all, available, batch }))
}

/// Bytes that are there, and the most there have been.
#[derive(Default)]
struct Heap {
    live: usize,
    most: usize,
}

impl Heap {
    fn make(&mut self, bytes: usize) {
        self.live = self.live.saturating_add(bytes);
        self.most = self.most.max(self.live);
    }

    fn drop(&mut self, bytes: usize) {
        self.live = self.live.saturating_sub(bytes);
    }

    /// Makes something and drops it again.
    fn touch(&mut self, bytes: usize) {
        self.most = self.most.max(self.live.saturating_add(bytes));
    }
}

/// What holds the numbers of a node's value: several nodes may share it, and the last to go frees it.
#[derive(Clone, Copy)]
struct Held {
    /// The node that made it.
    maker: usize,
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
    /// Where a node's value is, while it is somewhere in this step's memory.
    values: Vec<Option<Held>>,
    /// How many values are held by what a node made.
    holders: Vec<usize>,
    /// Bytes saved for a node's way back.
    saved: Vec<usize>,
    /// Bytes of weights that have got a gradient.
    trained: usize,
    /// Bytes every thread keeps.
    thread: usize,
    heap: Heap,
}

impl<'a> Step<'a> {
    fn new(graph: &'a Graph, flow: &'a Flow, batch: usize) -> Option<Self> {
        let count = graph.nodes.len();
        let size = |node: &crate::graph::node::Node| Some(bytes(&graph.shape(&node.ty, batch)?));
        Some(Self {
            graph,
            flow,
            batch,
            sizes: graph.nodes.iter().map(size).collect::<Option<_>>()?,
            last: vec![false; count],
            values: vec![None; count],
            holders: vec![0; count],
            saved: vec![0; count],
            trained: 0,
            thread: 0,
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
        let read = op.inputs.iter().filter(|(name, _)| !back || compute.back_reads(name));
        let turned = read.filter(|(_, id)| self.last.get(id.0 as usize) == Some(&true));
        turned.map(|(_, id)| self.size(id.0 as usize)).sum()
    }

    fn forward(&mut self) -> Option<()> {
        for index in 0..self.graph.nodes.len() {
            let Some(op) = self.op(index) else { continue };
            let shapes = shapes(self.graph, index, self.batch)?;
            let memory = self.memory(index, &shapes);
            self.thread = self.thread.max(memory.thread);
            let first = op.inputs.first().map(|(_, id)| id.0 as usize);
            let compute = self.flow.computes.get(index).copied().flatten();
            let lies_last = compute.is_some_and(|c| c.either_order())
                && matches!(shapes.result.as_slice(), [_, channels, ..] if *channels > 1)
                && shapes.result.len() == 4
                && (shapes.of("weight").is_some() || first.is_some_and(|i| self.last.get(i) == Some(&true)));
            if let Some(last) = self.last.get_mut(index) {
                *last = lies_last;
            }
            let held = match first.filter(|_| memory.shares) {
                // Of a field or a weight nothing is made.
                Some(input) => self.values.get(input).copied().flatten(),
                None => {
                    self.heap.make(self.size(index));
                    Some(Held { maker: index })
                }
            };
            let needs = self.flow.gradients.needs.get(index) == Some(&true);
            self.heap.make(memory.saved);
            self.heap.touch(memory.forward.saturating_add(self.turned(index, op, false)));
            match self.saved.get_mut(index).filter(|_| needs) {
                Some(saved) => *saved = memory.saved,
                None => self.heap.drop(memory.saved),
            }
            if let (Some(held), Some(slot)) = (held, self.values.get_mut(index)) {
                *slot = Some(held);
                if let Some(holders) = self.holders.get_mut(held.maker) {
                    *holders += 1;
                }
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

    /// Lets go of a node's value.
    fn release(&mut self, index: usize) {
        let Some(held) = self.values.get_mut(index).and_then(Option::take) else { return };
        if let Some(holders) = self.holders.get_mut(held.maker) {
            *holders = holders.saturating_sub(1);
            if *holders == 0 {
                self.heap.drop(self.sizes.get(held.maker).copied().unwrap_or(0));
            }
        }
    }

    fn backward(&mut self) -> Option<()> {
        let reached = below_objective(self.graph);
        // Bytes of a node's gradient so far, and of the gradients of its parts.
        let mut grads = vec![0usize; self.graph.nodes.len()];
        let mut pieces = vec![0usize; self.graph.nodes.len()];
        for index in (0..self.graph.nodes.len()).rev() {
            let of = |list: &mut Vec<usize>| list.get_mut(index).map(std::mem::take).unwrap_or(0);
            let (mut grad, parts) = (of(&mut grads), of(&mut pieces));
            if parts > 0 {
                let whole = self.size(index);
                self.heap.make(whole);
                self.heap.drop(parts);
                grad = grad.max(whole);
            }
            let needs = self.flow.gradients.needs.get(index) == Some(&true) && reached.get(index) == Some(&true);
            match (self.op(index), &self.graph.nodes.get(index)?.source) {
                (Some(op), _) if needs => {
                    let compute = self.flow.computes.get(index).copied().flatten();
                    let part = compute.is_some_and(|c| c.part_of(&op.settings).is_some());
                    if let (true, Some((_, id))) = (part, op.inputs.first()) {
                        if let Some(slot) = pieces.get_mut(id.0 as usize) {
                            *slot = slot.saturating_add(grad);
                        }
                        grad = 0;
                    } else {
                        let shapes = shapes(self.graph, index, self.batch)?;
                        let memory = self.memory(index, &shapes);
                        self.thread = self.thread.max(memory.thread);
                        let wants = self.flow.gradients.wants(index);
                        let made: Vec<usize> =
                            op.inputs.iter().filter(|(n, _)| wants.contains(n)).map(|(_, id)| id.0 as usize).collect();
                        let new: usize = made.iter().map(|i| self.size(*i)).fold(0, usize::saturating_add);
                        let turned = self.turned(index, op, true);
                        self.heap.make(new);
                        self.heap.touch(memory.backward.saturating_add(turned));
                        for input in made {
                            let size = self.size(input);
                            let Some(slot) = grads.get_mut(input) else { continue };
                            if *slot > 0 {
                                // Their sum is there before they go.
                                self.heap.touch(size);
                                self.heap.drop(size);
                            }
                            *slot = size;
                        }
                    }
                }
                (None, NodeSource::Weight(_)) => {
                    self.trained = self.trained.saturating_add(grad);
                    grad = 0;
                }
                _ => {}
            }
            self.heap.drop(grad);
            self.release(index);
            let saved = self.saved.get_mut(index).map(std::mem::take).unwrap_or(0);
            self.heap.drop(saved);
        }
        Some(())
    }
}
