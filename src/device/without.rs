//! In place of the launches in a build without CUDA: no tensor lies on a GPU there, so nothing here is called.

use candle_core::{DType, Device, Result, Shape, Tensor};

use crate::{Arg, Source, Threads};

fn none<T>() -> Result<T> {
    candle_core::bail!("this build has no kernels for GPUs: build with `--features cuda`")
}

pub(crate) fn empty(_: impl Into<Shape>, _: DType, _: &Device) -> Result<Tensor> {
    none()
}

pub(crate) fn run(_: &Source, _: &str, _: DType, _: &Tensor, _: Threads, _: &[Arg]) -> Result<()> {
    none()
}

/// A point that a computation has come to: on the CPU everything is done by then.
pub struct Moment;

pub(crate) fn moment(_: &Device) -> Result<Moment> {
    Ok(Moment)
}

/// How many GPUs this process sees.
pub fn visible() -> usize {
    0
}

/// What tells a GPU from all others, and its name.
pub fn identity(_: &Device) -> Result<(String, String)> {
    none()
}

/// Prepares a device for a run.
pub fn ready(_: &Device) -> Result<()> {
    Ok(())
}

/// Waits until a device has done all that it was given.
pub fn settle(device: &Device) -> Result<()> {
    device.synchronize()
}
