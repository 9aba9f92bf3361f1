//! What a sweep ends with: all of its runs, the best first.

use std::path::PathBuf;

use super::super::columns;
use super::kept::{failed, finished};
use super::points::Point;
use super::share::claimed;
use rord_engine::schedule::Mode;
use rord_lang::report::plural;
use rord_record::progress::short;

/// All runs, the best first.
pub fn table(points: &[Point], runs: &[PathBuf]) -> String {
    let mode = points.first().map_or(Mode::Minimize, |p| p.plan.best.1);
    let mut rows: Vec<(Option<f64>, String, String)> = points
        .iter()
        .zip(runs)
        .map(|(point, run)| match finished(run) {
            Some((path, best)) => (best.map(|b| b.value), point.about(), path.display().to_string()),
            None if claimed(run) => (None, point.about(), "being trained".to_string()),
            None if failed(run) => (None, point.about(), "failed".to_string()),
            None => (None, point.about(), "not finished".to_string()),
        })
        .collect();
    let order = |a: &f64, b: &f64| if mode == Mode::Minimize { a.total_cmp(b) } else { b.total_cmp(a) };
    rows.sort_by(|(a, ..), (b, ..)| match (a, b) {
        (Some(a), Some(b)) => order(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let watched = points.first().map(|p| &p.plan.best.0);
    let head = watched.map(|w| format!("{}.{}", if w.validation { "val" } else { "train" }, w.name));
    let shown = |x: Option<f64>| x.map_or("-".to_string(), short);
    let mut cells = vec![vec![head.unwrap_or_default(), "set".to_string(), "folder".to_string()]];
    cells.extend(rows.into_iter().map(|(value, set, path)| vec![shown(value), set, path]));
    format!("{}\n{}", plural(points.len(), "run"), columns(cells))
}
