//! Broken files: each golden changed in a few places, many times over. Every reading ends in a layout or in an error
//! with a reason, and never takes more than its limits.
//!
//! `RORD_MUTATIONS=1000000 cargo test --release -p rord-layouts mutations` makes that many.

use std::path::Path;
use std::time::{Duration, Instant};

use super::tests::folder;
use super::*;
use crate::{Repetition, Shapes};

/// Numbers that depend on a seed alone (splitmix64).
struct Choice(u64);

impl Choice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }
}

/// Numbers at the ends of their ranges, as OASIS writes them.
const ODD: [&[u8]; 8] = [
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x08],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x80, 0x80, 0x40],
    &[0x7f],
];

/// A file changed in one to four places; where it has 256 bytes more, not in its END record.
fn mutated(file: &[u8], other: &[u8], choose: &mut Choice) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..=choose.below(4) {
        let end = if bytes.len() > 300 { bytes.len() - 253 } else { bytes.len() };
        let at = choose.below(end);
        let to = (at + choose.below(24)).min(bytes.len());
        match choose.below(9) {
            0 | 1 => bytes[at] ^= 1 << choose.below(8),
            2 => bytes[at] = choose.next() as u8,
            // A type of record.
            3 => bytes[at] = choose.below(36) as u8,
            4 => drop(bytes.splice(at..at + 1, ODD[choose.below(ODD.len())].iter().copied())),
            5 => drop(bytes.drain(at..to)),
            6 => {
                let copied = bytes[at..to].to_vec();
                let place = choose.below(end);
                bytes.splice(place..place, copied);
            }
            7 => {
                let from = choose.below(other.len());
                let copied = other[from..(from + choose.below(60)).min(other.len())].to_vec();
                bytes.splice(at..at, copied);
            }
            _ => bytes.truncate(at + 1),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Points that shapes keep in memory.
fn kept(shapes: &Shapes) -> u64 {
    let places = |repetition: &Repetition| match repetition {
        Repetition::Places(places) => 2 * places.len(),
        _ => 0,
    };
    let repeated: usize = shapes.repeated.iter().map(|(points, copies)| points.len() + places(copies)).sum();
    let wires: usize = shapes.wires.iter().map(|wire| wire.spine.len() + places(&wire.repetition)).sum();
    (2 * shapes.rectangles.len() + shapes.polygons.points().len() + repeated + wires) as u64
}

/// What must hold for any bytes; true where they are a layout.
fn check(bytes: &[u8]) -> bool {
    let begin = Instant::now();
    let limits = Limits { inflated: 1 << 22, points: 1 << 20 };
    if let Ok(read) = read_within(Path::new("input.oas"), bytes, limits) {
        let cells = &read.library.cells;
        let kept: u64 = cells.iter().flat_map(|cell| &cell.layers).map(|(_, shapes)| kept(shapes)).sum();
        // The outline of a path has up to four points for each of its own.
        assert!(kept <= 4 * limits.points, "{kept}");
        let placements = cells.iter().flat_map(|cell| &cell.placements);
        assert!(placements.clone().all(|p| (p.cell.0 as usize) < cells.len()));
        assert!(placements.flat_map(|p| p.transform.matrix).all(f64::is_finite));
    }
    let good = crate::properties::oasis::is_layout(bytes);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    good
}

fn goldens() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "oas"));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn files_cut_anywhere_end_in_an_error() {
    let mut cuts = 0;
    for file in goldens() {
        for length in MAGIC.len()..file.len().saturating_sub(254) {
            check(&file[..length]);
            cuts += 1;
        }
    }
    assert!(cuts > 10_000, "{cuts}");
}

#[test]
fn files_with_any_changes_end_in_a_layout_or_an_error() {
    let files = goldens();
    let most: u64 = std::env::var("RORD_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let first: u64 = std::env::var("RORD_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let (mut read_well, mut slowest) = (0u64, Duration::ZERO);
    for seed in first..first + most {
        let mut choose = Choice(seed << 20);
        let (file, other) = (&files[choose.below(files.len())], &files[choose.below(files.len())]);
        let bytes = mutated(file, other, &mut choose);
        if bytes.len() < MAGIC.len() {
            continue;
        }
        let begin = Instant::now();
        match std::panic::catch_unwind(|| check(&bytes)) {
            Ok(good) => read_well += u64::from(good),
            Err(why) => {
                eprintln!("seed {seed}: {bytes:?}");
                std::panic::resume_unwind(why);
            }
        }
        slowest = slowest.max(begin.elapsed());
    }
    eprintln!("{read_well} of {most} are read; the slowest takes {slowest:?}");
    // Changes that nothing reads would test nothing, and so would changes that all are errors.
    assert!(read_well > most / 20 && read_well < most * 19 / 20, "{read_well} of {most}");
}
