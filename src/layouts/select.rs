//! Which cells and which layers are meant.

mod pattern;
pub use pattern::matching;
