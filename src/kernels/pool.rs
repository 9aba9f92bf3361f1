//! Maximum and average over square windows, and over whole maps. An incomplete last window is dropped.
// Window ends are cut to the plane by `Windows::span`; lengths are checked on entry.
#![allow(clippy::indexing_slicing)]

mod last;

use std::ops::Range;

use rayon::prelude::*;

use super::simd::{Closure, Simd, run};
use super::{Float, Mismatch, length};

pub use last::{maximum_backward_last, maximum_last};

/// The sizes of a pooling: `planes` maps of `height` × `width`, windows of side `side` every `stride` cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Maps: batch times channels.
    pub planes: usize,
    /// Height of a map.
    pub height: usize,
    /// Width of a map.
    pub width: usize,
    /// Side of a window.
    pub side: usize,
    /// Cells from a window to the next.
    pub stride: usize,
    /// Cells around the map that windows reach into: at most half a window, so that each has a cell of the map. No
    /// maximum is found there.
    pub pad: usize,
    /// True where an average counts them, as zeros; else it is over the cells of the map alone.
    pub counted: bool,
}

impl Windows {
    /// Windows within the map.
    pub fn inside(planes: usize, (height, width): (usize, usize), side: usize, stride: usize) -> Self {
        Self { planes, height, width, side, stride, pad: 0, counted: true }
    }

    /// Height and width of the result.
    pub fn result(&self) -> Result<(usize, usize), Mismatch> {
        if self.side == 0 || self.stride == 0 {
            return Err(Mismatch::Sizes("a pooling window and its stride are at least 1"));
        }
        if self.pad > self.side / 2 {
            return Err(Mismatch::Sizes("a pooling window is padded by more than half of it"));
        }
        let room = |n: usize| n.checked_add(2 * self.pad)?.checked_sub(self.side).filter(|_| n > 0);
        match (room(self.height), room(self.width)) {
            (Some(h), Some(w)) => Ok((h / self.stride + 1, w / self.stride + 1)),
            _ => Err(Mismatch::Sizes("a pooling window is larger than its map")),
        }
    }

    /// The cells of the map, of `n` along an axis, that window number `at` covers: one at least.
    fn span(&self, at: usize, n: usize) -> Range<usize> {
        let from = at * self.stride;
        from.saturating_sub(self.pad)..(from + self.side - self.pad).min(n)
    }

    /// The cells of the map that a window covers.
    fn window(&self, row: usize, column: usize) -> (Range<usize>, Range<usize>) {
        (self.span(row, self.height), self.span(column, self.width))
    }

    /// What a sum over a window is multiplied by to be its average.
    fn share<T: Float>(&self, rows: &Range<usize>, columns: &Range<usize>) -> T {
        let cells = if self.counted { self.side * self.side } else { rows.len() * columns.len() };
        T::of(1.0 / cells as f64)
    }

    fn cells(&self) -> Result<usize, Mismatch> {
        let cells = self.height * self.width;
        // The place of a maximum is kept in 32 bits.
        if u32::try_from(cells).is_ok() { Ok(cells) } else { Err(Mismatch::Sizes("a map has more than 2³² cells")) }
    }
}

/// True where `x` takes the place of `best`: what is not a number does, as in torch, so that it cannot vanish.
pub fn above<T: Float>(x: T, best: T) -> bool {
    x > best || x.partial_cmp(&x).is_none()
}

/// The largest number of each window, and the cell (row · width + column) of the first one that is as large.
// The number of a cell is part of the answer.
#[allow(clippy::needless_range_loop)]
pub fn maximum<T: Float>(g: &Windows, x: &[T]) -> Result<(Vec<T>, Vec<u32>), Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let mut value = vec![T::ZERO; g.planes * h * w];
    let mut chosen = vec![0u32; g.planes * h * w];
    let planes = value.par_chunks_mut(h * w).zip(chosen.par_chunks_mut(h * w)).zip(x.par_chunks(cells));
    planes.for_each(|((value, chosen), x)| {
        let rows = value.chunks_exact_mut(w).zip(chosen.chunks_exact_mut(w)).enumerate();
        for (p, (value, chosen)) in rows {
            for (q, (value, chosen)) in value.iter_mut().zip(chosen).enumerate() {
                let (rows, columns) = g.window(p, q);
                let corner = rows.start * g.width + columns.start;
                let (mut best, mut at) = (x[corner], corner);
                for i in rows {
                    for cell in i * g.width + columns.start..i * g.width + columns.end {
                        if above(x[cell], best) {
                            (best, at) = (x[cell], cell);
                        }
                    }
                }
                (*value, *chosen) = (best, at as u32);
            }
        }
    });
    Ok((value, chosen))
}

