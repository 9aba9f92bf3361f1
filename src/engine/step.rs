//! One training step; what has to be there before the first is made in `prepare.rs`.
//!
//! `train` takes such steps until its epochs are over and `bench` takes a few with a watch; both are the same steps.

mod prepare;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::clip::{Clip, norm};
use super::follow::{self, Follower};
use super::foretold::Foretold;
use super::groups::Freezing;
use super::health;
use super::optim::{Overflow, not_finite};
use super::plan::{Plan, Watched};
use super::pretrained::Taken;
use super::program::{Feed, NotFinite, Part, Program, Watch};
use super::reduce::Reducing;
use super::refusals::Stop;
use super::replay::update::Update;
use super::replay::{self, Kept, Replayed};
use super::schedule::LrChange;
use super::source::tensors;
use super::state::State;
use rord_data::batches::Batch;
use rord_device::across::Across;
use rord_graph::node::{Graph, NodeSource};
use rord_lang::constant::number;
use rord_lang::report::runtime::Cause;
use rord_lang::source::Span as LangSpan;
use rord_ranks::{Ranks, Share};
use rord_record::{Best, SumBegun};

pub use prepare::{load, prepare, prepare_shared};

/// Takes training steps.
pub struct Stepper {
    /// The graph that is trained.
    pub program: Program,
    /// What a step changes.
    pub state: State,
    /// Steps of an epoch.
    pub steps: u64,
    /// What the weights of parts began with.
    pub taken: Vec<Taken>,
    /// Batches of an epoch, and how many of them make a step.
    batches: u64,
    accumulate: u64,
    /// The objectives after the first, each with what it trains.
    rivals: Vec<Program>,
    followers: Vec<Follower>,
    clip: Option<Clip>,
    freezing: Freezing,
    /// The weights that are frozen in the programs at hand.
    frozen: Vec<bool>,
    /// For each objective, what it trains while nothing is frozen, and what runs as in training without it.
    roles: Vec<Roles>,
    plain: bool,
    seed: u64,
    device: Device,
    /// The processes that share every batch, and how many samples that has; `None` where this one has all of them.
    ranks: Option<(Arc<Ranks>, usize)>,
    /// The devices of those processes, where gradients are added up without the host.
    pub across: Option<Across>,
    /// The sums of gradients over processes in the last step.
    pub sums: Vec<SumBegun>,
    /// The fingerprint of the graph that is trained, as it is in a process by itself.
    pub fingerprint: String,
    /// The weights whose gradient was 0 in the last step, in every objective that wants one.
    pub zero: Vec<bool>,
    /// Where the optimizer is named.
    optimizer: LangSpan,
    /// The memory of the run, as far as it is known before its data is loaded.
    pub foretold: Option<Foretold>,
}

/// What becomes of the weights in the program of an objective.
struct Roles {
    trains: Vec<bool>,
    live: HashSet<usize>,
}

/// A batch as tensors, with how many samples it has.
type Fed = (usize, HashMap<String, Tensor>);

