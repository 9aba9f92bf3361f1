//! Products of matrices, one for each sample of a batch, on all cores.
#![allow(clippy::indexing_slicing)] // Blocks are cut by the sizes that the slices are checked against on entry.

use rayon::prelude::*;

use crate::gemm::{Matrix, multiply};
use crate::{Float, Mismatch, length};

/// Rows of a result that one task multiplies: enough to pay for packing the other factor, few enough to share.
const ROWS: usize = 256;

/// A batch of matrices, one after another, each of so many rows and columns; `turned` takes them with rows and columns
/// exchanged.
#[derive(Clone, Copy)]
pub struct Matrices<'a, T> {
    /// The numbers: (batch, rows, columns).
    pub data: &'a [T],
    /// Rows of each as it lies.
    pub rows: usize,
    /// Columns of each as it lies.
    pub columns: usize,
    /// Whether rows and columns are exchanged.
    pub turned: bool,
}

impl<'a, T> Matrices<'a, T> {
    /// One of them.
    fn at(&self, i: usize) -> Matrix<'a, T> {
        let size = self.rows * self.columns;
        let whole = Matrix::rows(&self.data[i * size..(i + 1) * size], self.rows, self.columns, self.columns);
        if self.turned { whole.transposed() } else { whole }
    }
}

/// Some rows of a matrix.
fn part<T>(whole: Matrix<T>, from: usize, count: usize) -> Matrix<T> {
    Matrix { data: &whole.data[from * whole.row_stride..], rows: count, ..whole }
}

/// a · b for each of `batch` samples: (batch, rows of a, columns of b).
pub fn products<T: Float>(batch: usize, a: Matrices<T>, b: Matrices<T>) -> Result<Vec<T>, Mismatch> {
    length("first factor", a.data, batch * a.rows * a.columns)?;
    length("second factor", b.data, batch * b.rows * b.columns)?;
    let (rows, inner) = if a.turned { (a.columns, a.rows) } else { (a.rows, a.columns) };
    let (other, columns) = if b.turned { (b.columns, b.rows) } else { (b.rows, b.columns) };
    if inner != other {
        return Err(Mismatch::Sizes("the factors of a matrix product do not fit"));
    }
    let mut out = vec![T::ZERO; batch * rows * columns];
    if out.is_empty() || inner == 0 {
        return Ok(out);
    }
    let block = ROWS.min(rows.div_ceil(2)).max(1);
    out.par_chunks_mut(rows * columns).enumerate().try_for_each(|(i, out)| {
        let (a, b) = (a.at(i), b.at(i));
        out.par_chunks_mut(block * columns)
            .enumerate()
            .try_for_each(|(j, out)| multiply(out, columns, part(a, j * block, out.len() / columns), b, false))
    })?;
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn products_are_what_four_loops_say_with_either_factor_turned() {
        let (batch, n, k, m) = (2, 5, 7, 3);
        let x: Vec<f64> = (0..batch * n * k).map(|i| (i * 37 % 11) as f64 - 5.0).collect();
        let y: Vec<f64> = (0..batch * k * m).map(|i| (i * 17 % 13) as f64 - 6.0).collect();
        let turn = |x: &[f64], rows: usize, columns: usize| -> Vec<f64> {
            let each = x.chunks(rows * columns);
            each.flat_map(|x| (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect::<Vec<_>>())
                .collect()
        };
        let mut wanted = vec![0.0; batch * n * m];
        for (at, out) in wanted.iter_mut().enumerate() {
            let (b, i, j) = (at / (n * m), at / m % n, at % m);
            *out = (0..k).map(|l| x[(b * n + i) * k + l] * y[(b * k + l) * m + j]).sum();
        }
        let (xt, yt) = (turn(&x, n, k), turn(&y, k, m));
        for (left, right) in [(false, false), (true, false), (false, true), (true, true)] {
            let of = |turned, plain: &'static str, rows, columns| {
                let data = match (plain, turned) {
                    ("x", false) => &x,
                    ("x", true) => &xt,
                    (_, false) => &y,
                    (_, true) => &yt,
                };
                let (rows, columns) = if turned { (columns, rows) } else { (rows, columns) };
                Matrices { data: data.as_slice(), rows, columns, turned }
            };
            assert_eq!(products(batch, of(left, "x", n, k), of(right, "y", k, m)).unwrap(), wanted, "{left} {right}");
        }
        let x = Matrices { data: &x[..], rows: n, columns: k, turned: false };
        assert!(products(batch, x, x).is_err() && products(1, x, x).is_err());
    }
}
