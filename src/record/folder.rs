//! A run's folder and its record: `runs/2026-11-23-125216-rord/run.yaml`.
//!
//! The record holds what was run (text, graph, parameters and where each came from), on what, and how far it got. It is
//! written anew at every change, always as a whole: a killed run leaves the last complete record.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use serde_yaml::{Mapping, Value};

use super::lock::LOCK;
use super::{DataFiles, Machine, MemoryUse, StepTimes};
use rord_files::{Action, FileError, is_temporary, read, write_atomic};
use rord_lang::constant::{Constant, of_f32};

/// The most bytes of a record that are read; it has a few kilobytes.
const MOST_BYTES: u64 = 4 << 20;

/// What to do about a folder that is taken: whatever is in it stays.
pub const OTHER_FOLDER: &str = "name another folder with --out; this one stays as it is";

/// The record of a run.
pub const RECORD: &str = "run.yaml";
/// The text that is run.
pub const PIPELINE: &str = "pipeline.rord";
/// Every parameter of the run, as `--params` takes them.
pub const PARAMS: &str = "params.yaml";

/// The files of the run's data with their hashes, as `b3sum` writes and checks them.
pub const DATA: &str = "data.b3";

/// The version of what a run's folder holds. One that is later is not read.
pub const FORMAT: u32 = 1;

/// A folder that holds one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
    id: String,
}

/// Why a run's folder could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder that was asked for already holds something.
    #[error("{} is not empty: it holds `{first}`", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// The first of its entries, in alphabetical order.
        first: String,
    },
    /// Another process writes to the folder.
    #[error("{} is in use by {by}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, in words.
        by: String,
    },
    /// The path that was asked for is a file.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The system refused to make a folder, or to read or write a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The run is of a later version.
    #[error("{} is of rord {rord}, which is later than this version, {}", path.display(), env!("CARGO_PKG_VERSION"))]
    Newer {
        /// The run's record.
        path: PathBuf,
        /// The version.
        rord: String,
    },
    /// A file of the run is not what it should be.
    #[error("{} is not a file of a run: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the place.
        reason: String,
    },
}

impl RunFolder {
    /// Makes the folder of a new run: `out`, which must be empty or absent, or else a new `root/<date>-<time>-<name>`.
    ///
    /// The date is UTC; a second run of the same second gets `-2`. What is not a letter, a digit or `_` in the
    /// pipeline's name becomes `-`.
    pub fn create(out: Option<&Path>, root: &Path, pipeline: &str, now: SystemTime) -> Result<Self, RecordError> {
        let made = |path: &Path| FileError::at(Action::MakeFolder, path);
        if let Some(out) = out {
            Self::free(out)?;
            std::fs::create_dir_all(out).map_err(made(out))?;
            return Ok(Self::open(out));
        }
        std::fs::create_dir_all(root).map_err(made(root))?;
        let base = format!("{}-{}", stamp(now, "-", "-", ""), readable(pipeline));
        let mut path = root.join(&base);
        for suffix in 2u64.. {
            // Making the folder is the test: two runs that start together cannot both succeed.
            match std::fs::create_dir(&path) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = root.join(format!("{base}-{suffix}"))
                }
                Err(error) => return Err(made(&path)(error).into()),
            }
        }
        Ok(Self::open(&path))
    }

    /// Whether a new run may be written to a folder: it is empty or absent.
    pub fn free(out: &Path) -> Result<(), RecordError> {
        if !out.exists() {
            return Ok(());
        }
        if !out.is_dir() {
            return Err(RecordError::NotAFolder { path: out.into() });
        }
        let listed = FileError::at(Action::List, out);
        let entries: Result<Vec<_>, _> = std::fs::read_dir(out).map_err(&listed)?.collect();
        let names = entries.map_err(&listed)?.into_iter().map(|e| e.file_name().to_string_lossy().into_owned());
        match names.filter(|name| !is_left(name)).min() {
            Some(first) => Err(RecordError::NotEmpty { path: out.into(), first }),
            None => Ok(()),
        }
    }

    /// The folder of a run that is already there. Nothing is read or checked.
    pub fn open(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { path: path.into(), id: name.unwrap_or_else(|| path.display().to_string()) }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name: that of its folder.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A file of the run: `last.safetensors`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes what writers left that were killed. Only who has the folder's lock may do this.
    pub fn sweep(&self) {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_temporary)) {
            // One that cannot be removed is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }

    /// Writes a text that repeats the run: `pipeline.rord`, what it imports, `params.yaml`. `name` is its path in the folder.
    pub fn write_text(&self, name: &Path, text: &str) -> Result<(), RecordError> {
        let path = self.path.join(name);
        let folder = path.parent().unwrap_or(&self.path);
        std::fs::create_dir_all(folder).map_err(FileError::at(Action::MakeFolder, folder))?;
        Ok(write_atomic(&path, text.as_bytes())?)
    }

    /// Writes `run.yaml`.
    pub fn write_record(&self, record: &Record) -> Result<(), RecordError> {
        let path = self.file(RECORD);
        let malformed =
            |reason: serde_yaml::Error| RecordError::Malformed { path: path.clone(), reason: reason.to_string() };
        let text = record.to_yaml().map_err(malformed)?;
        Ok(write_atomic(&path, text.as_bytes())?)
    }

    /// Reads `run.yaml`.
    pub fn read_record(&self) -> Result<Record, RecordError> {
        let path = self.file(RECORD);
        let bytes = read(&path, MOST_BYTES)?;
        // First of all which version it is of: a later one may have entries of another kind.
        let of: Option<Written> = serde_yaml::from_slice(&bytes).ok();
        if let Some(of) = of.filter(Written::is_later) {
            return Err(RecordError::Newer { path, rord: of.rord });
        }
        serde_yaml::from_slice(&bytes).map_err(|error| RecordError::Malformed { path, reason: error.to_string() })
    }
}

