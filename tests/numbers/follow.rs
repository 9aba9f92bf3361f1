//! Eight training steps of a model that follows another, and of two objectives in turn, against PyTorch's: every number of
//! every step, and all weights in the end, running statistics among them.
//!
//! `tests/golden/follow.py` made the batches, the first weights and what is expected; running this needs no Python.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use candle_core::{DType, Device};

const FOLDER: &str = "tests/golden/follow";

/// The most that a number may differ from PyTorch's in f64, relative to the largest of its series.
const CLOSE: f64 = 2e-5;

fn tensors(path: &Path) -> HashMap<String, Vec<f64>> {
    let found = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let numbers = |t: &candle_core::Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    found.iter().map(|(name, tensor)| (name.clone(), numbers(tensor))).collect()
}

fn close(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let scale = expected.iter().fold(1e-3, |a: f64, b| a.max(b.abs()));
    let gap = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max);
    assert!(gap < CLOSE, "{name}: {gap:.1e}\n{found:?}\n{expected:?}");
}

/// Trains a pipeline of the folder: the numbers of every step, the first weights, and the last.
fn trained(name: &str, init: bool) -> (Vec<serde_json::Value>, HashMap<String, Vec<f64>>) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut run = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    run.args(["train", &format!("{FOLDER}/{name}.rord"), "--out"]).arg(&out);
    if init {
        run.args(["--init", &format!("{FOLDER}/{name}-weights.safetensors")]);
    }
    let run = run.output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (lines, tensors(&out.join("last.safetensors")))
}

/// Weights that batch_norm takes out again: their gradient is rounding alone, and so is where Adam moves them, and the mean that follows.
const TAKEN_OUT: [&str; 3] = ["net.p.0.0.bias", "g.y.0.bias", "g.y.1.running_mean"];

fn agrees(name: &str, series: &[&str]) {
    let (lines, last) = trained(name, true);
    assert_eq!(lines.len(), 8);
    let expected = tensors(&Path::new(FOLDER).join(format!("{name}-expected.safetensors")));
    let first = tensors(&Path::new(FOLDER).join(format!("{name}-weights.safetensors")));
    for of in series {
        close(of, &lines.iter().map(|l| l[*of].as_f64().unwrap()).collect::<Vec<_>>(), &expected[*of]);
    }
    assert_eq!(last.len(), first.len());
    for (of, weights) in last.iter().filter(|(of, _)| !TAKEN_OUT.contains(&of.as_str())) {
        close(of, weights, &expected[of]);
        let moved = weights.iter().zip(&first[of]).any(|(a, b)| (a - b).abs() > 1e-3);
        assert!(moved, "{of} has hardly moved, so it proves nothing");
    }
}

#[test]
fn a_model_follows_another_as_in_pytorch() {
    agrees("follow", &["total", "agreement", "shape", "near", "part"]);
}

#[test]
fn two_objectives_take_turns_as_in_pytorch() {
    agrees("gan", &["critic", "generator", "grad_norm"]);
}

#[test]
fn a_model_that_follows_begins_as_a_copy() {
    let (lines, last) = trained("follow", false);
    assert_eq!(lines[0]["agreement"].as_f64(), Some(0.0), "{}", lines[0]);
    assert!(lines[4]["agreement"].as_f64().unwrap() > 0.0);
    assert_ne!(last["target.p.0.0.weight"], last["net.p.0.0.weight"]);
    // A rate is kept by its logarithm.
    assert!(last["head.temperature.log"][0].is_finite() && !last.contains_key("head.temperature"));
}
