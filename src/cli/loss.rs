//! `rord-run loss`: a pipeline of `input`s, evaluated on tensors of your own.

use candle_core::{DType, Device, Tensor};

use super::args::LossArgs;
use super::load::{Loaded, load_with};
use rord_engine::begin;
use rord_engine::evaluate::{Evaluated, Supplied, check_values, evaluate};
use rord_engine::refusals::{self, Stop};
use rord_engine::stored;
use rord_lang::constant::of_f32;
use rord_lang::report::{Report, params, runtime};
use rord_lang::source::Sources;

/// Evaluates the losses and prints them as one JSON object.
pub fn run(args: &LossArgs) -> u8 {
    let refuse = |reports: &[Report], sources: &Sources| {
        super::print_reports(reports, sources);
        super::REFUSED
    };
    let supplied = match Supplied::read(&args.inputs) {
        Ok(supplied) => supplied,
        Err(e) => {
            return refuse(&[refusals::weights(&e)], &Sources::default());
        }
    };
    let loaded = match load_with(&args.file, supplied.shapes()) {
        Ok(loaded) if super::print_reports(&loaded.reports, &loaded.sources) => return super::REFUSED,
        Ok(loaded) => loaded,
        Err((reports, sources)) => return refuse(&reports, &sources),
    };
    match attempt(args, &loaded, &supplied) {
        Ok(()) => super::DONE,
        Err(reports) => refuse(&reports, &loaded.sources),
    }
}

fn attempt(args: &LossArgs, loaded: &Loaded, supplied: &Supplied) -> Result<(), Vec<Report>> {
    let pipeline = &loaded.pipeline;
    if let Some(dataset) = pipeline.datasets.first() {
        let help = "declare what you supply:  input det: Prob[B, 1, H, W]@orig";
        return Err(vec![params::cannot_evaluate(
            dataset.span,
            "takes its tensors from `data`, not from a caller",
            help,
        )]);
    }
    if pipeline.objective.is_none() && pipeline.losses.is_empty() && pipeline.metrics.is_empty() {
        return Err(vec![params::cannot_evaluate(
            loaded.end(),
            "no loss or metric is defined",
            "add one:  loss l = …",
        )]);
    }
    let places: Vec<_> = pipeline.names.iter().map(|n| (n.name.clone(), n.span)).collect();
    let wrong = check_values(pipeline, supplied, &places).map_err(|e| Stop::from(e).reports())?;
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if args.init.is_none() {
        let drawn: Vec<Report> =
            begin::drawn(pipeline).map(|model| runtime::random_weights(model.span, &model.name)).collect();
        super::print_reports(&drawn, &loaded.sources);
    }
    let wants_gradients = args.out.is_some() && pipeline.objective.is_some();
    let init = super::init::weights(args.init.as_deref()).map_err(|r| vec![r])?;
    let evaluated =
        evaluate(pipeline, &loaded.vocabulary, supplied, init.as_deref(), 0, wants_gradients).map_err(Stop::reports)?;
    if let Some(out) = &args.out {
        let written = tensors(&evaluated, supplied).map_err(Stop::from);
        let written = written.and_then(|tensors| stored::write(out, &tensors).map_err(Stop::from));
        written.map_err(Stop::reports)?;
    }
    let object: serde_json::Map<String, serde_json::Value> =
        evaluated.values.iter().map(|(n, x)| (n.clone(), shown(*x, supplied.dtype).into())).collect();
    super::print(&format!("{}\n", serde_json::Value::Object(object)));
    Ok(())
}

/// The values by name and the gradients as `grad.NAME`, in the type of the inputs.
fn tensors(evaluated: &Evaluated, supplied: &Supplied) -> candle_core::Result<Vec<(String, Tensor)>> {
    let mut tensors = Vec::new();
    for (name, x) in &evaluated.values {
        tensors.push((name.clone(), Tensor::new(*x, &Device::Cpu)?.to_dtype(supplied.dtype)?));
    }
    for (name, grad) in &evaluated.gradients {
        tensors.push((format!("grad.{name}"), grad.to_device(&Device::Cpu)?.to_dtype(supplied.dtype)?));
    }
    Ok(tensors)
}

/// The number with no more digits than its type has: f32 gives 0.864, and not 0.8639999985694885.
fn shown(x: f64, dtype: DType) -> f64 {
    if dtype == DType::F64 { x } else { of_f32(x) }
}
