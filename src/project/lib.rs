//! A pipeline as a person names it: read from disk with its imports, changed from outside, checked, fixed.

pub mod files;
pub mod fix;
pub mod load;
pub mod outside;
