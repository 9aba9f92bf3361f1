//! What is left of a tensor spread over the axes that went: gradients of sums and extremes, and values that meet.
#![allow(clippy::indexing_slicing)] // Runs are cut by the sizes that the slices are checked against on entry.

use std::mem::MaybeUninit;

use super::fresh::made;
use super::reduce::{BLOCK, Cut};
use super::shared::Shared;
use super::simd::{Lanes, Simd, Task, run as wide};
use super::{Float, Mismatch, length, parts};

/// What is made of two numbers at a place and two that belong to it.
pub(crate) trait Blend<T>: Sync {
    /// Of `[x, y]` and `[p, q]`.
    fn of<L: Lanes>(&self, at: [T; 2], left: [T; 2]) -> T;
}

impl<T, F: Fn([T; 2], [T; 2]) -> T + Sync> Blend<T> for F {
    #[inline(always)]
    fn of<L: Lanes>(&self, at: [T; 2], left: [T; 2]) -> T {
        self(at, left)
    }
}

/// What is left, spread over what went: f of the numbers of `x` and `y` at each place, and of those of `p` and `q` that
/// belong to the result there. An empty slice stands for zeros.
pub fn spread<T: Float>(
    cut: &Cut,
    at: [&[T]; 2],
    left: [&[T]; 2],
    f: impl Fn([T; 2], [T; 2]) -> T + Sync,
) -> Result<Vec<T>, Mismatch> {
    blend(cut, at, left, 1, &f)
}

/// [`spread`] by a function that is compiled with the loop, and costs so much a number.
pub(crate) fn blend<T: Float>(
    cut: &Cut,
    [x, y]: [&[T]; 2],
    [p, q]: [&[T]; 2],
    cost: usize,
    f: &impl Blend<T>,
) -> Result<Vec<T>, Mismatch> {
    let (total, kept) = cut.counts();
    for (what, slice, wanted) in [("x", x, total), ("y", y, total), ("parameters", p, kept), ("parameters", q, kept)] {
        if !slice.is_empty() {
            length(what, slice, wanted)?;
        }
    }
    if total == 0 {
        return Ok(Vec::new());
    }
    let ((size, goes), owners) = (cut.run(), cut.owners());
    // Parts of whole runs where they are short, of pieces of one where they are long.
    let runs = (BLOCK / size).max(1);
    let part = if size > BLOCK { BLOCK } else { size * runs };
    let fill = |out: &mut [MaybeUninit<T>]| {
        let all = Shared::new(out);
        let count = if size > BLOCK { owners.len() * size.div_ceil(BLOCK) } else { owners.len().div_ceil(runs) };
        parts::each(count, total * cost, |i| {
            let each = size.div_ceil(BLOCK);
            let (at, n, first, inside) = match size > BLOCK {
                true => {
                    (i / each * size + i % each * part, part.min(size - i % each * part), i / each, i % each * part)
                }
                false => (i * part, part.min(total - i * part), i * runs, 0),
            };
            // SAFETY: the parts do not overlap.
            #[allow(unsafe_code)]
            let out = unsafe { all.part(at, n) };
            let owners = &owners[first..(first + runs).min(owners.len())];
            let of = |slice: &'_ [T]| if slice.is_empty() { 0..0 } else { at..at + n };
            let (x, y) = (&x[of(x)], &y[of(y)]);
            wide(Simd::chosen(), Each { size, goes, owners, inside, x, y, p, q, out, f });
        });
    };
    // SAFETY: the parts cover all numbers, there is an owner for each run, and each part is written whole.
    #[allow(unsafe_code)]
    Ok(unsafe { made(total, fill) })
}

/// Some runs of the result of [`spread`] or a piece of one, with the numbers that lie where they do.
struct Each<'a, T, F> {
    size: usize,
    goes: bool,
    owners: &'a [usize],
    /// Where in the first run it begins.
    inside: usize,
    x: &'a [T],
    y: &'a [T],
    p: &'a [T],
    q: &'a [T],
    out: &'a mut [MaybeUninit<T>],
    f: &'a F,
}

impl<T: Float, F: Blend<T>> Task for Each<'_, T, F> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Each { size, goes, owners, inside, x, y, p, q, out, f } = self;
        let one = |slice: &[T], at: usize| slice.get(at).copied().unwrap_or(T::ZERO);
        let set = MaybeUninit::new;
        for ((k, out), owner) in out.chunks_mut(size).enumerate().zip(owners) {
            let (at, n, own) = (k * size, out.len(), owner * size + inside);
            let of = |slice: &'_ [T], at: usize| if slice.is_empty() { 0..0 } else { at..at + n };
            let (x, y) = (&x[of(x, at)], &y[of(y, at)]);
            if goes {
                let params = [one(p, *owner), one(q, *owner)];
                match (x.is_empty(), y.is_empty()) {
                    (true, true) => out.fill(MaybeUninit::new(f.of::<L>([T::ZERO; 2], params))),
                    (false, true) => {
                        out.iter_mut().zip(x).for_each(|(out, x)| *out = set(f.of::<L>([*x, T::ZERO], params)))
                    }
                    (true, false) => {
                        out.iter_mut().zip(y).for_each(|(out, y)| *out = set(f.of::<L>([T::ZERO, *y], params)))
                    }
                    (false, false) => {
                        let both = x.iter().zip(y);
                        out.iter_mut().zip(both).for_each(|(out, (x, y))| *out = set(f.of::<L>([*x, *y], params)));
                    }
                }
                continue;
            }
            let (p, q) = (&p[of(p, own)], &q[of(q, own)]);
            if [x, y, p, q].iter().all(|slice| !slice.is_empty()) {
                let all = x.iter().zip(y).zip(p.iter().zip(q));
                out.iter_mut().zip(all).for_each(|(out, ((x, y), (p, q)))| *out = set(f.of::<L>([*x, *y], [*p, *q])));
            } else if x.is_empty() && y.is_empty() && q.is_empty() && !p.is_empty() {
                out.iter_mut().zip(p).for_each(|(out, p)| *out = set(f.of::<L>([T::ZERO; 2], [*p, T::ZERO])));
            } else if y.is_empty() && q.is_empty() && !x.is_empty() && !p.is_empty() {
                out.iter_mut()
                    .zip(x.iter().zip(p))
                    .for_each(|(out, (x, p))| *out = set(f.of::<L>([*x, T::ZERO], [*p, T::ZERO])));
            } else {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = set(f.of::<L>([one(x, i), one(y, i)], [one(p, i), one(q, i)]));
                }
            }
        }
    }
}
