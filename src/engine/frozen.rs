//! Weights of frozen models: `@frozen(weights = path)` takes them from a file, or from a run's folder, instead of drawing them.
//!
//! The file is another run's: its weights may belong to a model of another name, as long as it holds that one model
//! alone or one of the frozen model's own name.

use std::path::Path;

use candle_core::{DType, Device};

use super::difference::Difference;
use super::kept;
use super::weights::{Weights, WeightsError, weight_specs};
use rord_lang::source::Span;
use rord_lang::typed::{ModelInfo, Pipeline};

/// The weights of a frozen model could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the frozen model `{model}`: {source}")]
pub struct FrozenError {
    /// The model.
    pub model: String,
    /// Where it is defined.
    pub span: Span,
    /// What is wrong with its file. Names are those in the model: `t.0.weight`.
    pub source: WeightsError,
}

/// Whether the files of all frozen models fit.
pub fn check(pipeline: &Pipeline) -> Result<(), FrozenError> {
    let specs = weight_specs(pipeline);
    if !pipeline.models.iter().any(|m| matches!(m.frozen, Some(Some(_)))) {
        return Ok(());
    }
    let mut blank = Weights::blank(&specs);
    load(pipeline, &mut blank, DType::F32, &Device::Cpu)
}

/// Replaces the weights of every frozen model that names a file.
pub fn load(pipeline: &Pipeline, weights: &mut Weights, dtype: DType, device: &Device) -> Result<(), FrozenError> {
    for model in &pipeline.models {
        let loaded = load_one(model, weights, dtype, device);
        loaded.map_err(|source| FrozenError { model: model.name.clone(), span: model.span, source })?;
    }
    Ok(())
}

fn load_one(model: &ModelInfo, weights: &mut Weights, dtype: DType, device: &Device) -> Result<(), WeightsError> {
    let Some(Some(path)) = &model.frozen else { return Ok(()) };
    let path = kept::file(Path::new(path));
    let bytes = rord_files::whole(&path)?;
    let found = candle_core::safetensors::load_buffer(&bytes, device)
        .map_err(|e| WeightsError::Malformed { path: path.clone(), reason: e.to_string() })?;
    let own = format!("{}.", model.name);
    let mut prefixes: Vec<&str> = found.keys().filter_map(|k| k.split('.').next()).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    let prefix = match prefixes.as_slice() {
        [one] => format!("{one}."),
        _ => own.clone(),
    };
    let mine: Vec<(usize, String)> = weights
        .names()
        .iter()
        .enumerate()
        .filter_map(|(i, n)| Some((i, format!("{prefix}{}", n.strip_prefix(&own)?))))
        .collect();
    let expected: Vec<(String, Vec<usize>)> = mine
        .iter()
        .map(|(i, n)| {
            let name = n.strip_prefix(&prefix).unwrap_or(n).to_string();
            (name, weights.tensors().get(*i).map(|t| t.dims().to_vec()).unwrap_or_default())
        })
        .collect();
    let expected: Vec<(&str, &[usize])> = expected.iter().map(|(n, s)| (n.as_str(), s.as_slice())).collect();
    let mut there: Vec<(&str, &[usize])> =
        found.iter().filter_map(|(n, t)| Some((n.strip_prefix(&prefix)?, t.dims()))).collect();
    there.sort_unstable();
    let difference = Difference::between(&expected, &there);
    if !difference.is_empty() {
        return Err(WeightsError::Differs { path, difference });
    }
    for (index, name) in mine {
        if let (Some(slot), Some(tensor)) = (weights.tensors_mut().get_mut(index), found.get(&name)) {
            *slot = tensor.to_dtype(dtype)?.contiguous()?;
        }
    }
    Ok(())
}
