//! Runs a network once for several views: `net(image)` and `net(image_r)` become one run on twice the batch.
//!
//! The inputs are put after each other along the batch axis (`join`), and a node that reads one view's value reads that
//! `part` of it. Only operations that treat every sample alone go into such a run (`GraphFacts::per_sample`); nothing random
//! does.
//!
//! Nodes that are to become one are collected in groups, a node for each view (a lane). Then groups become nodes only
//! if the graph with every group drawn together to a point still has an order in which each node comes after its
//! inputs; joins and parts lie on its edges and change nothing about that. So a network that is applied to its own
//! result stays two runs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::node::{Graph, Node, NodeId, NodeSource, OpNode};
use rord_lang::constant::{Constant, Settings};
use rord_lang::types::Type;
use rord_lang::vocabulary::{POSITIONS, Vocabulary};

/// The names of a join's inputs: no more views than this go into one run.
const LANES: [&str; 4] = ["a", "b", "c", "d"];

/// Nodes that compute the same with the same weights, one a lane.
struct Group {
    lanes: Vec<Option<usize>>,
    /// The groups it reads; none where its inputs must be joined first.
    reads: Vec<usize>,
    /// True where it has weights.
    weighted: bool,
}

/// One run for every network that is run on several inputs of the same shape.
pub fn views(graph: &mut Graph, vocabulary: &Vocabulary) {
    let groups = collect(graph, vocabulary);
    let taken = choose(graph, &groups);
    if taken.iter().any(Option::is_some) {
        *graph = rewrite(graph, &groups, &taken);
    }
}

/// The inputs of a node that run along the batch, if it may go into a common run.
fn batched(graph: &Graph, vocabulary: &Vocabulary, node: &Node, op: &OpNode) -> Option<Vec<(&'static str, usize)>> {
    if op.stream != 0 || !vocabulary.operation(op.op)?.entry.graph.per_sample {
        return None;
    }
    // Along the first axis it would mix samples.
    let first = |at: &Constant| at.count() == Some(0);
    if op.settings.list(POSITIONS).is_ok_and(|axes| axes.iter().any(first)) {
        return None;
    }
    let batch = node.ty.dims.first()?;
    batch.times(LANES.len() as i64)?;
    let mut found = Vec::new();
    for (name, id) in &op.inputs {
        let input = graph.node(*id)?;
        match (&input.source, input.ty.dims.first()) {
            (NodeSource::Weight(_), _) | (_, None) => {}
            (_, Some(first)) if first == batch => found.push((*name, id.0 as usize)),
            _ => return None,
        }
    }
    (!found.is_empty()).then_some(found)
}

/// A type without the frame, which differs between the views.
fn unframed(ty: &Type) -> Type {
    Type { frame: None, to: None, ..ty.clone() }
}

fn collect(graph: &Graph, vocabulary: &Vocabulary) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut member: HashMap<usize, (usize, usize)> = HashMap::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let NodeSource::Op(op) = &node.source else { continue };
        let Some(inputs) = batched(graph, vocabulary, node, op) else { continue };
        let fixed: Vec<_> = op.inputs.iter().filter(|(n, _)| !inputs.iter().any(|(name, _)| name == n)).collect();
        let weight = |id: &NodeId| matches!(graph.node(*id).map(|n| &n.source), Some(NodeSource::Weight(_)));
        let weighted = fixed.iter().any(|(_, id)| weight(id));
        let key = format!("{} {:?} {fixed:?} {:?}", op.op, op.settings, unframed(&node.ty));
        let places: Vec<Option<(usize, usize)>> = inputs.iter().map(|(_, id)| member.get(id).copied()).collect();
        let (key, reads, lane) = match places.first().copied().flatten() {
            Some((_, lane)) if places.iter().all(|p| p.is_some_and(|(_, l)| l == lane)) => {
                let reads: Vec<usize> = places.iter().flatten().map(|(group, _)| *group).collect();
                let names: Vec<_> = inputs.iter().map(|(name, _)| *name).collect();
                (format!("{key} {names:?} {reads:?}"), reads, Some(lane))
            }
            // Only what has weights is worth a join.
            None if weighted && places.iter().all(Option::is_none) => {
                let types: Vec<_> =
                    inputs.iter().map(|(n, id)| (n, graph.nodes.get(*id).map(|node| unframed(&node.ty)))).collect();
                (format!("{key} {types:?}"), Vec::new(), None)
            }
            _ => continue,
        };
        let full = |g: &usize| lane.is_none() && groups.get(*g).is_some_and(|g| g.lanes.len() == LANES.len());
        let at = known.get(&key).copied().filter(|g| !full(g)).unwrap_or(groups.len());
        if at == groups.len() {
            groups.push(Group { lanes: Vec::new(), reads, weighted });
            known.insert(key, at);
        }
        let Some(group) = groups.get_mut(at) else { continue };
        let lane = lane.unwrap_or(group.lanes.len());
        if group.lanes.len() <= lane {
            group.lanes.resize(lane + 1, None);
        }
        if let Some(slot @ None) = group.lanes.get_mut(lane) {
            *slot = Some(index);
            member.insert(index, (at, lane));
        }
    }
    groups
}