/// Sends each window's gradient to the cell that [`maximum`] chose.
pub fn maximum_backward<T: Float>(g: &Windows, chosen: &[u32], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("gradient", grad, g.planes * h * w)?;
    length("places of the maxima", chosen, grad.len())?;
    let mut out = vec![T::ZERO; g.planes * cells];
    out.par_chunks_mut(cells).zip(chosen.par_chunks(h * w)).zip(grad.par_chunks(h * w)).for_each(
        |((out, chosen), grad)| {
            for (at, grad) in chosen.iter().zip(grad) {
                if let Some(cell) = out.get_mut(*at as usize) {
                    *cell += *grad;
                }
            }
        },
    );
    Ok(out)
}

/// The mean of each window.
pub fn average<T: Float>(g: &Windows, x: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let mut value = vec![T::ZERO; g.planes * h * w];
    if g.stride == 1 && g.side > 3 {
        sliding(g, (h, w), &mut value, x);
        return Ok(value);
    }
    value.par_chunks_mut(h * w).zip(x.par_chunks(cells)).for_each(|(value, x)| {
        for (at, value) in value.iter_mut().enumerate() {
            let (rows, columns) = g.window(at / w, at % w);
            let share = g.share::<T>(&rows, &columns);
            let rows = rows.map(|i| &x[i * g.width..][columns.clone()]);
            *value = rows.map(|row| row.iter().copied().sum::<T>()).sum::<T>() * share;
        }
    });
    Ok(value)
}

/// Rows that one task of [`sliding`] makes.
const ROWS: usize = 8;
/// Sums that are held in registers.
const HELD: usize = 64;

/// The mean of each window, of windows that move by one cell: sums along rows first, then of these along columns. A wide
/// window takes 2·k additions a cell, not k², and they are of neighbors side by side. A picture may be one plane alone, so tasks are rows.
fn sliding<T: Float>(g: &Windows, (h, w): (usize, usize), value: &mut [T], x: &[T]) {
    let simd = Simd::chosen();
    let mut sums = vec![T::ZERO; g.planes * g.height * w];
    let along = |padded: &mut Vec<T>, (sums, x): (&mut [T], &[T])| {
        let each = || {
            for (sums, x) in sums.chunks_exact_mut(w).zip(x.chunks_exact(g.width)) {
                padded[g.pad..g.pad + g.width].copy_from_slice(x);
                added(sums, (0..g.side).map(|j| &padded[j..]));
            }
        };
        run(simd, Closure(each));
    };
    let padded = || vec![T::ZERO; g.width + 2 * g.pad];
    sums.par_chunks_mut(ROWS * w).zip(x.par_chunks(ROWS * g.width)).for_each_init(padded, along);
    let down = |(count, shares): &mut (usize, Vec<T>), (task, value): (usize, &mut [T])| {
        let each = || {
            for (row, value) in (task * ROWS..).zip(value.chunks_exact_mut(w)) {
                let (rows, _) = g.window(row % h, 0);
                let plane = &sums[row / h * g.height * w..];
                added(value, rows.clone().map(|i| &plane[i * w..]));
                if *count != rows.len() {
                    *count = rows.len();
                    shares.clear();
                    shares.extend((0..w).map(|q| g.share::<T>(&rows, &g.window(row % h, q).1)));
                }
                value.iter_mut().zip(&*shares).for_each(|(value, share)| *value = *value * *share);
            }
        };
        run(simd, Closure(each));
    };
    value.par_chunks_mut(ROWS * w).enumerate().for_each_init(|| (0, Vec::new()), down);
}

/// The sum of as many numbers of each of the lists, in their order.
#[inline(always)]
fn added<'a, T: Float>(out: &mut [T], lists: impl Iterator<Item = &'a [T]> + Clone) {
    let mut from = 0;
    let mut held = out.chunks_exact_mut(HELD);
    for out in held.by_ref() {
        let mut sum = [T::ZERO; HELD];
        for list in lists.clone() {
            sum.iter_mut().zip(&list[from..from + HELD]).for_each(|(sum, x)| *sum += *x);
        }
        out.copy_from_slice(&sum);
        from += HELD;
    }
    let rest = held.into_remainder();
    rest.fill(T::ZERO);
    for list in lists {
        rest.iter_mut().zip(&list[from..]).for_each(|(sum, x)| *sum += *x);
    }
}

/// [`average`] of maps (image, height, width, channels).
pub fn average_last<T: Float>(g: &Windows, channels: usize, x: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let mut value = vec![T::ZERO; g.planes * h * w];
    value.par_chunks_mut((w * channels).max(1)).enumerate().for_each(|(at, value)| {
        let image = &x[at / h * cells * channels..][..cells * channels];
        for (q, value) in value.chunks_exact_mut(channels).enumerate() {
            let (rows, columns) = g.window(at % h, q);
            let share = g.share::<T>(&rows, &columns);
            for i in rows {
                let row = &image[(i * g.width + columns.start) * channels..][..columns.len() * channels];
                for cell in row.chunks_exact(channels) {
                    value.iter_mut().zip(cell).for_each(|(sum, x)| *sum += *x);
                }
            }
            value.iter_mut().for_each(|sum| *sum = *sum * share);
        }
    });
    Ok(value)
}

