//! The training loop: epochs of steps, a validation after each, weights kept as it goes.
//!
//! What people and programs read of it is written by observers, which the caller brings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use candle_core::{DType, Device, Tensor};

use super::graphs;
use super::plan::Plan;
use super::pretrained::Taken;
use super::program::{Feed, NotFinite, Program};
use super::refusals::Stop;
use super::source::{DataSource, tensors};
use super::state::Kept;
use super::step::{Stepped, Stepper, prepare};
use super::stored;
use super::timed::LAG;
use rord_data::batches::Batch;
use rord_data::loader::Loader;
use rord_data::pairs::Split;
use rord_graph::node::Graph;
use rord_lang::constant::{Unit, number};
use rord_lang::report::runtime;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_record::{
    BegunPart, Epoch, Finished, InitWeights, KeptWeights, Live, Observer, Record, RecordError, RunFolder, Started,
    Status, Step, fingerprint, timestamp,
};

/// Validation draws from streams of its own, the same in every run and epoch.
const VALIDATION_SEED: u64 = 0x7661_6c69_6461_7465;

/// Batches that are made ahead of the loop, by a thread of their own.
const AHEAD: usize = 3;

// A batch that is made ahead knows the numbers of its step, and what is made beside the step at hand is one more.
const _: () = assert!(LAG > AHEAD as u64);

/// How a run is started.
pub struct Options {
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
    /// The texts that repeat the run: the place of each, seen from the run's folder, and its content.
    pub texts: Vec<(PathBuf, String)>,
    /// Set to ask the run to end after its step.
    pub stop: &'static AtomicBool,
}

/// How a run ended.
pub struct Summary {
    /// Its folder; `None` where it was asked to end before it had one.
    pub folder: Option<PathBuf>,
    /// True where it was asked to end.
    pub interrupted: bool,
    /// Epochs that are complete.
    pub epochs: u64,
}

/// Trains a checked pipeline, watched by these observers.
pub fn train(
    pipeline: &Pipeline,
    vocabulary: &Vocabulary,
    plan: &Plan,
    options: &Options,
    mut observers: Vec<Box<dyn Observer>>,
) -> Result<Summary, Stop> {
    let init = options.init.as_ref().map(|(path, _)| path.as_path());
    let mut busy = |what: &str| observers.iter_mut().for_each(|observer| observer.busy(what));
    let (stepper, data) = prepare(pipeline, vocabulary, plan, init, &options.device, &mut busy)?;
    let validation = graphs::graph(pipeline, vocabulary, &graphs::validation(pipeline), &data.sizes)?;
    let validation = Program::new(validation, |_| false, DType::F32, &options.device)?;
    if options.stop.load(Ordering::Relaxed) {
        return Ok(Summary { folder: None, interrupted: true, epochs: 0 });
    }
    // From here on things are written; whatever could be refused has been.
    let record = open(pipeline, plan, options, graph_hash(stepper.graph(), vocabulary), &stepper.taken)?;
    let mut run = Run { plan, options, stepper, validation, data, record, observers };
    run.go()?;
    let ended = run.record.get();
    let interrupted = ended.status == Status::Interrupted;
    Ok(Summary { folder: Some(run.record.path().into()), interrupted, epochs: ended.epochs_done })
}

/// The folder of a new run, with the texts that are run and the record.
fn open(
    pipeline: &Pipeline,
    plan: &Plan,
    options: &Options,
    graph: String,
    taken: &[Taken],
) -> Result<Live, RecordError> {
    let now = SystemTime::now();
    let folder = RunFolder::create(options.out.as_deref(), Path::new("runs"), &pipeline.name, now)?;
    for (path, text) in &options.texts {
        folder.write_text(path, text)?;
    }
    let mut record = Record {
        rord: env!("CARGO_PKG_VERSION").into(),
        pipeline: pipeline.name.clone(),
        source: options.source.clone(),
        graph,
        status: Status::Running,
        started: timestamp(now),
        finished: None,
        device: options.device_name.clone(),
        threads: rayon::current_num_threads(),
        seed: plan.seed,
        init: options.init.as_ref().map(|(_, init)| init.clone()),
        parts: taken.iter().map(begun).collect(),
        params: Default::default(),
        origins: Default::default(),
        epochs_done: 0,
        best: None,
        kept: Vec::new(),
        stopped: None,
        validation: Default::default(),
    };
    for param in &pipeline.params {
        if let Some(value) = &param.value {
            record.param(&param.name, value, &param.origin.to_string());
        }
    }
    Live::open(folder, record)
}

