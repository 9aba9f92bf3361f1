//! The training loop: epochs of steps, a validation after each, weights and numbers kept as it goes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use candle_core::{DType, Device, Tensor};

use super::frozen;
use super::optim::RecipeError;
use super::plan::{Plan, Watched};
use super::program::{Fault, Feed, NotFinite, Program};
use super::schedule::Mode;
use super::source::{DataSource, tensors};
use super::step::{Stepped, Stepper, graph, prepare};
use super::weights::WeightsError;
use rord_data::batches::Batch;
use rord_data::loader::{Loader, LoaderError};
use rord_data::pairs::Split;
use rord_graph::node::{Graph, Role};
use rord_graph::weight::{Init, WeightSpec};
use rord_lang::report::{Report, plural};
use rord_lang::typed::{Initial, Pipeline};
use rord_lang::vocabulary::Vocabulary;
use rord_record::metrics::Metrics;
use rord_record::progress::{Epoch, Progress, rate};
use rord_record::{Best, Record, RecordError, RunFolder, Status, timestamp};

/// Validation draws from streams of its own, the same in every run and epoch.
const VALIDATION_SEED: u64 = 0x7661_6c69_6461_7465;

/// How a run is started.
pub struct Options {
    /// The folder to write to; `None`: a new one under `runs/`.
    pub out: Option<PathBuf>,
    /// Weights to begin with.
    pub init: Option<PathBuf>,
    /// Where to run.
    pub device: Device,
    /// The device's name for the record.
    pub device_name: String,
    /// The pipeline's file as given, and its text.
    pub source: (String, String),
    /// The files that it imports: where each lies, seen from the pipeline's folder, and its text.
    pub imports: Vec<(PathBuf, String)>,
    /// Set where somebody asks the run to stop after its step.
    pub stop: &'static AtomicBool,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Reports about the pipeline or its data.
    #[error("refused")]
    Refused(Vec<Report>),
    /// The objective is no longer a number.
    #[error("not finite")]
    NotFinite(Box<Report>),
    /// Weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Weights of a frozen model.
    #[error(transparent)]
    Frozen(#[from] frozen::FrozenError),
    /// The run's folder could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file of the run could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// An operation failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A recipe could not be carried out.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data stopped coming.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// Candle refused.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The graph is broken.
    #[error(transparent)]
    Graph(#[from] rord_graph::verify::Broken),
}

/// How a run ended.
pub struct Summary {
    /// Its folder.
    pub folder: PathBuf,
    /// True where it was asked to stop.
    pub interrupted: bool,
    /// Epochs that are complete.
    pub epochs: u64,
}

/// The weights a pipeline has, as the engine makes them.
pub fn weight_specs(pipeline: &Pipeline) -> Vec<WeightSpec> {
    let init = |initial| match initial {
        Initial::FanIn(n) => Init::fan_in(n),
        Initial::Constant(x) | Initial::Statistic(x) => Init::Constant(x),
    };
    let spec = |w: &rord_lang::typed::WeightInfo| WeightSpec {
        name: w.name.clone(),
        shape: w.shape.clone(),
        init: init(w.initial),
    };
    pipeline.weights.iter().map(spec).collect()
}

/// Trains a checked pipeline.
pub fn train(pipeline: &Pipeline, vocabulary: &Vocabulary, plan: &Plan, options: &Options) -> Result<Summary, Stop> {
    let mut run = Run::prepare(pipeline, vocabulary, plan, options)?;
    let result = run.epochs(options);
    let status = match &result {
        Ok(true) => Status::Interrupted,
        Ok(false) => Status::Finished,
        Err(_) => Status::Failed,
    };
    run.record.status = status;
    run.record.finished = Some(timestamp(SystemTime::now()));
    let recorded = run.folder.write_record(&run.record);
    let interrupted = result?;
    recorded?;
    Ok(Summary { folder: run.folder.path().to_path_buf(), interrupted, epochs: run.record.epochs_done })
}

/// Everything a run holds.
struct Run<'a> {
    plan: &'a Plan,
    device: Device,
    stepper: Stepper,
    validation: Program,
    data: DataSource,
    folder: RunFolder,
    record: Record,
    metrics: Metrics,
    progress: Progress,
    /// Batches in an epoch.
    steps: u64,
}

impl<'a> Run<'a> {
    fn prepare(
        pipeline: &Pipeline,
        vocabulary: &Vocabulary,
        plan: &'a Plan,
        options: &Options,
    ) -> Result<Run<'a>, Stop> {
        let (stepper, data) = prepare(pipeline, vocabulary, plan, options.init.as_deref(), &options.device)?;
        let hash = graph_hash(stepper.program.graph(), vocabulary);
        let roles = [Role::Objective, Role::Loss, Role::Metric];
        let validation = graph(pipeline, vocabulary, &roles, &data.sizes)?;
        let validation = Program::new(validation, |_| false, DType::F32, &options.device)?;
        let steps = data.batches.steps();
        let root = PathBuf::from("runs");
        let now = SystemTime::now();
        // From here on things are written; whatever could be refused has been.
        let folder = RunFolder::create(options.out.as_deref(), &root, &pipeline.name, now)?;
        folder.write_text(Path::new("pipeline.rord"), &options.source.1)?;
        for (path, text) in &options.imports {
            folder.write_text(path, text)?;
        }
        let mut record = Record {
            rord: env!("CARGO_PKG_VERSION").into(),
            pipeline: pipeline.name.clone(),
            source: options.source.0.clone(),
            graph: hash,
            status: Status::Running,
            started: timestamp(now),
            finished: None,
            device: options.device_name.clone(),
            threads: rayon::current_num_threads(),
            seed: plan.seed,
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
        folder.write_record(&record)?;
        let metrics = Metrics::create(&folder.file("metrics.jsonl"))?;
        let names: Vec<&str> = stepper.program.graph().outputs.iter().map(|o| o.name.as_str()).collect();
        let progress = Progress::new(&names, plan.epochs, steps);
        Ok(Run {
            plan,
            device: options.device.clone(),
            stepper,
            validation,
            data,
            folder,
            record,
            metrics,
            progress,
            steps,
        })
    }

