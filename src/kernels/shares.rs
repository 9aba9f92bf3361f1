//! Numbers as shares of 1 along axes, or the logarithms of these, and the gradients.
//!
//! What goes into one sum is read from memory once where it is a run of neighbors, or lies in rows side by side: of these a piece
//! is taken that the second-level cache holds.
#![allow(clippy::indexing_slicing)] // Runs are cut by the sizes that the slices are checked against on entry.

use std::mem::MaybeUninit;

use crate::fresh::made;
use crate::parts::{self, CURVE};
use crate::reduce::{self, BLOCK, Cut, Pieces};
use crate::runs::{dot, extreme_of, pick, total};
use crate::shared::Shared;
use crate::simd::{Lanes, Simd, Task, run};
use crate::soft::{self, Made, Sums};
use crate::spread::{self, Blend};
use crate::{Float, Mismatch, length, map};

/// The widest piece of a row.
const WIDE: usize = 1 << 9;

/// How many numbers a piece of all rows has at most, unless it were narrower than a quarter of the widest.
const HELD: usize = 1 << 16;

/// Each number's share of its sum of exponentials, or the logarithm of that.
pub fn shares<T: Float>(cut: &Cut, x: &[T], logarithm: bool) -> Result<Vec<T>, Mismatch> {
    let (total, _) = cut.counts();
    length("x", x, total)?;
    if cut.folded() <= 1 {
        // All of 1, but for what is not finite.
        let whole = if logarithm { T::ZERO } else { T::ONE };
        return Ok(map::one(x, |x| x * T::ZERO + whole));
    }
    let (size, goes) = cut.run();
    if cut.is_of_runs() {
        return Ok(runs(total, size, CURVE, |at, out| {
            run(Simd::chosen(), Runs { x: &x[at..at + out.len()], size, logarithm, out });
        }));
    }
    if !goes {
        return Ok(rows(cut, CURVE, |piece| run(Simd::chosen(), Rows { x, logarithm, piece })));
    }
    // Runs that belong together but lie apart.
    let Sums { most, mut sum } = soft::sums(cut, x, &[])?;
    if logarithm {
        sum.iter_mut().for_each(|sum| *sum = sum.logarithm());
        return spread::spread(cut, [x, &[]], [&most, &sum], |[x, _], [p, q]| x - p - q);
    }
    sum.iter_mut().for_each(|sum| *sum = T::ONE / *sum);
    soft::spread(cut, Made::Power, [x, &[]], [&most, &sum])
}

/// The gradient of the numbers that [`shares`] made `y` of, given that of `y`.
pub fn gradient<T: Float>(cut: &Cut, y: &[T], grad: &[T], logarithm: bool) -> Result<Vec<T>, Mismatch> {
    let (total, _) = cut.counts();
    length("shares", y, total)?;
    length("gradient", grad, total)?;
    if cut.folded() <= 1 {
        // None, but for what is not finite.
        return map::two(y, grad, |y, grad| y * T::ZERO + grad * T::ZERO);
    }
    let ((size, goes), cost) = (cut.run(), if logarithm { CURVE } else { 2 });
    if cut.is_of_runs() {
        return Ok(runs(total, size, cost, |at, out| {
            let (y, grad) = (&y[at..at + out.len()], &grad[at..at + out.len()]);
            run(Simd::chosen(), RunGradients { y, grad, size, logarithm, out });
        }));
    }
    if !goes {
        return Ok(rows(cut, cost, |piece| run(Simd::chosen(), RowGradients { y, grad, logarithm, piece })));
    }
    if logarithm {
        let sum = reduce::sum(cut, grad, &[], |g, _| g)?;
        return spread::blend(cut, [y, grad], [&sum, &[]], CURVE, &LogarithmGradient);
    }
    let sum = reduce::products(cut, y, grad)?;
    spread::spread(cut, [y, grad], [&sum, &[]], |[y, g], [sum, _]| y * (g - sum))
}

/// The gradient of one number of a run that lies apart from others of its sum.
struct LogarithmGradient;

impl<T: Float> Blend<T> for LogarithmGradient {
    #[inline(always)]
    fn of<L: Lanes>(&self, [y, grad]: [T; 2], [sum, _]: [T; 2]) -> T {
        grad - y.power::<L>() * sum
    }
}

