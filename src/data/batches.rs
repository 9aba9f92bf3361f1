//! What a training loop needs of data, whatever it is made from: so many steps, and a batch for each.
//!
//! A batch is a function of its split and its number, so it can be made on any thread and made again.

use rord_lang::report::plural;
use std::ops::Range;
use std::sync::Arc;

use super::DataError;
use super::Picture;
use super::datasets::Offered;
use super::pairs::{PairRecipe, PairSource, Split};

/// A tensor of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The field's name in the pipeline.
    pub name: String,
    /// Its shape, samples first.
    pub shape: Vec<usize>,
    /// Its numbers, the last axis fastest.
    pub values: Vec<f32>,
}

/// The tensors of some samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Samples.
    pub size: usize,
    /// Their tensors.
    pub fields: Vec<Field>,
}

impl Batch {
    /// Some of its samples.
    pub fn cut(self, own: Range<usize>) -> Self {
        let own = own.start.min(self.size)..own.end.min(self.size);
        let one = |field: Field| {
            let each = field.values.len() / self.size.max(1);
            let values = field.values.get(own.start * each..own.end * each).unwrap_or_default().to_vec();
            let shape = std::iter::once(own.len()).chain(field.shape.into_iter().skip(1)).collect();
            Field { name: field.name, shape, values }
        };
        Self { size: own.len(), fields: self.fields.into_iter().map(one).collect() }
    }
}

/// Of every training batch the same samples; validation is whole.
pub struct Shared {
    batches: Arc<dyn Batches>,
    own: Range<usize>,
}

impl Shared {
    /// The samples `own` of each batch of these.
    pub fn new(batches: Arc<dyn Batches>, own: Range<usize>) -> Self {
        Self { batches, own }
    }
}

impl Batches for Shared {
    fn steps(&self) -> u64 {
        self.batches.steps()
    }

    fn validation_batches(&self) -> u64 {
        self.batches.validation_batches()
    }

    fn batch_at(&self, split: Split, step: u64) -> Result<Batch, DataError> {
        match split {
            Split::Train => self.batches.share_at(split, step, self.own.clone()),
            Split::Validation => self.batches.batch_at(split, step),
        }
    }

    fn beside(&self, step: u64) -> Result<Batch, DataError> {
        self.batches.beside(step)
    }

    fn notes(&self) -> Vec<String> {
        self.batches.notes()
    }

    fn trouble(&self) -> Option<String> {
        self.batches.trouble()
    }

    fn about(&self) -> String {
        self.batches.about()
    }

    fn noun(&self) -> &'static str {
        self.batches.noun()
    }
}

/// A source of batches.
pub trait Batches: Send + Sync {
    /// Training batches in an epoch, at least one.
    fn steps(&self) -> u64;

    /// Batches of the validation split; 0 where nothing is validated.
    fn validation_batches(&self) -> u64;

    /// Batch number `step` of a split. Training is endless; epochs follow one another. Errors: a file that was there at the
    /// start cannot be read any more.
    fn batch_at(&self, split: Split, step: u64) -> Result<Batch, DataError>;

    /// The samples `own` of that batch, with the same numbers as there. What makes each sample by itself makes no others.
    fn share_at(&self, split: Split, step: u64, own: Range<usize>) -> Result<Batch, DataError> {
        Ok(self.batch_at(split, step)?.cut(own))
    }

    /// A batch that stands beside another dataset's validation, where this one keeps nothing back to validate.
    fn beside(&self, step: u64) -> Result<Batch, DataError> {
        self.batch_at(Split::Train, step)
    }

    /// What was done to the data that a reader of the pipeline would not expect: each a sentence without its full stop.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Why batches are not to be used any more, where data could not be read.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// What is trained on and what is validated, in words: `19 layouts to train on and 5 to validate`.
    fn about(&self) -> String;

    /// What a batch holds: `pairs`, `samples`.
    fn noun(&self) -> &'static str;
}

/// What is to be told of pictures: the first few notes, and how many more there are.
pub fn notes(pictures: &[Picture]) -> Vec<String> {
    /// As many are told.
    const TOLD: usize = 5;
    let of = |picture: &Picture| -> Vec<String> {
        picture.notes.iter().map(|note| format!("{}: {note}", picture.name)).collect()
    };
    let all = || pictures.iter().flat_map(of);
    let mut told: Vec<String> = all().take(TOLD).collect();
    match all().count().saturating_sub(TOLD) {
        0 => {}
        more => told.push(format!("{more} more notes on pictures")),
    }
    told
}

/// How the pairs of a training step are made, where that changes.
pub type RecipeAt = Arc<dyn Fn(u64) -> PairRecipe + Send + Sync>;

/// Pairs under the names that a dataset gives their parts.
pub struct PairBatches {
    /// Makes pairs.
    pub source: Arc<PairSource>,
    /// Which fields there are.
    pub fields: Vec<Offered>,
    /// How pairs are made at a training step; `None` where that is always the same. Validation goes by the source's
    /// own recipe.
    pub recipe: Option<RecipeAt>,
}

impl Batches for PairBatches {
    fn steps(&self) -> u64 {
        self.source.recipe().steps.max(1) as u64
    }

    fn validation_batches(&self) -> u64 {
        self.source.validation_batches()
    }

    fn batch_at(&self, split: Split, step: u64) -> Result<Batch, DataError> {
        self.share_at(split, step, 0..self.source.recipe().batch)
    }

    fn share_at(&self, split: Split, step: u64, own: Range<usize>) -> Result<Batch, DataError> {
        let (size, n) = (self.source.recipe().batch, self.source.recipe().patch);
        let mut fields: Vec<Field> = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let shape = field.part.shape(own.len(), n, self.source.recipe().channels);
            let values = Vec::with_capacity(shape.iter().product());
            fields.push(Field { name: field.name.to_string(), shape, values });
        }
        let changed = self.recipe.as_ref().filter(|_| split == Split::Train).map(|at| at(step));
        let recipe = changed.as_ref().unwrap_or(self.source.recipe());
        for k in own.clone() {
            let pair = self.source.pair_by(recipe, split, step.wrapping_mul(size as u64).wrapping_add(k as u64));
            for (offered, field) in self.fields.iter().zip(&mut fields) {
                field.values.extend_from_slice(offered.part.of(&pair));
            }
        }
        Ok(Batch { size: own.len(), fields })
    }

    /// Drawn as in validation, of what is trained on.
    fn beside(&self, step: u64) -> Result<Batch, DataError> {
        self.batch_at(Split::Validation, step)
    }

    fn trouble(&self) -> Option<String> {
        self.source.trouble().map(|error| format!("{error} ({})", error.help()))
    }

    fn about(&self) -> String {
        let count = |split| self.source.pictures_of(split).len();
        let validated = if self.validation_batches() == 0 { 0 } else { count(Split::Validation) };
        format!("{} to train on and {validated} to validate", plural(count(Split::Train), "layout"))
    }

    fn noun(&self) -> &'static str {
        if self.source.recipe().moved { "pairs" } else { "patches" }
    }
}
