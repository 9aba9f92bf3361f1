//! What follows a convolution where no algorithm does it in the same pass: relu and 2 × 2 maximum, forward and
//! backward.
#![allow(clippy::indexing_slicing)] // Window corners stay inside the map: the pooled sides are halves, rounded down.

use std::borrow::Cow;

use rayon::prelude::*;

use super::call::{After, DEAD, Past, Value};
use crate::pool::above;
use crate::{Float, Mismatch, length};

/// A convolution's value with `after` done with it.
pub(super) fn followed<T: Float>(
    mut numbers: Vec<T>,
    batch: usize,
    sides: (usize, usize),
    channels: usize,
    after: After,
) -> Value<T> {
    if after == After::ReluPool {
        return pooled(&numbers, batch, sides, channels);
    }
    if after == After::Relu {
        // Written so that what is not a number stays so.
        numbers.par_iter_mut().for_each(|y| *y = if *y <= T::ZERO { T::ZERO } else { *y });
    }
    Value { numbers, cells: Vec::new() }
}

/// The maxima of 2 × 2 windows, or 0 where that is larger.
fn pooled<T: Float>(x: &[T], batch: usize, (h, w): (usize, usize), channels: usize) -> Value<T> {
    let (rows, columns) = (h / 2, w / 2);
    let mut numbers = vec![T::ZERO; batch * rows * columns * channels];
    let mut cells = vec![DEAD; numbers.len()];
    let wide = (columns * channels).max(1);
    numbers.par_chunks_mut(wide).zip(cells.par_chunks_mut(wide)).enumerate().for_each(|(row, (numbers, cells))| {
        let top = (row / rows * h + row % rows * 2) * w * channels;
        for q in 0..columns {
            for c in 0..channels {
                let (to, corner) = (q * channels + c, top + 2 * q * channels + c);
                for (cell, at) in [0, channels, w * channels, (w + 1) * channels].into_iter().enumerate() {
                    let v = x[corner + at];
                    if above(v, numbers[to]) {
                        (numbers[to], cells[to]) = (v, cell as u8);
                    }
                }
            }
        }
    });
    Value { numbers, cells }
}

/// The gradient of the convolution itself, where `grad` is that of what followed it.
pub(super) fn undone<'a, T: Float>(
    past: Past<T>,
    grad: &'a [T],
    batch: usize,
    sides: (usize, usize),
    channels: usize,
) -> Result<Cow<'a, [T]>, Mismatch> {
    Ok(match past.after {
        After::Nothing => Cow::Borrowed(grad),
        After::Relu => {
            let slope = |(grad, value): (&T, &T)| if *value <= T::ZERO { T::ZERO } else { *grad };
            Cow::Owned(grad.par_iter().zip(past.value).map(slope).collect())
        }
        After::ReluPool => Cow::Owned(spread(grad, past.cells, batch, sides, channels)?),
    })
}

/// The gradient of maxima sent to the cells they were found in.
fn spread<T: Float>(
    grad: &[T],
    cells: &[u8],
    batch: usize,
    (h, w): (usize, usize),
    channels: usize,
) -> Result<Vec<T>, Mismatch> {
    let (rows, columns) = (h / 2, w / 2);
    length("cells", cells, grad.len())?;
    length("grad", grad, batch * rows * columns * channels)?;
    let mut out = vec![T::ZERO; batch * h * w * channels];
    out.par_chunks_mut((h * w * channels).max(1)).enumerate().for_each(|(image, out)| {
        for p in 0..rows {
            for q in 0..columns {
                for c in 0..channels {
                    let at = ((image * rows + p) * columns + q) * channels + c;
                    let (i, j) = (usize::from(cells[at] / 2), usize::from(cells[at] % 2));
                    if cells[at] < DEAD {
                        out[((2 * p + i) * w + 2 * q + j) * channels + c] = grad[at];
                    }
                }
            }
        }
    });
    Ok(out)
}
