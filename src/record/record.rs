//! The record of a run, as `run.yaml` has it: what was run (text, graph, parameters and where each came from), on what, and how far it got.

use serde::{Deserialize, Serialize, Serializer};
use serde_yaml::{Mapping, Value};

use super::folder::FORMAT;
use super::{DataFiles, Exchange, Machine, MemoryUse, StepTimes};
use rord_lang::constant::{Constant, of_f32};

/// The entries of `run.yaml`, in its order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of rord.
    pub rord: String,
    /// The version of what the folder holds, [`FORMAT`]; 0 in records of versions before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub format: u32,
    /// The pipeline's name.
    pub pipeline: String,
    /// The file it came from, as it was given.
    pub source: String,
    /// The command that began it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The hash of its graph: `b3:9d41c07e`.
    pub graph: String,
    /// The hash of its texts and parameters: `b3:0c5d1f22a0b7e319`. Empty in records of versions before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The hash of each of its texts, by its place in the folder.
    #[serde(default, skip_serializing_if = "Mapping::is_empty")]
    pub texts: Mapping,
    /// The files of its data; of what is drawn from a seed there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataFiles>,
    /// Whether the run goes on, and if not, how it ended.
    pub status: Status,
    /// When it started, in UTC: `2026-11-23T12:52:16Z` (see [`super::timestamp`]).
    pub started: String,
    /// When it was taken up again, and after which step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<Resumed>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// The machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Where it runs: `cpu`, `cuda:0`.
    pub device: String,
    /// The instructions that the CPU's kernels use, as `RORD_SIMD` names them: between two sets the last bits differ.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// Threads on the CPU.
    pub threads: usize,
    /// Processes that share the run, each with so many threads.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub processes: usize,
    /// What they say to each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
    /// The memory that was foretold, and that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryUse>,
    /// Seconds that each epoch took, with its validation; of one that was interrupted, what was made of it since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epoch_seconds: Vec<f64>,
    /// What a training step took, by operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepTimes>,
    /// The seed of all random streams.
    pub seed: u64,
    /// The weights it began with, if it was given any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<InitWeights>,
    /// What parts began with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<BegunPart>,
    /// Every parameter's value.
    pub params: Mapping,
    /// Where each value came from: `default`, `preset smoke`, `my.yaml`, `--set`.
    pub origins: Mapping,
    /// Epochs that are complete.
    pub epochs_done: u64,
    /// The best validation so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// The best epochs, the best first, where more than one is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<KeptWeights>,
    /// Why the run ended before its last epoch, where it was asked to watch for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The report of what ended it, where that was an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The numbers of the last validation, as they are reported.
    #[serde(default, skip_serializing_if = "Mapping::is_empty")]
    pub validation: Mapping,
}

/// Whether a run goes on, and if not, how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It goes on, or it was killed before it could write how it ended.
    Running,
    /// It came to its end.
    Finished,
    /// A user stopped it.
    Interrupted,
    /// An error ended it.
    Failed,
}

/// A run that was taken up again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// When, in UTC.
    pub at: String,
    /// The steps that it had taken.
    pub step: u64,
}

/// Weights that a run began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitWeights {
    /// Their file, as it was given.
    pub file: String,
    /// The hash of its content: `b3:0c5d1f22a0b7e319`.
    pub hash: String,
}

/// What the weights of a part began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BegunPart {
    /// The part: `net.trunk`.
    pub part: String,
    /// The file, as the pipeline names it.
    pub file: String,
    /// The hash of its content.
    pub hash: String,
    /// What names in the file begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<String>,
    /// How tensors were found: `by name`, `in order`.
    pub matched: String,
    /// Each weight that took a tensor, with the tensor's name.
    pub took: Mapping,
    /// Tensors that no weight took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Weights of the part that were drawn at random.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub random: Vec<String>,
}

/// Weights of an epoch that are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptWeights {
    /// Their file.
    pub file: String,
    /// The number they are kept for.
    #[serde(serialize_with = "as_short")]
    pub value: f64,
    /// The epoch, from 1.
    pub epoch: u64,
}

/// The best validation of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// What is watched: `val.total`.
    pub watch: String,
    /// Its value.
    #[serde(serialize_with = "as_short")]
    pub value: f64,
    /// The epoch it belongs to, from 1.
    pub epoch: u64,
}

impl Record {
    /// Adds a parameter's value and where it came from.
    pub fn param(&mut self, name: &str, value: &Constant, origin: &str) {
        self.params.insert(name.into(), yaml(value));
        self.origins.insert(name.into(), origin.into());
    }

    /// Replaces the numbers of the last validation.
    pub fn validated<'a>(&mut self, numbers: impl IntoIterator<Item = (&'a str, f64)>) {
        self.validation = numbers.into_iter().map(|(name, x)| (name.into(), of_f32(x).into())).collect();
    }

    /// The text of `run.yaml`.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        serde_yaml::to_string(self)
    }
}

