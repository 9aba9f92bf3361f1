//! A run as those who watch it see it: numbers and words, no tensors.
//!
//! A caller passes observers to a run, and the run passes each event to all of them in order. Epochs count from 1, as
//! everything that people and programs read counts them; steps are numbered from 0 over the whole run.

use std::path::Path;
use std::time::Duration;

use super::{Best, Live, RecordError, Status};

/// A run before its next step.
#[derive(Clone, Copy)]
pub struct Started<'a> {
    /// Its record. An observer that may have to end the process keeps a clone and closes it.
    pub record: &'a Live,
    /// The objective's name, then its parts' and those of numbers that change, in the order of [`Step::values`].
    pub names: &'a [&'a str],
    /// Trained numbers.
    pub weights: usize,
    /// What is trained on, in words: `19 layouts to train on and 5 to validate`.
    pub data: &'a str,
    /// What a batch holds: `pairs`.
    pub noun: &'a str,
    /// Samples in a batch.
    pub batch: usize,
    /// Epochs of the run.
    pub epochs: u64,
    /// Steps of an epoch.
    pub steps: u64,
    /// What [`Observer::position`] returned when the run was saved; `None` for a new run.
    pub position: Option<u64>,
}

/// A step that has been taken.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Its number in the run, from 0.
    pub step: u64,
    /// Its epoch, from 1.
    pub epoch: u64,
    /// Steps taken in this epoch, with this one.
    pub done: u64,
    /// The objective, its parts, and the numbers that change.
    pub values: &'a [(&'a str, f64)],
    /// The learning rate it used.
    pub lr: f64,
    /// The norm of the gradient before clipping.
    pub grad_norm: f64,
}

/// An epoch that is complete, with its validation.
#[derive(Clone, Copy, Debug)]
pub struct Epoch<'a> {
    /// Its number, from 1.
    pub epoch: u64,
    /// The objective's name.
    pub objective: &'a str,
    /// The mean of every output over the epoch's steps.
    pub train: &'a [(&'a str, f64)],
    /// The numbers that change, as its last step had them.
    pub timed: &'a [(&'a str, f64)],
    /// The mean of every output over the validation; empty where there is none.
    pub validation: &'a [(&'a str, f64)],
    /// The learning rate of its last step.
    pub lr: f64,
    /// How long it took.
    pub took: Duration,
    /// True for the best epoch so far.
    pub best: bool,
}

/// Something that goes wrong without an error, said once in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The epoch in which it was seen, from 1.
    pub epoch: u64,
    /// What it is, for programs: `descriptors_alike`.
    pub what: &'static str,
    /// What it is of: a part of the network, a weight, a loss, a field of the data; empty for the whole run.
    pub of: String,
    /// Its figures by name.
    pub figures: Vec<(&'static str, f64)>,
    /// All of it in words, with what to try.
    pub text: String,
}

/// The end of a run.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// How it ended.
    pub status: Status,
    /// The run's folder.
    pub folder: &'a Path,
    /// The epoch in which it ended, from 1.
    pub epoch: u64,
    /// Steps taken in that epoch.
    pub done: u64,
    /// Steps of an epoch.
    pub steps: u64,
    /// The last weights, where they were kept.
    pub weights: Option<&'a Path>,
    /// True where the run can be taken up again.
    pub resumable: bool,
    /// The best epoch.
    pub best: Option<&'a Best>,
}

/// What watches a run. An error ends the run.
pub trait Observer {
    /// Names the observer in a saved run; unique among those of a run.
    fn name(&self) -> &'static str;

    /// A part of the run begins that has no steps: loading the data, a validation.
    fn busy(&mut self, _: &str) {}

    /// The run's folder is there, and its next step follows.
    fn started(&mut self, _: &Started<'_>) -> Result<(), RecordError> {
        Ok(())
    }

    /// A step has been taken.
    fn step(&mut self, _: &Step<'_>) -> Result<(), RecordError> {
        Ok(())
    }

    /// An epoch is complete.
    fn epoch(&mut self, _: &Epoch<'_>) -> Result<(), RecordError> {
        Ok(())
    }

    /// The last step of an epoch, from 1, has been taken, and these are figures of how its terms are, by names of two words or more:
    /// `description.active`, `net.det.mean`.
    fn figures(&mut self, _epoch: u64, _figures: &[(&str, f64)]) -> Result<(), RecordError> {
        Ok(())
    }

    /// Something goes wrong without an error.
    fn found(&mut self, _: &Finding) -> Result<(), RecordError> {
        Ok(())
    }

    /// Something happened that a reader of the run wants to know: the learning rate has changed, say.
    fn note(&mut self, _: &str) -> Result<(), RecordError> {
        Ok(())
    }

    /// The run has ended.
    fn finished(&mut self, _: &Finished<'_>) -> Result<(), RecordError> {
        Ok(())
    }

    /// The run is about to be saved: what was written until now is to outlast the machine.
    fn flush(&mut self) -> Result<(), RecordError> {
        Ok(())
    }

    /// How far it has come in what it writes, in a unit of its own. [`Started::position`] brings it back to there.
    fn position(&self) -> u64 {
        0
    }
}
