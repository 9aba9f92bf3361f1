//! How many floating-point operations a step takes, as papers count them: two for each multiply-add of its convolutions
//! and matrix products, by their definitions.
//!
//! What a faster algorithm saves is not taken off (Winograd's does a quarter of the multiplications and is counted in
//! full), and nothing else is added. A gradient of an input or a weight costs as much as the value; only those that are
//! needed count.

use super::gradients::{Gradients, below_objective};
use super::node::{Graph, NodeSource};
use rord_lang::vocabulary::{Shapes, Vocabulary};

/// The operations of a node in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flops {
    /// For its value.
    pub forward: f64,
    /// For the gradients of its inputs.
    pub backward: f64,
}

impl Flops {
    /// Both.
    pub fn total(&self) -> f64 {
        self.forward + self.backward
    }
}

/// The operations of every node, for a batch of this size; `None` where a size is not known yet.
pub fn flops(graph: &Graph, vocabulary: &Vocabulary, gradients: &Gradients, batch: usize) -> Option<Vec<Flops>> {
    let reached = below_objective(graph);
    let mut all = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let NodeSource::Op(op) = &node.source else {
            all.push(Flops::default());
            continue;
        };
        let Some(products) = vocabulary.operation(op.op).and_then(|o| o.entry.graph.products.as_ref()) else {
            all.push(Flops::default());
            continue;
        };
        let forward = 2.0 * (products.count)(&shapes(graph, index, batch)?)?;
        let wanted = gradients.wants(index).iter().filter(|name| products.of.contains(name)).count();
        let backward = if reached.get(index) == Some(&true) { forward * wanted as f64 } else { 0.0 };
        all.push(Flops { forward, backward });
    }
    Some(all)
}

/// The shapes that a node's operation sees; `None` where a size is not known, or where it is no operation.
pub fn shapes(graph: &Graph, index: usize, batch: usize) -> Option<Shapes<'_>> {
    let node = graph.nodes.get(index)?;
    let NodeSource::Op(op) = &node.source else { return None };
    let of = |(name, id): &(&'static str, _)| Some((*name, graph.shape(&graph.node(*id)?.ty, batch)?));
    let inputs = op.inputs.iter().map(of).collect::<Option<Vec<_>>>()?;
    Some(Shapes { inputs, result: graph.shape(&node.ty, batch)?, settings: &op.settings })
}
