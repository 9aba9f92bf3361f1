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
use super::program::{Feed, NotFinite, Program};
use super::refusals::Stop;
use super::source::{DataSource, tensors};
use super::step::{Stepped, Stepper, prepare};
use super::stored;
use super::timed::LAG;
use rord_data::batches::Batch;
use rord_data::loader::Loader;
use rord_data::pairs::Split;
use rord_graph::node::Graph;
use rord_lang::constant::number;
use rord_lang::report::runtime;
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;
use rord_record::{
    Epoch, Finished, InitWeights, Live, Observer, Record, RecordError, RunFolder, Started, Status, Step, fingerprint,
    timestamp,
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
    let record = open(pipeline, plan, options, graph_hash(stepper.graph(), vocabulary))?;
    let mut run = Run { plan, options, stepper, validation, data, record, observers };
    run.go()?;
    let ended = run.record.get();
    let interrupted = ended.status == Status::Interrupted;
    Ok(Summary { folder: Some(run.record.path().into()), interrupted, epochs: ended.epochs_done })
}

/// The folder of a new run, with the texts that are run and the record.
fn open(pipeline: &Pipeline, plan: &Plan, options: &Options, graph: String) -> Result<Live, RecordError> {
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
        params: Default::default(),
        origins: Default::default(),
        epochs_done: 0,
        best: None,
        validation: Default::default(),
    };
    for param in &pipeline.params {
        if let Some(value) = &param.value {
            record.param(&param.name, value, &param.origin.to_string());
        }
    }
    Live::open(folder, record)
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
        self.busy("making the first step");
        let batches = self.data.batches.clone();
        let mut loader = Loader::new(batches, Split::Train, self.stepper.state.steps, AHEAD, 1)?;
        while self.stepper.state.epochs < self.plan.epochs {
            let begun = Instant::now();
            while self.stepper.done() < self.stepper.steps {
                match loader.next_unless(self.options.stop).transpose()? {
                    Some(batch) => self.step(&batch)?,
                    None => return self.interrupted(loader),
                }
            }
            self.busy("validating");
            match self.validate()? {
                Some(validation) => {
                    self.busy("saving");
                    self.end_epoch(&validation, begun)?;
                }
                None => return self.interrupted(loader),
            }
        }
        Ok(false)
    }

    /// One optimizer step.
    fn step(&mut self, batch: &Batch) -> Result<(), Stop> {
        let step = self.stepper.state.steps;
        let timed = self.stepper.state.timed.numbers(step);
        let (values, lr, grad_norm) = match self.stepper.step(batch, &mut ())? {
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
        Ok(())
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
                weights: self.stepper.state.weights.tensors(),
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

    /// Keeps the weights, then calls the observers, then writes the record: what the record counts is written by then.
    fn end_epoch(&mut self, validation: &[(String, f64)], begun: Instant) -> Result<(), Stop> {
        let ended = self.stepper.end_epoch(self.plan, validation);
        let state = &self.stepper.state;
        if ended.best {
            state.weights.save(&self.record.folder().file("best.safetensors"))?;
        }
        if self.plan.keep_last {
            state.weights.save(&self.record.folder().file("last.safetensors"))?;
        }
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
        self.kept_positions();
        let state = &self.stepper.state;
        Ok(self.record.change(|record| {
            record.epochs_done = state.epochs;
            record.best = state.best.clone();
            record.validated(validation.iter().copied());
        })?)
    }

    /// Keeps the weights of a run that was asked to end.
    fn interrupted(&mut self, loader: Loader) -> Result<bool, Stop> {
        // The batch that is being made is not waited for.
        loader.detach();
        self.stepper.state.weights.save(&self.record.folder().file("last.safetensors"))?;
        Ok(true)
    }
}

/// The fingerprint of what is trained: the optimized graph as text.
fn graph_hash(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let text = rord_graph::print::text(graph, vocabulary);
    fingerprint(&blake3::hash(text.as_bytes()), 8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
