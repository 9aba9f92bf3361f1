//! A trained network in the terms of other systems: as one file of ONNX, or as a module of PyTorch.
//!
//! Both go over the same graph, that of what is exported, for pictures of any size and number. What an operation is there it
//! says in its own file (`Compute::onnx`, `Compute::torch`); here are only the graph, its names and the files.

pub mod names;
pub mod onnx;
pub mod proto;
pub mod torch;

use std::collections::HashSet;

use candle_core::Tensor;

use super::predict::Predictor;
use super::refusals::Stop;
use rord_graph::node::{Graph, NodeId, NodeSource};
use rord_lang::dim::{Dim, gcd};
use rord_lang::report::{Report, exports};
use rord_lang::types::Type;
use rord_ops as ops;
use rord_ops::compute::Compute;
use rord_ops::export::{Argument, Form, Use};

/// A network to be written out.
pub struct Written<'p> {
    /// Operations, their inputs and what is exported.
    pub graph: Graph,
    /// The field of the picture, and its type.
    pub input: (&'p str, &'p Type),
    /// The weights, in the order of the graph.
    pub weights: &'p [Tensor],
    /// What is known of where it comes from: name and text.
    pub about: Vec<(&'static str, String)>,
}

impl<'p> Written<'p> {
    /// What a predictor computes. `about` is written beside it.
    pub fn new(predictor: &'p Predictor<'_>, about: Vec<(&'static str, String)>) -> Result<Self, Stop> {
        let graph = predictor.open()?;
        Ok(Self { graph, input: predictor.image(), weights: predictor.weights().tensors(), about })
    }

    /// Sides of pictures are multiples of this.
    pub fn multiple(&self) -> i64 {
        let divisors = self.graph.nodes.iter().flat_map(|n| &n.ty.dims).map(Dim::divisor);
        divisors.fold(1, |all, d| all.saturating_mul(d / gcd(all, d).max(1)))
    }

    /// Goes over all nodes in their order. `given` says what a node that is no operation is called, `made` writes an
    /// operation and says what its value is called. Where something has no form, all of that is reported.
    fn each(
        &self,
        system: &str,
        mut given: impl FnMut(usize, &NodeSource) -> Form,
        mut made: impl FnMut(usize, &'static dyn Compute, &Use) -> Form,
    ) -> Result<Vec<String>, Stop> {
        let (mut names, mut lacking): (Vec<String>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let form = match &node.source {
                NodeSource::Op(op) => {
                    let argument = |(role, id): &(&'static str, NodeId)| {
                        let input = self.graph.node(*id)?;
                        let weight = match input.source {
                            NodeSource::Weight(w) => {
                                self.graph.weights.get(w).map(|w| w.name.as_str()).zip(self.weights.get(w))
                            }
                            _ => None,
                        };
                        let name = names.get(id.0 as usize)?.clone();
                        Some(Argument { role, name, ty: &input.ty, weight })
                    };
                    let inputs = op.inputs.iter().filter_map(argument).collect();
                    let call = Use { inputs, settings: &op.settings, ty: &node.ty, sizes: &self.graph.sizes };
                    match ops::find(op.op).and_then(|o| o.compute) {
                        Some(compute) => made(index, compute, &call),
                        None => Err(rord_ops::export::NONE.into()),
                    }
                }
                source => given(index, source),
            };
            names.push(form.unwrap_or_else(|why| {
                lacking.push((index, why));
                String::new()
            }));
        }
        if lacking.is_empty() { Ok(names) } else { Err(Stop::Refused(self.refusals(system, &lacking))) }
    }

    /// A report for each place of the text that has no form, with the exports that need it.
    fn refusals(&self, system: &str, lacking: &[(usize, String)]) -> Vec<Report> {
        let mut seen = HashSet::new();
        let mut reports = Vec::new();
        for (index, why) in lacking {
            let Some(node) = self.graph.nodes.get(*index) else { continue };
            let what = match &node.source {
                NodeSource::Op(op) => op.op,
                _ => "this number",
            };
            if seen.insert((node.span, what)) {
                reports.push(exports::no_form(node.span, system, what, why, &self.needing(*index)));
            }
        }
        reports
    }

    /// The exports that are made of a node.
    fn needing(&self, of: usize) -> Vec<&str> {
        let reaches = |from: NodeId| {
            let (mut seen, mut open) = (HashSet::new(), vec![from]);
            while let Some(id) = open.pop() {
                if id.0 as usize == of {
                    return true;
                }
                if seen.insert(id) {
                    open.extend(self.graph.inputs(id));
                }
            }
            false
        };
        self.graph.outputs.iter().filter(|o| reaches(o.node)).map(|o| o.name.as_str()).collect()
    }
}
