//! `rord-run loss`: a pipeline of `input`s, evaluated on tensors of your own.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::args::LossArgs;
use super::load::{Loaded, load_with};
use rord_engine::evaluate::{Supplied, check_values, evaluate};
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
            let first = e.to_string().lines().next().unwrap_or_default().to_string();
            let title = format!("cannot read {}: {first}", args.inputs.display());
            let report = runtime::failed("R0913", &title, "tensors are read from a *.safetensors file");
            return refuse(&[report], &Sources::default());
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
    let failed = |e: candle_core::Error| vec![runtime::failed("R0915", &format!("a tensor operation failed: {e}"), "")];
    let places: Vec<_> = pipeline.names.iter().map(|n| (n.name.clone(), n.span)).collect();
    let wrong = check_values(pipeline, supplied, &places).map_err(failed)?;
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let wants_gradients = args.out.is_some() && pipeline.objective.is_some();
    let init = super::init::weights(args.init.as_deref()).map_err(|r| vec![r])?;
    let evaluated = evaluate(pipeline, &loaded.vocabulary, supplied, init.as_deref(), 0, wants_gradients)
        .map_err(super::train::reports)?;
    // JSON has no NaN: what is not a number is null.
    let object: serde_json::Map<String, serde_json::Value> =
        evaluated.values.iter().map(|(n, x)| (n.clone(), serde_json::Value::from(*x))).collect();
    super::print(&format!("{}\n", serde_json::Value::Object(object)));
    if let Some(out) = &args.out {
        let mut tensors: HashMap<String, Tensor> = HashMap::new();
        for (name, x) in &evaluated.values {
            let tensor = Tensor::new(*x, &Device::Cpu).and_then(|t| t.to_dtype(supplied.dtype)).map_err(failed)?;
            tensors.insert(name.clone(), tensor);
        }
        for (name, grad) in &evaluated.gradients {
            let grad = grad.to_device(&Device::Cpu).and_then(|t| t.to_dtype(supplied.dtype)).map_err(failed)?;
            tensors.insert(format!("grad.{name}"), grad);
        }
        debug_assert!(matches!(supplied.dtype, DType::F32 | DType::F64));
        if let Err(e) = candle_core::safetensors::save(&tensors, out) {
            let title = format!("cannot write {}: {e}", out.display());
            return Err(vec![runtime::failed("R0914", &title, "check the path, the space and the permissions")]);
        }
    }
    Ok(())
}
