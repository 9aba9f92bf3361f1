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

/// A folder with a pipeline and its inputs.
fn given(text: &str, inputs: &[(&str, Tensor)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.rord"), text).unwrap();
    let inputs: HashMap<String, Tensor> = inputs.iter().map(|(n, t)| (n.to_string(), t.clone())).collect();
    candle_core::safetensors::save(&inputs, dir.path().join("in.safetensors")).unwrap();
    dir
}

/// What `loss f.rord` with these arguments prints, reports and returns in that folder.
fn loss(dir: &tempfile::TempDir, more: &[&str]) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.args(["loss", "f.rord", "--inputs", "in.safetensors"]).args(more).current_dir(dir.path());
    let out = command.env("RORD_WIDTH", "100").env("NO_COLOR", "1").env_remove("TERM").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr), out.status.code())
}

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap()
}

const FROZEN: &str = "input x: Label[1, 1, 4, 4]@f
input at: Logit[1, 2, 2, 2]@f
FROZEN
model cells(x: Map[B, 1, 4, 4]@f) { out y: Feat[B, 2, 2, 2]@f = x |> conv(2, 2, stride = 2, pad = 0, bias = false) }
minimize total = sum(cells(x).y) + 0 * mean(at)
";

#[test]
fn weights_of_frozen_models_come_from_their_file() {
    let text = FROZEN.replace("FROZEN", "@frozen(weights = \"cells.safetensors\")");
    let dir = given(&text, &[("x", ones(&[1, 1, 4, 4])), ("at", ones(&[1, 2, 2, 2]))]);
    let (printed, said, code) = loss(&dir, &[]);
    assert_eq!((printed.as_str(), code), ("", Some(1)), "{said}");
    assert!(said.starts_with("R0913") && said.contains("cannot read cells.safetensors"), "{said}");
    assert!(said.contains("`cells` takes its weights from there"), "{said}");

    // Eight numbers, of which each of the four places sums all: 4 · (0.5 · 8).
    let weight = (ones(&[2, 1, 2, 2]) * 0.5).unwrap();
    let path = dir.path().join("cells.safetensors");
    candle_core::safetensors::save(&HashMap::from([("cells.y.0.weight".to_string(), weight)]), &path).unwrap();
    assert_eq!(loss(&dir, &[]), ("{\"total\":16.0}\n".into(), String::new(), Some(0)));

    candle_core::safetensors::save(&HashMap::from([("cells.y.0.weight".to_string(), ones(&[2, 1, 3, 3]))]), &path)
        .unwrap();
    let (printed, said, code) = loss(&dir, &[]);
    assert!(printed.is_empty() && code == Some(1), "{printed}");
    assert!(said.starts_with("R0913") && said.contains("is [2, 1, 3, 3], expected [2, 1, 2, 2]"), "{said}");
}

#[test]
fn weights_that_no_file_gives_are_reported_and_computed_with() {
    let model = |frozen: &str| {
        given(&FROZEN.replace("FROZEN", frozen), &[("x", ones(&[1, 1, 4, 4])), ("at", ones(&[1, 2, 2, 2]))])
    };
    for frozen in ["", "@frozen()"] {
        let dir = model(frozen);
        let (printed, said, code) = loss(&dir, &[]);
        assert!(printed.starts_with("{\"total\":") && code == Some(0), "{printed}{said}");
        assert!(said.starts_with("R0903") && said.contains("the weights of `cells` are drawn at random"), "{said}");
        assert!(said.contains("--init"), "{said}");
        let path = dir.path().join("w.safetensors");
        candle_core::safetensors::save(&HashMap::from([("cells.y.0.weight".to_string(), ones(&[2, 1, 2, 2]))]), path)
            .unwrap();
        assert_eq!(loss(&dir, &["--init", "w.safetensors"]), ("{\"total\":32.0}\n".into(), String::new(), Some(0)));
    }
}

#[test]
fn a_value_that_is_not_finite_is_a_report_of_its_place() {
    let text = "input x: Logit[1, 1, 2, 2]@f
loss square = mean(x * x * x * x)
loss other  = mean(x)
minimize total = square + other
";
    let dir = given(text, &[("x", (ones(&[1, 1, 2, 2]) * 1e10).unwrap())]);
    let (printed, said, code) = loss(&dir, &["--out", "out.safetensors"]);
    assert_eq!((printed.as_str(), code), ("", Some(1)), "{said}");
    assert!(said.starts_with("R0902") && said.contains("`total` is infinite"), "{said}");
    assert!(said.contains("`mul` gave the first value that is not finite"), "{said}");
    assert!(said.contains("f.rord:2:"), "the place: {said}");
    assert!(!dir.path().join("out.safetensors").exists());
    // A metric alone, and a loss beside an objective that is finite.
    for last in ["minimize total = other\n", "metric far = mean(x * x * x * x)\n"] {
        let text =
            format!("input x: Logit[1, 1, 2, 2]@f\nloss square = mean(x * x * x * x)\nloss other = mean(x)\n{last}");
        std::fs::write(dir.path().join("f.rord"), text).unwrap();
        let (printed, said, code) = loss(&dir, &[]);
        assert!(printed.is_empty() && code == Some(1), "{last}: {printed}");
        assert!(said.contains("R0902") && said.contains("`square` is infinite"), "{last}: {said}");
    }
}

