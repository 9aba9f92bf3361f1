//! What is computed, against references: PyTorch, central differences, and symmetries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod axes;
mod equivariance;
mod library;
mod losses;
mod ops;
mod statistics;
mod trace;
mod views;
mod wanted;
