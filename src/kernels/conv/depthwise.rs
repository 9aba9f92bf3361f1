//! Depthwise convolutions of maps laid out channels last: every channel by itself, many channels at a time.
#![allow(clippy::indexing_slicing)] // ranges of rows and columns are cut to the map; lengths are checked by the caller

use std::ops::Range;

use rayon::prelude::*;

use super::Geometry;
use crate::Float;
use crate::simd::{Lanes, Simd, Task, run};

/// Channels whose sums are kept in registers.
const BLOCK: usize = 32;

/// Parts of the result whose weight gradients are summed apart.
const PARTS: usize = 32;

/// True for a convolution that is one.
pub fn takes(g: &Geometry) -> bool {
    g.groups > 1 && g.groups == g.inputs && g.groups == g.outputs
}

/// `weight` (channels, 1, kernel, kernel) tap by tap: (kernel, kernel, channels).
fn by_taps<T: Float>(g: &Geometry, weight: &[T]) -> Vec<T> {
    let (taps, channels) = (g.kernel * g.kernel, g.outputs);
    (0..taps * channels).map(|i| weight[i % channels * taps + i / channels]).collect()
}

/// For every place along an axis, the taps that fall on the map there and the cell each falls on.
fn reach(g: &Geometry, n: usize, places: usize) -> Vec<Vec<(usize, usize)>> {
    let at = |place: usize, tap: usize| (place * g.stride + tap * g.dilation).checked_sub(g.pad).filter(|c| *c < n);
    (0..places).map(|p| (0..g.kernel).filter_map(|tap| Some((tap, at(p, tap)?))).collect()).collect()
}

/// For every cell along an axis, the taps that read it, and the place that each reads it for: [`reach`] the other way around.
fn read_by(g: &Geometry, n: usize, places: usize) -> Vec<Vec<(usize, usize)>> {
    let mut out = vec![Vec::new(); n];
    for (place, taps) in reach(g, n, places).into_iter().enumerate() {
        for (tap, cell) in taps {
            out[cell].push((tap, place));
        }
    }
    out
}

/// One row of sums: at each place, for each channel, weights times the cells of `x` that the taps name.
struct Row<'a, T> {
    out: &'a mut [T],
    start: Option<&'a [T]>,
    x: &'a [T],
    weight: &'a [T],
    width: usize,
    kernel: usize,
    channels: usize,
    rows: &'a [(usize, usize)],
    columns: &'a [Vec<(usize, usize)>],
}

impl<T: Float> Task for Row<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let c = self.channels;
        for (out, columns) in self.out.chunks_exact_mut(c).zip(self.columns) {
            for from in (0..c).step_by(BLOCK) {
                let size = BLOCK.min(c - from);
                let mut sums = [T::ZERO; BLOCK];
                if let Some(start) = self.start {
                    sums[..size].copy_from_slice(&start[from..][..size]);
                }
                for (i, row) in self.rows {
                    for (j, column) in columns {
                        let x = &self.x[(row * self.width + column) * c + from..][..size];
                        let weight = &self.weight[(i * self.kernel + j) * c + from..][..size];
                        if let (Ok(x), Ok(weight)) = (<&[T; BLOCK]>::try_from(x), <&[T; BLOCK]>::try_from(weight)) {
                            for ((sum, x), weight) in sums.iter_mut().zip(x).zip(weight) {
                                *sum += *x * *weight;
                            }
                        } else {
                            for ((sum, x), weight) in sums.iter_mut().zip(x).zip(weight) {
                                *sum += *x * *weight;
                            }
                        }
                    }
                }
                out[from..][..size].copy_from_slice(&sums[..size]);
            }
        }
    }
}

/// The value (batch, h, w, channels) of `x`.
pub fn value<T: Float>(g: &Geometry, x: &[T], weight: &[T], bias: Option<&[T]>, (h, w): (usize, usize)) -> Vec<T> {
    let (c, simd, weight) = (g.outputs, Simd::chosen(), by_taps(g, weight));
    let (rows, columns) = (reach(g, g.height, h), reach(g, g.width, w));
    let mut out = vec![T::ZERO; g.batch * h * w * c];
    out.par_chunks_mut(w * c).enumerate().for_each(|(at, out)| {
        let x = &x[at / h * g.height * g.width * c..][..g.height * g.width * c];
        let (rows, columns) = (&rows[at % h], &columns[..]);
        let (width, kernel, channels) = (g.width, g.kernel, c);
        run(simd, Row { out, start: bias, x, weight: &weight, width, kernel, channels, rows, columns });
    });
    out
}

/// The gradient of the input.
pub fn input_gradient<T: Float>(g: &Geometry, weight: &[T], grad: &[T], (h, w): (usize, usize)) -> Vec<T> {
    let (c, simd, weight) = (g.outputs, Simd::chosen(), by_taps(g, weight));
    let (rows, columns) = (read_by(g, g.height, h), read_by(g, g.width, w));
    let mut out = vec![T::ZERO; g.batch * g.height * g.width * c];
    out.par_chunks_mut(g.width * c).enumerate().for_each(|(at, out)| {
        let x = &grad[at / g.height * h * w * c..][..h * w * c];
        let (rows, columns) = (&rows[at % g.height], &columns[..]);
        let (width, kernel, channels) = (w, g.kernel, c);
        run(simd, Row { out, start: None, x, weight: &weight, width, kernel, channels, rows, columns });
    });
    out
}

