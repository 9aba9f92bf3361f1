//! What the optimizer makes of a step that is made again, weight by weight, and whether it is what the run has kept.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::Numbers;
use crate::compare;
use crate::note::Note;
use crate::refusals::Stop;
use crate::state::{self, State};
use crate::weights::Weights;

/// What the optimizer made of a step.
#[derive(Clone, Debug)]
pub struct Update {
    /// The learning rate; NaN where the step was not taken, as the norm is.
    pub lr: f64,
    /// The norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Why the step was not taken, where it was not.
    pub refused: Option<String>,
    /// Every weight, in the order of the text.
    pub weights: Vec<Changed>,
    /// All tensors of the run after the step, as a file of its state names them.
    after: BTreeMap<String, Tensor>,
}

/// A weight in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Its name: `net.0.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers before the step.
    pub before: Numbers,
    /// What was added to them.
    pub by: Numbers,
}

/// A file of the run that holds what was there after the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Its name in the run's folder.
    pub file: String,
    /// True where every number in it is the same to the bit.
    pub same: bool,
    /// Otherwise what differs, in words.
    pub how: String,
}

impl Update {
    /// Of a step that began with the weights `before` and left `state`: its rate and its norm, or why it was not taken.
    pub fn of(before: &Weights, taken: Result<(f64, f64), String>, state: &State) -> candle_core::Result<Self> {
        let (lr, grad_norm, refused) = match taken {
            Ok((lr, grad_norm)) => (lr, grad_norm, None),
            Err(why) => (f64::NAN, f64::NAN, Some(why)),
        };
        let changed = |((name, old), (_, new)): ((&str, &Tensor), (&str, &Tensor))| {
            let wide = |tensor: &Tensor| tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64);
            let by = (wide(new)? - wide(old)?)?;
            Ok(Changed {
                name: name.to_string(),
                shape: old.dims().to_vec(),
                before: Numbers::of(old)?,
                by: Numbers::of(&by)?,
            })
        };
        let weights = before.iter().zip(state.weights.iter()).map(changed).collect::<candle_core::Result<_>>()?;
        Ok(Self { lr, grad_norm, refused, weights, after: state.tensors()?.into_iter().collect() })
    }

    /// The files of a run that were written after so many steps, each beside what was made again: weights, and the state.
    pub fn beside(&self, run: &Path, steps: u64) -> Result<Vec<Beside>, Stop> {
        let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name.ends_with(".safetensors") && !name.starts_with("nan-"));
        names.sort();
        let mut found = Vec::new();
        for file in names {
            let path = run.join(&file);
            let own = match state::steps(&path) {
                Some(at) if at == steps => self.after.clone(),
                None if Note::read(&path).is_some_and(|note| note.step == steps) => self.shown(),
                _ => continue,
            };
            let bytes = rord_files::whole(&path).map_err(crate::weights::WeightsError::from)?;
            let compared = compare::tensors(&compare::read(&path, &bytes)?, &own)?;
            let how = match &compared.largest {
                _ if compared.same_numbers => String::new(),
                Some((by, tensor)) if compared.other.is_empty() => format!("differs by up to {by:.1e}, in {tensor}"),
                _ => format!("has other tensors: {}", compared.other.join(", ")),
            };
            found.push(Beside { file, same: compared.same_numbers, how });
        }
        Ok(found)
    }

    /// What files of weights hold: their average, where there is one.
    fn shown(&self) -> BTreeMap<String, Tensor> {
        let under = |prefix: &str| -> BTreeMap<String, Tensor> {
            let own = |(name, tensor): (&String, &Tensor)| Some((name.strip_prefix(prefix)?.into(), tensor.clone()));
            self.after.iter().filter_map(own).collect()
        };
        let average = under("average/");
        if average.is_empty() { under("weights/") } else { average }
    }
}
