//! A typed pipeline to a graph of the values that are wanted of it.
//!
//! Names are gone already; what is left is to write out what an operation needs and a formula does not have: `warp`
//! moves a map by T, and what computes it reads the source at T⁻¹, so its matrix is inverted here. Folding then removes
//! the inverse of an inverse.

use std::collections::HashMap;

use super::node::{Graph, GraphOutput, Node, NodeId, NodeSource, OpNode, Role};
use rord_lang::constant::{Constant, Settings};
use rord_lang::source::Span;
use rord_lang::typed::{Apply, Output, Pipeline, Value, ValueId, ValueSource};
use rord_lang::types::Type;
use rord_lang::vocabulary::Vocabulary;

/// A value of a pipeline that a graph is to compute.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The value.
    pub value: ValueId,
    /// The name of the output.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The place in the text that reports about it show.
    pub span: Span,
}

/// The objective, the losses and the metrics of a pipeline, as far as their roles are asked for.
pub fn outputs(pipeline: &Pipeline, roles: &[Role]) -> Vec<Wanted> {
    let objective = pipeline.objective.iter().map(|o| (o, Role::Objective));
    let losses = pipeline.losses.iter().map(|o| (o, Role::Loss));
    let metrics = pipeline.metrics.iter().map(|o| (o, Role::Metric));
    let wanted = |(output, role): (&Output, Role)| Wanted {
        value: output.value,
        name: output.name.clone(),
        role,
        span: output.span,
    };
    objective.chain(losses).chain(metrics).filter(|(_, role)| roles.contains(role)).map(wanted).collect()
}

/// The graph of everything in `wanted`, its outputs in that order. A value that depends on a parameter without a value
/// is left out.
pub fn build(pipeline: &Pipeline, vocabulary: &Vocabulary, wanted: &[Wanted]) -> Graph {
    let mut builder = Builder {
        pipeline,
        vocabulary,
        graph: Graph {
            weights: pipeline.weights.clone(),
            sizes: pipeline.sizes.clone(),
            batch: pipeline.batch,
            ..Graph::default()
        },
        nodes: HashMap::new(),
        weights: HashMap::new(),
    };
    for output in wanted {
        builder.reach(output.value);
    }
    for Wanted { value, name, role, span } in wanted {
        if let Some(node) = builder.nodes.get(value) {
            builder.graph.outputs.push(GraphOutput { name: name.clone(), node: *node, role: *role, span: *span });
        }
    }
    builder.graph
}

struct Builder<'a> {
    pipeline: &'a Pipeline,
    vocabulary: &'a Vocabulary,
    graph: Graph,
    nodes: HashMap<ValueId, NodeId>,
    weights: HashMap<usize, NodeId>,
}

impl Builder<'_> {
    /// Adds a value and all below it, lowest first. No recursion: a deep network is a long chain.
    fn reach(&mut self, root: ValueId) {
        let mut open = vec![root];
        // What cannot be added, for a parameter that has no value yet, is not waited for.
        let mut tried = std::collections::HashSet::new();
        while let Some(id) = open.last().copied() {
            let known = self.nodes.contains_key(&id) || tried.contains(&id);
            let Some(value) = self.pipeline.value(id).filter(|_| !known) else {
                open.pop();
                continue;
            };
            let missing: Vec<ValueId> = match &value.source {
                ValueSource::Apply(apply) => self.read_by(apply).map(|(_, id)| id).collect(),
                ValueSource::Alias(of) => vec![*of],
                _ => vec![],
            };
            let before = open.len();
            open.extend(missing.into_iter().rev().filter(|i| !self.nodes.contains_key(i) && !tried.contains(i)));
            if open.len() == before {
                open.pop();
                tried.insert(id);
                if let Some(node) = self.add(value) {
                    self.nodes.insert(id, node);
                }
            }
        }
    }

    /// The tensors that an operation reads; one whose shape alone it needs is not read.
    fn read_by<'b>(&self, apply: &'b Apply) -> impl Iterator<Item = (&'static str, ValueId)> + use<'b> {
        let shape_only = self.vocabulary.operation(apply.op).map_or(&[] as &[_], |o| o.entry.graph.shape_only);
        apply.inputs.iter().copied().filter(move |(name, _)| !shape_only.contains(name))
    }

    fn add(&mut self, value: &Value) -> Option<NodeId> {
        let source = match &value.source {
            ValueSource::Field { data, name } => NodeSource::Field { data: *data, name: name.clone() },
            ValueSource::Number(x) => NodeSource::Number(*x),
            ValueSource::Alias(of) => return self.nodes.get(of).copied(),
            ValueSource::Parameter => return None,
            ValueSource::Apply(apply) => NodeSource::Op(self.apply(apply)?),
        };
        Some(self.graph.push(Node { source, ty: value.ty.clone(), span: value.span }))
    }

    fn apply(&mut self, apply: &Apply) -> Option<OpNode> {
        let inverted = self.vocabulary.operation(apply.op).and_then(|o| o.entry.graph.inverted);
        let mut inputs = Vec::new();
        for (name, id) in self.read_by(apply).collect::<Vec<_>>() {
            let node = *self.nodes.get(&id)?;
            match inverted {
                Some((from, to)) if from == name => inputs.push((to, self.inverse(node)?)),
                _ => inputs.push((name, node)),
            }
        }
        for (role, weight) in &apply.weights {
            let node = self.weight(*weight)?;
            inputs.push((*role, node));
        }
        let mut settings = apply.settings.clone();
        let rounds = self.vocabulary.operation(apply.op).is_some_and(|o| o.entry.graph.rounds);
        if let (true, Some(Constant::Word(word))) = (rounds, self.pipeline.train("precision"))
            && word == "bf16"
        {
            settings.0.push(("products".into(), Constant::Word(word.clone())));
        }
        Some(OpNode { op: apply.op, inputs, settings, stream: apply.stream })
    }

    fn inverse(&mut self, of: NodeId) -> Option<NodeId> {
        let node = self.graph.node(of)?;
        let ty = Type { frame: node.ty.to.clone(), to: node.ty.frame.clone(), ..node.ty.clone() };
        let op = OpNode { op: "inv", inputs: vec![("x", of)], settings: Settings::default(), stream: 0 };
        let span = node.span;
        Some(self.graph.push(Node { source: NodeSource::Op(op), ty, span }))
    }

    fn weight(&mut self, index: usize) -> Option<NodeId> {
        if let Some(node) = self.weights.get(&index) {
            return Some(*node);
        }
        let info = self.pipeline.weights.get(index)?;
        let dims = info.shape.iter().map(|n| i64::try_from(*n).ok().map(rord_lang::dim::Dim::number));
        let ty = Type::shaped(rord_lang::types::Kind::Values, dims.collect::<Option<_>>()?);
        let node = self.graph.push(Node { source: NodeSource::Weight(index), ty, span: info.span });
        self.weights.insert(index, node);
        Some(node)
    }
}