    /// The graph that is trained.
    fn training(&self) -> &Graph {
        self.stepper.program.graph()
    }

    /// All epochs; true where somebody asked to stop.
    fn epochs(&mut self, options: &Options) -> Result<bool, Stop> {
        self.introduce();
        self.progress.doing(0, "making the first step");
        let mut loader = Loader::new(self.data.batches.clone(), Split::Train, 0, 3, 1)?;
        for epoch in 0..self.plan.epochs {
            let begun = Instant::now();
            let mut sums = vec![0.0; self.training().outputs.len()];
            let mut lr = self.stepper.base_lr;
            for step in 0..self.steps {
                if options.stop.load(Ordering::Relaxed) {
                    return self.interrupted(epoch, step);
                }
                let Some(batch) = loader.next().transpose()? else { return Ok(false) };
                let (values, used) = self.step(epoch, step, &batch)?;
                lr = used;
                for (sum, value) in sums.iter_mut().zip(&values) {
                    *sum += value / self.steps as f64;
                }
                self.progress.step(epoch, step, &values);
            }
            self.finish_epoch(epoch, &sums, lr, begun.elapsed())?;
        }
        self.farewell();
        Ok(false)
    }

    fn introduce(&mut self) {
        let count = |n: u64, noun: &str| plural(usize::try_from(n).unwrap_or(usize::MAX), noun);
        let line = format!(
            "{}: {} weights, {}, {} of {} of {} {}, on {} ({})",
            self.record.pipeline,
            grouped(self.stepper.weights.elements()),
            self.data.batches.about(),
            count(self.plan.epochs, "epoch"),
            count(self.steps, "step"),
            self.plan.batch,
            self.data.batches.noun(),
            self.record.device,
            plural(self.record.threads, "thread"),
        );
        self.progress.note(&line);
        self.progress.note(&format!("writing to {}", self.folder.path().display()));
    }

    /// One optimizer step: the values of all outputs, and the learning rate it used.
    fn step(&mut self, epoch: u64, step: u64, batch: &Batch) -> Result<(Vec<f64>, f64), Stop> {
        let global = epoch * self.steps + step;
        let (values, lr, grad_norm) = match self.stepper.step(global, epoch, batch, &mut ())? {
            Stepped::Taken { values, lr, grad_norm } => (values, lr, grad_norm),
            Stepped::NotFinite { what, fields } => return Err(self.not_finite(&what, global, epoch, &fields)),
        };
        let outputs = &self.stepper.program.graph().outputs;
        let named: Vec<(&str, f64)> = outputs.iter().map(|o| o.name.as_str()).zip(values.iter().copied()).collect();
        self.metrics.train(global, epoch, &named, lr, grad_norm)?;
        Ok((values, lr))
    }

    /// Keeps what is needed to look into it, and says where it went wrong.
    fn not_finite(
        &self,
        bad: &NotFinite,
        step: u64,
        epoch: u64,
        fields: &std::collections::HashMap<String, Tensor>,
    ) -> Stop {
        let name = self.training().objective().map_or("objective", |o| o.name.as_str());
        let weights = self.folder.file(&format!("nan-{step}.safetensors"));
        let batch = self.folder.file(&format!("nan-{step}-batch.safetensors"));
        let kept =
            self.stepper.weights.save(&weights).is_ok() && candle_core::safetensors::save(fields, &batch).is_ok();
        let kept = match kept {
            true => format!("the weights are in {}, the batch in {}", weights.display(), batch.display()),
            false => "the weights and the batch could not be written".to_string(),
        };
        let detail = match bad.inputs.is_empty() {
            true => bad.what.clone(),
            false => format!("{}; it was given {}", bad.what, bad.inputs.join(", ")),
        };
        Stop::NotFinite(Box::new(rord_lang::report::runtime::not_finite(bad.span, name, step, epoch, &detail, &kept)))
    }

