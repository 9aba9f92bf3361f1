//! The published objectives of `pipelines/papers`, value and gradients, against PyTorch: `tests/golden/papers.safetensors`, made by
//! `papers.py`. What is compared is the function of the file itself, cut out of it, or the one of the library that it calls.
//!
//! The table of `pipelines/papers/README.md` is written from the same numbers; `INSTA_UPDATE=always` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::DType;

use crate::golden::{Case, cases, errors, functions, words};

const FOLDER: &str = "pipelines/papers";

/// Value and gradient in f64 and in f32. Roots of the library are kept off 0 by 1e-6 below them, which is not in the formulas of the
/// papers: see [`ROOTED`].
const BOUNDS: [(DType, [f64; 2]); 2] = [(DType::F64, [1e-9, 1e-8]), (DType::F32, [1e-4, 1e-3])];

/// Papers whose formula has distances, and how far the 1e-6 may take value and gradient.
const ROOTED: (&[&str], [f64; 2]) =
    (&["aslfeat", "d2net", "disk", "hardnet", "l2net", "sosnet", "tfeat"], [1e-5, 1e-4]);

/// The paper of a case: `hardnet` of `hardnet: hardest`.
fn paper(name: &str) -> &str {
    name.split(':').next().unwrap()
}

#[test]
fn objectives_of_papers_are_those_of_the_papers() {
    let mut wrong = Vec::new();
    for (name, case) in &cases("papers") {
        if let Err(said) = case.graph() {
            wrong.push(format!("{name}: {said}"));
            continue;
        }
        for (dtype, bounds) in BOUNDS {
            let bounds = if dtype == DType::F64 && ROOTED.0.contains(&paper(name)) { ROOTED.1 } else { bounds };
            let errors = errors(case, dtype);
            println!("{name} in {dtype:?}: value off by {:.1e}, gradients by {:.1e}", errors[0], errors[1]);
            for (at, what) in ["value", "gradient"].into_iter().enumerate() {
                if errors[at] > bounds[at] {
                    wrong.push(format!("{name} in {dtype:?}: {what} off by {:.1e}: {}", errors[at], case.expression));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} found\n{}", wrong.len(), wrong.join("\n"));
}

/// How many lines of the language the formulas of a paper's cases are, with all that they call.
fn lines_of(cases: &[&Case], own: &BTreeMap<String, String>, library: &BTreeMap<String, String>) -> usize {
    let mut open: Vec<&str> = cases.iter().flat_map(|c| words(&c.expression)).collect();
    let mut seen = BTreeSet::new();
    let mut lines = 0;
    while let Some(word) = open.pop() {
        if let Some(body) = own.get(word).or_else(|| library.get(word))
            && seen.insert(word)
        {
            lines += body.lines().count();
            open.extend(words(body));
        }
    }
    lines
}

/// What stands behind `# Source:` or `# Differs:` at the head of a file, on one line.
fn said(text: &str, what: &str) -> String {
    let start = format!("# {what}: ");
    let mut lines = text.lines().skip_while(|l| !l.starts_with(&start));
    let first = lines.next().unwrap_or_else(|| panic!("no `{start}`")).trim_start_matches(&start).to_string();
    let more = lines.take_while(|l| l.starts_with("#  ")).map(|l| l.trim_start_matches('#').trim());
    std::iter::once(first.as_str()).chain(more).collect::<Vec<_>>().join(" ")
}

/// The power of ten that is not below an error. What is rounding alone differs from processor to processor, and is one figure.
fn rounded(error: f64) -> f64 {
    if error < 1e-11 { 1e-11 } else { 10f64.powf(error.log10().ceil()) }
}

/// A row for every file: the paper, its formula's lines, the errors of value and gradient, and the rest of the row.
fn rows() -> Vec<(String, [f64; 2], String)> {
    let library: BTreeMap<String, String> = std::fs::read_dir("src/ops/std")
        .unwrap()
        .flat_map(|e| functions(&std::fs::read_to_string(e.unwrap().path()).unwrap()))
        .collect();
    let all = cases("papers");
    let mut files: Vec<_> = std::fs::read_dir(FOLDER).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "rord"));
    files.sort();
    files
        .iter()
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(path).unwrap();
            let own: Vec<&Case> = all.iter().filter(|(name, _)| paper(name) == stem).map(|(_, case)| case).collect();
            assert!(!own.is_empty(), "{stem} has no golden: add one to tests/golden/published");
            let worst = own
                .iter()
                .map(|case| errors(case, DType::F64))
                .fold([0.0f64; 2], |worst, e| [worst[0].max(e[0]), worst[1].max(e[1])]);
            let lines = lines_of(&own, &functions(&text).into_iter().collect(), &library);
            let head = format!("| [{stem}]({stem}.rord) | {} | {lines} |", said(&text, "Source"));
            (head, worst.map(rounded), format!(" {} |", said(&text, "Differs")))
        })
        .collect()
}

const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of the table -->\n";

#[test]
fn the_table_of_papers_is_what_they_are() {
    let path = Path::new(FOLDER).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let rows = rows();
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        let mut table =
            "| file | source | lines | value off by | gradient off by | what differs |\n|---|---|---|---|---|---|\n"
                .to_string();
        for (head, [value, gradient], tail) in rows {
            table.push_str(&format!("{head} {value:.0e} | {gradient:.0e} |{tail}\n"));
        }
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    let written: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(written.len(), rows.len(), "INSTA_UPDATE=always writes {}", path.display());
    for (line, (head, measured, tail)) in written.iter().zip(rows) {
        let middle = line.strip_prefix(&head).and_then(|l| l.strip_suffix(&tail));
        let middle = middle.unwrap_or_else(|| panic!("{line}\nis now\n{head} … {tail}: INSTA_UPDATE=always writes it"));
        let stated: Vec<f64> = middle.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
        assert_eq!(stated.len(), 2, "{line}");
        for (stated, measured) in stated.iter().zip(measured) {
            // Another processor rounds otherwise.
            assert!(measured <= 10.0 * stated, "{line}\nis off by {measured:.0e} here");
        }
    }
}
