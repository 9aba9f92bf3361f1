//! Drops what no output needs, and closes the ranks.

use crate::node::{Graph, NodeId};
use rord_lang::vocabulary::Vocabulary;

/// Keeps exactly the nodes below the outputs, in their order.
pub fn dead(graph: &mut Graph, _: &Vocabulary) {
    let mut alive = vec![false; graph.nodes.len()];
    let mut open: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    while let Some(id) = open.pop() {
        if let Some(flag) = alive.get_mut(id.0 as usize)
            && !std::mem::replace(flag, true)
        {
            open.extend(graph.inputs(id));
        }
    }
    let mut next = 0;
    let moved: Vec<NodeId> = alive
        .iter()
        .map(|a| {
            let id = NodeId(next);
            next += u32::from(*a);
            id
        })
        .collect();
    let mut keep = alive.iter();
    graph.nodes.retain(|_| keep.next().copied().unwrap_or(false));
    graph.redirect(|id| moved.get(id.0 as usize).copied().unwrap_or(id));
}
