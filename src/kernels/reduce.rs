//! Some axes of a tensor folded away, and what is left spread over them again: sums, extremes, and their gradients.
//!
//! A tensor is cut into runs of neighbors that all go or all stay. Where the last axes go, a number of the result is
//! folded from whole runs; where they stay, rows of numbers are folded side by side.
#![allow(clippy::indexing_slicing)] // Runs are cut by the sizes that the slices are checked against on entry.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::fresh::made;
use super::simd::{Closure, Lanes, Simd, Task, run as wide};
use super::{Float, Mismatch, length};

/// Numbers that one task folds at least, and the widest row that it folds side by side.
const BLOCK: usize = 1 << 13;

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

/// Folds what goes. `start` is what a fold begins with; `run` folds a run of neighbors into a number of the result,
/// `row` a row of neighbors into as many numbers; the neighbors are told by where they lie. Both are given the numbers of `with` that belong to the result's, or
/// zeros where it is empty.
fn fold<T: Float>(
    cut: &Cut,
    x: &[T],
    with: &[T],
    start: T,
    run: impl Fn(T, T, Range<usize>) -> T + Sync,
    row: impl Fn(&mut [T], &[T], Range<usize>) + Sync,
) -> Result<Vec<T>, Mismatch> {
    length("x", x, cut.total)?;
    if !with.is_empty() {
        length("parameters", with, cut.kept)?;
    }
    let mut out = vec![start; cut.kept];
    let ((size, goes), starts, bases) = (cut.run(), cut.starts(), cut.bases());
    if cut.total == 0 {
        return Ok(out);
    }
    if goes {
        let least = (BLOCK / cut.folded().max(1)).max(1);
        out.par_iter_mut().zip(bases).enumerate().with_min_len(least).for_each(|(i, (out, base))| {
            let p = with.get(i).copied().unwrap_or(T::ZERO);
            wide(
                Simd::chosen(),
                Closure(|| {
                    for at in &starts {
                        *out = run(*out, p, base + at..base + at + size);
                    }
                }),
            );
        });
    } else {
        let least = (BLOCK / (size * starts.len()).max(1)).max(1);
        let broad = (BLOCK / starts.len().max(1)).clamp(64, BLOCK).min(size);
        out.par_chunks_mut(size).zip(bases).enumerate().with_min_len(least).for_each(|(i, (out, base))| {
            out.par_chunks_mut(broad).enumerate().for_each(|(j, out)| {
                let (from, count) = (j * broad, out.len());
                let p = if with.is_empty() { &[] } else { &with[i * size + from..i * size + from + count] };
                wide(
                    Simd::chosen(),
                    Closure(|| {
                        for at in &starts {
                            let first = base + at + from;
                            row(out, p, first..first + count);
                        }
                    }),
                );
            });
        });
    }
    Ok(out)
}

/// Σ f(x, p) over what goes, p being the number of `with` that belongs to the result.
pub fn sum<T: Float>(cut: &Cut, x: &[T], with: &[T], f: impl Fn(T, T) -> T + Sync) -> Result<Vec<T>, Mismatch> {
    let run = |sum: T, p: T, at: Range<usize>| {
        let x = &x[at];
        let mut lanes = [T::ZERO; 16];
        let parts = x.chunks_exact(16);
        let rest: T = parts.remainder().iter().map(|x| f(*x, p)).sum();
        for part in parts {
            for (lane, x) in lanes.iter_mut().zip(part) {
                *lane += f(*x, p);
            }
        }
        sum + (lanes.into_iter().sum::<T>() + rest)
    };
    let row = |sums: &mut [T], with: &[T], at: Range<usize>| {
        let x = &x[at];
        if with.is_empty() {
            sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += f(*x, T::ZERO));
        } else {
            sums.iter_mut().zip(with).zip(x).for_each(|((sum, p), x)| *sum += f(*x, *p));
        }
    };
    fold(cut, x, with, T::ZERO, run, row)
}

/// Σ x·y over what goes.
pub fn products<T: Float>(cut: &Cut, x: &[T], y: &[T]) -> Result<Vec<T>, Mismatch> {
    length("y", y, cut.total)?;
    let run = |sum: T, _: T, at: Range<usize>| {
        let mut lanes = [T::ZERO; 16];
        let (x, y) = (&x[at.clone()], &y[at]);
        let (parts, others) = (x.chunks_exact(16), y.chunks_exact(16));
        let rest: T = parts.remainder().iter().zip(others.remainder()).map(|(x, y)| *x * *y).sum();
        for (x, y) in parts.zip(others) {
            lanes.iter_mut().zip(x.iter().zip(y)).for_each(|(lane, (x, y))| *lane += *x * *y);
        }
        sum + (lanes.into_iter().sum::<T>() + rest)
    };
    let row = |sums: &mut [T], _: &[T], at: Range<usize>| {
        let both = x[at.clone()].iter().zip(&y[at]);
        sums.iter_mut().zip(both).for_each(|(sum, (x, y))| *sum += *x * *y);
    };
    fold(cut, x, &[], T::ZERO, run, row)
}

