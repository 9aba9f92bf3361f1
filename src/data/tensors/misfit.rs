//! What does not fit between a pipeline and a file of tensors.

use std::path::PathBuf;

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
    /// Its axes lie with the channels last, and are declared with the channels first.
    #[error("the file has {shape:?}, which looks like (samples, H, W, C)")]
    ChannelsLast { field: String, shape: Vec<usize> },
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
    /// Some homographies take no part of the view near the view; the first is in `sample`, and takes its middle to
    /// `to`.
    #[error("{count} of them take nothing of the view near the view: the one of sample {sample} takes its middle to ({:.4}, {:.4}), where the view is -1 to 1", to[0], to[1])]
    Far { field: String, sample: usize, to: [f32; 2], count: usize },
    /// Some homographies cannot be undone; the first is in `sample`.
    #[error("{count} of them cannot be undone (their determinant is 0), the first in sample {sample}")]
    Singular { field: String, sample: usize, count: usize },
    /// What is said of one of several files.
    #[error("{}: {of}", file.display())]
    In { file: PathBuf, of: Box<Misfit> },
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
            | Self::ChannelsLast { field, .. }
            | Self::NotFinite { field, .. }
            | Self::Far { field, .. }
            | Self::Singular { field, .. }
            | Self::OutOfRange { field, .. } => Some(field),
            Self::In { of, .. } => of.field(),
            Self::TooFew { .. } => None,
        }
    }

    /// The fact itself, without the file that it is said of.
    pub fn fact(&self) -> &Misfit {
        match self {
            Self::In { of, .. } => of.fact(),
            fact => fact,
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
