//! The training loop: epochs of steps, a validation after each, weights and the state kept as it goes.
//!
//! What people and programs read of it is written by observers, which the caller brings. A run that was interrupted or killed is taken
//! up at its last state (`folder`), and ends as if nothing had happened.

mod folder;
mod keep;
mod timing;
mod together;
mod validation;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::{DType, Device};

use super::gpus;
use super::graphs;
use super::health::{Looked, Looking, Seen};
use super::plan::Plan;
use super::pretrained::Taken;
use super::program::Program;
use super::refusals::Stop;
use super::replay::Replayed;
use super::source::DataSource;
use super::state::Kept;
use super::step::{Stepped, Stepper, prepare_shared};
use super::timed::LAG;
use rord_data::batches::{Batch, Batches};
use rord_data::loader::Loader;
use rord_data::pairs::Split;
use rord_lang::constant::{Unit, number};
use rord_lang::report::Report;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_ranks::{Ranks, Spent};
use rord_record::{
    Epoch, Exchange, Finished, InitWeights, KeptWeights, Live, Observer, RecordError, Started, Status, Step, SumBegun,
};
use timing::{Timing, Watched};
use validation::Validated;

pub use folder::{put_away, resumable};
pub use keep::STATE;

/// Batches that are made ahead of the loop, by a thread of their own.
const AHEAD: usize = 3;

// A batch that is made ahead knows the numbers of its step, and what is made beside the step at hand is one more.
const _: () = assert!(LAG > AHEAD as u64);

/// How a run is started.
pub struct Options<'a> {
    /// The folder to write to; `None`: a new one under `runs/`.
    pub out: Option<PathBuf>,
    /// Weights to begin with, and what the record keeps of them.
    pub init: Option<(PathBuf, InitWeights)>,
    /// Where to run.
    pub device: Device,
    /// The device's name for the record.
    pub device_name: String,
    /// What was named to be run, as it was given.
    pub source: String,
    /// The command that begins it.
    pub command: String,
    /// The texts that repeat the run: the place of each, seen from the run's folder, and its content.
    pub texts: Vec<(PathBuf, String)>,
    /// The hash of these texts.
    pub text: String,
    /// The folder of a run of the same texts that is taken up where it was saved last; `out` is not read then.
    pub resume: Option<PathBuf>,
    /// The step with which the run ends: it is looked at, and nothing of it is kept.
    pub until: Option<u64>,
    /// A report as a person reads it.
    pub shown: &'a dyn Fn(&Report) -> String,
    /// Set to ask the run to end after its step.
    pub stop: &'static AtomicBool,
    /// The processes that share the run; the first of them writes and speaks.
    pub ranks: Option<Arc<Ranks>>,
}

impl Options<'_> {
    /// The processes that share the run, where there are others.
    fn ranks(&self) -> Option<&Arc<Ranks>> {
        self.ranks.as_ref().filter(|ranks| ranks.size() > 1)
    }

    /// True for the process that writes.
    fn leads(&self) -> bool {
        self.ranks().is_none_or(|ranks| ranks.leads())
    }

    /// How many processes share the run.
    fn processes(&self) -> usize {
        self.ranks().map_or(1, |ranks| ranks.size())
    }

    /// True where the run is asked to end: in any of its processes, which all ask this in the same places.
    fn asked_to_stop(&self) -> Result<bool, Stop> {
        let own = self.stop.load(Ordering::Relaxed);
        Ok(match self.ranks() {
            Some(ranks) => ranks.any(own)?,
            None => own,
        })
    }

    /// What ends a wait for data at once: not where others have to agree first.
    fn at_once(&self) -> &'static AtomicBool {
        if self.ranks().is_some() { &GO_ON } else { self.stop }
    }
}

/// Never set.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// How a run ended.
pub struct Summary {
    /// Its folder; `None` where it was asked to end before it had one.
    pub folder: Option<PathBuf>,
    /// True where it was asked to end.
    pub interrupted: bool,
    /// Epochs that are complete.
    pub epochs: u64,
    /// The step that the run was asked to end with.
    pub replayed: Option<Replayed>,
    /// Its data, which need not be loaded again; `None` where it was asked to end before it had any.
    pub batches: Option<Arc<dyn Batches>>,
}

