//! How a run is shown: lines, nothing but its end, and one JSON object a line for other programs.

use super::cli::{err, rord, tiny};

#[test]
fn events_are_one_object_a_line_and_nothing_else() {
    let dir = tiny();
    let out = rord(dir.path(), &["tiny.rord", "--out", "run", "--progress", "json"]);
    assert_eq!((out.status.code(), err(&out).as_str()), (Some(0), ""));
    let text = String::from_utf8(out.stdout).unwrap();
    let all: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = all.iter().map(|event| event["event"].as_str().unwrap()).filter(|e| *e != "busy").collect();
    assert_eq!(kinds, ["started", "step", "step", "step", "figures", "epoch", "finished"], "{text}");
    let of = |kind: &str| all.iter().find(|event| event["event"] == kind).unwrap();
    let started = of("started");
    assert_eq!((&started["folder"], &started["epochs"], &started["steps"]), (&"run".into(), &1.into(), &3.into()));
    let step = of("step");
    let names: Vec<&String> = step["values"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["total", "detection", "description"]);
    // The numbers are those of the run's file.
    let metrics = std::fs::read_to_string(dir.path().join("run/metrics.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
    assert_eq!((&step["values"]["total"], &step["grad_norm"]), (&first["total"], &first["grad_norm"]));
    let figures: serde_json::Value = serde_json::from_str(metrics.lines().nth(3).unwrap()).unwrap();
    let values = &of("figures")["values"];
    assert!(values["description.active"].is_number(), "{text}");
    assert_eq!((&values["description.active"], &figures["split"]), (&figures["description.active"], &"figures".into()));
    let end = of("finished");
    assert_eq!((&end["status"], &end["weights"]), (&"finished".into(), &"run/last.safetensors".into()));
    assert_eq!(end["best"]["watch"], "val.total");
}

#[test]
fn a_quiet_run_says_how_it_ended_and_an_error_is_said() {
    let dir = tiny();
    let out = rord(dir.path(), &["tiny.rord", "--out", "run", "-q"]);
    assert_eq!((out.status.code(), err(&out).as_str()), (Some(0), ""));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.starts_with("best val.total = ") && text.ends_with(" in epoch 1, written to run\n"), "{text}");
    assert_eq!(text.lines().count(), 1);
    let out = rord(dir.path(), &["tiny.rord", "--out", "run", "--quiet"]);
    assert!(out.status.code() == Some(1) && err(&out).contains("R0914"), "{}", err(&out));
    let out = rord(dir.path(), &["tiny.rord", "--quiet", "--progress", "json"]);
    assert!(out.status.code() == Some(2) && err(&out).contains("cannot be used with"), "{}", err(&out));
}

#[test]
fn without_a_terminal_nothing_is_drawn_and_a_page_has_the_times_of_operations() {
    let dir = tiny();
    let out = rord(dir.path(), &["tiny.rord", "--preset", "longer", "--out", "run", "--progress", "view"]);
    assert_eq!(out.status.code(), Some(0), "{}", err(&out));
    assert!(!err(&out).contains('\x1b') && !err(&out).contains('\r'), "{:?}", err(&out));
    let record = std::fs::read_to_string(dir.path().join("run/run.yaml")).unwrap();
    assert!(record.contains("\nstep:\n  steps: 2\n  ms: "), "{record}");
    assert!(record.contains("  operations:\n  - op: "), "{record}");
    let page = std::fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    assert!(page.contains("A step takes ") && page.contains("class=\"share\""), "{page}");
}

#[test]
fn a_run_that_an_error_ends_has_a_page_with_the_report() {
    let dir = tiny();
    let text = std::fs::read_to_string(dir.path().join("tiny.rord")).unwrap();
    let text = text.replace("total   = detection + description", "total   = detection / (0 * description)");
    std::fs::write(dir.path().join("bad.rord"), &text).unwrap();
    let out = rord(dir.path(), &["bad.rord", "--out", "run"]);
    assert!(out.status.code() == Some(1) && err(&out).contains("R0902"), "{}", err(&out));
    let page = std::fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    assert!(page.contains("<h2 id=\"error\">") && page.contains("R0902"), "{page}");
    let record = std::fs::read_to_string(dir.path().join("run/run.yaml")).unwrap();
    assert!(record.contains("status: failed") && record.contains("\nerror: "), "{record}");
}
