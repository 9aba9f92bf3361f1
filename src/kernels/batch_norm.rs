//! Every channel of a map to mean 0 and variance 1 over a batch, scaled and shifted, with a rectifier behind it if there is one.
//!
//! Mean and variance are gathered in one pass: of pieces that stay in the cache, which are then put together by the formula of
//! Chan, Golub and LeVeque (1979). Backward is two passes: sums for each channel, then a line for each number.
#![allow(clippy::indexing_slicing)] // Pieces are cut by the sizes that the slices are checked against on entry.

mod columns;
mod terms;

use std::mem::MaybeUninit;

use rayon::prelude::*;

use columns::down;
use terms::{Apart, Gradient, Passed, Plain, Read, Sums, Value, Write};

use crate::fresh::{Pieces, made};
use crate::simd::{Closure, Simd, run};
use crate::{Float, Mismatch, length};

/// The sizes of a map and how it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Images of the batch.
    pub images: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Cells of a channel.
    pub cells: usize,
    /// Whether the channels of a cell lie beside each other.
    pub last: bool,
}

/// What is done to a channel: y = (x - mean)·scale + shift, one number a channel each.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines<T> {
    /// Taken off.
    pub mean: Vec<T>,
    /// Multiplied by.
    pub scale: Vec<T>,
    /// Added.
    pub shift: Vec<T>,
    /// Whether what is below 0 becomes 0 after it.
    pub rectified: bool,
}

impl<T: Float> Lines<T> {
    /// The same, if these are of `f32`.
    pub(crate) fn single(&self) -> Option<Lines<f32>> {
        let [mean, scale, shift] = singles([&self.mean, &self.scale, &self.shift])?.map(<[f32]>::to_vec);
        Some(Lines { mean, scale, shift, rectified: self.rectified })
    }
}

impl Lines<f32> {
    /// What they make of whole cells, on one core.
    pub(crate) fn apply(&self, x: &[f32], out: &mut [f32]) {
        let term = Value { x: Read(x.as_ptr()), out: Write(out.as_mut_ptr()), rectified: self.rectified };
        let [] = down(&term, x.len().min(out.len()), self.mean.len(), [&self.mean, &self.scale, &self.shift]);
    }
}

impl Map {
    /// Numbers that a task takes at a time: a channel of an image, or cells that stay in the first-level cache.
    fn piece(&self) -> usize {
        if self.last { (8192 / self.channels.max(1)).max(8) * self.channels } else { self.cells }
    }

    fn check<T>(&self, x: &[T]) -> Result<(), Mismatch> {
        length("x", x, self.images * self.channels * self.cells)?;
        if x.is_empty() { Err(Mismatch::Sizes("a map without numbers has no mean")) } else { Ok(()) }
    }
}

/// Mean and variance of every channel over images and cells; the variance is divided by their count.
pub fn moments<T: Float>(map: &Map, x: &[T]) -> Result<(Vec<T>, Vec<T>), Mismatch> {
    let (mean, variance) = wide_moments(map, x)?;
    Ok((mean.into_iter().map(T::of).collect(), variance.into_iter().map(T::of).collect()))
}

/// As [`moments`], not rounded: for samples that are a part of a batch.
pub fn wide_moments<T: Float>(map: &Map, x: &[T]) -> Result<(Vec<f64>, Vec<f64>), Mismatch> {
    map.check(x)?;
    // Of each piece: how many numbers of a channel, their means, and their squared deviations summed.
    let piece = |x: &[T]| -> (usize, Vec<T>, Vec<T>) {
        if let (true, Some(x)) = (map.last, T::single(x)) {
            let (count, [mean, squares]) = by_columns(x, map.channels);
            return (count, same(mean), same(squares));
        }
        run(Simd::chosen(), Closure(|| if map.last { side_by_side(x, map.channels) } else { alone(x) }))
    };
    let pieces: Vec<_> = x.par_chunks(map.piece()).map(piece).collect();
    let (mut counts, mut mean, mut squares) =
        (vec![0.0; map.channels], vec![0.0f64; map.channels], vec![0.0f64; map.channels]);
    for (i, (count, means, deviations)) in pieces.iter().enumerate() {
        let first = if map.last { 0 } else { i % map.channels };
        for (k, (m, d)) in means.iter().zip(deviations).enumerate() {
            let c = first + k;
            let (own, more) = (counts[c], *count as f64);
            let apart = m.wide() - mean[c];
            mean[c] += apart * more / (own + more);
            squares[c] += d.wide() + apart * apart * own * more / (own + more);
            counts[c] = own + more;
        }
    }
    let variance = squares.iter().zip(&counts).map(|(s, n)| s / n).collect();
    Ok((mean, variance))
}

