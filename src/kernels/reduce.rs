//! Some axes of a tensor folded away: sums and extremes.
//!
//! A tensor is cut into runs of neighbors that all go or all stay. Where the last axes go, a number of the result is
//! folded from whole runs; where they stay, rows of numbers are folded side by side.
#![allow(clippy::indexing_slicing)] // Runs are cut by the sizes that the slices are checked against on entry.

use std::ops::Range;

use super::runs::{added, dot, extreme_of, pick};
use super::shared::Shared;
use super::simd::{Lanes, Simd, Task, run as wide};
use super::{Float, Mismatch, length, parts};

/// Numbers that one part folds at least, and the widest row that it folds side by side.
pub(crate) const BLOCK: usize = 1 << 13;

/// The narrowest piece of a row that is longer: 1 kB in a row, which the processor fetches ahead.
const LEAST: usize = 1 << 8;

/// The sizes of a tensor, and which of its axes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Sizes and whether they go, neighbors of one fate made one, outermost first. None is of size 1.
    groups: Vec<(usize, bool)>,
    total: usize,
    kept: usize,
}

impl Cut {
    /// Of a tensor of this shape, whose axes at these positions go.
    pub fn new(shape: &[usize], gone: &[usize]) -> Result<Cut, Mismatch> {
        if gone.iter().any(|axis| *axis >= shape.len()) {
            return Err(Mismatch::Sizes("an axis that is to go is not there"));
        }
        let mut groups: Vec<(usize, bool)> = Vec::new();
        for (axis, size) in shape.iter().enumerate().filter(|(_, size)| **size != 1) {
            let goes = gone.contains(&axis);
            match groups.last_mut() {
                Some((n, g)) if *g == goes => *n *= size,
                _ => groups.push((*size, goes)),
            }
        }
        let product = |which: &dyn Fn(bool) -> bool| groups.iter().filter(|g| which(g.1)).map(|g| g.0).product();
        let (total, kept) = (product(&|_| true), product(&|goes| !goes));
        Ok(Cut { groups, total, kept })
    }

    /// How many numbers there are, and how many are left.
    pub fn counts(&self) -> (usize, usize) {
        (self.total, self.kept)
    }

    /// How many numbers are folded into one.
    pub fn folded(&self) -> usize {
        self.total.checked_div(self.kept).unwrap_or(0)
    }

    /// Whether what is folded into one number is one run of neighbors.
    pub fn is_of_runs(&self) -> bool {
        matches!(self.groups.as_slice(), [(_, true)] | [(_, false), (_, true)])
    }

    /// The length of the runs, and whether they go.
    pub(crate) fn run(&self) -> (usize, bool) {
        self.groups.last().copied().unwrap_or((1, true))
    }

    /// Where the runs of one number of the result (or of one row of it) begin, from the first of them.
    pub(crate) fn starts(&self) -> Vec<usize> {
        self.offsets(true)
    }

    /// Where the first run of each number of the result (or of each row of it) begins.
    pub(crate) fn bases(&self) -> Vec<usize> {
        self.offsets(false)
    }

    /// Of every run in order: which number (or row) of the result it belongs to.
    pub(crate) fn owners(&self) -> Vec<usize> {
        let mut owners = vec![0usize];
        for (n, gone) in self.groups.iter().take(self.groups.len().saturating_sub(1)) {
            let grow = |at: &usize| {
                let at = *at;
                (0..*n).map(move |i| if *gone { at } else { at * n + i }).collect::<Vec<_>>()
            };
            owners = owners.iter().flat_map(grow).collect();
        }
        owners
    }

    /// The offsets that the groups of one fate make, the last group left out.
    fn offsets(&self, gone: bool) -> Vec<usize> {
        let mut out = vec![0];
        let mut stride = self.total;
        let before = self.groups.len().saturating_sub(1);
        for (size, goes) in self.groups.iter().take(before) {
            stride /= (*size).max(1);
            if *goes == gone {
                out = out.iter().flat_map(|at| (0..*size).map(move |i| at + i * stride)).collect();
            }
        }
        out
    }
}

