//! Distances of every vector of one list from every vector of another, by one matrix product: ‖a - b‖² = ‖a‖² + ‖b‖² - 2·a·b. What follows
//! a product is done while its rows are in the cache.
#![allow(clippy::indexing_slicing)] // Rows are cut by the sizes that the slices are checked against on entry.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::fresh::made;
use crate::gemm::{Matrix, multiply};
use crate::nearest::Lists;
use crate::normalize::sum;
use crate::simd::{Lanes, Simd, Task, run};
use crate::{Float, Mismatch, length};

/// Rows of a table that one task takes.
const ROWS: usize = 128;

/// What is made of a squared distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Of<T> {
    /// Itself.
    Square,
    /// The root of it and this.
    Root(T),
}

/// The table (batch, anchors, candidates) of `a` (batch, anchors, channels) and `b` (batch, candidates, channels). No square is below 0.
pub fn value<T: Float>(g: &Lists, a: &[T], b: &[T], of: Of<T>) -> Result<Vec<T>, Mismatch> {
    let (n, m, c) = checked(g, a, b)?;
    let mut out = vec![T::ZERO; g.batch * n * m];
    if out.is_empty() {
        return Ok(out);
    }
    let squares = |x: &[T], count: usize| match c {
        0 => vec![T::ZERO; count],
        _ => x.par_chunks(c).map(|x| sum(x, x, |x, y| x * y)).collect(),
    };
    let (squares_a, squares_b) = (squares(a, g.batch * n), squares(b, g.batch * m));
    out.par_chunks_mut(n * m).enumerate().try_for_each(|(image, out)| {
        let (b, squares_b) = (&b[image * m * c..][..m * c], &squares_b[image * m..][..m]);
        out.par_chunks_mut(ROWS * m).enumerate().try_for_each(|(block, out)| {
            let (count, first) = (out.len() / m, image * n + block * ROWS);
            if c > 0 {
                let a = Matrix::rows(&a[first * c..], count, c, c);
                multiply(out, m, a, Matrix::rows(b, m, c, c).transposed(), false)?;
            }
            run(Simd::chosen(), Finish { out, own: &squares_a[first..][..count], other: squares_b, of });
            Ok(())
        })
    })?;
    Ok(out)
}

