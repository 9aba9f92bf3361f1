//! A graph as text, a line a node, as drawings for Graphviz and Mermaid, and as JSON.

use std::fmt::Write;

use super::node::{Graph, Node, NodeSource, OpNode};
use rord_lang::constant::Settings;
use rord_lang::tree::expression;
use rord_lang::vocabulary::{POSITIONS, Vocabulary};

/// A line a node: its number, what it is, its type; then the outputs. Settings that have their default are left out.
pub fn text(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let rows: Vec<(String, String)> = (0..)
        .zip(&graph.nodes)
        .map(|(i, n)| (format!("%{i} = {}", describe(graph, vocabulary, n)), n.ty.to_string()))
        .collect();
    // Long calls push only their own type to the right.
    let width = rows.iter().map(|(left, _)| left.chars().count()).filter(|n| *n <= 72).max().unwrap_or(0);
    let mut out = String::new();
    for (left, ty) in rows {
        let _ = writeln!(out, "{left:<width$}  {ty}");
    }
    for output in &graph.outputs {
        let _ = writeln!(out, "{:?} {} = %{}", output.role, output.name, output.node.0);
    }
    out
}

/// The settings that differ from the signature's defaults.
fn own_settings(op: &OpNode, vocabulary: &Vocabulary) -> String {
    let params = vocabulary.operation(op.op).map_or(&[] as &[_], |o| o.params.as_slice());
    let default = |name: &str| params.iter().find(|p| p.name.text == name)?.default.as_ref().map(expression);
    // Positions follow from the names of axes, which stand beside them.
    let derived = |name: &str| name == POSITIONS && !params.iter().any(|p| p.name.text == name);
    let own =
        op.settings.0.iter().filter(|(n, value)| !derived(n) && default(n).is_none_or(|d| d != value.to_string()));
    Settings(own.cloned().collect()).to_string()
}

fn describe(graph: &Graph, vocabulary: &Vocabulary, node: &Node) -> String {
    match &node.source {
        NodeSource::Field { data: Some(_), name } => format!("data {name}"),
        NodeSource::Field { data: None, name } => format!("input {name}"),
        NodeSource::Number(x) => format!("number {}", rord_lang::constant::number(*x)),
        NodeSource::Weight(w) => format!("weight {}", graph.weights.get(*w).map_or("?", |w| w.name.as_str())),
        NodeSource::Op(op) => {
            let inputs = op.inputs.iter().enumerate().map(|(i, (name, id))| match i {
                0 => format!("%{}", id.0),
                _ => format!("{name} = %{}", id.0),
            });
            let mut args: Vec<String> = inputs.collect();
            let settings = own_settings(op, vocabulary);
            if !settings.is_empty() {
                args.push(settings);
            }
            format!("{}({})", op.op, args.join(", "))
        }
    }
}

/// A drawing in Graphviz's language: `rord-run graph FILE --format dot | dot -Tsvg`.
pub fn dot(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let mut out =
        String::from("digraph pipeline {\n  rankdir = BT;\n  node [fontname = \"Helvetica\", fontsize = 10];\n");
    let escape = |s: &str| s.replace('\\', "\\\\").replace('"', "\\\"");
    for (i, node) in graph.nodes.iter().enumerate() {
        let (label, shape) = match &node.source {
            NodeSource::Op(op) => {
                let settings = own_settings(op, vocabulary);
                (if settings.is_empty() { op.op.to_string() } else { format!("{}\n{settings}", op.op) }, "box")
            }
            NodeSource::Weight(_) => (describe(graph, vocabulary, node), "note"),
            _ => (describe(graph, vocabulary, node), "ellipse"),
        };
        let label = escape(&format!("{label}\n{}", node.ty)).replace('\n', "\\n");
        let _ = writeln!(out, "  n{i} [label = \"{label}\", shape = {shape}];");
        if let NodeSource::Op(op) = &node.source {
            for (name, input) in &op.inputs {
                let _ = writeln!(out, "  n{} -> n{i} [label = \"{name}\"];", input.0);
            }
        }
    }
    for output in &graph.outputs {
        let name = escape(&output.name);
        let _ = writeln!(out, "  \"{name}\" [shape = doubleoctagon];\n  n{} -> \"{name}\";", output.node.0);
    }
    out.push_str("}\n");
    out
}

/// A drawing in Mermaid's language, which Markdown pages show when it is fenced as `mermaid`.
pub fn mermaid(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let mut out = String::from("flowchart BT\n");
    let escape = |s: &str| s.replace('"', "#quot;").replace('\n', "<br/>");
    for (i, node) in graph.nodes.iter().enumerate() {
        let label = match &node.source {
            NodeSource::Op(op) => {
                let settings = own_settings(op, vocabulary);
                if settings.is_empty() { op.op.to_string() } else { format!("{}\n{settings}", op.op) }
            }
            _ => describe(graph, vocabulary, node),
        };
        let label = escape(&format!("{label}\n{}", node.ty));
        let _ = match &node.source {
            NodeSource::Op(_) => writeln!(out, "  n{i}[\"{label}\"]"),
            _ => writeln!(out, "  n{i}([\"{label}\"])"),
        };
        if let NodeSource::Op(op) = &node.source {
            for (name, input) in &op.inputs {
                let _ = writeln!(out, "  n{} -->|{name}| n{i}", input.0);
            }
        }
    }
    for (i, output) in graph.outputs.iter().enumerate() {
        let _ = writeln!(out, "  o{i}{{{{\"{}\"}}}}\n  n{} --> o{i}", escape(&output.name), output.node.0);
    }
    out
}

/// One JSON object: nodes in order, each with what it is, its inputs by name and its type; and the outputs.
pub fn json(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let node = |(i, node): (usize, &Node)| {
        let (kind, name) = match &node.source {
            NodeSource::Field { data: Some(_), name } => ("data", name.clone()),
            NodeSource::Field { data: None, name } => ("input", name.clone()),
            NodeSource::Number(x) => ("number", rord_lang::constant::number(*x)),
            NodeSource::Weight(w) => ("weight", graph.weights.get(*w).map(|w| w.name.clone()).unwrap_or_default()),
            NodeSource::Op(op) => ("operation", op.op.to_string()),
        };
        let inputs = match &node.source {
            NodeSource::Op(op) => op.inputs.iter().map(|(name, id)| ((*name).to_string(), id.0.into())).collect(),
            _ => serde_json::Map::new(),
        };
        let settings = match &node.source {
            NodeSource::Op(op) => own_settings(op, vocabulary),
            _ => String::new(),
        };
        serde_json::json!({
            "id": i, "kind": kind, "name": name, "inputs": inputs, "settings": settings, "type": node.ty.to_string(),
        })
    };
    let outputs = graph.outputs.iter().map(
        |o| serde_json::json!({ "name": o.name, "role": format!("{:?}", o.role).to_lowercase(), "node": o.node.0 }),
    );
    let nodes: Vec<serde_json::Value> = graph.nodes.iter().enumerate().map(node).collect();
    let whole = serde_json::json!({ "nodes": nodes, "outputs": outputs.collect::<Vec<_>>() });
    format!("{whole}\n")
}
