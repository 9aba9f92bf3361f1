//! Shares the batch of a graph among processes, and keeps what it computes: every process computes its own samples as far as each is
//! computed alone, and from there on all compute the same.
//!
//! A value is *apart* where each process has its own samples of it: a field, and what operations make of it that treat a sample like no
//! other (`GraphFacts::apart`). Where an operation mixes samples it reads them all: a `all_gather` brings them together, in the order of the
//! processes, and what is made of them is *common*, the same numbers in every process. What is made of weights and numbers alone is
//! *given*. So no loss needs to be known here, whatever it compares.
//!
//! Gradients: that of a gathered value is known to every process, which takes that of its own samples (`all_gather`, backward). A common
//! value that is read apart gets a part of its gradient in each process; these are added up (`hand_out`, backward). Weights are read both
//! ways; their gradients are added up in the end, and what comes by a common value counts in one process alone (`count_once`, backward).

use std::collections::HashMap;

use super::node::{Graph, Node, NodeId, NodeSource, OpNode};
use rord_lang::constant::{Constant, Settings};
use rord_lang::types::Type;
use rord_lang::vocabulary::{POSITIONS, Vocabulary};

/// How many views a run of a network may have; see the pass `views`.
const VIEWS: i64 = 4;

/// Who has what of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// All the same, made of weights and numbers; `true` where weights are among them.
    Given(bool),
    /// Each process its own samples.
    Apart,
    /// All the same, made of samples.
    Common,
}

/// True for a node that sharing has put between others: what it takes is a wait for other processes.
pub fn exchanges(node: &Node) -> bool {
    matches!(&node.source, NodeSource::Op(op) if ["all_gather", "hand_out", "count_once"].contains(&op.op))
}

/// The same graph for processes that share the batch.
pub fn share(graph: &Graph, vocabulary: &Vocabulary) -> Graph {
    let mut out = Sharing {
        graph: Graph { nodes: Vec::new(), apart: Vec::new(), ..graph.clone() },
        moved: Vec::new(),
        whose: Vec::new(),
        made: HashMap::new(),
    };
    for node in &graph.nodes {
        out.add(graph, vocabulary, node);
    }
    for (at, output) in graph.outputs.iter().enumerate() {
        let node = out.common(output.node);
        if let Some(output) = out.graph.outputs.get_mut(at) {
            output.node = node;
        }
    }
    out.graph.apart.resize(out.graph.nodes.len(), false);
    out.graph
}

struct Sharing {
    graph: Graph,
    /// Each node of the old graph in the new one.
    moved: Vec<NodeId>,
    whose: Vec<Whose>,
    /// What was put between, by operation and node of the old graph.
    made: HashMap<(&'static str, NodeId), NodeId>,
}

impl Sharing {
    fn add(&mut self, old: &Graph, vocabulary: &Vocabulary, node: &Node) {
        let (whose, source) = match &node.source {
            NodeSource::Field { .. } => (Whose::Apart, node.source.clone()),
            NodeSource::Weight(_) => (Whose::Given(true), node.source.clone()),
            NodeSource::Number(_) | NodeSource::Timed(_) => (Whose::Given(false), node.source.clone()),
            NodeSource::Op(op) => {
                let whose = self.whose(old, vocabulary, node, op);
                let input = |(name, id): &(&'static str, NodeId)| {
                    let id = match whose {
                        Whose::Apart if self.of(*id) == Whose::Common => self.between("hand_out", *id),
                        Whose::Common => self.common(*id),
                        _ => self.at(*id),
                    };
                    (*name, id)
                };
                let inputs = op.inputs.iter().map(input).collect();
                (whose, NodeSource::Op(OpNode { inputs, ..op.clone() }))
            }
        };
        let id = self.push(Node { source, ..node.clone() }, whose == Whose::Apart);
        self.moved.push(id);
        self.whose.push(whose);
    }

    fn push(&mut self, node: Node, apart: bool) -> NodeId {
        self.graph.apart.push(apart);
        self.graph.push(node)
    }

