//! Folds what is known: arithmetic of numbers, the inverse of an inverse, factors of 1 and summands of 0.

use crate::node::{Graph, NodeId, NodeSource, OpNode};
use rord_lang::vocabulary::Vocabulary;

/// Nodes that became another's copies are left behind for `dead`.
pub fn fold(graph: &mut Graph, _: &Vocabulary) {
    let mut same_as: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for index in 0..graph.nodes.len() {
        let id = NodeId(u32::try_from(index).unwrap_or(u32::MAX));
        if let Some(node) = graph.nodes.get_mut(index)
            && let NodeSource::Op(op) = &mut node.source
        {
            for (_, input) in &mut op.inputs {
                *input = same_as.get(input.0 as usize).copied().unwrap_or(*input);
            }
        }
        let folded = graph.op(id).and_then(|op| step(graph, id, op));
        match folded {
            Some(Folded::Number(x)) => {
                if let Some(node) = graph.nodes.get_mut(index) {
                    node.source = NodeSource::Number(x);
                }
                same_as.push(id);
            }
            Some(Folded::Same(other)) => same_as.push(other),
            None => same_as.push(id),
        }
    }
    graph.redirect(|id| same_as.get(id.0 as usize).copied().unwrap_or(id));
}

enum Folded {
    Number(f64),
    Same(NodeId),
}

fn step(graph: &Graph, id: NodeId, op: &OpNode) -> Option<Folded> {
    let input = |name: &str| op.inputs.iter().find(|(n, _)| *n == name).map(|(_, id)| *id);
    let number = |id: NodeId| match graph.node(id).map(|n| &n.source) {
        Some(NodeSource::Number(x)) => Some(*x),
        _ => None,
    };
    if op.op == "inv" {
        let inner = graph.op(input("x")?).filter(|o| o.op == "inv")?;
        return inner.inputs.first().map(|(_, id)| Folded::Same(*id));
    }
    let (a, b) = (input("a")?, input("b")?);
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        return Some(Folded::Number(match op.op {
            "add" => x + y,
            "sub" => x - y,
            "mul" => x * y,
            "div" => x / y,
            _ => return None,
        }));
    }
    // Only where nothing is lost: the operand has the result's type.
    let same = |kept: NodeId| (graph.node(kept)?.ty == graph.node(id)?.ty).then_some(Folded::Same(kept));
    match (op.op, number(a), number(b)) {
        ("mul" | "div", _, Some(1.0)) | ("add" | "sub", _, Some(0.0)) => same(a),
        ("mul", Some(1.0), _) | ("add", Some(0.0), _) => same(b),
        _ => None,
    }
}
