//! The sources of kernels for GPUs, CUDA C in `cuda/*.cu`. They are compiled where they run; this crate only holds the texts, and its
//! tests compile the same as C++ and compare them with the kernels for the CPU.

/// What follows convolutions, and pooling.
pub const MAPS: &str = include_str!("cuda/maps.cu");
/// Convolutions as products of matrices.
pub const WINDOWS: &str = include_str!("cuda/windows.cu");
/// Reading between cells.
pub const BILINEAR: &str = include_str!("cuda/bilinear.cu");
/// The choice of a hard negative.
pub const NEAREST: &str = include_str!("cuda/nearest.cu");
/// Normalization.
pub const NORM: &str = include_str!("cuda/norm.cu");
/// A step of an optimizer.
pub const OPTIM: &str = include_str!("cuda/optim.cu");
/// Sums over ranks.
pub const SUMS: &str = include_str!("cuda/sums.cu");

const COMMON: &str = include_str!("cuda/common.cu");

/// A whole source for the device's compiler: `types` defines S and T.
pub fn whole(types: &str, source: &str) -> String {
    format!("#define KERNEL extern \"C\" __global__ void\n{COMMON}\n{types}\n{source}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
