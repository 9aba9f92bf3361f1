//! What is not finite is never kept and never counted: steps that lose weights, validations without a value, metrics that are no number.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::cli::{TINY, err, lines, rord};

/// Half of the samples have nothing where the truth is: those that are not trained on.
const SHARES: &str = r#"rord 1
pipeline "shares"
data pairs = tensors("t.safetensors", shuffle = false, train = 0.5) -> {
  image: Image[B, 1, H, W]@orig,
  truth: Label[B, 1, H, W]@orig,
}
model net(x: Image[B, 1, H, W]@f) {
  out p: Prob[B, 1, H, W]@f = x |> conv(4, 3) |> relu |> conv(1, 1) |> sigmoid
}
let { image, truth } = pairs
let { p } = net(image)
LOSSES
train {
  optimizer = adam(lr = 1e-2)
  batch     = 2
  epochs    = 3
  schedule  = reduce_on_plateau(watch = WATCHED, factor = 0.5, patience = 0epochs)
}
save { best = WATCHED }
"#;

fn shares(losses: &str, watched: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.rord"), SHARES.replace("LOSSES", losses).replace("WATCHED", watched)).unwrap();
    let image = Tensor::rand(0f32, 1.0, (8, 1, 8, 8), &Device::Cpu).unwrap();
    let half = |value: f32| Tensor::full(value, (4, 1, 8, 8), &Device::Cpu).unwrap();
    for (name, order) in [("t", [1.0, 0.0]), ("u", [0.0, 1.0])] {
        let truth = Tensor::cat(&order.map(half), 0).unwrap();
        let tensors = HashMap::from([("image", image.clone()), ("truth", truth)]);
        candle_core::safetensors::save(&tensors, dir.path().join(format!("{name}.safetensors"))).unwrap();
    }
    dir
}

/// Every number in the files of weights of a run.
fn weights_are_finite(run: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(run).unwrap().map(|e| e.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".safetensors") || name.ends_with("-batch.safetensors") {
            continue;
        }
        for (weight, tensor) in candle_core::safetensors::load(&entry, &Device::Cpu).unwrap() {
            let Ok(numbers) = tensor.flatten_all().unwrap().to_vec1::<f32>() else { continue };
            assert!(numbers.iter().all(|x| x.is_finite()), "{name}: {weight}");
        }
        names.push(name);
    }
    names.sort();
    names
}

fn status(run: &Path) -> String {
    let record = std::fs::read_to_string(run.join("run.yaml")).unwrap();
    record.lines().find(|line| line.starts_with("status: ")).unwrap().to_string()
}

#[test]
fn a_step_that_would_lose_weights_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let text = TINY.replace("= 1e-3 in (0, 1)", "= 1e-3 ");
    for (optimizer, ema) in
        [("adam(lr = lr)", ""), ("sgd(lr = lr)", ", ema = 0.5"), ("adamw(lr = lr)", ", accumulate = 2")]
    {
        let text = text.replace("adam(lr = lr)", &format!("{optimizer}{ema}"));
        std::fs::write(dir.path().join("t.rord"), text).unwrap();
        let out = rord(dir.path(), &["t.rord", "--set", "lr=1e39", "--out", "run"]);
        let said = err(&out);
        assert_eq!(out.status.code(), Some(1), "{optimizer}: {said}");
        for fact in [
            "R0902",
            "step 0 (epoch 1) makes weights that are not finite",
            "become infinite or",
            "a learning rate of 1e39",
        ] {
            assert!(said.contains(fact), "{optimizer}: {said}");
        }
        let run = dir.path().join("run");
        assert_eq!(status(&run), "status: failed");
        assert_eq!(weights_are_finite(&run), ["last.safetensors", "nan-0.safetensors"]);
        std::fs::remove_dir_all(run).unwrap();
    }
}

#[test]
fn a_validation_without_a_value_ends_the_run_and_lowers_no_rate() {
    let dir = shares("minimize total = sum(truth * p) / sum(truth)", "val.total");
    let out = rord(dir.path(), &["t.rord", "--out", "run"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    for fact in [
        "`val.total` is not a finite number before the first epoch",
        "batch 1 of 2",
        "t.rord:12:",
        "what is divided by is 0",
    ] {
        assert!(said.contains(fact), "{said}");
    }
    assert!(!said.contains("no progress") && status(&dir.path().join("run")) == "status: failed", "{said}");
    // Without the trial the first epoch is trained, and its validation fails; the state before it stays.
    let text = std::fs::read_to_string(dir.path().join("t.rord")).unwrap();
    std::fs::write(dir.path().join("t.rord"), text.replace("batch     = 2", "batch     = 2\n  sanity    = 0")).unwrap();
    let out = rord(dir.path(), &["t.rord", "--out", "late"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.contains("`val.total` is not a finite number after epoch 1") && !said.contains("no progress"),
        "{said}"
    );
    let kept = weights_are_finite(&dir.path().join("late"));
    assert_eq!(kept, ["last.safetensors", "state.safetensors"]);
    assert!(dir.path().join("late/nan-val-1-batch.safetensors").exists());
    let metrics = lines(&dir.path().join("late/metrics.jsonl"));
    let splits: Vec<_> = metrics.iter().map(|line| line["split"].clone()).collect();
    assert_eq!(splits, ["train", "train", "figures"]);
}

#[test]
fn a_metric_that_is_no_number_is_told_and_is_no_score() {
    let losses = "metric share = sum(truth * p) / sum(truth)\nminimize total = bce(truth, p)";
    let dir = shares(losses, "max(val.share)");
    let out = rord(dir.path(), &["t.rord", "--out", "run"]);
    let said = err(&out);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("`val.share` is not a finite number after epoch").count(), 3, "{said}");
    assert!(
        said.contains("R0902") && said.contains("it counts as no score") && !said.contains("no progress"),
        "{said}"
    );
    let run = dir.path().join("run");
    assert_eq!(
        (status(&run).as_str(), weights_are_finite(&run)),
        ("status: finished", vec!["last.safetensors".to_string()])
    );
    let lines = lines(&run.join("metrics.jsonl"));
    assert!(lines.iter().filter(|l| l["split"] == "train").all(|l| l["lr"] == 0.01), "{lines:?}");
    assert!(lines.iter().filter(|l| l["split"] == "val").all(|l| l["share"].is_null() && l["total"].is_number()));
}

#[test]
fn what_steers_a_terminal_is_shown_and_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.rord"), "rord 1\ninput x: Map[B, 1, H, W]@f\nlet a = y # \x1b[2J é\n").unwrap();
    let out = rord(dir.path(), &["check", "a.rord"]);
    let said = err(&out);
    assert!(said.contains(" 3 │ let a = y # ␛[2J é\n") && !said.contains('\x1b'), "{said:?}");
    // A label behind such a character still points at its place.
    std::fs::write(dir.path().join("b.rord"), "rord 1\nlet a = \"\x1b\x07\" + yy\n").unwrap();
    let said = err(&rord(dir.path(), &["check", "b.rord"]));
    assert!(!said.contains(['\x1b', '\x07']) && said.contains("b.rord:2:"), "{said:?}");
    let out = rord(dir.path(), &["check", "\x1b]0;mine\x07.rord"]);
    assert!(err(&out).contains("␛]0;mine␇.rord") && !err(&out).contains('\x1b'), "{:?}", err(&out));
}
