//! Runs and steps that are made again.

use std::path::Path;

use serde_json::Value;

use super::cli::{TINY, err, lines, rord, tiny};

fn made(dir: &Path, args: &[&str]) -> String {
    let out = rord(dir, args);
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", err(&out));
    String::from_utf8(out.stdout).unwrap()
}

fn object(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&made(dir, &[args, &["--format", "json"]].concat())).unwrap()
}

#[test]
fn a_run_is_made_again_and_a_changed_byte_is_seen() {
    let dir = tiny();
    let dir = dir.path();
    made(dir, &["tiny.rord", "--preset", "longer", "--out", "run"]);
    let said = made(dir, &["replay", "run", "--threads", "1"]);
    assert!(
        said.starts_with("best.safetensors  same bytes\nlast.safetensors  same bytes\nmetrics.jsonl     same bytes\n"),
        "{said}"
    );
    assert!(said.contains("the run was made again, bit by bit: 3 files"), "{said}");
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 2, "what was made again is removed");

    let path = dir.join("run/last.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 64;
    std::fs::write(&path, bytes).unwrap();
    let metrics = std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap();
    std::fs::write(dir.join("run/metrics.jsonl"), metrics.replacen("0.", "1.", 1)).unwrap();
    let out = rord(dir, &["replay", "run", "--out", "again"]);
    let said = String::from_utf8(out.stdout.clone()).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.contains("last.safetensors  differs by up to ") && said.contains("metrics.jsonl     line 1 is another"),
        "{said}"
    );
    assert!(dir.join("again/run.yaml").exists());
}

#[test]
fn any_step_is_made_again_with_the_range_of_every_value() {
    let dir = tiny();
    let dir = dir.path();
    made(dir, &["tiny.rord", "--preset", "longer", "--out", "run"]);
    // In the first epoch, and behind a validation.
    for step in ["0", "4"] {
        let found = object(dir, &["replay", "run", "--step", step]);
        let written = lines(&dir.join("run/metrics.jsonl"));
        let line = written.iter().find(|line| line["step"].as_u64() == step.parse().ok()).unwrap();
        for name in ["total", "detection", "description"] {
            let (now, then) = (found["outputs"][name].as_f64().unwrap(), line[name].as_f64().unwrap());
            assert_eq!(now as f32, then as f32, "step {step}, {name}");
        }
        let nodes = found["nodes"].as_array().unwrap();
        let of = |op: &str| nodes.iter().find(|node| node["op"] == op).unwrap_or_else(|| panic!("{op}: {found}"));
        assert_eq!(of("data image")["shape"], serde_json::json!([2, 1, 32, 32]));
        assert!(of("sigmoid")["value"]["min"].as_f64().unwrap() > 0.0 && of("sigmoid")["value"]["not_finite"] == 0);
        assert!(of("sigmoid")["gradient"]["count"].as_u64().unwrap() > 0);
    }
    let said = made(dir, &["replay", "run", "--step", "4"]);
    assert!(said.starts_with("step 4 of run, made again: a batch of 2\ntotal = "), "{said}");
    assert!(
        said.contains(", as in metrics.jsonl\n") && said.ends_with("\nall values and gradients are finite\n"),
        "{said}"
    );
    let out = rord(dir, &["replay", "run", "--step", "99"]);
    assert!(err(&out).contains("run has no step 99"), "{}", err(&out));
    let out = rord(dir, &["replay", "nowhere"]);
    assert!(err(&out).contains("nowhere is not the folder of a run"), "{}", err(&out));
}

#[test]
fn a_step_that_failed_is_made_from_what_was_kept_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // The third step divides by 0.
    let text = TINY.replace(
        "minimize total   = detection + description",
        "minimize total   = detection + description + mean((det + 1) / (0.5 - ramp(from = 0, to = 1, over = 4steps)))",
    );
    std::fs::write(dir.join("t.rord"), text.replace("steps = 3", "steps = 6")).unwrap();
    let out = rord(dir, &["t.rord", "--out", "run"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    let step =
        said.split("--step ").nth(1).unwrap_or_else(|| panic!("{said}")).split_whitespace().next().unwrap().to_string();
    assert!(said.contains(&format!("rord-run replay run --step {step}")), "{said}");
    let found = object(dir, &["replay", "run", "--step", &step]);
    assert_eq!((&found["kept"], &found["outputs"]["total"]), (&Value::Bool(true), &Value::Null));
    let first = found["nodes"].as_array().unwrap().iter().find(|n| n["value"]["not_finite"] != 0).unwrap();
    assert_eq!(first["op"], "div", "{first}");
    let said = made(dir, &["replay", "run", "--step", &step]);
    assert!(
        said.contains("`div` (pipeline.rord:") && said.contains("has the first value that is not finite"),
        "{said}"
    );
    let out = rord(dir, &["replay", "run"]);
    assert!(
        err(&out).contains(&format!("look at the step that failed:  rord-run replay run --step {step}")),
        "{}",
        err(&out)
    );
}
