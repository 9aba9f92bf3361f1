//! A network as one file of ONNX, for pictures of any size and number.

use std::collections::{HashMap, HashSet};

use super::proto::{self, Model, Side};
use super::{Written, names};
use crate::refusals::Stop;
use rord_graph::node::NodeSource;
use rord_lang::dim::{Dim, Symbol};
use rord_lang::types::Type;
use rord_ops::export::onnx::{Node, Numbers, OPSET, Onnx};

/// The operator set that files are of.
pub fn opset() -> i64 {
    OPSET
}

/// What sides of pictures are called.
const SIDES: [(usize, &str); 3] = [(0, "batch"), (2, "height"), (3, "width")];

/// The bytes of the file of the network that is called `name`, and what it is for.
///
/// Refused: what has no form in ONNX (R0742).
pub fn file(written: &Written<'_>, name: &str, about: &str) -> Result<Vec<u8>, Stop> {
    let graph = &written.graph;
    let (input, ty) = written.input;
    let mut out = Onnx::default();
    let outputs: Vec<&str> = graph.outputs.iter().map(|o| o.name.as_str()).collect();
    // An export may have the picture's name.
    let input = &names::fresh(input, &mut outputs.iter().map(|o| (*o).to_string()).collect());
    let chains = names::chains(graph, input, str::to_string);
    let mut used: HashSet<String> = outputs.iter().copied().chain([input.as_str()]).map(str::to_string).collect();
    let mut constants: Vec<(usize, f64)> = Vec::new();
    let given = |index: usize, source: &NodeSource| match source {
        NodeSource::Field { .. } => Ok(input.clone()),
        NodeSource::Weight(w) => Ok(graph.weights.get(*w).map(|w| w.name.clone()).unwrap_or_default()),
        NodeSource::Number(x) => {
            constants.push((index, *x));
            Ok(format!("number/{index}"))
        }
        _ => Err("changes while training, and has no one value".into()),
    };
    let values = written.each("ONNX", given, |index, compute, call| {
        let chain = chains.get(index).map_or("x", String::as_str);
        let op = match graph.nodes.get(index).map(|n| &n.source) {
            Some(NodeSource::Op(op)) => op.op,
            _ => "",
        };
        out.begin(&names::fresh(&format!("{chain}/{op}"), &mut used));
        let made = compute.onnx(call, &mut out)?;
        Ok(out.end(made))
    })?;
    for (index, x) in constants {
        out.tensors.push((format!("number/{index}"), Numbers::one(x)));
    }
    for (weight, tensor) in graph.weights.iter().zip(written.weights) {
        out.tensors.push((weight.name.clone(), Numbers::of(tensor).map_err(candle_core::Error::msg)?));
    }
    let mut nodes = out.nodes;
    // What is exported twice has its first name already.
    let mut renamed: HashMap<&str, &str> = HashMap::new();
    for output in &graph.outputs {
        let value = values.get(output.node.0 as usize).map_or("", String::as_str);
        name_output(&mut nodes, renamed.get(value).copied().unwrap_or(value), &output.name, &outputs);
        renamed.entry(value).or_insert(&output.name);
    }
    let nodes = read(nodes, &outputs);
    let reads: HashSet<&str> = nodes.iter().flat_map(|n| &n.inputs).map(String::as_str).collect();
    out.tensors.retain(|(name, _)| reads.contains(name.as_str()));
    let mut metadata: Vec<(String, String)> =
        written.about.iter().map(|(key, text)| (format!("rord.{key}"), text.clone())).collect();
    metadata.push(("rord.multiple".into(), written.multiple().to_string()));
    let called = called(ty);
    let sides = |ty: &Type| -> Vec<Side> {
        let side = |dim: &Dim| match dim.value(&graph.sizes) {
            Some(Ok(n)) => Side::Known(n),
            _ if dim.is_opaque() => Side::Any,
            _ => Side::Named(dim.replace(&called).unwrap_or_else(|| dim.clone()).to_string()),
        };
        ty.dims.iter().map(side).collect()
    };
    let output_values: Vec<(String, Vec<Side>)> =
        graph.outputs.iter().filter_map(|o| Some((o.name.clone(), sides(&graph.node(o.node)?.ty)))).collect();
    Ok(proto::bytes(&Model {
        name,
        about,
        producer: ("rord", env!("CARGO_PKG_VERSION")),
        opset: OPSET,
        inputs: &[(input.to_string(), sides(ty))],
        outputs: &output_values,
        nodes: &nodes,
        tensors: &out.tensors,
        metadata: &metadata,
    }))
}

/// The sizes of a picture under the names that they have for everybody.
pub fn called(picture: &Type) -> HashMap<u32, Dim> {
    let one = |(axis, name): (usize, &str)| {
        let symbol = picture.dims.get(axis)?.as_symbol()?;
        Some((symbol.id, Dim::symbol(Symbol { id: symbol.id, name: name.into(), opaque: false })))
    };
    SIDES.into_iter().filter_map(one).collect()
}

/// Calls a value by the name of an export: where it is made, or by a node that hands it on.
fn name_output(nodes: &mut Vec<Node>, value: &str, name: &str, outputs: &[&str]) {
    let made = nodes.iter().any(|n| n.output == value);
    if !made || outputs.contains(&value) {
        nodes.push(Node { op: "Identity", inputs: vec![value.into()], output: name.into(), attributes: vec![] });
        return;
    }
    for node in nodes {
        for place in node.inputs.iter_mut().chain([&mut node.output]).filter(|n| *n == value) {
            *place = name.into();
        }
    }
}

/// The nodes that outputs are made of.
fn read(nodes: Vec<Node>, outputs: &[&str]) -> Vec<Node> {
    let mut wanted: HashSet<String> = outputs.iter().map(|o| (*o).to_string()).collect();
    let mut kept: Vec<Node> = Vec::new();
    for node in nodes.into_iter().rev() {
        if wanted.contains(&node.output) {
            wanted.extend(node.inputs.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    kept
}