fn is_zero(format: &u32) -> bool {
    *format == 0
}

fn as_short<S: Serializer>(x: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(of_f32(*x))
}

/// A constant as a parameter file would give it: numbers, flags and lists of YAML; anything with a unit, and recipes,
/// as text.
pub fn yaml(constant: &Constant) -> Value {
    match constant {
        Constant::None => Value::Null,
        Constant::Number(x) if x.fract() == 0.0 && x.abs() <= 9e15 => Value::from(*x as i64),
        Constant::Number(x) => Value::from(*x),
        Constant::Flag(flag) => Value::from(*flag),
        Constant::Text(text) | Constant::Word(text) => Value::from(text.as_str()),
        Constant::List(items) => Value::Sequence(items.iter().map(yaml).collect()),
        other => Value::from(other.to_string()),
    }
}

/// Which version wrote a record.
#[derive(Deserialize)]
pub(super) struct Written {
    pub rord: String,
    #[serde(default)]
    format: u32,
}

impl Written {
    /// True where it is later than this one.
    pub fn is_later(&self) -> bool {
        self.format > FORMAT || version(&self.rord) > version(env!("CARGO_PKG_VERSION"))
    }
}

/// The numbers of a version, as far as it has any.
pub(super) fn version(text: &str) -> Vec<u64> {
    text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
pub(crate) mod tests {
    use super::super::timestamp;
    use super::*;
    use rord_lang::constant::{Recipe, Settings, Unit};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    pub(crate) fn record() -> Record {
        let mut record = Record {
            rord: "0.1.0".into(),
            pipeline: "rord".into(),
            source: "pipelines/default.rord".into(),
            format: 0,
            command: String::new(),
            graph: "b3:9d41c07e".into(),
            text: String::new(),
            texts: Mapping::new(),
            data: Vec::new(),
            status: Status::Interrupted,
            started: timestamp(at(1_795_438_336)),
            finished: Some(timestamp(at(1_795_438_336 + 3600))),
            resumed: Vec::new(),
            instructions: String::new(),
            machine: None,
            device: "cpu".into(),
            threads: 2,
            processes: 1,
            exchange: None,
            memory: None,
            seed: 0,
            init: None,
            parts: Vec::new(),
            params: Mapping::new(),
            origins: Mapping::new(),
            epoch_seconds: Vec::new(),
            step: None,
            epochs_done: 3,
            best: Some(Best { watch: "val.total".into(), value: 1.391, epoch: 3 }),
            kept: Vec::new(),
            stopped: None,
            error: None,
            validation: Mapping::new(),
        };
        let synth = Settings(vec![("tiles".into(), Constant::Number(24.0))]);
        record.param("layouts", &Constant::Recipe(Recipe { op: "synth".into(), settings: synth }), "default");
        record.param("patch", &Constant::Quantity(128.0, Unit::Px), "preset smoke");
        record.param("batch", &Constant::Number(8.0), "default");
        record.param("lr", &Constant::Number(3e-4), "--set");
        record.param("name", &Constant::Text("8".into()), "my.yaml");
        record.validated([("total", 1.4), ("detection", 0.41), ("top1", f64::NAN)]);
        record
    }

    #[test]
    fn the_record_is_written_for_people() {
        let expected = "\
rord: 0.1.0
pipeline: rord
source: pipelines/default.rord
graph: b3:9d41c07e
status: interrupted
started: 2026-11-23T12:52:16Z
finished: 2026-11-23T13:52:16Z
device: cpu
threads: 2
seed: 0
params:
  layouts: synth(tiles = 24)
  patch: 128px
  batch: 8
  lr: 0.0003
  name: '8'
origins:
  layouts: default
  patch: preset smoke
  batch: default
  lr: --set
  name: my.yaml
epochs_done: 3
best:
  watch: val.total
  value: 1.391
  epoch: 3
validation:
  total: 1.4
  detection: 0.41
  top1: .nan
";
        assert_eq!(record().to_yaml().unwrap(), expected);
        let young = Record { finished: None, best: None, validation: Mapping::new(), ..record() };
        let text = young.to_yaml().unwrap();
        assert!(!text.contains("finished") && !text.contains("best") && !text.contains("validation"), "{text}");
    }

    #[test]
    fn numbers_have_the_digits_that_f32_needs() {
        for (x, text) in [
            (0.8639999985694885, "0.864"),
            (f64::from(1.6863375f32), "1.6863375"),
            (1.0 / 3.0, "0.33333334"),
            (1e-50, "1e-50"),
            (1e300, "1e300"),
            (0.0, "0.0"),
            (-2.5, "-2.5"),
        ] {
            let mut young = Record { best: Some(Best { watch: "val.total".into(), value: x, epoch: 1 }), ..record() };
            young.validated([("total", x)]);
            let written = young.to_yaml().unwrap();
            let lines = [format!("\n  value: {text}\n"), format!("\n  total: {text}\n")];
            assert!(lines.iter().all(|line| written.contains(line)), "{x}: {written}");
        }
    }
}
