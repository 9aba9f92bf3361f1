//! Memory and threads: what does not fit is refused with the argument to blame, and what the system does not give is a report.

use std::collections::HashMap;
use std::path::Path;
use std::process::Output;

use candle_core::{Device, Tensor};

use super::cli::{TINY, command, err, rord, tiny};
use super::skip::skip;

/// The binary under limits of a shell.
fn limited(dir: &Path, limits: &str, args: &[&str]) -> Output {
    let inner = command(dir, args);
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(dir).env("RORD_WIDTH", "100").env("NO_COLOR", "1").env_remove("TERM");
    let words: Vec<String> =
        inner.get_args().map(|a| format!("'{}'", a.to_string_lossy().replace('\'', r"'\''"))).collect();
    let text = format!("{limits}; exec '{}' {}", env!("CARGO_BIN_EXE_rord-run"), words.join(" "));
    shell.args(["-c", &text]).output().unwrap()
}

#[test]
fn what_takes_most_is_named_by_check_and_train_before_anything_is_made() {
    if !cfg!(target_os = "linux") {
        return skip("free memory is known on Linux only");
    }
    let dir = tiny();
    let dir = dir.path();
    let metric = "minimize total   = detection + description\n\
                  let at = sample(desc, place(grid(1000000), like = desc))\n\
                  metric found = mean(similarities(at, at))";
    std::fs::write(dir.join("metric.rord"), TINY.replace("minimize total   = detection + description", metric))
        .unwrap();
    let cases: [(&str, &[&str], &[&str]); 3] = [
        (
            "tiny.rord",
            &["--set", "layouts=synth(tiles = 100000000)"],
            &["the data of this run needs about", "synth(tiles = 100000000", "lower `tiles`"],
        ),
        ("metric.rord", &[], &["with the validation the run needs about", "`found` takes most here"]),
        (
            "tiny.rord",
            &["--set", "layouts=synth(tiles = 4, size = 2000, resolution = 500)"],
            &["the data of this run needs about", "`resolution`"],
        ),
    ];
    for (file, set, facts) in cases {
        for verb in ["check", "train"] {
            let out = rord(dir, &[&[verb, file], set].concat());
            let said = err(&out);
            assert_eq!(out.status.code(), Some(1), "{verb} {file} {set:?}: {said}");
            assert!(
                said.contains("R0927") && facts.iter().all(|fact| said.contains(fact)),
                "{verb} {file} {set:?}: {said}"
            );
        }
    }
    assert!(!dir.join("runs").exists(), "nothing is written");
    assert_eq!(rord(dir, &["check", "tiny.rord"]).status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn limits_of_the_process_count_and_what_they_do_not_give_is_a_report() {
    let dir = tiny();
    let dir = dir.path();
    let out = limited(dir, "ulimit -v 250000", &["tiny.rord", "--set", "layouts=synth(tiles = 150)", "--threads", "2"]);
    let said = err(&out);
    assert!(said.contains("R0927") && said.contains("synth(tiles = 150"), "{said}");
    assert_eq!(out.status.code(), Some(1));

    // What no size foretells: the tensors of a file.
    std::fs::write(dir.join("l.rord"), "rord 1\ninput x: Image[B, 1, H, W]@f\nminimize total = mean(x * x + x)\n")
        .unwrap();
    let x = Tensor::zeros((1, 1, 4096, 4096), candle_core::DType::F32, &Device::Cpu).unwrap();
    candle_core::safetensors::save(&HashMap::from([("x", x)]), dir.join("x.safetensors")).unwrap();
    let out = limited(dir, "ulimit -v 200000", &["loss", "l.rord", "--inputs", "x.safetensors"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("R0936") && said.contains("the system gives no more memory: 67 MB were asked for"), "{said}");

    let out = limited(dir, "ulimit -v 600000", &["tiny.rord", "--threads", "4000"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.starts_with("R0911") && said.contains("the system gives no thread: "), "{said}");
    let out = rord(dir, &["tiny.rord", "--threads", "0"]);
    assert!(err(&out).contains("cannot run on 0 threads"), "{}", err(&out));
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_records_what_was_foretold_and_it_is_no_less_than_what_was_taken() {
    let dir = tiny();
    let dir = dir.path();
    for (number, set) in [&["patch=64px"][..], &["layouts=synth(tiles = 60)"], &["epochs=2"]].iter().enumerate() {
        let run = format!("run-{number}");
        let mut args = vec!["tiny.rord", "--out", &run];
        set.iter().for_each(|set| args.extend(["--set", set]));
        assert_eq!(rord(dir, &args).status.code(), Some(0));
        let (foretold, taken) = figures(&dir.join(&run));
        assert!(taken <= 1.15 * foretold, "{set:?}: {taken} MB taken, {foretold} MB foretold");
    }
}

/// The megabytes that were foretold of a run, and that it took.
#[cfg(target_os = "linux")]
pub(super) fn figures(run: &Path) -> (f64, f64) {
    let record = std::fs::read_to_string(run.join("run.yaml")).unwrap();
    let of = |key: &str| -> f64 {
        let line = record.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{record}"));
        line.trim().parse().unwrap()
    };
    (of("foretold_mb:"), of("taken_mb:"))
}

#[cfg(target_os = "linux")]
#[test]
fn every_shipped_pipeline_takes_what_was_foretold() {
    if std::env::var("RORD_MEMORY").as_deref() != Ok("all") {
        return skip("RORD_MEMORY=all trains every shipped pipeline at its full size, which takes minutes");
    }
    let dir = tempfile::tempdir().unwrap();
    let (dir, here) = (dir.path(), std::env::current_dir().unwrap());
    let listed = |folder: &str| {
        let files = std::fs::read_dir(here.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "rord")).collect();
        // A teacher comes before who learns from it.
        files.sort_by_key(|path| (path.ends_with("distill.rord"), path.clone()));
        files
    };
    let mut wrong = Vec::new();
    for file in [listed("pipelines"), listed("pipelines/papers")].concat() {
        let (name, text) =
            (file.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&file).unwrap());
        let run = format!("{}-{name}", file.parent().unwrap().file_name().unwrap().to_str().unwrap());
        let mut args = vec![file.to_str().unwrap(), "--out", &run];
        let few = [
            ("param epochs:", "epochs=1"),
            ("param steps:", "steps=3"),
            ("param teacher_weights:", "teacher_weights=\"pipelines-teacher/best.safetensors\""),
            ("param pictures:", "pictures=synth(tiles = 64, seed = 1)"),
            ("param channels:", "channels=1"),
        ];
        few.iter().filter(|(param, _)| text.contains(param)).for_each(|(_, set)| args.extend(["--set", set]));
        let out = rord(dir, &args);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
        let (foretold, taken) = figures(&dir.join(&run));
        eprintln!(
            "| `{}` | {foretold} | {taken} | {:+.0} % |",
            run.replace('-', "/"),
            100.0 * (foretold / taken - 1.0)
        );
        if taken > 1.15 * foretold {
            wrong.push(format!("{run}: {taken} MB taken, {foretold} MB foretold"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A layout that places a small cell so many times, one by one.
#[cfg(target_os = "linux")]
fn chip(side: i32) -> Vec<u8> {
    let record =
        |kind: u16, body: &[u8]| [&(body.len() as u16 + 4).to_be_bytes()[..], &kind.to_be_bytes(), body].concat();
    let points = |list: &[[i32; 2]]| list.iter().flatten().flat_map(|v| v.to_be_bytes()).collect::<Vec<_>>();
    let units = [0x3e41_8937_4bc6_a7f0u64, 0x3944_b82f_a09b_5a54].map(u64::to_be_bytes).concat();
    let mut out = [record(0x0002, &[2, 88]), record(0x0102, &[0; 24]), record(0x0206, b"li")].concat();
    out.extend([record(0x0305, &units), record(0x0502, &[0; 24]), record(0x0606, b"part")].concat());
    for k in 0..4 {
        let (x, y) = (200 + 700 * k, 300 * k);
        out.extend([record(0x0800, &[]), record(0x0d02, &[0, 66]), record(0x0e02, &[0, 20])].concat());
        let square = [[x, y], [x + 400, y], [x + 400, y + 900], [x, y + 900], [x, y]];
        out.extend([record(0x1003, &points(&square)), record(0x1100, &[])].concat());
    }
    out.extend([record(0x0700, &[]), record(0x0502, &[0; 24]), record(0x0606, b"chip")].concat());
    for k in 0..side * side {
        let at = [[k % side * 3300, k / side * 3300]];
        let placed = [record(0x0a00, &[]), record(0x1206, b"part"), record(0x1003, &points(&at)), record(0x1100, &[])];
        out.extend(placed.concat());
    }
    [out, record(0x0700, &[]), record(0x0400, &[])].concat()
}

#[cfg(target_os = "linux")]
#[test]
fn reading_a_large_layout_is_foretold_until_it_is_drawn() {
    let dir = tiny();
    let dir = dir.path();
    // 250,000 placements in 7 MB take 80 MB; under the limit some 100 MB are free, and the run takes 90.
    std::fs::write(dir.join("chip.gds"), chip(500)).unwrap();
    let layouts = "layouts=gds(\"chip.gds\", resolution = 1)";
    let memory = |kilobytes: u32| format!("export RORD_CACHE=cache; ulimit -v {kilobytes}");
    let args = ["tiny.rord", "--set", layouts, "--threads", "1", "--data-memory", "20", "--out", "run"];
    for verb in [&["check", "tiny.rord", "--set", layouts, "--data-memory", "20"][..], &args] {
        let out = limited(dir, &memory(140_000), verb);
        let said = err(&out);
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.contains("R0927") && said.contains("reading chip.gds takes most"), "{said}");
        assert!(said.contains("the data of this run needs about") && said.contains("cut out what you need"), "{said}");
    }
    assert!(!dir.join("run").exists(), "nothing is written");
    let out = limited(dir, "export RORD_CACHE=cache", &args);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    let (foretold, taken) = figures(&dir.join("run"));
    assert!(taken <= 1.15 * foretold, "{taken} MB taken, {foretold} MB foretold");
    // What is drawn is not read again.
    let out = limited(dir, &memory(146_000), &["check", "tiny.rord", "--set", layouts, "--data-memory", "20"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
}
