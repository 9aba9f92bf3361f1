//! Two-dimensional convolution (cross-correlation, as `torch.nn.Conv2d`).
//!
//! `last.rs` is the entry, for maps laid out channels last. `algorithm.rs` chooses the first that takes the sizes:
//!
//! | sizes | algorithm |
//! |---|---|
//! | an odd kernel, stride 1, same size; at most 32 products an output, or at most 4 outputs; f32 | `direct/` |
//! | 3 × 3, stride 1, padding 1, f32 | `winograd/`: a quarter of the multiplications |
//! | dilated, the size kept, f32 | `phases.rs`: the same on grids of cells that lie apart |
//! | 1 × 1, stride 1, no padding | `pointwise.rs`: one matrix product |
//! | as many groups as channels on both sides | `depthwise.rs`: vectors of channels |
//! | other strides, paddings, dilations and kernels without groups, f32 | `gathered/`: products that read windows where they lie |
//! | everything else | `windows.rs`: windows as rows, and one matrix product |
//!
//! `transposed.rs` makes a layer of the gradient of a convolution's input.

mod after;
mod algorithm;
pub mod call;
mod depthwise;
pub(crate) mod direct;
mod gathered;
pub mod last;
pub mod memory;
mod phases;
pub(crate) mod pointwise;
pub mod transposed;
mod windows;
pub(crate) mod winograd;

use super::Mismatch;

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

    fn input_len(&self) -> usize {
        self.batch * self.inputs * self.height * self.width
    }

    fn weight_len(&self) -> usize {
        self.outputs * (self.inputs / self.groups) * self.kernel * self.kernel
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
