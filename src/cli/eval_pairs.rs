//! `rord-run eval --suite pairs`: a folder in HPatches' form, matched and measured.

use std::path::{Path, PathBuf};

use rord_data::DataError;
use rord_data::geometry::Homography;
use rord_data::images::{Images, Page, decode};
use rord_data::listed::{Listed, listed};
use rord_lang::report::{Report, runtime};
use rord_matching::moves::Move;
use rord_search::drawn::Held;
use rord_search::network::Network;
use rord_search::pairs::{AREAS, Matching, Measured, Seen, Summary, measure};
use serde_json::{Value, json};

use super::args::{EvalArgs, ReportFormat};
use super::load::Loaded;
use super::using;

/// The most pixels of a picture: its descriptors are held all at once.
const MOST: usize = 24_000_000;
/// The sets of a table, and how the names of their folders begin.
const SETS: [(&str, &str); 3] = [("i", "i_"), ("v", "v_"), ("all", "")];

/// A picture that was looked at.
struct Looked {
    path: PathBuf,
    seen: Seen,
    /// From pixels of the file to those that were looked at.
    resized: Move,
}

/// Matches all pairs of the folders, and prints what came of them.
pub fn attempt(args: &EvalArgs, loaded: &Loaded) -> Result<(), Vec<Report>> {
    let matching = Matching { points: args.points.unwrap_or(Matching::default().points), ..Matching::default() };
    let folders: Vec<String> = args.chips.chips.iter().map(|path| path.display().to_string()).collect();
    let mut pairs: Vec<Listed> = Vec::new();
    for folder in &folders {
        pairs.extend(listed(std::slice::from_ref(folder), &[]).map_err(|e| vec![unreadable(&e)])?);
    }
    let mut network = using::network(&args.network, loaded)?;
    let bar = using::Bar::new("matching");
    let mut measured: Vec<(String, Measured)> = Vec::new();
    let mut first: Option<Looked> = None;
    for (index, pair) in pairs.iter().enumerate() {
        if !bar.at(index as u64, pairs.len() as u64) {
            break;
        }
        let a = match first.take().filter(|looked| looked.path == pair.a) {
            Some(looked) => looked,
            None => look(&mut network, &pair.a, &matching, args.short)?,
        };
        let b = look(&mut network, &pair.b, &matching, args.short)?;
        let truth = truth(&pair.h, &a.resized, &b.resized);
        measured.push((set_of(&pair.a), measure(&a.seen, &b.seen, &truth, &matching)));
        first = Some(a);
    }
    drop(bar);
    if super::interrupt::stopped() {
        return Ok(());
    }
    let rows: Vec<(&str, Summary)> = SETS
        .into_iter()
        .filter_map(|(name, begins)| {
            let of: Vec<&Measured> =
                measured.iter().filter(|(set, _)| set.starts_with(begins)).map(|(_, m)| m).collect();
            (!of.is_empty()).then(|| (name, Summary::of(&of)))
        })
        .collect();
    match args.format {
        ReportFormat::Human => super::print(&table(&rows)),
        ReportFormat::Json => {
            let sets: Vec<Value> = rows.iter().map(|(name, row)| json_of(name, row)).collect();
            let all =
                json!({ "suite": "pairs", "key_points": matching.points, "within_px": matching.within, "sets": sets });
            super::print(&format!("{all}\n"));
        }
    }
    Ok(())
}

fn unreadable(error: &DataError) -> Report {
    runtime::failed("R0914", &error.to_string(), &error.help())
}

/// The name of the folder that a picture lies in.
fn set_of(path: &Path) -> String {
    let folder = path.parent().and_then(|p| p.file_name()).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

/// Reads a picture as the network takes it, its shorter side made `short` pixels where that is given, and looks at it.
fn look(
    network: &mut Network<'_>,
    path: &Path,
    matching: &Matching,
    short: Option<usize>,
) -> Result<Looked, Vec<Report>> {
    let wanted = network.channels().unwrap_or(1);
    let images = Images { color: wanted == 3, ..Images::default() };
    let mut page = read(path, &images)?;
    let before = [page.width, page.height];
    if let Some(short) = short {
        let resize = short as f64 / before[0].min(before[1]).max(1) as f64;
        page = read(path, &Images { resize, ..images })?;
    }
    let size = [page.width, page.height];
    if size[0].saturating_mul(size[1]) > MOST {
        let title = format!("{} is {} × {} px, too large to be matched whole", path.display(), size[0], size[1]);
        let help = format!("make it smaller with --short 480; at most {MOST} px are matched");
        return Err(vec![runtime::failed("R0914", &title, &help)]);
    }
    let planes: Vec<Vec<f32>> = page.planes.iter().map(|(_, plane)| plane.shares().collect()).collect();
    // A grey file has its one plane three times where a network takes colors.
    let copies = if planes.len() == 1 && wanted == 3 { 3 } else { 1 };
    let channels = planes.len() * copies;
    let values: Vec<f32> = std::iter::repeat_n(planes, copies).flatten().flatten().collect();
    let seen = Seen::new(network, &Held { values, channels, size }, matching).map_err(using::refused)?;
    Ok(Looked { path: path.to_path_buf(), seen, resized: resized(before, size) })
}

/// The first page of a file.
fn read(path: &Path, images: &Images) -> Result<Page, Vec<Report>> {
    let pages = decode(path, images).map_err(|e| vec![unreadable(&e)])?;
    let none = || vec![runtime::failed("R0914", &format!("{}: no picture", path.display()), "give another")];
    pages.into_iter().next().ok_or_else(none)
}

/// From pixel centers of a picture to those of the same picture in another size.
fn resized(before: [usize; 2], after: [usize; 2]) -> Move {
    let scale = |k: usize| match (before.get(k), after.get(k)) {
        (Some(before), Some(after)) if *before > 0 => *after as f64 / *before as f64,
        _ => 1.0,
    };
    let (x, y) = (scale(0), scale(1));
    Move([[x, 0.0, 0.5 * x - 0.5], [0.0, y, 0.5 * y - 0.5], [0.0, 0.0, 1.0]])
}

fn truth(h: &Homography, a: &Move, b: &Move) -> Move {
    b.after(&Move(h.0)).after(&a.inverse().unwrap_or(Move::IDENTITY))
}

fn percent(values: &[f64], limits: &[usize]) -> String {
    limits.iter().map(|k| format!("{:6.1}", 100.0 * values.get(*k).copied().unwrap_or_default())).collect()
}

/// Shares in percent.
fn table(rows: &[(&str, Summary)]) -> String {
    let mut text = String::from(
        "     pairs  points  matches   repeated @1    @3   accuracy @1    @3    @5   @10   AUC, DLT @1    @3    @5   RANSAC @1    @3    @5\n",
    );
    for (name, row) in rows {
        text += &format!(
            "{name:<4} {:>5} {:>7.0} {:>8.0}       {}       {}        {}      {}\n",
            row.pairs,
            row.points,
            row.matches,
            percent(&row.repeatability, &[0, 2]),
            percent(&row.accuracy, &[0, 2, 4, 9]),
            percent(&row.dlt, &[0, 1, 2]),
            percent(&row.ransac, &[0, 1, 2]),
        );
    }
    text
}

fn json_of(name: &str, row: &Summary) -> Value {
    json!({
        "set": name, "pairs": row.pairs, "points": row.points, "matches": row.matches,
        "repeatability": row.repeatability, "accuracy": row.accuracy, "precision": row.precision,
        "auc_px": AREAS, "auc_dlt": row.dlt, "auc_ransac": row.ransac,
    })
}