/// The greatest number of what goes, or the least. What is no number makes the result none.
pub fn extreme<T: Float>(cut: &Cut, x: &[T], greatest: bool) -> Result<Vec<T>, Mismatch> {
    // What is no number stays: it is greater than nothing, and nothing is greater than it.
    #[allow(clippy::eq_op)]
    let pick = |a: T, b: T| if b != b || greatest && b > a || !greatest && b < a { b } else { a };
    let start = T::of(if greatest { f64::NEG_INFINITY } else { f64::INFINITY });
    let run = |best: T, _: T, at: Range<usize>| {
        let x = &x[at];
        let mut lanes = [best; 16];
        let parts = x.chunks_exact(16);
        let rest = parts.remainder().iter().fold(best, |a, b| pick(a, *b));
        for part in parts {
            lanes.iter_mut().zip(part).for_each(|(lane, x)| *lane = pick(*lane, *x));
        }
        lanes.into_iter().fold(rest, pick)
    };
    let row = |best: &mut [T], _: &[T], at: Range<usize>| {
        best.iter_mut().zip(&x[at]).for_each(|(best, x)| *best = pick(*best, *x))
    };
    fold(cut, x, &[], start, run, row)
}

/// What is left, spread over what went: f of the numbers of `x` and `y` at each place, and of those of `p` and `q` that
/// belong to the result there. An empty slice stands for zeros.
pub fn spread<T: Float>(
    cut: &Cut,
    [x, y]: [&[T]; 2],
    [p, q]: [&[T]; 2],
    f: impl Fn([T; 2], [T; 2]) -> T + Sync,
) -> Result<Vec<T>, Mismatch> {
    for (what, slice, wanted) in
        [("x", x, cut.total), ("y", y, cut.total), ("parameters", p, cut.kept), ("parameters", q, cut.kept)]
    {
        if !slice.is_empty() {
            length(what, slice, wanted)?;
        }
    }
    if cut.total == 0 {
        return Ok(Vec::new());
    }
    let ((size, goes), owners) = (cut.run(), cut.owners());
    let runs = (BLOCK / size).max(1);
    let fill = |out: &mut [MaybeUninit<T>]| {
        let parts = out.par_chunks_mut(size * runs).zip(owners.par_chunks(runs)).enumerate();
        parts.for_each(|(i, (out, owners))| {
            let at = i * size * runs;
            let part = |slice: &'_ [T]| if slice.is_empty() { 0..0 } else { at..at + out.len() };
            let (x, y) = (&x[part(x)], &y[part(y)]);
            wide(Simd::chosen(), Each { size, goes, owners, x, y, p, q, out, f: &f });
        });
    };
    // SAFETY: the runs cover all numbers, there is an owner for each, and each run is written whole.
    #[allow(unsafe_code)]
    Ok(unsafe { made(cut.total, fill) })
}

/// Some runs of the result of [`spread`], with the numbers that lie where they do.
struct Each<'a, T, F> {
    size: usize,
    goes: bool,
    owners: &'a [usize],
    x: &'a [T],
    y: &'a [T],
    p: &'a [T],
    q: &'a [T],
    out: &'a mut [MaybeUninit<T>],
    f: &'a F,
}

impl<T: Float, F: Fn([T; 2], [T; 2]) -> T> Task for Each<'_, T, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Each { size, goes, owners, x, y, p, q, out, f } = self;
        let one = |slice: &[T], at: usize| slice.get(at).copied().unwrap_or(T::ZERO);
        let set = MaybeUninit::new;
        for ((k, out), owner) in out.chunks_mut(size).enumerate().zip(owners) {
            let (at, n, own) = (k * size, out.len(), owner * size);
            let of = |slice: &'_ [T], at: usize| if slice.is_empty() { 0..0 } else { at..at + n };
            let (x, y) = (&x[of(x, at)], &y[of(y, at)]);
            if goes {
                let params = [one(p, *owner), one(q, *owner)];
                match (x.is_empty(), y.is_empty()) {
                    (true, true) => out.fill(MaybeUninit::new(f([T::ZERO; 2], params))),
                    (false, true) => out.iter_mut().zip(x).for_each(|(out, x)| *out = set(f([*x, T::ZERO], params))),
                    (true, false) => out.iter_mut().zip(y).for_each(|(out, y)| *out = set(f([T::ZERO, *y], params))),
                    (false, false) => {
                        let both = x.iter().zip(y);
                        out.iter_mut().zip(both).for_each(|(out, (x, y))| *out = set(f([*x, *y], params)));
                    }
                }
                continue;
            }
            let (p, q) = (&p[of(p, own)], &q[of(q, own)]);
            if [x, y, p, q].iter().all(|slice| !slice.is_empty()) {
                let all = x.iter().zip(y).zip(p.iter().zip(q));
                out.iter_mut().zip(all).for_each(|(out, ((x, y), (p, q)))| *out = set(f([*x, *y], [*p, *q])));
            } else if x.is_empty() && y.is_empty() && q.is_empty() && !p.is_empty() {
                out.iter_mut().zip(p).for_each(|(out, p)| *out = set(f([T::ZERO; 2], [*p, T::ZERO])));
            } else if y.is_empty() && q.is_empty() && !x.is_empty() && !p.is_empty() {
                out.iter_mut()
                    .zip(x.iter().zip(p))
                    .for_each(|(out, (x, p))| *out = set(f([*x, T::ZERO], [*p, T::ZERO])));
            } else {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = set(f([one(x, i), one(y, i)], [one(p, i), one(q, i)]));
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

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
