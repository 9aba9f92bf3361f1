//! Sums of exponentials along axes, with or without a mask, and what is made of them: their logarithm, and shares of 1.
//!
//! A sum is kept as the greatest number and the sum of exponentials relative to it, so that nothing overflows and no digit
//! is lost of large numbers. Where the axes that go are the last ones, a run of neighbors is summed in 16 lanes; where
//! they are not, rows are summed side by side. Both are loops without a branch, compiled for the widest vectors.
#![allow(clippy::indexing_slicing)] // Runs are cut by the sizes that the slices are checked against on entry.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::fresh::made;
use crate::reduce::{self, Cut};
use crate::simd::{Lanes, Simd, Task, run};
use crate::{Float, Mismatch, length};

/// Numbers that one task takes at least, and the widest row that it sums side by side.
const BLOCK: usize = 1 << 13;

/// What stands for a number that a mask hides, and what is less than any other.
const HIDDEN: f64 = -1e30;

/// Of each number of the result: the greatest of those that go, and the sum of `e` to the power of each of them less that.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums<T> {
    /// The greatest; 0 where a mask hides all.
    pub most: Vec<T>,
    /// The sum; 0 where a mask hides all.
    pub sum: Vec<T>,
}

/// Sums of exponentials of what goes. `mask` is as long as `x`, or empty: a number counts by it, and not at all where it is 0.
pub fn sums<T: Float>(cut: &Cut, x: &[T], mask: &[T]) -> Result<Sums<T>, Mismatch> {
    let (total, kept) = cut.counts();
    length("x", x, total)?;
    if !mask.is_empty() {
        length("mask", mask, total)?;
    }
    let start = T::of(if mask.is_empty() { f64::NEG_INFINITY } else { HIDDEN });
    let (mut most, mut sum) = (vec![start; kept], vec![T::ZERO; kept]);
    if total == 0 {
        return Ok(Sums { most, sum });
    }
    let ((size, goes), starts, bases) = (cut.run(), cut.starts(), cut.bases());
    let (results, wide) = match goes {
        // As many numbers of the result as make a block.
        true => ((BLOCK / cut.folded().max(1)).max(1), 1),
        false => (size, (BLOCK / starts.len().max(1)).clamp(64, BLOCK).min(size)),
    };
    let least = if goes { 1 } else { (BLOCK / (size * starts.len()).max(1)).max(1) };
    let parts = most.par_chunks_mut(results).zip(sum.par_chunks_mut(results)).enumerate().with_min_len(least);
    parts.for_each(|(i, (most, sum))| {
        if goes {
            let bases = &bases[i * results..(i * results + most.len())];
            run(Simd::chosen(), Runs { x, mask, size, starts: &starts, bases, most, sum });
        } else {
            let rows = most.par_chunks_mut(wide).zip(sum.par_chunks_mut(wide)).enumerate();
            rows.for_each(|(j, (most, sum))| {
                run(Simd::chosen(), Rows { x, mask, from: bases[i] + j * wide, starts: &starts, most, sum });
            });
        }
    });
    Ok(Sums { most, sum })
}

/// Each number's share of its run's sum of exponentials, or the logarithm of that, in one go; what goes into one sum is one run.
pub fn shares<T: Float>(cut: &Cut, x: &[T], logarithm: bool) -> Result<Vec<T>, Mismatch> {
    let (total, _) = cut.counts();
    length("x", x, total)?;
    if !cut.is_of_runs() {
        return Err(Mismatch::Sizes("shares are of whole runs"));
    }
    let (size, _) = cut.run();
    let part = (BLOCK / size.max(1)).max(1) * size;
    let fill = |out: &mut [MaybeUninit<T>]| {
        let parts = out.par_chunks_mut(part.max(1)).zip(x.par_chunks(part.max(1)));
        parts.for_each(|(out, x)| run(Simd::chosen(), Shares { x, size, logarithm, out }));
    };
    // SAFETY: the parts cover all numbers, whole runs each, and each run is written.
    #[allow(unsafe_code)]
    Ok(unsafe { made(total, fill) })
}

/// Some runs of the result of [`shares`].
struct Shares<'a, T> {
    x: &'a [T],
    size: usize,
    logarithm: bool,
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Float> Task for Shares<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        if self.size == 1 {
            // All of 1, but for what is not finite.
            let whole = if self.logarithm { T::ZERO } else { T::ONE };
            self.out.iter_mut().zip(self.x).for_each(|(out, x)| *out = MaybeUninit::new(*x * T::ZERO + whole));
            return;
        }
        for (out, x) in self.out.chunks_exact_mut(self.size).zip(self.x.chunks_exact(self.size)) {
            let mut lanes = [T::of(f64::NEG_INFINITY); 16];
            let parts = x.chunks_exact(16);
            let rest = parts.remainder();
            for part in parts {
                lanes.iter_mut().zip(part).for_each(|(lane, x)| *lane = larger(*lane, *x));
            }
            let most = lanes.into_iter().chain(rest.iter().copied()).fold(T::of(f64::NEG_INFINITY), larger);
            let mut lanes = [T::ZERO; 16];
            for (out, part) in out.chunks_mut(16).zip(x.chunks(16)) {
                for ((lane, out), x) in lanes.iter_mut().zip(out).zip(part) {
                    let power = (*x - most).power();
                    *lane += power;
                    out.write(power);
                }
            }
            let sum = lanes.into_iter().sum::<T>();
            if self.logarithm {
                // The greatest is taken off first, which keeps the digits of what is near it.
                let log = sum.logarithm();
                out.iter_mut().zip(x).for_each(|(out, x)| *out = MaybeUninit::new(*x - most - log));
                continue;
            }
            let share = T::ONE / sum;
            for out in out {
                // SAFETY: it was written above.
                #[allow(unsafe_code)]
                let power = unsafe { out.assume_init_read() };
                out.write(power * share);
            }
        }
    }
}