/// Trains a checked pipeline, watched by these observers.
pub fn train(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    options: &Options,
    observers: Vec<Box<dyn Observer>>,
) -> Result<Summary, Stop> {
    let result = shared(pipeline, vocabulary, plan, options, observers);
    match options.ranks().and_then(|ranks| ranks.trouble()) {
        // Whatever failed here failed for want of another process.
        Some(lost) => result.map_err(|_| Stop::Lost(lost.clone())),
        None => result,
    }
}

fn shared(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    options: &Options,
    mut observers: Vec<Box<dyn Observer>>,
) -> Result<Summary, Stop> {
    let init = options.init.as_ref().map(|(path, _)| path.as_path());
    let mut busy = |what: &str| observers.iter_mut().for_each(|observer| observer.busy(what));
    let (mut stepper, data) =
        prepare_shared(pipeline, vocabulary, plan, init, &options.device, options.ranks(), &mut busy)?;
    let validation = graphs::graph(pipeline, vocabulary, &graphs::validation(pipeline), &data.sizes)?;
    let validation = Program::new(validation, |_| false, DType::F32, &options.device)?;
    together::same_run(options, &stepper)?;
    if options.asked_to_stop()? {
        return Ok(Summary { folder: None, interrupted: true, epochs: 0, replayed: None, batches: None });
    }
    let (across, how) = gpus::connect(options.ranks(), &options.device)?;
    stepper.across = across;
    // From here on things are written; whatever could be refused has been.
    let opened = match &options.resume {
        Some(path) => folder::take_up(path, plan, options, &mut stepper, &data)?,
        None => folder::open(pipeline, plan, options, &mut stepper, &data)?,
    };
    let (record, mut notes) = opened;
    notes.extend(how);
    together::same_state(options, &stepper)?;
    let record = together::same_folder(options, record)?;
    let saved = Instant::now();
    let looked = Looked::of(stepper.graph());
    let replayed = None;
    let timing = Timing::default();
    let mut run = Run {
        plan,
        options,
        vocabulary,
        stepper,
        validation,
        data,
        record,
        observers,
        notes,
        saved,
        looked,
        timing,
        replayed,
        spent: Spent::default(),
        exchange: None,
    };
    run.go()?;
    let ended = run.record.get();
    let interrupted = ended.status == Status::Interrupted;
    Ok(Summary {
        folder: run.record.writes().then(|| run.record.path().into()),
        interrupted,
        epochs: ended.epochs_done,
        replayed: run.replayed.take(),
        batches: Some(run.data.batches.clone()),
    })
}

/// Everything a run holds.
struct Run<'a> {
    plan: &'a Plan,
    options: &'a Options<'a>,
    vocabulary: &'a Vocabulary,
    stepper: Stepper,
    validation: Program,
    data: DataSource,
    record: Live,
    observers: Vec<Box<dyn Observer>>,
    /// What is said of a run that was taken up.
    notes: Vec<String>,
    /// When the state was saved last.
    saved: Instant,
    /// What is looked at in a step.
    looked: Looked,
    /// Steps that carried a watch.
    timing: Timing,
    /// The step that the run ends with, looked at.
    replayed: Option<Replayed>,
    /// What the talk with other processes had cost when the epoch began.
    spent: Spent,
    /// The exchange with other processes in the steps of the epoch at hand.
    exchange: Option<Exchange>,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // Only a run that an error or a panic ended is still open, and that one is the error to report.
        let _ = self.record.close(Status::Failed);
    }
}

