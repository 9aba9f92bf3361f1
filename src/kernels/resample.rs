//! Maps enlarged along both axes, and the way back: every cell of the result is a weighed sum of cells of some rows and columns.
#![allow(clippy::indexing_slicing)] // Taps are made for the sizes that the slices are checked against on entry.

use rayon::prelude::*;

use crate::simd::{Closure, Simd, run};
use crate::{Float, Mismatch, length};

/// For each cell of an axis of the result: the cells of the source that it is made of, and their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Taps<T> {
    of: Vec<Vec<(usize, T)>>,
    source: usize,
}

impl<T: Float> Taps<T> {
    /// An axis of `n` cells, each repeated `by` times.
    pub fn nearest(n: usize, by: usize) -> Self {
        Self { of: (0..n * by).map(|i| vec![(i / by.max(1), T::ONE)]).collect(), source: n }
    }

    /// An axis of `n` cells enlarged by `by`: between the centers of cells in a line, and the outermost cells beyond them, as
    /// `torch.nn.functional.interpolate(mode = "bilinear", align_corners = False)`.
    pub fn linear(n: usize, by: usize) -> Self {
        let one = |i: usize| {
            let place = ((i as f64 + 0.5) / by as f64 - 0.5).max(0.0);
            let low = (place.floor() as usize).min(n.saturating_sub(1));
            let part = place - low as f64;
            if part == 0.0 || low + 1 >= n {
                return vec![(low, T::ONE)];
            }
            vec![(low, T::of(1.0 - part)), (low + 1, T::of(part))]
        };
        Self { of: (0..n * by).map(one).collect(), source: n }
    }

    /// The way back: for each cell of the source those of the result that it is in.
    pub fn back(&self) -> Self {
        let mut of = vec![Vec::new(); self.source];
        for (i, taps) in self.of.iter().enumerate() {
            for (cell, weight) in taps {
                of[*cell].push((i, *weight));
            }
        }
        Self { of, source: self.of.len() }
    }
}

/// `x` (batch, rows, columns, channels) resampled along rows and columns.
pub fn resample<T: Float>(
    x: &[T],
    (batch, channels): (usize, usize),
    rows: &Taps<T>,
    columns: &Taps<T>,
) -> Result<Vec<T>, Mismatch> {
    let (height, width) = (rows.source, columns.source);
    length("x", x, batch * height * width * channels)?;
    let (line, own) = (width * channels, columns.of.len() * channels);
    let mut out = vec![T::ZERO; batch * rows.of.len() * own];
    if out.is_empty() {
        return Ok(out);
    }
    out.par_chunks_mut(own).enumerate().for_each_init(
        || vec![T::ZERO; line],
        |between, (at, out)| {
            let image = &x[at / rows.of.len() * height * line..][..height * line];
            let weighed = |to: &mut [T], from: &[T], weight: T, first: bool| {
                if first {
                    to.iter_mut().zip(from).for_each(|(to, x)| *to = *x * weight);
                } else {
                    to.iter_mut().zip(from).for_each(|(to, x)| *to += *x * weight);
                }
            };
            run(
                Simd::chosen(),
                Closure(|| {
                    for (k, (row, weight)) in rows.of[at % rows.of.len()].iter().enumerate() {
                        weighed(between, &image[row * line..][..line], *weight, k == 0);
                    }
                    for (out, taps) in out.chunks_exact_mut(channels).zip(&columns.of) {
                        for (k, (column, weight)) in taps.iter().enumerate() {
                            weighed(out, &between[column * channels..][..channels], *weight, k == 0);
                        }
                    }
                }),
            );
        },
    );
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_the_transpose() {
        for (n, m, by) in [(3, 5, 2), (4, 1, 3), (1, 2, 1)] {
            for of in [Taps::<f64>::nearest, Taps::<f64>::linear] {
                let (rows, columns) = (of(n, by), of(m, by));
                let x: Vec<f64> = (0..2 * n * m * 3).map(|i| (i * 37 % 11) as f64).collect();
                let g: Vec<f64> = (0..2 * n * m * 3 * by * by).map(|i| (i * 17 % 13) as f64).collect();
                let y = resample(&x, (2, 3), &rows, &columns).unwrap();
                let back = resample(&g, (2, 3), &rows.back(), &columns.back()).unwrap();
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                assert!((dot(&y, &g) - dot(&x, &back)).abs() < 1e-9);
                assert_eq!(y.len(), g.len());
            }
        }
        assert!(resample(&[1.0f32], (1, 2), &Taps::nearest(1, 1), &Taps::nearest(1, 1)).is_err());
    }
}
