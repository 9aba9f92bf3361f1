//! A pipeline of `input`s, evaluated once on tensors that a caller supplies.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::begin;
use super::graphs;
use super::program::{Feed, Program};
use super::refusals::Stop;
use super::weights::WeightsError;
use rord_graph::build::Wanted;
use rord_graph::node::{NodeSource, Role};
use rord_lang::check::Tensors;
use rord_lang::named::{Meaning, Named};
use rord_lang::report::{Report, runtime};
use rord_lang::source::Span;
use rord_lang::typed::Pipeline;
use rord_lang::types::Kind;
use rord_lang::vocabulary::Vocabulary;

/// Tensors of a file.
pub struct Supplied {
    /// The file's name.
    pub file: String,
    /// The tensors by name.
    pub tensors: HashMap<String, Tensor>,
    /// What they are computed in: f64 where the file holds any, else f32.
    pub dtype: DType,
}

impl Supplied {
    /// Reads a safetensors file.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let bytes = rord_files::whole(path)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| WeightsError::Malformed { path: path.into(), reason: e.to_string() })?;
        let double = tensors.values().any(|t| t.dtype() == DType::F64);
        let dtype = if double { DType::F64 } else { DType::F32 };
        Ok(Self { file: path.display().to_string(), tensors, dtype })
    }

    /// Names and shapes, for the checker.
    pub fn shapes(&self) -> Tensors {
        let mut shapes: Vec<(String, Vec<usize>)> =
            self.tensors.iter().map(|(n, t)| (n.clone(), t.dims().to_vec())).collect();
        shapes.sort();
        Tensors { file: self.file.clone(), shapes }
    }
}

impl Supplied {
    /// The tensors of the pipeline's inputs, as a program takes them.
    fn fields(&self, pipeline: &Pipeline) -> candle_core::Result<HashMap<String, Tensor>> {
        let inputs = pipeline.inputs.iter().filter_map(|(name, _)| Some((name, self.tensors.get(name)?)));
        inputs.map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(self.dtype)?.contiguous()?))).collect()
    }
}

/// What an evaluation returns.
pub struct Evaluated {
    /// Every loss, metric and the objective, with its name.
    pub values: Vec<(String, f64)>,
    /// The gradient of the objective in every input it depends on.
    pub gradients: Vec<(String, Tensor)>,
}

/// Whether every input holds what its kind allows. `places` are the inputs' names in the text.
pub fn check_values(
    pipeline: &Pipeline,
    supplied: &Supplied,
    places: &[(String, Span)],
) -> candle_core::Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (name, ty) in &pipeline.inputs {
        let Some(tensor) = supplied.tensors.get(name) else { continue };
        let numbers: Vec<f64> = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let place = places.iter().find(|(n, _)| n == name).map(|(_, s)| *s).unwrap_or_default();
        let wrong = |numbers: &[f64], fits: &dyn Fn(f64) -> bool| {
            let first = numbers.iter().position(|x| !fits(*x))?;
            let count = numbers.iter().filter(|x| !fits(**x)).count();
            Some(format!("{} of {} values, the first is {} at {first}", count, numbers.len(), numbers.get(first)?))
        };
        let unit = |x: f64| (0.0..=1.0).contains(&x);
        let (found, kind) = if let Some(found) = wrong(&numbers, &f64::is_finite) {
            (found, "finite numbers".to_string())
        } else if ty.kind == Kind::Mask {
            match wrong(&numbers, &|x| x == 0.0 || x == 1.0) {
                Some(found) => (found, "a mask (0 or 1)".into()),
                None => continue,
            }
        } else if ty.kind.is(Kind::Prob) {
            match wrong(&numbers, &unit) {
                Some(found) => (found, format!("what {} is (0 to 1)", ty.kind.name())),
                None => continue,
            }
        } else if ty.kind == Kind::Dist {
            match wrong(&numbers, &|x| x >= 0.0) {
                Some(found) => (found, "distances (0 or more)".into()),
                None => continue,
            }
        } else {
            continue;
        };
        let finite = numbers.iter().all(|x| x.is_finite());
        reports.push(runtime::tensor_values(place, name, &supplied.file, &found, &kind, finite));
    }
    Ok(reports)
}

