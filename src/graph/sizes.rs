//! Sizes that the data alone sets, put into a graph before it runs.
//!
//! The checker leaves the `H` of a file of tensors open and assumes that 4 divides it; here that is checked.

use std::collections::HashMap;

use super::node::{Graph, NodeSource};
use rord_lang::constant::Constant;
use rord_lang::dim::Dim;
use rord_lang::source::Span;
use rord_lang::types::Frame;
use rord_lang::vocabulary::Vocabulary;

/// A size that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// Where the tensor of that size is made.
    pub span: Span,
    /// The size as the pipeline has it: `H/4`.
    pub dim: String,
    /// The whole number it would be, or what does not divide.
    pub value: Result<i64, i64>,
}

/// Adds `known` to the graph's sizes, and the size of an image in pixels to the operations that measure in them.
/// Returns the sizes that are not whole or not positive, each once, where it is met first.
pub fn settle(
    graph: &mut Graph,
    known: &HashMap<u32, i64>,
    frames: &[(Frame, Dim, Dim)],
    vocabulary: &Vocabulary,
) -> Vec<Impossible> {
    graph.sizes.extend(known);
    let mut impossible: Vec<Impossible> = Vec::new();
    for node in &graph.nodes {
        for dim in &node.ty.dims {
            let Some(value) = dim.value(&graph.sizes).filter(|v| !matches!(v, Ok(n) if *n > 0)) else { continue };
            let found = Impossible { span: node.span, dim: dim.to_string(), value };
            if !impossible.iter().any(|i| i.dim == found.dim) {
                impossible.push(found);
            }
        }
    }
    let frame_of: Vec<Option<Frame>> = graph.nodes.iter().map(|n| n.ty.frame.clone()).collect();
    for node in &mut graph.nodes {
        let NodeSource::Op(op) = &mut node.source else { continue };
        let Some(param) = vocabulary.operation(op.op).and_then(|o| o.entry.pixels_of) else { continue };
        let frame = op.inputs.iter().find(|(n, _)| *n == param).and_then(|(_, id)| frame_of.get(id.0 as usize));
        let Some(Some(frame)) = frame else { continue };
        let Some((_, width, height)) = frames.iter().find(|(f, ..)| f == frame) else { continue };
        for (name, dim) in [("width", width), ("height", height)] {
            let Some(Ok(pixels)) = dim.value(&graph.sizes) else { continue };
            if let Some((_, slot)) = op.settings.0.iter_mut().find(|(n, v)| n == name && *v == Constant::None) {
                *slot = Constant::Number(pixels as f64);
            }
        }
    }
    impossible
}
