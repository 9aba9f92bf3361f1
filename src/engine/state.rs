//! Everything that a run goes on from, as one value that can be saved and taken up.
//!
//! Taken up, it goes on to the same bit: tensors keep their type, and numbers are written as text that reads back to
//! the same bit and can hold what is not finite. What the run's text and parameters decide is not in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};

use super::difference::Difference;
use super::early::EarlyStop;
use super::health::Health;
use super::optim::{self, Optimizer};
use super::schedule::{BadState, Mode, Schedule};
use super::stored;
use super::timed::Clock;
use super::weights::Weights;
use rord_files::{FileError, write_atomic};
use rord_lang::typed::{Initial, Pipeline};
use rord_record::Best;

/// The note of a file that holds all numbers.
const NOTE: &str = "rord.state";

/// The version of what a state holds. One that is not this is not read.
const FORMAT: u64 = 1;

/// A run between two steps.
pub struct State {
    /// The weights.
    pub weights: Weights,
    /// The optimizer with its moments.
    pub optimizer: Box<dyn Optimizer>,
    /// The running average of the weights, where there is one: it is validated and saved.
    pub average: Option<Average>,
    /// The learning rates.
    pub schedule: Option<Box<dyn Schedule>>,
    /// What ends the run early.
    pub stop: Option<EarlyStop>,
    /// The best epochs that are kept under names of their own, the best first.
    pub kept: Vec<Kept>,
    /// Epochs that are complete, with their validation.
    pub epochs: u64,
    /// Steps that have been taken in the whole run. The loader goes on with the batch of this number.
    pub steps: u64,
    /// The mean of every output over the epoch at hand, as far as its steps have been taken.
    pub means: Vec<f64>,
    /// The learning rate of the last step.
    pub lr: f64,
    /// The best epoch so far.
    pub best: Option<Best>,
    /// How far each observer has come: its name and its position.
    pub observers: Vec<(String, u64)>,
    /// What has been seen and said of how the run is.
    pub health: Health,
    /// The numbers that change.
    pub timed: Arc<Clock>,
    /// What run it is.
    pub identity: Identity,
}

/// What a state must have in common with the run that goes on from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The hash of the texts and parameters.
    pub text: String,
    /// The hash of the graph that is trained.
    pub graph: String,
    /// Steps of an epoch.
    pub steps: u64,
    /// The data in words.
    pub data: String,
}

impl Identity {
    fn state(&self) -> Value {
        json!({ "text": self.text, "graph": self.graph, "steps": self.steps, "data": self.data })
    }

    /// What a saved one has otherwise, in words.
    fn other(&self, saved: &Value) -> Option<String> {
        let text = |name: &str| saved.get(name).and_then(Value::as_str).unwrap_or_default();
        let steps = saved.get("steps").and_then(Value::as_u64).unwrap_or_default();
        if text("text") != self.text {
            return Some("it is of another text, or of other parameters".into());
        }
        if text("data") != self.data {
            return Some(format!("its data were {}, and now are {}", text("data"), self.data));
        }
        if steps != self.steps {
            return Some(format!("an epoch of it had {steps} steps, and now has {}", self.steps));
        }
        let graph = text("graph") != self.graph;
        graph.then(|| "this version of rord makes another graph of its text".to_string())
    }
}

/// How many steps a saved run had taken; `None` where the file cannot be read as one.
pub fn steps(path: &Path) -> Option<u64> {
    let bytes = rord_files::whole(path).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    let value: Value = serde_json::from_str(header.metadata().as_ref()?.get(NOTE)?).ok()?;
    value.get("steps")?.as_u64()
}

/// A running average of the weights: after each step, `decay` times itself and `1 - decay` times them, as
/// `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn`. After the first step it is the weights themselves. Running
/// statistics are not averaged once more: they are those of the weights.
#[derive(Clone, Debug)]
pub struct Average {
    decay: f64,
    statistics: Vec<bool>,
    weights: Option<Weights>,
}

impl Average {
    /// One that has seen no step.
    pub fn new(decay: f64, pipeline: &Pipeline) -> Self {
        let statistics = pipeline.weights.iter().map(|w| matches!(w.initial, Initial::Statistic(_))).collect();
        Self { decay, statistics, weights: None }
    }

