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
        let record = std::fs::read_to_string(dir.join(&run).join("run.yaml")).unwrap();
        let of = |key: &str| -> f64 {
            let line =
                record.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{record}"));
            line.trim().parse().unwrap()
        };
        let (foretold, taken) = (of("foretold_mb:"), of("taken_mb:"));
        assert!(taken <= 1.15 * foretold, "{set:?}: {taken} MB taken, {foretold} MB foretold");
    }
}
