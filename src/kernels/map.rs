//! One function over every element of one or two slices, on all cores.

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// Elements one task handles: large enough to pay for the task, small enough to share a map among cores.
const BLOCK: usize = 1 << 14;

/// `f(a)` for every element.
pub fn one<T: Float>(a: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    let mut out = vec![T::ZERO; a.len()];
    out.par_chunks_mut(BLOCK).zip(a.par_chunks(BLOCK)).for_each(|(out, a)| {
        for (o, a) in out.iter_mut().zip(a) {
            *o = f(*a);
        }
    });
    out
}

/// `f(a, b)` for every pair of elements.
pub fn two<T: Float>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) -> Result<Vec<T>, Mismatch> {
    length("second operand", b, a.len())?;
    let mut out = vec![T::ZERO; a.len()];
    out.par_chunks_mut(BLOCK).zip(a.par_chunks(BLOCK)).zip(b.par_chunks(BLOCK)).for_each(|((out, a), b)| {
        for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
            *o = f(*a, *b);
        }
    });
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_reached_once() {
        let a: Vec<f64> = (0..3 * BLOCK + 5).map(|i| i as f64).collect();
        assert!(one(&a, |x| x + 1.0).iter().enumerate().all(|(i, x)| *x == i as f64 + 1.0));
        assert!(two(&a, &a, |x, y| x + y).unwrap().iter().enumerate().all(|(i, x)| *x == 2.0 * i as f64));
        assert!(two(&a, &a[1..], |x, _| x).is_err());
    }
}
