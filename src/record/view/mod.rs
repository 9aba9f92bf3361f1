//! What a terminal shows of a run while it goes, below the lines of its epochs: how far it is, every loss with a curve of its last steps
//! and its validation, and what goes wrong without an error.
//!
//! ```text
//! epoch  3/20 ━━━━━━━━━━━╶──────────────────────────── 120/400  4.1 steps/s  8 min 20 s left
//! total       1.377  ▇▇▆▆▅▅▄▄▄▃▃▃▃▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁  val 1.391
//! detection   0.398  ▇▇▆▆▅▅▄▄▄▃▃▃▃▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁  val 0.402
//! ```

mod curve;
mod draw;
mod row;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::figures::Smooth;
use super::observer::{Epoch, Finding, Started, Step};
use super::terminal::Part;

/// Steps that curves show.
const STEPS: usize = 400;
/// The times of as many steps make the speed.
const RECENT: usize = 32;

/// A run as it is seen now.
pub struct View {
    color: bool,
    begun: Option<Begun>,
    /// A part without steps that takes its time.
    busy: Option<String>,
    /// The objective first.
    losses: Vec<Loss>,
    /// The epoch at hand, from 1, and its steps that were taken.
    epoch: u64,
    done: u64,
    lr: f64,
    grad_norm: f64,
    /// When the last steps were taken.
    times: VecDeque<Duration>,
    /// Steps since the beginning: fewer than the run has made where it was resumed.
    taken: u64,
    /// The best validation of the objective so far, and its epoch.
    best: Option<(f64, u64)>,
    /// How many findings there were, and the last one.
    findings: usize,
    last_finding: Option<(u64, String)>,
}

struct Begun {
    epochs: u64,
    steps: u64,
    /// What the time is counted from.
    since: Instant,
}

/// A loss, or a number that changes.
struct Loss {
    name: String,
    smooth: Smooth,
    last: VecDeque<f64>,
    val: Option<f64>,
}

impl View {
    /// Of a run that is being prepared.
    pub fn new(color: bool) -> Self {
        Self {
            color,
            begun: None,
            busy: None,
            losses: Vec::new(),
            epoch: 1,
            done: 0,
            lr: f64::NAN,
            grad_norm: f64::NAN,
            times: VecDeque::new(),
            taken: 0,
            best: None,
            findings: 0,
            last_finding: None,
        }
    }

    /// A part begins that has no steps.
    pub fn busy(&mut self, what: &str) {
        self.busy = Some(what.into());
    }

    /// The run begins.
    pub fn started(&mut self, run: &Started<'_>) {
        self.begin(run.names, run.epochs, run.steps);
        let record = run.record.get();
        self.epoch = (record.epochs_done + 1).min(run.epochs);
        self.best = record.best.map(|best| (best.value, best.epoch));
    }

    fn begin(&mut self, names: &[&str], epochs: u64, steps: u64) {
        let loss =
            |name: &&str| Loss { name: name.to_string(), smooth: Smooth::default(), last: VecDeque::new(), val: None };
        self.losses = names.iter().map(loss).collect();
        self.begun = Some(Begun { epochs, steps, since: Instant::now() });
    }

    /// A step was taken, `now` since the run began.
    pub fn step(&mut self, now: Duration, step: &Step<'_>) {
        for (loss, (_, value)) in self.losses.iter_mut().zip(step.values) {
            loss.smooth.add(*value);
            pushed(&mut loss.last, loss.smooth.value, STEPS);
        }
        pushed(&mut self.times, now, RECENT);
        (self.epoch, self.done, self.lr, self.grad_norm) = (step.epoch, step.done, step.lr, step.grad_norm);
        self.taken += 1;
        self.busy = None;
    }

    /// An epoch is complete.
    pub fn ended(&mut self, epoch: &Epoch<'_>) {
        for loss in &mut self.losses {
            loss.val = epoch.validation.iter().find(|(name, _)| *name == loss.name).map(|(_, x)| *x);
        }
        let watched = if epoch.validation.is_empty() { epoch.train } else { epoch.validation };
        if let Some((_, value)) = watched.iter().find(|(name, _)| epoch.best && *name == epoch.objective) {
            self.best = Some((*value, epoch.epoch));
        }
        // The validation is no step.
        self.times.clear();
        if let Some(begun) = &self.begun {
            (self.epoch, self.done) = ((epoch.epoch + 1).min(begun.epochs), 0);
            if epoch.epoch >= begun.epochs {
                self.done = begun.steps;
            }
        }
    }

    /// Something goes wrong without an error.
    pub fn found(&mut self, finding: &Finding) {
        self.findings += 1;
        self.last_finding = Some((finding.epoch, format!("{} {}", finding.what.replace('_', " "), finding.of)));
    }

    /// Steps in a second, of the last ones.
    fn speed(&self) -> Option<f64> {
        let (first, last) = (self.times.front()?, self.times.back()?);
        let took = last.checked_sub(*first)?.as_secs_f64();
        (took > 0.0).then(|| (self.times.len() - 1) as f64 / took)
    }

    /// Seconds until the last step, at the speed of all steps so far: with the validations between them.
    fn left(&self, now: Duration) -> Option<f64> {
        let begun = self.begun.as_ref()?;
        let made = self.epoch.saturating_sub(1).saturating_mul(begun.steps).saturating_add(self.done);
        let left = begun.epochs.saturating_mul(begun.steps).saturating_sub(made);
        (self.taken > 0).then(|| now.as_secs_f64() / self.taken as f64 * left as f64)
    }
}

/// Adds what is newest, and keeps no more than `most`.
fn pushed<T>(queue: &mut VecDeque<T>, x: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(x);
}

impl Part for View {
    fn rows(&mut self, columns: u16, rows: u16) -> Vec<String> {
        let now = self.begun.as_ref().map_or(Duration::ZERO, |begun| begun.since.elapsed());
        draw::rows(self, now, usize::from(columns), usize::from(rows))
    }
}
