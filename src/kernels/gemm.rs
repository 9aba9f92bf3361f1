//! Matrix products of strided views, checked before the `gemm` crate gets its pointers.
//!
//! `gemm` is asked for one thread at a time: the callers cut the work themselves, which keeps every sum in one fixed
//! order. Where every machine is to compute the same bits the products are taken here, since `gemm` chooses instructions itself.
#![allow(clippy::indexing_slicing)] // Sizes are checked against the slices on entry.

use super::simd::Simd;
use super::{Float, Mismatch};

/// A matrix in a slice: element (i, j) is at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    /// The numbers.
    pub data: &'a [T],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Steps from a row to the next.
    pub row_stride: usize,
    /// Steps from a column to the next.
    pub column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// A matrix whose rows follow each other every `stride` numbers.
    pub fn rows(data: &'a [T], rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn fits(&self) -> bool {
        extent(self.rows, self.columns, self.row_stride, self.column_stride).is_some_and(|n| n <= self.data.len())
    }
}

/// The number of places a strided matrix reaches over.
fn extent(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> Option<usize> {
    if rows == 0 || columns == 0 {
        return Some(0);
    }
    let last = (rows - 1).checked_mul(row_stride)?.checked_add((columns - 1).checked_mul(column_stride)?)?;
    last.checked_add(1).filter(|n| isize::try_from(*n).is_ok())
}

/// `out = a · b`, or `out += a · b`; `out` has `a.rows` rows that follow each other every `stride` numbers.
pub fn multiply<T: Float>(
    out: &mut [T],
    stride: usize,
    a: Matrix<T>,
    b: Matrix<T>,
    accumulate: bool,
) -> Result<(), Mismatch> {
    let (pointer, len) = (out.as_mut_ptr(), out.len());
    // SAFETY: `out` is borrowed exclusively for this call.
    #[allow(unsafe_code)]
    unsafe {
        multiply_into((pointer, len), stride, a, b, accumulate)
    }
}

/// As [`multiply`], into memory given by its address and the number of places behind it.
///
/// # Safety
/// The address is valid for that many places, and no other task touches rows 0..a.rows, columns 0..b.columns of the
/// result.
#[allow(unsafe_code)]
pub(super) unsafe fn multiply_into<T: Float>(
    (out, len): (*mut T, usize),
    stride: usize,
    a: Matrix<T>,
    b: Matrix<T>,
    accumulate: bool,
) -> Result<(), Mismatch> {
    if a.columns != b.rows || !a.fits() || !b.fits() {
        return Err(Mismatch::Sizes("the factors of a matrix product do not fit"));
    }
    if !(stride >= b.columns || a.rows <= 1) || extent(a.rows, b.columns, stride, 1).is_none_or(|n| n > len) {
        return Err(Mismatch::Sizes("the result of a matrix product does not fit"));
    }
    if Simd::reproduces() {
        // SAFETY: the result's `a.rows` rows of `b.columns` numbers were checked to lie within its memory, which is the caller's.
        return unsafe { in_order(out, stride, a, b, accumulate) };
    }
    // SAFETY: every stride and size was checked against the slices above (they fit in isize), the result's rows do not
    // overlap, and the caller promises that the result is its own.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out,
            1,
            stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
    Ok(())
}

/// Columns of a result that are summed side by side.
const SIDE: usize = 32;

/// The product with every sum taken from the first term to the last, each product rounded: the same bits on every machine.
///
/// # Safety
/// As [`multiply_into`], sizes checked.
#[allow(unsafe_code)]
unsafe fn in_order<T: Float>(
    out: *mut T,
    stride: usize,
    a: Matrix<T>,
    b: Matrix<T>,
    accumulate: bool,
) -> Result<(), Mismatch> {
    let mut packed = vec![T::ZERO; b.rows * SIDE.min(b.columns)];
    for first in (0..b.columns).step_by(SIDE) {
        let side = SIDE.min(b.columns - first);
        for (l, row) in packed.chunks_exact_mut(side).take(b.rows).enumerate() {
            let from = l * b.row_stride + first * b.column_stride;
            row.iter_mut().enumerate().for_each(|(j, x)| *x = b.data[from + j * b.column_stride]);
        }
        for i in 0..a.rows {
            // SAFETY: row `i` and these columns lie within the result.
            let to = unsafe { std::slice::from_raw_parts_mut(out.add(i * stride + first), side) };
            let mut sums = [T::ZERO; SIDE];
            for (l, row) in packed.chunks_exact(side).take(b.rows).enumerate() {
                let x = a.data[i * a.row_stride + l * a.column_stride];
                sums.iter_mut().zip(row).for_each(|(sum, y)| *sum += x * *y);
            }
            for (to, sum) in to.iter_mut().zip(sums) {
                *to = if accumulate { *to + sum } else { sum };
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_what_three_loops_say_and_sizes_are_checked() {
        let (m, k, n) = (5, 7, 3);
        let a: Vec<f32> = (0..m * k).map(|i| (i % 11) as f32 - 5.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 7) as f32 - 3.0).collect();
        let mut out = vec![1.0; m * 4];
        multiply(&mut out, 4, Matrix::rows(&a, m, k, k), Matrix::rows(&b, k, n, n), true).unwrap();
        for i in 0..m {
            for j in 0..n {
                let sum: f32 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                assert_eq!(out[i * 4 + j], sum + 1.0);
            }
            assert_eq!(out[i * 4 + 3], 1.0, "the gap between rows is left alone");
        }
        // The other way is exact here, too.
        let mut other = vec![1.0; m * 4];
        // SAFETY: `m` rows of `n` numbers, 4 apart.
        #[allow(unsafe_code)]
        unsafe {
            in_order(other.as_mut_ptr(), 4, Matrix::rows(&a, m, k, k), Matrix::rows(&b, k, n, n), true).unwrap();
        }
        assert_eq!(other, out);
        let short = Matrix::rows(&a[..m * k - 1], m, k, k);
        assert!(multiply(&mut out, 4, short, Matrix::rows(&b, k, n, n), false).is_err());
        assert!(multiply(&mut out[..4], 4, Matrix::rows(&a, m, k, k), Matrix::rows(&b, k, n, n), false).is_err());
        assert!(multiply(&mut out, 2, Matrix::rows(&a, m, k, k), Matrix::rows(&b, k, n, n), false).is_err());
    }
}
