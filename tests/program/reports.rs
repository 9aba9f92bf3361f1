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
                let whole = !text.contains(' ')
                    || text.starts_with("--")
                    || text.starts_with("rord-run")
                    || width < 80 && line.contains('·');
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
    let (mut whole, mut fixed) = (0, 0);
    let scenarios = std::fs::read_dir("tests/reports").unwrap().map(|e| e.unwrap().path());
    for path in scenarios.filter(|p| p.extension().is_some_and(|e| e == "rord")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Of weights that do not fit their model, which are files elsewhere, no edit is known.
        if name.starts_with("R0913") {
            continue;
        }
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
        assert_eq!(std::fs::read(&file).unwrap(), left, "{name}: fixed once is fixed");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "{name}: nothing stays beside the file");
        fixed += usize::from(left != text);
        whole += usize::from(!before.is_empty() && errors(&after).is_empty());
    }
    assert!(fixed >= 50 && whole >= 45, "{fixed} changed, {whole} without errors");
}

/// A pipeline in which names are alike, and a mistake in it: what is written in place of what.
const ALIKE: &str = "rord 1
data pairs = layout_pairs(synth(tiles = 8), patch = 64px, geometry = rotations(0deg..90deg), steps = 2)
model net(x: Image[B, 1, H, W]@f) {
  out det:  Prob[B, 1, H, W]@f = x |> conv(4, 3) |> relu |> conv(1, 1) |> sigmoid
  out desc: Desc unit[B, 8, H, W]@f = x |> conv(8, 3) |> l2norm
}
let { image, image_r, H, corners } = pairs
let { det, desc } = net(image)
let { det as det_r, desc as desc_r } = net(image_r)
let back = inv(H)
let seen = inside(back, like = det)
loss where = bce(corners, det) + smoothl1(det, warp(det_r, back), mask = seen)
loss what = triplet(grid(20), hardneg(apart = 8px), margin = 0.5)
minimize total = where + what
train { optimizer = adam(lr = 1e-3), batch = 2, epochs = 1 }
save { best = val.total }
";

const SUGGESTED: [(&str, &str, &str); 23] = [
    ("let { det as det_r, desc as desc_r } = net(image_r)\n", "let { desc as desc_r } = net(image_r)\n", "R0202"),
    ("0deg..90deg", "0deg..3degs", "R0103"),
    ("hardneg(apart = 8px)", "hardneg(apart = 8pxl)", "R0103"),
    ("0deg..90deg", "90deg..0deg", "R0704"),
    ("smoothl1(", "smoothl2(", "R0201"),
    ("warp(det_r, back)", "warp(det_r, H)", "R0501"),
    ("smoothl1(det, warp(det_r, back), mask = seen)", "smoothl1(det, det_r)", "R0502"),
    ("mask = seen)", "maks = seen)", "R0203"),
    ("batch = 2", "batches = 2", "R0204"),
    ("batch = 2", "batch = 2, precision = f16", "R0216"),
    ("desc as desc_r } = net(image_r)", "dest as desc_r } = net(image_r)", "R0212"),
    ("val.total", "val.totals", "R0218"),
    ("val.total", "total", "R0219"),
    ("Prob[B, 1, H, W]@f", "Prop[B, 1, H, W]@f", "R0308"),
    ("loss what", "lose what", "R0102"),
    ("bce(corners, det) +", "bce(corners, det +", "R0101"),
    ("bce(corners, det) +", "bce(corners, det)) +", "R0113"),
    ("hardneg(apart = 8px)", "hardneg(64 7, apart = 8px)", "R0116"),
    ("triplet(grid(20), ", "triplet(grid(20) ", "R0116"),
    ("rord 1", "rord 2", "R0110"),
    ("let seen =", "let n = 7 // 2\nlet seen =", "R0114"),
    ("inside(back,", "inside(bakc,", "R0202"),
    ("rotations(0deg..90deg)", "rotation(0deg..90deg)", "R0201"),
];

