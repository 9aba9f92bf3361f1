//! The weights that training and evaluation begin with.

use std::path::Path;

use candle_core::{DType, Device};

use super::refusals::Stop;
use super::weights::{Weights, weight_specs};
use super::{follow, frozen};
use rord_lang::typed::{ModelInfo, Pipeline};

/// All weights of a pipeline: those of `init`, or drawn from `seed`; then those of frozen models from their own files, and those
/// of models that follow others.
pub fn weights(
    pipeline: &Pipeline,
    init: Option<&Path>,
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Result<Weights, Stop> {
    let specs = weight_specs(pipeline);
    let mut weights = match init {
        Some(path) => Weights::load(path, &specs, dtype, device)?,
        None => Weights::init(&specs, seed, dtype, device)?,
    };
    frozen::load(pipeline, &mut weights, dtype, device)?;
    // A file has what they had come to.
    if init.is_none() {
        follow::begin(pipeline, &mut weights);
    }
    Ok(weights)
}

/// The models whose weights are drawn at random where there is no file to begin with.
pub fn drawn(pipeline: &Pipeline) -> impl Iterator<Item = &ModelInfo> {
    let has_weights = |index| pipeline.weights.iter().any(|w| w.model == index);
    let models = pipeline.models.iter().enumerate();
    models.filter(move |(i, m)| has_weights(*i) && !matches!(m.frozen, Some(Some(_)))).map(|(_, m)| m)
}
