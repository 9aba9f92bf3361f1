//! The graph: operations on tensors, each with its type and the text that made it.
//!
//! Nodes are listed so that each comes after its inputs. A node knows operations, not syntax; its span is for messages.

use std::collections::{HashMap, HashSet};

use rord_lang::constant::Settings;
use rord_lang::source::Span;
use rord_lang::timed::Timed;
use rord_lang::typed::WeightInfo;
use rord_lang::types::Type;

/// A node's index in [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it comes from.
    pub source: NodeSource,
    /// Its type.
    pub ty: Type,
    /// The text that made it.
    pub span: Span,
}

/// Where a node's tensor comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeSource {
    /// A field of a dataset, or an `input` where `data` is `None`.
    Field {
        /// The dataset's index.
        data: Option<usize>,
        /// The field's name.
        name: String,
    },
    /// A weight: an index into [`Graph::weights`].
    Weight(usize),
    /// A number.
    Number(f64),
    /// A number that changes while training: the feed brings it.
    Timed(Timed),
    /// An operation.
    Op(OpNode),
}

/// An operation with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct OpNode {
    /// Its name in the vocabulary.
    pub op: &'static str,
    /// Tensors by parameter name; weights are among them.
    pub inputs: Vec<(&'static str, NodeId)>,
    /// All other arguments.
    pub settings: Settings,
    /// Names the random stream; 0 for what draws nothing.
    pub stream: u64,
}

/// A node whose tensor the caller gets.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphOutput {
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// What it is for.
    pub role: Role,
    /// Where its name stands.
    pub span: Span,
}

/// What an output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is minimized.
    Objective,
    /// It is reported and may be part of the objective.
    Loss,
    /// It is reported in validation only.
    Metric,
    /// It is a tensor that the caller asked for.
    Value,
}

/// Operations on tensors.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Every node, after its inputs.
    pub nodes: Vec<Node>,
    /// What is computed.
    pub outputs: Vec<GraphOutput>,
    /// The weights that nodes name; behind those of the pipeline those that are [`Graph::made`].
    pub weights: Vec<WeightInfo>,
    /// The last of the weights, of a network that learns no more: they are made of the others once.
    pub made: Vec<Made>,
    /// The sizes that are known, by symbol.
    pub sizes: HashMap<u32, i64>,
    /// The symbol of the batch axis.
    pub batch: Option<u32>,
    /// Weights without a gradient here whose operations run as in training all the same: those of models that follow
    /// others, and of models that another objective trains.
    pub live: HashSet<usize>,
    /// Where processes share the batch: for each node whether each has its own samples of it, and not all. Empty where they do not.
    pub apart: Vec<bool>,
}

/// A weight that is made of others. Weights are numbers of [`Graph::weights`].
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// Filters, (outputs, …), each times the scale of its output's line.
    Filters {
        /// The filters.
        weight: usize,
        /// The lines.
        lines: Lines,
    },
    /// What is added to each output: what the line makes of the bias.
    Bias {
        /// The bias; 0 without one.
        bias: Option<usize>,
        /// The lines.
        lines: Lines,
    },
}

/// What a normalization does to each channel once its statistics stand still: (x - mean) / √(variance + eps) · scale + shift.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// The mean.
    pub mean: usize,
    /// The variance.
    pub variance: usize,
    /// The scale; 1 without one.
    pub scale: Option<usize>,
    /// The shift; 0 without one.
    pub shift: Option<usize>,
    /// What is added to the variance.
    pub eps: f64,
}

impl Graph {
    /// A node.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// The operation of a node, if it is one.
    pub fn op(&self, id: NodeId) -> Option<&OpNode> {
        match self.node(id).map(|n| &n.source) {
            Some(NodeSource::Op(op)) => Some(op),
            _ => None,
        }
    }

    /// The nodes a node reads.
    pub fn inputs(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.op(id).into_iter().flat_map(|op| op.inputs.iter().map(|(_, id)| *id))
    }

    /// True for a node of which each process has its own samples.
    pub fn is_apart(&self, index: usize) -> bool {
        self.apart.get(index).copied().unwrap_or(false)
    }

    /// Appends a node.
    pub fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    /// How often an operation occurs.
    pub fn count(&self, op: &str) -> usize {
        self.nodes.iter().filter(|n| matches!(&n.source, NodeSource::Op(o) if o.op == op)).count()
    }

    /// The output that is minimized.
    pub fn objective(&self) -> Option<&GraphOutput> {
        self.outputs.iter().find(|o| o.role == Role::Objective)
    }

    /// The shape of a type's tensor for a batch of a given size; `None` where a size is not known. A homography adds
    /// (3, 3) to its axes, points add their two coordinates.
    pub fn shape(&self, ty: &Type, batch: usize) -> Option<Vec<usize>> {
        let mut sizes = self.sizes.clone();
        if let Some(symbol) = self.batch {
            sizes.insert(symbol, i64::try_from(batch).ok()?);
        }
        let mut shape = Vec::with_capacity(4);
        for dim in &ty.dims {
            shape.push(usize::try_from(dim.value(&sizes)?.ok()?).ok()?);
        }
        shape.extend(ty.kind.beside_axes());
        Some(shape)
    }

    /// Rewrites every reference to a node, in nodes and outputs.
    pub fn redirect(&mut self, to: impl Fn(NodeId) -> NodeId) {
        for node in &mut self.nodes {
            if let NodeSource::Op(op) = &mut node.source {
                for (_, input) in &mut op.inputs {
                    *input = to(*input);
                }
            }
        }
        for output in &mut self.outputs {
            output.node = to(output.node);
        }
    }
}
