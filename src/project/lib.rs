//! A pipeline or a run as a person names it: read from disk with its imports, changed from outside, checked, fixed and
//! kept.

pub mod files;
pub mod fix;
pub mod keep;
pub mod load;
pub mod outside;
pub mod params;
pub mod run;
