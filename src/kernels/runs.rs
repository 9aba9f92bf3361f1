//! What runs of neighbors come to: their sum, the sum of products, the greatest number.
//!
//! In `f32` they are written with vectors. Of a loop over an array of sums the compiler makes vectors, too, until it sees how these are
//! added up in the end: for the sake of those few steps it takes the loop apart.

use crate::Float;
use crate::simd::Lanes;

/// Vectors that are added up side by side, so that one need not wait for the one before it.
const SIDE: usize = 4;

/// Σ x
///
/// # Safety
/// The machine executes the instructions of `L`.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn total<T: Float, L: Lanes>(x: &[T]) -> T {
    let Some(x) = T::single(x) else { return x.iter().copied().sum() };
    let (from, n) = (x.as_ptr(), x.len());
    // SAFETY: as of this function; what is read lies below `n`.
    unsafe {
        let mut sums = [L::splat(0.0); SIDE];
        let mut at = 0;
        while at + SIDE * L::N <= n {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = sum.add(L::load(from.add(at + i * L::N)));
            }
            at += SIDE * L::N;
        }
        while at + L::N <= n {
            sums[0] = sums[0].add(L::load(from.add(at)));
            at += L::N;
        }
        if at < n {
            sums[1] = sums[1].add(L::load_part(from.add(at), n - at));
        }
        exactly(sums[0].add(sums[1]).add(sums[2].add(sums[3])).total())
    }
}

/// Σ x·y, of as many numbers as both have.
///
/// # Safety
/// The machine executes the instructions of `L`.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn dot<T: Float, L: Lanes>(x: &[T], y: &[T]) -> T {
    let (Some(x), Some(y)) = (T::single(x), T::single(y)) else {
        return x.iter().zip(y).map(|(x, y)| *x * *y).sum();
    };
    let (a, b, n) = (x.as_ptr(), y.as_ptr(), x.len().min(y.len()));
    // SAFETY: as of this function; what is read lies below `n`.
    unsafe {
        let mut sums = [L::splat(0.0); SIDE];
        let mut at = 0;
        while at + SIDE * L::N <= n {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = at + i * L::N;
                *sum = sum.plus(L::load(a.add(at)), L::load(b.add(at)));
            }
            at += SIDE * L::N;
        }
        while at + L::N <= n {
            sums[0] = sums[0].plus(L::load(a.add(at)), L::load(b.add(at)));
            at += L::N;
        }
        if at < n {
            sums[1] = sums[1].plus(L::load_part(a.add(at), n - at), L::load_part(b.add(at), n - at));
        }
        exactly(sums[0].add(sums[1]).add(sums[2].add(sums[3])).total())
    }
}

/// The greater or the lesser of two numbers. What is no number stays: it is greater than nothing, and nothing is greater than it.
#[inline(always)]
#[allow(clippy::eq_op)]
pub(crate) fn pick<T: Float, const GREATEST: bool>(a: T, b: T) -> T {
    let taken = if GREATEST { b > a } else { b < a };
    // Without a branch, which numbers in no order would mislead.
    if taken | (b != b) { b } else { a }
}

/// The greatest number, or the least, `start` among them.
///
/// # Safety
/// The machine executes the instructions of `L`.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) unsafe fn extreme_of<T: Float, L: Lanes, const GREATEST: bool>(x: &[T], start: T) -> T {
    let Some(single) = T::single(x).filter(|x| x.len() >= L::N) else {
        return x.iter().fold(start, |best, x| pick::<T, GREATEST>(best, *x));
    };
    let (from, n) = (single.as_ptr(), single.len());
    // The least is the greatest of the others' negatives.
    let sign = if GREATEST { 1.0 } else { -1.0 };
    // SAFETY: as of this function; what is read lies below `n`, and the lanes have room for the widest vector.
    unsafe {
        let turn = |x: L| if GREATEST { x } else { L::splat(0.0).sub(x) };
        let larger = |best: L, other: L| L::larger([best; 2], [other; 2])[0];
        let last = turn(L::load(from.add(n - L::N)));
        let mut best = [last; SIDE];
        let mut at = 0;
        while at + SIDE * L::N <= n {
            for (i, best) in best.iter_mut().enumerate() {
                *best = larger(*best, turn(L::load(from.add(at + i * L::N))));
            }
            at += SIDE * L::N;
        }
        while at + L::N <= n {
            best[0] = larger(best[0], turn(L::load(from.add(at))));
            at += L::N;
        }
        let mut lanes = [f32::NEG_INFINITY; 16];
        larger(larger(best[0], best[1]), larger(best[2], best[3])).store(lanes.as_mut_ptr());
        pick::<T, GREATEST>(start, exactly(sign * halved(lanes, pick::<f32, true>)))
    }
}

