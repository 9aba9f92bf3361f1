//! A run for other programs: `--progress json` writes one JSON object a line to standard output as things happen.
//!
//! `{"event":"step","step":17,"epoch":1,"done":18,"values":{"total":1.93},"lr":0.001,"grad_norm":3.1,"seconds":4.2}`

use std::io::Write;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::metrics::number;
use super::observer::{Epoch, Finding, Finished, Observer, Started, Step};
use super::{RecordError, Status};

/// Writes the events of a run. Nothing here can fail a run: a closed pipe is ignored.
pub struct Events {
    out: Box<dyn Write + Send>,
    begun: Instant,
    /// Which of several runs this is.
    run: Option<String>,
}

impl Events {
    /// To standard output.
    pub fn stdout() -> Self {
        Self::onto(Box::new(std::io::stdout()))
    }

    fn onto(out: Box<dyn Write + Send>) -> Self {
        Self { out, begun: Instant::now(), run: None }
    }

    /// For one run of several: `run` says which, in every line.
    pub fn of(self, run: &str) -> Self {
        Self { run: Some(run.into()), ..self }
    }

    /// Writes an object, whose first entry is the event's name.
    fn say(&mut self, event: &str, entries: Value) {
        let mut line = Map::new();
        line.insert("event".into(), event.into());
        if let Some(run) = &self.run {
            line.insert("run".into(), run.as_str().into());
        }
        if let Value::Object(entries) = entries {
            line.extend(entries);
        }
        // A line is one write, so that a reader has it whole.
        let _ = self.out.write_all(format!("{}\n", Value::Object(line)).as_bytes()).and_then(|()| self.out.flush());
    }

    /// Seconds since the run began, to the millisecond.
    fn seconds(&self) -> f64 {
        (self.begun.elapsed().as_secs_f64() * 1e3).round() / 1e3
    }
}

/// Numbers by name.
fn named(values: &[(&str, f64)]) -> Value {
    values.iter().map(|(name, x)| (name.to_string(), number(*x))).collect::<Map<_, _>>().into()
}

impl Observer for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn busy(&mut self, what: &str) {
        self.say("busy", json!({ "what": what }));
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        let record = run.record.get();
        self.begun = Instant::now();
        self.say(
            "started",
            json!({
                "folder": run.record.path(), "pipeline": record.pipeline, "epochs": run.epochs, "steps": run.steps,
                "epochs_done": record.epochs_done, "batch": run.batch, "weights": run.weights, "data": run.data,
                "device": record.device, "threads": record.threads,
            }),
        );
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), RecordError> {
        let seconds = self.seconds();
        self.say(
            "step",
            json!({
                "step": step.step, "epoch": step.epoch, "done": step.done, "values": named(step.values),
                "lr": number(step.lr), "grad_norm": number(step.grad_norm), "seconds": seconds,
            }),
        );
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch<'_>) -> Result<(), RecordError> {
        let took = (epoch.took.as_secs_f64() * 1e3).round() / 1e3;
        self.say(
            "epoch",
            json!({
                "epoch": epoch.epoch, "train": named(epoch.train), "val": named(epoch.validation),
                "timed": named(epoch.timed), "lr": number(epoch.lr), "took": took, "best": epoch.best,
            }),
        );
        Ok(())
    }

    fn figures(&mut self, epoch: u64, figures: &[(&str, f64)]) -> Result<(), RecordError> {
        if !figures.is_empty() {
            self.say("figures", json!({ "epoch": epoch, "values": named(figures) }));
        }
        Ok(())
    }

    fn found(&mut self, finding: &Finding) -> Result<(), RecordError> {
        let figures: Vec<(&str, f64)> = finding.figures.clone();
        self.say(
            "health",
            json!({
                "epoch": finding.epoch, "found": finding.what, "of": finding.of, "figures": named(&figures),
                "text": finding.text,
            }),
        );
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<(), RecordError> {
        self.say("note", json!({ "text": text }));
        Ok(())
    }

    fn finished(&mut self, end: &Finished<'_>) -> Result<(), RecordError> {
        let status = match end.status {
            Status::Running => "running",
            Status::Finished => "finished",
            Status::Interrupted => "interrupted",
            Status::Failed => "failed",
        };
        let best =
            end.best.map(|best| json!({ "watch": best.watch, "value": number(best.value), "epoch": best.epoch }));
        self.say(
            "finished",
            json!({
                "status": status, "folder": end.folder, "epoch": end.epoch, "done": end.done, "steps": end.steps,
                "weights": end.weights, "resumable": end.resumable, "best": best,
            }),
        );
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::progress::tests::Page;

    #[test]
    fn a_name_of_a_pipeline_meets_no_other_and_what_is_not_finite_is_null() {
        let page = Page::default();
        let mut events = Events::onto(Box::new(page.clone()));
        let values = [("epoch", 1.5), ("total", f64::NAN)];
        let step = Step { step: 17, epoch: 1, done: 18, values: &values, lr: 1e-3, grad_norm: f64::from(3.1f32) };
        events.step(&step).unwrap();
        events.note("a\nb").unwrap();
        let text = page.text();
        let lines: Vec<&str> = text.lines().collect();
        let step = concat!(
            r#"{"event":"step","step":17,"epoch":1,"done":18,"values":{"epoch":1.5,"total":null},"lr":0.001,"#,
            r#""grad_norm":3.1,"seconds":"#
        );
        assert!(lines[0].starts_with(step), "{}", lines[0]);
        assert_eq!(lines[1..], [r#"{"event":"note","text":"a\nb"}"#]);
    }
}
