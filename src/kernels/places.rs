//! Tables of all pairs of places: how far apart they are, and which are near.
#![allow(clippy::indexing_slicing)] // Tables are cut by the sizes that the lists are checked against on entry.

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// The sizes of `batch` pairs of lists of places, and what a difference in x and in y is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pairs<T> {
    /// Pairs of lists.
    pub batch: usize,
    /// Places of the first list: rows of the table.
    pub rows: usize,
    /// Places of the second list: columns of the table.
    pub columns: usize,
    /// What makes pixels of normalized coordinates.
    pub scale: [T; 2],
}

impl<T: Float> Pairs<T> {
    fn check(&self, a: &[T], b: &[T]) -> Result<(), Mismatch> {
        length("first places", a, self.batch * self.rows * 2)?;
        length("second places", b, self.batch * self.columns * 2)
    }

    /// The difference of two places, in x and in y.
    fn apart(&self, p: &[T], q: &[T]) -> [T; 2] {
        [(p[0] - q[0]) * self.scale[0], (p[1] - q[1]) * self.scale[1]]
    }

    /// `f` of every pair's squared distance: (batch, rows, columns).
    fn table(&self, a: &[T], b: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
        let mut out = vec![T::ZERO; self.batch * self.rows * self.columns];
        if self.columns > 0 {
            out.par_chunks_mut(self.columns).zip(a.par_chunks(2)).with_min_len(8).enumerate().for_each(
                |(row, (out, p))| {
                    let others = b[row / self.rows * self.columns * 2..].chunks_exact(2);
                    for (out, q) in out.iter_mut().zip(others) {
                        let [x, y] = self.apart(p, q);
                        *out = f(x * x + y * y);
                    }
                },
            );
        }
        out
    }
}

/// The distances of all places of `a` (batch, rows, 2) from all of `b` (batch, columns, 2): (batch, rows, columns).
pub fn distances<T: Float>(g: &Pairs<T>, a: &[T], b: &[T]) -> Result<Vec<T>, Mismatch> {
    g.check(a, b)?;
    Ok(g.table(a, b, T::root))
}

/// 1 for every pair that is no farther apart than `within`, else 0: (batch, rows, columns).
pub fn near<T: Float>(g: &Pairs<T>, a: &[T], b: &[T], within: T) -> Result<Vec<T>, Mismatch> {
    g.check(a, b)?;
    let most = within * within;
    Ok(g.table(a, b, |d| if d <= most { T::ONE } else { T::ZERO }))
}

/// Columns that one task of [`distances_backward`] adds up.
const RUN: usize = 64;

/// The gradients of [`distances`] in `a` and in `b`, from its values and their gradient. Places at one point have none.
pub fn distances_backward<T: Float>(
    g: &Pairs<T>,
    (a, b): (&[T], &[T]),
    values: &[T],
    grad: &[T],
) -> Result<[Vec<T>; 2], Mismatch> {
    g.check(a, b)?;
    length("values", values, g.batch * g.rows * g.columns)?;
    length("gradient", grad, values.len())?;
    let slope = |at: usize| if values[at] > T::ZERO { grad[at] / values[at] } else { T::ZERO };
    let mut to_a = vec![T::ZERO; a.len()];
    let mut to_b = vec![T::ZERO; b.len()];
    if g.rows == 0 || g.columns == 0 {
        return Ok([to_a, to_b]);
    }
    to_a.par_chunks_mut(2).zip(a.par_chunks(2)).with_min_len(8).enumerate().for_each(|(row, (out, p))| {
        let others = b[row / g.rows * g.columns * 2..].chunks_exact(2).take(g.columns);
        for (column, q) in others.enumerate() {
            let (by, [x, y]) = (slope(row * g.columns + column), g.apart(p, q));
            out[0] += by * x * g.scale[0];
            out[1] += by * y * g.scale[1];
        }
    });
    let samples = to_b.par_chunks_mut(2 * g.columns).zip(b.par_chunks(2 * g.columns)).enumerate();
    samples.for_each(|(sample, (out, b))| {
        out.par_chunks_mut(2 * RUN).zip(b.par_chunks(2 * RUN)).enumerate().for_each(|(run, (out, b))| {
            for row in sample * g.rows..(sample + 1) * g.rows {
                let (p, first) = (&a[2 * row..2 * row + 2], row * g.columns + run * RUN);
                for (column, (out, q)) in out.chunks_exact_mut(2).zip(b.chunks_exact(2)).enumerate() {
                    let (by, [x, y]) = (slope(first + column), g.apart(p, q));
                    out[0] += -(by * x * g.scale[0]);
                    out[1] += -(by * y * g.scale[1]);
                }
            }
        });
    });
    Ok([to_a, to_b])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_a_sample_has_its_place_in_the_table() {
        let g = Pairs { batch: 2, rows: 1, columns: 2, scale: [2.0, 1.0] };
        let (a, b) = ([0.0, 0.0, 1.0, 1.0], [1.5, 4.0, 0.0, 0.0, 1.0, 1.0, 1.0, 3.0]);
        assert_eq!(distances(&g, &a, &b).unwrap(), [5.0, 0.0, 0.0, 2.0]);
        assert_eq!(near(&g, &a, &b, 2.0).unwrap(), [0.0, 1.0, 1.0, 1.0]);
        let values = distances(&g, &a, &b).unwrap();
        let [to_a, to_b] = distances_backward(&g, (&a, &b), &values, &[1.0; 4]).unwrap();
        let near_to =
            |found: &[f64], wanted: &[f64]| found.iter().zip(wanted).all(|(a, b): (&f64, &f64)| (a - b).abs() < 1e-12);
        assert!(near_to(&to_a, &[-1.2, -0.8, 0.0, -1.0]) && to_a.len() == 4, "{to_a:?}");
        assert!(near_to(&to_b, &[1.2, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]) && to_b.len() == 8, "{to_b:?}");
        assert!(near(&g, &a, &b[1..], 2.0).is_err());
    }
}