/// `total` numbers, runs of `size` of which `fill` writes, from where they begin.
fn runs<T: Float>(
    total: usize,
    size: usize,
    cost: usize,
    fill: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync,
) -> Vec<T> {
    let part = (BLOCK / size.max(1)).max(1) * size;
    // SAFETY: the chunks cover all numbers, and each task below writes all of its runs.
    #[allow(unsafe_code)]
    unsafe {
        made(total, |out| parts::chunks(out, part, cost, fill))
    }
}

/// All numbers of a cut, a piece of all rows of which `fill` writes.
fn rows<T: Float>(cut: &Cut, cost: usize, fill: impl Fn(Piece<'_, T>) + Sync) -> Vec<T> {
    let ((size, _), starts, bases) = (cut.run(), cut.starts(), cut.bases());
    let wide = (HELD / starts.len().max(1)).clamp(WIDE / 4, WIDE);
    let pieces = Pieces::of(size, starts.len(), bases.len(), wide);
    let (total, _) = cut.counts();
    let fill = |out: &mut [MaybeUninit<T>]| {
        let all = Shared::new(out);
        parts::each(pieces.count(), total * cost, |i| {
            let (rows, from, count) = pieces.part(i);
            for row in rows {
                fill(Piece { from: bases[row] + from, count, starts: &starts, all: &all });
            }
        });
    };
    // SAFETY: the pieces cover all numbers, and each task below writes all rows of its pieces.
    #[allow(unsafe_code)]
    unsafe {
        made(total, fill)
    }
}

/// A piece of rows that lie side by side: `count` numbers, at most [`WIDE`], after each of the places `from` + `starts`.
struct Piece<'a, T> {
    from: usize,
    count: usize,
    starts: &'a [usize],
    all: &'a Shared<'a, MaybeUninit<T>>,
}

impl<T> Piece<'_, T> {
    /// A row of `x` in this piece.
    #[inline(always)]
    fn of<'b>(&self, x: &'b [T], start: usize) -> &'b [T] {
        &x[self.from + start..self.from + start + self.count]
    }

    /// The same of what is written.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    fn out(&self, start: usize) -> &mut [MaybeUninit<T>] {
        // SAFETY: a part has the pieces of its own, and takes one row of them at a time.
        #[allow(unsafe_code)]
        unsafe {
            self.all.part(self.from + start, self.count)
        }
    }
}

/// What was written to a place before.
#[inline(always)]
fn there<T: Copy>(out: &MaybeUninit<T>) -> T {
    // SAFETY: every task writes all numbers before it reads the first of them.
    #[allow(unsafe_code)]
    unsafe {
        out.assume_init()
    }
}

/// What a run was written as.
#[inline(always)]
fn written<T: Copy>(out: &[MaybeUninit<T>]) -> &[T] {
    // SAFETY: as above; a number that may not have been written lies as one that was.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts(out.as_ptr().cast::<T>(), out.len())
    }
}

struct Runs<'a, T> {
    x: &'a [T],
    size: usize,
    logarithm: bool,
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Float> Task for Runs<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for (out, x) in self.out.chunks_exact_mut(self.size).zip(self.x.chunks_exact(self.size)) {
            // SAFETY: as of this function.
            #[allow(unsafe_code)]
            let most = unsafe { extreme_of::<T, L, true>(x, T::of(f64::NEG_INFINITY)) };
            if self.logarithm {
                let mut sum = T::ZERO;
                for x in x.chunks(WIDE) {
                    let mut powers = [T::ZERO; WIDE];
                    let powers = &mut powers[..x.len()];
                    powers.iter_mut().zip(x).for_each(|(power, x)| *power = (*x - most).power::<L>());
                    // SAFETY: as of this function.
                    #[allow(unsafe_code)]
                    unsafe {
                        sum += total::<T, L>(powers);
                    }
                }
                // The greatest is taken off first, which keeps the digits of what is near it.
                let log = sum.logarithm();
                out.iter_mut().zip(x).for_each(|(out, x)| *out = MaybeUninit::new(*x - most - log));
                continue;
            }
            // A loop for each step, which the compiler makes vectors of; one that adds up what it writes it does not.
            out.iter_mut().zip(x).for_each(|(out, x)| *out = MaybeUninit::new((*x - most).power::<L>()));
            // SAFETY: as of this function.
            #[allow(unsafe_code)]
            let share = T::ONE / unsafe { total::<T, L>(written(out)) };
            out.iter_mut().for_each(|out| *out = MaybeUninit::new(there(out) * share));
        }
    }
}