/// Evaluates every loss, every metric and the objective, with the weights that training would begin with: those of
/// `init`, or drawn from `seed`, and those of frozen models from their files. A value or a gradient that is not finite
/// is refused.
pub fn evaluate(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    supplied: &Supplied,
    init: Option<&Path>,
    seed: u64,
    gradients: bool,
) -> Result<Evaluated, Stop> {
    let graph = graphs::graph(pipeline, vocabulary, &graphs::validation(pipeline), &HashMap::new())?;
    let differentiable = |source: &NodeSource| match source {
        NodeSource::Field { name, .. } => pipeline.inputs.iter().find(|(n, _)| n == name).is_some_and(|(_, ty)| {
            (ty.kind.is(Kind::Values) || ty.kind.is_placed()) && !matches!(ty.kind, Kind::Label | Kind::Mask)
        }),
        _ => false,
    };
    let program = Program::new(graph, |s| gradients && differentiable(s), supplied.dtype, &Device::Cpu)?;
    let (weights, _) = begin::weights(pipeline, init, seed, supplied.dtype, &Device::Cpu)?;
    let fields = supplied.fields(pipeline)?;
    let feed = Feed { seed, ..Feed::of(0, &fields, weights.tensors()) };
    let outcome = program.run(&feed, gradients)?;
    let numbers = outcome.numbers()?;
    let not_finite = |report: Report| Stop::NotFinite(Box::new(report));
    for (output, number) in program.graph().outputs.iter().zip(&numbers) {
        if number.is_finite() {
            continue;
        }
        let first = program.first_not_finite(&feed)?;
        let (span, detail, cause) =
            first.map_or((output.span, String::new(), runtime::Cause::Size), |f| (f.span, f.detail(), f.cause));
        return Err(not_finite(runtime::value_not_finite(span, &output.name, *number, &detail, cause)));
    }
    let objective = program.graph().outputs.iter().find(|o| o.role == Role::Objective);
    for (input, grad) in &outcome.field_grads {
        let slopes: Vec<f64> = grad.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let wrong = slopes.iter().filter(|x| !x.is_finite()).count();
        if let (Some(objective), true) = (objective, wrong > 0) {
            let (of, name) = (slopes.len(), &objective.name);
            return Err(not_finite(runtime::gradient_not_finite(objective.span, name, input, wrong, of)));
        }
    }
    let values = program.graph().outputs.iter().map(|o| o.name.clone()).zip(numbers).collect();
    Ok(Evaluated { values, gradients: outcome.field_grads })
}

/// The tensors that these names of the pipeline mean, computed as in validation, with the weights of [`evaluate`]. A name that is
/// no tensor is refused (R0201).
pub fn predict(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    supplied: &Supplied,
    init: Option<&Path>,
    seed: u64,
    names: &[&str],
) -> Result<Vec<(String, Tensor)>, Stop> {
    let tensors: Vec<Wanted> = pipeline.names.iter().filter_map(wanted).collect();
    let mut asked = Vec::new();
    for name in names {
        match tensors.iter().find(|tensor| tensor.name == *name) {
            Some(tensor) => asked.push(tensor.clone()),
            None => {
                let known: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
                let title = format!("no tensor of the pipeline is called `{name}`");
                let help = format!("its tensors are {}", known.join(", "));
                return Err(Stop::Refused(vec![runtime::failed("R0201", &title, &help)]));
            }
        }
    }
    let graph = graphs::graph(pipeline, vocabulary, &asked, &HashMap::new())?;
    let program = Program::new(graph, |_| false, supplied.dtype, &Device::Cpu)?;
    let (weights, _) = begin::weights(pipeline, init, seed, supplied.dtype, &Device::Cpu)?;
    let fields = supplied.fields(pipeline)?;
    let feed = Feed { seed, ..Feed::of(0, &fields, weights.tensors()) };
    let outcome = program.run(&feed, false)?;
    Ok(asked.into_iter().map(|tensor| tensor.name).zip(outcome.values).collect())
}

/// A name of the pipeline that can be computed.
fn wanted(named: &Named) -> Option<Wanted> {
    let Meaning::Tensor(value) = named.is else { return None };
    Some(Wanted { value, name: named.name.clone(), role: Role::Value, span: named.span })
}
