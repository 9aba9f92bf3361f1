//! In place of NCCL in a build without it: GPUs of several processes are not connected, and their gradients go through the host.

use candle_core::{Device, Result};

use crate::across::{Across, Company};

/// True where this build has NCCL.
pub fn built() -> bool {
    false
}

/// The version of the library, where it is there.
pub fn version() -> Option<String> {
    None
}

/// Where ranks meet, as a text that one of them makes for all.
pub fn meeting() -> Result<String> {
    none()
}

/// Connects the GPU of this rank with those of the others.
pub fn begin(_: &Device, _: (usize, usize), _: &str, _: impl Company) -> Result<Across> {
    none()
}

fn none<T>() -> Result<T> {
    candle_core::bail!("this build does not connect GPUs: build with `--features nccl`")
}