/// How numbers become one.
trait Fold<T>: Sync {
    /// What a fold begins with.
    fn start(&self) -> T;
    /// Folds a run of neighbors, told by where they lie, into a number of the result that `p` belongs to.
    ///
    /// # Safety
    /// The machine executes the instructions of `L`.
    unsafe fn run<L: Lanes>(&self, so_far: T, p: T, at: Range<usize>) -> T;
    /// Folds a row of neighbors into as many numbers of the result. `with` holds what belongs to these, or nothing.
    fn row(&self, out: &mut [T], with: &[T], at: Range<usize>);
}

/// Folds what goes. `with` holds a number for each of the result's, or nothing, which stands for zeros.
fn fold<T: Float>(cut: &Cut, x: &[T], with: &[T], fold: &impl Fold<T>) -> Result<Vec<T>, Mismatch> {
    length("x", x, cut.total)?;
    if !with.is_empty() {
        length("parameters", with, cut.kept)?;
    }
    let mut out = vec![fold.start(); cut.kept];
    let ((size, goes), starts, bases) = (cut.run(), cut.starts(), cut.bases());
    if cut.total == 0 {
        return Ok(out);
    }
    let (starts, bases) = (starts.as_slice(), bases.as_slice());
    if goes {
        let results = (BLOCK / cut.folded().max(1)).max(1);
        parts::chunks(&mut out, results, cut.folded(), |at, out| {
            wide(Simd::chosen(), Runs { fold, starts, bases: &bases[at..at + out.len()], with, at, size, out });
        });
        return Ok(out);
    }
    let pieces = Pieces::of(size, starts.len(), bases.len(), broad(starts.len()));
    let out_of = Shared::new(&mut out);
    parts::each(pieces.count(), cut.total, |i| {
        let (rows, from, count) = pieces.part(i);
        for row in rows {
            // SAFETY: the pieces of different parts do not overlap.
            #[allow(unsafe_code)]
            let out = unsafe { out_of.part(row * size + from, count) };
            let with = with.get(row * size + from..row * size + from + count).unwrap_or_default();
            wide(Simd::chosen(), Rows { fold, starts, base: bases[row] + from, with, out });
        }
    });
    Ok(out)
}

/// How many numbers side by side a part folds into, `folded` each.
pub(crate) fn broad(folded: usize) -> usize {
    (BLOCK / folded.max(1)).clamp(LEAST, BLOCK)
}

/// Rows that lie side by side, cut into parts: of long ones a piece each, of short ones several.
pub(crate) struct Pieces {
    size: usize,
    rows: usize,
    /// The length of a piece.
    broad: usize,
    /// Rows in a part.
    group: usize,
}

impl Pieces {
    /// Of `rows` rows of `size` numbers, each of which `folded` numbers are folded into; a piece has `broad` of them at most.
    pub fn of(size: usize, folded: usize, rows: usize, broad: usize) -> Self {
        let broad = broad.min(size).max(1);
        let group = if broad < size { 1 } else { (BLOCK / (size * folded).max(1)).max(1) };
        Self { size, rows, broad, group }
    }

    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.rows.div_ceil(self.group) * self.size.div_ceil(self.broad)
    }

    /// The rows of a part, and where in them it begins, and how many numbers of each it has.
    pub fn part(&self, i: usize) -> (Range<usize>, usize, usize) {
        let each = self.size.div_ceil(self.broad);
        let (first, from) = (i / each * self.group, i % each * self.broad);
        (first..(first + self.group).min(self.rows), from, self.broad.min(self.size - from))
    }
}

/// Some numbers of the result, whose runs go.
struct Runs<'a, T, F> {
    fold: &'a F,
    starts: &'a [usize],
    bases: &'a [usize],
    with: &'a [T],
    /// The first of them.
    at: usize,
    size: usize,
    out: &'a mut [T],
}

impl<T: Float, F: Fold<T>> Task for Runs<'_, T, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for (i, (out, base)) in self.out.iter_mut().zip(self.bases).enumerate() {
            let p = self.with.get(self.at + i).copied().unwrap_or(T::ZERO);
            for at in self.starts {
                // SAFETY: as of this function.
                #[allow(unsafe_code)]
                unsafe {
                    *out = self.fold.run::<L>(*out, p, base + at..base + at + self.size);
                }
            }
        }
    }
}

