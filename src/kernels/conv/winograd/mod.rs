//! 3 × 3 convolution of maps laid out channels last by Winograd's F(4 × 4, 3 × 3): a quarter of the multiplications.
//!
//! Every 4 × 4 tile of the result is `Aᵀ [(G w Gᵀ) ⊙ (Bᵀ d B)] A`, where `d` is the 6 × 6 tile of the input that it
//! sees and `w` the kernel. Summed over input channels, the product ⊙ is 36 matrix products of (tiles × inputs) with
//! (inputs × outputs). The input's gradient is the same with kernels turned by 180° and channels exchanged; the
//! weight's gradient is `Gᵀ [Σ (Bᵀ d B) ⊙ (A g Aᵀ)] G` over all tiles, `g` the gradient's 4 × 4 tile.
//!
//! Source: A. Lavin, S. Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016,
//! <https://arxiv.org/abs/1509.09308>.
//!
//! | file | what |
//! |---|---|
//! | `transforms.rs` | the matrices A, B and G applied to vectors of channels |
//! | `grid.rs` | a table of vectors, for turning rows into columns |
//! | `pixels.rs` | the numbers of a map, or of what was rectified or pooled |
//! | `read.rs` | tiles of maps into transformed tiles |
//! | `ahead.rs` | what the next tiles read, fetched while products are computed |
//! | `write.rs` | transformed tiles into the result, with bias, relu and pooling |
//! | `weights.rs` | kernels into transformed kernels, and gradients of these back |
//! | `product.rs` | the 36 matrix products |
//! | `half.rs` | the same from numbers rounded to bfloat16 |
//! | `value.rs`, `weight_gradient.rs` | blocks of tiles that stay in the cache, on all cores |
#![allow(unsafe_code)]

use crate::simd::Simd;

mod ahead;
mod grid;
#[cfg(target_arch = "x86_64")]
mod half;
mod pixels;
mod product;
mod read;
mod scratch;
mod transforms;
pub(crate) mod value;
pub(crate) mod weight_gradient;
pub(crate) mod weights;
mod write;

pub use pixels::Source;
pub use value::{input_gradient, value};
pub use weight_gradient::weight_gradient;

/// Products of one element each: 6 × 6.
const POINTS: usize = 36;

/// Numbers added to the distance of the 36 points' matrices, so that these do not all begin at the same place of the
/// cache.
const STAGGER: usize = 16;

/// How the products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// With these instructions.
    simd: Simd,
    /// From numbers rounded to bfloat16.
    bf16: bool,
}

impl How {
    /// In single precision.
    pub fn single(simd: Simd) -> Self {
        Self { simd, bf16: false }
    }

    /// From rounded numbers; `None` where this machine has no instructions for it.
    pub fn rounded(simd: Simd) -> Option<Self> {
        simd.multiplies_bf16().then_some(Self { simd, bf16: true })
    }

    /// The place of a tile, so many numbers behind the first, in memory that holds numbers of 32 or 16 bits.
    fn tile(self, first: *mut f32, numbers: usize) -> *mut f32 {
        if self.bf16 { first.cast::<u16>().wrapping_add(numbers).cast() } else { first.wrapping_add(numbers) }
    }
}

/// The sizes of a 3 × 3 convolution with stride 1 and one zero of padding: the result is as large as the input.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Height of both maps.
    pub height: usize,
    /// Width of both maps.
    pub width: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the result.
    pub outputs: usize,
}

impl Sizes {
    /// The sizes with input and result exchanged.
    pub fn back(self) -> Self {
        Self { inputs: self.outputs, outputs: self.inputs, ..self }
    }

    /// Channels of input and result, filled up to whole vectors and whole panels.
    fn filled(&self, simd: Simd) -> (usize, usize) {
        let lanes = simd.shape().0;
        (self.inputs.next_multiple_of(lanes), self.outputs.next_multiple_of(2 * lanes))
    }

    /// Tiles of 4 × 4 in all images.
    fn tiles(&self) -> usize {
        self.batch * self.height.div_ceil(4) * self.width.div_ceil(4)
    }

    /// Image, first row and first column of a tile.
    #[inline(always)]
    fn tile(&self, number: usize) -> (usize, usize, usize) {
        let (rows, columns) = (self.height.div_ceil(4), self.width.div_ceil(4));
        let (image, rest) = (number / (rows * columns), number % (rows * columns));
        (image, rest / columns * 4, rest % columns * 4)
    }
}

#[cfg(test)]
mod tests;
