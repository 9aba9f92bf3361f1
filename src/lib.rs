//! rord: a language for training local-feature networks.

pub mod graph;
#[cfg(feature = "engine")]
#[allow(unsafe_code)]
pub mod kernels;
pub mod lang;
pub mod ops;
pub mod random;