/// A piece of a row of the result.
struct Rows<'a, T, F> {
    fold: &'a F,
    starts: &'a [usize],
    base: usize,
    with: &'a [T],
    out: &'a mut [T],
}

impl<T: Float, F: Fold<T>> Task for Rows<'_, T, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for at in self.starts {
            let first = self.base + at;
            self.fold.row(self.out, self.with, first..first + self.out.len());
        }
    }
}

/// Σ f(x, p) over what goes, p being the number of `with` that belongs to the result.
pub fn sum<T: Float>(cut: &Cut, x: &[T], with: &[T], f: impl Fn(T, T) -> T + Sync) -> Result<Vec<T>, Mismatch> {
    fold(cut, x, with, &Sum { x, f })
}

struct Sum<'a, T, F> {
    x: &'a [T],
    f: F,
}

impl<T: Float, F: Fn(T, T) -> T + Sync> Fold<T> for Sum<'_, T, F> {
    fn start(&self) -> T {
        T::ZERO
    }

    #[inline(always)]
    unsafe fn run<L: Lanes>(&self, so_far: T, p: T, at: Range<usize>) -> T {
        let (x, f) = (&self.x[at], &self.f);
        let mut lanes = [T::ZERO; 32];
        let parts = x.chunks_exact(32);
        let rest: T = parts.remainder().iter().map(|x| f(*x, p)).sum();
        for part in parts {
            for (lane, x) in lanes.iter_mut().zip(part) {
                *lane += f(*x, p);
            }
        }
        so_far + (added(lanes) + rest)
    }

    #[inline(always)]
    fn row(&self, out: &mut [T], with: &[T], at: Range<usize>) {
        let (x, f) = (&self.x[at], &self.f);
        if with.is_empty() {
            out.iter_mut().zip(x).for_each(|(sum, x)| *sum += f(*x, T::ZERO));
        } else {
            out.iter_mut().zip(with).zip(x).for_each(|((sum, p), x)| *sum += f(*x, *p));
        }
    }
}

/// Σ x·y over what goes.
pub fn products<T: Float>(cut: &Cut, x: &[T], y: &[T]) -> Result<Vec<T>, Mismatch> {
    length("y", y, cut.total)?;
    fold(cut, x, &[], &Products { x, y })
}

struct Products<'a, T> {
    x: &'a [T],
    y: &'a [T],
}

impl<T: Float> Fold<T> for Products<'_, T> {
    fn start(&self) -> T {
        T::ZERO
    }

    #[inline(always)]
    unsafe fn run<L: Lanes>(&self, so_far: T, _: T, at: Range<usize>) -> T {
        // SAFETY: as of this function.
        #[allow(unsafe_code)]
        unsafe {
            so_far + dot::<T, L>(&self.x[at.clone()], &self.y[at])
        }
    }

    #[inline(always)]
    fn row(&self, out: &mut [T], _: &[T], at: Range<usize>) {
        let both = self.x[at.clone()].iter().zip(&self.y[at]);
        out.iter_mut().zip(both).for_each(|(sum, (x, y))| *sum += *x * *y);
    }
}

/// The greatest number of what goes, or the least. What is no number makes the result none.
pub fn extreme<T: Float>(cut: &Cut, x: &[T], greatest: bool) -> Result<Vec<T>, Mismatch> {
    if greatest { fold(cut, x, &[], &Extreme::<T, true>(x)) } else { fold(cut, x, &[], &Extreme::<T, false>(x)) }
}

struct Extreme<'a, T, const GREATEST: bool>(&'a [T]);

