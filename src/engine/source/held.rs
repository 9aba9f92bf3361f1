//! What is held of a run's data, as far as its recipe and the heads of its files say.

use super::recipes::layouts_of;
use crate::machine;
use rord_data::Source;
use rord_data::images::{Images, header};
use rord_data::store::Store;
use rord_lang::report::plural;
use rord_lang::typed::Dataset;

/// What is held of a dataset, as far as its recipe and the heads of its files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes of layouts and pictures.
    pub pictures: usize,
    /// Bytes that drawing or reading them takes beside.
    pub making: usize,
    /// The recipe and the setting that counts: `synth(tiles = 64)`.
    pub what: String,
    /// What takes less.
    pub less: String,
    /// Bytes that reading layouts takes which are not drawn yet. It is over before the first step.
    pub reading: usize,
}

impl Held {
    /// All bytes.
    pub fn bytes(&self) -> usize {
        self.pictures.saturating_add(self.making)
    }
}

/// What helps where a layout does not fit.
const READING: &str = "cut out what you need of it and name that, or have it drawn once where there is more memory: \
                       what is drawn is not read again";

/// What a picture takes that lies in the store: its names, and where its tiles lie.
const STORED: usize = 3 << 10;

/// What is held of each dataset. Where reading layouts takes no more than `enough` bytes by the sizes of their files, it is not counted
/// any closer.
pub fn held(datasets: &[Dataset], enough: usize) -> Vec<Held> {
    let limit = Store::of_process().memory().limit();
    let threads = machine::threads();
    let one = |dataset: &Dataset| {
        let settings = &dataset.recipe.settings;
        let layouts = settings.recipe("layouts").ok();
        match layouts.and_then(|recipe| layouts_of(recipe).ok()) {
            Some(Source::Synth(synth)) => {
                let stored = if synth.bytes() > limit { synth.tiles.saturating_mul(STORED) } else { 0 };
                Held {
                    pictures: synth.bytes().min(limit).saturating_add(stored),
                    making: synth.drawing(threads),
                    what: format!(
                        "synth(tiles = {}, size = {}, resolution = {})",
                        synth.tiles, synth.size, synth.resolution
                    ),
                    less: less("lower `tiles`, `size` or `resolution`", synth.bytes() >= limit, limit),
                    reading: 0,
                }
            }
            // What lies in the store takes as much as may be held of it.
            Some(Source::Gds(gds)) => {
                let reading = gds.reading(&Store::of_process(), threads, enough as u64);
                let bytes = usize::try_from(reading.bytes).unwrap_or(usize::MAX);
                let (what, help) = match reading.file.filter(|_| bytes > limit) {
                    Some(file) => (format!("reading {} takes most", file.display()), READING.to_string()),
                    None => ("gds(…)".into(), less("lower `resolution`, or draw a `window`", true, limit)),
                };
                Held { pictures: limit, making: 0, what, less: help, reading: bytes }
            }
            Some(Source::Images(images)) => {
                let color = settings.count("channels").is_ok_and(|n| n == 3);
                let found = header::taken(&Images { color, ..images });
                Held {
                    pictures: found.held.min(limit),
                    making: found.reading.saturating_mul(threads.min(found.files)),
                    what: format!("images(…) of {}", plural(found.files, "file")),
                    less: less("name fewer files, or make them smaller:  resize = 0.5", found.held >= limit, limit),
                    reading: 0,
                }
            }
            None => Held::default(),
        }
    };
    datasets.iter().map(one).collect()
}

fn less(what: &str, limited: bool, limit: usize) -> String {
    match limited {
        true => format!("{what}, or hold less of it in memory:  --data-memory {}", (limit / 4_000_000).max(16)),
        false => what.into(),
    }
}

/// Bytes of the pictures that datasets are cut from, at most, and of making them; then what reading layouts takes before.
pub fn pictures(datasets: &[Dataset], enough: usize) -> (usize, usize) {
    let held = held(datasets, enough);
    (held.iter().map(Held::bytes).fold(0, usize::saturating_add), held.iter().map(|h| h.reading).max().unwrap_or(0))
}
