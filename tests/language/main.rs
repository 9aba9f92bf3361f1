//! The language as text: what it reads, how it is laid out and indexed, and what it does with any bytes at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod constants;
mod corpus;
mod ebnf;
mod elsewhere;
mod format;
mod grammar;
mod hostile;
mod index;
mod lints;
mod properties;
mod ranges;
#[path = "../skip.rs"]
mod skip;
mod tokens;
mod trial;
mod weights;
