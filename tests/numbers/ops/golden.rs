//! Goldens made by PyTorch, replayed: `tests/golden/ops/<operation>.safetensors`, whatever cases it holds.
//!
//! `cargo test --test ops goldens -- --nocapture` prints the largest relative errors.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use rord_lang::constant::{Constant, Settings};
use rord_ops::compute::samples::numbers;
use rord_ops::compute::slices::Plain;
use rord_ops::compute::{Call, Compute};
use safetensors::SafeTensors;

/// Operations without a golden, and why. All others must have one.
const WITHOUT: &[(&str, &str)] = &[
    ("levels", "it reads no tensor, and a golden's settings hold no range; a test of its own looks at its numbers"),
    ("grid", "torch has nothing like it; its places are counted and looked at by tests of their own"),
    ("scatter", "torch draws other random numbers; where its points lie is looked at by a test of its own"),
    ("all_gather", "it is what several processes do; ranks.rs compares pipelines with those of one"),
    ("hand_out", "it is what several processes do; ranks.rs compares pipelines with those of one"),
    ("count_once", "it is what several processes do; ranks.rs compares pipelines with those of one"),
    ("uniform", "torch draws other random numbers; how its own are spread is looked at by a test of its own"),
    ("random", "torch draws other random numbers; where its points lie is looked at by a test of its own"),
];

/// The largest errors of an operation: value and gradient, in f64 and in f32.
#[derive(Default)]
struct Errors {
    cases: usize,
    of: [f64; 4],
}

/// What a case must not exceed, in the order of [`Errors::of`].
const BOUNDS: [f64; 4] = [1e-9, 1e-9, 1e-5, 1e-4];

/// One case of a file.
struct Case {
    settings: Settings,
    training: bool,
    tensors: HashMap<String, Tensor>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ops")
}

/// The cases of an operation by name, and what made them; `None` where there is no file.
fn cases(op: &str) -> Option<BTreeMap<String, Case>> {
    let bytes = std::fs::read(folder().join(format!("{op}.safetensors"))).ok()?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let golden = &metadata.metadata().as_ref().unwrap()["golden"];
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    assert!(golden["made_by"].as_str().unwrap().starts_with("torch "), "{op}: nobody says what made the golden");
    assert_eq!(golden["operation"], op);
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    let case = |(name, about): (&String, &serde_json::Value)| {
        let settings = about["settings"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), constant(v)));
        let settings = Settings(settings.collect());
        let training = about["training"].as_bool().unwrap();
        (name.clone(), Case { settings, training, tensors: HashMap::new() })
    };
    let mut cases: BTreeMap<String, Case> = golden["cases"].as_object().unwrap().iter().map(case).collect();
    for (key, tensor) in tensors {
        let (case, part) = key.split_once('/').unwrap();
        cases.get_mut(case).expect("a tensor of a case that the metadata lists").tensors.insert(part.into(), tensor);
    }
    Some(cases)
}

pub(super) fn constant(value: &serde_json::Value) -> Constant {
    match value {
        serde_json::Value::Bool(b) => Constant::Flag(*b),
        serde_json::Value::Number(x) => Constant::Number(x.as_f64().unwrap()),
        serde_json::Value::String(word) => Constant::Word(word.clone()),
        serde_json::Value::Array(items) => Constant::List(items.iter().map(constant).collect()),
        other => panic!("a setting cannot be {other}"),
    }
}