#[test]
fn what_may_change_what_is_computed_is_suggested_and_not_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f.rord");
    std::fs::write(&file, ALIKE).unwrap();
    assert_eq!(said(dir.path(), &["check", "--format", "json", "f.rord"]), [] as [serde_json::Value; 0]);
    for (from, to, code) in SUGGESTED {
        let text = ALIKE.replacen(from, to, 1);
        assert_ne!(text, ALIKE, "{from}");
        std::fs::write(&file, &text).unwrap();
        let all = said(dir.path(), &["check", "--format", "json", "--fix", "f.rord"]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{to}: {all:?}");
        let found = all.iter().find(|r| r["code"] == code).unwrap_or_else(|| panic!("{to}: {all:?}"));
        assert_eq!(found["certain"], false, "{found}");
        assert!(!found["edits"].as_array().unwrap().is_empty() && found["help"].is_string(), "{found}");
    }
    // Another quantity is not even suggested, nor a number in place of a name for it.
    for (from, to, code) in [
        ("0deg..90deg", "0deg..3rad", "R0103"),
        ("apart = 8px", "apart = 8um", "R0103"),
        ("save {", "param n: Count = 8\nmetric m = triplet(grid(20), hardneg(apart = n))\nsave {", "R0305"),
    ] {
        let text = ALIKE.replace(from, to);
        std::fs::write(&file, &text).unwrap();
        let all = said(dir.path(), &["check", "--format", "json", "--fix", "f.rord"]);
        assert_eq!(all[0]["code"], code, "{all:?}");
        assert!(all.iter().all(|r| r["edits"] == serde_json::json!([])), "{to}: {all:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{to}");
    }
}

#[test]
fn what_can_mean_nothing_else_is_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f.rord");
    for (from, to) in [
        ("0deg..90deg", "0deg..90 deg"),
        ("0deg..90deg", "0deg..90degrees"),
        ("apart = 8px", "apart = 8pixels"),
        ("apart = 8px", "apart = 8"),
        ("batch = 2", "batch: 2"),
        ("let back", "back"),
        ("margin = 0.5", "margin = .5"),
        ("inv(H)", "H^-1"),
        ("1e-3), batch = 2, epochs = 1 }", "1e-3), batch = 2, epochs = 1"),
    ] {
        let text = ALIKE.replacen(from, to, 1);
        std::fs::write(&file, &text).unwrap();
        let all = said(dir.path(), &["check", "--format", "json", "--fix", "f.rord"]);
        assert_eq!(all, [] as [serde_json::Value; 0], "{to}");
        let fixed = std::fs::read_to_string(&file).unwrap();
        let words = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(words(&fixed), words(ALIKE), "{to}");
    }
}

/// The reports whose edits `check --fix` makes somewhere. An edit that may change what a pipeline computes is a suggestion: a
/// code that is new here has to be one that cannot.
const CERTAIN: [&str; 18] = [
    "R0101", "R0103", "R0106", "R0114", "R0115", "R0116", "R0117", "R0118", "R0119", "R0120", "R0123", "R0202",
    "R0213", "R0305", "R0513", "R0810", "R0820", "R0823",
];

#[test]
fn few_reports_have_edits_that_are_certain() {
    let mut found = std::collections::BTreeSet::new();
    for path in std::fs::read_dir("tests/reports").unwrap().map(|e| e.unwrap().path()) {
        if path.extension().is_some_and(|e| e == "rord") {
            let all = said(std::path::Path::new("."), &["check", "--format", "json", path.to_str().unwrap()]);
            let certain = all.into_iter().filter(|r| r["certain"] == true);
            found.extend(certain.map(|r| r["code"].as_str().unwrap().to_string()));
        }
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), CERTAIN);
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
            assert_eq!(keys(&report), ["code", "severity", "title", "labels", "help", "edits", "page", "certain"]);
            assert!(report["certain"].is_boolean());
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

/// What other tools set in a section, and how it is written here.
#[test]
fn a_field_of_other_tools_says_where_it_is_written_here() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f.rord");
    for (from, to, advice) in [
        ("batch = 2", "loss = 1", "minimize total = …"),
        ("batch = 2", "learning_rate = 1", "optimizer = adam(lr = 1e-3)"),
        ("batch = 2", "warmup = 50", "schedule = cosine(warmup = 50steps)"),
        ("batch = 2", "patience = 5", "stop = after(10epochs, without = val.total)"),
        ("batch = 2", "amp = true", "precision = bf16"),
        ("best = val.total", "monitor = 1", "best = min(val.total)"),
        ("best = val.total", "checkpoint = 1", "state = every(5min)"),
        ("best = val.total", "output_dir = 1", "--out DIR"),
    ] {
        std::fs::write(&file, ALIKE.replacen(from, to, 1)).unwrap();
        let all = said(dir.path(), &["check", "--format", "json", "f.rord"]);
        let help = all[0]["help"].as_str().unwrap();
        assert!(all[0]["code"] == "R0204" && help.contains(advice), "{to}: {help}");
    }
    // What is advised is a text that checks.
    let right = ALIKE.replacen("batch = 2, epochs = 1", "batch = 2, epochs = 50, schedule = cosine(warmup = 50steps), stop = after(10epochs, without = val.total), precision = bf16", 1);
    std::fs::write(&file, right.replacen("best = val.total", "best = min(val.total), state = every(5min)", 1)).unwrap();
    assert_eq!(said(dir.path(), &["check", "--format", "json", "f.rord"]), [] as [serde_json::Value; 0]);
}