impl Run<'_> {
    /// The whole run; its record is closed with how it ended.
    fn go(&mut self) -> Result<(), Stop> {
        let result = self.epochs();
        self.record.rest(None);
        if result.is_err() {
            self.failed();
        }
        let status = match &result {
            Ok(true) => Status::Interrupted,
            Ok(false) => Status::Finished,
            Err(_) => Status::Failed,
        };
        let closed = self.record.close(status);
        let finished = self.finished(status);
        if closed.is_err() || finished.is_err() {
            self.record.fail();
        }
        result?;
        closed?;
        finished?;
        if status == Status::Finished && self.record.writes() {
            put_away(self.record.folder());
        }
        Ok(())
    }

    /// Passes an event to all observers.
    fn watched(
        &mut self,
        mut event: impl FnMut(&mut dyn Observer) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        self.observers.iter_mut().try_for_each(|observer| event(observer.as_mut()))
    }

    fn busy(&mut self, what: &str) {
        self.observers.iter_mut().for_each(|observer| observer.busy(what));
    }

    fn started(&mut self) -> Result<(), Stop> {
        let (about, positions) = (self.data.batches.about(), self.stepper.state.observers.clone());
        let timed = self.stepper.state.timed.numbers(self.stepper.state.steps);
        let outputs = self.stepper.names();
        let outputs = outputs.iter().map(String::as_str);
        let names: Vec<&str> = outputs.chain(timed.iter().map(|(name, _)| name.as_str())).collect();
        for observer in &mut self.observers {
            let position = positions.iter().find(|(name, _)| name == observer.name()).map(|(_, at)| *at);
            observer.started(&Started {
                record: &self.record,
                names: &names,
                weights: self.stepper.state.weights.elements(),
                data: &about,
                noun: self.data.batches.noun(),
                batch: self.plan.batch,
                epochs: self.plan.epochs,
                steps: self.stepper.steps,
                position,
            })?;
        }
        // What was done to the data is said once it is known that the run begins.
        let warnings = self.data.warnings.iter().map(|warning| format!("warning: {warning}"));
        let notes: Vec<String> = self.data.batches.notes().into_iter().chain(warnings).collect();
        for note in notes.iter().chain(&std::mem::take(&mut self.notes)) {
            self.watched(|o| o.note(note))?;
        }
        Ok(())
    }

    fn finished(&mut self, status: Status) -> Result<(), RecordError> {
        let (folder, last) = (self.record.path().to_path_buf(), self.record.folder().file("last.safetensors"));
        let best = self.stepper.state.best.clone();
        let end = Finished {
            status,
            folder: &folder,
            epoch: (self.stepper.state.epochs + 1).min(self.plan.epochs),
            done: self.stepper.done(),
            steps: self.stepper.steps,
            weights: last.exists().then_some(last.as_path()),
            resumable: status == Status::Interrupted && self.record.folder().file(STATE).exists(),
            best: best.as_ref(),
        };
        self.watched(|o| o.finished(&end))
    }

    /// All epochs that are left; true where the run was asked to end.
    fn epochs(&mut self) -> Result<bool, Stop> {
        self.started()?;
        let lines: Vec<String> = self.stepper.taken.iter().map(Taken::line).collect();
        lines.iter().try_for_each(|line| self.watched(|o| o.note(line)))?;
        let mut tried = None;
        if self.stepper.state.steps == 0 && self.plan.sanity > 0 {
            self.busy("trying the validation");
            match self.validate(Some(self.plan.sanity)) {
                Ok(Validated::Stopped) => return self.interrupted(None),
                Ok(Validated::Means(_)) => {}
                // The first step comes first: what is wrong with the formula itself is said with the step's own batch.
                Err(bad @ Stop::NotFinite(_)) => tried = Some(bad),
                Err(other) => return Err(other),
            }
        }
        self.busy("making the first step");
        let batches = self.data.batches.clone();
        let mut loader = Loader::new(batches, Split::Train, self.stepper.next_batch(), AHEAD, 1)?;
        while self.stepper.state.epochs < self.plan.epochs {
            let begun = Instant::now();
            let (mut before, first) = (begun, self.stepper.done());
            self.timing.begin();
            self.spent = self.options.ranks().map(|ranks| ranks.spent()).unwrap_or_default();
            while self.stepper.done() < self.stepper.steps {
                if self.options.ranks().is_some() && self.options.asked_to_stop()? {
                    return self.interrupted(Some(loader));
                }
                let mut batches = Vec::new();
                while batches.len() < self.stepper.batches_of_step() {
                    match loader.next_unless(self.options.at_once()).transpose()? {
                        Some(batch) => batches.push(batch),
                        None => return self.interrupted(Some(loader)),
                    }
                }
                if self.options.until == Some(self.stepper.state.steps) {
                    self.replayed = self.stepper.look(&batches)?;
                    loader.detach();
                    return Ok(true);
                }
                self.step(&batches)?;
                if let Some(bad) = tried.take() {
                    return Err(bad);
                }
                let now = Instant::now();
                self.timing.paced(now.duration_since(before).as_secs_f64());
                before = now;
            }
            self.exchange = self.exchange(begun, first);
            self.busy("validating");
            // Before the validation: whatever goes wrong there, no step is lost.
            if self.record.get().resumed.last().map(|r| r.step) != Some(self.stepper.state.steps) {
                self.save_state()?;
            }
            match self.validate(None)? {
                Validated::Means(validation) => {
                    self.busy("saving");
                    if self.end_epoch(&validation, begun)? {
                        break;
                    }
                }
                Validated::Stopped => return self.interrupted(Some(loader)),
            }
        }
        Ok(false)
    }

    /// One optimizer step.
    fn step(&mut self, batches: &[Batch]) -> Result<(), Stop> {
        let step = self.stepper.state.steps;
        let timed = self.stepper.state.timed.numbers(step);
        let last = self.stepper.done() + 1 == self.stepper.steps;
        let looking = Looking { looked: &self.looked, whole: last, seen: Seen::default() };
        let (done, steps, nodes) = (self.stepper.done(), self.stepper.steps, self.stepper.program.graph().nodes.len());
        // What another device computes is not done when its operation returns.
        let watch = self.timing.watch(done, steps, step, nodes, &self.options.device);
        let mut watched = Watched { looking, watch };
        let (values, lr, grad_norm) = match self.stepper.step(batches, &mut watched)? {
            Stepped::Taken { values, lr, grad_norm } => (values, lr, grad_norm),
            Stepped::NotFinite { what, fields, kept } => {
                let (what, fields, kept) = together::found(self.options, &self.stepper, what, fields, kept)?;
                return Err(self.not_finite(&what, step, &fields, &kept));
            }
        };
        let seen = watched.looking.seen;
        watched.watch.into_iter().for_each(|watch| self.timing.keep(watch));
        self.stepper.state.health.step(grad_norm, &self.stepper.zero, &seen, &self.looked);
        let outputs = self.stepper.names();
        let mut named: Vec<(&str, f64)> = outputs.iter().map(String::as_str).zip(values.iter().copied()).collect();
        named.extend(timed.iter().map(|(name, x)| (name.as_str(), *x)));
        let epoch = self.stepper.state.epochs + 1;
        let taken = Step { step, epoch, done: self.stepper.done(), values: &named, lr, grad_norm };
        self.observers.iter_mut().try_for_each(|o| o.step(&taken))?;
        if last {
            self.healthy(epoch, &seen)?;
        }
        self.kept_positions();
        let steps = self.stepper.state.steps;
        if let Some((every, Unit::Steps)) = self.plan.every
            && reached(every, steps)
        {
            self.save(&format!("step-{steps}.safetensors"), None)?;
        }
        // Last: whatever the state counts is there by then.
        if self.stepper.done() < self.stepper.steps && self.state_is_due() {
            self.save_state()?;
        }
        Ok(())
    }

    /// Tells the figures of the epoch whose last step was just taken, and what goes wrong in it without an error.
    fn healthy(&mut self, epoch: u64, seen: &Seen) -> Result<(), Stop> {
        let figures = self.stepper.state.health.figures(seen, &self.looked);
        let named: Vec<(&str, f64)> = figures.iter().map(|(name, x)| (name.as_str(), *x)).collect();
        self.watched(|o| o.figures(epoch, &named))?;
        let names = self.stepper.state.weights.names().to_vec();
        for finding in self.stepper.state.health.end_epoch(epoch, &names, seen, &self.looked) {
            self.watched(|o| o.found(&finding))?;
            self.watched(|o| o.note(&format!("warning: {}", finding.text)))?;
        }
        Ok(())
    }

    /// Keeps the weights, then calls the observers, then writes the record: what the record counts is written by then. True where the
    /// run ends here.
    fn end_epoch(&mut self, validation: &[(String, f64)], begun: Instant) -> Result<bool, Stop> {
        let ended = self.stepper.end_epoch(self.plan, validation);
        let at = self.stepper.state.epochs;
        let periodic = matches!(self.plan.every, Some((every, Unit::Epochs)) if reached(every, at));
        let names = [
            (ended.best, "best.safetensors".to_string()),
            (self.plan.keep_last, "last.safetensors".to_string()),
            (ended.top, format!("top-{at}.safetensors")),
            (periodic, format!("epoch-{at}.safetensors")),
        ];
        let score = (self.plan.best.0.to_string(), ended.value);
        names.iter().filter(|(wanted, _)| *wanted).try_for_each(|(_, name)| self.save(name, Some(&score)))?;
        ended.dropped.iter().try_for_each(|epoch| self.remove(&format!("top-{epoch}.safetensors")))?;
        let state = &self.stepper.state;
        fn named(numbers: &[(String, f64)]) -> Vec<(&str, f64)> {
            numbers.iter().map(|(n, x)| (n.as_str(), *x)).collect()
        }
        let (train, timed, validation) = (named(&ended.train), named(&ended.timed), named(validation));
        let took = begun.elapsed();
        let epoch = Epoch {
            epoch: state.epochs,
            objective: self.stepper.objective(),
            train: &train,
            timed: &timed,
            validation: &validation,
            lr: ended.lr,
            took,
            best: ended.best,
        };
        self.observers.iter_mut().try_for_each(|o| o.epoch(&epoch))?;
        if let Some(change) = ended.change {
            let note = format!("no progress: learning rate {} → {}", number(change.from), number(change.to));
            self.watched(|o| o.note(&note))?;
        }
        let stopped = ended.stop.filter(|_| at < self.plan.epochs);
        if let Some(why) = &stopped {
            let note = format!("stopped after epoch {at}: {why}");
            self.watched(|o| o.note(&note))?;
        }
        self.kept_positions();
        let exchange = self.exchange.clone();
        let state = &self.stepper.state;
        let times = self.timing.times(self.stepper.program.graph(), self.vocabulary, self.plan.batch);
        self.record.change(|record| {
            record.epochs_done = state.epochs;
            record.epoch_seconds.push((took.as_secs_f64() * 1000.0).round() / 1000.0);
            record.best = state.best.clone();
            record.kept = state.kept.iter().map(kept).collect();
            record.stopped = stopped.clone();
            record.memory = Some(folder::memory(&self.stepper));
            record.exchange = exchange;
            record.step = times.or(record.step.take());
            record.validated(validation.iter().copied());
        })?;
        let ends = stopped.is_some() || at >= self.plan.epochs;
        // A run that ends here would go on from a state after its last validation.
        if !ends {
            self.save_state()?;
        }
        Ok(stopped.is_some())
    }
}

