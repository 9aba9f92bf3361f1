//! `find` and `eval` on a chip that is made here: what is drawn alike is found by a network that has seen next to nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rord_random::Stream;
use serde_json::Value;

/// The binary, with a cache of its own.
fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.current_dir(dir).args(args).env("RORD_CACHE", dir.join("cache")).env("NO_COLOR", "1").env_remove("TERM");
    command.env("RORD_WIDTH", "200");
    command
}

pub fn rord(dir: &Path, args: &[&str]) -> Output {
    let out = command(dir, args).output().unwrap();
    assert!(!String::from_utf8_lossy(&out.stderr).contains("panicked"), "{args:?}");
    out
}

const LAYERS: [u16; 2] = [1, 2];

fn record(out: &mut Vec<u8>, kind: [u8; 2], content: &[u8]) {
    out.extend(((content.len() + 4) as u16).to_be_bytes());
    out.extend(kind);
    out.extend(content);
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// A rectangle in nanometers.
fn rectangle(out: &mut Vec<u8>, layer: u16, [x0, y0, x1, y1]: [i32; 4]) {
    record(out, [0x08, 0], &[]);
    record(out, [0x0d, 2], &layer.to_be_bytes());
    record(out, [0x0e, 2], &[0, 0]);
    let points = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]];
    let bytes: Vec<u8> = points.iter().flatten().flat_map(|v| v.to_be_bytes()).collect();
    record(out, [0x10, 3], &bytes);
    record(out, [0x11, 0], &[]);
}

/// Wires of two layers at random in a square of `side` µm.
fn wires(out: &mut Vec<u8>, side: f64, count: usize, stream: &mut Stream) {
    let nm = |um: f64| (um * 1000.0).round() as i32;
    for k in 0..count {
        let (long, wide) = (stream.range(0.8, 4.0), stream.range(0.15, 0.5));
        let (w, h) = if stream.chance(0.5) { (long, wide) } else { (wide, long) };
        let (x, y) = (stream.range(0.0, side - w), stream.range(0.0, side - h));
        rectangle(out, LAYERS[k % 2], [nm(x), nm(y), nm(x + w), nm(y + h)]);
    }
}

/// A chip of 60 × 60 µm: wires, and a cell of 12.8 × 12.8 µm that is placed upright, turned, and mirrored.
fn chip(path: &Path) {
    let mut out = Vec::new();
    record(&mut out, [0x00, 2], &[2, 88]);
    record(&mut out, [0x01, 2], &[0; 24]);
    record(&mut out, [0x02, 6], &name("lib"));
    let (milli, nano) =
        ([0x3e, 0x41, 0x89, 0x37, 0x4b, 0xc6, 0xa7, 0xf0], [0x39, 0x44, 0xb8, 0x2f, 0xa0, 0x9b, 0x5a, 0x54]);
    record(&mut out, [0x03, 5], &[milli, nano].concat());
    let mut stream = Stream::new(6, &[]);
    record(&mut out, [0x05, 2], &[0; 24]);
    record(&mut out, [0x06, 6], &name("part"));
    rectangle(&mut out, 1, [0, 0, 12_800, 300]);
    rectangle(&mut out, 1, [0, 12_500, 12_800, 12_800]);
    wires(&mut out, 12.8, 60, &mut stream);
    record(&mut out, [0x07, 0], &[]);
    record(&mut out, [0x05, 2], &[0; 24]);
    record(&mut out, [0x06, 6], &name("chip"));
    rectangle(&mut out, 1, [0, 0, 60_000, 200]);
    rectangle(&mut out, 1, [0, 59_800, 60_000, 60_000]);
    // Mirrored about x first, then turned: STRANS, and an angle of 90° as a real of GDSII.
    let quarter = [0x42, 0x5a, 0, 0, 0, 0, 0, 0];
    for (mirrored, turned, at) in
        [(false, false, [5_000, 40_000]), (false, true, [55_000, 40_000]), (true, false, [22_000, 20_000])]
    {
        record(&mut out, [0x0a, 0], &[]);
        record(&mut out, [0x12, 6], &name("part"));
        record(&mut out, [0x1a, 1], &[if mirrored { 0x80 } else { 0 }, 0]);
        if turned {
            record(&mut out, [0x1c, 5], &quarter);
        }
        let bytes: Vec<u8> = at.iter().flat_map(|v: &i32| v.to_be_bytes()).collect();
        record(&mut out, [0x10, 3], &bytes);
        record(&mut out, [0x11, 0], &[]);
    }
    wires(&mut out, 60.0, 500, &mut stream);
    record(&mut out, [0x07, 0], &[]);
    record(&mut out, [0x04, 0], &[]);
    std::fs::write(path, out).unwrap();
}

