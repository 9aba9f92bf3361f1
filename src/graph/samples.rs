//! Whether a network makes of each sample what it makes of it alone, so that several may be fed at once.

use crate::node::{Graph, Node, NodeSource, OpNode};
use rord_lang::constant::Constant;
use rord_lang::types::Type;
use rord_lang::vocabulary::{POSITIONS, Vocabulary};

/// True where, outside of training, no sample of any value is made of more than one sample of the batch that `symbol` counts.
pub fn each_alone(graph: &Graph, vocabulary: &Vocabulary, symbol: u32) -> bool {
    graph.nodes.iter().all(|node| match &node.source {
        NodeSource::Op(op) => is_alone(graph, vocabulary, symbol, node, op),
        NodeSource::Field { .. } => is_batch(&node.ty, symbol),
        NodeSource::Weight(_) | NodeSource::Number(_) | NodeSource::Timed(_) => true,
    })
}

fn is_alone(graph: &Graph, vocabulary: &Vocabulary, symbol: u32, node: &Node, op: &OpNode) -> bool {
    let Some(operation) = vocabulary.operation(op.op) else { return false };
    let facts = &operation.entry.graph;
    // A normalization by running statistics is a line for each channel.
    let alike = facts.per_sample || facts.apart || facts.lines.is_some();
    // Along the first axis it would mix samples.
    let first = |at: &Constant| at.count() == Some(0);
    let along = op.settings.list(POSITIONS).is_ok_and(|axes| axes.iter().any(first));
    let draws = op.stream != 0 && !facts.hands_on;
    alike
        && !along
        && !draws
        && is_batch(&node.ty, symbol)
        && op.inputs.iter().all(|(_, id)| match graph.node(*id) {
            Some(Node { source: NodeSource::Weight(_), .. }) => true,
            Some(input) => input.ty.dims.is_empty() || is_batch(&input.ty, symbol),
            None => false,
        })
}

/// True of a batch: its first axis counts samples, and no other one does, as that of a table of samples by samples would.
fn is_batch(ty: &Type, symbol: u32) -> bool {
    let counts = |dim: &rord_lang::dim::Dim| dim.symbols().any(|s| s.id == symbol);
    let first = ty.dims.first().and_then(|dim| dim.as_symbol()).is_some_and(|s| s.id == symbol);
    first && !ty.dims.iter().skip(1).any(counts)
}
