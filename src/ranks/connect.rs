//! Connects a process with those that it was started with, where this build can.

use super::{Lost, Ranks};

/// Why processes are not connected.
#[derive(Debug, thiserror::Error)]
pub enum Unconnected {
    /// The build has no engine for it.
    #[error("built without the feature `mpi`")]
    NotBuilt,
    /// The engine says no.
    #[error("{0}")]
    Failed(String),
}

/// Connects this process with those that it was started with. `alarm` is called once, on a thread of its own, where another of them is
/// gone.
#[cfg(feature = "mpi")]
pub fn connect(alarm: impl Fn(&Lost) + Send + 'static) -> Result<Ranks, Unconnected> {
    super::over_mpi::connect(alarm).map_err(Unconnected::Failed)
}

/// Connects this process with those that it was started with: not in this build.
#[cfg(not(feature = "mpi"))]
pub fn connect(_: impl Fn(&Lost) + Send + 'static) -> Result<Ranks, Unconnected> {
    Err(Unconnected::NotBuilt)
}
