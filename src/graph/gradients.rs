//! Where gradients flow in a graph, from the objective's value back to what they are wanted for.
//!
//! For an image they are not: the first convolution has a gradient for its weight and none for its input.

use super::node::{Graph, NodeId, NodeSource};
use rord_lang::typed::{Initial, Objective, Pipeline};

/// Which nodes a gradient flows into.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    /// Whether one flows into a node.
    pub needs: Vec<bool>,
    /// The inputs of each node that one flows into.
    pub wants: Vec<Vec<&'static str>>,
}

/// True for what an objective trains: the weights of its models.
pub fn trained_by<'a>(pipeline: &'a Pipeline, objective: &'a Objective) -> impl Fn(&NodeSource) -> bool + 'a {
    let trains = trained(pipeline);
    move |source| match source {
        NodeSource::Weight(w) => trains(source) && pipeline.weights.get(*w).is_some_and(|w| objective.of(w.model)),
        _ => false,
    }
}

/// True for what trains: the weights of models that are neither frozen nor follow others, and of no part that is frozen.
pub fn trained(pipeline: &Pipeline) -> impl Fn(&NodeSource) -> bool + '_ {
    |source| match source {
        NodeSource::Weight(w) => !pipeline.stays(*w),
        _ => false,
    }
}

impl Gradients {
    /// `wanted` is true for weights and fields whose gradients are wanted, `stops` for operations that let none
    /// through. Running statistics get none.
    pub fn of(graph: &Graph, wanted: impl Fn(&NodeSource) -> bool, stops: impl Fn(&str) -> bool) -> Self {
        let mut found = Self { needs: Vec::new(), wants: Vec::new() };
        for node in &graph.nodes {
            let (need, wants) = match &node.source {
                NodeSource::Op(op) if stops(op.op) => (false, Vec::new()),
                NodeSource::Op(op) => {
                    let wants: Vec<_> = op.inputs.iter().filter(|(_, id)| found.needs(*id)).map(|(n, _)| *n).collect();
                    (!wants.is_empty(), wants)
                }
                source => {
                    let info = match source {
                        NodeSource::Weight(w) => graph.weights.get(*w),
                        _ => None,
                    };
                    let statistic = info.is_some_and(|w| matches!(w.initial, Initial::Statistic(_)));
                    (wanted(source) && !statistic, Vec::new())
                }
            };
            found.needs.push(need);
            found.wants.push(wants);
        }
        found
    }

    /// Whether a gradient flows into a node.
    pub fn needs(&self, id: NodeId) -> bool {
        self.needs.get(id.0 as usize).copied().unwrap_or(false)
    }

    /// The inputs of a node that a gradient flows into.
    pub fn wants(&self, index: usize) -> &[&'static str] {
        self.wants.get(index).map_or(&[], Vec::as_slice)
    }
}

/// The nodes that the objective is made of: what a gradient comes back to.
pub fn below_objective(graph: &Graph) -> Vec<bool> {
    let mut reached = vec![false; graph.nodes.len()];
    if let Some(slot) = graph.objective().and_then(|o| reached.get_mut(o.node.0 as usize)) {
        *slot = true;
    }
    for index in (0..graph.nodes.len()).rev() {
        if reached.get(index) != Some(&true) {
            continue;
        }
        for id in graph.inputs(NodeId(u32::try_from(index).unwrap_or(u32::MAX))) {
            if let Some(slot) = reached.get_mut(id.0 as usize) {
                *slot = true;
            }
        }
    }
    reached
}
