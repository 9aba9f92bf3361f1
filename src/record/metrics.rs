//! `metrics.jsonl`: every number of a run, one JSON object a line.
//!
//! `{"split":"train","step":17,"epoch":0,"total":1.93,"detection":0.61,"lr":0.001,"grad_norm":3.1}`

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde_json::{Map, Value};

/// An open `metrics.jsonl`. Every line is one write, so a killed run leaves whole lines.
#[derive(Debug)]
pub struct Metrics {
    file: File,
}

/// The entries a line has besides the pipeline's own names; a loss of such a name is written with `_` after it.
const RESERVED: [&str; 5] = ["split", "step", "epoch", "lr", "grad_norm"];

impl Metrics {
    /// Starts the file; one that is there is emptied.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create(path)?;
        Ok(Self { file: OpenOptions::new().append(true).open(path)? })
    }

    /// Goes on with the file of a run that is resumed at `step` in `epoch`: lines of steps and validations that will be
    /// made again are cut off, and with them a line that was not completed.
    pub fn resume(path: &Path, step: u64, epoch: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut reader = BufReader::new(&file);
        let (mut kept, mut line) = (0u64, Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") || !is_before(&line, step, epoch) {
                break;
            }
            kept += read as u64;
        }
        file.set_len(kept)?;
        Ok(Self { file })
    }

    /// Writes the numbers of a training step; the first of `values` is the objective.
    pub fn train(&mut self, step: u64, epoch: u64, values: &[(&str, f64)], lr: f64, grad_norm: f64) -> io::Result<()> {
        let mut line = Map::new();
        line.insert("split".into(), "train".into());
        line.insert("step".into(), step.into());
        line.insert("epoch".into(), epoch.into());
        insert(&mut line, values);
        line.insert("lr".into(), number(lr));
        line.insert("grad_norm".into(), number(grad_norm));
        self.write(line)
    }

    /// Writes the numbers of a validation: the objective, every loss and every metric.
    pub fn val(&mut self, epoch: u64, values: &[(&str, f64)]) -> io::Result<()> {
        let mut line = Map::new();
        line.insert("split".into(), "val".into());
        line.insert("epoch".into(), epoch.into());
        insert(&mut line, values);
        self.write(line)
    }

    fn write(&mut self, line: Map<String, Value>) -> io::Result<()> {
        self.file.write_all(format!("{}\n", Value::Object(line)).as_bytes())
    }
}

fn insert(line: &mut Map<String, Value>, values: &[(&str, f64)]) {
    for (name, value) in values {
        let taken = RESERVED.contains(name);
        line.insert(if taken { format!("{name}_") } else { name.to_string() }, number(*value));
    }
}

/// A number as JSON can hold it: `null` where it is not finite.
fn number(x: f64) -> Value {
    Value::from(shortest(x))
}

/// `1.93` for the f32 nearest to that, which is 1.9299999475479126 as an f64; any other number is itself.
pub(crate) fn shortest(x: f64) -> f64 {
    let single = x as f32;
    if f64::from(single) == x { single.to_string().parse().unwrap_or(x) } else { x }
}

/// True for a line that the resumed run will not write again.
fn is_before(line: &[u8], step: u64, epoch: u64) -> bool {
    let Ok(line) = serde_json::from_slice::<Value>(line) else { return false };
    let count = |name: &str| line.get(name).and_then(Value::as_u64);
    match line.get("split").and_then(Value::as_str) {
        Some("train") => count("step").is_some_and(|at| at < step),
        Some("val") => count("epoch").is_some_and(|at| at < epoch),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const TRAIN: &str = r#"{"split":"train","step":17,"epoch":0,"total":1.93,"detection":0.61,"description":1.32,"lr":0.001,"grad_norm":3.1}"#;

    #[test]
    fn lines_look_as_documented_and_are_there_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "old\n").unwrap();
        let mut metrics = Metrics::create(&path).unwrap();
        let single = [("total", f64::from(1.93f32)), ("detection", 0.61), ("description", f64::from(1.32f32))];
        metrics.train(17, 0, &single, 1e-3, f64::from(3.1f32)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{TRAIN}\n"));
        metrics.val(0, &[("total", f64::NAN), ("top1", f64::INFINITY), ("epoch", 0.5), ("loss", 1.0 / 3.0)]).unwrap();
        let second = r#"{"split":"val","epoch":0,"total":null,"top1":null,"epoch_":0.5,"loss":0.3333333333333333}"#;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{TRAIN}\n{second}\n"));
    }

    #[test]
    fn resuming_cuts_off_what_will_be_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        let write = |metrics: &mut Metrics, epoch: u64| {
            for step in 0..3 {
                metrics.train(epoch * 3 + step, epoch, &[("total", 1.0)], 0.1, 1.0).unwrap();
            }
            metrics.val(epoch, &[("total", 1.0)]).unwrap();
        };
        (0..3).for_each(|epoch| write(&mut metrics, epoch));
        let whole = std::fs::read_to_string(&path).unwrap();
        for torn in ["", r#"{"split":"trai"#, "\n", "[1]\n"] {
            std::fs::write(&path, format!("{whole}{torn}")).unwrap();
            let mut metrics = Metrics::resume(&path, 3, 1).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
            write(&mut metrics, 1);
            write(&mut metrics, 2);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        }
        // In the middle of an epoch, and at the very end, with a torn line alone to cut.
        std::fs::write(&path, format!("{whole}{{")).unwrap();
        drop(Metrics::resume(&path, 9, 3).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        drop(Metrics::resume(&path, 4, 1).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 5);
        assert!(Metrics::resume(&folder.path().join("new.jsonl"), 0, 0).is_ok());
    }
}