struct RunGradients<'a, T> {
    y: &'a [T],
    grad: &'a [T],
    size: usize,
    logarithm: bool,
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Float> Task for RunGradients<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let runs = self.y.chunks_exact(self.size).zip(self.grad.chunks_exact(self.size));
        for (out, (y, grad)) in self.out.chunks_exact_mut(self.size).zip(runs) {
            if self.logarithm {
                // SAFETY: as of this function.
                #[allow(unsafe_code)]
                let sum = unsafe { total::<T, L>(grad) };
                let both = y.iter().zip(grad);
                out.iter_mut().zip(both).for_each(|(out, (y, g))| *out = MaybeUninit::new(*g - y.power::<L>() * sum));
                continue;
            }
            // SAFETY: as of this function.
            #[allow(unsafe_code)]
            let sum = unsafe { dot::<T, L>(y, grad) };
            let both = y.iter().zip(grad);
            out.iter_mut().zip(both).for_each(|(out, (y, g))| *out = MaybeUninit::new(*y * (*g - sum)));
        }
    }
}

struct Rows<'a, T> {
    x: &'a [T],
    logarithm: bool,
    piece: Piece<'a, T>,
}

impl<T: Float> Task for Rows<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Rows { x, logarithm, piece } = self;
        let (mut most, mut sum) = ([T::of(f64::NEG_INFINITY); WIDE], [T::ZERO; WIDE]);
        let (most, sum) = (&mut most[..piece.count], &mut sum[..piece.count]);
        for start in piece.starts {
            most.iter_mut().zip(piece.of(x, *start)).for_each(|(most, x)| *most = pick::<T, true>(*most, *x));
        }
        if logarithm {
            for start in piece.starts {
                let both = most.iter().zip(piece.of(x, *start));
                sum.iter_mut().zip(both).for_each(|(sum, (most, x))| *sum += (*x - *most).power::<L>());
            }
            sum.iter_mut().for_each(|sum| *sum = sum.natural::<L>());
            for start in piece.starts {
                let all = piece.of(x, *start).iter().zip(most.iter().zip(sum.iter()));
                let out = piece.out(*start).iter_mut();
                out.zip(all).for_each(|(out, (x, (most, log)))| *out = MaybeUninit::new(*x - *most - *log));
            }
            return;
        }
        for start in piece.starts {
            let all = piece.of(x, *start).iter().zip(most.iter().zip(sum.iter_mut()));
            for (out, (x, (most, sum))) in piece.out(*start).iter_mut().zip(all) {
                let power = (*x - *most).power::<L>();
                *sum += power;
                out.write(power);
            }
        }
        sum.iter_mut().for_each(|sum| *sum = T::ONE / *sum);
        for start in piece.starts {
            let both = piece.out(*start).iter_mut().zip(sum.iter());
            both.for_each(|(out, share)| *out = MaybeUninit::new(there(out) * *share));
        }
    }
}

struct RowGradients<'a, T> {
    y: &'a [T],
    grad: &'a [T],
    logarithm: bool,
    piece: Piece<'a, T>,
}

