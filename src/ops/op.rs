//! What an operation is: its signature and rules for the checker, its manual for people, its meaning for the engine.
//!
//! One operation stands in one file, and on one line of the list in `mod.rs`.

use crate::compute::{Compute, samples::Sample};
use rord_lang::vocabulary::Entry;

/// One operation.
pub struct Op {
    /// Its name.
    pub name: &'static str,
    /// Signature, manual and rules.
    pub entry: Entry,
    /// How it computes; `None` for recipes, which are read by whoever carries them out.
    pub compute: Option<&'static dyn Compute>,
    /// Cases that every test of operations runs on.
    pub samples: fn() -> candle_core::Result<Vec<Sample>>,
}

impl Op {
    /// A recipe: something that is only passed to what takes it.
    pub const fn recipe(name: &'static str, entry: Entry) -> Op {
        Op { name, entry, compute: None, samples: || Ok(Vec::new()) }
    }
}
