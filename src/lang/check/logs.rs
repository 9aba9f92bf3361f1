//! What the checker writes down as it goes: lists that only grow, and that go back to a mark after something was
//! checked on trial.
//!
//! Numbers of values are given out again once values are dropped, so whatever keeps such a number is dropped with them.

use std::collections::HashMap;
use std::hash::Hash;

use super::range::Bounds;
use super::sizes::Owed;
use crate::ast::Name;
use crate::dim::Dim;
use crate::report::Report;
use crate::source::Span;
use crate::typed::Value;
use crate::types::Frame;

/// The lists.
#[derive(Default)]
pub struct Logs {
    /// Every value of the pipeline so far.
    pub values: Vec<Value>,
    /// What is known of the numbers of each.
    pub bounds: Vec<Bounds>,
    /// Width and height in pixels of the image that declares a frame.
    pub frames: Vec<(Frame, Dim, Dim)>,
    /// Frames that no image declares, of homographies and points.
    pub moves: Vec<Frame>,
    /// Sizes that must divide.
    pub owed: Vec<Owed>,
    /// Calls of the library, each with the place of its `margin`.
    pub margins: Vec<(Span, Span)>,
    /// What is watched.
    pub watched: Vec<Watched>,
    /// What has been reported.
    pub reports: Vec<Report>,
    /// Names that were reported as missing.
    pub missing: Once<String>,
    /// Calls that gave a record where one value belongs, which was reported.
    pub mistaken: Once<Span>,
}

/// `val.total`: a number that is watched or saved by.
pub struct Watched {
    /// `total`
    pub name: Name,
    /// `val`
    pub split: String,
    /// The place of both.
    pub whole: Span,
    /// True in a branch that is not taken.
    pub untaken: bool,
}

/// How long each list was.
pub struct Mark {
    values: usize,
    frames: usize,
    moves: usize,
    owed: usize,
    margins: usize,
    watched: usize,
    reports: usize,
    missing: usize,
    mistaken: usize,
}

impl Mark {
    /// How many values there were.
    pub fn values(&self) -> usize {
        self.values
    }
}

impl Logs {
    /// The state now.
    pub fn mark(&self) -> Mark {
        Mark {
            values: self.values.len(),
            frames: self.frames.len(),
            moves: self.moves.len(),
            owed: self.owed.len(),
            margins: self.margins.len(),
            watched: self.watched.len(),
            reports: self.reports.len(),
            missing: self.missing.0.len(),
            mistaken: self.mistaken.0.len(),
        }
    }

    /// Drops all that was made since a mark: values, and whatever keeps the number of one. What was reported stays.
    pub fn rollback(&mut self, mark: &Mark) {
        self.values.truncate(mark.values);
        self.bounds.truncate(mark.values);
        self.frames.truncate(mark.frames);
        self.moves.truncate(mark.moves);
        self.owed.truncate(mark.owed);
        self.margins.truncate(mark.margins);
    }

    /// Drops what is watched since a mark.
    pub fn unwatch(&mut self, mark: &Mark) {
        self.watched.truncate(mark.watched);
    }

    /// Drops all that was reported since a mark, so that the same mistake elsewhere is reported.
    pub fn unsay(&mut self, mark: &Mark) {
        self.reports.truncate(mark.reports);
        self.missing.truncate(mark.missing);
        self.mistaken.truncate(mark.mistaken);
    }
}

/// What has been met, each with the number of those before it.
pub struct Once<T>(HashMap<T, usize>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Once<T> {
    /// Adds one; true where it is new.
    pub fn insert(&mut self, one: T) -> bool {
        let at = self.0.len();
        let mut new = false;
        self.0.entry(one).or_insert_with(|| {
            new = true;
            at
        });
        new
    }

    /// True for what has been met.
    pub fn contains(&self, one: &T) -> bool {
        self.0.contains_key(one)
    }

    fn truncate(&mut self, len: usize) {
        if self.0.len() > len {
            self.0.retain(|_, at| *at < len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_on_trial_is_new_again() {
        let mut met = Once::default();
        assert!(met.insert("a") && !met.insert("a"));
        met.insert("b");
        met.truncate(1);
        assert!(met.contains(&"a") && !met.contains(&"b") && met.insert("b"));
    }
}
