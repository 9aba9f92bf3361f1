//! Sums of exponentials along axes, with or without a mask, and what is made of them: their logarithm, and shares of 1.
//!
//! A sum is kept as the greatest number and the sum of exponentials relative to it, so that nothing overflows and no digit
//! is lost of large numbers. Where the axes that go are the last ones, a run of neighbors is summed in 16 lanes; where
//! they are not, rows are summed side by side. Both are loops without a branch, compiled for the widest vectors.
#![allow(clippy::indexing_slicing)] // Runs are cut by the sizes that the slices are checked against on entry.

use crate::parts::{self, CURVE};
use crate::reduce::{self, BLOCK, Cut, Pieces};
use crate::runs::{extreme_of, halved, pick, total};
use crate::shared::Shared;
use crate::simd::{Lanes, Simd, Task, run};
use crate::spread::{self, Blend};
use crate::{Float, Mismatch, length};

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
    let (starts, bases) = (starts.as_slice(), bases.as_slice());
    let (most_of, sum_of) = (Shared::new(&mut most), Shared::new(&mut sum));
    // SAFETY: what different parts take of the two does not overlap.
    #[allow(unsafe_code)]
    let both = |at: usize, n: usize| unsafe { (most_of.part(at, n), sum_of.part(at, n)) };
    if goes {
        // As many numbers of the result as make a block.
        let results = (BLOCK / cut.folded().max(1)).max(1);
        parts::each(kept.div_ceil(results), total * CURVE, |i| {
            let at = i * results;
            let n = results.min(kept - at);
            let (most, sum) = both(at, n);
            run(Simd::chosen(), Runs { x, mask, size, starts, bases: &bases[at..at + n], most, sum });
        });
    } else {
        let pieces = Pieces::of(size, starts.len(), bases.len(), reduce::broad(starts.len()));
        parts::each(pieces.count(), total * CURVE, |i| {
            let (rows, from, count) = pieces.part(i);
            for row in rows {
                let (most, sum) = both(row * size + from, count);
                run(Simd::chosen(), Rows { x, mask, from: bases[row] + from, starts, most, sum });
            }
        });
    }
    Ok(Sums { most, sum })
}

/// Numbers of a run whose powers are made at once.
const PIECE: usize = 1 << 9;

#[inline(always)]
fn seen<T: Float>(x: T, mask: T) -> T {
    if mask > T::ZERO { x } else { T::of(HIDDEN) }
}

/// `mask · e^(x - most)`, and 0 where the mask hides it.
#[inline(always)]
fn weighed<T: Float, L: Lanes>(x: T, mask: T, most: T) -> T {
    let on = mask > T::ZERO;
    let power = (if on { x - most } else { T::ZERO }).power::<L>();
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
                if self.mask.is_empty() {
                    // SAFETY: as of this function.
                    #[allow(unsafe_code)]
                    unsafe {
                        *most = extreme_of::<T, L, true>(x, *most);
                    }
                } else {
                    let mut lanes = [*most; 16];
                    let mask = &self.mask[from..from + self.size];
                    for (part, mask) in x.chunks_exact(16).zip(mask.chunks_exact(16)) {
                        let both = lanes.iter_mut().zip(part.iter().zip(mask));
                        both.for_each(|(lane, (x, m))| *lane = pick::<T, true>(*lane, seen(*x, *m)));
                    }
                    let rest = x.chunks_exact(16).remainder().iter().zip(mask.chunks_exact(16).remainder());
                    *most =
                        rest.fold(halved(lanes, pick::<T, true>), |most, (x, m)| pick::<T, true>(most, seen(*x, *m)));
                }
            }
            *most = if self.mask.is_empty() { *most } else { found(*most) };
            for at in self.starts {
                let from = base + at;
                // The powers first and their sum then: two loops that the compiler makes vectors of, where of one it does not.
                for from in (from..from + self.size).step_by(PIECE) {
                    let x = &self.x[from..(from + PIECE).min(base + at + self.size)];
                    let mut powers = [T::ZERO; PIECE];
                    let powers = &mut powers[..x.len()];
                    if self.mask.is_empty() {
                        powers.iter_mut().zip(x).for_each(|(power, x)| *power = (*x - *most).power::<L>());
                    } else {
                        let both = x.iter().zip(&self.mask[from..from + x.len()]);
                        powers.iter_mut().zip(both).for_each(|(p, (x, m))| *p = weighed::<T, L>(*x, *m, *most));
                    }
                    // SAFETY: as of this function.
                    #[allow(unsafe_code)]
                    unsafe {
                        *sum += total::<T, L>(powers);
                    }
                }
            }
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
                self.most.iter_mut().zip(x).for_each(|(most, x)| *most = pick::<T, true>(*most, *x));
            } else {
                let both = x.iter().zip(&self.mask[from..from + count]);
                self.most.iter_mut().zip(both).for_each(|(most, (x, m))| *most = pick::<T, true>(*most, seen(*x, *m)));
            }
        }
        if !self.mask.is_empty() {
            self.most.iter_mut().for_each(|most| *most = found(*most));
        }
        for at in self.starts {
            let from = self.from + at;
            let both = self.sum.iter_mut().zip(self.most.iter().zip(&self.x[from..from + count]));
            if self.mask.is_empty() {
                both.for_each(|(sum, (most, x))| *sum += (*x - *most).power::<L>());
            } else {
                let mask = &self.mask[from..from + count];
                both.zip(mask).for_each(|((sum, (most, x)), m)| *sum += weighed::<T, L>(*x, *m, *most));
            }
        }
    }
}

/// What is made of every number, of another at its place, and of two that are left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// `e^(x - p) · q`: the gradient of the logarithm of a sum, where p is that and q its own gradient.
    Power,
    /// `y · e^(x - p) · q`, and 0 where the mask y is 0: the same under a mask.
    Weighed,
}

/// What is made of every number of `x`, with those of `y` where they lie and those of `p` and `q` that are left there.
/// An empty slice stands for zeros.
pub fn spread<T: Float>(cut: &Cut, made: Made, [x, y]: [&[T]; 2], [p, q]: [&[T]; 2]) -> Result<Vec<T>, Mismatch> {
    match made {
        Made::Power => spread::blend(cut, [x, y], [p, q], CURVE, &Power),
        Made::Weighed => spread::blend(cut, [x, y], [p, q], CURVE, &Weighed),
    }
}

struct Power;
struct Weighed;

impl<T: Float> Blend<T> for Power {
    #[inline(always)]
    fn of<L: Lanes>(&self, [x, _]: [T; 2], [p, q]: [T; 2]) -> T {
        (x - p).power::<L>() * q
    }
}

impl<T: Float> Blend<T> for Weighed {
    #[inline(always)]
    fn of<L: Lanes>(&self, [x, y]: [T; 2], [p, q]: [T; 2]) -> T {
        weighed::<T, L>(x, y, p) * q
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
