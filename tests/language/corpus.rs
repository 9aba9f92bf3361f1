//! What the fuzz targets found worth keeping, replayed, and changed in the same way as in the fuzzer, by whole tokens.
//!
//! `RORD_MUTATIONS=300000 cargo test --release --test language corpus` changes that many more; `fuzz/README.md` says how the corpus was made.

use std::path::{Path, PathBuf};

use super::properties;
use super::properties::gds as layouts;
use super::properties::mutation::{Choice, mutated};

/// The files of a folder, in order.
fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.is_file());
    found.sort();
    found
}

/// Holds every file of a target's corpus to what must hold. Says which one it was, as a fuzzer would.
fn replayed(target: &str, hold: fn(&[u8])) {
    properties::hold_all();
    let found = files(Path::new("tests/corpus").join(target));
    assert!(found.len() >= 15, "{target}: {}", found.len());
    for path in found {
        let bytes = std::fs::read(&path).unwrap();
        if let Err(why) = std::panic::catch_unwind(|| hold(&bytes)) {
            eprintln!("while reading {}", path.display());
            std::panic::resume_unwind(why);
        }
    }
}

#[test]
fn lex() {
    replayed("lex", properties::lex);
}

#[test]
fn parse() {
    replayed("parse", properties::parse);
}

#[test]
fn check() {
    replayed("check", properties::check);
}

#[test]
fn yaml() {
    replayed("yaml", properties::yaml);
}

#[test]
fn set() {
    replayed("set", properties::set);
}

#[test]
fn gds() {
    replayed("gds", layouts::gds);
}

/// Files of every record; `cargo test -p rord-layouts mutations` changes them.
#[test]
fn oasis() {
    let found = files("tests/golden/oasis");
    let found: Vec<&PathBuf> = found.iter().filter(|path| path.extension().is_some_and(|e| e == "oas")).collect();
    assert!(found.len() >= 35, "{}", found.len());
    assert!(found.iter().all(|path| properties::oasis::is_layout(&std::fs::read(path).unwrap())));
}

/// What is shipped, and all mistakes that have a test.
fn texts() -> Vec<String> {
    let folders = ["pipelines", "pipelines/lib", "src/ops/std", "tests/reports"];
    let paths = folders.into_iter().flat_map(files).filter(|p| p.extension().is_some_and(|e| e == "rord"));
    paths.filter_map(|p| std::fs::read_to_string(p).ok()).collect()
}

#[test]
fn nearly_valid_pipelines_end_in_reports_or_graphs() {
    let texts = texts();
    let most: u64 = std::env::var("RORD_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let first: u64 = std::env::var("RORD_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    for seed in first..first + most {
        let mut choose = Choice::new(seed);
        let (text, other) = (&texts[choose.below(texts.len())], &texts[choose.below(texts.len())]);
        let new = mutated(text, other, seed);
        let hold = || {
            properties::parse(new.as_bytes());
            properties::check(new.as_bytes());
        };
        if let Err(why) = std::panic::catch_unwind(hold) {
            eprintln!("seed {seed}:\n{new}");
            std::panic::resume_unwind(why);
        }
    }
}

#[test]
fn what_the_fuzz_targets_include_is_there() {
    let texts = ["fuzz", "fuzz/fuzz_targets", "fuzz/src"].into_iter().flat_map(files);
    let mut count = 0;
    for path in texts {
        let text = std::fs::read_to_string(&path).unwrap();
        for quoted in text.split('"').filter(|q| q.starts_with("../") && q.contains('.')) {
            count += 1;
            assert!(path.parent().unwrap().join(quoted).exists(), "{}: {quoted}", path.display());
        }
    }
    assert!(count > 10, "{count}");
}