/// Count, mean and squared deviations of the numbers of one channel. What rounding left of the mean is put right by the sum of
/// the deviations, which would be 0.
#[inline(always)]
fn alone<T: Float>(x: &[T]) -> (usize, Vec<T>, Vec<T>) {
    let share = T::of(1.0 / x.len() as f64);
    let mean = crate::normalize::sum(x, x, |x, _| x) * share;
    let rest = crate::normalize::sum(x, x, |x, _| x - mean);
    let squares = crate::normalize::sum(x, x, |x, _| (x - mean) * (x - mean));
    (x.len(), vec![mean + rest * share], vec![squares - rest * rest * share])
}

/// Numbers of the type that `f32` was found to be.
fn same<T: Float>(x: Vec<f32>) -> Vec<T> {
    T::of_single(x).unwrap_or_default()
}

/// The slices, if they are of `f32`.
fn singles<T: Float, const N: usize>(of: [&[T]; N]) -> Option<[&[f32]; N]> {
    let mut singles: [&[f32]; N] = [&[]; N];
    for (single, of) in singles.iter_mut().zip(of) {
        *single = T::single(of)?;
    }
    Some(singles)
}

/// The same of channels that lie side by side, of `f32`.
fn by_columns(x: &[f32], channels: usize) -> (usize, [Vec<f32>; 2]) {
    let (count, read) = (x.len() / channels, Read(x.as_ptr()));
    let share = 1.0 / count as f32;
    let [mut mean] = down(&Plain(read), x.len(), channels, []);
    mean.iter_mut().for_each(|sum| *sum *= share);
    let [rest, mut squares] = down(&Apart(read), x.len(), channels, [&mean]);
    for ((mean, rest), squares) in mean.iter_mut().zip(rest).zip(&mut squares) {
        *mean += rest * share;
        *squares -= rest * rest * share;
    }
    (count, [mean, squares])
}

/// The same of channels that lie side by side.
#[inline(always)]
fn side_by_side<T: Float>(x: &[T], channels: usize) -> (usize, Vec<T>, Vec<T>) {
    let count = x.len() / channels;
    let (mut mean, mut rest, mut squares) = (vec![T::ZERO; channels], vec![T::ZERO; channels], vec![T::ZERO; channels]);
    for row in x.chunks_exact(channels) {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += *x);
    }
    let share = T::of(1.0 / count as f64);
    mean.iter_mut().for_each(|sum| *sum = *sum * share);
    for row in x.chunks_exact(channels) {
        let all = squares.iter_mut().zip(&mut rest).zip(mean.iter().zip(row));
        all.for_each(|((squares, rest), (mean, x))| {
            let apart = *x - *mean;
            *rest += apart;
            *squares += apart * apart;
        });
    }
    for ((mean, rest), squares) in mean.iter_mut().zip(&rest).zip(&mut squares) {
        *mean += *rest * share;
        *squares = *squares - *rest * *rest * share;
    }
    (count, mean, squares)
}

