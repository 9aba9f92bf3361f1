//! `rord-run eval --suite cells`: every instance of a cell from one exemplar, against the hierarchy of the layout.

use std::collections::{BTreeMap, BTreeSet};

use rord_lang::report::{Report, runtime};
use rord_layouts::{Bounds, CellId, Hierarchy, Transform};
use rord_matching::instances::Instances;
use rord_matching::moves::Move;
use rord_search::cells::{Scored, Truth, same_drawing};
use rord_search::chip::{Chip, Options};
use rord_search::drawn::Drawn;
use rord_search::query::Query;
use serde_json::{Value, json};

use super::args::{EvalArgs, ReportFormat};
use super::load::Loaded;
use super::queries::{self, Exemplar};
use super::using;
use super::using::Shown;

/// How many cells are looked for where none is named.
const CELLS: usize = 5;
/// Pixels of the smaller side from which on a cell that is not named is large enough to be seen.
const SEEN: usize = 24;
/// Instances of a cell at most.
const MOST: u64 = 1_000_000;

/// A layout with its hierarchy and the cell that is drawn.
struct Layout<'a> {
    shown: &'a Shown,
    hierarchy: Hierarchy,
    top: CellId,
    /// How often each cell lies in what is drawn, of those that do.
    counts: Vec<(CellId, u64)>,
}

/// What came of a cell, over all layouts.
#[derive(Default)]
struct Row {
    size: [usize; 2],
    scored: Scored,
    /// Cells that are drawn the same: their instances count.
    same: BTreeSet<String>,
    symmetric: bool,
}

/// Looks for the cells in every layout, and prints what came of it.
pub fn attempt(args: &EvalArgs, loaded: &Loaded) -> Result<(), Vec<Report>> {
    let chips = using::chips(&args.chips, loaded)?;
    let layouts: Vec<Layout<'_>> = chips.iter().map(Layout::new).collect::<Result<_, _>>().map_err(|r| vec![r])?;
    let names = match args.cells.is_empty() {
        true => most_frequent(&layouts)?,
        false => named(&layouts, &args.cells).map_err(|r| vec![r])?,
    };
    let mut network = using::network(&args.network, loaded)?;
    let instances = Instances { least: args.least.unwrap_or(Instances::default().least), ..Instances::default() };
    let options = Options { all: Some(instances), ..Options::default() };
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for layout in &layouts {
        let mut cells: Vec<(&str, Exemplar, Truth)> = Vec::new();
        for name in &names {
            let Some(cell) = layout.hierarchy.named(name) else { continue };
            let exemplar = queries::exemplar(name, layout.shown).map_err(|r| vec![r])?;
            let row = rows.entry(name).or_default();
            let truth = layout.truth(cell, &exemplar, row).map_err(|r| vec![r])?;
            cells.push((name, exemplar, truth));
        }
        let views: Vec<Query> = cells
            .iter()
            .map(|(_, exemplar, _)| Query::new(&mut network, &exemplar.pixels))
            .collect::<Result<_, _>>()
            .map_err(using::refused)?;
        let bar = using::Bar::new(&format!("searching {}", layout.shown.picture.name));
        let drawn = Drawn::new(&layout.shown.picture, 1);
        let chip = Chip { pixels: &drawn, options, index: None };
        let searched = chip.search(&mut network, &views, &mut |done, all| bar.at(done, all)).map_err(using::refused)?;
        if super::interrupt::stopped() {
            return Ok(());
        }
        for ((name, exemplar, truth), answers) in cells.iter().zip(searched.answers) {
            let scored = truth.score(&answers, exemplar.pixels.size);
            let row = rows.entry(name).or_default();
            row.scored.instances += scored.instances;
            row.scored.right.extend(scored.right);
        }
    }
    let rows: Vec<(&String, Row)> = names.iter().filter_map(|name| Some((name, rows.remove(name.as_str())?))).collect();
    match args.format {
        ReportFormat::Human => super::print(&table(&rows)),
        ReportFormat::Json => super::print(&format!("{}\n", json_of(&rows, instances.least))),
    }
    Ok(())
}