/// For every node the group it becomes part of.
fn choose(graph: &Graph, groups: &[Group]) -> Vec<Option<usize>> {
    let mut taken = vec![None; graph.nodes.len()];
    // A group that reads others has as many lanes as they, all of them, or stays apart; with it what reads it.
    let mut network: Vec<Option<usize>> = Vec::with_capacity(groups.len());
    let mut networks: Vec<Vec<usize>> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let lanes = group.lanes.len();
        let whole = lanes >= 2 && group.lanes.iter().all(Option::is_some);
        let above = group.reads.iter().map(|g| {
            let same = groups.get(*g).is_some_and(|g| g.lanes.len() == lanes);
            network.get(*g).copied().flatten().filter(|_| same)
        });
        let above: Option<Vec<usize>> = above.collect();
        let home = above.filter(|_| whole).map(|above| match above.first().copied() {
            None => {
                networks.push(Vec::new());
                networks.len() - 1
            }
            Some(home) => {
                // What reads two networks makes one of them.
                for other in above.into_iter().filter(|other| *other != home) {
                    let moved = networks.get_mut(other).map(std::mem::take).unwrap_or_default();
                    network.iter_mut().filter(|n| **n == Some(other)).for_each(|n| *n = Some(home));
                    if let Some(list) = networks.get_mut(home) {
                        list.extend(moved);
                    }
                }
                home
            }
        });
        network.push(home);
        if let Some(list) = home.and_then(|home| networks.get_mut(home)) {
            list.push(at);
        }
    }
    for network in networks {
        let members: Vec<(usize, usize)> = network
            .iter()
            .filter_map(|g| Some((*g, groups.get(*g)?)))
            .flat_map(|(g, group)| group.lanes.iter().flatten().map(move |index| (*index, g)))
            .collect();
        // One layer alone is not worth the copies that a join of its inputs makes.
        if network.iter().filter(|g| groups.get(**g).is_some_and(|g| g.weighted)).count() < 2 {
            continue;
        }
        let mut trial = taken.clone();
        for (index, group) in members {
            if let Some(slot) = trial.get_mut(index) {
                *slot = Some(group);
            }
        }
        if order(graph, &trial).is_some() {
            taken = trial;
        }
    }
    taken
}

/// The first node of a group represents all.
fn points(taken: &[Option<usize>]) -> Vec<usize> {
    let mut first: HashMap<usize, usize> = HashMap::new();
    let point = |(index, group): (usize, &Option<usize>)| group.map_or(index, |g| *first.entry(g).or_insert(index));
    taken.iter().enumerate().map(point).collect()
}

/// The points of the graph whose groups are drawn together, each after what it reads, as near as can be to the order
/// there was; `None` where there is no such order.
fn order(graph: &Graph, taken: &[Option<usize>]) -> Option<Vec<usize>> {
    let points = points(taken);
    let count = graph.nodes.len();
    let (mut waits, mut readers) = (vec![0usize; count], vec![Vec::new(); count]);
    for (index, node) in graph.nodes.iter().enumerate() {
        let NodeSource::Op(op) = &node.source else { continue };
        for (_, id) in &op.inputs {
            let (from, to) = (*points.get(id.0 as usize)?, *points.get(index)?);
            readers.get_mut(from)?.push(to);
            *waits.get_mut(to)? += 1;
        }
    }
    let own = |index: &usize| points.get(*index) == Some(index);
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..count).filter(own).filter(|i| waits.get(*i) == Some(&0)).map(Reverse).collect();
    let mut out = Vec::new();
    while let Some(Reverse(index)) = ready.pop() {
        out.push(index);
        for reader in readers.get(index)? {
            let wait = waits.get_mut(*reader)?;
            *wait -= 1;
            if *wait == 0 {
                ready.push(Reverse(*reader));
            }
        }
    }
    (out.len() == (0..count).filter(own).count()).then_some(out)
}

