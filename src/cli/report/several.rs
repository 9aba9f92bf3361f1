//! The page of several runs: curves over each other, a table, what differs of parameters and text.

use std::collections::BTreeSet;

use rord_lang::report::grouped;
use rord_record::progress::{short, time};

use super::Run;
use super::chart::{Chart, Points, Series};
use super::html::{Cell, cell, code_cell, details, escaped, number_cell, table};
use super::one::{called, shown, status, until};

/// Colors that there are.
const COLORS: usize = 8;

fn color(index: usize) -> String {
    format!("r{}", index % COLORS)
}

/// The name of a run with its color.
fn named(index: usize, run: &Run) -> Cell {
    ("w", format!("<span class=\"swatch {}\"></span>{}", color(index), escaped(&run.short())))
}

/// The page.
pub fn page(runs: &[Run]) -> String {
    let mut pipelines: Vec<&str> = runs.iter().map(|r| r.record.pipeline.as_str()).collect();
    pipelines.dedup();
    let title = format!("{} runs of {}", runs.len(), pipelines.join(", "));
    let mut out = format!("<header><h1>{}</h1></header>\n", escaped(&title));
    let health = health(runs);
    let sections =
        [("runs", "Runs"), ("curves", "Curves"), ("health", "Health"), ("parameters", "Parameters"), ("text", "Text")];
    let there = |(id, _): &(&str, &str)| *id != "health" || !health.is_empty();
    out += &super::contents(&sections.into_iter().filter(there).collect::<Vec<_>>());
    out += &format!("<h2 id=\"runs\">Runs</h2>\n{}", overview(runs));
    out += &format!("<h2 id=\"curves\">Curves</h2>\n{}", curves(runs));
    if !health.is_empty() {
        out += &format!("<h2 id=\"health\">Health</h2>\n<div class=\"charts\">{health}</div>\n");
    }
    out += &format!("<h2 id=\"parameters\">Parameters</h2>\n{}", parameters(runs));
    out += &format!("<h2 id=\"text\">Text</h2>\n{}", texts(runs));
    super::whole(&title, &out)
}

fn overview(runs: &[Run]) -> String {
    let mut validated: Vec<String> = Vec::new();
    for name in runs.iter().flat_map(|r| r.record.validation.keys()).map(shown) {
        if !validated.contains(&name) {
            validated.push(name);
        }
    }
    let mut heads = vec![
        cell("run"),
        cell("ended"),
        ("r", "epochs".into()),
        ("r", "steps".into()),
        ("r", "time".into()),
        ("r", "best".into()),
    ];
    heads.extend(validated.iter().map(|name| ("r", format!("val {}", escaped(name)))));
    let row = |(index, run): (usize, &Run)| {
        let record = &run.record;
        let best = record.best.as_ref().map(|b| format!("{} in {}", short(b.value), b.epoch)).unwrap_or_default();
        let mut cells = vec![
            named(index, run),
            cell(status(record.status)),
            number_cell(&record.epochs_done.to_string()),
            number_cell(&grouped(run.curves.steps as usize)),
            number_cell(&run.seconds().map(time).unwrap_or_default()),
            number_cell(&best),
        ];
        let of = |name: &String| record.validation.get(name.as_str()).and_then(|v| v.as_f64());
        cells.extend(validated.iter().map(|name| number_cell(&of(name).map(short).unwrap_or_default())));
        cells
    };
    table(&heads, runs.iter().enumerate().map(row))
}

fn curves(runs: &[Run]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in runs.iter().flat_map(|r| &r.curves.all) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    // Those of every run come last.
    names.sort_by_key(|name| super::one::OWN.contains(name));
    let until = runs.iter().map(until).fold(0.0, f64::max);
    let chart = |name: &&str| {
        let validated = runs.iter().any(|r| r.curves.of(name).is_some_and(|c| !c.val.is_empty()));
        let one = |(index, run): (usize, &Run)| {
            let curve = run.curves.of(name)?;
            let points = match validated {
                true => Points::Epochs(curve.val.clone()),
                false => Points::Steps(curve.train.clone()),
            };
            (!points.is_empty()).then(|| Series { name: run.short(), class: color(index), points })
        };
        let series = runs.iter().enumerate().filter_map(one).collect();
        let about = if validated { "validation" } else { "training" };
        Chart { name: called(name).into(), about: about.into(), series, until, best: None }.html()
    };
    let charts: String = names.iter().map(chart).collect();
    format!(
        "<div class=\"charts\">{charts}</div>\n\
         <p class=\"hint\" hidden>Point at a curve for its numbers, drag to zoom into all of them, double-click to see all again.</p>\n"
    )
}