impl<'a> Layout<'a> {
    fn new(shown: &'a Shown) -> Result<Self, Report> {
        let file = shown.file.display();
        let failed =
            |what: &dyn std::fmt::Display, help: &str| runtime::failed("R0914", &format!("{file}: {what}"), help);
        if shown.recipe.is_none() {
            return Err(failed(&"a picture has no cells", "give layouts to --in, GDSII or OASIS"));
        }
        let read = rord_layouts::read(&shown.file).map_err(|e| failed(&e, "give another layout"))?;
        let hierarchy = Hierarchy::new(read.library).map_err(|e| failed(&e, "give another layout"))?;
        let top = hierarchy.named(&shown.top);
        let top = top.ok_or_else(|| failed(&format!("no cell `{}`", shown.top), "the file has changed; try again"))?;
        let ids = (0..hierarchy.library().cells.len() as u32).map(CellId).filter(|id| *id != top);
        let count = |id: CellId| hierarchy.instances(top, id, MOST).map_or(MOST, |all| all.len() as u64);
        let counts = ids.map(|id| (id, count(id))).filter(|(_, count)| *count > 0).collect();
        Ok(Self { shown, hierarchy, top, counts })
    }

    /// How often each cell lies in what is drawn, without that itself.
    fn counts(&self) -> impl Iterator<Item = (CellId, &str, u64)> {
        let named = |(id, count): &(CellId, u64)| Some((*id, self.hierarchy.cell(*id)?.name.as_str(), *count));
        self.counts.iter().filter_map(named)
    }

    /// Where a cell lies, and the cells that are drawn the same.
    fn truth(&self, cell: CellId, exemplar: &Exemplar, row: &mut Row) -> Result<Truth, Report> {
        let mut moves = self.places(cell, exemplar)?;
        for (id, name, _) in self.counts().filter(|(id, ..)| *id != cell && self.alike(cell, *id)) {
            let Ok(other) = queries::exemplar(name, self.shown) else { continue };
            if let Some(to) = same_drawing(&exemplar.pixels, &other.pixels).first() {
                moves.extend(self.places(id, &other)?.iter().map(|by| by.after(to)));
                row.same.insert(name.to_string());
            }
        }
        let picture = [self.shown.picture.width, self.shown.picture.height];
        let truth = Truth::new(moves, &exemplar.pixels, picture);
        row.size = exemplar.pixels.size;
        row.symmetric |= truth.symmetries.len() > 1;
        Ok(truth)
    }

    /// Whether two cells are equally large, with all their layers.
    fn alike(&self, a: CellId, b: CellId) -> bool {
        let side = |bounds: &Bounds, k: usize| {
            let end = |point: &[i32; 2]| point.get(k).map_or(0, |at| i64::from(*at));
            end(&bounds.high) - end(&bounds.low)
        };
        let size = |id: CellId| {
            let bounds = self.hierarchy.bounds(id, &|_| true).ok().flatten()?;
            let [width, height] = [0, 1].map(|k: usize| side(&bounds, k));
            Some((width.min(height), width.max(height)))
        };
        size(a).is_some_and(|a| size(b) == Some(a))
    }

    /// From the pixels of a cell's drawing to those of the layout's, for every instance.
    fn places(&self, cell: CellId, exemplar: &Exemplar) -> Result<Vec<Move>, Report> {
        let many = |e: rord_layouts::HierarchyError| {
            runtime::failed(
                "R0914",
                &e.to_string(),
                "choose other cells with --cells, or a part of the layout with --top",
            )
        };
        let transforms = self.hierarchy.instances(self.top, cell, MOST).map_err(many)?;
        let unit = self.hierarchy.library().unit;
        let Some(to_px) = self.shown.to_um().and_then(|to_um| to_um.inverse()) else { return Ok(Vec::new()) };
        let place = |Transform { matrix: [a, b, c, d], shift: [x, y] }: &Transform| {
            let placed = Move([[*a, *b, x * unit], [*c, *d, y * unit], [0.0, 0.0, 1.0]]);
            to_px.after(&placed).after(&exemplar.to_um)
        };
        Ok(transforms.iter().map(place).collect())
    }
}

