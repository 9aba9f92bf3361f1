//! What a run keeps: weights under the names that its text asks for, the state that it goes on from, and what is there to look at
//! where a number is not finite.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use candle_core::Tensor;

use super::{Run, reached};
use crate::note::Note;
use crate::program::NotFinite;
use crate::refusals::Stop;
use crate::replay::Kept;
use crate::stored;
use rord_data::loader::Loader;
use rord_files::write_atomic;
use rord_lang::constant::Unit;
use rord_lang::report::runtime::{self, Cause};

/// The file of the state in a run's folder.
pub const STATE: &str = "state.safetensors";

/// The file of the weights that the last step left.
pub(super) const LAST: &str = "last.safetensors";

impl Run<'_> {
    /// Writes the weights of the run, or their average, to a file in its folder. Weights that are not finite are not written.
    pub(super) fn save(&self, name: &str, score: Option<&(String, f64)>) -> Result<(), Stop> {
        let weights = self.stepper.state.shown();
        if let Some((weight, count)) = weights.not_finite()? {
            let span = self.stepper.graph().objective().map(|o| o.span).unwrap_or_default();
            let what = format!("{count} numbers of `{weight}` are infinite or NaN");
            let bad = NotFinite { node: None, span, what, inputs: vec![], cause: Cause::Update };
            let at = (self.stepper.state.steps, self.stepper.state.epochs + 1);
            let kept = format!("{name} is not written");
            let report = runtime::not_finite(bad.span, self.stepper.objective(), at, (&bad.detail(), bad.cause), &kept);
            return Err(Stop::NotFinite(Box::new(report)));
        }
        if !self.record.writes() {
            return Ok(());
        }
        Ok(weights.save_noted(&self.record.folder().file(name), Some(&self.note(score)))?)
    }

    /// What weights they are.
    pub(super) fn note(&self, score: Option<&(String, f64)>) -> Note {
        let state = &self.stepper.state;
        Note { step: state.steps, epoch: state.epochs, score: score.cloned(), text: self.options.text.clone() }
    }

    /// Writes everything that the run goes on from, once all that it counts is on the disk.
    pub(super) fn save_state(&mut self) -> Result<(), Stop> {
        if !self.record.writes() {
            return Ok(());
        }
        self.observers.iter_mut().try_for_each(|o| o.flush())?;
        self.kept_positions();
        self.stepper.state.save(&self.record.folder().file(STATE))?;
        self.saved = Instant::now();
        Ok(())
    }

    /// True where the text asks for a state after the step that was just taken.
    pub(super) fn state_is_due(&self) -> bool {
        let steps = self.stepper.state.steps;
        match self.plan.state {
            Some((every, Unit::Steps)) => reached(every, steps),
            Some((every, Unit::Epochs)) => reached(every * self.stepper.steps as f64, steps),
            Some((every, Unit::Minutes)) => {
                // A time that no clock can hold never comes.
                Duration::try_from_secs_f64(every * 60.0).is_ok_and(|time| self.saved.elapsed() >= time)
            }
            _ => false,
        }
    }

    /// Removes a file of weights that is kept no longer. One that is gone already is no loss.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), Stop> {
        if !self.record.writes() {
            return Ok(());
        }
        let path = self.record.folder().file(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Ok(self.watched(|o| o.note(&format!("{} could not be removed: {e}", path.display())))?)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn kept_positions(&mut self) {
        self.stepper.state.observers = self.observers.iter().map(|o| (o.name().into(), o.position())).collect();
    }

    /// Keeps the weights and the batch, and reports where it went wrong.
    pub(super) fn not_finite(
        &self,
        bad: &NotFinite,
        step: u64,
        fields: &HashMap<String, Tensor>,
        noted: &Kept,
    ) -> Stop {
        let folder = self.record.folder();
        let weights = folder.file(&format!("nan-{step}.safetensors"));
        let batch = folder.file(&format!("nan-{step}-batch.safetensors"));
        let writes = self.record.writes();
        let saved = if writes { self.stepper.state.weights.save(&weights).map_err(|e| e.to_string()) } else { Ok(()) };
        let bytes = || stored::bytes(&named(fields), Some(noted.entries())).map_err(|e| e.to_string());
        let write = |bytes: Vec<u8>| match writes {
            true => write_atomic(&batch, &bytes).map_err(|e| e.to_string()),
            false => Ok(()),
        };
        let kept = match saved.and_then(|()| bytes()).and_then(write) {
            Ok(()) => format!(
                "the weights are in {}, the batch in {}\nits ranges, operation by operation:  rord-run replay {} --step {step}",
                weights.display(),
                batch.display(),
                folder.path().display()
            ),
            Err(error) => format!("the weights and the batch are not kept: {error}"),
        };
        let (name, epoch) = (self.stepper.objective(), self.stepper.state.epochs + 1);
        Stop::NotFinite(Box::new(runtime::not_finite(bad.span, name, (step, epoch), (&bad.detail(), bad.cause), &kept)))
    }

    /// Keeps a batch of the validation whose values are not finite; what is said of it.
    pub(super) fn kept_batch(&self, fields: &HashMap<String, Tensor>) -> String {
        let batch = self.record.folder().file(&format!("nan-val-{}-batch.safetensors", self.stepper.state.epochs + 1));
        let written = if self.record.writes() { stored::write(&batch, &named(fields)) } else { Ok(()) };
        match written {
            Ok(()) => format!("the batch is in {}", batch.display()),
            Err(error) => format!("the batch is not kept: {error}"),
        }
    }

    /// Keeps the weights and the state of a run that was asked to end.
    pub(super) fn interrupted(&mut self, loader: Option<Loader>) -> Result<bool, Stop> {
        // The batch that is being made is not waited for.
        if let Some(loader) = loader {
            loader.detach();
        }
        self.save(LAST, None)?;
        self.save_state()?;
        Ok(true)
    }

    /// Keeps the last weights of a run that an error ends: they are those before what went wrong.
    pub(super) fn failed(&mut self) {
        if self.plan.keep_last {
            // The error that ended the run is the one to report.
            let _ = self.save(LAST, None);
        }
    }
}

/// Fields by name, as files take them.
fn named(fields: &HashMap<String, Tensor>) -> Vec<(String, Tensor)> {
    fields.iter().map(|(n, t)| (n.clone(), t.clone())).collect()
}
