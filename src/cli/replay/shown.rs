//! A step that was made again, as people and programs read it: the ranges of its values and gradients, what the optimizer made of it, and
//! whether that is what the run has.

use std::path::Path;

use serde_json::{Value, json};

use super::super::columns;
use super::super::load::Loaded;
use rord_engine::replay::update::{Beside, Changed};
use rord_engine::replay::{Numbers, Replayed, Row};
use rord_record::metrics;

/// The line of `metrics.jsonl` on a step.
pub fn written(folder: &Path, step: u64) -> Option<Value> {
    let text = std::fs::read_to_string(folder.join(metrics::FILE)).ok()?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of = |line: &Value| {
        line.get("split").and_then(Value::as_str) == Some("train")
            && line.get("step").and_then(Value::as_u64) == Some(step)
    };
    lines.into_iter().find(of)
}

fn place(row: &Row, loaded: &Loaded) -> String {
    let Some(source) = loaded.sources.get(row.span.file) else { return String::new() };
    let before = source.text.get(..row.span.start as usize).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("{}:{line}", source.name.rsplit('/').next().unwrap_or(&source.name))
}

fn numbers(n: &Numbers) -> Value {
    let real = |x: f64| if x.is_finite() { json!(x) } else { Value::Null };
    json!({ "min": real(n.min), "max": real(n.max), "mean": real(n.mean), "not_finite": n.not_finite, "count": n.count })
}

/// For programs.
pub fn object(found: &Replayed, loaded: &Loaded, written: Option<&Value>, beside: &[Beside]) -> Value {
    let row = |row: &Row| {
        json!({
            "node": row.node, "op": row.what, "at": place(row, loaded), "shape": row.shape, "value": numbers(&row.value),
            "gradient": row.gradient.as_ref().map(numbers),
        })
    };
    let outputs: serde_json::Map<String, Value> =
        found.outputs.iter().map(|(n, x)| (n.clone(), if x.is_finite() { json!(x) } else { Value::Null })).collect();
    let real = |x: f64| if x.is_finite() { json!(x) } else { Value::Null };
    let update = found.update.as_ref().map(|u| {
        let weight = |w: &Changed| {
            json!({ "name": w.name, "shape": w.shape, "before": numbers(&w.before), "change": numbers(&w.by) })
        };
        let file = |f: &Beside| json!({ "file": f.file, "same": f.same, "how": f.how });
        json!({
            "lr": real(u.lr), "grad_norm": real(u.grad_norm), "refused": u.refused,
            "weights": u.weights.iter().map(weight).collect::<Vec<_>>(),
            "files": beside.iter().map(file).collect::<Vec<_>>(),
        })
    });
    json!({
        "step": found.step, "batch": found.batch, "kept": found.kept, "outputs": outputs, "written": written,
        "nodes": found.rows.iter().map(row).collect::<Vec<_>>(), "update": update,
    })
}

/// Whether a number is what `metrics.jsonl` has, in words.
fn as_written(written: Option<&Value>, name: &str, value: f64) -> String {
    match written.and_then(|line| line.get(name)).and_then(Value::as_f64) {
        Some(x) if x as f32 == value as f32 => ", as in metrics.jsonl".to_string(),
        Some(x) => format!(", and {x} in metrics.jsonl"),
        None => String::new(),
    }
}

/// A number in a table; infinite and NaN are none.
fn short(x: f64) -> String {
    if x.is_finite() { format!("{x:.3e}") } else { "-".into() }
}

/// What the optimizer made of the step, for people.
pub fn update(found: &Replayed, written: Option<&Value>, beside: &[Beside]) -> String {
    let Some(update) = &found.update else { return String::new() };
    if let Some(refused) = &update.refused {
        return format!("the step was not taken: {refused}\n");
    }
    let mut out = String::from("\n");
    for (name, value) in [("lr", update.lr), ("grad_norm", update.grad_norm)] {
        out.push_str(&format!("{name} = {value}{}\n", as_written(written, name, value)));
    }
    let mut rows =
        vec![["weight", "shape", "min", "max", "change min", "max", "not finite"].map(String::from).to_vec()];
    for Changed { name, shape, before, by } in &update.weights {
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        let mut cells = vec![name.clone(), format!("[{}]", shape.join(", "))];
        cells.extend([before.min, before.max, by.min, by.max].map(short));
        cells.push(by.not_finite.to_string());
        rows.push(cells);
    }
    out.push_str(&format!("\n{}\n", columns(rows)));
    for Beside { file, same, how } in beside {
        match same {
            true => out.push_str(&format!("{file} holds what the step left, to the bit\n")),
            false => out.push_str(&format!("{file} holds something else than the step left: it {how}\n")),
        }
    }
    if beside.is_empty() {
        out.push_str("the run has no file of what the step left, so that it is compared by metrics.jsonl alone\n");
    }
    out
}

/// For people.
pub fn text(found: &Replayed, loaded: &Loaded, folder: &Path, written: Option<&Value>) -> String {
    let from = if found.kept { "from what was kept of it" } else { "made again" };
    let mut out = format!("step {} of {}, {from}: a batch of {}\n", found.step, folder.display(), found.batch);
    for (name, value) in &found.outputs {
        out.push_str(&format!("{name} = {value}{}\n", as_written(written, name, *value)));
    }
    let head =
        ["node", "operation", "at", "shape", "min", "max", "mean", "not finite", "gradient min", "max", "not finite"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for row in &found.rows {
        let shape: Vec<String> = row.shape.iter().map(usize::to_string).collect();
        let mut cells =
            vec![format!("%{}", row.node), row.what.clone(), place(row, loaded), format!("[{}]", shape.join(", "))];
        cells.extend([row.value.min, row.value.max, row.value.mean].map(short));
        cells.push(row.value.not_finite.to_string());
        match &row.gradient {
            Some(g) => cells.extend([short(g.min), short(g.max), g.not_finite.to_string()]),
            None => cells.extend(["", "", ""].map(String::from)),
        }
        rows.push(cells);
    }
    out.push_str(&format!("\n{}", columns(rows)));
    let wrong = |n: &Numbers| n.not_finite > 0;
    let forward = found.rows.iter().find(|row| wrong(&row.value));
    let backward = found.rows.iter().rev().find(|row| row.gradient.as_ref().is_some_and(wrong));
    match (forward, backward) {
        (Some(row), _) => out.push_str(&format!(
            "\n%{} `{}` ({}) has the first value that is not finite\n",
            row.node,
            row.what,
            place(row, loaded)
        )),
        (None, Some(row)) => out.push_str(&format!(
            "\nall values are finite; %{} `{}` ({}) has the first gradient that is not\n",
            row.node,
            row.what,
            place(row, loaded)
        )),
        (None, None) => out.push_str("\nall values and gradients are finite\n"),
    }
    out
}
