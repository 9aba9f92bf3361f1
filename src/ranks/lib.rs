//! What the processes of one training say to each other: numbers gathered in rank order, and sums of them that do not depend on timing.
//!
//! Numbers alone are moved by the engine underneath ([`Wire`]): MPI, or threads of one process in tests. Every sum is formed here, in
//! the order of the ranks, so that all ranks have the same bits whatever the engine does, and tests without MPI test the same sums.

mod connect;
mod launched;
mod lost;
mod numbers;
mod share;
mod spent;
mod talk;
pub mod threads;
mod wire;

#[cfg(feature = "mpi")]
pub mod over_mpi;

pub use connect::{Unconnected, connect};
pub use launched::{first, launched};
pub use lost::Lost;
pub use share::{Share, range};
pub use spent::{Costs, Spent};
pub use talk::{Pending, Ranks};
pub use wire::{Lane, Wire};