    /// The mean of every output over the validation pairs; empty where there are none.
    fn validate(&self) -> Result<Vec<(String, f64)>, Stop> {
        let batches = self.data.batches.validation_batches();
        let outputs = &self.validation.graph().outputs;
        let mut sums = vec![0.0; outputs.len()];
        if batches == 0 {
            return Ok(vec![]);
        }
        for (step, batch) in (0u64..).zip(Loader::new(self.data.batches.clone(), Split::Validation, 0, 3, 1)?) {
            let batch = batch?;
            let fields = tensors(&batch, DType::F32, &self.device)?;
            let feed = Feed {
                batch: batch.size,
                fields: &fields,
                weights: self.stepper.weights.tensors(),
                seed: VALIDATION_SEED,
                step,
                training: false,
            };
            for (sum, value) in sums.iter_mut().zip(self.validation.run(&feed, false)?.values) {
                *sum += value / batches as f64;
            }
        }
        Ok(outputs.iter().map(|o| o.name.clone()).zip(sums).collect())
    }

    fn finish_epoch(&mut self, epoch: u64, means: &[f64], lr: f64, took: Duration) -> Result<(), Stop> {
        let begun = Instant::now();
        self.progress.doing(epoch, "validating");
        let validation = self.validate()?;
        self.progress.doing(epoch, "saving");
        let training: Vec<(String, f64)> =
            self.training().outputs.iter().map(|o| o.name.clone()).zip(means.iter().copied()).collect();
        let read = |w: &Watched| {
            let of = if w.validation { &validation } else { &training };
            of.iter().find(|(n, _)| *n == w.name).map(|(_, x)| *x)
        };
        let named: Vec<(&str, f64)> = validation.iter().map(|(n, x)| (n.as_str(), *x)).collect();
        if !named.is_empty() {
            self.metrics.val(epoch, &named)?;
        }
        let (watched, mode) = &self.plan.best;
        let best = read(watched).filter(|x| {
            let so_far = self.record.best.as_ref().map(|b| b.value);
            x.is_finite()
                && so_far.is_none_or(|b| match mode {
                    Mode::Minimize => *x < b,
                    Mode::Maximize => *x > b,
                })
        });
        if let Some(value) = best {
            self.stepper.weights.save(&self.folder.file("best.safetensors"))?;
            let split = if watched.validation { "val" } else { "train" };
            self.record.best = Some(Best { watch: format!("{split}.{}", watched.name), value, epoch });
        }
        if self.plan.keep_last {
            self.stepper.weights.save(&self.folder.file("last.safetensors"))?;
        }
        self.record.epochs_done = epoch + 1;
        self.record.validated(named.iter().copied());
        self.folder.write_record(&self.record)?;
        let objective = self.training().objective().map(|o| o.name.clone()).unwrap_or_default();
        let of = |list: &[(String, f64)]| list.iter().find(|(n, _)| *n == objective).map(|(_, x)| *x);
        let parts: Vec<(&str, f64)> = if named.is_empty() {
            training.iter().filter(|(n, _)| *n != objective).map(|(n, x)| (n.as_str(), *x)).collect()
        } else {
            named.iter().filter(|(n, _)| *n != objective).copied().collect()
        };
        self.progress.epoch(&Epoch {
            epoch,
            train: of(&training).unwrap_or(f64::NAN),
            val: of(&validation),
            parts: &parts,
            lr,
            took: took + begun.elapsed(),
            best: best.is_some(),
        });
        let watched = self.plan.watch.as_ref().and_then(|(w, _)| read(w));
        if let (Some(schedule), Some(value)) = (&mut self.stepper.schedule, watched)
            && let Some(change) = schedule.after_validation(value)
        {
            let note = format!("no progress: learning rate {} → {}", rate(change.from), rate(change.to));
            self.progress.note(&note);
        }
        Ok(())
    }

    fn interrupted(&mut self, epoch: u64, step: u64) -> Result<bool, Stop> {
        let last = self.folder.file("last.safetensors");
        self.stepper.weights.save(&last)?;
        let text = format!("stopped in epoch {} after {step} steps; weights in {}", epoch + 1, last.display());
        self.progress.finish(&text);
        Ok(true)
    }

    fn farewell(&mut self) {
        let best = self.record.best.as_ref().map(|b| {
            format!("best {} = {} in epoch {}, ", b.watch, rord_record::progress::short(b.value), b.epoch + 1)
        });
        let text = format!("{}written to {}", best.unwrap_or_default(), self.folder.path().display());
        self.progress.finish(&text);
    }
}

/// The fingerprint of what is trained: the optimized graph as text.
fn graph_hash(graph: &Graph, vocabulary: &Vocabulary) -> String {
    let text = rord_graph::print::text(graph, vocabulary);
    let hash = blake3::hash(text.as_bytes()).to_hex();
    format!("b3:{}", hash.as_str().get(..8).unwrap_or(""))
}

/// 1234567 as 1,234,567.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