/// The value at every number of `x`.
pub fn value<T: Float>(map: &Map, x: &[T], lines: &Lines<T>) -> Result<Vec<T>, Mismatch> {
    map.check(x)?;
    for slice in [&lines.mean, &lines.scale, &lines.shift] {
        length("lines", slice, map.channels)?;
    }
    let size = map.piece();
    let piece = |(i, (out, x)): (usize, (&mut [MaybeUninit<T>], &[T]))| {
        let Lines { mean, scale, shift, rectified } = lines;
        if let (true, Some(x), Some(known)) = (map.last, T::single(x), singles([mean, scale, shift])) {
            let term = Value { x: Read(x.as_ptr()), out: Write(out.as_mut_ptr().cast()), rectified: *rectified };
            let [] = down(&term, x.len(), map.channels, known);
            return;
        }
        let f = |x: T, m: T, s: T, t: T| {
            let y = (x - m) * s + t;
            if *rectified && y <= T::ZERO { T::ZERO } else { y }
        };
        run(
            Simd::chosen(),
            Closure(|| {
                if map.last {
                    for (out, x) in out.chunks_exact_mut(map.channels).zip(x.chunks_exact(map.channels)) {
                        for (((out, x), m), (s, t)) in out.iter_mut().zip(x).zip(mean).zip(scale.iter().zip(shift)) {
                            out.write(f(*x, *m, *s, *t));
                        }
                    }
                } else {
                    let (m, s, t) = (mean[i % map.channels], scale[i % map.channels], shift[i % map.channels]);
                    out.iter_mut().zip(x).for_each(|(out, x)| *out = MaybeUninit::new(f(*x, m, s, t)));
                }
            }),
        );
    };
    // SAFETY: the pieces cover all numbers, and each writes all of its own.
    #[allow(unsafe_code)]
    let out =
        unsafe { made(x.len(), |out| out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(piece)) };
    Ok(out)
}

/// For each channel: Σ g and Σ g·(x - mean), g being the gradient `grad` of the value, 0 where the rectifier gave 0.
pub fn sums<T: Float>(map: &Map, x: &[T], grad: &[T], lines: &Lines<T>) -> Result<[Vec<T>; 2], Mismatch> {
    map.check(x)?;
    length("gradient", grad, x.len())?;
    let Lines { mean, scale, shift, rectified } = lines;
    let passed = |x: T, g: T, m: T, s: T, t: T| if *rectified && (x - m) * s + t <= T::ZERO { T::ZERO } else { g };
    let size = map.piece();
    let piece = |(i, (x, grad)): (usize, (&[T], &[T]))| -> [Vec<T>; 2] {
        if let (true, Some([x, grad]), Some(known)) = (map.last, singles([x, grad]), singles([mean, scale, shift])) {
            let (x, grad, len) = (Read(x.as_ptr()), Read(grad.as_ptr()), x.len());
            return down(&Sums(Passed { x, grad, rectified: *rectified }), len, map.channels, known).map(same);
        }
        run(
            Simd::chosen(),
            Closure(|| {
                if !map.last {
                    let (m, s, t) = (mean[i % map.channels], scale[i % map.channels], shift[i % map.channels]);
                    let plain = crate::normalize::sum(x, grad, |x, g| passed(x, g, m, s, t));
                    let along = crate::normalize::sum(x, grad, |x, g| passed(x, g, m, s, t) * (x - m));
                    return [vec![plain], vec![along]];
                }
                let (mut plain, mut along) = (vec![T::ZERO; map.channels], vec![T::ZERO; map.channels]);
                for (x, grad) in x.chunks_exact(map.channels).zip(grad.chunks_exact(map.channels)) {
                    let both = plain.iter_mut().zip(&mut along).zip(x.iter().zip(grad));
                    for (((plain, along), (x, g)), (m, (s, t))) in both.zip(mean.iter().zip(scale.iter().zip(shift))) {
                        let g = passed(*x, *g, *m, *s, *t);
                        *plain += g;
                        *along += g * (*x - *m);
                    }
                }
                [plain, along]
            }),
        )
    };
    let pieces: Vec<[Vec<T>; 2]> = x.par_chunks(size).zip(grad.par_chunks(size)).enumerate().map(piece).collect();
    let mut total = [vec![0.0f64; map.channels], vec![0.0f64; map.channels]];
    for (i, sums) in pieces.iter().enumerate() {
        let first = if map.last { 0 } else { i % map.channels };
        for (total, sums) in total.iter_mut().zip(sums) {
            total[first..].iter_mut().zip(sums).for_each(|(total, sum)| *total += sum.wide());
        }
    }
    Ok(total.map(|sums| sums.into_iter().map(T::of).collect()))
}