/// How the terms of the runs were, each figure over the others'; empty where no run has one.
fn health(runs: &[Run]) -> String {
    let names: BTreeSet<&str> =
        runs.iter().flat_map(|run| &run.curves.figures).map(|(name, _)| name.as_str()).collect();
    let until = runs.iter().map(until).fold(0.0, f64::max);
    let chart = |name: &&str| {
        let one = |(index, run): (usize, &Run)| {
            let points = run.curves.figure(name).to_vec();
            (!points.is_empty()).then(|| Series {
                name: run.short(),
                class: color(index),
                points: Points::Epochs(points),
            })
        };
        let (term, figure) = name.rsplit_once('.').unwrap_or(("", name));
        let series = runs.iter().enumerate().filter_map(one).collect();
        Chart { name: format!("{term}: {figure}"), about: String::new(), series, until, best: None }.html()
    };
    names.iter().map(chart).collect()
}

/// Each parameter with its value in every run; those that differ come first.
fn parameters(runs: &[Run]) -> String {
    let mut names: Vec<String> = Vec::new();
    for name in runs.iter().flat_map(|r| r.record.params.keys()).map(shown) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let values = |name: &String| -> Vec<String> {
        runs.iter().map(|r| r.record.params.get(name.as_str()).map(shown).unwrap_or_default()).collect()
    };
    let (differ, same): (Vec<_>, Vec<_>) = names
        .into_iter()
        .map(|name| (values(&name), name))
        .partition(|(values, _)| values.iter().collect::<BTreeSet<_>>().len() > 1);
    let heads =
        || [cell("name")].into_iter().chain(runs.iter().enumerate().map(|(i, r)| named(i, r))).collect::<Vec<_>>();
    let row = |(values, name): &(Vec<String>, String)| {
        [code_cell(name)].into_iter().chain(values.iter().map(|v| code_cell(v))).collect::<Vec<_>>()
    };
    let mut out = match differ.is_empty() {
        true => "<p class=\"lead\">All parameters are the same.</p>\n".to_string(),
        false => table(&heads(), differ.iter().map(row)),
    };
    if !same.is_empty() {
        let rows = same
            .iter()
            .map(|(values, name)| vec![code_cell(name), code_cell(values.first().map_or("", String::as_str))]);
        out +=
            &details(&format!("{} that are the same in all", same.len()), &table(&[cell("name"), cell("value")], rows));
    }
    out
}

/// How the text of each run differs from the first's.
fn texts(runs: &[Run]) -> String {
    let Some((first, others)) = runs.split_first() else { return String::new() };
    let mut out = String::new();
    for run in others {
        let patches = match crate::diff::texts(&first.folder, &run.folder) {
            Ok(patches) => patches,
            Err(report) => {
                out += &format!("<p class=\"lead\">{}</p>\n", escaped(&report.title));
                continue;
            }
        };
        for (_, patch) in patches {
            let line = |line: &str| {
                let class = match line.chars().next() {
                    Some('+') => "plus",
                    Some('-') => "minus",
                    Some('@') => "at",
                    _ => "",
                };
                format!("<i class=\"{class}\">{}</i>\n", escaped(line))
            };
            out += &format!("<pre class=\"patch\">{}</pre>\n", patch.lines().map(line).collect::<String>());
        }
    }
    if out.is_empty() {
        let all = if runs.len() == 2 { "both" } else { "all" };
        return format!("<p class=\"lead\">The text is the same in {all}.</p>\n");
    }
    out
}