impl<T: Float, const GREATEST: bool> Fold<T> for Extreme<'_, T, GREATEST> {
    fn start(&self) -> T {
        T::of(if GREATEST { f64::NEG_INFINITY } else { f64::INFINITY })
    }

    #[inline(always)]
    unsafe fn run<L: Lanes>(&self, so_far: T, _: T, at: Range<usize>) -> T {
        // SAFETY: as of this function.
        #[allow(unsafe_code)]
        unsafe {
            extreme_of::<T, L, GREATEST>(&self.0[at], so_far)
        }
    }

    #[inline(always)]
    fn row(&self, out: &mut [T], _: &[T], at: Range<usize>) {
        out.iter_mut().zip(&self.0[at]).for_each(|(best, x)| *best = pick::<T, GREATEST>(*best, *x));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::spread::spread;

    /// Every way to cut a shape, with the result's index of each number.
    fn cuts(shape: &[usize]) -> Vec<(Cut, Vec<usize>)> {
        let total: usize = shape.iter().product();
        let of = |mask: usize| {
            let gone: Vec<usize> = (0..shape.len()).filter(|axis| mask >> axis & 1 == 1).collect();
            let owner = |mut at: usize| {
                let mut index = vec![0; shape.len()];
                for axis in (0..shape.len()).rev() {
                    (index[axis], at) = (at % shape[axis], at / shape[axis]);
                }
                (0..shape.len()).filter(|a| !gone.contains(a)).fold(0, |o, axis| o * shape[axis] + index[axis])
            };
            (Cut::new(shape, &gone).unwrap(), (0..total).map(owner).collect())
        };
        (0..1 << shape.len()).map(of).collect()
    }

    fn wide(p: &[f64], owners: &[usize]) -> Vec<f64> {
        owners.iter().map(|at| p[*at]).collect()
    }

    #[test]
    fn folds_and_spreads_agree_with_an_index_for_each_number() {
        for shape in [vec![2, 3, 5, 7], vec![1, 4, 1, 33], vec![3, 1], vec![40], vec![2, 70, 3], vec![]] {
            for (cut, owners) in cuts(&shape) {
                let (total, kept) = cut.counts();
                let x: Vec<f64> = (0..total).map(|i| ((i * 37 + 11) % 101) as f64 - 50.0).collect();
                let p: Vec<f64> = (0..kept).map(|i| i as f64).collect();
                let (mut sums, mut most, mut least) = (vec![0.0; kept], vec![f64::MIN; kept], vec![f64::MAX; kept]);
                for (x, at) in x.iter().zip(&owners) {
                    sums[*at] += x * p[*at];
                    (most[*at], least[*at]) = (most[*at].max(*x), least[*at].min(*x));
                }
                assert_eq!(sum(&cut, &x, &p, |x, p| x * p).unwrap(), sums, "{cut:?}");
                let mut dots = vec![0.0; kept];
                x.iter().zip(&wide(&p, &owners)).zip(&owners).for_each(|((x, y), at)| dots[*at] += x * y);
                assert_eq!(products(&cut, &x, &wide(&p, &owners)).unwrap(), dots, "{cut:?}");
                assert_eq!(extreme(&cut, &x, true).unwrap(), most, "{cut:?}");
                assert_eq!(extreme(&cut, &x, false).unwrap(), least, "{cut:?}");
                let wanted: Vec<f64> = x.iter().zip(&owners).map(|(x, at)| x + 3.0 * p[*at]).collect();
                assert_eq!(spread(&cut, [&x, &[]], [&p, &[]], |[x, _], [p, _]| x + 3.0 * p).unwrap(), wanted);
            }
        }
        assert!(Cut::new(&[2], &[1]).is_err());
        assert!(sum(&Cut::new(&[2], &[0]).unwrap(), &[0.0f32; 3], &[], |x, _| x).is_err());
    }

    #[test]
    fn the_bits_are_the_same_on_any_number_of_threads() {
        let x: Vec<f32> = (0..3 * 40 * 1000).map(|i| (i as f32 * 0.37).sin()).collect();
        let pool = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        for gone in [vec![0], vec![1], vec![2], vec![0, 2], vec![1, 2]] {
            let cut = Cut::new(&[3, 40, 1000], &gone).unwrap();
            let run = || sum(&cut, &x, &[], |x, _| x * x).unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(pool(1).install(run), pool(4).install(run), "{gone:?}");
        }
    }
}