/// The gradients of the lists that are wanted, from the table and its gradient; those that are not are empty.
pub fn gradients<T: Float>(
    g: &Lists,
    (a, b): (&[T], &[T]),
    table: &[T],
    grad: &[T],
    of: Of<T>,
    wanted: [bool; 2],
) -> Result<[Vec<T>; 2], Mismatch> {
    let (n, m, c) = checked(g, a, b)?;
    length("distances", table, g.batch * n * m)?;
    length("gradient", grad, table.len())?;
    let room = |x: &[T], wanted: bool| vec![T::ZERO; if wanted { x.len() } else { 0 }];
    let mut out = [room(a, wanted[0]), room(b, wanted[1])];
    if table.is_empty() || c == 0 {
        return Ok(out);
    }
    // Only differences count, so that both lists may be seen from the first vector of the second: of vectors that are nearly the same
    // little is left to be rounded.
    let seen = |x: &[T], size: usize| -> Vec<T> {
        let mut out = x.to_vec();
        for (out, b) in out.chunks_exact_mut(size * c).zip(b.chunks_exact(m * c)) {
            for out in out.chunks_exact_mut(c) {
                out.iter_mut().zip(b).for_each(|(x, first)| *x = *x - *first);
            }
        }
        out
    };
    let (a, b) = (&seen(a, n)[..], &seen(b, m)[..]);
    let blocks = n.div_ceil(ROWS);
    let (mut rows, mut columns) = (vec![T::ZERO; g.batch * n], vec![T::ZERO; g.batch * blocks * m]);
    let fill = |weights: &mut [MaybeUninit<T>]| {
        let sums = rows.par_chunks_mut(n).zip(columns.par_chunks_mut(blocks * m));
        weights.par_chunks_mut(n * m).zip(sums).enumerate().for_each(|(image, (weights, (rows, columns)))| {
            let sums = rows.par_chunks_mut(ROWS).zip(columns.par_chunks_mut(m));
            weights.par_chunks_mut(ROWS * m).zip(sums).enumerate().for_each(|(block, (out, (rows, columns)))| {
                let at = image * n * m + block * ROWS * m;
                let (table, grad) = (&table[at..][..out.len()], &grad[at..][..out.len()]);
                run(Simd::chosen(), Weights { out, table, grad, of, rows, columns });
            });
        });
    };
    // SAFETY: the blocks cover the table, and each is written.
    #[allow(unsafe_code)]
    let weights = unsafe { made(table.len(), fill) };
    // Σ over the partners of w·(own - partner), with the weights negative: own·Σw + Σ(-w)·partner.
    let side = |out: &mut [T], size: usize, own: &[T], sum: &(dyn Fn(usize, usize) -> T + Sync), turned: bool| {
        out.par_chunks_mut(size * c).enumerate().try_for_each(|(image, out)| {
            let (whole, table) = (&own[image * size * c..][..size * c], &weights[image * n * m..][..n * m]);
            let table = Matrix::rows(table, n, m, m);
            let (table, partner) = match turned {
                true => (table.transposed(), Matrix::rows(&a[image * n * c..], n, c, c)),
                false => (table, Matrix::rows(&b[image * m * c..], m, c, c)),
            };
            out.par_chunks_mut(ROWS * c).zip(whole.par_chunks(ROWS * c)).enumerate().try_for_each(
                |(block, (out, own))| {
                    for (i, (out, own)) in out.chunks_exact_mut(c).zip(own.chunks_exact(c)).enumerate() {
                        let sum = sum(image, block * ROWS + i);
                        out.iter_mut().zip(own).for_each(|(out, own)| *out = *own * sum);
                    }
                    let data = &table.data[block * ROWS * table.row_stride..];
                    multiply(out, c, Matrix { data, rows: out.len() / c, ..table }, partner, true)
                },
            )
        })
    };
    let column = |image: usize, j: usize| (0..blocks).map(|block| columns[(image * blocks + block) * m + j]).sum();
    let [of_a, of_b] = &mut out;
    side(of_a, n, a, &|image, i| rows[image * n + i], false)?;
    side(of_b, m, b, &column, true)?;
    Ok(out)
}

/// Anchors, candidates and channels, where the slices have them.
fn checked<T: Float>(g: &Lists, a: &[T], b: &[T]) -> Result<(usize, usize, usize), Mismatch> {
    length("first vectors", a, g.batch * g.anchors * g.channels)?;
    length("second vectors", b, g.batch * g.candidates * g.channels)?;
    Ok((g.anchors, g.candidates, g.channels))
}

/// Products of some rows become distances.
struct Finish<'a, T> {
    out: &'a mut [T],
    own: &'a [T],
    other: &'a [T],
    of: Of<T>,
}

impl<T: Float> Task for Finish<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for (out, own) in self.out.chunks_exact_mut(self.other.len()).zip(self.own) {
            match self.of {
                Of::Square => finish(out, *own, self.other, |square| square),
                Of::Root(more) => finish(out, *own, self.other, |square| (square + more).root()),
            }
        }
    }
}

/// Products of a vector with others become what is made of their squared distances; `own` and `other` are the squares of both.
#[inline(always)]
pub(crate) fn finish<T: Float>(out: &mut [T], own: T, other: &[T], then: impl Fn(T) -> T) {
    for (out, other) in out.iter_mut().zip(other) {
        *out = then((own + *other - (*out + *out)).larger(T::ZERO));
    }
}

/// What each difference counts in the gradient, negative, with the sums of rows and columns of what it counts.
struct Weights<'a, T> {
    out: &'a mut [MaybeUninit<T>],
    table: &'a [T],
    grad: &'a [T],
    of: Of<T>,
    rows: &'a mut [T],
    columns: &'a mut [T],
}