/// The gradient of `x`: a·g + b·(x - mean) + c, with numbers `a`, `b` and `c` for each channel and g as in [`sums`].
pub fn gradient<T: Float>(
    map: &Map,
    x: &[T],
    grad: &[T],
    lines: &Lines<T>,
    [a, b, c]: [&[T]; 3],
) -> Result<Vec<T>, Mismatch> {
    map.check(x)?;
    length("gradient", grad, x.len())?;
    for slice in [a, b, c, &lines.mean, &lines.scale, &lines.shift] {
        length("factors", slice, map.channels)?;
    }
    let Lines { mean, scale, shift, rectified } = lines;
    let f = |x: T, g: T, [m, s, t]: [T; 3], [a, b, c]: [T; 3]| {
        let g = if *rectified && (x - m) * s + t <= T::ZERO { T::ZERO } else { g };
        a * g + b * (x - m) + c
    };
    let size = map.piece();
    let piece = |(i, ((out, x), grad)): (usize, Pieces<T>)| {
        let known = singles([mean, scale, shift, a, b, c]);
        if let (true, Some([x, grad]), Some(known)) = (map.last, singles([x, grad]), known) {
            let passed = Passed { x: Read(x.as_ptr()), grad: Read(grad.as_ptr()), rectified: *rectified };
            let term = Gradient { passed, out: Write(out.as_mut_ptr().cast()) };
            let [] = down(&term, x.len(), map.channels, known);
            return;
        }
        run(
            Simd::chosen(),
            Closure(|| {
                if map.last {
                    let n = map.channels;
                    // Of one length, which spares the loop its checks.
                    let (mean, scale, shift) = (&mean[..n], &scale[..n], &shift[..n]);
                    let (a, b, c) = (&a[..n], &b[..n], &c[..n]);
                    let rows = out.chunks_exact_mut(n).zip(x.chunks_exact(n)).zip(grad.chunks_exact(n));
                    for ((out, x), grad) in rows {
                        for k in 0..n {
                            out[k].write(f(x[k], grad[k], [mean[k], scale[k], shift[k]], [a[k], b[k], c[k]]));
                        }
                    }
                } else {
                    let k = i % map.channels;
                    let (line, factors) = ([mean[k], scale[k], shift[k]], [a[k], b[k], c[k]]);
                    out.iter_mut().zip(x.iter().zip(grad)).for_each(|(out, (x, g))| {
                        *out = MaybeUninit::new(f(*x, *g, line, factors));
                    });
                }
            }),
        );
    };
    // SAFETY: as above; `grad` is as long as `x`.
    #[allow(unsafe_code)]
    let out = unsafe {
        made(x.len(), |out| {
            out.par_chunks_mut(size).zip(x.par_chunks(size)).zip(grad.par_chunks(size)).enumerate().for_each(piece);
        })
    };
    Ok(out)
}

