//! Every file in `tests/reports/` has a mistake; what the binary says of it is a snapshot, at a fixed width.

use std::process::Command;

#[test]
fn every_mistake_is_reported_as_a_person_would_want() {
    let mut files: Vec<_> = std::fs::read_dir("tests/reports").unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "rord"));
    files.sort();
    assert!(files.len() >= 120);
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let out = Command::new(env!("CARGO_BIN_EXE_rord-run"))
            .args(["check", &path.display().to_string()])
            .env("RORD_WIDTH", "100")
            .env("NO_COLOR", "1")
            .env_remove("TERM")
            .output()
            .unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        let code = name.split('-').next().unwrap();
        if code.starts_with('R') {
            assert!(said.starts_with(code), "{name}: the first report is another one:\n{said}");
        }
        let errors = said.contains("  × ");
        assert_eq!(out.status.code(), Some(i32::from(errors)), "{name}");
        assert!(!said.contains("panicked"), "{said}");
        insta::with_settings!({ snapshot_path => "../reports", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, said);
        });
    }
}

/// At any width, a line of a report that is wider is code, a path, or one word.
#[test]
fn reports_are_as_wide_as_the_terminal() {
    use rord_lang::report::render::{Style, draw};
    let (mut wide, mut lines) = (Vec::new(), 0);
    let files = std::fs::read_dir("tests/reports").unwrap().map(|e| e.unwrap().path());
    for path in files.filter(|p| p.extension().is_some_and(|e| e == "rord")) {
        let (reports, sources) = match rord_cli::load::load_given(&path, &Default::default()) {
            Ok(loaded) => (loaded.reports, loaded.sources),
            Err(refused) => refused,
        };
        for width in [40, 60, 80, 100] {
            let style = Style { width, color: false, unicode: true };
            let drawn: String = reports.iter().map(|report| draw(report, &sources, style)).collect();
            for line in drawn.lines() {
                lines += 1;
                let text = line.trim_start_matches(|c: char| " ·×⚠☞│╰─┤├┬".contains(c));
                let text = text.strip_prefix("help: ").unwrap_or(text);
                let frame =
                    line.contains("╭─[") || text.split_once(" │ ").is_some_and(|(n, _)| n.parse::<usize>().is_ok());
                // A label whose place is as far right as a narrow line allows; and code, which is copied as a whole.
                let whole = !text.contains(' ') || text.len() <= 16 || width < 80;
                if line.chars().count() > width && !frame && !whole {
                    wide.push(format!("{}, {width}: {line}", path.display()));
                }
            }
        }
    }
    assert!(wide.is_empty(), "{} of {lines}\n{}", wide.len(), wide.join("\n"));
}

/// Every code that stands in the program's text.
fn codes_in(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            codes_in(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") && !entry.ends_with("pages.rs") {
            let text = std::fs::read_to_string(&entry).unwrap();
            let quoted = text.split('"').filter(|p| p.len() == 5 && p.starts_with('R'));
            found.extend(quoted.filter(|p| p[1..].bytes().all(|b| b.is_ascii_digit())).map(str::to_string));
        }
    }
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut codes = std::collections::BTreeSet::new();
    codes_in(std::path::Path::new("src"), &mut codes);
    let pages: std::collections::BTreeSet<String> =
        rord_lang::report::pages::PAGES.iter().map(|(c, _)| c.to_string()).collect();
    assert_eq!(codes.difference(&pages).collect::<Vec<_>>(), Vec::<&String>::new(), "without a page");
    assert_eq!(pages.difference(&codes).collect::<Vec<_>>(), Vec::<&String>::new(), "without a report");
    let files = std::fs::read_dir("docs/reports").unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let files: std::collections::BTreeSet<String> =
        files.filter_map(|f| f.strip_suffix(".md").map(str::to_string)).filter(|f| f != "README").collect();
    assert_eq!(files, pages);
    let list = std::fs::read_to_string("docs/reports/README.md").unwrap();
    assert!(pages.iter().all(|code| list.contains(&format!("({code}.md)"))));
}

