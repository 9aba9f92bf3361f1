//! One function over every element of one or two slices, on all cores.

use std::mem::MaybeUninit;

use super::fresh::made;
use super::simd::{Lanes, Simd, Task, run};
use super::{Float, Mismatch, length, parts};

/// Elements of a part: large enough to pay for handing it out, small enough to share a map among cores.
const BLOCK: usize = 1 << 13;

/// `f(a)` for every element.
pub fn one<T: Float>(a: &[T], f: impl Fn(T) -> T + Sync) -> Vec<T> {
    let fill = |out: &mut [MaybeUninit<T>]| {
        parts::chunks(out, BLOCK, 1, |at, out| {
            let a = a.get(at..at + out.len()).unwrap_or_default();
            run(Simd::chosen(), Each { out, a, f: &f });
        });
    };
    // SAFETY: the chunks cover all numbers, and each writes all of its own.
    #[allow(unsafe_code)]
    unsafe {
        made(a.len(), fill)
    }
}

/// `f(a, b)` for every pair of elements.
pub fn two<T: Float, U: Copy + Sync>(a: &[T], b: &[U], f: impl Fn(T, U) -> T + Sync) -> Result<Vec<T>, Mismatch> {
    length("second operand", b, a.len())?;
    let fill = |out: &mut [MaybeUninit<T>]| {
        parts::chunks(out, BLOCK, 1, |at, out| {
            let range = at..at + out.len();
            let (a, b) = (a.get(range.clone()).unwrap_or_default(), b.get(range).unwrap_or_default());
            run(Simd::chosen(), Pairs { out, a, b, f: &f });
        });
    };
    // SAFETY: as above; both slices are of one length.
    #[allow(unsafe_code)]
    Ok(unsafe { made(a.len(), fill) })
}

/// A part of [`one`].
struct Each<'a, T, F> {
    out: &'a mut [MaybeUninit<T>],
    a: &'a [T],
    f: &'a F,
}

impl<T: Float, F: Fn(T) -> T> Task for Each<'_, T, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        self.out.iter_mut().zip(self.a).for_each(|(out, a)| *out = MaybeUninit::new((self.f)(*a)));
    }
}

/// A part of [`two`].
struct Pairs<'a, T, U, F> {
    out: &'a mut [MaybeUninit<T>],
    a: &'a [T],
    b: &'a [U],
    f: &'a F,
}

impl<T: Float, U: Copy, F: Fn(T, U) -> T> Task for Pairs<'_, T, U, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let pairs = self.a.iter().zip(self.b);
        self.out.iter_mut().zip(pairs).for_each(|(out, (a, b))| *out = MaybeUninit::new((self.f)(*a, *b)));
    }
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