impl Run<'_> {
    /// What the processes had to say to each other in the steps of this epoch from `first` on, which began then.
    fn exchange(&self, begun: Instant, first: u64) -> Option<Exchange> {
        let spent = self.options.ranks()?.spent().since(&self.spent);
        let steps = self.stepper.steps.saturating_sub(first).max(1) as f64;
        let seconds = begun.elapsed().as_secs_f64().max(1e-9);
        let rounded = |x: f64| (x * 1e4).round() / 1e4;
        let gradients = spent.beside.talked.as_secs_f64().max(1e-9);
        Some(Exchange {
            megabytes_a_step: rounded(spent.bytes() as f64 / 1e6 / steps),
            gradients_mb: rounded(spent.beside.bytes as f64 / 1e6 / steps),
            meetings: rounded(spent.now.calls as f64 / steps),
            common_ms: rounded(self.timing.common(self.stepper.program.graph())),
            under_way: rounded(spent.talked().as_secs_f64() / seconds),
            waited: rounded(spent.waited().as_secs_f64() / seconds),
            hidden: rounded((1.0 - spent.beside.waited.as_secs_f64() / gradients).max(0.0)),
            sums: self
                .stepper
                .sums
                .iter()
                .map(|s| SumBegun { mb: rounded(s.mb), left_ms: rounded(s.left_ms) })
                .collect(),
        })
    }
}

/// True where a count has just reached a multiple of a duration, which need not be whole.
fn reached(every: f64, count: u64) -> bool {
    let times = |n: u64| (n as f64 / every).floor();
    count > 0 && times(count) > times(count - 1)
}

/// One of the best epochs, as records have it.
fn kept(k: &Kept) -> KeptWeights {
    KeptWeights { file: format!("top-{}.safetensors", k.epoch), value: k.value, epoch: k.epoch }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
