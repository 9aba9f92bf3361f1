//! What values are called in a file that is written out: by the exports, else by the layer that made them.
//!
//! A chain of operations, each read by the next alone, is one name, as people write it: `trunk = F.relu(trunk)`.

use std::collections::HashSet;

use rord_graph::node::{Graph, NodeSource};

/// For each node the name of its chain, unique among chains; `clean` makes a name one that may be written.
pub fn chains(graph: &Graph, input: &str, clean: impl Fn(&str) -> String) -> Vec<String> {
    let count = graph.nodes.len();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, node) in graph.nodes.iter().enumerate() {
        let NodeSource::Op(op) = &node.source else { continue };
        for (_, id) in &op.inputs {
            if let Some(list) = readers.get_mut(id.0 as usize) {
                list.push(index);
            }
        }
    }
    let is_op = |at: usize| graph.nodes.get(at).is_some_and(|n| matches!(n.source, NodeSource::Op(_)));
    let exported = |at: usize| graph.outputs.iter().find(|o| o.node.0 as usize == at);
    // The first operand that is computed goes on in a chain.
    let goes_on = |at: usize, to: usize| match graph.nodes.get(to).map(|n| &n.source) {
        Some(NodeSource::Op(op)) => op.inputs.iter().map(|(_, id)| id.0 as usize).find(|i| is_op(*i)) == Some(at),
        _ => false,
    };
    // What is read once and not exported is part of the chain that reads it.
    let alone = |at: usize| readers.get(at).is_some_and(|list| list.len() == 1) && exported(at).is_none();
    let mut used: HashSet<String> = HashSet::from([input.to_string()]);
    let mut names: Vec<Option<String>> = vec![None; count];
    // What is exported has its name for itself.
    for output in &graph.outputs {
        if let Some(slot) = names.get_mut(output.node.0 as usize).filter(|slot| slot.is_none()) {
            *slot = Some(fresh(&clean(&output.name), &mut used));
        }
    }
    for index in (0..count).rev() {
        if !is_op(index) || names.get(index).is_none_or(Option::is_some) {
            continue;
        }
        let next = match readers.get(index).map(Vec::as_slice) {
            Some([next]) if goes_on(index, *next) && exported(index).is_none() => Some(*next),
            _ => None,
        };
        let inherited = next.and_then(|next| names.get(next).cloned().flatten());
        let name = inherited.unwrap_or_else(|| fresh(&clean(&own(graph, index, alone)), &mut used));
        if let Some(slot) = names.get_mut(index) {
            *slot = Some(name);
        }
    }
    names.into_iter().map(Option::unwrap_or_default).collect()
}

/// The name of the last layer of the chain that ends here, `trunk` of `net.trunk.0.weight`; else of the operation. `alone` is
/// true for what may be part of a chain.
fn own(graph: &Graph, end: usize, alone: impl Fn(usize) -> bool) -> String {
    let mut at = end;
    // A chain is as long as the graph at most.
    for _ in 0..graph.nodes.len() {
        let Some(NodeSource::Op(op)) = graph.nodes.get(at).map(|n| &n.source) else { break };
        for (_, id) in &op.inputs {
            if let Some(NodeSource::Weight(w)) = graph.node(*id).map(|n| &n.source) {
                let name = graph.weights.get(*w).map_or("", |w| w.name.as_str());
                let mut parts = name.split('.').skip(1).filter(|p| p.parse::<u32>().is_err());
                return parts.next().filter(|p| !matches!(*p, "weight" | "bias")).unwrap_or("x").to_string();
            }
        }
        let computed = |id: &usize| graph.nodes.get(*id).is_some_and(|n| matches!(n.source, NodeSource::Op(_)));
        match op.inputs.iter().map(|(_, id)| id.0 as usize).find(computed) {
            Some(before) if alone(before) => at = before,
            _ => break,
        }
    }
    match graph.nodes.get(end).map(|n| &n.source) {
        Some(NodeSource::Op(op)) => op.op.to_string(),
        _ => "x".into(),
    }
}

/// The name, or with the first number that makes it new.
pub fn fresh(name: &str, used: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|n: u64| format!("{name}_{n}"));
    let found = std::iter::once(name.to_string()).chain(numbered).find(|n| !used.contains(n));
    let found = found.unwrap_or_default();
    used.insert(found.clone());
    found
}
