//! What a run computes: its losses with the types of their parts, and its network.

use rord_graph::overview::{self, What};
use rord_lang::ast::{File, ItemKind};
use rord_lang::report::grouped;
use rord_lang::typed::ValueId;

use super::super::html::{cell, code, code_cell, details, escaped, number_cell, table};
use crate::formula::typed_parts;
use crate::load::Loaded;

/// Each loss, objective and metric as it is written, with the types of its parts.
pub fn losses(loaded: &Loaded, tree: &File) -> String {
    let mut out = String::from("<h2 id=\"losses\">Losses</h2>\n");
    for item in &tree.items {
        let name = match &item.kind {
            ItemKind::Loss { name, .. } | ItemKind::Metric { name, .. } | ItemKind::Minimize { name, .. } => name,
            _ => continue,
        };
        out += &format!("<h3>{}</h3>\n{}", escaped(&name.text), code(loaded.sources.text(item.span)));
        let all: Vec<ValueId> = (0..).zip(&loaded.pipeline.values).map(|(id, _)| ValueId(id)).collect();
        let pipeline = &loaded.pipeline;
        let mut rows = typed_parts(loaded, item.span, all, &[]);
        // What a call took from the file by name is not written, and matters as much.
        for ambient in pipeline.notes.ambient.iter().filter(|a| item.span.holds(a.call)) {
            let known = pipeline.names.iter().find(|n| n.name == ambient.name);
            let row =
                (format!("{} = {}", ambient.param, ambient.name), known.map(|n| pipeline.shown(n)).unwrap_or_default());
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        if !rows.is_empty() {
            let rows = rows.iter().map(|(part, ty)| vec![code_cell(part), code_cell(ty)]);
            out += &details("with types", &table(&[], rows));
        }
    }
    out
}

/// The network drawn, its stages and its weights.
pub fn network(loaded: &Loaded, tree: &File) -> String {
    let (pipeline, all) = (&loaded.pipeline, crate::graph::overview(loaded, tree));
    let mut out = format!("<h2 id=\"network\">Network</h2>\n<div class=\"net\">{}</div>\n", overview::svg(&all));
    let mut rows = Vec::new();
    for (index, group) in all.groups.iter().enumerate().filter(|(_, g)| g.about != "the same weights") {
        let own = all.boxes.iter().filter(|b| b.group == Some(index) && b.what == What::Stage);
        rows.extend(own.map(|b| {
            let model = group.name.split('(').next().unwrap_or_default();
            vec![
                code_cell(&format!("{model}.{}", b.name)),
                code_cell(&b.shape),
                number_cell(&grouped(b.weights)),
                ("s", escaped(&b.by)),
            ]
        }));
    }
    if !rows.is_empty() {
        out += &table(&[cell("stage"), cell("gives"), ("r", "weights".into()), cell("operations")], rows);
    }
    let weights = pipeline.weights.iter().map(|w| {
        let shape: Vec<String> = w.shape.iter().map(usize::to_string).collect();
        vec![code_cell(&w.name), number_cell(&shape.join(" × ")), number_cell(&grouped(w.shape.iter().product()))]
    });
    let weights = table(&[cell("weight"), ("r", "shape".into()), ("r", "numbers".into())], weights);
    out + &details(&format!("all {} tensors of weights", pipeline.weights.len()), &weights)
}
