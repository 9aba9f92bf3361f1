//! One training step, and what has to be there before the first: data, graph, weights, optimizer.
//!
//! `train` takes such steps until its epochs are over and `bench` takes a few with a watch; both are the same steps.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::begin;
use super::clip::{GradNorm, norm};
use super::follow::{self, Follower};
use super::graphs;
use super::memory::{self, Load};
use super::optim::optimizer;
use super::plan::{Plan, Watched};
use super::program::{Feed, NotFinite, Part, Program, Watch};
use super::refusals::{self, Stop};
use super::schedule::{LrChange, Mode, Span, schedule};
use super::source::{self, DataSource, tensors};
use super::state::State;
use super::timed::Clock;
use super::weights::weight_specs;
use rord_data::batches::Batch;
use rord_graph::gradients::trained_by;
use rord_graph::node::Graph;
use rord_lang::report::runtime::Cause;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_record::Best;

/// Takes training steps.
pub struct Stepper {
    /// The graph that is trained.
    pub program: Program,
    /// What a step changes.
    pub state: State,
    /// Steps of an epoch.
    pub steps: u64,
    /// The objectives after the first, each with what it trains.
    rivals: Vec<Program>,
    followers: Vec<Follower>,
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

/// What the end of an epoch changed.
pub struct Ended {
    /// The mean of every output over its steps.
    pub train: Vec<(String, f64)>,
    /// The learning rate of its last step.
    pub lr: f64,
    /// True where it is the best epoch so far.
    pub best: bool,
    /// What the schedule made of the number that it watches.
    pub change: Option<LrChange>,
    /// The numbers that change, as its last step had them.
    pub timed: Vec<(String, f64)>,
}

/// Loads the data and makes everything ready. Refuses what could not be run, as a step that memory does not hold. `busy` hears what
/// takes its time.
pub fn prepare(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    init: Option<&Path>,
    device: &Device,
    busy: &mut dyn FnMut(&str),
) -> Result<(Stepper, DataSource), Stop> {
    busy("loading the data");
    let dtype = DType::F32;
    let optimizer = optimizer(&plan.optimizer, &weight_specs(pipeline))?;
    let load = Load { batch: plan.batch, moments: optimizer.moments(), pictures: source::pictures(&plan.datasets) };
    let programs = |known: &HashMap<u32, i64>| -> Result<Vec<Program>, Stop> {
        let mut programs = Vec::new();
        for (objective, wanted) in pipeline.objectives.iter().zip(graphs::training_by_objective(pipeline)) {
            let mut graph = graphs::graph(pipeline, vocabulary, &wanted, known)?;
            graph.live = graphs::live(pipeline, objective);
            let program = Program::new(graph, trained_by(pipeline, objective), dtype, device)?;
            if let Some(large) = memory::refused(program.graph(), program.flow(), load).filter(|_| device.is_cpu()) {
                return Err(Stop::Refused(vec![refusals::memory(pipeline, plan, &large)]));
            }
            programs.push(program);
        }
        Ok(programs)
    };
    let timed = Arc::new(Clock::new(pipeline, 1)?);
    let data = || {
        DataSource::load_all(&plan.datasets, &pipeline.sizes, plan.batch, plan.seed, Some(&timed))
            .map_err(|(of, e)| Stop::Refused(refusals::data_of(plan, of, &e)))
    };
    let (mut programs, data) = match graphs::set_by_data(pipeline, &plan.datasets) {
        true => {
            let data = data()?;
            (programs(&data.sizes)?, data)
        }
        // Before the data is loaded: a step that memory does not hold is refused at once.
        false => (programs(&HashMap::new())?, data()?),
    };
    let rivals = programs.split_off(1.min(programs.len()));
    let program = programs.pop().ok_or_else(|| candle_core::Error::msg("there is no objective"))?;
    let steps = data.batches.steps();
    timed.set_epoch(steps);
    let span = Span { base_lr: optimizer.base_lr(), steps_per_epoch: steps, epochs: plan.epochs };
    let mode = plan.watch.as_ref().map_or(Mode::Minimize, |(_, m)| *m);
    let state = State {
        weights: begin::weights(pipeline, init, plan.seed, dtype, device)?,
        schedule: plan.schedule.as_ref().map(|r| schedule(r, span, mode)).transpose()?,
        lr: optimizer.base_lr(),
        optimizer,
        epochs: 0,
        steps: 0,
        means: vec![0.0; std::iter::once(&program).chain(&rivals).map(|p| p.graph().outputs.len()).sum()],
        best: None,
        observers: Vec::new(),
        timed,
    };
    let clip = plan.clip.as_ref().map(|r| GradNorm::new(&r.settings)).transpose()?;
    let (followers, seed, device) = (follow::followers(pipeline), plan.seed, device.clone());
    Ok((Stepper { program, rivals, followers, state, steps, clip, seed, device }, data))
}

impl Stepper {
    /// The graph that is trained.
    pub fn graph(&self) -> &Graph {
        self.program.graph()
    }

    /// What is reported of a step, by name, in the order of its values.
    pub fn names(&self) -> Vec<String> {
        let programs = std::iter::once(&self.program).chain(&self.rivals);
        programs.flat_map(|p| &p.graph().outputs).map(|o| o.name.clone()).collect()
    }

    /// The objective's name.
    pub fn objective(&self) -> &str {
        self.graph().objective().map_or("objective", |o| o.name.as_str())
    }