/// What a part began with, for the record.
fn begun(taken: &Taken) -> BegunPart {
    BegunPart {
        part: taken.part.clone(),
        file: taken.file.clone(),
        hash: taken.hash.clone(),
        under: taken.under.clone(),
        matched: taken.by.to_string(),
        took: taken.took.iter().map(|(weight, tensor)| (weight.as_str().into(), tensor.as_str().into())).collect(),
        left: taken.left.clone(),
        random: taken.random.clone(),
    }
}

/// Everything a run holds.
struct Run<'a> {
    plan: &'a Plan,
    options: &'a Options,
    stepper: Stepper,
    validation: Program,
    data: DataSource,
    record: Live,
    observers: Vec<Box<dyn Observer>>,
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
        let status = match &result {
            Ok(true) => Status::Interrupted,
            Ok(false) => Status::Finished,
            Err(_) => Status::Failed,
        };
        let closed = self.record.close(status);
        let finished = self.finished(status);
        result?;
        closed?;
        Ok(finished?)
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
        for note in notes {
            self.watched(|o| o.note(&note))?;
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
            best: best.as_ref(),
        };
        self.watched(|o| o.finished(&end))
    }

    fn asked_to_stop(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed)
    }

    /// All epochs that are left; true where the run was asked to end.
    fn epochs(&mut self) -> Result<bool, Stop> {
        self.started()?;
        let lines: Vec<String> = self.stepper.taken.iter().map(Taken::line).collect();
        lines.iter().try_for_each(|line| self.watched(|o| o.note(line)))?;
        self.busy("making the first step");
        let batches = self.data.batches.clone();
        let mut loader = Loader::new(batches, Split::Train, self.stepper.next_batch(), AHEAD, 1)?;
        while self.stepper.state.epochs < self.plan.epochs {
            let begun = Instant::now();
            while self.stepper.done() < self.stepper.steps {
                let mut batches = Vec::new();
                while batches.len() < self.stepper.batches_of_step() {
                    match loader.next_unless(self.options.stop).transpose()? {
                        Some(batch) => batches.push(batch),
                        None => return self.interrupted(loader),
                    }
                }
                self.step(&batches)?;
            }
            self.busy("validating");
            match self.validate()? {
                Some(validation) => {
                    self.busy("saving");
                    if self.end_epoch(&validation, begun)? {
                        break;
                    }
                }
                None => return self.interrupted(loader),
            }
        }
        Ok(false)
    }

    /// One optimizer step.
    fn step(&mut self, batches: &[Batch]) -> Result<(), Stop> {
        let step = self.stepper.state.steps;
        let timed = self.stepper.state.timed.numbers(step);
        let (values, lr, grad_norm) = match self.stepper.step(batches, &mut ())? {
            Stepped::Taken { values, lr, grad_norm } => (values, lr, grad_norm),
            Stepped::NotFinite { what, fields } => return Err(self.not_finite(&what, step, &fields)),
        };
        let outputs = self.stepper.names();
        let mut named: Vec<(&str, f64)> = outputs.iter().map(String::as_str).zip(values.iter().copied()).collect();
        named.extend(timed.iter().map(|(name, x)| (name.as_str(), *x)));
        let epoch = self.stepper.state.epochs + 1;
        let taken = Step { step, epoch, done: self.stepper.done(), values: &named, lr, grad_norm };
        self.observers.iter_mut().try_for_each(|o| o.step(&taken))?;
        self.kept_positions();
        let steps = self.stepper.state.steps;
        if let Some((every, Unit::Steps)) = self.plan.every
            && reached(every, steps)
        {
            self.save(&format!("step-{steps}.safetensors"))?;
        }
        Ok(())
    }

    /// Writes the weights of the run, or their average, to a file in its folder.
    fn save(&self, name: &str) -> Result<(), Stop> {
        Ok(self.stepper.state.shown().save(&self.record.folder().file(name))?)
    }

    /// Removes a file of weights that is kept no longer. One that is gone already is no loss.
    fn remove(&mut self, name: &str) -> Result<(), Stop> {
        let path = self.record.folder().file(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Ok(self.watched(|o| o.note(&format!("{} could not be removed: {e}", path.display())))?)
            }
            _ => Ok(()),
        }
    }

    fn kept_positions(&mut self) {
        self.stepper.state.observers = self.observers.iter().map(|o| (o.name().into(), o.position())).collect();
    }

    /// Keeps the weights and the batch, and reports where it went wrong.
    fn not_finite(&self, bad: &NotFinite, step: u64, fields: &HashMap<String, Tensor>) -> Stop {
        let folder = self.record.folder();
        let weights = folder.file(&format!("nan-{step}.safetensors"));
        let batch = folder.file(&format!("nan-{step}-batch.safetensors"));
        let fields: Vec<(String, Tensor)> = fields.iter().map(|(n, t)| (n.clone(), t.clone())).collect();
        let saved = self.stepper.state.weights.save(&weights).map_err(|e| e.to_string());
        let kept = match saved.and_then(|()| stored::write(&batch, &fields).map_err(|e| e.to_string())) {
            Ok(()) => format!("the weights are in {}, the batch in {}", weights.display(), batch.display()),
            Err(error) => format!("the weights and the batch are not kept: {error}"),
        };
        let (name, epoch) = (self.stepper.objective(), self.stepper.state.epochs + 1);
        Stop::NotFinite(Box::new(runtime::not_finite(bad.span, name, (step, epoch), (&bad.detail(), bad.cause), &kept)))
    }

    /// The mean of every output over the validation; empty where there is none, `None` where the run was asked to end.
    fn validate(&self) -> Result<Option<Vec<(String, f64)>>, Stop> {
        let batches = self.data.batches.validation_batches();
        let outputs = &self.validation.graph().outputs;
        let mut means = vec![0.0; outputs.len()];
        if batches == 0 {
            return Ok(Some(vec![]));
        }
        let mut loader = Loader::new(self.data.batches.clone(), Split::Validation, 0, AHEAD, 1)?;
        for step in 0..batches {
            let Some(batch) = loader.next_unless(self.options.stop).transpose()? else { break };
            let fields = tensors(&batch, DType::F32, &self.options.device)?;
            let feed = Feed {
                batch: batch.size,
                fields: &fields,
                weights: self.stepper.state.shown().tensors(),
                seed: VALIDATION_SEED,
                step,
                training: false,
                timed: None,
            };
            for (mean, value) in means.iter_mut().zip(self.validation.run(&feed, false)?.numbers()?) {
                *mean += value / batches as f64;
            }
        }
        if self.asked_to_stop() {
            loader.detach();
            return Ok(None);
        }
        Ok(Some(outputs.iter().map(|o| o.name.clone()).zip(means).collect()))
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
        names.iter().filter(|(wanted, _)| *wanted).try_for_each(|(_, name)| self.save(name))?;
        ended.dropped.iter().try_for_each(|epoch| self.remove(&format!("top-{epoch}.safetensors")))?;
        let state = &self.stepper.state;
        fn named(numbers: &[(String, f64)]) -> Vec<(&str, f64)> {
            numbers.iter().map(|(n, x)| (n.as_str(), *x)).collect()
        }
        let (train, timed, validation) = (named(&ended.train), named(&ended.timed), named(validation));
        let epoch = Epoch {
            epoch: state.epochs,
            objective: self.stepper.objective(),
            train: &train,
            timed: &timed,
            validation: &validation,
            lr: ended.lr,
            took: begun.elapsed(),
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
        let state = &self.stepper.state;
        let kept =
            |k: &Kept| KeptWeights { file: format!("top-{}.safetensors", k.epoch), value: k.value, epoch: k.epoch };
        self.record.change(|record| {
            record.epochs_done = state.epochs;
            record.best = state.best.clone();
            record.kept = state.kept.iter().map(kept).collect();
            record.stopped = stopped.clone();
            record.validated(validation.iter().copied());
        })?;
        Ok(stopped.is_some())
    }

    /// Keeps the weights of a run that was asked to end.
    fn interrupted(&mut self, loader: Loader) -> Result<bool, Stop> {
        // The batch that is being made is not waited for.
        loader.detach();
        self.save("last.safetensors")?;
        Ok(true)
    }
}

/// True where a count has just reached a multiple of a duration, which need not be whole.
fn reached(every: f64, count: u64) -> bool {
    let times = |n: u64| (n as f64 / every).floor();
    count > 0 && times(count) > times(count - 1)
}

/// The fingerprint of what is trained: the optimized graph as text.
fn graph_hash(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let text = rord_graph::print::text(graph, vocabulary);
    fingerprint(&blake3::hash(text.as_bytes()), 8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
