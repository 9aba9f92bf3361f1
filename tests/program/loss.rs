//! `rord-run loss` on tensors of a file: the published loss equals PyTorch's, values and gradients; wrong tensors are reports.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use candle_core::{DType, Device, Tensor};

const PIPELINE: &str = "tests/golden/loss/rord.rord";

fn rord(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.args(args).env("RORD_WIDTH", "100").env("NO_COLOR", "1").env_remove("TERM").output().unwrap()
}

fn numbers(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, relative to the largest number expected.
fn apart(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (numbers(found), numbers(expected));
    let scale = expected.iter().fold(1e-12f64, |m, x| m.max(x.abs()));
    found.iter().zip(&expected).fold(0.0, |m, (a, b)| f64::max(m, (a - b).abs() / scale))
}

fn goldens() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir("tests/golden/loss").unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "safetensors"));
    all.sort();
    assert!(all.len() >= 3);
    all
}

/// The inputs of a golden, in a type of its own file.
fn inputs(golden: &HashMap<String, Tensor>, dtype: DType, dir: &Path) -> PathBuf {
    let given = golden.iter().filter(|(n, _)| !n.contains('.'));
    let given: HashMap<String, Tensor> = given.map(|(n, t)| (n.clone(), t.to_dtype(dtype).unwrap())).collect();
    let path = dir.join(format!("{dtype:?}.safetensors"));
    candle_core::safetensors::save(&given, &path).unwrap();
    path
}

#[test]
fn the_published_loss_equals_pytorch() {
    for path in goldens() {
        let golden = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let dir = tempfile::tempdir().unwrap();
        // A place within 1e-4 of a cell of the border counts as the border here, so f64 agrees less closely than it could.
        for (dtype, value_bound, gradient_bound) in [(DType::F64, 1e-6, 1e-5), (DType::F32, 1e-5, 1e-4)] {
            let given = inputs(&golden, dtype, dir.path());
            let result = dir.path().join("result.safetensors");
            let out = rord(&["loss", PIPELINE, "--inputs", given.to_str().unwrap(), "--out", result.to_str().unwrap()]);
            assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
            let printed: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
            let found = candle_core::safetensors::load(&result, &Device::Cpu).unwrap();
            for name in ["detection", "description", "total"] {
                let expected = numbers(&golden[&format!("value.{name}")])[0];
                let value = printed[name].as_f64().unwrap();
                let error = (value - expected).abs() / expected.abs();
                println!("{:<40} {dtype:?} {name:<12} {error:.1e}", path.display().to_string());
                assert!(error < value_bound, "{path:?} {dtype:?} {name}: {value}, expected {expected}");
            }
            for name in ["det", "det_r", "desc", "desc_r"] {
                let error = apart(&found[&format!("grad.{name}")], &golden[&format!("grad.{name}")]);
                println!("{:<40} {dtype:?} grad.{name:<7} {error:.1e}", path.display().to_string());
                assert!(error < gradient_bound, "{path:?} {dtype:?} grad.{name}: {error:e}");
            }
        }
    }
}

#[test]
fn tensors_that_do_not_fit_are_reports_that_name_them() {
    let golden = candle_core::safetensors::load(&goldens()[0], &Device::Cpu).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let base: HashMap<String, Tensor> =
        golden.iter().filter(|(n, _)| !n.contains('.')).map(|(n, t)| (n.clone(), t.clone())).collect();
    let refused = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        let mut tensors = base.clone();
        change(&mut tensors);
        let path = dir.path().join("given.safetensors");
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let out = rord(&["loss", PIPELINE, "--inputs", path.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(1));
        assert!(out.stdout.is_empty());
        String::from_utf8(out.stderr).unwrap()
    };
    let said = refused(&|t| {
        let det = t.remove("det").unwrap();
        t.insert("dett".into(), det);
    });
    assert!(said.starts_with("R0918") && said.contains("`det`") && said.contains("did you mean `det"), "{said}");
    let said = refused(&|t| {
        let narrow = t["desc_r"].narrow(1, 0, 3).unwrap().contiguous().unwrap();
        t.insert("desc_r".into(), narrow);
    });
    assert!(said.starts_with("R0921") && said.contains("desc_r") && said.contains("C = 16"), "{said}");
    let said = refused(&|t| {
        t.insert("H".into(), t["det"].clone());
    });
    assert!(said.starts_with("R0921") && said.contains("3, 3"), "{said}");
    let said = refused(&|t| {
        let beyond = (&t["det"] * 2.0).unwrap();
        t.insert("det".into(), beyond);
    });
    assert!(said.starts_with("R0924") && said.contains("what Prob is (0 to 1)"), "{said}");
    let said = refused(&|t| {
        let nan = t["desc"].affine(f64::NAN, 0.0).unwrap();
        t.insert("desc".into(), nan);
    });
    assert!(said.starts_with("R0923") && said.contains("finite numbers"), "{said}");
    let out = rord(&["loss", "pipelines/default.rord", "--inputs", goldens()[0].to_str().unwrap()]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.code() == Some(1) && said.starts_with("R0819"), "{said}");
    let out = rord(&["loss", PIPELINE, "--inputs", "nowhere.safetensors"]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.code() == Some(1) && said.contains("cannot read nowhere.safetensors"), "{said}");
}

#[test]
fn the_direction_matters_to_the_golden() {
    // With H where its inverse belongs the language refuses; a file of H⁻¹ instead of H is the same mistake in the data.
    let golden = candle_core::safetensors::load("tests/golden/loss/symmetries.safetensors", &Device::Cpu).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut given = golden.clone();
    given.insert("H".into(), golden["H"].transpose(1, 2).unwrap().contiguous().unwrap());
    let path = inputs(&given, DType::F64, dir.path());
    let out = rord(&["loss", PIPELINE, "--inputs", path.to_str().unwrap()]);
    let printed: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let expected = numbers(&golden["value.detection"])[0];
    assert!((printed["detection"].as_f64().unwrap() - expected).abs() > 1e-3 * expected);
}
