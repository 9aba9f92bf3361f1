//! rord: a language for training local-feature networks.

pub mod cli;
#[cfg(feature = "engine")]
pub mod data;
#[cfg(feature = "engine")]
pub mod engine;
pub mod graph;
#[cfg(feature = "engine")]
#[allow(unsafe_code)]
pub mod kernels;
pub mod lang;
pub mod lsp;
pub mod ops;
pub mod random;
pub mod record;
pub mod watch;
