//! What is computed, against references: PyTorch, central differences, and symmetries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

/// As the program has it, so that times measured here are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod agreement;
mod axes;
mod changing;
mod drawing;
mod equivariance;
mod fields;
mod follow;
mod golden;
mod inference;
mod library;
mod losses;
mod ops;
mod papers;
mod ranks;
mod recursion;
mod statistics;
mod through;
mod trace;
mod views;
mod wanted;
