//! Losses and metrics of weights on the validation data: what training prints at the end of an epoch, for weights of a file.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use candle_core::{DType, Device};

use super::plan::Plan;
use super::program::{Feed, Program};
use super::refusals::{self, Stop};
use super::source::{DataSource, tensors};
use super::{begin, graphs};
use rord_data::loader::Loader;
use rord_data::pairs::Split;
use rord_graph::node::Role;
use rord_lang::report::runtime;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

/// Validation draws from streams of its own, the same in every run and epoch. Training has the same number.
const SEED: u64 = 0x7661_6c69_6461_7465;

/// Batches that are made ahead of the loop.
const AHEAD: usize = 3;

/// The means over the validation data.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// Each output's name, what it is, and its mean over all batches; the first objective comes first.
    pub values: Vec<(String, Role, f64)>,
    /// Batches that were made.
    pub batches: u64,
    /// Samples in a batch.
    pub batch: usize,
    /// The data, in words.
    pub about: String,
    /// What a person should know of the data.
    pub warnings: Vec<String>,
}

/// Computes every loss, metric and objective as training does after an epoch, with the weights of a file: for the same
/// weights the same numbers to the last digit. `progress` hears how many batches are done of how many. `None` where `stop`
/// was set before the last.
///
/// Refused: data that cannot be made, and such as has nothing to validate on (R0907).
pub fn validate(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    weights: Option<&Path>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Validated>, Stop> {
    let device = Device::Cpu;
    // Weights first: they are refused in no time, and layouts may be drawn for minutes.
    let (weights, _) = begin::weights(pipeline, weights, plan.seed, DType::F32, &device)?;
    let data = DataSource::load_all(&plan.datasets, &pipeline.sizes, plan.batch, plan.seed, None)
        .map_err(|(of, e)| Stop::Refused(refusals::data_of(plan, of, &e)))?;
    let graph = graphs::graph(pipeline, vocabulary, &graphs::validation(pipeline), &data.sizes)?;
    let program = Program::new(graph, |_| false, DType::F32, &device)?;
    let batches = data.batches.validation_batches();
    if batches == 0 {
        let help = "keep some:  train = 0.8  of the dataset, or name files for it by  validation = …";
        let place = plan.data_places.first().map(|(place, _)| *place).unwrap_or_default();
        let title = "the data has nothing to validate on";
        return Err(Stop::Refused(vec![runtime::data("R0907", place, title, "all of it is for training", help)]));
    }
    let outputs = &program.graph().outputs;
    let mut means = vec![0.0; outputs.len()];
    let mut loader = Loader::new(data.batches.clone(), Split::Validation, 0, AHEAD, 1)?;
    for step in 0..batches {
        let Some(batch) = loader.next_unless(stop).transpose()? else {
            loader.detach();
            return Ok(None);
        };
        let fields = tensors(&batch, DType::F32, &device)?;
        let weights = weights.tensors();
        let feed = Feed { seed: SEED, step, ..Feed::of(batch.size, &fields, weights) };
        for (mean, value) in means.iter_mut().zip(program.run(&feed, false)?.numbers()?) {
            *mean += value / batches as f64;
        }
        progress(step + 1, batches);
    }
    let values = outputs.iter().zip(means).map(|(o, mean)| (o.name.clone(), o.role, mean)).collect();
    let (about, warnings) = (data.batches.about(), data.warnings.iter().map(ToString::to_string).collect());
    Ok(Some(Validated { values, batches, batch: plan.batch, about, warnings }))
}
