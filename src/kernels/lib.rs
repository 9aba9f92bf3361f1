//! Fast CPU paths on plain slices: no Candle, no types of the language.
//!
//! A kernel that others may call checks the lengths of its slices on entry and returns a [`Mismatch`] where they
//! disagree with the sizes it was given; it never panics. Work is cut into parts by the sizes alone, and sums over
//! parts are taken in their order, so a result does not depend on the number of rayon's threads.
//!
//! | file | what |
//! |---|---|
//! | `conv/` | two-dimensional convolution: value, input gradient, weight and bias gradient |
//! | `pool.rs` | maximum and average over windows and whole maps |
//! | `curve.rs` | one function of one number with its slope, as vectors |
//! | `activation.rs` | `gelu`, `silu`, `tanh` and a leaky rectifier |
//! | `function.rs` | exponential, logarithm, root, size, softplus, sine, cosine and the logistic function |
//! | `bilinear.rs` | reading a map between its cells, and the gradients |
//! | `batch_norm.rs` | the channels of a batch, and a rectifier behind it |
//! | `resample.rs` | maps enlarged, and the way back |
//! | `join.rs` | tensors behind each other along an axis |
//! | `fresh.rs` | results that are written once |
//! | `normalize.rs` | instance norm and unit vectors |
//! | `layer_norm.rs` | the channels of every cell |
//! | `order.rs` | channels first and channels last |
//! | `runs.rs` | what runs of neighbors come to |
//! | `reduce.rs` | axes folded away |
//! | `spread.rs` | and what is left spread over them again |
//! | `soft.rs` | sums of exponentials along axes, and their gradients |
//! | `shares.rs` | shares of 1 along axes, and their logarithms |
//! | `parts.rs` | one task in parts, on as many threads as pay |
//! | `map.rs` | one function over one, two or three slices |
//! | `simd/` | vectors as wide as the machine has them |
//! | `slope.rs` | how steep a map is, by Sobel's filters |
//! | `turns.rs` | filters in all turns of a symmetry group |
//! | `gemm.rs` | matrix product on checked views |
//! | `matmul.rs` | products of matrices for each sample of a batch |
//! | `rank.rs` | numbers in order along lines, and running sums |
//! | `distance.rs` | distances of vectors, pair by pair |
//! | `nearest.rs` | the nearest of a list of vectors |
//! | `places.rs` | tables of all pairs of places |
//! | `peaks.rs` | cells that no cell nearby exceeds |
//! | `cuda/` | the same for GPUs: texts in CUDA C, which `rord-device` compiles and calls |
//! | `allocator.rs` | what is done where there is no memory |

#![allow(unsafe_code)]

pub mod activation;
pub mod all_distances;
pub mod allocator;
pub mod batch_norm;
pub mod bilinear;
pub mod conv;
pub mod cuda;
mod curve;
pub mod distance;
pub mod float;
mod fresh;
pub mod function;
pub mod gemm;
pub mod join;
pub mod layer_norm;
pub mod map;
pub mod matmul;
pub mod nearest;
pub mod normalize;
pub mod order;
mod parts;
pub mod peaks;
pub mod places;
pub mod pool;
pub mod rank;
pub mod reduce;
pub mod resample;
mod runs;
mod shared;
pub mod shares;
pub mod simd;
pub mod slope;
pub mod soft;
pub mod spread;
pub mod turns;

pub use float::Float;

/// Sizes that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A slice has another length than its sizes ask for.
    #[error("`{what}` holds {got} numbers, its sizes ask for {wanted}")]
    Length {
        /// Which slice.
        what: &'static str,
        /// The length the sizes ask for.
        wanted: usize,
        /// The length it has.
        got: usize,
    },
    /// Sizes with which the operation has no result.
    #[error("{0}")]
    Sizes(&'static str),
}

/// Fails unless `data` has the length `wanted`.
pub(crate) fn length<T>(what: &'static str, data: &[T], wanted: usize) -> Result<(), Mismatch> {
    if data.len() == wanted { Ok(()) } else { Err(Mismatch::Length { what, wanted, got: data.len() }) }
}

#[cfg(test)]
#[path = "../../tests/skip.rs"]
#[allow(clippy::panic)]
mod skip;
