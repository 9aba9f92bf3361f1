//! The validation of a run: the mean of every output over its batches, or a report where one is no finite number.

use std::collections::HashMap;

use candle_core::{DType, Tensor};

use super::keep::{LAST, STATE};
use super::{AHEAD, Run};
use crate::program::{Feed, NotFinite};
use crate::refusals::Stop;
use crate::source::tensors;
use rord_data::batches::Batch;
use rord_data::loader::{Loader, LoaderError};
use rord_data::pairs::Split;
use rord_graph::node::Role;
use rord_lang::report::runtime::{self, Cause};
use rord_ranks::Ranks;

/// Validation draws from streams of its own, the same in every run and epoch.
const VALIDATION_SEED: u64 = 0x7661_6c69_6461_7465;

/// What became of a validation.
pub(super) enum Validated {
    /// The mean of every output by name; empty where there is no data for it.
    Means(Vec<(String, f64)>),
    /// The run was asked to end.
    Stopped,
}

impl Run<'_> {
    /// Validates, or tries the first `tried` batches of the validation.
    pub(super) fn validate(&mut self, tried: Option<u64>) -> Result<Validated, Stop> {
        let batches = self.data.batches.validation_batches();
        let names: Vec<(String, bool)> = {
            let outputs = &self.validation.graph().outputs;
            outputs.iter().map(|o| (o.name.clone(), o.role == Role::Metric)).collect()
        };
        let mut means = vec![0.0; names.len()];
        if batches == 0 {
            return Ok(Validated::Means(vec![]));
        }
        match (self.options.ranks(), tried) {
            // Nothing was done that could be lost.
            (None, Some(_)) => self.record.rest(Some(Box::new(|| Ok(())))),
            (None, None) => self.rest(),
            // All of them end together.
            (Some(_), _) => {}
        }
        let batches_of_all = tried.unwrap_or(batches).min(batches);
        let ranks = self.options.ranks().cloned();
        let mut warned = vec![false; names.len()];
        let mut loader = Loader::new(self.data.batches.clone(), Split::Validation, 0, AHEAD, 1)?;
        if let Some(ranks) = &ranks {
            loader.detach();
            return self.validate_together(ranks, (tried, batches_of_all, batches), names);
        }
        for step in 0..batches_of_all {
            let Some(batch) = loader.next_unless(self.options.stop).transpose()? else { break };
            let (numbers, fields) = self.validate_batch(&batch, step)?;
            self.judge(&numbers, &names, &mut warned, (step, batches, tried.is_some()), &fields)?;
            means.iter_mut().zip(numbers).for_each(|(mean, value)| *mean += value / batches as f64);
        }
        self.record.rest(None);
        if self.options.asked_to_stop()? {
            loader.detach();
            return Ok(Validated::Stopped);
        }
        Ok(Validated::Means(names.into_iter().map(|(name, _)| name).zip(means).collect()))
    }

    /// The same by many processes, each of which validates whole batches: the numbers are those of one process, added up in the same
    /// order.
    fn validate_together(
        &mut self,
        ranks: &Ranks,
        (tried, count, batches): (Option<u64>, u64, u64),
        names: Vec<(String, bool)>,
    ) -> Result<Validated, Stop> {
        let (size, rank) = (ranks.size() as u64, ranks.rank() as u64);
        let (mut means, mut warned) = (vec![0.0; names.len()], vec![false; names.len()]);
        for first in (0..count).step_by(ranks.size()) {
            let of_round = (count - first).min(size);
            let own = match rank < of_round {
                true => {
                    let batch = self.data.batches.batch_at(Split::Validation, first + rank);
                    let step = first + rank;
                    let batch = batch.map_err(|error| LoaderError::Data { step, error })?;
                    self.validate_batch(&batch, step)?.0
                }
                false => Vec::new(),
            };
            let each: Vec<usize> = (0..size).map(|r| if r < of_round { names.len() } else { 0 }).collect();
            let all = ranks.gather(&own, &each)?;
            for (step, numbers) in (first..).zip(all.chunks_exact(names.len().max(1))) {
                if numbers.iter().any(|x| !x.is_finite()) {
                    // Every process looks at that batch, and one of them tells of it.
                    let batch = self.data.batches.batch_at(Split::Validation, step);
                    let batch = batch.map_err(|error| LoaderError::Data { step, error })?;
                    let fields = tensors(&batch, DType::F32, &self.options.device)?;
                    self.judge(numbers, &names, &mut warned, (step, batches, tried.is_some()), &fields)?;
                }
                means.iter_mut().zip(numbers).for_each(|(mean, value)| *mean += value / batches as f64);
            }
            if self.options.asked_to_stop()? {
                return Ok(Validated::Stopped);
            }
        }
        Ok(Validated::Means(names.into_iter().map(|(name, _)| name).zip(means).collect()))
    }

    /// The values of a batch, and its tensors.
    fn validate_batch(&self, batch: &Batch, step: u64) -> Result<(Vec<f64>, HashMap<String, Tensor>), Stop> {
        let fields = tensors(batch, DType::F32, &self.options.device)?;
        let numbers = self.validation.run(&self.feed(&fields, step), false)?.numbers()?;
        Ok((numbers, fields))
    }

    fn feed<'b>(&'b self, fields: &'b HashMap<String, Tensor>, step: u64) -> Feed<'b> {
        Feed {
            seed: VALIDATION_SEED,
            step,
            ..Feed::of(
                fields.values().next().and_then(|t| t.dims().first().copied()).unwrap_or(0),
                fields,
                self.stepper.state.shown().tensors(),
            )
        }
    }

    /// Reports on values of a batch that are no finite numbers.
    fn judge(
        &mut self,
        numbers: &[f64],
        names: &[(String, bool)],
        warned: &mut [bool],
        (step, batches, tried): (u64, u64, bool),
        fields: &HashMap<String, Tensor>,
    ) -> Result<(), Stop> {
        let wrong = numbers.iter().zip(names).zip(&*warned).position(|((x, (_, metric)), warned)| {
            // A metric that is no number ends nothing, and is told once.
            !x.is_finite() && !(*metric && (*warned || tried))
        });
        if let Some(at) = wrong {
            let found = self.validation.first_not_finite(&self.feed(fields, step))?;
            let metric = names.get(at).is_some_and(|(_, metric)| *metric);
            let stop = self.bad_validation(at, (step, batches, tried), found, fields, metric);
            match stop {
                stop if !metric => return Err(stop),
                Stop::NotFinite(warning) => {
                    let text = (self.options.shown)(&warning);
                    self.watched(|o| o.note(text.trim_end()))?;
                }
                stop => return Err(stop),
            }
        }
        numbers.iter().zip(warned).for_each(|(value, warned)| *warned |= !value.is_finite());
        Ok(())
    }

    /// The process may end from here on: the state is saved, and only the last weights are left to be.
    fn rest(&self) {
        let folder = self.record.folder();
        if !folder.file(STATE).exists() {
            return;
        }
        let (weights, note, path) = (self.stepper.state.shown().clone(), self.note(None), folder.file(LAST));
        self.record.rest(Some(Box::new(move || weights.save_noted(&path, Some(&note)).map_err(|e| e.to_string()))));
    }

    /// The report on a value of a batch that is no finite number.
    fn bad_validation(
        &self,
        at: usize,
        (step, batches, tried): (u64, u64, bool),
        found: Option<NotFinite>,
        fields: &HashMap<String, Tensor>,
        metric: bool,
    ) -> Stop {
        let output = self.validation.graph().outputs.get(at);
        let name = output.map_or("?", |o| o.name.as_str());
        let place = output.map(|o| o.span).unwrap_or_default();
        let (span, detail, cause) = match &found {
            Some(found) => (found.span, found.detail(), found.cause),
            None => (place, "this is infinite or NaN".to_string(), Cause::Size),
        };
        let epoch = if tried { 0 } else { self.stepper.state.epochs + 1 };
        let kept = (!metric).then(|| self.kept_batch(fields));
        let when = (step + 1, batches, epoch);
        let report = runtime::validation_not_finite(span, name, when, (&detail, cause), kept.as_deref());
        Stop::NotFinite(Box::new(report))
    }
}