    /// Follows the weights after a step.
    pub fn follow(&mut self, now: &Weights) -> candle_core::Result<()> {
        let Some(average) = &mut self.weights else {
            self.weights = Some(now.clone());
            return Ok(());
        };
        for ((slot, weight), statistic) in average.tensors_mut().iter_mut().zip(now.tensors()).zip(&self.statistics) {
            // As `lerp`: what does not change is not moved by rounding either.
            *slot = match statistic {
                true => weight.clone(),
                false => (&*slot + ((weight - &*slot)? * (1.0 - self.decay))?)?,
            };
        }
        Ok(())
    }
}

/// An epoch whose weights are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The number that it is kept for.
    pub value: f64,
    /// The epoch, from 1.
    pub epoch: u64,
}

/// A saved state that cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not a saved state, or it is cut short.
    #[error("{} is not a saved run: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It is of another run.
    #[error("{} is not of this run: {reason}", path.display())]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// What is other.
        reason: String,
    },
    /// It has other weights.
    #[error("the saved run has other weights: {0}")]
    Weights(Difference),
    /// It is of another optimizer.
    #[error(transparent)]
    Optimizer(#[from] optim::StateError),
    /// It is of another schedule.
    #[error(transparent)]
    Schedule(#[from] BadState),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The numbers of a state.
struct Numbers {
    epochs: u64,
    steps: u64,
    means: Vec<f64>,
    lr: f64,
    best: Option<Best>,
    observers: Vec<(String, u64)>,
    schedule: Value,
    timed: Value,
    kept: Vec<Kept>,
    stop: Value,
}

impl State {
    /// The weights that are validated and saved: their average where there is one.
    pub fn shown(&self) -> &Weights {
        self.average.as_ref().and_then(|a| a.weights.as_ref()).unwrap_or(&self.weights)
    }

    /// Ranks the epoch that has ended among the best; whether it is one of `most`, and the epochs that no more are.
    pub fn rank(&mut self, value: f64, mode: Mode, most: usize) -> (bool, Vec<u64>) {
        // Of two that are as good, the first stays before the other.
        let at = self.kept.iter().position(|k| mode.better(value, k.value)).unwrap_or(self.kept.len());
        self.kept.insert(at, Kept { value, epoch: self.epochs });
        let dropped = self.kept.split_off(most.min(self.kept.len()));
        let own = self.epochs;
        (at < most, dropped.into_iter().map(|k| k.epoch).filter(|epoch| *epoch != own).collect())
    }

    /// Writes the state. Either the whole file appears under `path` or what was there stays.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        Ok(write_atomic(path, &self.to_bytes()?)?)
    }

    /// Takes up the state of a file: all of it, or nothing and an error.
    pub fn load(&mut self, path: &Path) -> Result<(), StateError> {
        let bytes = rord_files::whole(path)?;
        self.take_up(&bytes, path)
    }

    /// All tensors, under the names that a file of the state gives them: `weights/…`, `optimizer/…`, `average/…`.
    pub fn tensors(&self) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut tensors: Vec<(String, Tensor)> =
            self.weights.iter().map(|(name, tensor)| (format!("weights/{name}"), tensor.clone())).collect();
        tensors.extend(self.optimizer.state()?.into_iter().map(|(name, t)| (format!("optimizer/{name}"), t)));
        if let Some(average) = self.average.as_ref().and_then(|a| a.weights.as_ref()) {
            tensors.extend(average.iter().map(|(name, tensor)| (format!("average/{name}"), tensor.clone())));
        }
        Ok(tensors)
    }

    fn to_bytes(&self) -> candle_core::Result<Vec<u8>> {
        let tensors = self.tensors()?;
        let text = |x: f64| Value::from(x.to_string());
        let kept: Vec<Value> = self.kept.iter().map(|k| json!({ "value": text(k.value), "epoch": k.epoch })).collect();
        let best = self.best.as_ref();
        let observers: Map<String, Value> = self.observers.iter().map(|(n, at)| (n.clone(), (*at).into())).collect();
        let numbers = json!({
            "format": FORMAT,
            "hash": hash(&tensors)?,
            "run": self.identity.state(),
            "epochs": self.epochs,
            "steps": self.steps,
            "means": self.means.iter().map(|x| text(*x)).collect::<Vec<_>>(),
            "lr": text(self.lr),
            "best": best.map(|b| json!({ "watch": b.watch, "value": text(b.value), "epoch": b.epoch })),
            "observers": observers,
            "timed": self.timed.state(),
            "schedule": self.schedule.as_ref().map_or(Value::Null, |s| s.state()),
            "kept": kept,
            "health": self.health.state(),
            "stop": self.stop.as_ref().map_or(Value::Null, EarlyStop::state),
        });
        stored::bytes(&tensors, Some(HashMap::from([(NOTE.to_string(), numbers.to_string())])))
    }

    fn take_up(&mut self, bytes: &[u8], path: &Path) -> Result<(), StateError> {
        let malformed = |reason: String| StateError::Malformed { path: path.into(), reason };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| malformed(e.to_string()))?;
        let note = header.metadata().as_ref().and_then(|notes| notes.get(NOTE));
        let note = note.ok_or_else(|| malformed("it holds weights and nothing else".into()))?;
        let value: Value = serde_json::from_str(note).map_err(|e| malformed(e.to_string()))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(malformed(format!("its format is {other}, and this version of rord reads {FORMAT}")));
            }
            None => return Err(malformed("it does not say in which format it is".into())),
        }
        if let Some(reason) = value.get("run").and_then(|saved| self.identity.other(saved)) {
            return Err(StateError::OtherRun { path: path.into(), reason });
        }
        let numbers = numbers(&value).map_err(|entry| malformed(format!("its entry `{entry}` cannot be read")))?;
        if numbers.means.len() != self.means.len() {
            return Err(malformed(format!("it has {} outputs, not {}", numbers.means.len(), self.means.len())));
        }
        let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
        let found: Vec<(String, Tensor)> = tensors.iter().map(|(n, t)| (n.clone(), t.clone())).collect();
        if value.get("hash").and_then(Value::as_str) != Some(hash(&found)?.as_str()) {
            return Err(malformed(
                "its numbers are not those that were written: the disk or a copy has changed them".into(),
            ));
        }
        let part = |prefix: &str| -> Vec<(String, Tensor)> {
            let mut part: Vec<(String, Tensor)> =
                tensors.iter().filter_map(|(n, t)| Some((n.strip_prefix(prefix)?.to_string(), t.clone()))).collect();
            part.sort_by(|(a, _), (b, _)| a.cmp(b));
            part
        };
        let weights = same_weights(&self.weights, &part("weights/"))?;
        let averaged = part("average/");
        let average = match (&self.average, averaged.is_empty()) {
            (Some(_), false) => Some(same_weights(&self.weights, &averaged)?),
            (None, false) => return Err(malformed("it has an average of the weights, and this run has none".into())),
            (Some(_), true) if numbers.steps > 0 => {
                return Err(malformed("it has no average of the weights, and this run has one".into()));
            }
            (_, true) => None,
        };
        let mut stop = self.stop.clone();
        match &mut stop {
            Some(stop) => stop.load(&numbers.stop)?,
            None if numbers.stop.is_null() => {}
            None => return Err(BadState { field: Some("stop") }.into()),
        }
        // The numbers that change first: they can be put back where the rest is refused.
        let before = self.timed.state();
        self.timed.load(&numbers.timed)?;
        if let Err(error) = self.go_on(&numbers.schedule, &part("optimizer/")) {
            self.timed.load(&before)?;
            return Err(error);
        }
        for (slot, tensor) in self.weights.tensors_mut().iter_mut().zip(weights) {
            *slot = tensor;
        }
        if let Some(own) = &mut self.average {
            own.weights = average.map(|tensors| {
                let mut weights = self.weights.clone();
                weights.tensors_mut().iter_mut().zip(tensors).for_each(|(slot, tensor)| *slot = tensor);
                weights
            });
        }
        self.stop = stop;
        self.health.load(value.get("health"));
        let Numbers { epochs, steps, means, lr, best, observers, kept, schedule: _, stop: _, timed: _ } = numbers;
        self.kept = kept;
        (self.epochs, self.steps, self.means, self.lr, self.best) = (epochs, steps, means, lr, best);
        self.observers = observers;
        Ok(())
    }
}