    /// Steps that have been taken in the epoch at hand.
    pub fn done(&self) -> u64 {
        self.state.steps.saturating_sub(self.state.epochs.saturating_mul(self.steps))
    }

    /// Feed, forward, backward, clip, optimizer, running statistics: the next step of the run, with its batch.
    pub fn step(&mut self, batch: &Batch, watch: &mut impl Watch) -> Result<Stepped, Stop> {
        let fields = tensors(batch, DType::F32, &self.device)?;
        watch.done(Part::Feed);
        let (step, weights) = (self.state.steps, self.state.weights.tensors());
        let timed = Some(&*self.state.timed);
        let feed = Feed { batch: batch.size, fields: &fields, weights, seed: self.seed, step, training: true, timed };
        let outcome = self.program.run_watched(&feed, true, watch)?;
        let mut values = outcome.numbers()?;
        if let Some(what) = outcome.not_finite {
            return Ok(Stepped::NotFinite { what, fields });
        }
        let mut grads = outcome.grads;
        let grad_norm = match &self.clip {
            Some(clip) => clip.clip(&mut grads)?,
            None => norm(&grads)?,
        };
        let state = &mut self.state;
        let lr = state.schedule.as_ref().map_or(state.optimizer.base_lr(), |s| s.lr(step, state.epochs));
        if !grad_norm.is_finite() {
            let span = self.program.graph().objective().map(|o| o.span).unwrap_or_default();
            let text = "its value is finite, but its gradient is not".into();
            return Ok(Stepped::NotFinite {
                what: NotFinite { span, what: text, inputs: vec![], cause: Cause::Steps },
                fields,
            });
        }
        let before = state.weights.clone();
        let mut squares = grad_norm * grad_norm;
        state.optimizer.step(lr, state.weights.tensors_mut(), &grads)?;
        // Running statistics: the optimizer has left them as they were.
        for (slot, update) in state.weights.tensors_mut().iter_mut().zip(outcome.updates) {
            if let Some(update) = update {
                *slot = update;
            }
        }
        for rival in &self.rivals {
            // Each objective sees what those before it have made of the weights.
            let weights = state.weights.tensors();
            let timed = Some(&*state.timed);
            let feed =
                Feed { batch: batch.size, fields: &fields, weights, seed: self.seed, step, training: true, timed };
            let outcome = rival.run_watched(&feed, true, &mut ())?;
            values.extend(outcome.numbers()?);
            if let Some(what) = outcome.not_finite {
                state.weights = before;
                return Ok(Stepped::NotFinite { what, fields });
            }
            let mut grads = outcome.grads;
            let norm = match &self.clip {
                Some(clip) => clip.clip(&mut grads)?,
                None => norm(&grads)?,
            };
            if !norm.is_finite() {
                let span = rival.graph().objective().map(|o| o.span).unwrap_or_default();
                let what = "its value is finite, but its gradient is not".into();
                state.weights = before;
                return Ok(Stepped::NotFinite {
                    what: NotFinite { span, what, inputs: vec![], cause: Cause::Steps },
                    fields,
                });
            }
            squares += norm * norm;
            state.optimizer.step(lr, state.weights.tensors_mut(), &grads)?;
            for (slot, update) in state.weights.tensors_mut().iter_mut().zip(outcome.updates) {
                if let Some(update) = update {
                    *slot = update;
                }
            }
        }
        let grad_norm = if self.rivals.is_empty() { grad_norm } else { squares.sqrt() };
        follow::step(&self.followers, &mut state.weights, &|course| state.timed.number(course, step))?;
        state.steps += 1;
        state.lr = lr;
        for (mean, value) in state.means.iter_mut().zip(&values) {
            *mean += value / self.steps as f64;
        }
        let names = self.names();
        self.state.timed.step(&names.into_iter().zip(values.iter().copied()).collect::<Vec<_>>(), 1);
        watch.done(Part::Optimizer);
        Ok(Stepped::Taken { values, lr, grad_norm })
    }

    /// Ends the epoch at hand, whose validation gave these numbers: the best epoch, the schedule.
    pub fn end_epoch(&mut self, plan: &Plan, validation: &[(String, f64)]) -> Ended {
        let names = self.names();
        let state = &mut self.state;
        let train: Vec<(String, f64)> = names.into_iter().zip(state.means.iter().copied()).collect();
        state.means.fill(0.0);
        state.epochs += 1;
        let timed = state.timed.last();
        state.timed.validated(validation);
        let read = |w: &Watched| {
            let of = if w.validation { validation } else { train.as_slice() };
            of.iter().find(|(n, _)| *n == w.name).map(|(_, x)| *x)
        };
        let (watched, mode) = &plan.best;
        let so_far = state.best.as_ref().map(|b| b.value);
        let better = |x: &f64| {
            x.is_finite()
                && so_far.is_none_or(|b| match mode {
                    Mode::Minimize => *x < b,
                    Mode::Maximize => *x > b,
                })
        };
        let best = read(watched).filter(better);
        if let Some(value) = best {
            let split = if watched.validation { "val" } else { "train" };
            state.best = Some(Best { watch: format!("{split}.{}", watched.name), value, epoch: state.epochs });
        }
        let watched = plan.watch.as_ref().and_then(|(w, _)| read(w));
        let change = match (&mut state.schedule, watched) {
            (Some(schedule), Some(value)) => schedule.after_validation(value),
            _ => None,
        };
        Ended { train, lr: state.lr, best: best.is_some(), change, timed }
    }
}
