//! Runs and steps that are made again.

use std::path::Path;

use serde_json::Value;

use super::cli::{TINY, command, err, lines, rord, tiny};

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
        let update = &found["update"];
        for name in ["lr", "grad_norm"] {
            let (now, then) = (update[name].as_f64().unwrap(), line[name].as_f64().unwrap());
            assert_eq!(now as f32, then as f32, "step {step}, {name}");
        }
        let weight = &update["weights"][0];
        assert_eq!(
            (&weight["name"], &weight["shape"]),
            (&"net.trunk.0.weight".into(), &serde_json::json!([8, 1, 3, 3]))
        );
        assert!(weight["change"]["max"].as_f64().unwrap() > 0.0 && weight["change"]["not_finite"] == 0, "{weight}");
        assert_eq!(update["files"], serde_json::json!([]), "no file is of this step");
    }
    let said = made(dir, &["replay", "run", "--step", "4"]);
    assert!(said.starts_with("step 4 of run, made again: a batch of 2\ntotal = "), "{said}");
    assert!(
        said.contains(", as in metrics.jsonl\n") && said.contains("\nall values and gradients are finite\n"),
        "{said}"
    );
    let end = "\nthe run has no file of what the step left, so that it is compared by metrics.jsonl alone\n";
    assert!(said.ends_with(end), "{said}");
    let out = rord(dir, &["replay", "run", "--step", "99"]);
    assert!(err(&out).contains("run has no step 99"), "{}", err(&out));
    let out = rord(dir, &["replay", "nowhere"]);
    assert!(err(&out).contains("nowhere is not the folder of a run"), "{}", err(&out));
}

#[test]
fn what_the_optimizer_makes_of_a_step_is_compared_with_what_the_run_has() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Steps of two batches, moments, an average of the weights; a file of every second step.
    let text = super::resume::FULL.replace("every = 5epochs", "every = 2steps").replace("= 12", "= 2");
    std::fs::write(dir.join("full.rord"), text).unwrap();
    made(dir, &["full.rord", "--out", "run"]);
    let found = object(dir, &["replay", "run", "--step", "1"]);
    let same = ["best.safetensors", "step-2.safetensors", "top-1.safetensors"]
        .map(|file| serde_json::json!({ "file": file, "same": true, "how": "" }));
    let same = serde_json::json!(same);
    assert_eq!(found["update"]["files"], same, "{found}");
    let said = made(dir, &["replay", "run", "--step", "1"]);
    assert!(said.contains("\nstep-2.safetensors holds what the step left, to the bit\n"), "{said}");
    assert!(said.contains("\nlr = 0.01, as in metrics.jsonl\ngrad_norm = "), "{said}");

    // The last step, from the state before it, beside the state after it: moments and the average, too.
    let mut run = command(dir, &["full.rord", "--out", "cut", "--set", "epochs=300"]).spawn().unwrap();
    while !dir.join("cut/state.safetensors").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    // That of the state is not known from outside, but it is saved after each step.
    let written = std::fs::read_to_string(dir.join("cut/metrics.jsonl")).unwrap();
    let steps = written.lines().filter(|line| line.contains("\"train\"")).count();
    let state = (steps.saturating_sub(3)..=steps).find_map(|step| {
        let found = object(dir, &["replay", "cut", "--step", &step.to_string()]);
        let files = found["update"]["files"].as_array().unwrap().clone();
        files.into_iter().find(|file| file["file"] == "state.safetensors")
    });
    assert_eq!(state.expect("the state is of one of the last steps")["same"], true);

    // A number that is not what the step leaves is found.
    let path = dir.join("run/step-2.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let out = rord(dir, &["replay", "run", "--step", "1"]);
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.contains("step-2.safetensors holds something else than the step left: it differs by up to "),
        "{said}"
    );
}

#[test]
fn an_update_that_fails_is_made_again_from_the_state_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("t.rord"), TINY.replace("adam(lr = lr)", "adam(lr = 1e39)")).unwrap();
    let out = rord(dir, &["t.rord", "--out", "run"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    let step = said.split("--step ").nth(1).unwrap_or_else(|| panic!("{said}")).split_whitespace().next().unwrap();
    let out = made(dir, &["replay", "run", "--step", step]);
    assert!(out.contains("from what was kept of it") && out.contains("all values and gradients are finite"), "{out}");
    let why = "become infinite or NaN, at a learning rate of 1e39\n";
    assert!(out.contains("\nthe step was not taken: ") && out.ends_with(why), "{out}");
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