impl State {
    /// Takes up the schedule and the optimizer: both, or none.
    fn go_on(&mut self, schedule: &Value, optimizer: &[(String, Tensor)]) -> Result<(), StateError> {
        // The schedule first: it can be put back where the optimizer refuses.
        let before = self.schedule.as_ref().map(|s| s.state());
        match &mut self.schedule {
            Some(there) => there.load(schedule)?,
            None if schedule.is_null() => {}
            None => return Err(BadState { field: None }.into()),
        }
        if let Err(error) = self.optimizer.load(optimizer) {
            if let (Some(there), Some(before)) = (&mut self.schedule, before) {
                there.load(&before)?;
            }
            return Err(error.into());
        }
        Ok(())
    }
}

/// The tensors of a file for these weights: the same names, shapes and types.
fn same_weights(weights: &Weights, found: &[(String, Tensor)]) -> Result<Vec<Tensor>, StateError> {
    let expected: Vec<(&str, &[usize])> = weights.iter().map(|(n, t)| (n, t.dims())).collect();
    let there: Vec<(&str, &[usize])> = found.iter().map(|(n, t)| (n.as_str(), t.dims())).collect();
    let mut difference = Difference::between(&expected, &there);
    let by_name: HashMap<&str, &Tensor> = found.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let mut tensors = Vec::with_capacity(weights.len());
    for (name, weight) in weights.iter() {
        let Some(tensor) = by_name.get(name) else { continue };
        if tensor.dtype() != weight.dtype() {
            difference.types.push((name.to_string(), tensor.dtype().as_str().to_uppercase()));
        }
        tensors.push(tensor.to_device(weight.device())?);
    }
    if difference.is_empty() { Ok(tensors) } else { Err(StateError::Weights(difference)) }
}

