//! Losses with their goldens: an expression of the language, the types of its inputs, and PyTorch's value and gradients.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::program::{Feed, Program};
use rord_graph::node::{Graph, NodeSource, Role};
use rord_graph::{build, passes};
use rord_lang::check::{ImportError, Importer, Outside, check};
use rord_lang::report::any_error;
use rord_lang::source::SourceKind;
use safetensors::SafeTensors;

/// One case: an expression, its inputs' types, and its tensors.
pub struct Case {
    /// The file that it takes functions from, and which; none where all are in the library.
    pub import: Option<(String, Vec<String>)>,
    pub expression: String,
    types: Vec<(String, String)>,
    pub tensors: HashMap<String, Tensor>,
}

impl Case {
    /// The tensors under a prefix, by name.
    pub fn under(&self, prefix: &str, dtype: DType) -> HashMap<String, Tensor> {
        let found = self.tensors.iter().filter_map(|(k, t)| Some((k.strip_prefix(prefix)?, t)));
        found.map(|(name, t)| (name.to_string(), t.to_dtype(dtype).unwrap())).collect()
    }

    /// The optimized graph of the expression, or what the checker says of it.
    pub fn graph(&self) -> Result<Graph, String> {
        let import = match &self.import {
            Some((file, uses)) if !uses.is_empty() => format!("import \"{file}\" {{ {} }}\n", uses.join(", ")),
            _ => String::new(),
        };
        let inputs: String = self.types.iter().map(|(name, ty)| format!("input {name}: {ty}\n")).collect();
        let text = format!("{import}{inputs}minimize value = {}\n", self.expression);
        let (vocabulary, mut sources) = rord_ops::vocabulary();
        let file = sources.add(SourceKind::Main, "test.rord", text.as_str());
        let (pipeline, reports) = check(&mut sources, file, &vocabulary, &Papers, &Outside::default());
        if any_error(&reports) {
            return Err(format!("{text}{reports:#?}"));
        }
        let mut graph = build::build(&pipeline, &vocabulary, &build::outputs(&pipeline, &[Role::Objective]));
        passes::run(&mut graph, &vocabulary, None).unwrap();
        rord_graph::verify::verify(&graph, &vocabulary).unwrap();
        Ok(graph)
    }
}

/// Imports from pipelines/papers.
struct Papers;

impl Importer for Papers {
    fn import(&self, path: &str, _from: &str) -> Result<(String, String), ImportError> {
        let text = std::fs::read_to_string(format!("pipelines/papers/{path}"));
        text.map(|text| (path.to_string(), text)).map_err(|e| ImportError::Unreadable(format!("{path}: {e}")))
    }
}

/// All cases of a file that tests/golden has, by name.
pub fn cases(file: &str) -> Vec<(String, Case)> {
    let bytes = std::fs::read(format!("tests/golden/{file}.safetensors")).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["golden"]).unwrap();
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_string();
    let one = |(name, about): (&String, &serde_json::Value)| {
        let types = about["inputs"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), text(v))).collect();
        let prefix = format!("{name}/");
        let own = tensors.iter().filter_map(|(k, t)| Some((k.strip_prefix(&prefix)?.to_string(), t.clone())));
        let uses = |v: &serde_json::Value| v.as_array().unwrap().iter().map(text).collect();
        let import = about.get("paper").map(|paper| (format!("{}.rord", text(paper)), uses(&about["uses"])));
        (name.clone(), Case { import, expression: text(&about["expression"]), types, tensors: own.collect() })
    };
    golden["cases"].as_object().unwrap().iter().map(one).collect()
}

/// The value of a case and the gradient of every input that the golden has one of.
pub fn evaluated(case: &Case, dtype: DType) -> (f64, Vec<(String, Tensor)>) {
    let graph = case.graph().unwrap_or_else(|wrong| panic!("{wrong}"));
    let slopes = case.under("d/", dtype);
    let wanted = |s: &NodeSource| matches!(s, NodeSource::Field { name, .. } if slopes.contains_key(name));
    let program = Program::new(graph, wanted, dtype, &Device::Cpu).unwrap();
    let fields = case.under("in/", dtype);
    let feed = Feed { batch: 0, fields: &fields, weights: &[], seed: 0, step: 0, training: true, timed: None };
    let outcome = program.run(&feed, !slopes.is_empty()).unwrap();
    (outcome.numbers().unwrap()[0], outcome.field_grads)
}

pub fn numbers(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference relative to the largest number of the golden; a difference that is not a number is the largest of all.
pub fn apart(golden: &[f64], ours: &[f64], least: f64) -> f64 {
    assert_eq!(golden.len(), ours.len());
    let scale = golden.iter().fold(least, |m, x| m.max(x.abs()));
    let gaps = golden.iter().zip(ours).map(|(a, b)| (a - b).abs() / scale);
    gaps.map(|e| if e.is_nan() { f64::INFINITY } else { e }).fold(0.0, f64::max)
}

/// The largest errors of value and gradients of a case against its golden, each relative to the largest number.
pub fn errors(case: &Case, dtype: DType) -> [f64; 2] {
    let (value, grads) = evaluated(case, dtype);
    let mut errors = [apart(&numbers(&case.tensors["out"]), &[value], 1e-2), 0.0];
    for (input, golden) in case.under("d/", DType::F64) {
        let golden = numbers(&golden);
        let found = grads.iter().find(|(n, _)| *n == input).map(|(_, t)| numbers(t));
        // Where nothing reaches an input its gradient is nothing or zeros.
        let found = found.unwrap_or_else(|| vec![0.0; golden.len()]);
        errors[1] = errors[1].max(apart(&golden, &found, 1e-4));
    }
    errors
}
