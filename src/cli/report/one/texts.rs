//! What a run was given: its parameters and its data.

use rord_lang::report::grouped;
use rord_lang::typed::ParamInfo;

use super::super::Run;
use super::super::html::{cell, code, code_cell, details, escaped, number_cell, table};
use crate::load::Loaded;

/// Files of the data that are listed.
const FILES: usize = 200;

/// A value of YAML in a line.
pub fn shown(value: &serde_yaml::Value) -> String {
    match value {
        serde_yaml::Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim().to_string(),
    }
}

/// Every parameter with where its value came from.
pub fn parameters(run: &Run, known: &[ParamInfo]) -> String {
    let mut out = String::from("<h2 id=\"parameters\">Parameters</h2>\n");
    let rows = run.record.params.iter().map(|(name, value)| {
        let name = shown(name);
        let origin = run.record.origins.get(name.as_str()).map(shown).unwrap_or_default();
        let info = known.iter().find(|p| p.name == name);
        let about = info.and_then(|p| p.about.clone()).unwrap_or_default();
        let domain = info.and_then(|p| p.domain.clone()).unwrap_or_default();
        let class = if origin == "default" { "old" } else { "new" };
        vec![
            code_cell(&name),
            code_cell(&shown(value)),
            (class, escaped(&origin)),
            ("c", escaped(&domain)),
            ("s", escaped(&about)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return out + "<p class=\"lead\">The pipeline has none.</p>\n";
    }
    out += &table(&["name", "value", "from", "may be", "means"].map(cell), rows);
    out
}

/// The data and its files.
pub fn data(run: &Run, loaded: Option<&Loaded>) -> String {
    let mut out = String::from("<h2 id=\"data\">Data</h2>\n");
    for dataset in loaded.iter().flat_map(|l| &l.pipeline.datasets) {
        out += &format!("<h3>{}</h3>\n{}", escaped(&dataset.name), code(&dataset.recipe.to_string()));
    }
    let rows: Vec<_> = run
        .record
        .data
        .iter()
        .map(|d| {
            vec![
                code_cell(&d.name),
                number_cell(&grouped(d.files)),
                number_cell(&grouped(d.bytes as usize)),
                code_cell(&d.hash),
            ]
        })
        .collect();
    if rows.is_empty() {
        return out + "<p class=\"lead\">No files: what is seen is drawn from the seed.</p>\n";
    }
    let heads = [cell("data"), ("r", "files".into()), ("r", "bytes".into()), cell("hash")];
    out += &table(&heads, rows);
    let all: Vec<&str> = run.data.lines().collect();
    if !all.is_empty() {
        let shown = all.iter().take(FILES).copied().collect::<Vec<_>>().join("\n");
        let more = all.len().saturating_sub(FILES);
        let more = if more > 0 { format!("\nand {more} more, in {}", rord_record::DATA) } else { String::new() };
        out += &details("its files", &format!("<pre>{}{}</pre>", escaped(&shown), escaped(&more)));
    }
    out
}