/// The hash of named tensors, in whatever order they come.
fn hash(tensors: &[(String, Tensor)]) -> candle_core::Result<String> {
    let mut sorted: Vec<&(String, Tensor)> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hash = blake3::Hasher::new();
    for (name, tensor) in sorted {
        hash.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hash.update(&safetensors::View::data(&tensor.contiguous()?));
    }
    Ok(rord_record::fingerprint(&hash.finalize(), 32))
}

/// Reads what [`State::to_bytes`] wrote; the error is the entry that is absent or unreadable.
fn numbers(value: &Value) -> Result<Numbers, &'static str> {
    let count = |name: &'static str| value.get(name).and_then(Value::as_u64).ok_or(name);
    let real = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let entry = |name: &'static str| value.get(name).ok_or(name);
    let best = match entry("best")? {
        Value::Null => None,
        best => Some(Best {
            watch: best.get("watch").and_then(Value::as_str).ok_or("best")?.to_string(),
            value: best.get("value").and_then(real).ok_or("best")?,
            epoch: best.get("epoch").and_then(Value::as_u64).ok_or("best")?,
        }),
    };
    let means = entry("means")?.as_array().ok_or("means")?;
    let observers = entry("observers")?.as_object().ok_or("observers")?;
    Ok(Numbers {
        epochs: count("epochs")?,
        steps: count("steps")?,
        means: means.iter().map(real).collect::<Option<_>>().ok_or("means")?,
        lr: real(entry("lr")?).ok_or("lr")?,
        best,
        observers: observers
            .iter()
            .map(|(n, at)| Some((n.clone(), at.as_u64()?)))
            .collect::<Option<_>>()
            .ok_or("observers")?,
        schedule: entry("schedule")?.clone(),
        timed: entry("timed")?.clone(),
        kept: entry("kept")?
            .as_array()
            .and_then(|all| {
                let one =
                    |k: &Value| Some(Kept { value: k.get("value").and_then(real)?, epoch: k.get("epoch")?.as_u64()? });
                all.iter().map(one).collect()
            })
            .ok_or("kept")?,
        stop: entry("stop")?.clone(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