/// The larger number; what is no number wins.
#[inline(always)]
#[allow(clippy::eq_op)]
fn larger<T: Float>(a: T, b: T) -> T {
    if b > a || b != b { b } else { a }
}

#[inline(always)]
fn seen<T: Float>(x: T, mask: T) -> T {
    if mask > T::ZERO { x } else { T::of(HIDDEN) }
}

/// `mask · e^(x - most)`, and 0 where the mask hides it.
#[inline(always)]
fn weighed<T: Float>(x: T, mask: T, most: T) -> T {
    let on = mask > T::ZERO;
    let power = (if on { x - most } else { T::ZERO }).power();
    if on { power * mask } else { T::ZERO }
}

/// 0 in place of what stands for a number where all are hidden.
#[inline(always)]
fn found<T: Float>(most: T) -> T {
    if most > T::of(0.5 * HIDDEN) || most < T::of(2.0 * HIDDEN) || most.wide().is_nan() { most } else { T::ZERO }
}

/// Sums of whole runs.
struct Runs<'a, T> {
    x: &'a [T],
    mask: &'a [T],
    size: usize,
    starts: &'a [usize],
    bases: &'a [usize],
    most: &'a mut [T],
    sum: &'a mut [T],
}

impl<T: Float> Task for Runs<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let results = self.most.iter_mut().zip(self.sum.iter_mut()).zip(self.bases);
        for ((most, sum), base) in results {
            for at in self.starts {
                let from = base + at;
                let x = &self.x[from..from + self.size];
                let mut lanes = [*most; 16];
                if self.mask.is_empty() {
                    for part in x.chunks_exact(16) {
                        lanes.iter_mut().zip(part).for_each(|(lane, x)| *lane = larger(*lane, *x));
                    }
                    let rest = x.chunks_exact(16).remainder().iter();
                    *most = lanes.into_iter().chain(rest.copied()).fold(*most, larger);
                } else {
                    let mask = &self.mask[from..from + self.size];
                    for (part, mask) in x.chunks_exact(16).zip(mask.chunks_exact(16)) {
                        let both = lanes.iter_mut().zip(part.iter().zip(mask));
                        both.for_each(|(lane, (x, m))| *lane = larger(*lane, seen(*x, *m)));
                    }
                    let rest = x.chunks_exact(16).remainder().iter().zip(mask.chunks_exact(16).remainder());
                    *most = lanes.into_iter().chain(rest.map(|(x, m)| seen(*x, *m))).fold(*most, larger);
                }
            }
            *most = if self.mask.is_empty() { *most } else { found(*most) };
            let mut lanes = [T::ZERO; 16];
            for at in self.starts {
                let from = base + at;
                let x = &self.x[from..from + self.size];
                if self.mask.is_empty() {
                    for part in x.chunks_exact(16) {
                        lanes.iter_mut().zip(part).for_each(|(lane, x)| *lane += (*x - *most).power());
                    }
                    let rest = x.chunks_exact(16).remainder().iter();
                    lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += (*x - *most).power());
                } else {
                    let mask = &self.mask[from..from + self.size];
                    for (part, mask) in x.chunks(16).zip(mask.chunks(16)) {
                        let both = lanes.iter_mut().zip(part.iter().zip(mask));
                        both.for_each(|(lane, (x, m))| *lane += weighed(*x, *m, *most));
                    }
                }
            }
            *sum = lanes.into_iter().sum();
        }
    }
}

/// Sums of rows side by side.
struct Rows<'a, T> {
    x: &'a [T],
    mask: &'a [T],
    from: usize,
    starts: &'a [usize],
    most: &'a mut [T],
    sum: &'a mut [T],
}

