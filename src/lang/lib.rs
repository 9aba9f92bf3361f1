//! Text to a typed pipeline. Pure: no files, no clock, no tensors.
//!
//! `lang` never fails: it returns what it understood and a list of reports. Imported files arrive through a trait, and
//! operations through a [`vocabulary::Vocabulary`].

pub mod ast;
pub mod axis;
pub mod check;
pub mod constant;
pub mod dim;
pub mod foreign;
pub mod format;
pub mod index;
pub mod lex;
pub mod manual;
pub mod meet;
pub mod named;
pub mod parse;
pub mod parts;
pub mod range;
pub mod report;
pub mod sections;
pub mod source;
pub mod timed;
pub mod trainable;
pub mod tree;
pub mod typed;
pub mod types;
pub mod vocabulary;
