//! What each margin of a loss holds against what, so that a run has curves of it.
//!
//! `hinge(distance(a, p) - distance(a, n) + 1.0)` is lowered by smaller distances to positives, and by greater ones to negatives.

use std::collections::BTreeMap;

use rord_graph::node::{Graph, Node, NodeId, NodeSource, OpNode};
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Combines, LintFacts};
use rord_ops as ops;

/// The most operations in each other that are looked through.
const DEEPEST: usize = 32;

/// The nodes below the margins whose means are figures, each with the figure's name: that of its loss with `positives` and `negatives` for
/// distances, with `lowered` and `raised` for anything else. `margins` has the node of each with the name of its loss.
pub(super) fn against<'a>(graph: &Graph, margins: impl Iterator<Item = (usize, &'a str)>) -> BTreeMap<usize, String> {
    let mut named = BTreeMap::new();
    for (margin, loss) in margins {
        let inputs = |node: usize| match graph.nodes.get(node).map(|n| &n.source) {
            Some(NodeSource::Op(op)) => op.inputs.iter().map(|(_, id)| id.0 as usize).collect(),
            _ => Vec::new(),
        };
        let mut open: Vec<(usize, bool, usize)> = inputs(margin).into_iter().map(|node| (node, true, 0)).collect();
        while let Some((index, lowered, depth)) = open.pop() {
            // What has no axes is the margin itself.
            let Some(node) = graph.nodes.get(index).filter(|node| !node.ty.dims.is_empty()) else { continue };
            let NodeSource::Op(op) = &node.source else { continue };
            match (summed(op), inputs(index).as_slice()) {
                (Some(sign), [a, b]) if depth < DEEPEST => {
                    open.extend([(*a, lowered, depth + 1), (*b, lowered == sign, depth + 1)]);
                }
                _ => {
                    let figure = match (distance(graph, index, DEEPEST), lowered) {
                        (true, true) => "positives",
                        (true, false) => "negatives",
                        (false, true) => "lowered",
                        (false, false) => "raised",
                    };
                    named.entry(index).or_insert_with(|| format!("{loss}.{figure}"));
                }
            }
        }
    }
    named
}

/// The facts of a node's operation.
fn facts(op: &OpNode) -> Option<LintFacts> {
    ops::find(op.op).map(|op| op.entry.lints)
}

/// Whether an operation adds its second argument to its first, or takes it away; `None` for any other.
fn summed(op: &OpNode) -> Option<bool> {
    match facts(op)?.combines {
        Combines::Sum => Some(true),
        Combines::Difference => Some(false),
        _ => None,
    }
}

/// Whether a value is what is positive of a sum or a difference, number by number, and no map of a network: `relu(margin + near - far)`.
pub(super) fn is_margin(graph: &Graph, node: &Node, op: &OpNode) -> bool {
    let sum = |id: &NodeId| graph.op(*id).and_then(summed).is_some();
    node.ty.kind == Kind::Values
        // A leaky one has a slope, and the size of a number rises on both sides.
        && op.settings.0.is_empty()
        && facts(op).is_some_and(|facts| facts.keeps_positive && !facts.rises.is_empty())
        && matches!(op.inputs.as_slice(), [(_, input)] if sum(input))
}

/// Whether a value is a distance, or some of several: `diagonal(distances(a, p))` is no kind of its own.
fn distance(graph: &Graph, index: usize, deep: usize) -> bool {
    let Some(node) = graph.nodes.get(index) else { return false };
    if node.ty.kind == Kind::Dist {
        return true;
    }
    let NodeSource::Op(op) = &node.source else { return false };
    let Some(facts) = facts(op).filter(|_| deep > 0) else { return false };
    let mut rising = op.inputs.iter().filter(|(name, _)| facts.rises.contains(name)).peekable();
    rising.peek().is_some() && rising.all(|(_, id)| distance(graph, id.0 as usize, deep - 1))
}
