//! What an operation is: its signature and rules for the checker, its manual for people, its computation for the
//! engine.
//!
//! An operation, or a family of operations that differ in a word, is one file, and each a line of the list in `lib.rs`.

use crate::compute::{Compute, samples::Sample};
use rord_lang::vocabulary::{Entry, LintFacts};

/// One operation.
pub struct Op {
    /// Its name.
    pub name: &'static str,
    /// Signature, manual and rules.
    pub entry: Entry,
    /// How it computes; `None` for recipes, which the engine reads and carries out.
    pub compute: Option<&'static dyn Compute>,
    /// Cases that every test of operations runs on.
    pub samples: fn() -> candle_core::Result<Vec<Sample>>,
}

impl Op {
    /// A recipe: something that is only passed to what takes it.
    pub const fn recipe(name: &'static str, entry: Entry) -> Op {
        Op { name, entry, compute: None, samples: || Ok(Vec::new()) }
    }

    /// The same, with facts for lints.
    pub const fn with_lints(self, lints: LintFacts) -> Op {
        Op { entry: Entry { lints, ..self.entry }, ..self }
    }
}
