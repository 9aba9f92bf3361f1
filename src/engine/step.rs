//! One training step, and what has to be there before the first: data, graph, weights, optimizer.
//!
//! `train` takes such steps until its epochs are over and `bench` takes a few with a watch in hand; both are the same steps.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::clip::{GradNorm, norm};
use super::frozen;
use super::memory;
use super::optim::{Optimizer, base_lr, optimizer};
use super::plan::{Plan, data_reports, memory_report, size_reports};
use super::program::{Feed, NotFinite, Part, Program, Watch};
use super::schedule::{Mode, Schedule, Span, schedule};
use super::source::{DataSource, tensors};
use super::train::{Stop, weight_specs};
use super::weights::Weights;
use rord_data::batches::Batch;
use rord_graph::gradients::trained;
use rord_graph::node::{Graph, Role};
use rord_graph::{build, passes, sizes};
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_record::terminal::Busy;

/// Takes training steps.
pub struct Stepper {
    /// The graph that is trained.
    pub program: Program,
    /// The weights as they are.
    pub weights: Weights,
    /// The learning rates.
    pub schedule: Option<Box<dyn Schedule>>,
    /// The learning rate without a schedule.
    pub base_lr: f64,
    optimizer: Box<dyn Optimizer>,
    clip: Option<GradNorm>,
    seed: u64,
    device: Device,
}

/// What became of a step.
pub enum Stepped {
    /// The weights have changed.
    Taken {
        /// The values of all outputs.
        values: Vec<f64>,
        /// The learning rate it used.
        lr: f64,
        /// The norm of the gradient before clipping.
        grad_norm: f64,
    },
    /// The objective or its gradient is not finite; nothing has changed.
    NotFinite {
        /// What, and where.
        what: NotFinite,
        /// The batch.
        fields: HashMap<String, Tensor>,
    },
}

/// A graph with the sizes that the data has set, optimized.
pub fn graph(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    roles: &[Role],
    known: &HashMap<u32, i64>,
) -> Result<Graph, Stop> {
    let mut graph = build::build(pipeline, vocabulary, roles);
    let impossible = sizes::settle(&mut graph, known, &pipeline.frames, vocabulary);
    if !impossible.is_empty() {
        return Err(Stop::Refused(size_reports(&impossible)));
    }
    passes::run(&mut graph, vocabulary, None)?;
    Ok(graph)
}

/// Loads the data and makes everything ready. Refuses what could not be run, a step that memory does not hold among it.
pub fn prepare(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    init: Option<&Path>,
    device: &Device,
) -> Result<(Stepper, DataSource), Stop> {
    let fits = |known: &HashMap<u32, i64>| -> Result<(), Stop> {
        let refused =
            device.is_cpu().then(|| memory::refused(pipeline, vocabulary, plan, known)).transpose()?.flatten();
        refused.map_or(Ok(()), |too_large| Err(Stop::Refused(vec![memory_report(pipeline, plan, &too_large)])))
    };
    let busy = Busy::new("loading the data");
    // Before the data is loaded, if the sizes are known by then: they may be what makes it too large.
    fits(&HashMap::new())?;
    let data = DataSource::load(&plan.dataset, &pipeline.sizes, plan.batch, plan.seed)
        .map_err(|e| Stop::Refused(data_reports(plan.data_place, &plan.field_places, &e)))?;
    if !data.sizes.is_empty() {
        fits(&data.sizes)?;
    }
    busy.now("building the graph and the weights");
    let dtype = DType::F32;
    let graph = graph(pipeline, vocabulary, &[Role::Objective, Role::Loss], &data.sizes)?;
    let program = Program::new(graph, trained(pipeline), dtype, device)?;
    let specs = weight_specs(pipeline);
    let mut weights = match init {
        Some(path) => Weights::load(path, &specs, dtype, device)?,
        None => Weights::init(&specs, plan.seed, dtype, device)?,
    };
    frozen::load(pipeline, &mut weights, dtype, device)?;
    let base_lr = base_lr(&plan.optimizer)?;
    let span = Span { base_lr, steps_per_epoch: data.batches.steps(), epochs: plan.epochs };
    let mode = plan.watch.as_ref().map_or(Mode::Minimize, |(_, m)| *m);
    let stepper = Stepper {
        program,
        weights,
        schedule: plan.schedule.as_ref().map(|r| schedule(r, span, mode)).transpose()?,
        base_lr,
        optimizer: optimizer(&plan.optimizer, &specs)?,
        clip: plan.clip.as_ref().map(|r| GradNorm::new(&r.settings)).transpose()?,
        seed: plan.seed,
        device: device.clone(),
    };
    Ok((stepper, data))
}

impl Stepper {
    /// Feed, forward, backward, clip, optimizer, running statistics: step number `step` of the run, in this epoch.
    pub fn step(&mut self, step: u64, epoch: u64, batch: &Batch, watch: &mut impl Watch) -> Result<Stepped, Stop> {
        let fields = tensors(batch, DType::F32, &self.device)?;
        watch.done(Part::Feed);
        let weights = self.weights.tensors();
        let feed = Feed { batch: batch.size, fields: &fields, weights, seed: self.seed, step, training: true };
        let outcome = self.program.run_watched(&feed, true, watch)?;
        if let Some(what) = outcome.not_finite {
            return Ok(Stepped::NotFinite { what, fields });
        }
        let mut grads = outcome.grads;
        let grad_norm = match &self.clip {
            Some(clip) => clip.clip(&mut grads)?,
            None => norm(&grads)?,
        };
        let lr = self.schedule.as_ref().map_or(self.base_lr, |s| s.lr(step, epoch));
        if !grad_norm.is_finite() {
            let span = self.program.graph().objective().map(|o| o.span).unwrap_or_default();
            let text = "its value is finite, but its gradient is not".into();
            return Ok(Stepped::NotFinite { what: NotFinite { span, what: text, inputs: vec![] }, fields });
        }
        self.optimizer.step(lr, self.weights.tensors_mut(), &grads)?;
        // Running statistics: the optimizer has left them as they were.
        for (slot, update) in self.weights.tensors_mut().iter_mut().zip(outcome.updates) {
            if let Some(update) = update {
                *slot = update;
            }
        }
        watch.done(Part::Optimizer);
        Ok(Stepped::Taken { values: outcome.values, lr, grad_norm })
    }
}
