//! What does not fit between a pipeline and a file of tensors.

use crate::DataError;
use rord_lang::types::Kind;

/// What does not fit between a pipeline and a file, as facts; every one but the last is about one field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // each field is what the sentence above its variant names it
pub enum Misfit {
    /// The file has no tensor of that name; `present` are those it has.
    #[error("the file holds {}", present.join(", "))]
    Missing { field: String, present: Vec<String> },
    /// Its numbers are of a type that is not read.
    #[error("{reason}")]
    Unreadable { field: String, reason: String },
    /// It has another number of axes than the declared type.
    #[error("the file has {found:?}, {} axes instead of {wanted}", found.len())]
    Rank { field: String, wanted: usize, found: Vec<usize> },
    /// One of its sizes is not the declared one. `origin` is the field that set the declared size, where one did.
    #[error("the file has {shape:?}, where {declared} is {value}{}", as_in(origin))]
    Size { field: String, declared: String, value: i64, origin: Option<String>, shape: Vec<usize> },
    /// A declared size is not whole: `numerator` is what would have to divide.
    #[error("{declared} is not a whole number, for {numerator}{}", as_in(origin))]
    Rest { field: String, declared: String, numerator: i64, origin: Option<String> },
    /// Another number of samples than in the field `first`.
    #[error("{found} samples, but {expected} in `{first}`")]
    Samples { field: String, found: usize, first: String, expected: usize },
    /// Some numbers are not finite; `sample` holds the first of them.
    #[error("{count} numbers are not finite, the first in sample {sample}")]
    NotFinite { field: String, sample: usize, count: usize },
    /// Some numbers are outside what the declared kind holds; `sample` holds the first of them, `value`.
    #[error("{count} numbers are no {} ({}), the first is {value} in sample {sample}", kind.name(), kind.holds())]
    OutOfRange { field: String, kind: Kind, sample: usize, value: f32, count: usize },
    /// A split with fewer samples than a batch.
    #[error("{samples} samples for {split}, and a batch takes {batch}")]
    TooFew { split: &'static str, samples: usize, batch: usize },
}

fn as_in(origin: &Option<String>) -> String {
    origin.as_ref().map(|field| format!(" as in `{field}`")).unwrap_or_default()
}

impl Misfit {
    /// The field it is about.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Missing { field, .. }
            | Self::Unreadable { field, .. }
            | Self::Rank { field, .. }
            | Self::Size { field, .. }
            | Self::Rest { field, .. }
            | Self::Samples { field, .. }
            | Self::NotFinite { field, .. }
            | Self::OutOfRange { field, .. } => Some(field),
            Self::TooFew { .. } => None,
        }
    }
}

/// Why a file of tensors cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TensorsError {
    /// The file itself.
    #[error(transparent)]
    Data(#[from] DataError),
    /// What it holds, against what the pipeline declares: every misfit.
    #[error("the file does not fit the pipeline")]
    Misfits(Vec<Misfit>),
}
