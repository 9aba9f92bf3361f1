//! The binary as people and editors use it: what it prints, what it writes, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use rord_kernels::allocator::Reporting;
use rord_kernels::allocator::failing::Failing;
use rord_kernels::allocator::large::Large;

/// That of the program, of which one allocation may fail: `failing` runs the program in this binary, too.
#[global_allocator]
static ALLOCATOR: Reporting<Failing<Large<mimalloc::MiMalloc>>> = Reporting(Failing(Large::new(mimalloc::MiMalloc)));

mod architecture;
mod bench;
mod cli;
mod diff;
mod docs;
mod editors;
mod eval;
mod export;
mod failing;
mod find;
mod finite;
mod front;
mod health;
mod loss;
mod lsp;
mod many;
mod memory;
mod mistakes;
mod papers;
mod parts;
mod pictures;
mod pipelines;
mod ranks;
mod repeat;
mod replay;
mod report;
mod reports;
mod resume;
mod runs;
#[path = "../skip.rs"]
mod skip;
mod sweeps;
mod tensors;
mod using;
mod watching;