/// A folder with a chip and a run of one epoch.
pub fn trained() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    chip(&dir.path().join("chip.gds"));
    let pipeline = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/find.rord");
    let out = rord(dir.path(), &[pipeline.to_str().unwrap(), "--preset", "smoke", "--out", "run"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(said.contains("next:  rord-run find run --query"), "{said}");
    let run = dir.path().join("run");
    (dir, run)
}

fn found(dir: &Path, args: &[&str]) -> Value {
    let all = [&["find", "run", "--in", "chip.gds", "--layers", "1/0,2/0", "--format", "json"], args].concat();
    let out = rord(dir, &all);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn a_part_of_a_chip_is_found_where_it_was_cut_out() {
    let (dir, _) = trained();
    let answer = found(dir.path(), &["--query", "20,20,32.8,32.8"]);
    let query = &answer["queries"][0];
    assert_eq!(query["query"], "20,20,32.8,32.8");
    let one = &query["found"][0];
    assert_eq!((one["in"].as_str(), one["mirrored"].as_bool()), (Some("chip.gds"), Some(false)));
    // 20 µm from the left, 60 - 32.8 µm from above; 10 pixels per µm.
    let corner = one["corners_px"][0].as_array().unwrap();
    let [x, y] = [0, 1].map(|k: usize| corner[k].as_f64().unwrap() + 0.5);
    assert!((x - 200.0).abs() < 1.0 && (y - 272.0).abs() < 1.0, "{one}");
    let um: Vec<f64> = one["matrix_um"][0].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!((um[2] - 20.05).abs() < 0.1 && (um[0] - 0.1).abs() < 0.002, "{um:?}");
    for key in ["matrix_px", "turn_deg", "scale", "inliers", "score"] {
        assert!(!one[key].is_null(), "{key}");
    }
    assert_eq!(answer["pixels"], 600 * 600);
    // Threads change nothing.
    let mut again = found(dir.path(), &["--query", "20,20,32.8,32.8", "--threads", "1"]);
    again["queries"][0]["ms"] = query["ms"].clone();
    assert_eq!(again["queries"], answer["queries"]);
}

#[test]
fn every_instance_of_a_cell_is_found_and_marked() {
    let (dir, _) = trained();
    let answer = found(dir.path(), &["--query", "5,40,17.8,52.8", "--all", "--out", "marks.gds"]);
    let all = answer["queries"][0]["found"].as_array().unwrap();
    let middle = |one: &Value| {
        let corners = one["corners_px"].as_array().unwrap();
        [0, 1].map(|k: usize| corners.iter().map(|c| c[k].as_f64().unwrap()).sum::<f64>() / 4.0)
    };
    // Upright, turned by 90°, mirrored; y goes down in pixels.
    for truth in [[114.0, 136.0], [486.0, 136.0], [284.0, 464.0]] {
        let near = |one: &Value| (middle(one)[0] - truth[0]).hypot(middle(one)[1] - truth[1]) < 3.0;
        assert_eq!(all.iter().filter(|one| near(one)).count(), 1, "{truth:?}: {answer:#}");
    }
    let marked = rord_layouts::read(&dir.path().join("marks.gds")).unwrap();
    let chip = marked.library.cells.iter().find(|cell| cell.name == "chip").unwrap();
    assert!(chip.layers.iter().any(|(key, _)| key.layer == 1000), "boxes lie on a layer of their own");
    let out = rord(dir.path(), &["find", "run", "--in", "chip.gds", "--query", "cell:part", "--out", "marks.lyrdb"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = std::fs::read_to_string(dir.path().join("marks.lyrdb")).unwrap();
    assert!(text.contains("<top-cell>chip</top-cell>") && text.contains("polygon: ("), "{text}");
    // A category is listed as it is, and referred to in quotes.
    assert!(text.contains("<name>cell:part</name>") && text.contains("<category>'cell:part'</category>"), "{text}");
}

#[test]
fn what_cannot_be_found_is_one_report() {
    let (dir, _) = trained();
    std::fs::write(dir.path().join("torn.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    std::fs::write(dir.path().join("black.pgm"), [&b"P5 64 64 255\n"[..], &[0; 4096]].concat()).unwrap();
    for (args, fact) in [
        (&["find", "run", "--in", "chip.gds", "--query", "50,50,70,70"][..], "does not lie in"),
        (&["find", "run", "--in", "chip.gds", "--query", "1,1,1.5,1.5"], "too little"),
        (&["find", "run", "--in", "chip.gds", "--query", "gone.png"], "gone.png"),
        (&["find", "run", "--in", "chip.gds", "--query", "torn.png"], "torn.png"),
        (&["find", "run", "--in", "gone.gds", "--query", "1,1,9,9"], "gone.gds"),
        (&["find", "run", "--in", "chip.gds", "--query", "cell:none"], "none"),
        (&["find", "run", "--in", "chip.gds", "--layers", "7/0", "--query", "1,1,9,9"], "--layers 1/0,2/0"),
        (&["find", "run", "--in", "chip.gds", "--query", "9,9,22,22", "--out", "x.txt"], "x.txt"),
        (&["eval", "run", "--in", "chip.gds", "--cases", "other"], "other"),
        (
            &["eval", "run", "--suite", "cells", "--in", "chip.gds", "--cells", "dff*"],
            "no cell that is placed fits `dff*`",
        ),
        (&["eval", "run", "--suite", "cells", "--in", "chip.gds", "--least", "2"], "`--least 2` is out of range"),
        (&["eval", "run", "--suite", "cells", "--in", "black.pgm"], "a picture has no cells"),
    ] {
        let out = rord(dir.path(), args);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(fact) && said.matches("  × ").count() == 1, "{args:?}: {said}");
    }
}

#[test]
fn instances_of_a_cell_are_counted_against_the_hierarchy() {
    let (dir, _) = trained();
    let common = ["eval", "run", "--suite", "cells", "--in", "chip.gds", "--layers", "1/0,2/0"];
    let out = rord(dir.path(), &[&common[..], &["--format", "json"]].concat());
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    let part = &answer["cells"][0];
    assert_eq!((part["cell"].as_str(), part["instances"].as_u64()), (Some("part"), Some(3)), "{answer}");
    assert_eq!((part["right"].as_u64(), part["recall"].as_f64()), (Some(3), Some(1.0)), "{answer}");
    assert_eq!((&part["px"], &part["symmetric"]), (&serde_json::json!([128, 128]), &false.into()));
    let out = rord(dir.path(), &[&common[..], &["--cells", "pa*", "--threads", "1"]].concat());
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[1][..3], ["part", "128×128", "3"], "{text}");
    assert_eq!(words[1][4], "3", "{text}");
}

#[test]
fn crops_are_found_again_and_written_for_other_ways() {
    let (dir, _) = trained();
    let common = ["eval", "run", "--in", "chip.gds", "--cases", "same", "--queries", "6", "--side", "96"];
    let out = rord(dir.path(), &[&common[..], &["--format", "json"]].concat());
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&answer["cases"][0]["case"], &answer["cases"][0]["queries"]), (&"same".into(), &6.into()));
    let out = rord(dir.path(), &[&common[..], &["--crops", "crops"]].concat());
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let listed: Value = serde_json::from_slice(&std::fs::read(dir.path().join("crops/crops.json")).unwrap()).unwrap();
    let queries = listed["cases"][0]["queries"].as_array().unwrap();
    assert_eq!(queries.len(), 6);
    assert!(queries.iter().all(|q| dir.path().join("crops").join(q["query"].as_str().unwrap()).is_file()));
}

/// The network that comes with rord finds crops in a chip of a process that it never saw, drawn in five ways.
#[test]
fn the_demonstration_finds_its_crops_and_the_command_that_it_prints_works() {
    let dir = tempfile::tempdir().unwrap();
    let out = rord(dir.path(), &["demo"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(text.matches("): found, ").count(), 5, "{text}");
    let command = text.lines().find_map(|line| line.trim().strip_prefix("rord-run ")).unwrap();
    let args: Vec<&str> = command.split(' ').chain(["--format", "json"]).collect();
    let out = rord(dir.path(), &args);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.starts_with("with the network that comes with rord\n"), "{said}");
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(found["queries"][0]["found"].as_array().unwrap().len(), 1);
    assert!(dir.path().join("found.png").is_file());
    // What is there stays.
    let again = rord(dir.path(), &["demo"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("demo is not empty"));
    what_was_seen_of_a_chip_is_kept_and_used(dir.path());
    workers_share_what_is_to_be_seen(dir.path());
}

/// Processes that begin at once look at each window once, and what they kept is what a search alone would have kept.
fn workers_share_what_is_to_be_seen(dir: &Path) {
    let chips: Vec<String> =
        ["inverted", "intensities", "scaled", "etched"].map(|crop| format!("demo/crop-{crop}.png")).into();
    let find = |index: &str, more: &[&str]| {
        let mut args = vec!["find", "--query", "demo/crop-same.png", "--index", index, "--in"];
        args.extend(chips.iter().map(String::as_str));
        args.extend(more);
        command(dir, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let workers: Vec<_> = (0..3).map(|_| find("shared", &["--worker"])).collect();
    let mut looked = 0;
    for worker in workers {
        let out = worker.wait_with_output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(text.matches(": looked at ").count(), 4, "{text}");
        looked += text.matches(": looked at 1 of 1 window\n").count();
    }
    let kept = |index: &str| {
        let files = std::fs::read_dir(dir.join(index)).unwrap().map(|e| e.unwrap().path());
        files
            .map(|file| (file.file_name().unwrap().to_owned(), std::fs::read(file).unwrap()))
            .collect::<BTreeMap<_, _>>()
    };
    let (shared, found) = (kept("shared"), find("shared", &[]).wait_with_output().unwrap());
    assert_eq!((looked, shared.len()), (4, 4));
    let alone = find("alone", &[]).wait_with_output().unwrap();
    assert_eq!((found.stdout, kept("shared")), (alone.stdout, kept("alone")));
    assert_eq!(shared, kept("alone"));
    let without = rord(dir, &["find", "--query", "demo/crop-same.png", "--in", "demo/crop-same.png", "--worker"]);
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(without.status.code() == Some(2) && said.contains("--index"), "{said}");
}

/// A search of what was looked at before looks at nothing again and answers the same; another chip is another one.
fn what_was_seen_of_a_chip_is_kept_and_used(dir: &Path) {
    let find = |crop: &str, chip: &str| {
        let (query, chip) = (format!("demo/crop-{crop}.png"), format!("demo/{chip}"));
        let common = ["find", "--query", &query, "--in", &chip, "--index", "seen"];
        let out = rord(dir, &[&common[..], &["--format", "json"]].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let found: Value = serde_json::from_slice(&out.stdout).unwrap();
        (found["queries"][0]["found"].clone(), found["index_ms"].as_u64().unwrap())
    };
    let windows = || std::fs::read_dir(dir.join("seen")).unwrap().count();
    let (first, looked) = find("same", "crop-same.png");
    assert_eq!((first.as_array().unwrap().len(), windows()), (1, 1));
    let (again, _) = find("same", "crop-same.png");
    assert_eq!((&again, windows()), (&first, 1));
    // Of a file that was cut by accident the window is looked at again.
    let file = std::fs::read_dir(dir.join("seen")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(find("same", "crop-same.png").0, first);
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    find("scaled", "crop-etched.png");
    assert_eq!(windows(), 2, "another picture is another window ({looked} ms)");
    std::fs::write(dir.join("file"), "").unwrap();
    let query = ["find", "--query", "demo/crop-same.png", "--in", "demo/crop-same.png", "--index", "file"];
    let out = rord(dir, &query);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("R0914") && said.contains("file cannot be written"), "{said}");
}

/// The text of the network that comes with rord is the pipeline that trains another one.
#[test]
fn the_network_that_comes_with_rord_is_what_its_pipeline_trains() {
    let read = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    assert_eq!(read("networks/find/pipeline.rord"), read("pipelines/find.rord"));
    let record = read("networks/find/run.yaml");
    assert!(record.contains("status: finished"), "{record}");
    let layers = r#"layers = ["65/20", "66/20", "67/20", "68/20", "69/20"], resolution = 10"#;
    assert!(record.contains(layers), "{record}");
}
