//! `metrics.jsonl`: every number of a run, one JSON object a line.
//!
//! `{"split":"train","step":17,"epoch":1,"total":1.93,"detection":0.61,"lr":0.001,"grad_norm":3.1}`

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::RecordError;
use super::observer::{Epoch, Finding, Observer, Started, Step};
use rord_files::{Action, FileError};
use rord_lang::constant::of_f32;

/// The file's name in the run's folder.
pub const FILE: &str = "metrics.jsonl";

/// The entries that a line has besides the pipeline's own names.
const RESERVED: [&str; 5] = ["split", "step", "epoch", "lr", "grad_norm"];

/// Writes `metrics.jsonl`. Every line is one write, so that a killed run leaves whole lines.
#[derive(Debug, Default)]
pub struct Metrics(Option<Open>);

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    /// Bytes written.
    length: u64,
}

impl Open {
    /// The file with its first `length` bytes, which later lines follow; a new run keeps none. What was written after a
    /// run was saved goes, because the run will write it again.
    fn at(path: &Path, length: u64) -> Result<Self, RecordError> {
        let failed = FileError::at(Action::Write, path);
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(&failed)?;
        let found = file.metadata().map_err(&failed)?.len();
        if found < length {
            let reason = format!("it has {found} bytes, and the saved run had written {length}");
            return Err(RecordError::Malformed { path: path.into(), reason });
        }
        file.set_len(length).map_err(&failed)?;
        Ok(Self { path: path.into(), file, length })
    }
}

impl Observer for Metrics {
    fn name(&self) -> &'static str {
        FILE
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        self.0 = Some(Open::at(&run.record.folder().file(FILE), run.position.unwrap_or(0))?);
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), RecordError> {
        let mut line = Map::new();
        line.insert("split".into(), "train".into());
        line.insert("step".into(), step.step.into());
        line.insert("epoch".into(), step.epoch.into());
        insert(&mut line, step.values);
        line.insert("lr".into(), number(step.lr));
        line.insert("grad_norm".into(), number(step.grad_norm));
        self.write(line)
    }

    fn epoch(&mut self, epoch: &Epoch<'_>) -> Result<(), RecordError> {
        if epoch.validation.is_empty() {
            return Ok(());
        }
        let mut line = Map::new();
        line.insert("split".into(), "val".into());
        line.insert("epoch".into(), epoch.epoch.into());
        insert(&mut line, epoch.validation);
        self.write(line)
    }

    fn figures(&mut self, epoch: u64, figures: &[(&str, f64)]) -> Result<(), RecordError> {
        if figures.is_empty() {
            return Ok(());
        }
        let mut line = Map::new();
        line.insert("split".into(), "figures".into());
        line.insert("epoch".into(), epoch.into());
        // Every name has a dot, so that none is an entry's.
        insert(&mut line, figures);
        self.write(line)
    }

    fn found(&mut self, finding: &Finding) -> Result<(), RecordError> {
        let mut line = Map::new();
        line.insert("split".into(), "health".into());
        line.insert("epoch".into(), finding.epoch.into());
        line.insert("found".into(), finding.what.into());
        line.insert("of".into(), finding.of.as_str().into());
        line.extend(finding.figures.iter().map(|(name, x)| (name.to_string(), number(*x))));
        line.insert("text".into(), finding.text.as_str().into());
        self.write(line)
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        match &self.0 {
            Some(open) => Ok(open.file.sync_data().map_err(FileError::at(Action::Write, &open.path))?),
            None => Ok(()),
        }
    }

    fn position(&self) -> u64 {
        self.0.as_ref().map_or(0, |open| open.length)
    }
}

impl Metrics {
    fn write(&mut self, line: Map<String, Value>) -> Result<(), RecordError> {
        let Some(open) = &mut self.0 else { return Ok(()) };
        let text = format!("{}\n", Value::Object(line));
        if let Err(error) = open.file.write_all(text.as_bytes()) {
            // A full disk takes part of a line; the lines before it stay whole.
            let _ = open.file.set_len(open.length);
            return Err(FileError::at(Action::Write, &open.path)(error).into());
        }
        open.length += text.len() as u64;
        Ok(())
    }
}

/// Adds the pipeline's numbers. One whose name is an entry's is written as `value.NAME`: no name of a pipeline has a
/// dot, so that two names are always two entries.
fn insert(line: &mut Map<String, Value>, values: &[(&str, f64)]) {
    for (name, value) in values {
        let taken = RESERVED.contains(name);
        line.insert(if taken { format!("value.{name}") } else { name.to_string() }, number(*value));
    }
}

