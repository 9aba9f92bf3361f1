//! Two-dimensional convolution (cross-correlation, as `torch.nn.Conv2d`).
//!
//! `last.rs` is the entry, for maps laid out channels last. `algorithm.rs` chooses the first that takes the sizes:
//!
//! | sizes | algorithm |
//! |---|---|
//! | an odd kernel, stride 1, same size; at most 32 products an output, or at most 4 outputs; f32 | `direct/` |
//! | 3 × 3, stride 1, padding 1, f32 | `winograd/`: a quarter of the multiplications |
//! | 1 × 1, stride 1, no padding | `pointwise.rs`: one matrix product |
//! | as many groups as channels on both sides | `depthwise.rs`: vectors of channels |
//! | everything else, dilation and other groups among it | [`forward`], [`input_gradient`], [`weight_gradient`] |
//!
//! `transposed.rs` makes a layer of the gradient of a convolution's input.
//!
//! The last three take maps laid out (B, C, H, W): a cache-sized block of windows is unfolded into columns and
//! multiplied by `gemm`.

mod after;
mod algorithm;
pub mod call;
mod columns;
mod depthwise;
pub(crate) mod direct;
mod forward;
mod input_gradient;
pub mod last;
pub mod memory;
pub(crate) mod pointwise;
pub mod transposed;
mod weight_gradient;
pub(crate) mod winograd;

pub use forward::forward;
pub use input_gradient::input_gradient;
pub use weight_gradient::{bias_gradient, weight_gradient};

use super::Mismatch;

/// Numbers of one block of columns, chosen so that a block stays in a core's second-level cache.
const BLOCK: usize = 96 * 1024;

/// Results with fewer places than this are computed several images at a time, so that the matrix product has enough to
/// do.
const SMALL: usize = 128;

/// The sizes of a convolution. The kernel is square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Height of the input.
    pub height: usize,
    /// Width of the input.
    pub width: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Cells from a window to the next.
    pub stride: usize,
    /// Zeros added on every side.
    pub pad: usize,
    /// Cells from a tap of the kernel to the next.
    pub dilation: usize,
    /// Blocks of channels that do not mix.
    pub groups: usize,
}

impl Geometry {
    /// Height and width of the result; fails where there is none, or where channels do not divide into groups.
    pub fn result(&self) -> Result<(usize, usize), Mismatch> {
        if self.kernel == 0 || self.stride == 0 || self.dilation == 0 || self.groups == 0 {
            return Err(Mismatch::Sizes("a convolution's kernel, stride, dilation and groups are at least 1"));
        }
        if self.inputs == 0 || self.outputs == 0 || self.height == 0 || self.width == 0 {
            return Err(Mismatch::Sizes("a convolution needs at least one channel and one cell"));
        }
        if !self.inputs.is_multiple_of(self.groups) || !self.outputs.is_multiple_of(self.groups) {
            return Err(Mismatch::Sizes("a convolution's channels do not divide into its groups"));
        }
        let side = |n: usize| {
            let reach = (self.kernel - 1).checked_mul(self.dilation)?.checked_add(1)?;
            let padded = self.pad.checked_mul(2)?.checked_add(n)?;
            Some(padded.checked_sub(reach)? / self.stride + 1)
        };
        match (side(self.height), side(self.width)) {
            (Some(h), Some(w)) => {
                let sizes = [self.batch, self.outputs, h, w];
                let len = sizes.iter().try_fold(8usize, |len, n| len.checked_mul(*n));
                let fits = len.is_some_and(|len| isize::try_from(len).is_ok());
                if fits { Ok((h, w)) } else { Err(Mismatch::Sizes("a convolution's result is larger than any memory")) }
            }
            _ => Err(Mismatch::Sizes("a convolution's kernel is larger than its padded input")),
        }
    }

    fn group_inputs(&self) -> usize {
        self.inputs / self.groups
    }

    fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// Taps of one input channel.
    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// True where a column is a cell of the input, so that nothing need be unfolded.
    fn pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.pad == 0
    }

    fn input_len(&self) -> usize {
        self.batch * self.inputs * self.height * self.width
    }

    fn weight_len(&self) -> usize {
        self.outputs * self.group_inputs() * self.taps()
    }
}

/// A block of the result: some rows of one image, or all rows of several images.
#[derive(Clone, Copy, Debug)]
struct Block {
    image: usize,
    images: usize,
    row: usize,
    rows: usize,
}

/// Cuts the result into blocks whose columns, `depth` numbers a place, fit in the cache.
fn blocks(g: &Geometry, (h, w): (usize, usize), depth: usize) -> Vec<Block> {
    let places = h * w;
    let fitting = (BLOCK / depth.max(1)).clamp(SMALL, 4096);
    if places < SMALL {
        let images = (fitting / places.max(1)).max(1);
        return (0..g.batch)
            .step_by(images)
            .map(|image| Block { image, images: images.min(g.batch - image), row: 0, rows: h })
            .collect();
    }
    let rows = (fitting / w.max(1)).clamp(1, h);
    // Equal blocks: no last one of a single row.
    let rows = h.div_ceil(h.div_ceil(rows));
    (0..g.batch)
        .flat_map(|image| (0..h).step_by(rows).map(move |row| Block { image, images: 1, row, rows: rows.min(h - row) }))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
