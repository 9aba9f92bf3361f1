//! Windows into columns and back (im2col, col2im) for a few rows of the result.
#![allow(clippy::indexing_slicing)] // Ranges follow from `Geometry`; the callers have checked every slice against it.

use super::Geometry;
use crate::Float;

/// For tap `at` of the kernel along one axis: which of `count` windows see a cell, and the cell that window `from`
/// sees.
fn span(at: usize, n: usize, count: usize, g: &Geometry) -> (usize, usize, usize) {
    let (shift, pad) = (at * g.dilation, g.pad);
    let from = pad.saturating_sub(shift).div_ceil(g.stride).min(count);
    let to = (n + pad).saturating_sub(shift).div_ceil(g.stride).clamp(from, count);
    let cell = if from < to { from * g.stride + shift - pad } else { 0 };
    (from, to, cell)
}

/// Where a block's columns go: each tap's row is `stride` long and the block starts at `at` in it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub row: usize,
    pub rows: usize,
    pub out: (usize, usize),
    pub stride: usize,
    pub at: usize,
}

/// Writes the windows of `rows` result rows of the channels in `planes` (each height · width) as columns: row
/// `(c·k + i)·k + j` holds what tap (i, j) of channel c sees.
pub(super) fn unfold<T: Float>(g: &Geometry, planes: &[T], columns: &mut [T], place: Place) {
    let (h, w) = (g.height, g.width);
    let (out_h, out_w) = place.out;
    let mut line = 0;
    for plane in planes.chunks_exact(h * w) {
        for i in 0..g.kernel {
            let (top, bottom, first) = span(i, h, out_h, g);
            for j in 0..g.kernel {
                let (left, right, cell) = span(j, w, out_w, g);
                let target = &mut columns[line * place.stride + place.at..][..place.rows * out_w];
                for (r, target) in target.chunks_exact_mut(out_w).enumerate() {
                    let r = place.row + r;
                    if r < top || r >= bottom {
                        target.fill(T::ZERO);
                        continue;
                    }
                    let source = &plane[(first + (r - top) * g.stride) * w..][..w];
                    target[..left].fill(T::ZERO);
                    target[right..].fill(T::ZERO);
                    if g.stride == 1 {
                        target[left..right].copy_from_slice(&source[cell..cell + right - left]);
                    } else {
                        let seen = source[cell..].iter().step_by(g.stride);
                        for (t, s) in target[left..right].iter_mut().zip(seen) {
                            *t = *s;
                        }
                    }
                }
                line += 1;
            }
        }
    }
}

/// The transpose of [`unfold`]: adds each column's numbers to the cells its taps saw.
pub(super) fn fold<T: Float>(g: &Geometry, planes: &mut [T], columns: &[T], place: Place) {
    let (h, w) = (g.height, g.width);
    let (out_h, out_w) = place.out;
    let mut line = 0;
    for plane in planes.chunks_exact_mut(h * w) {
        for i in 0..g.kernel {
            let (top, bottom, first) = span(i, h, out_h, g);
            for j in 0..g.kernel {
                let (left, right, cell) = span(j, w, out_w, g);
                let source = &columns[line * place.stride + place.at..][..place.rows * out_w];
                line += 1;
                if left == right {
                    continue;
                }
                for (r, source) in source.chunks_exact(out_w).enumerate() {
                    let r = place.row + r;
                    if r < top || r >= bottom {
                        continue;
                    }
                    let target = &mut plane[(first + (r - top) * g.stride) * w..][..w];
                    let seen = target[cell..].iter_mut().step_by(g.stride);
                    for (t, s) in seen.zip(&source[left..right]) {
                        *t += *s;
                    }
                }
            }
        }
    }
}