/// Weight gradients of some rows of the result, tap by tap, and those of the bias behind them.
struct Sums<'a, T> {
    g: &'a Geometry,
    out: &'a mut [T],
    x: &'a [T],
    grad: &'a [T],
    rows: Range<usize>,
    size: (usize, usize),
    row_taps: &'a [Vec<(usize, usize)>],
    /// For each tap of a column, the places that it falls on the map for, and the cells.
    column_taps: &'a [Vec<(usize, usize)>],
}

impl<T: Float> Task for Sums<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (g, c, (h, w)) = (self.g, self.g.outputs, self.size);
        let (weights, bias) = self.out.split_at_mut(g.kernel * g.kernel * c);
        for at in self.rows {
            let x = &self.x[at / h * g.height * g.width * c..][..g.height * g.width * c];
            let grad = &self.grad[at * w * c..][..w * c];
            for cell in grad.chunks_exact(c) {
                bias.iter_mut().zip(cell).for_each(|(sum, g)| *sum += *g);
            }
            for (i, row) in &self.row_taps[at % h] {
                for (j, places) in self.column_taps.iter().enumerate() {
                    let out = &mut weights[(i * g.kernel + j) * c..][..c];
                    for from in (0..c).step_by(BLOCK) {
                        let size = BLOCK.min(c - from);
                        let mut sums = [T::ZERO; BLOCK];
                        for (place, column) in places {
                            let x = &x[(row * g.width + column) * c + from..][..size];
                            let grad = &grad[place * c + from..][..size];
                            if let (Ok(x), Ok(grad)) = (<&[T; BLOCK]>::try_from(x), <&[T; BLOCK]>::try_from(grad)) {
                                for ((sum, x), grad) in sums.iter_mut().zip(x).zip(grad) {
                                    *sum += *x * *grad;
                                }
                            } else {
                                for ((sum, x), grad) in sums.iter_mut().zip(x).zip(grad) {
                                    *sum += *x * *grad;
                                }
                            }
                        }
                        out[from..][..size].iter_mut().zip(&sums).for_each(|(out, sum)| *out += *sum);
                    }
                }
            }
        }
    }
}

/// The gradients of weight (channels, 1, kernel, kernel) and bias (channels).
pub fn weight_gradient<T: Float>(g: &Geometry, x: &[T], grad: &[T], size: (usize, usize)) -> (Vec<T>, Vec<T>) {
    let (c, taps, simd, (h, w)) = (g.outputs, g.kernel * g.kernel, Simd::chosen(), size);
    let row_taps = reach(g, g.height, h);
    let mut column_taps = vec![Vec::new(); g.kernel];
    for (place, found) in reach(g, g.width, w).into_iter().enumerate() {
        for (tap, cell) in found {
            column_taps[tap].push((place, cell));
        }
    }
    let rows = g.batch * h;
    let per = rows.div_ceil(PARTS).max(1);
    let starts: Vec<usize> = (0..rows).step_by(per).collect();
    let parts: Vec<Vec<T>> = starts
        .into_par_iter()
        .map(|from| {
            let mut out = vec![T::ZERO; taps * c + c];
            let (row_taps, column_taps, rows) = (&row_taps[..], &column_taps[..], from..(from + per).min(rows));
            run(simd, Sums { g, out: &mut out, x, grad, rows, size, row_taps, column_taps });
            out
        })
        .collect();
    let mut sums = vec![T::ZERO; taps * c + c];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
    let bias = sums.split_off(taps * c);
    ((0..c * taps).map(|i| sums[i % taps * c + i / taps]).collect(), bias)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::call::{After, Past, Wanted};
    use super::super::last::{general, general_backward};
    use super::*;

    #[test]
    fn it_computes_what_the_general_algorithm_does() {
        for (c, kernel, stride, pad, dilation) in
            [(3, 3, 1, 1, 1), (37, 5, 1, 2, 1), (32, 3, 2, 1, 1), (65, 3, 1, 2, 2), (4, 2, 3, 0, 1)]
        {
            let (batch, height, width) = (2, 9, 7);
            let g = Geometry { batch, inputs: c, height, width, outputs: c, kernel, stride, pad, dilation, groups: c };
            assert!(takes(&g));
            let size = g.result().unwrap();
            let mut stream = rord_random::Stream::new(4, &[]);
            let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| stream.range(-1.0, 1.0)).collect() };
            let (x, weight, bias) = (draw(batch * height * width * c), draw(c * kernel * kernel), draw(c));
            let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
            let wanted = general(&g, &x, &weight, Some(&bias), After::Nothing).unwrap().numbers;
            assert!(near(&value(&g, &x, &weight, Some(&bias), size), &wanted), "{g:?}");
            let grad = draw(wanted.len());
            let past = Past { after: After::Nothing, value: &wanted[..], cells: &[] };
            let all = Wanted { x: true, weight: true, bias: true };
            let back = general_backward(&g, &x, &weight, past, &grad, all).unwrap();
            let (dw, db) = weight_gradient(&g, &x, &grad, size);
            assert!(near(&input_gradient(&g, &weight, &grad, size), &back.x.unwrap()), "{g:?}");
            assert!(near(&dw, &back.weight.unwrap()) && near(&db, &back.bias.unwrap()), "{g:?}");
        }
    }
}