/// A number as JSON can hold it: `null` where it is not finite.
pub(crate) fn number(x: f64) -> Value {
    // A mean of f32 numbers is in f64, and keeps its digits.
    Value::from(if f64::from(x as f32) == x { of_f32(x) } else { x })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const TRAIN: &str = concat!(
        r#"{"split":"train","step":17,"epoch":1,"total":1.93,"detection":0.61,"description":1.32,"#,
        r#""lr":0.001,"grad_norm":3.1}"#
    );

    fn open(path: &Path, length: u64) -> Metrics {
        Metrics(Some(Open::at(path, length).unwrap()))
    }

    fn train(metrics: &mut Metrics, step: u64, epoch: u64, values: &[(&str, f64)], lr: f64, grad_norm: f64) {
        metrics.step(&Step { step, epoch, done: 1, values, lr, grad_norm }).unwrap();
    }

    fn val(metrics: &mut Metrics, epoch: u64, validation: &[(&str, f64)]) {
        let took = Duration::ZERO;
        let ended = Epoch { epoch, objective: "total", train: &[], timed: &[], validation, lr: 0.1, took, best: false };
        metrics.epoch(&ended).unwrap();
    }

    #[test]
    fn lines_look_as_documented_and_are_there_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "old\n").unwrap();
        let mut metrics = open(&path, 0);
        let single = [("total", f64::from(1.93f32)), ("detection", 0.61), ("description", f64::from(1.32f32))];
        train(&mut metrics, 17, 1, &single, 1e-3, f64::from(3.1f32));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{TRAIN}\n"));
        let values = [("total", f64::NAN), ("top1", f64::INFINITY), ("epoch", 0.5), ("loss", 1.0 / 3.0)];
        val(&mut metrics, 1, &values);
        let second =
            r#"{"split":"val","epoch":1,"total":null,"top1":null,"value.epoch":0.5,"loss":0.3333333333333333}"#;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{TRAIN}\n{second}\n"));
        val(&mut metrics, 2, &[]);
        assert_eq!(metrics.position(), std::fs::metadata(&path).unwrap().len());
    }

    #[test]
    fn two_names_are_two_entries() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let names: Vec<String> = RESERVED
            .iter()
            .flat_map(|n| [n.to_string(), format!("{n}_"), format!("_{n}"), format!("value_{n}")])
            .collect();
        let values: Vec<(&str, f64)> = names.iter().zip(1u32..).map(|(n, x)| (n.as_str(), f64::from(x))).collect();
        train(&mut open(&path, 0), 17, 1, &values, 1e-3, 3.0);
        let line: Map<String, Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(line.len(), values.len() + RESERVED.len());
        assert_eq!(
            (line["step"].as_u64(), line["epoch"].as_u64(), line["lr"].as_f64()),
            (Some(17), Some(1), Some(1e-3))
        );
        let found: BTreeSet<u64> = line.values().filter_map(Value::as_f64).map(f64::to_bits).collect();
        assert!(values.iter().all(|(name, x)| found.contains(&x.to_bits()) || panic!("{name} is lost")));
    }

    #[test]
    fn resuming_cuts_off_what_will_be_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = open(&path, 0);
        let write = |metrics: &mut Metrics, epoch: u64| {
            for step in 0..3 {
                train(metrics, epoch * 3 + step, epoch + 1, &[("total", 1.0)], 0.1, 1.0);
            }
            val(metrics, epoch + 1, &[("total", 1.0)]);
        };
        let mut ends = vec![0];
        for epoch in 0..3 {
            write(&mut metrics, epoch);
            ends.push(metrics.position());
        }
        let whole = std::fs::read_to_string(&path).unwrap();
        for torn in ["", r#"{"split":"trai"#, "\n", "[1]\n"] {
            std::fs::write(&path, format!("{whole}{torn}")).unwrap();
            let mut metrics = open(&path, ends[1]);
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
            write(&mut metrics, 1);
            write(&mut metrics, 2);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        }
        // In the middle of an epoch, and at the very end, with a torn line alone to cut.
        std::fs::write(&path, format!("{whole}{{")).unwrap();
        drop(open(&path, ends[3]));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        let fifth: usize = whole.lines().take(5).map(|l| l.len() + 1).sum();
        drop(open(&path, fifth as u64));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 5);
        assert!(Open::at(&folder.path().join("new.jsonl"), 0).is_ok());
        let error = Open::at(&path, ends[3]).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl") && error.contains("bytes"), "{error}");
    }
}
