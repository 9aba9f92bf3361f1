//! `rord-run match`: which places of two pictures are the same, and the move between them.

use std::path::Path;
use std::time::Instant;

use rord_engine::refusals;
use rord_lang::report::{Report, runtime};
use rord_matching::features::Select;
use rord_search::drawn::Drawn;
use rord_search::matched::{Matched, Moves, Options, matched};
use rord_search::view;
use serde_json::{Value, json};

use super::args::{MatchArgs, MoveKind, ReportFormat};
use super::load::{Loaded, load_sound};
use super::using::{self, Reader, Shown};

/// Matches.
pub fn run(args: &MatchArgs) -> u8 {
    let Some(loaded) = load_sound(args.file.path(), &args.file.changes.given()) else { return super::REFUSED };
    using::ended(attempt(args, &loaded), &loaded)
}

/// False where somebody asked to stop.
fn attempt(args: &MatchArgs, loaded: &Loaded) -> Result<bool, Vec<Report>> {
    let ending = args.out.as_deref().map(ending).transpose().map_err(|r| vec![r])?;
    let within = args.within;
    if args.keep == 0 || !(within > 0.0 && within.is_finite()) {
        let title = format!("nothing is matched with --keep {} and --within {within}", args.keep);
        return Err(vec![runtime::failed("R0908", &title, "give numbers above 0, as --keep 2048 --within 4")]);
    }
    using::begin().map_err(|r| vec![r])?;
    let mut network = using::network(&args.network, loaded)?;
    let reader = Reader::new(&args.drawn, loaded, network.channels().unwrap_or(1));
    let [a, b] = [only(&reader, &args.a)?, only(&reader, &args.b)?];
    let drawn = [&a, &b].map(|shown| Drawn::new(&shown.picture, reader.channels));
    let moves = match args.moves {
        MoveKind::Similarity => Moves::Similarity,
        MoveKind::Affine => Moves::Affine,
        MoveKind::Homography => Moves::Homography,
    };
    let select = Select { keep: args.keep, ..Options::default().select };
    let options = Options { select, moves, within, upright: args.upright };
    let begin = Instant::now();
    let bar = using::Bar::new("looking at both");
    let [drawn_a, drawn_b] = &drawn;
    let found = matched(&mut network, drawn_a, drawn_b, &options, &mut |done, all| bar.at(done, all));
    drop(bar);
    let Some(found) = found.map_err(using::refused)? else { return Ok(false) };
    let matching = Matching { shown: [&a, &b], args, found, ms: begin.elapsed().as_millis() as u64 };
    match args.format {
        ReportFormat::Json => super::print(&format!("{}\n", matching.json())),
        ReportFormat::Human => super::print(&matching.lines()),
    }
    if let (Some(out), Some(ending)) = (&args.out, ending) {
        let failed = |text: String| vec![runtime::failed("R0914", &text, "name another file with --out")];
        let bytes = match ending {
            Ending::Json => format!("{:#}\n", matching.json()).into_bytes(),
            Ending::Png => {
                let [name_a, name_b] = matching.shown.map(|shown| &shown.name);
                view::matches([drawn_a, drawn_b], [name_a, name_b], &matching.found).map_err(failed)?
            }
        };
        rord_files::write_atomic(out, &bytes).map_err(|e| vec![refusals::file(&e)])?;
        eprintln!("written to {}", out.display());
    }
    Ok(!super::interrupt::stopped())
}

/// How what was matched is written.
enum Ending {
    Png,
    Json,
}

fn ending(out: &Path) -> Result<Ending, Report> {
    match out.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
        Some("png") => Ok(Ending::Png),
        Some("json") => Ok(Ending::Json),
        _ => {
            let title = format!("{}: matches are not written so", out.display());
            Err(runtime::failed("R0914", &title, "endings: .png for a drawing, .json for the numbers"))
        }
    }
}

/// The one picture of a file.
fn only(reader: &Reader, file: &Path) -> Result<Shown, Vec<Report>> {
    if file.is_dir() {
        let title = format!("{} is a folder, and two pictures are matched", file.display());
        return Err(vec![runtime::failed("R0914", &title, "name a picture or a layout in it")]);
    }
    let mut all = reader.read(file)?;
    match all.pop() {
        Some(one) if all.is_empty() => Ok(one),
        _ => {
            let tops: Vec<&str> = all.iter().map(|shown| shown.top.as_str()).filter(|top| !top.is_empty()).collect();
            let help = match tops.first() {
                Some(top) => format!("name the cell to draw, as in --top {top}"),
                None => "write its pages to files of their own".into(),
            };
            let title = format!("{} holds {} pictures, and two are matched", file.display(), all.len() + 1);
            Err(vec![runtime::failed("R0914", &title, &help)])
        }
    }
}

/// Two pictures, and what they have in common.
struct Matching<'a> {
    shown: [&'a Shown; 2],
    args: &'a MatchArgs,
    found: Matched,
    ms: u64,
}

impl Matching<'_> {
    /// One object for programs.
    fn json(&self) -> Value {
        let [a, b] = self.shown.map(|shown| shown.name.clone());
        let found = &self.found;
        let matches: Vec<Value> = found
            .pairs
            .iter()
            .map(|pair| json!([pair.a[0], pair.a[1], pair.b[0], pair.b[1], pair.similarity]))
            .collect();
        let rows = if self.args.moves == MoveKind::Homography { 3 } else { 2 };
        let matrix = found.by.map(|by| by.0.into_iter().take(rows).collect::<Vec<_>>());
        let parts = found.by.map(|by| by.parts()).filter(|_| self.args.moves == MoveKind::Similarity);
        let sizes = self.shown.map(|shown| [shown.picture.width, shown.picture.height]);
        json!({
            "a": a, "b": b, "size_px": sizes, "keypoints": found.points,
            "matches": matches, "inliers": found.inliers, "matrix_px": matrix,
            "turn_deg": parts.map(|(turn, ..)| turn.to_degrees()), "scale": parts.map(|(_, scale, _)| scale),
            "mirrored": parts.map(|(.., mirrored)| mirrored), "ms": self.ms,
        })
    }

    /// Lines for people.
    fn lines(&self) -> String {
        let mut text = String::new();
        for (shown, points) in self.shown.iter().zip(self.found.points) {
            let (width, height) = (shown.picture.width, shown.picture.height);
            text += &format!("{}  {width} × {height} px, {points} key points\n", shown.name);
        }
        let Some(by) = &self.found.by else {
            return text + &format!("{} matches, and no move that enough of them agree with\n", self.found.pairs.len());
        };
        let (turn, scale, mirrored) = by.parts();
        let said = match self.args.moves {
            MoveKind::Similarity => {
                let mirror = if mirrored { ", mirrored" } else { "" };
                format!(": turned {:.1}°{mirror}, scale {scale:.3}", turn.to_degrees())
            }
            _ => String::new(),
        };
        text += &format!("{} of {} matches agree{said}\n", self.found.inliers, self.found.pairs.len());
        let rows = if self.args.moves == MoveKind::Homography { 3 } else { 2 };
        for [p, q, r] in by.0.iter().take(rows) {
            text += &format!("  {p:>12.6} {q:>12.6} {r:>12.4}\n");
        }
        text
    }
}
