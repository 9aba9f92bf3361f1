//! Maps of mean 0 and deviation 1, and vectors of length 1, with their gradients.
#![allow(clippy::indexing_slicing)] // Ranges are cut by the sizes that the slices are checked against on entry.

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// Sums in sixteen lanes, which the compiler turns into vector additions; the order does not depend on threads.
pub(super) fn sum<T: Float>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut lanes = [T::ZERO; 16];
    let (a, b) = (x.chunks_exact(16), y.chunks_exact(16));
    let rest: T = a.remainder().iter().zip(b.remainder()).map(|(a, b)| f(*a, *b)).sum();
    for (a, b) in a.zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(*a, *b);
        }
    }
    lanes.into_iter().sum::<T>() + rest
}

/// How a row is scaled once its mean is taken off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// By 1 / √(variance + eps), as instance norm does.
    InsideRoot(f64),
    /// By 1 / (deviation + eps).
    OutsideRoot(f64),
}

/// Each row of `size` numbers, less its mean, times the factor that `scale` names; and those factors, one a row. The
/// variance is that of the whole row (divided by `size`, not by `size - 1`).
pub fn center<T: Float>(x: &[T], size: usize, scale: Scale) -> Result<(Vec<T>, Vec<T>), Mismatch> {
    let rows = rows(x, size)?;
    let mut value = vec![T::ZERO; x.len()];
    let mut factors = vec![T::ZERO; rows];
    let share = T::of(1.0 / size as f64);
    value.par_chunks_mut(size).zip(x.par_chunks(size)).zip(factors.par_iter_mut()).for_each(|((value, x), factor)| {
        let mean = sum(x, x, |x, _| x) * share;
        let variance = sum(x, x, |x, _| (x - mean) * (x - mean)) * share;
        *factor = match scale {
            Scale::InsideRoot(eps) => T::ONE / (variance + T::of(eps)).root(),
            Scale::OutsideRoot(eps) => T::ONE / (variance.root() + T::of(eps)),
        };
        for (value, x) in value.iter_mut().zip(x) {
            *value = (*x - mean) * *factor;
        }
    });
    Ok((value, factors))
}

/// The gradient of [`center`]'s input from its value, its factors and the value's gradient.
pub fn center_backward<T: Float>(
    value: &[T],
    factors: &[T],
    grad: &[T],
    size: usize,
    scale: Scale,
) -> Result<Vec<T>, Mismatch> {
    let rows = rows(value, size)?;
    length("factors", factors, rows)?;
    length("gradient", grad, value.len())?;
    let share = T::of(1.0 / size as f64);
    let mut out = vec![T::ZERO; value.len()];
    let tasks = out.par_chunks_mut(size).zip(value.par_chunks(size)).zip(grad.par_chunks(size)).zip(factors);
    tasks.for_each(|(((out, value), grad), factor)| {
        let mean = sum(grad, grad, |g, _| g) * share;
        let along = sum(grad, value, |g, y| g * y) * share;
        // With eps outside the root, value = (x - mean) / (d + eps), and the deviation's own slope is (x - mean) / d.
        let along = match scale {
            Scale::InsideRoot(_) => along,
            Scale::OutsideRoot(eps) => {
                let deviation = T::ONE / *factor - T::of(eps);
                if deviation > T::of(TINY) { along / (*factor * deviation) } else { T::ZERO }
            }
        };
        for ((out, value), grad) in out.iter_mut().zip(value).zip(grad) {
            *out = (*grad - mean - *value * along) * *factor;
        }
    });
    Ok(out)
}

/// Cells whose sums are added up by one task.
const STRIP: usize = 128;