    fn of(&self, id: NodeId) -> Whose {
        self.whose.get(id.0 as usize).copied().unwrap_or(Whose::Common)
    }

    fn at(&self, id: NodeId) -> NodeId {
        self.moved.get(id.0 as usize).copied().unwrap_or(id)
    }

    /// Whose the value of an operation is.
    fn whose(&self, old: &Graph, vocabulary: &Vocabulary, node: &Node, op: &OpNode) -> Whose {
        let of = || op.inputs.iter().map(|(_, id)| self.of(*id));
        if !of().any(|whose| whose == Whose::Apart) {
            return match of().any(|whose| whose == Whose::Common) {
                true => Whose::Common,
                false => Whose::Given(of().any(|whose| whose == Whose::Given(true))),
            };
        }
        if self.alone(old, vocabulary, node, op) { Whose::Apart } else { Whose::Common }
    }

    /// True where a process can compute its own samples of a value from its own samples of the arguments.
    fn alone(&self, old: &Graph, vocabulary: &Vocabulary, node: &Node, op: &OpNode) -> bool {
        let Some(operation) = vocabulary.operation(op.op) else { return false };
        let facts = &operation.entry.graph;
        if !(facts.apart || facts.per_sample || facts.sums_up) {
            return false;
        }
        // Along the first axis it would mix samples.
        let first = |at: &Constant| at.count() == Some(0);
        if op.settings.list(POSITIONS).is_ok_and(|axes| axes.iter().any(first)) {
            return false;
        }
        let Some(batches) = batches(old, &node.ty) else { return false };
        op.inputs.iter().all(|(name, id)| {
            let Some(input) = old.node(*id) else { return false };
            if self.of(*id) != Whose::Apart {
                // The same for all samples.
                let weight = matches!(input.source, NodeSource::Weight(_));
                return weight || input.ty.dims.first().is_none_or(|dim| dim.as_number() == Some(1));
            }
            // Of tables there must be one for each sample: the rows of one table are no samples.
            let param = operation.params.iter().find(|p| p.name.text == *name);
            let axes = param.and_then(|p| p.ty.dims.as_ref()).map_or(0, Vec::len);
            let one_each = !operation.entry.batched || input.ty.dims.len() > axes;
            let lanes = op.op == "join" || op.op == "part";
            one_each && self::batches(old, &input.ty).is_some_and(|n| n == batches || lanes)
        })
    }

    /// A value as all processes have it, whole.
    fn common(&mut self, id: NodeId) -> NodeId {
        match self.of(id) {
            Whose::Apart => self.between("all_gather", id),
            Whose::Given(true) => self.between("count_once", id),
            Whose::Given(false) | Whose::Common => self.at(id),
        }
    }

    /// Puts an operation after a node of the old graph, once.
    fn between(&mut self, op: &'static str, id: NodeId) -> NodeId {
        if let Some(made) = self.made.get(&(op, id)) {
            return *made;
        }
        let at = self.at(id);
        let Some(node) = self.graph.node(at).cloned() else { return at };
        let views = batches(&self.graph, &node.ty).unwrap_or(1);
        let settings = match op {
            "all_gather" => Settings(vec![("views".into(), Constant::Number(views as f64))]),
            _ => Settings::default(),
        };
        let source = NodeSource::Op(OpNode { op, inputs: vec![("x", at)], settings, stream: 0 });
        let made = self.push(Node { source, ..node }, false);
        self.made.insert((op, id), made);
        made
    }
}

/// How many batches lie one after the other along the first axis of a type; `None` where that is no multiple of the batch, or another axis
/// has something to do with it.
fn batches(graph: &Graph, ty: &Type) -> Option<i64> {
    let batch = graph.batch?;
    let (first, rest) = ty.dims.split_first()?;
    if rest.iter().any(|dim| dim.symbols().any(|s| s.id == batch)) {
        return None;
    }
    let at = |n: i64| first.value(&HashMap::from([(batch, n)]))?.ok();
    let one = at(1)?;
    (first.symbols().next().is_some() && at(3)? == 3 * one && (1..=VIEWS).contains(&one)).then_some(one)
}
