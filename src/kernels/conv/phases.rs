//! A dilated convolution that keeps the size, as plain ones: cells that lie `dilation` apart see nothing but each other, so each
//! of the dilation² grids of such cells is a map of its own, and what is fast for plain convolutions is fast for them.
#![allow(clippy::indexing_slicing)] // Ranges follow from the sizes; lengths are checked by the callers.

use rayon::prelude::*;

use super::Geometry;
use super::algorithm::Algorithm;
use crate::Float;

/// The plain convolution of all grids, if there is a fast one.
pub fn of(g: &Geometry) -> Option<Geometry> {
    let d = g.dilation;
    if d < 2 || g.kernel.is_multiple_of(2) || g.pad != d * (g.kernel / 2) || g.stride != 1 || g.groups != 1 {
        return None;
    }
    let plain = Geometry {
        batch: g.batch.checked_mul(d * d)?,
        height: g.height.div_ceil(d),
        width: g.width.div_ceil(d),
        pad: g.kernel / 2,
        dilation: 1,
        ..*g
    };
    // Where a grid is smaller than the kernel most products would be with nothing.
    let large = plain.height >= g.kernel && plain.width >= g.kernel;
    (large && Algorithm::of(&plain).is_some()).then_some(plain)
}

/// The map `x` (batch, height, width, channels) of `g` as grids, (batch · dilation², height, width, channels) of `plain`, zeros
/// behind the edge of those that are a row or a column shorter.
pub fn split<T: Float>(g: &Geometry, plain: &Geometry, x: &[T], channels: usize) -> Vec<T> {
    let (d, line) = (g.dilation, plain.width * channels);
    let mut out = vec![T::ZERO; plain.batch * plain.height * line];
    out.par_chunks_mut(line.max(1)).enumerate().for_each(|(at, out)| {
        let (grid, row) = (at / plain.height, at % plain.height);
        let (image, down, right) = (grid / (d * d), grid / d % d, grid % d);
        let y = row * d + down;
        if y < g.height {
            let from = &x[(image * g.height + y) * g.width * channels..][..g.width * channels];
            let cells = from.chunks_exact(channels).skip(right).step_by(d);
            out.chunks_exact_mut(channels).zip(cells).for_each(|(to, from)| to.copy_from_slice(from));
        }
    });
    out
}

/// The reverse of [`split`].
pub fn join<T: Float>(g: &Geometry, plain: &Geometry, grids: &[T], channels: usize) -> Vec<T> {
    let (d, line) = (g.dilation, g.width * channels);
    let mut out = vec![T::ZERO; g.batch * g.height * line];
    out.par_chunks_mut(line.max(1)).enumerate().for_each(|(at, out)| {
        let (image, y) = (at / g.height, at % g.height);
        for (x, to) in out.chunks_exact_mut(channels).enumerate() {
            let grid = (image * d + y % d) * d + x % d;
            let cell = (grid * plain.height + y / d) * plain.width + x / d;
            to.copy_from_slice(&grids[cell * channels..][..channels]);
        }
    });
    out
}