impl<T: Float> Task for Weights<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Self { out, table, grad, of, rows, columns } = self;
        let m = columns.len();
        let both = table.chunks_exact(m).zip(grad.chunks_exact(m));
        for ((out, (table, grad)), row) in out.chunks_exact_mut(m).zip(both).zip(rows) {
            *row = match of {
                Of::Square => weigh(out, table, grad, columns, |_, grad| grad + grad),
                Of::Root(_) => weigh(out, table, grad, columns, |d, grad| grad / d),
            };
        }
    }
}

#[inline(always)]
fn weigh<T: Float>(
    out: &mut [MaybeUninit<T>],
    table: &[T],
    grad: &[T],
    columns: &mut [T],
    weight: impl Fn(T, T) -> T,
) -> T {
    let mut lanes = [T::ZERO; 16];
    let parts = out.chunks_mut(16).zip(columns.chunks_mut(16)).zip(table.chunks(16).zip(grad.chunks(16)));
    for ((out, columns), (table, grad)) in parts {
        let both = out.iter_mut().zip(columns).zip(table.iter().zip(grad));
        for (lane, ((out, column), (d, grad))) in lanes.iter_mut().zip(both) {
            let w = weight(*d, *grad);
            out.write(-w);
            *lane += w;
            *column += w;
        }
    }
    lanes.into_iter().sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_what_pairs_say_and_so_are_its_gradients() {
        let g = Lists { batch: 2, anchors: 150, candidates: 37, channels: 5 };
        let numbers = |n: usize, by: f64| -> Vec<f64> { (0..n).map(|i| (i as f64 * by).sin()).collect() };
        let (a, b) = (numbers(2 * 150 * 5, 0.37), numbers(2 * 37 * 5, 0.73));
        let grad = numbers(2 * 150 * 37, 0.19);
        for of in [Of::Square, Of::Root(1e-6)] {
            let table = value(&g, &a, &b, of).unwrap();
            let (mut da, mut db) = (vec![0.0; a.len()], vec![0.0; b.len()]);
            for (at, d) in table.iter().enumerate() {
                let (image, i, j) = (at / (150 * 37), at / 37 % 150, at % 37);
                let (i, j) = (5 * (image * 150 + i), 5 * (image * 37 + j));
                let apart: Vec<f64> = (0..5).map(|k| a[i + k] - b[j + k]).collect();
                let square: f64 = apart.iter().map(|x| x * x).sum();
                let (expected, slope) = match of {
                    Of::Square => (square, 2.0),
                    Of::Root(more) => ((square + more).sqrt(), 1.0 / (square + more).sqrt()),
                };
                assert!((d - expected).abs() < 1e-9, "{d} {expected}");
                for k in 0..5 {
                    da[i + k] += grad[at] * slope * apart[k];
                    db[j + k] -= grad[at] * slope * apart[k];
                }
            }
            let [found_a, found_b] = gradients(&g, (&a, &b), &table, &grad, of, [true; 2]).unwrap();
            let apart = [[true, false], [false, true]].map(|w| gradients(&g, (&a, &b), &table, &grad, of, w).unwrap());
            assert_eq!(apart, [[found_a.clone(), vec![]], [vec![], found_b.clone()]]);
            for (found, expected) in found_a.iter().zip(&da).chain(found_b.iter().zip(&db)) {
                assert!((found - expected).abs() < 1e-8, "{found} {expected}");
            }
        }
        assert!(value(&g, &a[1..], &b, Of::Square).is_err());
        assert!(gradients(&g, (&a, &b), &grad[1..], &grad, Of::Square, [true; 2]).is_err());
        let none = Lists { channels: 0, ..g };
        assert_eq!(value(&none, &[], &[], Of::Root(1.0)).unwrap(), vec![1.0; 2 * 150 * 37]);
    }
}