/// What one objective made of a step: the values of its outputs batch by batch, and the norm of its gradient before clipping.
type Descent = (Vec<Vec<f64>>, f64);

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
        /// What its values depend on beside weights and batch.
        kept: Kept,
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
    /// The number that the best epoch is chosen by; NaN where it is none.
    pub value: f64,
    /// What the schedule made of the number that it watches.
    pub change: Option<LrChange>,
    /// The numbers that change, as its last step had them.
    pub timed: Vec<(String, f64)>,
    /// True where the epoch is among the best that are kept under names of their own.
    pub top: bool,
    /// The epochs that were among the best and are no more.
    pub dropped: Vec<u64>,
    /// Why the run ends here.
    pub stop: Option<String>,
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

    /// The number of the next batch in the run.
    pub fn next_batch(&self) -> u64 {
        self.state.epochs.saturating_mul(self.batches).saturating_add(self.done().saturating_mul(self.accumulate))
    }

    /// Samples of a batch that processes share; 0 where they do not.
    pub fn batch(&self) -> usize {
        self.ranks.as_ref().map_or(0, |(_, batch)| *batch)
    }

    /// How many batches the next step takes.
    pub fn batches_of_step(&self) -> usize {
        let taken = self.done().saturating_mul(self.accumulate);
        self.batches.saturating_sub(taken).clamp(1, self.accumulate) as usize
    }

    /// From now on steps are computed by Candle's tensor operations alone.
    pub fn plainly(&mut self) -> Result<(), Stop> {
        self.plain = true;
        self.frozen.clear();
        self.freeze()
    }

    /// Has programs for the weights that train in the next step: those that are frozen get no gradient, and their layers run as
    /// in validation.
    fn freeze(&mut self) -> Result<(), Stop> {
        let frozen = self.freezing.at(self.state.steps);
        if frozen == self.frozen {
            return Ok(());
        }
        let is = |w: usize| frozen.get(w) == Some(&true);
        for (program, roles) in std::iter::once(&mut self.program).chain(&mut self.rivals).zip(&self.roles) {
            let mut graph = program.graph().clone();
            graph.live = roles.live.iter().copied().filter(|w| !is(*w)).collect();
            let trains = |w: usize| roles.trains.get(w) == Some(&true) && !is(w);
            let wanted = |source: &NodeSource| matches!(source, NodeSource::Weight(w) if trains(*w));
            let made = Program::new(graph, wanted, DType::F32, &self.device)?;
            *program = if self.plain { made.plainly() } else { made };
        }
        self.frozen = frozen;
        Ok(())
    }

    /// Feed, forward, backward, clip, optimizer, running statistics: the next step of the run, with its batches. The gradients of
    /// several are averaged.
    pub fn step(&mut self, batches: &[Batch], watch: &mut impl Watch) -> Result<Stepped, Stop> {
        self.freeze()?;
        // A step that cannot be taken changes no weight, running statistics included.
        let (first, step, before) = (self.next_batch(), self.state.steps, self.state.weights.clone());
        let lr = self.state.schedule.as_ref().map_or(self.state.optimizer.base_lr(), |s| s.lr(step, self.state.epochs));
        let fed = |batch: &Batch| Ok((batch.size, tensors(batch, DType::F32, &self.device)?));
        let mut fed: Vec<Fed> = batches.iter().map(fed).collect::<candle_core::Result<_>>()?;
        watch.done(Part::Feed);
        self.zero = vec![true; self.state.weights.len()];
        self.sums.clear();
        let mut by_batch: Vec<Vec<f64>> = vec![Vec::new(); batches.len()];
        let mut norms = Vec::new();
        for objective in 0..=self.rivals.len() {
            // Each objective sees what those before it have made of the weights.
            let mut zero = std::mem::take(&mut self.zero);
            let found = match objective {
                0 => self.descend(0, &fed, first, lr, &mut zero, watch),
                rival => self.descend(rival, &fed, first, lr, &mut zero, &mut ()),
            };
            self.zero = zero;
            let found = found?;
            match found {
                Ok((values, norm)) => {
                    by_batch.iter_mut().zip(values).for_each(|(all, more)| all.extend(more));
                    norms.push(norm);
                }
                Err((what, at)) => {
                    self.state.weights = before;
                    let at = at.min(fed.len().saturating_sub(1));
                    let kept = Kept {
                        objective,
                        batch: fed.get(at).map_or(0, |(size, _)| *size),
                        stream: first + at as u64,
                        epoch: (self.batches, self.accumulate),
                        timed: self.state.timed.state(),
                    };
                    let fields = if fed.is_empty() { HashMap::new() } else { fed.swap_remove(at).1 };
                    return Ok(Stepped::NotFinite { what, fields, kept });
                }
            }
        }
        let grad_norm = match norms.as_slice() {
            [one] => *one,
            all => all.iter().map(|norm| norm * norm).sum::<f64>().sqrt(),
        };
        let state = &mut self.state;
        follow::step(&self.followers, &mut state.weights, &|course| state.timed.number_at(course, step))?;
        if let Some(average) = &mut state.average {
            average.follow(&state.weights)?;
        }
        state.steps += 1;
        state.lr = lr;
        let values = means(&by_batch);
        for (mean, value) in state.means.iter_mut().zip(&values) {
            *mean += value * batches.len() as f64 / self.batches as f64;
        }
        let names = self.names();
        self.state.timed.step(&names.into_iter().zip(values.iter().copied()).collect::<Vec<_>>());
        watch.done(Part::Optimizer);
        Ok(Stepped::Taken { values, lr, grad_norm })
    }

    /// The next step, with the range of every value and gradient of its first batch, and what the optimizer makes of it.
    pub fn look(&mut self, batches: &[Batch]) -> Result<Option<Replayed>, Stop> {
        self.freeze()?;
        let Some(batch) = batches.first() else { return Ok(None) };
        let fields = tensors(batch, DType::F32, &self.device)?;
        let (weights, timed) = (self.state.weights.tensors(), Some(&*self.state.timed));
        let (size, seed, step) = (batch.size, self.seed, self.next_batch());
        let feed = Feed { seed, step, training: true, timed, ..Feed::of(size, &fields, weights) };
        let found = replay::look(&self.program, &feed)?;
        let (at, before) = (self.state.steps, self.state.weights.clone());
        let stepped = self.step(batches, &mut ())?;
        let (outputs, taken) = match stepped {
            Stepped::Taken { values, lr, grad_norm } => {
                (self.names().into_iter().zip(values).collect(), Ok((lr, grad_norm)))
            }
            Stepped::NotFinite { what, .. } => (found.outputs, Err(what.what)),
        };
        let update = Some(Update::of(&before, taken, &self.state)?);
        Ok(Some(Replayed { step: at, outputs, update, ..found }))
    }

    /// What an objective makes of the batches of a step, numbered from `first`: its gradients, averaged, change the weights. The error is a value
    /// that is not finite, and the batch it is of.
    fn descend(
        &mut self,
        objective: usize,
        fed: &[Fed],
        first: u64,
        lr: f64,
        zero: &mut [bool],
        watch: &mut impl Watch,
    ) -> Result<Result<Descent, (NotFinite, usize)>, Stop> {
        let rival = objective.checked_sub(1).and_then(|at| self.rivals.get(at));
        let program = rival.unwrap_or(&self.program);
        let (mut values, mut grads) = (Vec::new(), Vec::new());
        for (at, (size, fields)) in fed.iter().enumerate() {
            let (weights, timed) = (self.state.weights.tensors(), Some(&*self.state.timed));
            let (seed, step) = (self.seed, first + at as u64);
            let share = self.ranks.as_ref().map(|(ranks, batch)| Share::of(ranks, *batch));
            let batch = share.map_or(*size, |share| share.batch);
            let feed = Feed { batch, share, fields, weights, seed, step, training: true, timed };
            // What the batches of a step give is added up over processes once, with the last of them.
            let last = at + 1 == fed.len();
            let outcome = match &self.ranks {
                Some((ranks, _)) if last => {
                    let earlier = std::mem::take(&mut grads);
                    let adding = (&**ranks, self.across.as_ref());
                    let mut reducing = Reducing::new(adding, program.graph(), &earlier, watch);
                    let mut outcome = program.run_watched(&feed, true, &mut reducing)?;
                    self.sums.extend(reducing.finish(&mut outcome.grads, &self.device)?);
                    outcome
                }
                _ => program.run_watched(&feed, true, watch)?,
            };
            values.push(outcome.numbers()?);
            if let Some(what) = outcome.not_finite {
                return Ok(Err((what, at)));
            }
            // Running statistics: the optimizer leaves them as they are.
            let mut wrong = 0;
            for (slot, update) in self.state.weights.tensors_mut().iter_mut().zip(outcome.updates) {
                if let Some(update) = update {
                    wrong += not_finite(&update)?;
                    *slot = update;
                }
            }
            if wrong > 0 {
                let span = program.graph().objective().map(|o| o.span).unwrap_or_default();
                let what = format!("{wrong} running statistics become infinite or NaN");
                return Ok(Err((NotFinite { node: None, span, what, inputs: vec![], cause: Cause::Update }, at)));
            }
            add(&mut grads, outcome.grads)?;
        }
        // A weight that no gradient is wanted for lacks none.
        for (zero, grad) in zero.iter_mut().zip(&grads) {
            *zero &= grad.as_ref().is_some_and(|grad| !health::any(grad));
        }
        if fed.len() > 1 {
            for grad in grads.iter_mut().flatten() {
                *grad = (&*grad / fed.len() as f64)?;
            }
        }
        let norm = match &self.clip {
            Some(clip) => clip.clip(&mut grads)?,
            None => norm(&grads)?,
        };
        if !norm.is_finite() {
            let span = program.graph().objective().map(|o| o.span).unwrap_or_default();
            let what = "its value is finite, but its gradient is not".into();
            return Ok(Err((NotFinite { node: None, span, what, inputs: vec![], cause: Cause::Steps }, fed.len())));
        }
        match self.state.optimizer.step(lr, self.state.weights.tensors_mut(), &grads)? {
            None => Ok(Ok((values, norm))),
            Some(overflow) => Ok(Err((self.overflown(overflow, lr), fed.len()))),
        }
    }

    /// What is said of a step that would make weights infinite or NaN.
    fn overflown(&self, Overflow { weight, numbers, of }: Overflow, lr: f64) -> NotFinite {
        let name = self.state.weights.names().get(weight).map_or("?", String::as_str);
        let lost = match numbers {
            0 => format!("what it remembers of the gradients of `{name}` becomes infinite"),
            n => format!("{n} of {of} numbers of `{name}` become infinite or NaN"),
        };
        let what = format!("{lost}, at a learning rate of {}", number(lr));
        NotFinite { node: None, span: self.optimizer, what, inputs: vec![], cause: Cause::Update }
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
        let value = read(watched).filter(|x| x.is_finite());
        let so_far = state.best.as_ref().map_or(mode.worst(), |b| b.value);
        let best = value.filter(|x| mode.better(*x, so_far));
        if let Some(value) = best {
            state.best = Some(Best { watch: watched.to_string(), value, epoch: state.epochs });
        }
        let (top, dropped) = match value.filter(|_| plan.keep > 1) {
            Some(value) => state.rank(value, *mode, plan.keep),
            None => (false, Vec::new()),
        };
        let score = read(&plan.best.0).unwrap_or(f64::NAN);
        let watched = plan.watch.as_ref().and_then(|(w, _)| read(w));
        let change = match (&mut state.schedule, watched) {
            (Some(schedule), Some(value)) => schedule.after_validation(value),
            _ => None,
        };
        let watched = plan.stop.as_ref().and_then(|(_, (w, _))| read(w));
        let stop = match (&mut state.stop, watched) {
            (Some(stop), Some(value)) => stop.after_validation(value, state.epochs),
            _ => None,
        };
        Ended { train, lr: state.lr, best: best.is_some(), value: score, change, timed, top, dropped, stop }
    }
}

/// Adds the gradients of a batch to those of the batches before it.
fn add(grads: &mut Vec<Option<Tensor>>, more: Vec<Option<Tensor>>) -> candle_core::Result<()> {
    if grads.is_empty() {
        *grads = more;
        return Ok(());
    }
    for (sum, grad) in grads.iter_mut().zip(more) {
        *sum = match (sum.take(), grad) {
            (Some(a), Some(b)) => Some((a + b)?),
            (a, b) => a.or(b),
        };
    }
    Ok(())
}

/// The mean of each number over batches.
fn means(by_batch: &[Vec<f64>]) -> Vec<f64> {
    let Some((first, more)) = by_batch.split_first() else { return Vec::new() };
    let mut sums = first.clone();
    for values in more {
        sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
    }
    if !more.is_empty() {
        sums.iter_mut().for_each(|sum| *sum /= by_batch.len() as f64);
    }
    sums
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
