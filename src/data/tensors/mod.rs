//! Data that is tensors already: safetensors or npz files, the first axis of each tensor counting samples.
//!
//! What the pipeline declares is checked against the files before anything runs, and sizes that only they know are taken
//! from them. The numbers stay in the files: a batch reads those of its samples.

mod archive;
mod file;
mod misfit;
mod npy;
mod npz;
mod numbers;
mod reader;
mod scan;
mod stored;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::DataError;
use crate::batches::{Batch, Batches, Field};
use crate::files::{TENSORS, find_all, unreadable};
use crate::pairs::Split;
use archive::Archive;
use npz::Scratch;
use reader::Reader;
use rord_lang::report::plural;
use rord_lang::types::{Kind, Type};
use rord_random::Stream;
use scan::Seen;
use stored::Stored;

pub use archive::read_all;
pub use misfit::{Misfit, TensorsError};

/// As many files are held open at a time.
const OPEN: usize = 100;
/// As many misfits are told.
const TOLD: usize = 12;

/// How files of tensors are used.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorRecipe {
    /// Files, folders or patterns; samples come file by file, in the order of their paths.
    pub files: Vec<String>,
    /// Files of which all samples are for validation; then all of `files` are for training.
    pub validation: Vec<String>,
    /// Whether training samples are drawn in another order in each epoch.
    pub shuffle: bool,
    /// The share of samples, the first ones of the files, for training. At 1 nothing is left for validation.
    pub train: f64,
    /// Samples in a batch.
    pub batch: usize,
    /// Seed of the order.
    pub seed: u64,
}

/// A field.
#[derive(Debug)]
struct Column {
    name: String,
    /// The shape of one sample.
    shape: Vec<usize>,
    /// Where its numbers lie, file by file.
    parts: Vec<Part>,
}

/// A field in one file.
#[derive(Debug)]
struct Part {
    /// Samples of it and of all files before it.
    until: usize,
    stored: Stored,
    /// What its numbers are multiplied by.
    scale: f32,
}

/// The tensors of some files, cut into batches.
#[derive(Debug)]
pub struct Tensors {
    recipe: TensorRecipe,
    columns: Vec<Column>,
    samples: usize,
    trained: usize,
    notes: Vec<String>,
    /// The order of an epoch, kept because every batch of it asks.
    order: Mutex<Option<(u64, Arc<Vec<usize>>)>>,
}

impl Tensors {
    /// Finds the fields of `wanted`. `sizes` holds the sizes that are known; those that only the files know are added.
    pub fn load(
        recipe: TensorRecipe,
        wanted: &[(String, Type)],
        sizes: &mut HashMap<u32, i64>,
    ) -> Result<Self, TensorsError> {
        if !(recipe.train > 0.0 && recipe.train <= 1.0) {
            let (value, low, high) = (recipe.train, 0.0, 1.0);
            return Err(DataError::BadSetting { setting: "train", value, low, high }.into());
        }
        let (files, first_held) = paths(&recipe)?;
        let several = files.len() > 1;
        let mut reader =
            Reader { sizes, origins: HashMap::new(), scratch: Scratch::default(), misfits: Vec::new(), several };
        let column = |(name, _): &(String, Type)| Column { name: name.clone(), shape: Vec::new(), parts: Vec::new() };
        let mut columns: Vec<Column> = wanted.iter().map(column).collect();
        let (mut samples, mut trained) = (0, None);
        for (index, path) in files.iter().enumerate() {
            if Some(index) == first_held {
                trained = Some(samples);
            }
            let archive = Archive::open(path)?;
            let (count, fields) = reader.file(path, &archive, wanted);
            samples += count;
            if fields.len() < wanted.len() {
                continue;
            }
            for (column, mut stored) in columns.iter_mut().zip(fields) {
                if index < OPEN && stored.bytes.open.is_none() {
                    stored.bytes.open = Some(Arc::new(rord_files::open(path).map_err(DataError::from)?.0));
                }
                column.shape = stored.shape.get(1..).unwrap_or_default().to_vec();
                column.parts.push(Part { until: samples, stored, scale: 1.0 });
            }
        }
        let mut misfits = reader.misfits;
        let trained = match trained {
            Some(trained) => trained,
            None if recipe.train >= 1.0 => samples,
            None => ((samples as f64 * recipe.train).round() as usize).clamp(samples.min(1), samples),
        };
        if misfits.is_empty() {
            let (batch, held) = (recipe.batch, first_held.is_some() || recipe.train < 1.0);
            let splits = [("training", trained, true), ("validation", samples - trained, held)];
            let few = splits.into_iter().filter(|(_, n, used)| *used && *n < batch.max(1));
            misfits.extend(few.map(|(split, samples, _)| Misfit::TooFew { split, samples, batch }));
        }
        let mut notes = Vec::new();
        if misfits.is_empty() {
            for (column, (_, ty)) in columns.iter_mut().zip(wanted) {
                match column.look(ty.kind, several) {
                    Ok(note) => notes.extend(note),
                    Err(found) => misfits.extend(found),
                }
            }
        }
        if !misfits.is_empty() {
            misfits.truncate(TOLD);
            return Err(TensorsError::Misfits(misfits));
        }
        Ok(Self { recipe, columns, samples, trained, notes, order: Mutex::new(None) })
    }

