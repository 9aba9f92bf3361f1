//! Takes what follows an operation into it: `conv |> relu |> max_pool(2)` becomes one node, `conv(…, then =
//! relu_pool)`.
//!
//! An operation lists what it takes in (`GraphFacts::takes_in`). No other node may read the value in between, and it must
//! not be an output.

use super::dead::dead;
use crate::node::{Graph, NodeSource, OpNode};
use rord_lang::constant::Constant;
use rord_lang::vocabulary::Vocabulary;

/// The later node becomes both; the earlier one is dropped.
pub fn fuse(graph: &mut Graph, vocabulary: &Vocabulary) {
    let reads = reads(graph);
    for index in 0..graph.nodes.len() {
        let Some((both, span)) = graph.nodes.get(index).and_then(|node| {
            let NodeSource::Op(later) = &node.source else { return None };
            let [(_, id)] = later.inputs.as_slice() else { return None };
            let earlier = graph.op(*id).filter(|_| reads.get(id.0 as usize) == Some(&1))?;
            Some((taken_in(vocabulary, earlier, later)?, graph.node(*id)?.span))
        }) else {
            continue;
        };
        if let Some(node) = graph.nodes.get_mut(index) {
            (node.source, node.span) = (NodeSource::Op(both), span);
        }
    }
    dead(graph, vocabulary);
}

/// How often the value of each node is read, or given to the caller.
pub(super) fn reads(graph: &Graph) -> Vec<usize> {
    let mut reads = vec![0usize; graph.nodes.len()];
    let inputs = graph.nodes.iter().filter_map(|n| match &n.source {
        NodeSource::Op(op) => Some(op.inputs.iter().map(|(_, id)| *id)),
        _ => None,
    });
    for id in inputs.flatten().chain(graph.outputs.iter().map(|o| o.node)) {
        if let Some(count) = reads.get_mut(id.0 as usize) {
            *count += 1;
        }
    }
    reads
}

/// `earlier` with `later` in it, if it takes that in.
fn taken_in(vocabulary: &Vocabulary, earlier: &OpNode, later: &OpNode) -> Option<OpNode> {
    let so_far = earlier.settings.text("then").ok();
    let fits = |name: &str, wanted: f64| later.settings.number(name).is_ok_and(|x| x == wanted);
    let entry = &vocabulary.operation(earlier.op)?.entry;
    let row = entry.graph.takes_in.iter().find(|row| {
        row.op == later.op && row.so_far == so_far && row.settings.iter().all(|(name, x)| fits(name, *x))
    })?;
    let mut both = earlier.clone();
    both.settings.0.retain(|(name, _)| name != "then");
    both.settings.0.push(("then".into(), Constant::Word(row.then.into())));
    Some(both)
}