/// The cells that lie most often in the layouts, of those that are large enough to be seen.
fn most_frequent(layouts: &[Layout<'_>]) -> Result<Vec<String>, Vec<Report>> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, name, count) in layouts.iter().flat_map(Layout::counts) {
        let sum = counts.entry(name).or_default();
        *sum = sum.saturating_add(count);
    }
    let mut order: Vec<(&str, u64)> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    order.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let is_seen = |name: &str| {
        let drawn = layouts.iter().filter(|l| l.hierarchy.named(name).is_some());
        let sizes = drawn.filter_map(|l| queries::exemplar(name, l.shown).ok()).map(|e: Exemplar| e.pixels.size);
        sizes.take(1).any(|[width, height]| width.min(height) >= SEEN)
    };
    let names: Vec<String> =
        order.into_iter().map(|(name, _)| name).filter(|n| is_seen(n)).take(CELLS).map(String::from).collect();
    if names.is_empty() {
        let title = format!("no cell of at least {SEEN} × {SEEN} px is placed more than once");
        return Err(vec![runtime::failed(
            "R0914",
            &title,
            "name cells with --cells, or draw more pixels with --resolution",
        )]);
    }
    Ok(names)
}

/// The cells whose names fit the patterns, in the order of these.
fn named(layouts: &[Layout<'_>], patterns: &[String]) -> Result<Vec<String>, Report> {
    let mut names: Vec<String> = Vec::new();
    for pattern in patterns {
        let before = names.len();
        let mut known = false;
        for layout in layouts {
            let fitting: BTreeSet<CellId> = layout.hierarchy.matching(pattern).into_iter().collect();
            for (_, name, _) in layout.counts().filter(|(id, ..)| fitting.contains(id)) {
                known = true;
                if !names.iter().any(|n| n == name) {
                    names.push(name.to_string());
                }
            }
        }
        if !known && names.len() == before {
            let mut all: Vec<(&str, u64)> = layouts.iter().flat_map(Layout::counts).map(|(_, n, c)| (n, c)).collect();
            all.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
            let some: Vec<&str> = all.iter().take(6).map(|(name, _)| *name).collect();
            let help = match some.is_empty() {
                true => "the layouts place no cells".to_string(),
                false => format!("cells that are placed most: {}", some.join(", ")),
            };
            return Err(runtime::failed("R0914", &format!("no cell that is placed fits `{pattern}`"), &help));
        }
    }
    Ok(names)
}

fn mean_f1(rows: &[(&String, Row)]) -> f64 {
    rows.iter().map(|(_, row)| row.scored.f1()).sum::<f64>() / rows.len().max(1) as f64
}

fn table(rows: &[(&String, Row)]) -> String {
    let wide = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(4);
    let mut text = format!("{:<wide$}         px  instances  found  right  precision  recall     F1\n", "cell");
    for (name, row) in rows {
        let Row { size: [width, height], scored, .. } = row;
        let size = format!("{width}×{height}");
        let mut told: Vec<String> = row.same.iter().map(|other| format!("drawn as {other}")).collect();
        if row.symmetric {
            told.push("symmetric".into());
        }
        let told = if told.is_empty() { String::new() } else { format!("  ({})", told.join(", ")) };
        text += &format!(
            "{name:<wide$}  {size:>9}  {:>9}  {:>5}  {:>5}  {:>9.3}  {:>6.3}  {:>5.3}{told}\n",
            scored.instances,
            scored.right.len(),
            scored.hits(),
            scored.precision(),
            scored.recall(),
            scored.f1(),
        );
    }
    text + &format!(
        "{:<wide$}  {:>9}  {:>9}  {:>5}  {:>5}  {:>9}  {:>6}  {:>5.3}\n",
        "mean",
        "",
        "",
        "",
        "",
        "",
        "",
        mean_f1(rows)
    )
}

fn json_of(rows: &[(&String, Row)], least: f64) -> Value {
    let one = |(name, row): &(&String, Row)| {
        let scored = &row.scored;
        json!({
            "cell": name, "px": row.size, "instances": scored.instances, "found": scored.right.len(), "right": scored.hits(),
            "precision": scored.precision(), "recall": scored.recall(), "f1": scored.f1(),
            "drawn_as": row.same, "symmetric": row.symmetric, "answers": scored.right,
        })
    };
    json!({ "suite": "cells", "least": least, "cells": rows.iter().map(one).collect::<Vec<_>>(), "mean_f1": mean_f1(rows) })
}
