//! Losses with their goldens: an expression of the language, the types of its inputs, and PyTorch's value and gradients.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rord_engine::program::{Feed, Program};
use rord_graph::node::{Graph, NodeSource, Role};
use rord_graph::{build, passes};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::report::any_error;
use rord_lang::source::SourceKind;
use safetensors::SafeTensors;

/// One case: an expression, its inputs' types, and its tensors.
pub struct Case {
    /// The functions of its paper's file, cut out of it, in its order; none of a case of the library.
    pub functions: Vec<(String, String)>,
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
        let functions: String = self.functions.iter().map(|(_, body)| format!("{body}\n\n")).collect();
        let inputs: String = self.types.iter().map(|(name, ty)| format!("input {name}: {ty}\n")).collect();
        let text = format!("{functions}{inputs}minimize value = {}\n", self.expression);
        let (vocabulary, mut sources) = rord_ops::vocabulary();
        let file = sources.add(SourceKind::Main, "test.rord", text.as_str());
        let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
        if any_error(&reports) {
            return Err(format!("{text}{reports:#?}"));
        }
        let outputs = build::outputs(&pipeline, &[Role::Objective]);
        if outputs.is_empty() {
            return Err(format!("{text}there is no objective"));
        }
        let mut graph = build::build(&pipeline, &vocabulary, &outputs);
        passes::run(&mut graph, &vocabulary, None).unwrap();
        rord_graph::verify::verify(&graph, &vocabulary).unwrap();
        Ok(graph)
    }
}

/// The functions of a text in its order, by name: their lines without comments. A function ends at an empty line.
pub fn functions(text: &str) -> Vec<(String, String)> {
    let one = |block: &str| {
        let lines: Vec<&str> = block.lines().filter(|l| !l.trim_start().starts_with('#')).collect();
        let at = lines.iter().position(|l| l.starts_with("fn "))?;
        let body = lines[at..].join("\n");
        let name = words(&body["fn ".len()..]).next()?.to_string();
        Some((name, body))
    };
    text.split("\n\n").filter_map(one).collect()
}

/// The names and numbers of a text.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty())
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
        let file = about.get("paper").map(|paper| format!("pipelines/papers/{}.rord", text(paper)));
        let functions = file.map(|file| functions(&std::fs::read_to_string(file).unwrap())).unwrap_or_default();
        (name.clone(), Case { functions, expression: text(&about["expression"]), types, tensors: own.collect() })
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
    let feed = Feed { training: true, ..Feed::of(0, &fields, &[]) };
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
