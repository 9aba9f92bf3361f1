//! Training steps with a watch: how long one takes, and which operation takes how much of it.
//!
//! The steps are those of `train`, on batches made beforehand, and nothing is written.

use std::time::{Duration, Instant};

use candle_core::Device;

use super::machine;
use super::memory::predict;
use super::plan::Plan;
use super::refusals::Stop;
use super::step::{Stepped, Stepper, load, prepare};
use super::stopwatch::{Settled, Stopwatch, median, phases, rows};
use rord_data::batches::Batch;
use rord_data::loader::LoaderError;
use rord_data::pairs::Split;
use rord_graph::flops::{Flops, flops};
use rord_kernels::simd::Simd;
use rord_lang::report::runtime;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

pub use super::stopwatch::{Phases, Row};

/// Batches that steps take turns with.
const BATCHES: u64 = 3;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Steps that count, at least one.
    pub steps: usize,
    /// Steps before them.
    pub warmup: usize,
    /// True for plain Candle operations in place of kernels.
    pub plain: bool,
}

/// What was measured. Times are in milliseconds, and each is the median over the steps of its sum in a step.
#[derive(Clone, Debug)]
pub struct Measured {
    /// A step: median, least, most.
    pub step: (f64, f64, f64),
    /// Making a batch, by one thread.
    pub batch_ms: f64,
    /// The parts of a step, which add up to it.
    pub phases: Phases,
    /// The operations of the graph, convolutions one by one.
    pub rows: Vec<Row>,
    /// Floating-point operations of a step, as `graph::flops` counts them.
    pub flops: f64,
    /// The most memory there has been, in bytes, and what was predicted.
    pub peak: Option<usize>,
    /// As `engine::memory` predicts.
    pub predicted: Option<usize>,
    /// Threads.
    pub threads: usize,
    /// The instructions that kernels use.
    pub simd: &'static str,
}

/// Takes steps of a checked pipeline and measures them. `busy` hears what takes its time.
pub fn bench(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    options: &Options,
    device: &Device,
    busy: &mut dyn FnMut(&str),
) -> Result<Measured, Stop> {
    let (mut stepper, data) = prepare(pipeline, vocabulary, plan, None, device, busy)?;
    if options.plain {
        stepper.plainly()?;
    }
    let graph = stepper.program.graph().clone();
    let (mut batches, mut making) = (Vec::new(), Vec::new());
    for number in 0..BATCHES {
        let begun = Instant::now();
        let batch = data.batches.batch_at(Split::Train, number);
        batches.push(batch.map_err(|error| LoaderError::Data { step: number, error })?);
        making.push(ms(begun.elapsed()));
    }
    let load = load(plan, stepper.state.optimizer.moments(), usize::MAX);
    let predicted = predict(&graph, stepper.program.flow(), load).map(|p| p.total());
    let steps = take(&mut stepper, &batches, options, (device, Settled::Steps), busy)?;
    let totals: Vec<f64> = steps.iter().map(|s| 1e3 * s.total()).collect();
    // A device that works on by itself takes other steps for the parts, which take longer together.
    let steps = match device.is_cpu() {
        true => steps,
        false => take(&mut stepper, &batches, options, (device, Settled::Parts), busy)?,
    };
    let gradients = &stepper.program.flow().gradients;
    let counted = flops(&graph, vocabulary, gradients, plan.batch).unwrap_or_default();
    let ends = totals.iter().fold((f64::INFINITY, 0.0f64), |(a, b), t| (a.min(*t), b.max(*t)));
    Ok(Measured {
        step: (median(totals), ends.0, ends.1),
        batch_ms: median(making),
        phases: phases(&graph, vocabulary, &steps),
        rows: rows(&graph, &steps, &counted, plan.batch),
        flops: counted.iter().map(Flops::total).sum(),
        peak: machine::peak_memory(),
        predicted,
        threads: rayon::current_num_threads(),
        simd: Simd::in_use(),
    })
}

/// Takes all steps and returns those that count.
fn take(
    stepper: &mut Stepper,
    batches: &[Batch],
    options: &Options,
    (device, settled): (&Device, Settled),
    busy: &mut dyn FnMut(&str),
) -> Result<Vec<Stopwatch>, Stop> {
    let nodes = stepper.program.graph().nodes.len();
    let mut steps = Vec::new();
    let mut batches = batches.iter().cycle().cloned();
    for number in 0..(options.warmup + options.steps.max(1)) as u64 {
        busy(&format!("step {} of {}", number + 1, options.warmup + options.steps.max(1)));
        let of_step: Vec<Batch> = batches.by_ref().take(stepper.batches_of_step()).collect();
        let mut watch = Stopwatch::start(nodes, device, settled);
        if let Stepped::NotFinite { what, .. } = stepper.step(&of_step, &mut watch)? {
            let kept = "nothing is kept of a measurement";
            let report =
                runtime::not_finite(what.span, stepper.objective(), (number, 1), (&what.detail(), what.cause), kept);
            return Err(Stop::NotFinite(Box::new(report)));
        }
        if number >= options.warmup as u64 {
            steps.push(watch);
        }
    }
    Ok(steps)
}

fn ms(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}