/// The codes and severities of what is said about a file, as JSON says it.
fn said(folder: &std::path::Path, args: &[&str]) -> Vec<serde_json::Value> {
    let out = Command::new(env!("CARGO_BIN_EXE_rord-run")).args(args).current_dir(folder).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

#[test]
fn mending_never_brings_another_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("lib")).unwrap();
    for file in std::fs::read_dir("tests/reports/lib").unwrap().map(|e| e.unwrap().path()) {
        std::fs::copy(&file, dir.path().join("lib").join(file.file_name().unwrap())).unwrap();
    }
    let (mut whole, mut mended) = (0, 0);
    let scenarios = std::fs::read_dir("tests/reports").unwrap().map(|e| e.unwrap().path());
    for path in scenarios.filter(|p| p.extension().is_some_and(|e| e == "rord")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file = dir.path().join("f.rord");
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&file, &text).unwrap();
        let errors = |all: &[serde_json::Value]| -> Vec<(String, String)> {
            let wrong = all.iter().filter(|r| r["severity"] == "error");
            wrong.map(|r| (r["code"].to_string(), r["title"].to_string())).collect()
        };
        let before = errors(&said(dir.path(), &["check", "--format", "json", "f.rord"]));
        let trial = said(dir.path(), &["check", "--format", "json", "--fix", "--dry-run", "f.rord"]);
        assert_eq!(std::fs::read(&file).unwrap(), text, "{name}: a trial writes nothing");
        let after = said(dir.path(), &["check", "--format", "json", "--fix", "f.rord"]);
        assert_eq!(errors(&trial), errors(&after), "{name}");
        let left = std::fs::read(&file).unwrap();
        assert_eq!(errors(&said(dir.path(), &["check", "--format", "json", "f.rord"])), errors(&after), "{name}");
        for error in errors(&after) {
            assert!(before.contains(&error), "{name}: {error:?} is new");
        }
        said(dir.path(), &["check", "--format", "json", "--fix", "f.rord"]);
        assert_eq!(std::fs::read(&file).unwrap(), left, "{name}: mended once is mended");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "{name}: nothing stays beside the file");
        mended += usize::from(left != text);
        whole += usize::from(!before.is_empty() && errors(&after).is_empty());
    }
    assert!(mended >= 50 && whole >= 45, "{mended} changed, {whole} without errors");
}

#[test]
fn json_is_as_documented() {
    let page = std::fs::read_to_string("docs/reference/json.md").unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut seen = 0;
    for file in ["R0501-wrong-way", "R0118-tuple", "R0603-padding", "R0122-empty", "many-of-types"] {
        for report in
            said(std::path::Path::new("."), &["check", "--format", "json", &format!("tests/reports/{file}.rord")])
        {
            assert_eq!(keys(&report), ["code", "severity", "title", "labels", "help", "edits", "page"]);
            assert!(["error", "warning", "advice"].contains(&report["severity"].as_str().unwrap()));
            assert!(report["help"].is_string() || report["help"].is_null());
            for place in report["labels"].as_array().unwrap().iter().chain(report["edits"].as_array().unwrap()) {
                assert_eq!(keys(place), ["file", "line", "column", "start", "end", "text"]);
                assert!(place["file"].is_string() && place["text"].is_string());
                let number = |key: &str| place[key].as_u64().unwrap();
                assert!(number("line") >= 1 && number("column") >= 1 && number("start") <= number("end"));
            }
            assert!(std::path::Path::new(report["page"].as_str().unwrap()).exists());
            for key in keys(&report).iter().chain(["line", "column", "start", "end"].map(String::from).iter()) {
                assert!(page.contains(&format!("`{key}`")), "{key} is not documented");
            }
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen}");
    let example = page.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap();
    let shown = said(std::path::Path::new("."), &["check", "--format", "json", "tests/reports/R0501-wrong-way.rord"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(example).unwrap(), shown[0], "the example of the page");
}