/// [`gradient`], in the memory of the gradient where that is given away.
pub fn gradient_within<T: Float>(
    map: &Map,
    x: &[T],
    mut grad: Vec<T>,
    lines: &Lines<T>,
    factors: [&[T]; 3],
) -> Result<Vec<T>, Mismatch> {
    let ([a, b, c], Lines { mean, scale, shift, rectified }) = (factors, lines);
    let known = singles([mean, scale, shift, a, b, c]);
    let same = grad.len() == x.len() && known.is_some_and(|known| known.iter().all(|of| of.len() == map.channels));
    let (true, true, Some(known), Some(x)) = (map.last, same, known, T::single(x)) else {
        return gradient(map, x, &grad, lines, factors);
    };
    grad.par_chunks_mut(map.piece()).zip(x.par_chunks(map.piece())).for_each(|(grad, x)| {
        // Numbers of the type that `f32` was found to be; each is read before it is written.
        let to = grad.as_mut_ptr().cast::<f32>();
        let passed = Passed { x: Read(x.as_ptr()), grad: Read(to), rectified: *rectified };
        let [] = down(&Gradient { passed, out: Write(to) }, x.len(), map.channels, known);
    });
    Ok(grad)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_exact_far_from_zero_and_the_same_in_both_orders() {
        let (images, channels, cells) = (3, 5, 700);
        let number = |i: usize, c: usize, k: usize| 1e4 + c as f64 + ((i * 31 + c * 17 + k * 7) % 101) as f64 * 0.01;
        let mut first = vec![0.0f32; images * channels * cells];
        let mut last = first.clone();
        for (i, c, k) in (0..images).flat_map(|i| (0..channels).flat_map(move |c| (0..cells).map(move |k| (i, c, k)))) {
            first[(i * channels + c) * cells + k] = number(i, c, k) as f32;
            last[(i * cells + k) * channels + c] = number(i, c, k) as f32;
        }
        for (x, last) in [(&first, false), (&last, true)] {
            let (mean, variance) = moments(&Map { images, channels, cells, last }, x).unwrap();
            for c in 0..channels {
                let all = (0..images).flat_map(|i| (0..cells).map(move |k| f64::from(number(i, c, k) as f32)));
                let all: Vec<f64> = all.collect();
                let exact = all.iter().sum::<f64>() / all.len() as f64;
                let spread = all.iter().map(|x| (x - exact) * (x - exact)).sum::<f64>() / all.len() as f64;
                assert!((f64::from(mean[c]) - exact).abs() < 2e-3, "{last} {c}");
                assert!((f64::from(variance[c]) / spread - 1.0).abs() < 1e-3, "{last} {c}");
            }
        }
        assert!(moments::<f32>(&Map { images: 0, channels: 2, cells: 3, last: true }, &[]).is_err());
    }

    #[test]
    fn a_gradient_that_is_given_away_becomes_the_other() {
        let numbers = |n: usize, by: f32| -> Vec<f32> { (0..n).map(|i| (i as f32 * by).sin()).collect() };
        for (channels, last) in [(6, true), (70, true), (6, false)] {
            let map = Map { images: 2, channels, cells: 333, last };
            let (x, grad) = (numbers(2 * channels * 333, 0.37), numbers(2 * channels * 333, 0.11));
            let [mean, scale, shift, a, b, c] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6].map(|by| numbers(channels, by));
            for rectified in [false, true] {
                let lines = Lines { mean: mean.clone(), scale: scale.clone(), shift: shift.clone(), rectified };
                let apart = gradient(&map, &x, &grad, &lines, [&a, &b, &c]).unwrap();
                assert_eq!(gradient_within(&map, &x, grad.clone(), &lines, [&a, &b, &c]).unwrap(), apart);
            }
            let lines = Lines { mean: mean.clone(), scale: scale.clone(), shift, rectified: true };
            assert!(gradient_within(&map, &x, grad[1..].to_vec(), &lines, [&a, &b, &c]).is_err());
        }
    }

    #[test]
    fn the_bits_are_the_same_on_any_number_of_threads() {
        let x: Vec<f32> = (0..4 * 6 * 5000).map(|i| (i as f32 * 0.37).sin()).collect();
        let pool = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        for last in [false, true] {
            let map = Map { images: 4, channels: 6, cells: 5000, last };
            let line = Lines { mean: vec![0.1; 6], scale: vec![1.5; 6], shift: vec![0.2; 6], rectified: true };
            let all = || (moments(&map, &x).unwrap(), sums(&map, &x, &x, &line).unwrap());
            assert_eq!(pool(1).install(all), pool(3).install(all), "{last}");
        }
    }
}