    /// What was done to numbers that a reader of the pipeline would not expect: each a sentence.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn read(&self, column: &Column, samples: &[usize]) -> Result<Vec<f32>, DataError> {
        let cells: usize = column.shape.iter().product();
        let (mut values, mut raw) = (Vec::with_capacity(samples.len() * cells), Vec::new());
        for sample in samples {
            let at = column.parts.partition_point(|part| part.until <= *sample);
            let Some(part) = column.parts.get(at) else { continue };
            let first = part.until - part.stored.samples();
            let from = values.len();
            let read = part.stored.read(sample - first, 1, &mut raw, &mut values);
            read.map_err(|error| unreadable(&part.stored.bytes.path, &error))?;
            if part.scale != 1.0 {
                values.iter_mut().skip(from).for_each(|value| *value *= part.scale);
            }
        }
        Ok(values)
    }

    /// The order of training samples in an epoch: a shuffle of all of them, drawn from the seed and the epoch.
    fn order(&self, epoch: u64) -> Arc<Vec<usize>> {
        let mut kept = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, order)) = kept.as_ref()
            && *of == epoch
        {
            return Arc::clone(order);
        }
        let mut order: Vec<usize> = (0..self.trained).collect();
        let mut stream = Stream::new(self.recipe.seed, &[2, epoch]);
        for i in (1..order.len()).rev() {
            order.swap(i, stream.below(i + 1));
        }
        let order = Arc::new(order);
        *kept = Some((epoch, Arc::clone(&order)));
        order
    }
}

impl Batches for Tensors {
    fn steps(&self) -> u64 {
        (self.trained / self.recipe.batch.max(1)).max(1) as u64
    }

    fn validation_batches(&self) -> u64 {
        ((self.samples - self.trained) / self.recipe.batch.max(1)) as u64
    }

    fn batch_at(&self, split: Split, step: u64) -> Result<Batch, DataError> {
        self.share_at(split, step, 0..self.recipe.batch.max(1))
    }

    fn share_at(&self, split: Split, step: u64, own: Range<usize>) -> Result<Batch, DataError> {
        let size = self.recipe.batch.max(1);
        let samples: Vec<usize> = match split {
            Split::Train => {
                let (epoch, within) = (step / self.steps(), (step % self.steps()) as usize);
                let places = within * size..(within + 1) * size;
                match self.recipe.shuffle {
                    true => self.order(epoch).get(places).map(<[usize]>::to_vec).unwrap_or_default(),
                    false => places.collect(),
                }
            }
            Split::Validation => {
                let within = (step % self.validation_batches().max(1)) as usize;
                (within * size..(within + 1) * size).map(|i| self.trained + i).collect()
            }
        };
        let samples = samples.get(own).unwrap_or_default();
        let mut fields = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let shape = std::iter::once(samples.len()).chain(column.shape.iter().copied()).collect();
            fields.push(Field { name: column.name.clone(), shape, values: self.read(column, samples)? });
        }
        Ok(Batch { size: samples.len(), fields })
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn about(&self) -> String {
        format!("{} to train on and {} to validate", plural(self.trained, "sample"), self.samples - self.trained)
    }

    fn noun(&self) -> &'static str {
        "samples"
    }
}

impl Column {
    /// Looks at all its numbers, finds what they are multiplied by, and what is to be told of that.
    fn look(&mut self, kind: Kind, several: bool) -> Result<Option<String>, Vec<Misfit>> {
        let name = &self.name;
        let seen: Vec<Result<Seen, Misfit>> =
            self.parts.par_iter().map(|part| scan::scan(name, kind, &part.stored)).collect();
        let (mut misfits, mut greatest) = (Vec::new(), Vec::new());
        for (part, seen) in self.parts.iter().zip(seen) {
            match seen {
                Ok(seen) => greatest.push(seen.greatest),
                Err(of) if several => {
                    misfits.push(Misfit::In { file: part.stored.bytes.path.clone(), of: of.into() });
                }
                Err(misfit) => misfits.push(misfit),
            }
        }
        if !misfits.is_empty() {
            return Err(misfits);
        }
        if kind != Kind::Image {
            return Ok(None);
        }
        // Whether 0 and 1 of whole numbers are black and white is the same for all files.
        let all = greatest.iter().copied().fold(0.0, f32::max);
        let mut note = None;
        for part in &mut self.parts {
            let number = part.stored.number;
            if let (Some(full), true) = (number.full(), all > 1.0) {
                part.scale = 1.0 / full;
                note = Some(format!("`{name}` is {}: 0 to {full} is taken as 0 to 1", number.name()));
            } else if all > 16.0 && note.is_none() {
                note = Some(format!(
                    "`{name}` is {} and reaches {all}, which is taken as it is; images are 0 to 1 elsewhere",
                    number.name()
                ));
            }
        }
        Ok(note)
    }
}

/// The files for training and then those for validation, and which is the first of the latter.
fn paths(recipe: &TensorRecipe) -> Result<(Vec<PathBuf>, Option<usize>), DataError> {
    let mut files = find_all(&recipe.files, &TENSORS)?;
    if recipe.validation.is_empty() {
        return Ok((files, None));
    }
    let held = find_all(&recipe.validation, &TENSORS)?;
    let first = files.len();
    crate::files::apart(&files, &held)?;
    files.extend(held);
    Ok((files, Some(first)))
}
