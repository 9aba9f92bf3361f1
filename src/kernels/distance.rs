//! Euclidean distances of vectors, pair by pair, and the gradients in one pass.
#![allow(clippy::indexing_slicing)] // Rows are cut by the size that the slices are checked against on entry.

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// Pairs that one task takes.
const RUN: usize = 64;

/// Pairs of vectors of `size` components; `shift` is added to each component of a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pairs<T> {
    /// Components of a vector.
    pub size: usize,
    /// What is added to each difference.
    pub shift: T,
    /// True for the square of the distance.
    pub squared: bool,
}

/// √Σ(a - b + shift)² of every pair, or its square.
pub fn euclidean<T: Float>(g: &Pairs<T>, a: &[T], b: &[T]) -> Result<Vec<T>, Mismatch> {
    let count = pairs(g, a, b)?;
    let mut out = vec![T::ZERO; count];
    let (a, b) = (a.par_chunks(g.size * RUN), b.par_chunks(g.size * RUN));
    out.par_chunks_mut(RUN).zip(a.zip(b)).for_each(|(out, (a, b))| {
        let rows = a.chunks_exact(g.size).zip(b.chunks_exact(g.size));
        for (out, (a, b)) in out.iter_mut().zip(rows) {
            let mut lanes = [T::ZERO; 16];
            for (a, b) in a.chunks(16).zip(b.chunks(16)) {
                for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                    let d = *a - *b + g.shift;
                    *lane += d * d;
                }
            }
            let sum: T = lanes.into_iter().sum();
            *out = if g.squared { sum } else { sum.root() };
        }
    });
    Ok(out)
}

/// The gradient of the first vectors from the distances and their gradients; that of the second ones is its negative.
pub fn euclidean_backward<T: Float>(
    g: &Pairs<T>,
    (a, b): (&[T], &[T]),
    values: &[T],
    grad: &[T],
) -> Result<Vec<T>, Mismatch> {
    let count = pairs(g, a, b)?;
    length("distances", values, count)?;
    length("gradient", grad, count)?;
    let mut out = vec![T::ZERO; a.len()];
    let rows = a.par_chunks(g.size).zip(b.par_chunks(g.size)).zip(values.par_iter().zip(grad));
    out.par_chunks_mut(g.size).with_min_len(RUN).zip(rows).for_each(|(out, ((a, b), (value, grad)))| {
        // Of a distance of 0 the slope is 0, as its components are.
        let factor = match g.squared {
            true => *grad + *grad,
            false if *value == T::ZERO => *grad,
            false => *grad / *value,
        };
        for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
            *out = (*a - *b + g.shift) * factor;
        }
    });
    Ok(out)
}

fn pairs<T: Float>(g: &Pairs<T>, a: &[T], b: &[T]) -> Result<usize, Mismatch> {
    if g.size == 0 || !a.len().is_multiple_of(g.size) {
        return Err(Mismatch::Sizes("vectors do not divide their slice"));
    }
    length("second vectors", b, a.len())?;
    Ok(a.len() / g.size)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn three_and_four_are_five_apart() {
        let g = Pairs { size: 2, shift: 0.0f64, squared: false };
        let (a, b) = ([3.0, 0.0, 1.0, 1.0], [0.0, -4.0, 1.0, 1.0]);
        assert_eq!(euclidean(&g, &a, &b).unwrap(), [5.0, 0.0]);
        assert_eq!(euclidean(&Pairs { squared: true, ..g }, &a, &b).unwrap(), [25.0, 0.0]);
        assert_eq!(euclidean_backward(&g, (&a, &b), &[5.0, 0.0], &[10.0, 1.0]).unwrap(), [6.0, 8.0, 0.0, 0.0]);
        assert!(euclidean(&g, &a[1..], &b[1..]).is_err() && euclidean(&g, &a, &b[2..]).is_err());
    }
}