#[test]
fn results_are_written_whole_or_not_at_all() {
    let text = "input x: Logit[1, 1, 2, 2]@f\nminimize total = mean(x * x)\n";
    let dir = given(text, &[("x", ones(&[1, 1, 2, 2]))]);
    let (printed, said, code) = loss(&dir, &["--out", "out.safetensors"]);
    assert_eq!((printed.as_str(), code), ("{\"total\":1.0}\n", Some(0)), "{said}");
    let found = candle_core::safetensors::load(dir.path().join("out.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(numbers(&found["grad.x"]), [0.5; 4]);
    std::fs::create_dir(dir.path().join("taken")).unwrap();
    let (printed, said, code) = loss(&dir, &["--out", "taken"]);
    assert_eq!((printed.as_str(), code), ("", Some(1)));
    assert!(said.starts_with("R0914") && said.contains("cannot write taken: "), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "nothing stays beside it");
}

/// What compares places of two views in a shipped pipeline, with the maps that the network makes as inputs.
fn comparing(pipeline: &str, second: &str) -> String {
    let text = std::fs::read_to_string(Path::new("pipelines").join(pipeline)).unwrap();
    let from = text.find("# 256 places").unwrap();
    let to = text.find("loss corner_at").unwrap();
    let inputs = "rord 1
input image:   Image[B, 1, H, W]@orig
input image_r: Image[B, 1, H, W]@moved
input H:       Homography[B]@orig->moved
input desc:    Desc unit[B, 128, H/4, W/4]@orig
";
    format!("{inputs}input {second}: Desc unit[B, 128, H/4, W/4]@moved\n{}", &text[from..to])
}

/// Maps of two views that have nothing in common but a direction, around which every cell is noise.
fn of_nothing(common: f64) -> [Tensor; 2] {
    let mut stream = rord_random::Stream::new(0, &[u64::from_le_bytes(*b"anything")]);
    let mut normal = |n: usize| -> Vec<f32> { (0..n).map(|_| stream.normal() as f32).collect() };
    let shared = Tensor::from_vec(normal(128), (1, 128, 1, 1), &Device::Cpu).unwrap();
    let unit = |t: Tensor| {
        let norm = t.sqr().unwrap().sum_keepdim(1).unwrap().sqrt().unwrap();
        t.broadcast_div(&norm).unwrap()
    };
    let shared = (unit(shared) * common).unwrap();
    [(); 2].map(|()| {
        let noise = unit(Tensor::from_vec(normal(2 * 128 * 32 * 32), (2, 128, 32, 32), &Device::Cpu).unwrap());
        unit(noise.broadcast_add(&shared).unwrap())
    })
}

/// A place that is read between cells is smoother than a cell. Where only what belongs together is read so, a network is rewarded for
/// noise: it "finds" 90 of 100 places of patches, and nothing in a chip.
#[test]
fn nothing_is_told_from_maps_that_show_nothing() {
    for (pipeline, second) in [("find.rord", "turned"), ("photos.rord", "moved")] {
        for common in [0.0, 0.6, 1.0, 3.0] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("f.rord"), comparing(pipeline, second)).unwrap();
            let [desc, other] = of_nothing(common);
            let image = Tensor::zeros((2, 1, 128, 128), DType::F32, &Device::Cpu).unwrap();
            let here = Tensor::from_slice(&[1f32, 0., 0., 0., 1., 0., 0., 0., 1.].repeat(2), (2, 3, 3), &Device::Cpu);
            let given =
                [("image", image.clone()), ("image_r", image), ("H", here.unwrap()), ("desc", desc), (second, other)];
            let given: HashMap<String, Tensor> = given.into_iter().map(|(name, t)| (name.into(), t)).collect();
            candle_core::safetensors::save(&given, dir.path().join("in.safetensors")).unwrap();
            let (out, said, code) = loss(&dir, &[]);
            assert_eq!(code, Some(0), "{said}");
            let values: serde_json::Value = serde_json::from_str(&out).unwrap();
            let (hit, what) = (values["hit"].as_f64().unwrap(), values["what"].as_f64().unwrap());
            // By chance: one of some 1,000.
            assert!(hit < 0.01, "{pipeline}, {common}: {hit} of all places are found");
            assert!(what > (950f64).ln(), "{pipeline}, {common}: a loss of {what}");
        }
    }
}
