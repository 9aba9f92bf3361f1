//! What was found, in every form that it is written in.

mod gds;
mod lyrdb;

use std::path::{Path, PathBuf};

use rord_engine::refusals;
use rord_lang::report::{Report, runtime};
use rord_matching::moves::Move;
use rord_matching::search;
use rord_search::chip::Answer;
use rord_search::drawn::Drawn;
use rord_search::picture;
use serde_json::{Value, json};

use super::queries::Asked;
use super::using::{self, Shown};

/// What a query was answered, and in which chip.
pub struct Hit {
    /// The number of the chip.
    pub chip: usize,
    /// The answer.
    pub answer: Answer,
}

/// The answers to all queries.
pub struct Found<'a> {
    /// The queries.
    pub asked: &'a [Asked],
    /// The chips.
    pub chips: &'a [Shown],
    /// For each query its answers, the best first.
    pub hits: Vec<Vec<Hit>>,
    /// Milliseconds that each query took.
    pub ms: Vec<u64>,
    /// Milliseconds that looking at the chips took.
    pub index_ms: u64,
}

impl Asked {
    /// The corners, clockwise from the upper left one, under a move.
    pub fn corners(&self, by: &Move) -> [[f64; 2]; 4] {
        search::corners(self.pixels.size).map(|corner| by.apply(corner))
    }
}

impl Shown {
    /// From pixel centers of the picture to µm.
    pub fn to_um(&self) -> Option<Move> {
        self.place.map(using::to_um)
    }
}

impl Found<'_> {
    fn chip(&self, hit: &Hit) -> Option<&Shown> {
        self.chips.get(hit.chip)
    }

    fn all(&self) -> impl Iterator<Item = (&Asked, &[Hit])> {
        self.asked.iter().zip(self.hits.iter().map(Vec::as_slice))
    }

    /// One object for programs.
    pub fn json(&self) -> Value {
        let queries: Vec<Value> = self
            .all()
            .zip(&self.ms)
            .map(|((asked, hits), ms)| {
                let found: Vec<Value> = hits.iter().map(|hit| self.one(asked, hit)).collect();
                json!({ "query": asked.name, "ms": ms, "found": found })
            })
            .collect();
        let pixels: u64 = self.chips.iter().map(|c| c.picture.width as u64 * c.picture.height as u64).sum();
        json!({ "queries": queries, "index_ms": self.index_ms, "pixels": pixels })
    }

    fn one(&self, asked: &Asked, hit: &Hit) -> Value {
        let by = &hit.answer.by;
        let (turn, scale, mirrored) = by.parts();
        let rows = |m: &Move| {
            let [first, second, _] = m.0;
            json!([first, second])
        };
        let um = self.chip(hit).and_then(Shown::to_um).map(|to_um| rows(&to_um.after(by)));
        json!({
            "in": self.chip(hit).map(|chip| chip.file.display().to_string()),
            "top": self.chip(hit).map(|chip| chip.top.clone()),
            "matrix_px": rows(by), "matrix_um": um, "corners_px": asked.corners(by),
            "turn_deg": turn.to_degrees(), "scale": scale, "mirrored": mirrored,
            "inliers": hit.answer.inliers, "score": hit.answer.score,
        })
    }

    /// Lines for people.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for (asked, hits) in self.all() {
            text += &format!("{}\n", asked.name);
            if hits.is_empty() {
                text += "  not found\n";
            }
            for hit in hits {
                let (turn, scale, mirrored) = hit.answer.by.parts();
                let [width, height] = asked.pixels.size;
                let middle = hit.answer.by.apply([(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0]);
                let um = self.chip(hit).and_then(Shown::to_um).map(|to_um| to_um.apply(middle));
                let place = match um {
                    Some([x, y]) => format!("({x:.2}, {y:.2}) µm"),
                    None => format!("({:.1}, {:.1}) px", middle[0], middle[1]),
                };
                let file = self.chip(hit).map_or(String::new(), |chip| chip.file.display().to_string());
                let mirror = if mirrored { ", mirrored" } else { "" };
                text += &format!(
                    "  {file} at {place}, turned {:.1}°{mirror}, scale {scale:.3}, score {:.2}\n",
                    turn.to_degrees(),
                    hit.answer.score
                );
            }
        }
        text
    }

    /// Writes to a file, whose ending says how.
    pub fn write(&self, out: &Path) -> Result<(), Report> {
        let ending = out.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        let failed = |text: String| runtime::failed("R0914", &text, "name another file with --out");
        let bytes = match ending.as_str() {
            "json" => format!("{:#}\n", self.json()).into_bytes(),
            "lyrdb" => lyrdb::text(self).into_bytes(),
            "gds" => gds::marked(self).map_err(failed)?,
            "png" => self.png().map_err(failed)?,
            _ => {
                let title = format!("{}: results are not written so", out.display());
                return Err(runtime::failed("R0914", &title, "endings: .json, .png, .lyrdb (KLayout's markers), .gds"));
            }
        };
        rord_files::write_atomic(out, &bytes).map_err(|e| refusals::file(&e))
    }

    /// The first query, and the chip around its answers.
    fn png(&self) -> Result<Vec<u8>, String> {
        let first = self.all().find(|(_, hits)| !hits.is_empty()).or_else(|| self.all().next());
        let (asked, hits) = first.ok_or("there is no query to show")?;
        let chip = hits.first().and_then(|hit| self.chip(hit)).or(self.chips.first()).ok_or("there is no chip")?;
        let here = |hit: &&Hit| self.chip(hit).is_some_and(|c| std::ptr::eq(c, chip));
        let places: Vec<_> = hits.iter().filter(here).map(|hit| hit.answer.by).collect();
        picture::found(&asked.pixels, &Drawn::new(&chip.picture, 1), &places)
    }

    /// The files of the chips that are layouts, each once.
    fn layouts(&self) -> Vec<&PathBuf> {
        let mut files: Vec<&PathBuf> = self.chips.iter().filter(|c| c.recipe.is_some()).map(|c| &c.file).collect();
        files.dedup();
        files
    }
}