impl<T: Float> Task for Rows<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let count = self.most.len();
        for at in self.starts {
            let from = self.from + at;
            let x = &self.x[from..from + count];
            if self.mask.is_empty() {
                self.most.iter_mut().zip(x).for_each(|(most, x)| *most = larger(*most, *x));
            } else {
                let both = x.iter().zip(&self.mask[from..from + count]);
                self.most.iter_mut().zip(both).for_each(|(most, (x, m))| *most = larger(*most, seen(*x, *m)));
            }
        }
        if !self.mask.is_empty() {
            self.most.iter_mut().for_each(|most| *most = found(*most));
        }
        for at in self.starts {
            let from = self.from + at;
            let both = self.sum.iter_mut().zip(self.most.iter().zip(&self.x[from..from + count]));
            if self.mask.is_empty() {
                both.for_each(|(sum, (most, x))| *sum += (*x - *most).power());
            } else {
                let mask = &self.mask[from..from + count];
                both.zip(mask).for_each(|((sum, (most, x)), m)| *sum += weighed(*x, *m, *most));
            }
        }
    }
}

/// What is made of every number, of another at its place, and of two that are left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// `e^(x - p) · q`: a share of 1, where p is the greatest number and q one over the sum; a gradient, where p is the
    /// logarithm of the sum and q its own gradient.
    Power,
    /// `y · e^(x - p) · q`, and 0 where the mask y is 0.
    Weighed,
    /// `x - p - q`: the logarithm of a share, where q is the logarithm of the sum.
    Less,
    /// `x · (y - p)`: the gradient of shares x, given that of each, y, and the sum p of their products.
    Share,
    /// `y - e^x · p`: the gradient of logarithms of shares x.
    Logarithm,
}

/// What is made of every number of `x`, with those of `y` where they lie and those of `p` and `q` that are left there.
/// An empty slice stands for zeros.
pub fn spread<T: Float>(cut: &Cut, made: Made, [x, y]: [&[T]; 2], [p, q]: [&[T]; 2]) -> Result<Vec<T>, Mismatch> {
    match made {
        Made::Power => reduce::spread(cut, [x, y], [p, q], |[x, _], [p, q]| (x - p).power() * q),
        Made::Weighed => reduce::spread(cut, [x, y], [p, q], |[x, y], [p, q]| weighed(x, y, p) * q),
        Made::Less => reduce::spread(cut, [x, y], [p, q], |[x, _], [p, q]| x - p - q),
        Made::Share => reduce::spread(cut, [x, y], [p, q], |[x, y], [p, _]| x * (y - p)),
        Made::Logarithm => reduce::spread(cut, [x, y], [p, q], |[x, y], [p, _]| y - x.power() * p),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, by: f64) -> bool {
        (a - b).abs() <= by * a.abs().max(b.abs()).max(1.0)
    }

    #[test]
    fn sums_are_those_of_an_index_for_each_number() {
        for shape in [vec![2, 3, 5, 7], vec![3, 1], vec![40], vec![2, 70, 3], vec![1, 33, 100], vec![]] {
            for which in 0..1usize << shape.len() {
                let gone: Vec<usize> = (0..shape.len()).filter(|axis| which >> axis & 1 == 1).collect();
                let cut = Cut::new(&shape, &gone).unwrap();
                let (total, kept) = cut.counts();
                let owner = |mut at: usize| {
                    let mut index = vec![0; shape.len()];
                    for axis in (0..shape.len()).rev() {
                        (index[axis], at) = (at % shape[axis], at / shape[axis]);
                    }
                    (0..shape.len()).filter(|a| !gone.contains(a)).fold(0, |o, axis| o * shape[axis] + index[axis])
                };
                let x: Vec<f64> = (0..total).map(|i| ((i * 37 + 11) % 101) as f64 / 7.0 - 5.0).collect();
                let mask: Vec<f64> = (0..total).map(|i| [0.0, 1.0, 0.0, 0.25][i * 7 % 4]).collect();
                for mask in [vec![], mask] {
                    let weight = |i: usize| if mask.is_empty() { 1.0 } else { mask[i] };
                    let mut wanted = vec![0.0; kept];
                    (0..total).for_each(|i| wanted[owner(i)] += weight(i) * x[i].exp());
                    let found = sums(&cut, &x, &mask).unwrap();
                    let small: Vec<f32> = x.iter().map(|x| *x as f32).collect();
                    let small_mask: Vec<f32> = mask.iter().map(|x| *x as f32).collect();
                    let small = sums(&cut, &small, &small_mask).unwrap();
                    for (at, wanted) in wanted.into_iter().enumerate() {
                        let value = found.most[at].exp() * found.sum[at];
                        assert!(near(value, wanted, 1e-12), "{shape:?} {gone:?} {at}: {value} {wanted}");
                        let value = f64::from(small.most[at]).exp() * f64::from(small.sum[at]);
                        assert!(near(value, wanted, 1e-5), "{shape:?} {gone:?} {at}: {value} {wanted}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_and_what_is_hidden() {
        let cut = Cut::new(&[2, 3], &[1]).unwrap();
        let found = sums(&cut, &[1.0f32, f32::NAN, 2.0, 1e4, -1e4, 1e4], &[]).unwrap();
        assert!(found.sum[0].is_nan() && found.most[1] == 1e4 && found.sum[1] == 2.0);
        let found = sums(&cut, &[1.0f32, 9e9, 2.0, 1.0, 2.0, 3.0], &[1.0, 0.0, 1.0, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!((found.most, found.sum[1]), (vec![2.0, 0.0], 0.0));
    }
}