/// [`average_backward`] of maps (image, height, width, channels).
pub fn average_backward_last<T: Float>(g: &Windows, channels: usize, grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("gradient", grad, g.planes * h * w)?;
    let mut out = vec![T::ZERO; g.planes * cells];
    let (whole, part) = ((cells * channels).max(1), (h * w * channels).max(1));
    out.par_chunks_mut(whole).zip(grad.par_chunks(part)).for_each(|(out, grad)| {
        for (at, grad) in grad.chunks_exact(channels).enumerate() {
            let (rows, columns) = g.window(at / w, at % w);
            let share = g.share::<T>(&rows, &columns);
            for i in rows {
                let row = &mut out[(i * g.width + columns.start) * channels..][..columns.len() * channels];
                for cell in row.chunks_exact_mut(channels) {
                    cell.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += *grad * share);
                }
            }
        }
    });
    Ok(out)
}

/// Spreads each window's gradient evenly over its cells.
pub fn average_backward<T: Float>(g: &Windows, grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("gradient", grad, g.planes * h * w)?;
    let mut out = vec![T::ZERO; g.planes * cells];
    out.par_chunks_mut(cells).zip(grad.par_chunks(h * w)).for_each(|(out, grad)| {
        for (at, grad) in grad.iter().enumerate() {
            let (rows, columns) = g.window(at / w, at % w);
            let share = g.share::<T>(&rows, &columns);
            for i in rows {
                for cell in &mut out[i * g.width..][columns.clone()] {
                    *cell += *grad * share;
                }
            }
        }
    });
    Ok(out)
}

/// The mean of each map of `cells` cells.
pub fn whole<T: Float>(x: &[T], cells: usize) -> Result<Vec<T>, Mismatch> {
    if cells == 0 || !x.len().is_multiple_of(cells) {
        return Err(Mismatch::Sizes("maps do not divide their slice"));
    }
    let share = T::of(1.0 / cells as f64);
    Ok(x.par_chunks(cells).map(|x| super::normalize::sum(x, x, |x, _| x) * share).collect())
}

/// [`whole`] of maps (image, cells, channels).
pub fn whole_last<T: Float>(x: &[T], (cells, channels): (usize, usize)) -> Result<Vec<T>, Mismatch> {
    if cells == 0 || channels == 0 || !x.len().is_multiple_of(cells * channels) {
        return Err(Mismatch::Sizes("maps do not divide their slice"));
    }
    let share = T::of(1.0 / cells as f64);
    let mut out = vec![T::ZERO; x.len() / cells];
    out.par_chunks_mut(channels).zip(x.par_chunks(cells * channels)).for_each(|(out, x)| {
        let [sums] = super::normalize::sums_last(x, x, channels, |_, x, _| [x]);
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * share);
    });
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_maxima_is_chosen_and_the_rest_dropped() {
        let g = Windows::inside(1, (3, 5), 2, 2);
        let x = [1.0f32, 1.0, 0.0, 2.0, 9.0, 1.0, 1.0, 2.0, 2.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
        let (value, chosen) = maximum(&g, &x).unwrap();
        assert_eq!((value, chosen.clone()), (vec![1.0, 2.0], vec![0, 3]));
        let back = maximum_backward(&g, &chosen, &[5.0f32, 7.0]).unwrap();
        assert_eq!((back[0], back[3], back.iter().sum::<f32>()), (5.0, 7.0, 12.0));
        assert_eq!(average(&g, &x).unwrap(), vec![1.0, 1.5]);
        assert_eq!(average_backward(&g, &[4.0f32, 8.0]).unwrap()[..5], [1.0, 1.0, 2.0, 2.0, 0.0]);
        assert!(maximum(&Windows { side: 4, ..g }, &x).is_err() && average(&g, &x[1..]).is_err());
    }

    #[test]
    fn a_padded_window_finds_its_maximum_inside_and_counts_what_it_is_told_to() {
        let g = Windows { side: 3, stride: 2, pad: 1, ..Windows::inside(1, (2, 3), 3, 2) };
        let x = [-1.0f32, -2.0, -3.0, -4.0, -5.0, -6.0];
        assert_eq!(maximum(&g, &x).unwrap(), (vec![-1.0, -2.0], vec![0, 1]));
        let sums = [-12.0f32, -16.0];
        assert_eq!(average(&g, &x).unwrap(), sums.map(|x| x * (1.0 / 9.0)));
        assert_eq!(average(&Windows { counted: false, ..g }, &x).unwrap(), [-3.0, -4.0]);
        assert_eq!(average_last(&Windows { counted: false, ..g }, 1, &x).unwrap(), [-3.0, -4.0]);
        assert!(maximum(&Windows { pad: 2, ..g }, &x).is_err());
        assert_eq!(whole(&x, 3).unwrap(), [-2.0, -5.0]);
        assert_eq!(whole_last(&x, (3, 2)).unwrap(), [-3.0, -4.0]);
    }
}
