//! Several datasets side by side: each step takes a batch of every one.
//!
//! `lab.image` and `field.image` are the images of two datasets; their tensors go by these names.

use std::ops::Range;
use std::sync::Arc;

use super::DataError;
use super::batches::{Batch, Batches};
use super::pairs::Split;

/// Datasets side by side, in the order of the pipeline.
pub struct Several {
    parts: Vec<(String, Arc<dyn Batches>)>,
}

impl Several {
    /// Batches of all of these, by the names of the datasets.
    pub fn new(parts: Vec<(String, Arc<dyn Batches>)>) -> Self {
        Self { parts }
    }

    /// The tensors of all parts, under their names.
    fn side_by_side(&self, of: impl Fn(&dyn Batches) -> Result<Batch, DataError>) -> Result<Batch, DataError> {
        let mut all = Batch::default();
        for (name, part) in &self.parts {
            let batch = of(part.as_ref())?;
            all.size = batch.size;
            for mut field in batch.fields {
                field.name = format!("{name}.{}", field.name);
                all.fields.push(field);
            }
        }
        Ok(all)
    }
}

impl Batches for Several {
    /// As many as the longest has; the others begin again.
    fn steps(&self) -> u64 {
        self.parts.iter().map(|(_, part)| part.steps()).max().unwrap_or(1)
    }

    /// As many as the longest has.
    fn validation_batches(&self) -> u64 {
        self.parts.iter().map(|(_, part)| part.validation_batches()).max().unwrap_or(0)
    }

    fn batch_at(&self, split: Split, step: u64) -> Result<Batch, DataError> {
        self.side_by_side(|part| match split {
            Split::Validation if part.validation_batches() == 0 => part.beside(step),
            split => part.batch_at(split, step),
        })
    }

    fn share_at(&self, split: Split, step: u64, own: Range<usize>) -> Result<Batch, DataError> {
        if split == Split::Validation {
            return Ok(self.batch_at(split, step)?.cut(own));
        }
        self.side_by_side(|part| part.share_at(split, step, own.clone()))
    }

    fn notes(&self) -> Vec<String> {
        let of = |(name, part): &(String, Arc<dyn Batches>)| -> Vec<String> {
            part.notes().into_iter().map(|note| format!("{name}: {note}")).collect()
        };
        self.parts.iter().flat_map(of).collect()
    }

    fn trouble(&self) -> Option<String> {
        self.parts.iter().find_map(|(_, part)| part.trouble())
    }

    fn about(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(|(name, part)| format!("{name}: {}", part.about())).collect();
        parts.join("; ")
    }

    fn noun(&self) -> &'static str {
        let mut nouns = self.parts.iter().map(|(_, part)| part.noun());
        match nouns.next() {
            Some(first) if nouns.all(|noun| noun == first) => first,
            _ => "samples",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::batches::Field;

    /// Batches that hold their own number; so many steps, and batches to validate.
    struct Counting(u64, u64);

    impl Batches for Counting {
        fn steps(&self) -> u64 {
            self.0
        }
        fn validation_batches(&self) -> u64 {
            self.1
        }
        fn batch_at(&self, split: Split, step: u64) -> Result<Batch, DataError> {
            let value = step as f32 + if split == Split::Validation { 100.0 } else { 0.0 };
            Ok(Batch { size: 1, fields: vec![Field { name: "x".into(), shape: vec![1], values: vec![value] }] })
        }
        fn about(&self) -> String {
            format!("{} steps", self.0)
        }
        fn noun(&self) -> &'static str {
            "samples"
        }
    }

    #[test]
    fn each_step_takes_a_batch_of_each() {
        let all = Several::new(vec![("a".into(), Arc::new(Counting(3, 2))), ("b".into(), Arc::new(Counting(7, 0)))]);
        assert_eq!((all.steps(), all.validation_batches(), all.noun()), (7, 2, "samples"));
        assert_eq!(all.about(), "a: 3 steps; b: 7 steps");
        let numbers = |split, step| {
            let fields = all.batch_at(split, step).unwrap().fields;
            fields.into_iter().map(|f| (f.name, f.values[0])).collect::<Vec<_>>()
        };
        assert_eq!(numbers(Split::Train, 5), [("a.x".to_string(), 5.0), ("b.x".to_string(), 5.0)]);
        // What keeps nothing back shows what it trains on.
        assert_eq!(numbers(Split::Validation, 1), [("a.x".to_string(), 101.0), ("b.x".to_string(), 1.0)]);
    }
}