/// Numbers side by side made one by halves: those of the second half with those of the first, until one is left.
#[inline(always)]
pub(crate) fn halved<T: Copy, const N: usize>(mut lanes: [T; N], f: impl Fn(T, T) -> T) -> T {
    let mut half = N / 2;
    while half > 0 {
        let (first, second) = lanes.split_at_mut(half);
        first.iter_mut().zip(second).for_each(|(a, b)| *a = f(*a, *b));
        half /= 2;
    }
    lanes[0]
}

/// Sums side by side added up. A call of its own, so that the compiler leaves the loop that made them as it is.
#[inline(never)]
pub(crate) fn added<T: Float, const N: usize>(lanes: [T; N]) -> T {
    halved(lanes, |a, b| a + b)
}

/// The same number.
#[inline(always)]
fn exactly<T: Float>(x: f32) -> T {
    T::of(f64::from(x))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, unsafe_code)]
mod tests {
    use super::*;
    use crate::simd::{Simd, Task, run};

    struct All<'a, T>(&'a [T], &'a [T]);

    impl<T: Float> Task for All<'_, T> {
        type Out = [T; 4];

        #[inline(always)]
        unsafe fn run<L: Lanes>(self) -> [T; 4] {
            let (low, high) = (T::of(f64::NEG_INFINITY), T::of(f64::INFINITY));
            unsafe {
                [
                    total::<T, L>(self.0),
                    dot::<T, L>(self.0, self.1),
                    extreme_of::<T, L, true>(self.0, low),
                    extreme_of::<T, L, false>(self.0, high),
                ]
            }
        }
    }

    #[test]
    fn runs_of_every_length_come_to_what_a_loop_says() {
        for simd in Simd::ALL.into_iter().filter(|simd| simd.runs_here()) {
            for n in (0..200usize).chain([511, 512, 1000]) {
                let x: Vec<f32> = (0..n).map(|i| ((i * 37 + 11) % 101) as f32 - 50.0).collect();
                let y: Vec<f32> = (0..n).map(|i| ((i * 53 + 7) % 17) as f32 - 8.0).collect();
                let (low, high) = (f32::NEG_INFINITY, f32::INFINITY);
                let wanted = [
                    x.iter().sum(),
                    x.iter().zip(&y).map(|(x, y)| x * y).sum(),
                    x.iter().copied().fold(low, f32::max),
                    x.iter().copied().fold(high, f32::min),
                ];
                assert_eq!(run(simd, All(&x, &y)), wanted, "{simd:?} {n}");
                let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                let others: Vec<f64> = y.iter().map(|x| f64::from(*x)).collect();
                assert_eq!(run(simd, All(&wide, &others)), wanted.map(f64::from), "{simd:?} {n}");
                // What is no number wins, wherever it is.
                for at in [0, n / 2, n.saturating_sub(1)] {
                    let mut x = x.clone();
                    let Some(there) = x.get_mut(at) else { continue };
                    *there = f32::NAN;
                    assert!(run(simd, All(&x, &y)).iter().all(|x| x.is_nan()), "{simd:?} {n} {at}");
                }
            }
        }
    }
}
