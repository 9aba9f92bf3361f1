//! The losses of the standard library, value and gradients, against PyTorch: `tests/golden/std.safetensors`, made by `std.py`.
//!
//! Choices of negatives are compared with it too: PyTorch's side takes the index of each negative as a plain number, so a gradient that
//! reaches anything through the choice shows here.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::program::{Feed, Program};
use rord_graph::node::{NodeSource, Role};
use rord_graph::{build, passes};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::any_error;
use rord_lang::source::SourceKind;
use safetensors::SafeTensors;

/// One case: an expression, its inputs' types, and its tensors.
struct Case {
    expression: String,
    types: Vec<(String, String)>,
    tensors: HashMap<String, Tensor>,
}

impl Case {
    /// The tensors under a prefix, by name.
    fn under(&self, prefix: &str, dtype: DType) -> HashMap<String, Tensor> {
        let found = self.tensors.iter().filter_map(|(k, t)| Some((k.strip_prefix(prefix)?, t)));
        found.map(|(name, t)| (name.to_string(), t.to_dtype(dtype).unwrap())).collect()
    }
}

/// The cases of the library, and those of formulas on places: `place_formulas.py`.
fn cases() -> Vec<(String, Case)> {
    ["std", "place_formulas"].into_iter().flat_map(cases_of).collect()
}

fn cases_of(file: &str) -> Vec<(String, Case)> {
    let bytes = std::fs::read(format!("tests/golden/{file}.safetensors")).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["golden"]).unwrap();
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_string();
    let one = |(name, about): (&String, &serde_json::Value)| {
        let types = about["inputs"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), text(v))).collect();
        let prefix = format!("{name}/");
        let own = tensors.iter().filter_map(|(k, t)| Some((k.strip_prefix(&prefix)?.to_string(), t.clone())));
        (name.clone(), Case { expression: text(&about["expression"]), types, tensors: own.collect() })
    };
    golden["cases"].as_object().unwrap().iter().map(one).collect()
}

/// The value of a case and the gradient of every input that the golden has one of.
fn evaluated(case: &Case, dtype: DType) -> (f64, Vec<(String, Tensor)>) {
    let inputs: String = case.types.iter().map(|(name, ty)| format!("input {name}: {ty}\n")).collect();
    let text = format!("{inputs}minimize value = {}\n", case.expression);
    let (vocabulary, mut sources) = rord_ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text.as_str());
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(!any_error(&reports), "{text}{reports:?}");
    let mut graph = build::build(&pipeline, &vocabulary, &build::outputs(&pipeline, &[Role::Objective]));
    passes::run(&mut graph, &vocabulary, None).unwrap();
    rord_graph::verify::verify(&graph, &vocabulary).unwrap();
    let slopes = case.under("d/", dtype);
    let wanted = |s: &NodeSource| matches!(s, NodeSource::Field { name, .. } if slopes.contains_key(name));
    let program = Program::new(graph, wanted, dtype, &Device::Cpu).unwrap();
    let fields = case.under("in/", dtype);
    let feed = Feed { batch: 0, fields: &fields, weights: &[], seed: 0, step: 0, training: true, timed: None };
    let outcome = program.run(&feed, !slopes.is_empty()).unwrap();
    (outcome.numbers().unwrap()[0], outcome.field_grads)
}

fn numbers(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference relative to the largest number of the golden; a difference that is not a number is the largest of all.
fn apart(golden: &[f64], ours: &[f64], least: f64) -> f64 {
    assert_eq!(golden.len(), ours.len());
    let scale = golden.iter().fold(least, |m, x| m.max(x.abs()));
    let gaps = golden.iter().zip(ours).map(|(a, b)| (a - b).abs() / scale);
    gaps.map(|e| if e.is_nan() { f64::INFINITY } else { e }).fold(0.0, f64::max)
}

#[test]
fn losses_of_the_library_are_those_of_torch() {
    let mut wrong = Vec::new();
    let mut worst = [[0.0f64; 2]; 2];
    let all = cases();
    assert!(all.len() > 100);
    for (name, case) in &all {
        for (i, (dtype, bounds)) in [(DType::F64, [1e-9, 1e-8]), (DType::F32, [1e-5, 1e-4])].into_iter().enumerate() {
            let (value, grads) = evaluated(case, dtype);
            let mut errors = [apart(&numbers(&case.tensors["out"]), &[value], 1e-2), 0.0];
            for (input, golden) in case.under("d/", DType::F64) {
                let golden = numbers(&golden);
                let found = grads.iter().find(|(n, _)| *n == input).map(|(_, t)| numbers(t));
                // Where nothing reaches an input its gradient is nothing or zeros.
                let found = found.unwrap_or_else(|| vec![0.0; golden.len()]);
                errors[1] = errors[1].max(apart(&golden, &found, 1e-4));
            }
            for at in 0..2 {
                worst[i][at] = worst[i][at].max(errors[at]);
                // A place within 1e-4 of a cell of the border counts as the border here, and as a hair outside of it in torch.
                let slack = if case.tensors.contains_key("in/H") { 100.0 } else { 1.0 };
                if errors[at] > bounds[at] * if dtype == DType::F64 { slack } else { 1.0 } {
                    let what = ["value", "gradient"][at];
                    wrong.push(format!("{name} in {dtype:?}: {what} off by {:.1e}: {}", errors[at], case.expression));
                }
            }
        }
    }
    println!("{} cases, largest errors {worst:?}", all.len());
    assert!(wrong.is_empty(), "{} found\n{}", wrong.len(), wrong.join("\n"));
}