fn rewrite(graph: &Graph, groups: &[Group], taken: &[Option<usize>]) -> Graph {
    let Some(order) = order(graph, taken) else { return graph.clone() };
    let mut out = Graph { nodes: Vec::new(), outputs: graph.outputs.clone(), ..graph.clone() };
    let apart = read_apart(graph, taken);
    // A node of the old graph in the new one; for one of a group, its part.
    let mut moved: HashMap<NodeId, NodeId> = HashMap::new();
    let mut merged: HashMap<usize, NodeId> = HashMap::new();
    let mut joins: HashMap<Vec<NodeId>, NodeId> = HashMap::new();
    for index in order {
        let Some(node) = graph.nodes.get(index) else { continue };
        let NodeSource::Op(op) = &node.source else {
            moved.insert(old(index), out.push(node.clone()));
            continue;
        };
        let Some((at, group)) = taken.get(index).copied().flatten().and_then(|g| Some((g, groups.get(g)?))) else {
            let inputs = op.inputs.iter().filter_map(|(name, id)| Some((*name, *moved.get(id)?))).collect();
            let source = NodeSource::Op(OpNode { inputs, ..op.clone() });
            moved.insert(old(index), out.push(Node { source, ..node.clone() }));
            continue;
        };
        let lanes: Vec<usize> = group.lanes.iter().flatten().copied().collect();
        let mut inputs = Vec::with_capacity(op.inputs.len());
        for (name, id) in &op.inputs {
            let own = taken.get(id.0 as usize).copied().flatten().and_then(|g| merged.get(&g));
            let same = |lane: &usize| input(graph, *lane, name) == Some(*id);
            let input = match own {
                Some(one) => Some(*one),
                // The same for all: a weight, a number.
                None if lanes.iter().all(same) => moved.get(id).copied(),
                None => {
                    let each = lanes.iter().filter_map(|lane| moved.get(&input(graph, *lane, name)?).copied());
                    let each: Vec<NodeId> = each.collect();
                    match joins.get(&each) {
                        Some(join) => Some(*join),
                        None => graph.node(*id).map(|first| {
                            let join = out.push(joined(first, &each));
                            joins.insert(each, join);
                            join
                        }),
                    }
                }
            };
            inputs.extend(input.map(|id| (*name, id)));
        }
        let ty = widened(&node.ty, lanes.len());
        let source = NodeSource::Op(OpNode { inputs, ..op.clone() });
        let one = out.push(Node { source, ty, span: node.span });
        merged.insert(at, one);
        for (lane, index) in lanes.iter().enumerate() {
            if let (Some(true), Some(node)) = (apart.get(*index), graph.nodes.get(*index)) {
                let number = |n: usize| Constant::Number(n as f64);
                let settings = Settings(vec![("at".into(), number(lane)), ("of".into(), number(lanes.len()))]);
                let op = OpNode { op: "part", inputs: vec![("x", one)], settings, stream: 0 };
                moved.insert(old(*index), out.push(Node { source: NodeSource::Op(op), ..node.clone() }));
            }
        }
    }
    for output in &mut out.outputs {
        output.node = moved.get(&output.node).copied().unwrap_or(output.node);
    }
    out
}

fn old(index: usize) -> NodeId {
    NodeId(u32::try_from(index).unwrap_or(u32::MAX))
}

fn input(graph: &Graph, index: usize, name: &str) -> Option<NodeId> {
    graph.op(old(index))?.inputs.iter().find(|(n, _)| *n == name).map(|(_, id)| *id)
}

/// Whether a node of a group is an output or read by a node of none.
fn read_apart(graph: &Graph, taken: &[Option<usize>]) -> Vec<bool> {
    let mut apart = vec![false; graph.nodes.len()];
    let alone = (0..graph.nodes.len()).filter(|i| taken.get(*i).copied().flatten().is_none());
    for id in alone.flat_map(|i| graph.inputs(old(i))).chain(graph.outputs.iter().map(|o| o.node)) {
        if let Some(flag) = apart.get_mut(id.0 as usize) {
            *flag = true;
        }
    }
    apart
}

/// A type with `lanes` times the batch, in no frame.
fn widened(ty: &Type, lanes: usize) -> Type {
    let mut ty = unframed(ty);
    if let Some(first) = ty.dims.first_mut()
        && let Some(wide) = i64::try_from(lanes).ok().and_then(|n| first.times(n))
    {
        *first = wide;
    }
    ty
}

fn joined(first: &Node, each: &[NodeId]) -> Node {
    let inputs = LANES.into_iter().zip(each.iter().copied()).collect();
    let op = OpNode { op: "join", inputs, settings: Settings::default(), stream: 0 };
    Node { source: NodeSource::Op(op), ty: widened(&first.ty, each.len()), span: first.span }
}