/// The largest difference, each relative to the golden number or to the median size of the golden's numbers that are not 0,
/// whichever is larger: neither a huge number nor many zeros hide an error in the others.
fn error(golden: &Tensor, ours: &Tensor) -> f64 {
    if golden.dims() != ours.dims() {
        return f64::INFINITY;
    }
    let (golden, ours) = (numbers(golden).unwrap(), numbers(ours).unwrap());
    let mut sizes: Vec<f64> = golden.iter().map(|x| x.abs()).filter(|x| *x > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(1.0).max(1e-6);
    let apart = |(g, o): (&f64, &f64)| if g == o { 0.0 } else { (g - o).abs() / g.abs().max(median) };
    // A difference that is not a number is the largest of all.
    golden.iter().zip(&ours).map(apart).map(|e| if e.is_nan() { f64::INFINITY } else { e }).fold(0.0, f64::max)
}

/// Errors of value and gradient of one case in one precision.
fn replay(compute: &dyn Compute, case: &Case, dtype: DType) -> candle_core::Result<(f64, f64)> {
    let under = |prefix: &str| -> Vec<(&str, Tensor)> {
        let found = case.tensors.iter().filter_map(|(k, t)| Some((k.strip_prefix(prefix)?, t.clone())));
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(name, _)| name.to_string());
        found
    };
    let inputs = under("in/").into_iter().map(|(name, t)| Ok((name, t.to_dtype(dtype)?)));
    let inputs = inputs.collect::<candle_core::Result<Vec<_>>>()?;
    let slopes = under("d/");
    let wants: Vec<&str> = slopes.iter().map(|(name, _)| *name).collect();
    let golden = &case.tensors["out"];
    let call = Call {
        inputs: &inputs,
        settings: &case.settings,
        shape: golden.dims(),
        stream: [1, 2, 3],
        training: case.training,
        wants: &wants,
        share: None,
        apart: false,
    };
    let output = compute.forward(&call)?;
    let value = error(golden, &output.value);
    let gradients = compute.backward(&call, &output, &case.tensors["grad"].to_dtype(dtype)?)?;
    let mut worst = 0.0f64;
    for (name, golden) in &slopes {
        let ours = gradients.iter().find(|(n, _)| n == name);
        let ours = ours.ok_or_else(|| candle_core::Error::msg(format!("no gradient of `{name}`")))?;
        worst = worst.max(error(golden, &ours.1));
    }
    Ok((value, worst))
}

#[test]
fn goldens_of_torch_are_met() {
    let mut wrong = Vec::new();
    let mut table =
        format!("\n{:<14} {:>5}  {:>9} {:>9}  {:>9} {:>9}\n", "operation", "cases", "f64", "d f64", "f32", "d f32");
    for (op, compute) in super::computing() {
        let exempt = WITHOUT.iter().any(|(name, _)| *name == op.name);
        let Some(cases) = cases(op.name) else {
            assert!(exempt, "{}: there is no tests/golden/ops/{0}.safetensors: add it to make.py", op.name);
            continue;
        };
        assert!(!exempt, "{} has a golden, so it need not be excused", op.name);
        assert!(!cases.is_empty(), "{}: the golden is empty", op.name);
        let mut errors = Errors { cases: cases.len(), ..Errors::default() };
        for (name, case) in &cases {
            for (path, compute) in [("", compute), (" (plain)", &Plain(compute) as &dyn Compute)] {
                for (i, dtype) in [DType::F64, DType::F32].into_iter().enumerate() {
                    match replay(compute, case, dtype) {
                        failed @ Err(_) => {
                            wrong.push(format!("{}{path}, {name}, {dtype:?}: {}", op.name, super::brief(&failed)));
                        }
                        Ok((value, slope)) => {
                            for (at, what, e) in [(2 * i, "value", value), (2 * i + 1, "gradient", slope)] {
                                errors.of[at] = errors.of[at].max(e);
                                if e > BOUNDS[at] {
                                    wrong.push(format!("{}{path}, {name}, {dtype:?}: {what} off by {e:.1e}", op.name));
                                }
                            }
                        }
                    }
                }
            }
        }
        let [a, b, c, d] = errors.of;
        table += &format!("{:<14} {:>5}  {a:>9.1e} {b:>9.1e}  {c:>9.1e} {d:>9.1e}\n", op.name, errors.cases);
    }
    println!("{table}");
    super::none(&wrong);
}

#[test]
fn goldens_are_small_and_belong_to_operations() {
    let mut size = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        size += entry.metadata().unwrap().len();
        let file = entry.file_name().into_string().unwrap();
        let name = file.strip_suffix(".safetensors").expect("nothing but goldens");
        assert!(rord_ops::find(name).is_some_and(|op| op.compute.is_some()), "no operation is called {name}");
    }
    assert!(size < 3_000_000, "{size} bytes");
}

#[test]
fn a_golden_tells_a_wrong_value_and_a_wrong_gradient() {
    let cases = cases("relu").unwrap();
    let (_, gradient) = replay(&super::Half, &cases["odd"], DType::F64).unwrap();
    assert!(gradient > 0.1, "{gradient}");
    let sigmoid = rord_ops::find("sigmoid").and_then(|op| op.compute).unwrap();
    assert!(replay(sigmoid, &cases["odd"], DType::F64).unwrap().0 > 0.1);
}