/// Sums over the cells of one image (cells, channels) of what `f` makes of each pair of numbers: strips of cells side
/// by side, the strips then in their order.
pub(super) fn sums_last<T: Float, const N: usize>(
    x: &[T],
    y: &[T],
    channels: usize,
    f: impl Fn(usize, T, T) -> [T; N] + Sync,
) -> [Vec<T>; N] {
    let size = STRIP * channels;
    let strip = |(x, y): (&[T], &[T])| {
        let mut sums: [Vec<T>; N] = std::array::from_fn(|_| vec![T::ZERO; channels]);
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact(channels)) {
            for c in 0..channels {
                let parts = f(c, x[c], y[c]);
                for (sum, part) in sums.iter_mut().zip(parts) {
                    sum[c] += part;
                }
            }
        }
        sums
    };
    let strips: Vec<[Vec<T>; N]> = x.par_chunks(size).zip(y.par_chunks(size)).map(strip).collect();
    let mut total: [Vec<T>; N] = std::array::from_fn(|_| vec![T::ZERO; channels]);
    for strip in &strips {
        for (total, sums) in total.iter_mut().zip(strip) {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += *sum);
        }
    }
    total
}

/// [`center`] of maps (image, cells, channels): each channel of each image is a row. Only the value's place differs.
pub fn center_last<T: Float>(
    x: &[T],
    (cells, channels): (usize, usize),
    scale: Scale,
) -> Result<(Vec<T>, Vec<T>), Mismatch> {
    let images = rows(x, cells * channels)?;
    let mut value = vec![T::ZERO; x.len()];
    let mut factors = vec![T::ZERO; images * channels];
    let share = T::of(1.0 / cells as f64);
    let whole = cells * channels;
    let tasks = value.par_chunks_mut(whole).zip(x.par_chunks(whole)).zip(factors.par_chunks_mut(channels));
    tasks.for_each(|((value, x), factors)| {
        let [mut mean] = sums_last(x, x, channels, |_, x, _| [x]);
        mean.iter_mut().for_each(|m| *m = *m * share);
        let [variance] = sums_last(x, x, channels, |c, x, _| [(x - mean[c]) * (x - mean[c])]);
        for (factor, sum) in factors.iter_mut().zip(variance) {
            *factor = match scale {
                Scale::InsideRoot(eps) => T::ONE / (sum * share + T::of(eps)).root(),
                Scale::OutsideRoot(eps) => T::ONE / ((sum * share).root() + T::of(eps)),
            };
        }
        let factors = &*factors;
        value.par_chunks_mut(STRIP * channels).zip(x.par_chunks(STRIP * channels)).for_each(|(value, x)| {
            for (value, x) in value.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                for c in 0..channels {
                    value[c] = (x[c] - mean[c]) * factors[c];
                }
            }
        });
    });
    Ok((value, factors))
}

/// [`center_backward`] of maps (image, cells, channels) that were scaled with eps inside the root.
pub fn center_backward_last<T: Float>(
    value: &[T],
    factors: &[T],
    grad: &[T],
    (cells, channels): (usize, usize),
) -> Result<Vec<T>, Mismatch> {
    let images = rows(value, cells * channels)?;
    length("factors", factors, images * channels)?;
    length("gradient", grad, value.len())?;
    let share = T::of(1.0 / cells as f64);
    let mut out = vec![T::ZERO; value.len()];
    let whole = cells * channels;
    let tasks = out.par_chunks_mut(whole).zip(value.par_chunks(whole)).zip(grad.par_chunks(whole));
    tasks.zip(factors.par_chunks(channels)).for_each(|(((out, value), grad), factors)| {
        let [mut mean, mut along] = sums_last(grad, value, channels, |_, g, y| [g, g * y]);
        mean.iter_mut().chain(&mut along).for_each(|sum| *sum = *sum * share);
        let size = STRIP * channels;
        let strips = out.par_chunks_mut(size).zip(value.par_chunks(size)).zip(grad.par_chunks(size));
        strips.for_each(|((out, value), grad)| {
            let cells = out.chunks_exact_mut(channels).zip(value.chunks_exact(channels));
            for ((out, value), grad) in cells.zip(grad.chunks_exact(channels)) {
                for c in 0..channels {
                    out[c] = (grad[c] - mean[c] - value[c] * along[c]) * factors[c];
                }
            }
        });
    });
    Ok(out)
}

/// A deviation below this is none: the row is constant.
pub const TINY: f64 = 1e-18;

