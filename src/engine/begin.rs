//! The weights that training and evaluation begin with.

use std::path::Path;

use candle_core::{DType, Device};

use super::pretrained::{self, Taken};
use super::refusals::Stop;
use super::weights::{Weights, weight_specs};
use super::{follow, frozen};
use rord_lang::report::Report;
use rord_lang::typed::{ModelInfo, Pipeline};

/// All weights of a pipeline: those of `init`; or drawn from `seed`, and those of parts from the files that they name, with what was
/// taken from these. Then those of frozen models from their own files, and those of models that follow others.
pub fn weights(
    pipeline: &Pipeline,
    init: Option<&Path>,
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Result<(Weights, Vec<Taken>), Stop> {
    let specs = weight_specs(pipeline);
    let mut weights = match init {
        Some(path) => Weights::load(path, &specs, dtype, device)?,
        None => Weights::init(&specs, seed, dtype, device)?,
    };
    // A file of all weights has those of parts, too, as they were trained.
    let taken = match init {
        Some(_) => Vec::new(),
        None => pretrained::load(pipeline, &mut weights, dtype, device)?,
    };
    frozen::load(pipeline, &mut weights, dtype, device)?;
    // A file has what they had come to.
    if init.is_none() {
        follow::begin(pipeline, &mut weights);
    }
    Ok((weights, taken))
}

/// What the files of weights that a pipeline names would be refused for. Nothing is drawn.
pub fn refused(pipeline: &Pipeline) -> Vec<Report> {
    let found = pretrained::check(pipeline).map_err(|e| Stop::from(e).reports());
    let frozen = frozen::check(pipeline).map_err(|e| Stop::from(e).reports());
    [found, frozen].into_iter().filter_map(Result::err).flatten().collect()
}

/// The models some of whose weights are drawn at random where there is no file to begin with.
pub fn drawn(pipeline: &Pipeline) -> impl Iterator<Item = &ModelInfo> {
    let has_weights = |index| pipeline.weights.iter().any(|w| w.model == index);
    // A part of the whole model is most likely begun as a whole.
    let begun = |m: &ModelInfo| {
        pipeline.parts.iter().any(|p| p.path == m.name && p.class.is_none() && p.field("init").is_some())
    };
    let models = pipeline.models.iter().enumerate();
    models.filter(move |(i, m)| has_weights(*i) && !matches!(m.frozen, Some(Some(_))) && !begun(m)).map(|(_, m)| m)
}