impl<T: Float> Task for RowGradients<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let RowGradients { y, grad, logarithm, piece } = self;
        let mut sum = [T::ZERO; WIDE];
        let sum = &mut sum[..piece.count];
        for start in piece.starts {
            let (y, grad) = (piece.of(y, *start), piece.of(grad, *start));
            if logarithm {
                sum.iter_mut().zip(grad).for_each(|(sum, g)| *sum += *g);
            } else {
                sum.iter_mut().zip(y.iter().zip(grad)).for_each(|(sum, (y, g))| *sum += *y * *g);
            }
        }
        for start in piece.starts {
            let all = piece.of(y, *start).iter().zip(piece.of(grad, *start)).zip(sum.iter());
            let out = piece.out(*start).iter_mut().zip(all);
            if logarithm {
                out.for_each(|(out, ((y, g), sum))| *out = MaybeUninit::new(*g - y.power::<L>() * *sum));
            } else {
                out.for_each(|(out, ((y, g), sum))| *out = MaybeUninit::new(*y * (*g - *sum)));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    /// The sum of exponentials that each number belongs to, by an index for each number.
    fn owners(shape: &[usize], gone: &[usize]) -> Vec<usize> {
        let owner = |mut at: usize| {
            let mut index = vec![0; shape.len()];
            for axis in (0..shape.len()).rev() {
                (index[axis], at) = (at % shape[axis], at / shape[axis]);
            }
            (0..shape.len()).filter(|a| !gone.contains(a)).fold(0, |o, axis| o * shape[axis] + index[axis])
        };
        (0..shape.iter().product()).map(owner).collect()
    }

    fn near(found: &[f32], wanted: &[f64]) -> bool {
        found.iter().zip(wanted).all(|(a, b)| (f64::from(*a) - b).abs() <= 2e-6 * b.abs().max(1.0))
    }

    #[test]
    fn shares_and_their_gradients_are_those_of_an_index_for_each_number() {
        // Runs, rows, rows longer than a piece, runs that lie apart, and nothing that goes.
        for shape in [vec![2, 3, 5, 7], vec![3, 1], vec![40], vec![2, 70, 3], vec![2, 5, 1300], vec![2, 300, 30]] {
            for which in 0..1usize << shape.len() {
                let gone: Vec<usize> = (0..shape.len()).filter(|axis| which >> axis & 1 == 1).collect();
                let (cut, owners) = (Cut::new(&shape, &gone).unwrap(), owners(&shape, &gone));
                let (total, kept) = cut.counts();
                let x: Vec<f64> = (0..total).map(|i| ((i * 37 + 11) % 101) as f64 / 7.0 - 5.0).collect();
                let grad: Vec<f64> = (0..total).map(|i| ((i * 53 + 7) % 97) as f64 / 48.0 - 1.0).collect();
                let (mut sum, mut along, mut all) = (vec![0.0; kept], vec![0.0; kept], vec![0.0; kept]);
                (0..total).for_each(|i| sum[owners[i]] += x[i].exp());
                let y: Vec<f64> = (0..total).map(|i| x[i].exp() / sum[owners[i]]).collect();
                for i in 0..total {
                    along[owners[i]] += y[i] * grad[i];
                    all[owners[i]] += grad[i];
                }
                let logs: Vec<f64> = (0..total).map(|i| x[i] - sum[owners[i]].ln()).collect();
                let slopes: Vec<f64> = (0..total).map(|i| y[i] * (grad[i] - along[owners[i]])).collect();
                let log_slopes: Vec<f64> = (0..total).map(|i| grad[i] - y[i] * all[owners[i]]).collect();
                let narrow = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
                let (nx, ny, ng, nl) = (narrow(&x), narrow(&y), narrow(&grad), narrow(&logs));
                assert!(near(&shares(&cut, &nx, false).unwrap(), &y), "{shape:?} {gone:?}");
                assert!(near(&shares(&cut, &nx, true).unwrap(), &logs), "{shape:?} {gone:?}");
                assert!(near(&gradient(&cut, &ny, &ng, false).unwrap(), &slopes), "{shape:?} {gone:?}");
                let scale = all.iter().fold(1.0f64, |a, b| a.max(b.abs()));
                let found: Vec<f32> =
                    gradient(&cut, &nl, &ng, true).unwrap().iter().map(|x| x / scale as f32).collect();
                let wanted: Vec<f64> = log_slopes.iter().map(|x| x / scale).collect();
                assert!(near(&found, &wanted), "{shape:?} {gone:?}");
            }
        }
        let cut = Cut::new(&[2, 3], &[1]).unwrap();
        assert!(shares(&cut, &[0.0f32; 5], false).is_err() && gradient(&cut, &[0.0f32; 6], &[], true).is_err());
    }

    #[test]
    fn the_bits_are_the_same_on_any_number_of_threads() {
        let x: Vec<f32> = (0..3 * 40 * 3000).map(|i| (i as f32 * 0.37).sin()).collect();
        let pool = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        for gone in [vec![0], vec![1], vec![2], vec![0, 2], vec![1, 2]] {
            let cut = Cut::new(&[3, 40, 3000], &gone).unwrap();
            for logarithm in [false, true] {
                let run = || {
                    let y = shares(&cut, &x, logarithm).unwrap();
                    let slopes = gradient(&cut, &y, &x, logarithm).unwrap();
                    y.iter().chain(&slopes).map(|x| x.to_bits()).collect::<Vec<_>>()
                };
                assert_eq!(pool(1).install(run), pool(4).install(run), "{gone:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none_where_nothing_goes() {
        let cut = Cut::new(&[3, 1], &[1]).unwrap();
        let y = shares(&cut, &[1.0f32, f32::NAN, 2.0], true).unwrap();
        assert!(y[0] == 0.0 && y[1].is_nan() && y[2] == 0.0);
        let slopes = gradient(&cut, &y, &[1.0, 1.0, f32::INFINITY], true).unwrap();
        assert!(slopes[0] == 0.0 && slopes[1].is_nan() && slopes[2].is_nan());
    }
}
