//! What a graph is when it runs: who computes each node, where gradients flow, and how long each value is kept.
//!
//! The program runs by it, and the prediction of the program's memory reads it.

use rord_graph::gradients::Gradients;
use rord_graph::node::{Graph, NodeSource};
use rord_lang::source::Span;
use rord_ops as ops;
use rord_ops::compute::Compute;

/// Why a step failed: a mistake of the tool, or no memory left.
#[derive(Debug, thiserror::Error)]
#[error("{op}: {source}")]
pub struct Fault {
    /// The operation.
    pub op: String,
    /// The text that made it.
    pub span: Span,
    /// Candle's error.
    #[source]
    pub source: candle_core::Error,
}

/// The flow of values and gradients through a graph.
pub struct Flow {
    /// What computes a node; `None` for what is given.
    pub computes: Vec<Option<&'static dyn Compute>>,
    /// Where gradients flow.
    pub gradients: Gradients,
    /// Operations of frozen models, which run as in validation.
    pub frozen: Vec<bool>,
    /// The last node that reads each node's value.
    pub last_use: Vec<usize>,
    /// The weights that each node is the first to read: backward is done with their gradients once it has passed that node.
    pub first_reads: Vec<Vec<usize>>,
    /// Whether some operation's backward reads a node's value.
    pub read_back: Vec<bool>,
}

impl Flow {
    /// The flow in a graph. `wanted` is true for the weights and fields whose gradients are wanted.
    pub fn of(graph: &Graph, wanted: impl Fn(&NodeSource) -> bool) -> Result<Self, Fault> {
        let count = graph.nodes.len();
        let stops = |op: &str| ops::find(op).is_some_and(|o| o.entry.graph.stops_gradient);
        let gradients = Gradients::of(graph, &wanted, stops);
        let mut computes = Vec::with_capacity(count);
        let mut last_use: Vec<usize> = (0..count).collect();
        let mut frozen = vec![false; count];
        let (mut first_reads, mut seen) = (vec![Vec::new(); count], vec![false; count]);
        let mut read_back: Vec<bool> =
            graph.nodes.iter().map(|node| !matches!(node.source, NodeSource::Op(_))).collect();
        for (index, node) in graph.nodes.iter().enumerate() {
            let NodeSource::Op(op) = &node.source else {
                computes.push(None);
                continue;
            };
            let known = ops::find(op.op);
            let through = known.and_then(|o| o.entry.graph.reads_through).filter(|t| t.is_in(&op.settings));
            let Some(compute) = known.and_then(|o| o.compute) else {
                let source = candle_core::Error::msg("this operation does not compute");
                return Err(Fault { op: op.op.into(), span: node.span, source });
            };
            computes.push(Some(compute));
            let back = gradients.needs.get(index) == Some(&true);
            if back
                && compute.backward_reads_value(&op.settings)
                && let Some(read) = read_back.get_mut(index)
            {
                *read = true;
            }
            for (name, id) in &op.inputs {
                let input = id.0 as usize;
                if let Some(last) = last_use.get_mut(input) {
                    *last = index;
                }
                if let (Some(NodeSource::Weight(_)), Some(seen), Some(first)) =
                    (graph.node(*id).map(|n| &n.source), seen.get_mut(input), first_reads.get_mut(index))
                    && !std::mem::replace(seen, true)
                {
                    first.push(input);
                }
                if back
                    && compute.backward_reads(name)
                    && let Some(read) = read_back.get_mut(input)
                {
                    *read = true;
                }
                // Of a normalization that is read through, its own weights say whether it is frozen.
                let tells = through.is_none_or(|through| through.has(name));
                if let (true, Some(NodeSource::Weight(w)), Some(slot)) =
                    (tells, graph.node(*id).map(|n| &n.source), frozen.get_mut(index))
                {
                    *slot |= !wanted(&NodeSource::Weight(*w)) && !graph.live.contains(w);
                }
            }
        }
        for output in &graph.outputs {
            if let Some(last) = last_use.get_mut(output.node.0 as usize) {
                *last = count;
            }
        }
        Ok(Self { computes, gradients, frozen, last_use, first_reads, read_back })
    }
}