fn rows<T>(x: &[T], size: usize) -> Result<usize, Mismatch> {
    if size == 0 || !x.len().is_multiple_of(size) {
        return Err(Mismatch::Sizes("rows do not divide their slice"));
    }
    Ok(x.len() / size)
}

/// Vectors of `count` components, each `stride` numbers from the last: a map's (outer, count, stride).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors {
    /// Blocks of `count · stride` numbers.
    pub outer: usize,
    /// Components of a vector.
    pub count: usize,
    /// Vectors that lie side by side.
    pub stride: usize,
}

impl Vectors {
    fn len(&self) -> usize {
        self.outer * self.count * self.stride
    }
}

/// Every vector divided by its length, or by `eps` where that is larger; and what each was divided by.
pub fn unit<T: Float>(g: &Vectors, x: &[T], eps: f64) -> Result<(Vec<T>, Vec<T>), Mismatch> {
    length("x", x, g.len())?;
    let mut value = vec![T::ZERO; x.len()];
    let mut norms = vec![T::ZERO; g.outer * g.stride];
    if x.is_empty() {
        return Ok((value, norms));
    }
    let block = g.count * g.stride;
    value.par_chunks_mut(block).zip(x.par_chunks(block)).zip(norms.par_chunks_mut(g.stride)).for_each(
        |((value, x), norms)| {
            squares(norms, x, x, g.stride);
            for norm in norms.iter_mut() {
                *norm = norm.root().larger(T::of(eps));
            }
            for (value, x) in value.chunks_exact_mut(g.stride).zip(x.chunks_exact(g.stride)) {
                for ((value, x), norm) in value.iter_mut().zip(x).zip(norms.iter()) {
                    *value = *x / *norm;
                }
            }
        },
    );
    Ok((value, norms))
}

/// Adds up `a · b` over the components into `sums`, one for each of the vectors side by side.
fn squares<T: Float>(sums: &mut [T], a: &[T], b: &[T], stride: usize) {
    if stride == 1 {
        sums[0] = sum(a, b, |a, b| a * b);
        return;
    }
    for (a, b) in a.chunks_exact(stride).zip(b.chunks_exact(stride)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += *a * *b;
        }
    }
}

/// The gradient of [`unit`]'s input from its value, its divisors and the value's gradient.
pub fn unit_backward<T: Float>(
    g: &Vectors,
    value: &[T],
    norms: &[T],
    grad: &[T],
    eps: f64,
) -> Result<Vec<T>, Mismatch> {
    length("value", value, g.len())?;
    length("gradient", grad, g.len())?;
    length("norms", norms, g.outer * g.stride)?;
    let mut out = vec![T::ZERO; value.len()];
    if out.is_empty() {
        return Ok(out);
    }
    let block = g.count * g.stride;
    if g.stride == 1 {
        let tasks = out.par_chunks_mut(block).zip(value.par_chunks(block)).zip(grad.par_chunks(block)).zip(norms);
        tasks.for_each(|(((out, value), grad), norm)| {
            // At or below eps the divisor is a constant.
            let along = if *norm <= T::of(eps) { T::ZERO } else { sum(grad, value, |g, y| g * y) };
            for ((out, value), grad) in out.iter_mut().zip(value).zip(grad) {
                *out = (*grad - *value * along) / *norm;
            }
        });
        return Ok(out);
    }
    let tasks = out.par_chunks_mut(block).zip(value.par_chunks(block)).zip(grad.par_chunks(block));
    tasks.zip(norms.par_chunks(g.stride)).for_each(|(((out, value), grad), norms)| {
        let mut along = vec![T::ZERO; g.stride];
        squares(&mut along, grad, value, g.stride);
        for (along, norm) in along.iter_mut().zip(norms) {
            // At or below eps the divisor is a constant.
            if *norm <= T::of(eps) {
                *along = T::ZERO;
            }
        }
        let rows = out.chunks_exact_mut(g.stride).zip(value.chunks_exact(g.stride)).zip(grad.chunks_exact(g.stride));
        for ((out, value), grad) in rows {
            for at in 0..g.stride {
                out[at] = (grad[at] - value[at] * along[at]) / norms[at];
            }
        }
    });
    Ok(out)
}
