//! A graph made ready to run: forward for values, backward for gradients.
//!
//! The graph is differentiated here rather than by Candle's tape: every operation brings its own gradient, only what is
//! needed is computed, and nothing is zeroed and added that does not have to be. See `docs/decisions/own-gradients.md`.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::flow::{Fault, Flow};
use super::timed::Clock;
use rord_graph::node::{Graph, Node, NodeSource, OpNode, Role};
use rord_lang::report::runtime::Cause;
use rord_lang::source::Span;
use rord_ops::compute::{Call, Compute, Output, layout};
use rord_ranks::Share;

/// What a step needs from outside.
pub struct Feed<'a> {
    /// Samples in the batch, those of other processes included.
    pub batch: usize,
    /// Where processes share the batch, the samples that this one has; the graph is [shared](rord_graph::share) then.
    pub share: Option<Share<'a>>,
    /// Tensors by field name.
    pub fields: &'a HashMap<String, Tensor>,
    /// All weights, in the graph's order.
    pub weights: &'a [Tensor],
    /// The seed of random streams.
    pub seed: u64,
    /// The step that names them.
    pub step: u64,
    /// True while training.
    pub training: bool,
    /// The numbers that change, by the step; without them they are what they end with.
    pub timed: Option<&'a Clock>,
}

impl<'a> Feed<'a> {
    /// A whole batch outside of training: the first step of seed 0, and numbers that change as they end.
    pub fn of(batch: usize, fields: &'a HashMap<String, Tensor>, weights: &'a [Tensor]) -> Self {
        Self { batch, share: None, fields, weights, seed: 0, step: 0, training: false, timed: None }
    }
}

/// What a run of a graph returns.
pub struct Outcome {
    /// The value of every output, in the graph's order: contiguous, and of the shape of its type.
    pub values: Vec<Tensor>,
    /// The gradient of the objective in every weight; `None` where none reaches it.
    pub grads: Vec<Option<Tensor>>,
    /// The gradient of the objective in every field it was wanted for.
    pub field_grads: Vec<(String, Tensor)>,
    /// What running statistics have become, in the order of the weights; `None` where a weight is none or stays.
    pub updates: Vec<Option<Tensor>>,
    /// The first value that is not finite, if the objective is not.
    pub not_finite: Option<NotFinite>,
}

impl Outcome {
    /// The values as numbers, where every output is one: losses, metrics and the objective.
    pub fn numbers(&self) -> candle_core::Result<Vec<f64>> {
        match self.values.first() {
            // Another device is waited for once, not for each of them.
            Some(first) if !first.device().is_cpu() => {
                let all = self.values.iter().map(|value| value.reshape(1)).collect::<candle_core::Result<Vec<_>>>()?;
                Tensor::cat(&all, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec1()
            }
            _ => self.values.iter().map(scalar).collect(),
        }
    }
}

/// The first node whose value is not finite, and what went into it.
#[derive(Clone, Debug)]
pub struct NotFinite {
    /// Its number; `None` where it is no node's value.
    pub node: Option<usize>,
    /// The text that made it.
    pub span: Span,
    /// What it is.
    pub what: String,
    /// The ranges of what it was computed from.
    pub inputs: Vec<String>,
    /// How it came about.
    pub cause: Cause,
}

impl NotFinite {
    /// All of it in words.
    pub fn detail(&self) -> String {
        match self.inputs.is_empty() {
            true => self.what.clone(),
            false => format!("{}; it was given {}", self.what, self.inputs.join(", ")),
        }
    }
}

/// A part of a step, from the end of the part before it to its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The batch became tensors.
    Feed,
    /// A node's value.
    Forward(usize),
    /// The gradients of a node's inputs.
    Backward(usize),
    /// Weights and running statistics.
    Optimizer,
}

/// Is called whenever a part of a step is done. `()` does nothing, and nothing of it is left in the program then.
pub trait Watch {
    /// The part is done.
    fn done(&mut self, part: Part);

    /// A node's value, as soon as it is there.
    #[inline(always)]
    fn value(&mut self, _node: usize, _value: &Tensor) {}

