//! An overview as text, for tools, and for Graphviz and Mermaid.

use std::fmt::Write;

use serde_json::json;

use rord_lang::report::grouped;

use super::{Block, Overview};

/// What a box says beside its name.
fn facts(one: &Block) -> Vec<String> {
    let weights = (one.weights > 0).then(|| format!("{} weights", grouped(one.weights)));
    [Some(one.shape.clone()), weights, Some(one.by.clone())].into_iter().flatten().filter(|s| !s.is_empty()).collect()
}

/// Groups with their boxes: the name, the shape, what it comes from, weights, and what it is made by.
pub fn text(all: &Overview) -> String {
    let name = |at: usize| {
        let Some(one) = all.boxes.get(at) else { return String::new() };
        // A name that several have comes with its group's.
        let alone = all.boxes.iter().filter(|b| b.name == one.name).count() == 1;
        match one.group.and_then(|g| all.groups.get(g)).filter(|_| !alone) {
            Some(group) => format!("{}.{}", group.name, one.name),
            None => one.name.clone(),
        }
    };
    let from = |at: usize| {
        let names: Vec<String> = all.edges.iter().filter(|(_, to)| *to == at).map(|(from, _)| name(*from)).collect();
        if names.is_empty() { String::new() } else { format!("← {}", names.join(", ")) }
    };
    let row = |at: usize, one: &Block| {
        let weights = if one.weights > 0 { grouped(one.weights) } else { String::new() };
        [one.name.clone(), one.shape.clone(), weights, from(at), one.by.clone()]
    };
    let rows: Vec<[String; 5]> = all.boxes.iter().enumerate().map(|(at, one)| row(at, one)).collect();
    let width = |column: usize, most: usize| {
        let long = rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count());
        long.filter(|n| *n <= most).max().unwrap_or(0)
    };
    let widths = [width(0, 20), width(1, 28), width(2, 12), width(3, 44)];
    let mut out = String::new();
    let mut said = None;
    let order = grouped_boxes(all).into_iter().flat_map(|(_, boxes)| boxes);
    for (one, [name, shape, weights, from, by]) in order.filter_map(|at| Some((all.boxes.get(at)?, rows.get(at)?))) {
        if said != Some(one.group) {
            said = Some(one.group);
            let head = one.group.and_then(|g| all.groups.get(g)).map(|g| format!("{}  {}", g.name, g.about));
            let _ = writeln!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, head.unwrap_or("formulas".into()));
        }
        let [a, b, c, d] = widths;
        let line = format!("  {name:<a$}  {shape:<b$}  {weights:>c$}  {from:<d$}  {by}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// One object: groups, boxes and edges, by number.
pub fn json(all: &Overview) -> String {
    let groups: Vec<_> = all.groups.iter().map(|g| json!({ "name": g.name, "about": g.about })).collect();
    let one = |b: &Block| {
        json!({
            "what": b.what.name(), "name": b.name, "shape": b.shape, "weights": b.weights, "by": b.by, "group": b.group,
        })
    };
    let boxes: Vec<_> = all.boxes.iter().map(one).collect();
    let edges: Vec<_> = all.edges.iter().map(|(a, b)| json!([a, b])).collect();
    format!("{}\n", json!({ "groups": groups, "boxes": boxes, "edges": edges }))
}

/// The numbers of the boxes of each group, and of those in none.
fn grouped_boxes(all: &Overview) -> Vec<(Option<usize>, Vec<usize>)> {
    let of = |group: Option<usize>| {
        let own = all.boxes.iter().enumerate().filter(|(_, b)| b.group == group).map(|(at, _)| at).collect();
        (group, own)
    };
    (0..all.groups.len()).map(Some).chain([None]).map(of).collect()
}

/// For Graphviz.
pub fn dot(all: &Overview) -> String {
    let escape = |s: &str| s.replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = String::from(
        "digraph overview {\n  rankdir = TB;\n  node [shape = box, style = rounded, fontname = \"Helvetica\", fontsize = 10];\n",
    );
    for (group, boxes) in grouped_boxes(all) {
        let head = group.and_then(|g| all.groups.get(g));
        if let (Some(group), Some(head)) = (group, head) {
            let label = escape(&format!("{}  {}", head.name, head.about));
            let _ = writeln!(out, "  subgraph cluster{group} {{\n    label = \"{label}\";");
        }
        for (at, one) in boxes.into_iter().filter_map(|at| Some((at, all.boxes.get(at)?))) {
            let lines: Vec<String> = [one.name.clone()].into_iter().chain(facts(one)).map(|l| escape(&l)).collect();
            let _ = writeln!(out, "    b{at} [label = \"{}\"];", lines.join("\\n"));
        }
        if head.is_some() {
            out.push_str("  }\n");
        }
    }
    for (from, to) in &all.edges {
        let _ = writeln!(out, "  b{from} -> b{to};");
    }
    out.push_str("}\n");
    out
}

/// For Mermaid.
pub fn mermaid(all: &Overview) -> String {
    let escape = |s: &str| s.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;");
    let mut out = String::from("flowchart TB\n");
    for (group, boxes) in grouped_boxes(all) {
        let head = group.and_then(|g| all.groups.get(g));
        if let (Some(group), Some(head)) = (group, head) {
            let _ = writeln!(out, "  subgraph g{group}[\"{}\"]", escape(&format!("{}  {}", head.name, head.about)));
        }
        for (at, one) in boxes.into_iter().filter_map(|at| Some((at, all.boxes.get(at)?))) {
            let lines: Vec<String> = [one.name.clone()].into_iter().chain(facts(one)).map(|l| escape(&l)).collect();
            let _ = writeln!(out, "    b{at}[\"{}\"]", lines.join("<br/>"));
        }
        if head.is_some() {
            out.push_str("  end\n");
        }
    }
    for (from, to) in &all.edges {
        let _ = writeln!(out, "  b{from} --> b{to}");
    }
    out
}