/// Which version wrote a record.
#[derive(Deserialize)]
struct Written {
    rord: String,
    #[serde(default)]
    format: u32,
}

impl Written {
    /// True where it is later than this one.
    fn is_later(&self) -> bool {
        self.format > FORMAT || version(&self.rord) > version(env!("CARGO_PKG_VERSION"))
    }
}

/// The numbers of a version, as far as it has any.
fn version(text: &str) -> Vec<u64> {
    text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// True for a file that nobody misses: the lock's, and what a killed writer left.
fn is_left(name: &str) -> bool {
    name == LOCK || is_temporary(name)
}

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
    /// When it started, in UTC: `2026-11-23T12:52:16Z` (see [`timestamp`]).
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

/// A moment in UTC: `2026-11-23T12:52:16Z`.
pub fn timestamp(at: SystemTime) -> String {
    format!("{}Z", stamp(at, "-", "T", ":"))
}

/// Date and time in UTC with these marks within the date, between date and time, and within the time.
fn stamp(at: SystemTime, date: &str, between: &str, time: &str) -> String {
    let seconds = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs() as i64,
        Err(before) => -(before.duration().as_secs_f64().ceil() as i64),
    };
    let (y, m, d) = civil_from_days(seconds.div_euclid(86_400));
    let s = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (s / 3600, s / 60 % 60, s % 60);
    format!("{y:04}{date}{m:02}{date}{d:02}{between}{hour:02}{time}{minute:02}{time}{second:02}")
}

/// Year, month and day, `days` after 1970-01-01, in the Gregorian calendar. Counts years from March, so the leap day is
/// a year's last (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// A pipeline's name as a part of a folder's name: at most 40 characters that every system takes.
pub fn readable(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().take(40).map(kept).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "run".into() } else { name.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
pub(crate) mod tests {
    use super::*;
    use rord_lang::constant::{Recipe, Settings, Unit};
    use std::time::Duration;

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

    #[test]
    fn a_record_reads_back_and_a_broken_one_is_an_error_with_its_place() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(None, root.path(), "rord", at(0)).unwrap();
        assert!(matches!(folder.read_record(), Err(RecordError::File(_))));
        let written = Record { validation: Mapping::new(), ..record() };
        folder.write_record(&record()).unwrap();
        folder.write_record(&written).unwrap();
        assert_eq!(folder.read_record().unwrap(), written);
        folder.write_text(Path::new("pipeline.rord"), "rord 1\n").unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["pipeline.rord", "run.yaml"]);
        std::fs::write(folder.file("run.yaml"), "rord: 0.1.0\nstatus: asleep\n").unwrap();
        let Err(RecordError::Malformed { reason, .. }) = folder.read_record() else { panic!("read") };
        assert!(reason.contains("line 2"), "{reason}");
    }

    #[test]
    fn a_record_of_a_later_version_is_refused_whatever_it_holds() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(None, root.path(), "rord", at(0)).unwrap();
        let (own, later) = (env!("CARGO_PKG_VERSION"), FORMAT + 1);
        for text in [format!("rord: {own}\nformat: {later}\n"), "rord: 99.0.0\nstatus: asleep\n".to_string()] {
            std::fs::write(folder.file(RECORD), text).unwrap();
            assert!(matches!(folder.read_record(), Err(RecordError::Newer { .. })));
        }
        for (text, newer) in [("0.0.9", false), (own, false), ("0.1.0-rc.1", false), ("0.1.1", true), ("0.10", true)] {
            assert_eq!(version(text) > version(own), newer, "{text}");
        }
    }

    #[test]
    fn folders_are_named_by_date_and_pipeline_and_never_shared() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("deep/runs");
        let names: Vec<String> = ["rord", "rord", "rord", "../etc/Größe 2", ""]
            .iter()
            .map(|name| RunFolder::create(None, &runs, name, at(1_795_438_336)).unwrap().id().to_string())
            .collect();
        let date = "2026-11-23-125216";
        let expected = ["rord", "rord-2", "rord-3", "etc-Gr--e-2", "run"].map(|name| format!("{date}-{name}"));
        assert_eq!(names, expected);
        assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 5);
    }

    #[test]
    fn a_folder_that_was_asked_for_must_be_empty() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("a/b");
        let create = || RunFolder::create(Some(&out), Path::new("runs"), "rord", at(0));
        assert_eq!(create().unwrap().path(), out);
        assert_eq!(create().unwrap().id(), "b");
        std::fs::write(out.join("run.yaml"), "").unwrap();
        assert!(matches!(create(), Err(RecordError::NotEmpty { first, .. }) if first == "run.yaml"));
        let file = out.join("run.yaml");
        let refused = RunFolder::create(Some(&file), Path::new("runs"), "rord", at(0));
        assert!(matches!(refused, Err(RecordError::NotAFolder { .. })));
    }

    #[test]
    fn dates_follow_the_calendar() {
        let date = |seconds: u64| timestamp(at(seconds));
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(date(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), "1969-12-31T23:59:59Z");
    }
}
