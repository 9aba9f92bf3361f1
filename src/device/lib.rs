//! Kernels on a GPU: what Candle has no operation for there, or a slow one.
//!
//! The kernels are CUDA C beside those for the CPU, `src/kernels/cuda/*.cu`. They are compiled by NVIDIA's run-time compiler for the device
//! at hand when they are first called, through the bindings that Candle itself uses. Every function here takes and gives Candle's tensors;
//! maps lie channels last. Nothing waits for the device, and nothing is copied to it or from it, but where a function says so.
//!
//! In a build without the feature `cuda` the functions are there, and [`has`] is false of every tensor.

#![allow(unsafe_code)]
// Without the feature nothing reads what kernels would be given.
#![cfg_attr(not(feature = "cuda"), allow(dead_code))]

#[cfg(feature = "cuda")]
mod launch;
#[cfg(not(feature = "cuda"))]
#[path = "without.rs"]
mod launch;

#[cfg(feature = "cudnn")]
mod cudnn;

#[cfg(feature = "nccl")]
pub mod nccl;
#[cfg(not(feature = "nccl"))]
#[path = "without_nccl.rs"]
pub mod nccl;

pub mod across;
pub mod bilinear;
pub mod conv;
pub mod maps;
pub mod nearest;
pub mod norm;
pub mod optim;

use candle_core::{DType, Device, Result, Tensor};

pub use launch::{Moment, identity, ready, settle, visible};

/// True for a tensor on a GPU that kernels here can compute with: of f32 or f64, or of bf16, with which they compute in f32.
pub fn has(t: &Tensor) -> bool {
    on(t.device()) && matches!(t.dtype(), DType::F32 | DType::F64 | DType::BF16)
}

/// True where this build has kernels for GPUs.
pub fn built() -> bool {
    cfg!(feature = "cuda")
}

/// True for a device that kernels here run on.
pub fn on(device: &Device) -> bool {
    cfg!(feature = "cuda") && device.is_cuda()
}

/// A source of kernels, compiled once for each type of number and device.
struct Source {
    name: &'static str,
    text: &'static str,
}

/// What a kernel is given.
enum Arg<'a> {
    /// Where the numbers of a contiguous tensor lie.
    Of(&'a Tensor),
    /// No tensor.
    None,
    /// Where other numbers lie.
    #[cfg_attr(not(feature = "nccl"), allow(dead_code))]
    At(u64),
    Int(usize),
    Long(usize),
    Real(f64),
}

/// The threads of a launch.
struct Threads {
    blocks: [usize; 3],
    of: [usize; 2],
}

impl Threads {
    /// One for each of `count` numbers.
    fn each(count: usize) -> Self {
        Self { blocks: [count.div_ceil(256).max(1), 1, 1], of: [256, 1] }
    }
}

/// A size that kernels count in an `int`.
fn counted(count: usize) -> Result<usize> {
    if i32::try_from(count).is_ok() {
        return Ok(count);
    }
    candle_core::bail!(
        "a tensor of {count} numbers is too large for a kernel on the GPU: the limit is 2147483647; take a smaller batch"
    )
}
