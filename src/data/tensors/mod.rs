//! Data that is tensors already: a safetensors file, the first axis of each tensor counting samples.
//!
//! What the pipeline declares is checked against the file before anything runs, and sizes that only the file knows are
//! taken from it.

mod file;
mod misfit;
mod reader;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::DataError;
use crate::batches::{Batch, Batches, Field};
use crate::pairs::Split;
use file::TensorFile;
use reader::Reader;
use rord_lang::types::Type;
use rord_random::Stream;

pub use misfit::{Misfit, TensorsError};

/// How a file of tensors is used.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorRecipe {
    /// The file.
    pub file: PathBuf,
    /// Whether training samples are drawn in another order in each epoch.
    pub shuffle: bool,
    /// The share of samples, the first ones of the file, for training. At 1 nothing is left for validation.
    pub train: f64,
    /// Samples in a batch.
    pub batch: usize,
    /// Seed of the order.
    pub seed: u64,
}

/// A field's numbers for all samples.
#[derive(Debug)]
struct Column {
    name: String,
    /// The shape of one sample.
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// The tensors of a file, cut into batches.
#[derive(Debug)]
pub struct Tensors {
    recipe: TensorRecipe,
    columns: Vec<Column>,
    samples: usize,
    trained: usize,
    /// The order of an epoch, kept because every batch of it asks.
    order: Mutex<Option<(u64, Arc<Vec<usize>>)>>,
}

impl Tensors {
    /// Reads the fields of `wanted`. `sizes` holds the sizes that are known; those that only the file knows are added.
    pub fn load(
        recipe: TensorRecipe,
        wanted: &[(String, Type)],
        sizes: &mut HashMap<u32, i64>,
    ) -> Result<Self, TensorsError> {
        if !(recipe.train > 0.0 && recipe.train <= 1.0) {
            let (value, low, high) = (recipe.train, 0.0, 1.0);
            return Err(DataError::BadSetting { setting: "train", value, low, high }.into());
        }
        let file = TensorFile::open(&recipe.file)?;
        let mut reader = Reader { file, sizes, origins: HashMap::new(), samples: None, misfits: Vec::new() };
        let columns: Vec<Column> = wanted.iter().filter_map(|(name, ty)| reader.column(name, ty)).collect();
        let Reader { samples, mut misfits, .. } = reader;
        let samples = samples.map_or(0, |(n, _)| n);
        let trained = match recipe.train >= 1.0 {
            true => samples,
            false => ((samples as f64 * recipe.train).round() as usize).clamp(samples.min(1), samples),
        };
        if misfits.is_empty() {
            let batch = recipe.batch;
            let splits = [("training", trained, true), ("validation", samples - trained, recipe.train < 1.0)];
            let few = splits.into_iter().filter(|(_, n, used)| *used && *n < batch.max(1));
            misfits.extend(few.map(|(split, samples, _)| Misfit::TooFew { split, samples, batch }));
        }
        if !misfits.is_empty() {
            return Err(TensorsError::Misfits(misfits));
        }
        Ok(Self { recipe, columns, samples, trained, order: Mutex::new(None) })
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

    fn batch_at(&self, split: Split, step: u64) -> Batch {
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
        let field = |column: &Column| {
            let cells: usize = column.shape.iter().product();
            let mut values = Vec::with_capacity(size * cells);
            for sample in &samples {
                values.extend_from_slice(column.values.get(sample * cells..(sample + 1) * cells).unwrap_or_default());
            }
            let shape = std::iter::once(size).chain(column.shape.iter().copied()).collect();
            Field { name: column.name.clone(), shape, values }
        };
        Batch { size, fields: self.columns.iter().map(field).collect() }
    }

    fn about(&self) -> String {
        format!("{} samples to train on and {} to validate", self.trained, self.samples - self.trained)
    }

    fn noun(&self) -> &'static str {
        "samples"
    }
}