    /// The gradient of the objective in a node's value, before it is passed on.
    #[inline(always)]
    fn gradient(&mut self, _node: usize, _gradient: &Tensor) {}
}

impl Watch for () {
    #[inline(always)]
    fn done(&mut self, _: Part) {}
}

/// Gradients of weights, in the graph's order, and of fields by name.
type AllGrads = (Vec<Option<Tensor>>, Vec<(String, Tensor)>);

/// A graph with the operations it runs.
pub struct Program {
    graph: Graph,
    flow: Flow,
    /// Every operation by Candle's tensor operations, for comparison.
    plain: bool,
    dtype: DType,
    device: Device,
    /// The numbers of the text as tensors, by node.
    numbers: Vec<Option<Tensor>>,
}

impl Program {
    /// Makes a graph ready. `wanted` is true for the weights and fields whose gradients are wanted.
    pub fn new(
        graph: Graph,
        wanted: impl Fn(&NodeSource) -> bool,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, Fault> {
        let mut flow = Flow::of(&graph, wanted)?;
        if !device.is_cpu() {
            // Kernels for the CPU report which inputs backward does not read; Candle's operations may read all.
            flow.read_back.fill(true);
        }
        let fault = |node: &Node, source| Fault { op: "number".into(), span: node.span, source };
        let numbers = graph.nodes.iter().map(|node| match node.source {
            NodeSource::Number(x) => number(x, dtype, device).map(Some).map_err(|e| fault(node, e)),
            _ => Ok(None),
        });
        let numbers = numbers.collect::<Result<_, _>>()?;
        Ok(Self { graph, flow, plain: false, dtype, device: device.clone(), numbers })
    }

    /// The same by Candle's tensor operations alone: what kernels are compared with.
    pub fn plainly(mut self) -> Self {
        self.plain = true;
        // Kernels report which inputs backward does not read; Candle's operations may read all.
        self.flow.read_back.fill(true);
        self
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What it keeps, and where gradients flow.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// The values of all outputs, and with `backward` the gradients of the objective.
    pub fn run(&self, feed: &Feed<'_>, backward: bool) -> Result<Outcome, Fault> {
        self.run_watched(feed, backward, &mut ())
    }

    /// The values of all outputs as they lie, which may be channels last, with a watch that is called after each part.
    pub fn values(&self, feed: &Feed<'_>, watch: &mut impl Watch) -> Result<Vec<Tensor>, Fault> {
        let values = self.forward(feed, Keep::Nothing, &mut vec![None; self.graph.weights.len()], watch)?;
        let value = |index: usize| values.get(index).and_then(Option::as_ref).map(|output| output.value.clone());
        let nodes = self.graph.outputs.iter().map(|output| output.node.0 as usize);
        nodes.map(|index| value(index).ok_or_else(|| self.fault(index, gone()))).collect()
    }

    /// As [`Program::run`], with a watch that is called after each part.
    pub fn run_watched(&self, feed: &Feed<'_>, backward: bool, watch: &mut impl Watch) -> Result<Outcome, Fault> {
        let mut updates = vec![None; self.graph.weights.len()];
        let keep = if backward { Keep::Read } else { Keep::Nothing };
        let mut values = self.forward(feed, keep, &mut updates, watch)?;
        let mut outcome = Outcome { values: vec![], grads: vec![], field_grads: vec![], updates, not_finite: None };
        for output in &self.graph.outputs {
            let index = output.node.0 as usize;
            let value = values.get(index).and_then(Option::as_ref).ok_or_else(|| self.fault(index, gone()))?;
            outcome.values.push(layout::first(&value.value).map_err(|source| self.fault(index, source))?);
        }
        // Another device is asked once all its work is queued: it would stand still while the gradients are.
        let ahead = backward && !self.device.is_cpu();
        if ahead {
            (outcome.grads, outcome.field_grads) = self.backward(feed, &mut values, watch)?;
        }
        let objective = self.graph.outputs.iter().position(|o| o.role == Role::Objective);
        let objective = objective.and_then(|i| outcome.values.get(i)).map(scalar).transpose();
        let bad = objective.map_err(|source| self.fault(0, source))?.is_some_and(|x| !x.is_finite());
        if bad {
            (outcome.grads, outcome.field_grads) = (vec![], vec![]);
            outcome.not_finite = self.first_not_finite(feed)?;
        } else if backward && !ahead {
            (outcome.grads, outcome.field_grads) = self.backward(feed, &mut values, watch)?;
        }
        Ok(outcome)
    }

    fn fault(&self, index: usize, source: candle_core::Error) -> Fault {
        let node = self.graph.nodes.get(index);
        let op = match node.map(|n| &n.source) {
            Some(NodeSource::Op(op)) => op.op.to_string(),
            Some(NodeSource::Field { name, .. }) => name.clone(),
            _ => "number".into(),
        };
        Fault { op, span: node.map(|n| n.span).unwrap_or_default(), source }
    }

    fn forward(
        &self,
        feed: &Feed<'_>,
        keep: Keep,
        updates: &mut [Option<Tensor>],
        watch: &mut impl Watch,
    ) -> Result<Vec<Option<Output>>, Fault> {
        let mut values: Vec<Option<Output>> = Vec::with_capacity(self.graph.nodes.len());
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let value = match &node.source {
                NodeSource::Field { name, .. } => feed
                    .fields
                    .get(name)
                    .cloned()
                    .map(Output::from)
                    .ok_or_else(|| candle_core::Error::msg(format!("the data brought no `{name}`"))),
                NodeSource::Weight(w) => feed
                    .weights
                    .get(*w)
                    .cloned()
                    .map(Output::from)
                    .ok_or_else(|| candle_core::Error::msg(format!("there is no weight number {w}"))),
                NodeSource::Number(_) => self.numbers.get(index).cloned().flatten().map(Output::from).ok_or_else(gone),
                NodeSource::Timed(timed) => {
                    let now = timed.at(&|course| match feed.timed {
                        Some(clock) => clock.number(course, feed.step),
                        None => course.reach.last,
                    });
                    number(now.number().unwrap_or(f64::NAN), self.dtype, &self.device).map(Output::from)
                }
                NodeSource::Op(op) => self
                    .call(index, op, feed, &values, false, |compute, call| {
                        let output = match self.plain {
                            true => compute.plain_forward(call)?,
                            false => compute.forward(call)?,
                        };
                        // What reads nothing does not know where everything else lies, and of what type it is.
                        let output = match call.inputs.is_empty() {
                            true => output.value.to_dtype(self.dtype)?.to_device(&self.device)?.into(),
                            false => output,
                        };
                        let made = if call.training { compute.updates(call, &output)? } else { Vec::new() };
                        Ok((output, made))
                    })
                    .map(|(mut output, made)| {
                        self.update(op, made, &mut values, updates);
                        if self.flow.gradients.needs.get(index) != Some(&true) {
                            output.saved.clear();
                        }
                        output
                    }),
            };
            let value = value.map_err(|source| self.fault(index, source))?;
            watch.value(index, &value.value);
            values.push(Some(value));
            if keep != Keep::All
                && let NodeSource::Op(op) = &node.source
            {
                for (_, id) in &op.inputs {
                    if self.flow.last_use.get(id.0 as usize) == Some(&index) {
                        self.free(id.0 as usize, keep, &mut values).map_err(|source| self.fault(index, source))?;
                    }
                }
            }
            watch.done(Part::Forward(index));
        }
        Ok(values)
    }

    /// Drops a value that no later node reads, unless backward does. Its shape stays where backward follows.
    fn free(&self, index: usize, keep: Keep, values: &mut [Option<Output>]) -> candle_core::Result<()> {
        let Some(slot) = values.get_mut(index) else { return Ok(()) };
        match slot {
            Some(output) if keep == Keep::Read => {
                if self.flow.read_back.get(index) == Some(&false) {
                    let value = &output.value;
                    // An operation that reads it all the same returns NaN, which is noticed.
                    let blank =
                        Tensor::new(f64::NAN, &Device::Cpu)?.to_dtype(value.dtype())?.to_device(value.device())?;
                    output.value = blank.broadcast_as(value.shape())?;
                }
            }
            _ => *slot = None,
        }
        Ok(())
    }

    /// Puts new values of weights in place of the old ones, so that the next call in the same step goes on from there.
    fn update(
        &self,
        op: &OpNode,
        made: Vec<(&'static str, Tensor)>,
        values: &mut [Option<Output>],
        updates: &mut [Option<Tensor>],
    ) {
        for (role, tensor) in made {
            let Some((_, id)) = op.inputs.iter().find(|(name, _)| *name == role) else { continue };
            let Some(NodeSource::Weight(w)) = self.graph.node(*id).map(|n| &n.source) else { continue };
            if let (Some(slot), Some(update)) = (values.get_mut(id.0 as usize), updates.get_mut(*w)) {
                *slot = Some(tensor.clone().into());
                *update = Some(tensor);
            }
        }
    }

    fn takes_either_order(&self, compute: &dyn Compute) -> bool {
        !self.plain && compute.either_order()
    }

    /// A value or a gradient in the type that an operation takes.
    fn taken(&self, compute: &dyn Compute, t: &Tensor) -> candle_core::Result<Tensor> {
        match t.dtype() {
            DType::BF16 if self.plain || !compute.takes_rounded() => layout::of_type(t, self.dtype),
            _ => Ok(t.clone()),
        }
    }

    fn call<T>(
        &self,
        index: usize,
        op: &OpNode,
        feed: &Feed<'_>,
        values: &[Option<Output>],
        back: bool,
        run: impl FnOnce(&'static dyn Compute, &Call) -> candle_core::Result<T>,
    ) -> candle_core::Result<T> {
        let compute = self.flow.computes.get(index).copied().flatten().ok_or_else(gone)?;
        let mut inputs = Vec::with_capacity(op.inputs.len());
        for (name, id) in &op.inputs {
            let output = values.get(id.0 as usize).and_then(Option::as_ref).ok_or_else(gone)?;
            let as_is = self.takes_either_order(compute) || back && !compute.backward_reads(name);
            let value = self.taken(compute, &output.value)?;
            inputs.push((*name, if as_is { value } else { layout::first(&value)? }));
        }
        let node = self.graph.nodes.get(index).ok_or_else(gone)?;
        let apart = self.graph.is_apart(index);
        let samples = feed.share.filter(|_| apart).map_or(feed.batch, |share| share.samples);
        let shape = self
            .graph
            .shape(&node.ty, samples)
            .ok_or_else(|| candle_core::Error::msg(format!("the shape of {} is not known", node.ty)))?;
        let call = Call {
            inputs: &inputs,
            settings: &op.settings,
            shape: &shape,
            stream: [feed.seed, feed.step, op.stream],
            training: feed.training && !self.flow.frozen.get(index).copied().unwrap_or(false),
            wants: self.flow.gradients.wants(index),
            share: feed.share,
            apart,
        };
        run(compute, &call)
    }

    fn backward(
        &self,
        feed: &Feed<'_>,
        values: &mut [Option<Output>],
        watch: &mut impl Watch,
    ) -> Result<AllGrads, Fault> {
        let mut fields = Vec::new();
        let mut grads: Vec<Option<Tensor>> = vec![None; values.len()];
        let mut pieces: HashMap<usize, Vec<Option<Tensor>>> = HashMap::new();
        let mut weights: Vec<Option<Tensor>> = vec![None; self.graph.weights.len()];
        let Some(root) = self.graph.objective().map(|o| o.node.0 as usize) else { return Ok((weights, fields)) };
        let one = Tensor::ones((), self.dtype, &self.device).map_err(|source| self.fault(root, source))?;
        if let Some(slot) = grads.get_mut(root) {
            *slot = Some(one);
        }
        for index in (0..values.len()).rev() {
            let fault = |source| self.fault(index, source);
            // Nothing below reads it: every node that does has run by now.
            let output = values.get_mut(index).and_then(Option::take);
            let whole = pieces.remove(&index).map(|p| stacked(p).map_err(fault)).transpose()?;
            let grad = match (grads.get_mut(index).and_then(Option::take), whole) {
                (Some(a), Some(b)) => Some(layout::sum(&a, &b).map_err(fault)?),
                (a, b) => a.or(b),
            };
            let (Some(grad), Some(node)) = (grad, self.graph.nodes.get(index)) else { continue };
            watch.gradient(index, &grad);
            match &node.source {
                NodeSource::Weight(w) => {
                    if let Some(slot) = weights.get_mut(*w) {
                        *slot = Some(layout::written_out(&grad).map_err(fault)?);
                    }
                }
                NodeSource::Field { name, .. } => {
                    fields.push((name.clone(), layout::written_out(&grad).map_err(fault)?));
                }
                NodeSource::Op(op) if self.flow.gradients.needs.get(index) == Some(&true) => {
                    let (Some(output), Some(compute)) = (output, self.flow.computes.get(index).copied().flatten())
                    else {
                        continue;
                    };
                    if let (Some((at, of)), Some((_, id))) = (compute.part_of(&op.settings), op.inputs.first()) {
                        let list = pieces.entry(id.0 as usize).or_insert_with(|| vec![None; of]);
                        if let Some(slot) = list.get_mut(at) {
                            *slot = Some(match slot.take() {
                                Some(there) => layout::sum(&there, &grad).map_err(fault)?,
                                None => grad,
                            });
                        }
                        continue;
                    }
                    let parts = self
                        .call(index, op, feed, values, true, |compute, call| {
                            let grad = self.taken(compute, &grad)?;
                            let grad = if self.takes_either_order(compute) { grad } else { layout::first(&grad)? };
                            match self.plain {
                                true => compute.plain_backward(call, &output, &grad),
                                false => compute.backward(call, &output, &grad),
                            }
                        })
                        .map_err(fault)?;
                    for (name, part) in parts {
                        let Some((_, id)) = op.inputs.iter().find(|(n, _)| *n == name) else { continue };
                        if let Some(slot) = grads.get_mut(id.0 as usize) {
                            let sum = match slot.take() {
                                Some(there) => layout::sum(&there, &part).map_err(fault)?,
                                None => part,
                            };
                            *slot = Some(sum);
                        }
                    }
                    // Nothing above reads these weights: who waits for their gradients need not wait for the rest of backward.
                    for weight in self.flow.first_reads.get(index).into_iter().flatten() {
                        if pieces.contains_key(weight) {
                            continue;
                        }
                        let done = grads.get_mut(*weight).and_then(Option::take);
                        if let (Some(grad), Some(NodeSource::Weight(w))) =
                            (done, self.graph.nodes.get(*weight).map(|node| &node.source))
                        {
                            watch.gradient(*weight, &grad);
                            if let Some(slot) = weights.get_mut(*w) {
                                *slot = Some(layout::written_out(&grad).map_err(fault)?);
                            }
                        }
                    }
                }
                _ => {}
            }
            watch.done(Part::Backward(index));
        }
        fields.reverse();
        Ok((weights, fields))
    }

    /// The first value of a run that is not finite, in whatever process. The graph runs again for it, because most values are gone by then.
    pub fn first_not_finite(&self, feed: &Feed<'_>) -> Result<Option<NotFinite>, Fault> {
        let values = self.forward(feed, Keep::All, &mut vec![None; self.graph.weights.len()], &mut ())?;
        let ends = |index: usize| {
            let value = values.get(index).and_then(Option::as_ref);
            value.and_then(|output| extremes(&output.value).ok()).unwrap_or((f64::NAN, f64::NAN))
        };
        let there = |index: &usize| values.get(*index).is_some_and(Option::is_some);
        let finite = |(low, high): (f64, f64)| low.is_finite() && high.is_finite();
        let own = (0..self.graph.nodes.len()).filter(there).find(|index| !finite(ends(*index)));
        // What is asked of all processes is asked by all, in the same order: they go on with the same node.
        let of_all = |own: &[f64]| match &feed.share {
            Some(share) => {
                let all = share.ranks.gather(own, &vec![own.len(); share.ranks.size()]);
                all.map_err(|lost| self.fault(0, candle_core::Error::wrap(lost)))
            }
            None => Ok(own.to_vec()),
        };
        let first =
            of_all(&[own.map_or(f64::INFINITY, |index| index as f64)])?.into_iter().fold(f64::INFINITY, f64::min);
        let Some(node) = Some(first as usize).filter(|_| first.is_finite()).and_then(|at| self.graph.nodes.get(at))
        else {
            return Ok(None);
        };
        let (what, inputs, cause) = match &node.source {
            NodeSource::Op(op) => {
                let (mut inputs, mut by_zero) = (Vec::new(), 0.0);
                for (name, id) in &op.inputs {
                    let (low, high) = ends(id.0 as usize);
                    let all = of_all(&[low, high])?;
                    let wrong = all.iter().any(|x| x.is_nan());
                    let end =
                        |fold: fn(f64, f64) -> f64| if wrong { f64::NAN } else { all.iter().copied().fold(low, fold) };
                    inputs.push(format!("{name}: {:.3e} .. {:.3e}", end(f64::min), end(f64::max)));
                    let value = values.get(id.0 as usize).and_then(Option::as_ref);
                    if op.op == "div" && *name == "b" && value.is_some_and(|o| holds_zero(&o.value).unwrap_or(false)) {
                        by_zero = 1.0;
                    }
                }
                let by_zero = of_all(&[by_zero])?.contains(&1.0);
                let cause = if by_zero { Cause::Divisor } else { Cause::Size };
                (format!("`{}` gave the first value that is not finite", op.op), inputs, cause)
            }
            NodeSource::Field { name, .. } => (format!("the data's `{name}` is not finite"), vec![], Cause::Data),
            NodeSource::Weight(w) => {
                let name = self.graph.weights.get(*w).map_or("?", |w| w.name.as_str());
                (format!("the weight `{name}` is not finite"), vec![], Cause::Steps)
            }
            NodeSource::Number(x) => (format!("the number {x} is not finite"), vec![], Cause::Size),
            NodeSource::Timed(timed) => (format!("the number {timed} is not finite"), vec![], Cause::Size),
        };
        Ok(Some(NotFinite { node: Some(first as usize), span: node.span, what, inputs, cause }))
    }
}

/// Which values a forward pass keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Those of outputs.
    Nothing,
    /// Those that backward reads.
    Read,
    /// All.
    All,
}

/// The gradients of a value's parts as one; a part that got none has zeros.
fn stacked(pieces: Vec<Option<Tensor>>) -> candle_core::Result<Tensor> {
    let zeros = pieces.iter().flatten().next().map(Tensor::zeros_like).transpose()?;
    let pieces: Vec<Tensor> = pieces.into_iter().filter_map(|piece| piece.or_else(|| zeros.clone())).collect();
    layout::stacked(&pieces)
}

fn gone() -> candle_core::Error {
    candle_core::Error::msg("a value was dropped before its last use")
}

/// A number of the text as a tensor.
fn number(x: f64, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
    Tensor::new(x, device)?.to_dtype(dtype)
}

fn scalar(t: &Tensor) -> candle_core::Result<f64> {
    t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_scalar()
}

/// True where one of a tensor's numbers is 0.
fn holds_zero(t: &Tensor) -> candle_core::Result<bool> {
    Ok(t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?.contains(&0.0))
}

fn extremes(t: &Tensor) -> candle_core::Result<(f64, f64)> {
    let all: Vec<f64> = t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    // min and max of f64 pass over NaN; one NaN makes both ends NaN here.
    if all.iter().any(|x| x.is_nan()) {
        return Ok((f64::NAN, f64::NAN));
    }
    Ok(all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x))))
}
