//! Computes once what is written twice. What draws random numbers is never merged: two calls are two draws.

use std::collections::HashMap;

use crate::node::{Graph, NodeId, NodeSource};
use rord_lang::vocabulary::Vocabulary;

/// Later nodes that compute what an earlier one does are left behind for `dead`.
pub fn cse(graph: &mut Graph, _: &Vocabulary) {
    let mut first: HashMap<String, NodeId> = HashMap::new();
    let mut same_as: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for index in 0..graph.nodes.len() {
        let id = NodeId(u32::try_from(index).unwrap_or(u32::MAX));
        let Some(node) = graph.nodes.get_mut(index) else { break };
        if let NodeSource::Op(op) = &mut node.source {
            for (_, input) in &mut op.inputs {
                *input = same_as.get(input.0 as usize).copied().unwrap_or(*input);
            }
        }
        let key = match &node.source {
            NodeSource::Op(op) if op.stream != 0 => None,
            // The type is part of what is computed: the shape a warp gives is not among its inputs.
            NodeSource::Op(op) => {
                let mut inputs = op.inputs.clone();
                inputs.sort_unstable();
                Some(format!("{} {inputs:?} {:?} {}", op.op, op.settings, node.ty))
            }
            // Bits, because 0.0 and -0.0 are equal and not the same.
            NodeSource::Number(x) => Some(format!("number {}", x.to_bits())),
            NodeSource::Timed(timed) => Some(format!("timed {timed}")),
            NodeSource::Field { data, name } => Some(format!("field {data:?} {name}")),
            NodeSource::Weight(w) => Some(format!("weight {w}")),
        };
        let stands = key.map_or(id, |key| *first.entry(key).or_insert(id));
        same_as.push(stands);
    }
    graph.redirect(|id| same_as.get(id.0 as usize).copied().unwrap_or(id));
}
