//! One function over every element of one or two slices, on all cores.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::fresh::{Pieces, made};
use super::simd::{Closure, Simd, run};
use super::{Float, Mismatch, length};

/// Elements one task handles: large enough to pay for the task, small enough to share a map among cores.
const BLOCK: usize = 1 << 14;

/// `f(a)` for every element.
pub fn one<T: Float>(a: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    let block = |(out, a): (&mut [MaybeUninit<T>], &[T])| {
        let each = || out.iter_mut().zip(a).for_each(|(o, a)| *o = MaybeUninit::new(f(*a)));
        run(Simd::chosen(), Closure(each));
    };
    // SAFETY: the blocks cover all numbers, and each writes all of its own.
    #[allow(unsafe_code)]
    unsafe {
        made(a.len(), |out| out.par_chunks_mut(BLOCK).zip(a.par_chunks(BLOCK)).for_each(block))
    }
}

/// `f(a, b)` for every pair of elements.
pub fn two<T: Float, U: Copy + Sync>(a: &[T], b: &[U], f: impl Fn(T, U) -> T + Sync) -> Result<Vec<T>, Mismatch> {
    length("second operand", b, a.len())?;
    let block = |((out, a), b): Pieces<T, U>| {
        let each = || out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (a, b))| *o = MaybeUninit::new(f(*a, *b)));
        run(Simd::chosen(), Closure(each));
    };
    // SAFETY: as above; both slices are of one length.
    #[allow(unsafe_code)]
    let out = unsafe {
        made(a.len(), |out| {
            out.par_chunks_mut(BLOCK).zip(a.par_chunks(BLOCK)).zip(b.par_chunks(BLOCK)).for_each(block);
        })
    };
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
        let mask: Vec<u8> = (0..a.len()).map(|i| (i % 3 == 0).into()).collect();
        let keep = |x: f64, m: u8| x * if m == 0 { 0.0 } else { 2.0 };
        let kept = two(&a, &mask, keep).unwrap();
        assert!(kept.iter().enumerate().all(|(i, x)| *x == if i % 3 == 0 { 2.0 * i as f64 } else { 0.0 }));
        assert!(two(&a, &mask[1..], keep).is_err());
    }
}
