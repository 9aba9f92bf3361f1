//! What a network is that learns no more: `conv |> batch_norm` becomes a convolution with other weights, and `dropout` is gone.
//!
//! An operation says that it hands its value on (`GraphFacts::hands_on`), that it is a line for each channel (`lines`), or that a line of
//! each output can be in its weights (`filters`). No other node may read the value in between, and it must not be an output. The new
//! weights are listed in [`Graph::made`]; who holds numbers makes them, once.

use super::dead::dead;
use super::fuse::reads;
use crate::node::{Graph, Lines, Made, Node, NodeId, NodeSource, OpNode};
use rord_lang::constant::Constant;
use rord_lang::typed::WeightInfo;
use rord_lang::vocabulary::Vocabulary;

/// The normalization becomes both; the layer before it is dropped.
pub fn freeze(graph: &mut Graph, vocabulary: &Vocabulary) {
    hand_on(graph, vocabulary);
    let reads = reads(graph);
    let mut out = Graph { nodes: Vec::with_capacity(graph.nodes.len()), ..graph.clone() };
    let mut moved: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    let new = |id: NodeId, moved: &[NodeId]| moved.get(id.0 as usize).copied().unwrap_or(id);
    for node in &graph.nodes {
        let mut node = node.clone();
        if let Some(Both { mut layer, made, names }) = both(graph, vocabulary, &reads, &node) {
            layer.inputs.iter_mut().for_each(|(_, id)| *id = new(*id, &moved));
            for (name, (made, like, info)) in names.into_iter().zip(made) {
                let Some(like) = graph.node(like) else { continue };
                out.made.push(made);
                out.weights.push(info);
                let source = NodeSource::Weight(out.weights.len() - 1);
                let id = out.push(Node { source, ..like.clone() });
                layer.inputs.retain(|(there, _)| *there != name);
                layer.inputs.push((name, id));
            }
            node.source = NodeSource::Op(layer);
        } else if let NodeSource::Op(op) = &mut node.source {
            op.inputs.iter_mut().for_each(|(_, id)| *id = new(*id, &moved));
        }
        moved.push(out.push(node));
    }
    out.outputs.iter_mut().for_each(|output| output.node = new(output.node, &moved));
    *graph = out;
    dead(graph, vocabulary);
}

/// What reads a value that is handed on reads what that is made of.
fn hand_on(graph: &mut Graph, vocabulary: &Vocabulary) {
    let mut same_as: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for index in 0..graph.nodes.len() {
        let id = NodeId(u32::try_from(index).unwrap_or(u32::MAX));
        let op = graph.op(id).filter(|op| vocabulary.operation(op.op).is_some_and(|o| o.entry.graph.hands_on));
        let input = op.and_then(|op| op.inputs.iter().find(|(name, _)| *name == "x"));
        same_as.push(input.and_then(|(_, x)| same_as.get(x.0 as usize).copied()).unwrap_or(id));
    }
    graph.redirect(|id| same_as.get(id.0 as usize).copied().unwrap_or(id));
    dead(graph, vocabulary);
}

/// A layer and the normalization after it.
struct Both {
    /// The layer, whose inputs are still those of the graph before.
    layer: OpNode,
    /// Its new weights: of what they are made, the node whose type each has, and what else is known of it.
    made: [(Made, NodeId, WeightInfo); 2],
    /// How the layer calls them.
    names: [&'static str; 2],
}

/// The normalization at `node`, if it is one, with the layer that it reads.
fn both(graph: &Graph, vocabulary: &Vocabulary, reads: &[usize], node: &Node) -> Option<Both> {
    let NodeSource::Op(norm) = &node.source else { return None };
    let lines = vocabulary.operation(norm.op)?.entry.graph.lines?;
    let of = |op: &OpNode, name: &str| op.inputs.iter().find(|(there, _)| *there == name).map(|(_, id)| *id);
    let weight = |op: &OpNode, name: &str| match graph.node(of(op, name)?)?.source {
        NodeSource::Weight(w) => Some(w),
        _ => None,
    };
    let x = of(norm, "x")?;
    let layer = graph.op(x).filter(|_| reads.get(x.0 as usize) == Some(&1))?;
    let facts = vocabulary.operation(layer.op)?.entry.graph;
    let filters = facts.filters?;
    // What it does after itself comes before the normalization; what it reads through is still to come.
    let plain = layer.settings.get("then").is_none() && norm.settings.get("then").is_none();
    (plain && facts.reads_through.is_none_or(|facts| !facts.is_in(&layer.settings))).then_some(())?;
    let known = Lines {
        mean: weight(norm, lines.mean)?,
        variance: weight(norm, lines.variance)?,
        scale: weight(norm, lines.scale),
        shift: weight(norm, lines.shift),
        eps: norm.settings.number(lines.eps).ok()?,
    };
    // A scale or a shift that is no weight, or filters that are none, are left as they are.
    let sound = |op: &OpNode, name: &str| of(op, name).is_none() || weight(op, name).is_some();
    let all = sound(norm, lines.scale) && sound(norm, lines.shift) && sound(layer, filters.bias);
    let (own, bias) = (weight(layer, filters.weight).filter(|_| all)?, weight(layer, filters.bias));
    let (first, second) = (graph.weights.get(own)?, graph.weights.get(known.mean)?);
    let named = |info: &WeightInfo, what: &str| WeightInfo { name: format!("{}.{what}", first.name), ..info.clone() };
    let made = [
        (Made::Filters { weight: own, lines: known.clone() }, of(layer, filters.weight)?, named(first, "scaled")),
        (Made::Bias { bias, lines: known }, of(norm, lines.mean)?, named(second, "shift")),
    ];
    let mut layer = layer.clone();
    layer.settings.0.retain(|(name, _)| name != filters.bias);
    layer.settings.0.push((filters.bias.into(), Constant::Flag(true)));
    Some(Both { layer, made, names: [filters.weight, filters.bias] })
}
