//! Whether a graph is whole: inputs come first, operations exist, and sizes and frames agree with the signatures.
//!
//! It runs after every pass in debug builds and in tests. What it finds is a mistake of the tool, never of the user.

use std::collections::HashMap;

use super::node::{Graph, NodeSource, OpNode};
use rord_lang::ast::{DimKind, FnParam};
use rord_lang::dim::Dim;
use rord_lang::types::{Frame, Kind, Type};
use rord_lang::vocabulary::{Vocabulary, is_tensor_param};

/// What is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("%{node}: {what}")]
pub struct Broken {
    /// The node.
    pub node: u32,
    /// What is wrong with it.
    pub what: String,
}

/// Checks every node and every output.
pub fn verify(graph: &Graph, vocabulary: &Vocabulary) -> Result<(), Broken> {
    let mut streams = HashMap::new();
    for (index, node) in (0u32..).zip(&graph.nodes) {
        let broken = |what: String| Broken { node: index, what };
        if node.ty.dims.len() != node.ty.axes.len() || !rord_lang::axis::in_order(&node.ty.axes) {
            return Err(broken(format!(
                "{} has {} sizes and these axes: {:?}",
                node.ty,
                node.ty.dims.len(),
                node.ty.axes
            )));
        }
        match &node.source {
            NodeSource::Op(op) => {
                check(graph, vocabulary, index, op, &node.ty).map_err(broken)?;
                if op.stream != 0
                    && let Some(other) = streams.insert(op.stream, index)
                {
                    return Err(broken(format!("draws from the stream of %{other}")));
                }
            }
            NodeSource::Weight(w) if graph.weights.get(*w).is_none() => {
                return Err(broken(format!("weight {w} does not exist")));
            }
            _ => {}
        }
    }
    for output in &graph.outputs {
        if graph.node(output.node).is_none() {
            return Err(Broken { node: output.node.0, what: format!("output `{}` does not exist", output.name) });
        }
    }
    Ok(())
}

fn check(graph: &Graph, vocabulary: &Vocabulary, index: u32, op: &OpNode, result: &Type) -> Result<(), String> {
    let operation = vocabulary.operation(op.op).ok_or_else(|| format!("no operation is called `{}`", op.op))?;
    if operation.entry.graph.random == (op.stream == 0) {
        return Err(format!("`{}` has stream {}", op.op, op.stream));
    }
    if let Some(then) = op.settings.get("then")
        && !operation.params.iter().any(|p| p.name.text == "then")
        && !operation.entry.graph.takes_in.iter().any(|row| op.settings.text("then") == Ok(row.then))
    {
        return Err(format!("`{}` does not take in {then}", op.op));
    }
    // What is read through another operation has that one's type, not the one that the signature says.
    let through = operation.entry.graph.reads_through.filter(|through| through.is_in(&op.settings));
    let (mut dims, mut frames): (HashMap<&str, Dim>, HashMap<&str, Frame>) = (HashMap::new(), HashMap::new());
    for (name, input) in &op.inputs {
        if input.0 >= index {
            return Err(format!("reads %{}, which comes later", input.0));
        }
        let ty = &graph.node(*input).ok_or("reads nothing")?.ty;
        let inverted = operation.entry.graph.inverted.filter(|(_, to)| to == name);
        let param = operation.params.iter().find(|p| p.name.text == inverted.map_or(*name, |(from, _)| from));
        // A weight may have the name of the setting that adds it: `bias`.
        let Some(param) = param.filter(|p| is_tensor_param(p)) else { continue };
        if through.is_some_and(|through| through.input == *name) {
            continue;
        }
        let ty = match inverted {
            Some(_) => &Type { frame: ty.to.clone(), to: ty.frame.clone(), ..ty.clone() },
            None => ty,
        };
        // Offsets are added, and taken times a number, by the operators of all numbers; samples of any kind are gathered.
        let other = ty.kind.is_placed() || ty.kind == Kind::Homography;
        if operation.entry.operator && other && param.ty.kind.text == Kind::Values.name() {
            continue;
        }
        let turn = if operation.entry.fields { ty.one_turn().map(|(ty, _)| ty) } else { None };
        let ty = turn.as_ref().unwrap_or(ty);
        bind(param, ty, &mut dims, &mut frames).map_err(|what| format!("`{name}` of `{}`: {what}", op.op))?;
    }
    // The frame of the result, where the signature names it.
    if let Some(frame) = operation.result.as_ref().and_then(|r| r.frame.as_ref())
        && let Some(bound) = frames.get(frame.text.as_str())
        && result.frame.as_ref() != Some(bound)
    {
        return Err(format!("`{}` gives {result}, expected {bound}", op.op));
    }
    Ok(())
}

fn bind<'p>(
    param: &'p FnParam,
    ty: &Type,
    dims: &mut HashMap<&'p str, Dim>,
    frames: &mut HashMap<&'p str, Frame>,
) -> Result<(), String> {
    let kind = Kind::named(&param.ty.kind.text).unwrap_or(Kind::Values);
    let number = ty.kind.is(Kind::Scalar) && kind == Kind::Values;
    // A model may declare features as logits or descriptors; the graph keeps the features' own type.
    let said = matches!(kind, Kind::Logit | Kind::Desc) && matches!(ty.kind, Kind::Feat | Kind::Map);
    if !ty.kind.is(kind) && !number && !said {
        return Err(format!("{ty} is no {}", kind.name()));
    }
    // A batch may stand before the axes of the signature.
    let batch = param.ty.dims.as_ref().map_or(0, |pattern| ty.dims.len().saturating_sub(pattern.len()));
    for (pattern, found) in param.ty.dims.iter().flatten().zip(ty.dims.iter().skip(batch)) {
        if let DimKind::Name(name) = &pattern.kind {
            let first = dims.entry(name).or_insert_with(|| found.clone());
            if first != found && !first.is_opaque() && !found.is_opaque() {
                return Err(format!("{name} is {first} and {found}"));
            }
        }
    }
    for (pattern, found) in [(&param.ty.frame, &ty.frame), (&param.ty.to, &ty.to)] {
        if let (Some(pattern), Some(found)) = (pattern, found) {
            let first = frames.entry(&pattern.text).or_insert_with(|| found.clone());
            if first != found {
                return Err(format!("{} is {first} and {found}", pattern.text));
            }
        }
    }
    Ok(())
}
