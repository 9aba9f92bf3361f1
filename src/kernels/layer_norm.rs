//! Layer norm: every row of numbers (the channels of a cell, a vector) to mean 0 and variance 1, then scaled and shifted
//! component by component.
#![allow(clippy::indexing_slicing)] // Rows are cut by the size that the slices are checked against on entry.

use rayon::prelude::*;

use super::normalize::sum;
use super::{Float, Mismatch, length};

/// Rows that one task takes.
const STRIP: usize = 64;

/// A scale and a shift for each component of a row.
pub type Affine<'a, T> = Option<(&'a [T], &'a [T])>;

/// The gradients of [`backward`].
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients<T> {
    /// Of the rows.
    pub x: Vec<T>,
    /// Of the scale.
    pub weight: Vec<T>,
    /// Of the shift.
    pub bias: Vec<T>,
}

fn rows<T>(x: &[T], size: usize, affine: Affine<'_, T>) -> Result<usize, Mismatch> {
    if size == 0 || !x.len().is_multiple_of(size) {
        return Err(Mismatch::Sizes("rows do not divide their slice"));
    }
    if let Some((weight, bias)) = affine {
        length("weight", weight, size)?;
        length("bias", bias, size)?;
    }
    Ok(x.len() / size)
}

/// Each row of `size` numbers as (x - mean) / √(variance + eps), times a weight and plus a bias for each component; and
/// the mean and the factor 1/√(variance + eps) of each row, beside each other.
pub fn forward<T: Float>(x: &[T], size: usize, affine: Affine<'_, T>, eps: f64) -> Result<(Vec<T>, Vec<T>), Mismatch> {
    let count = rows(x, size, affine)?;
    let (mut value, mut levels) = (vec![T::ZERO; x.len()], vec![T::ZERO; 2 * count]);
    let share = T::of(1.0 / size as f64);
    let strips = value.par_chunks_mut(size * STRIP).zip(x.par_chunks(size * STRIP));
    strips.zip(levels.par_chunks_mut(2 * STRIP)).for_each(|((value, x), levels)| {
        let each = value.chunks_exact_mut(size).zip(x.chunks_exact(size)).zip(levels.chunks_exact_mut(2));
        for ((value, x), level) in each {
            let mean = sum(x, x, |x, _| x) * share;
            let variance = sum(x, x, |x, _| (x - mean) * (x - mean)) * share;
            let factor = T::ONE / (variance + T::of(eps)).root();
            (level[0], level[1]) = (mean, factor);
            match affine {
                Some((weight, bias)) => {
                    for ((value, x), (weight, bias)) in value.iter_mut().zip(x).zip(weight.iter().zip(bias)) {
                        *value = (*x - mean) * factor * *weight + *bias;
                    }
                }
                None => value.iter_mut().zip(x).for_each(|(value, x)| *value = (*x - mean) * factor),
            }
        }
    });
    Ok((value, levels))
}

/// The gradients of [`forward`]'s arguments, from its rows, their levels and the value's gradient. Those of scale and shift are
/// empty without `affine`.
pub fn backward<T: Float>(
    x: &[T],
    size: usize,
    affine: Affine<'_, T>,
    levels: &[T],
    grad: &[T],
) -> Result<Gradients<T>, Mismatch> {
    let count = rows(x, size, affine)?;
    length("levels", levels, 2 * count)?;
    length("gradient", grad, x.len())?;
    let mut out = vec![T::ZERO; x.len()];
    let share = T::of(1.0 / size as f64);
    let ones = vec![T::ONE; if affine.is_none() { size } else { 0 }];
    let weight = affine.map_or(ones.as_slice(), |(weight, _)| weight);
    let sums = if affine.is_some() { size } else { 0 };
    let strips = out.par_chunks_mut(size * STRIP).zip(x.par_chunks(size * STRIP));
    let strips = strips.zip(grad.par_chunks(size * STRIP).zip(levels.par_chunks(2 * STRIP)));
    let parts: Vec<(Vec<T>, Vec<T>)> = strips
        .map(|((out, x), (grad, levels))| {
            let (mut scale, mut shift, mut normal) = (vec![T::ZERO; sums], vec![T::ZERO; sums], vec![T::ZERO; size]);
            let each = out.chunks_exact_mut(size).zip(x.chunks_exact(size));
            for ((out, x), (grad, level)) in each.zip(grad.chunks_exact(size).zip(levels.chunks_exact(2))) {
                let (mean, factor) = (level[0], level[1]);
                normal.iter_mut().zip(x).for_each(|(normal, x)| *normal = (*x - mean) * factor);
                for ((sum, normal), grad) in scale.iter_mut().zip(&normal).zip(grad) {
                    *sum += *normal * *grad;
                }
                shift.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += *grad);
                for ((out, grad), weight) in out.iter_mut().zip(grad).zip(weight) {
                    *out = *grad * *weight;
                }
                let level = sum(out, out, |g, _| g) * share;
                let along = sum(out, &normal, |g, n| g * n) * share;
                for (out, normal) in out.iter_mut().zip(&normal) {
                    *out = (*out - level - *normal * along) * factor;
                }
            }
            (scale, shift)
        })
        .collect();
    let mut total = Gradients { x: out, weight: vec![T::ZERO; sums], bias: vec![T::ZERO; sums] };
    for (scale, shift) in &parts {
        total.weight.iter_mut().zip(scale).for_each(|(total, part)| *total += *part);
        total.bias.iter_mut().zip(shift).for_each(|(total, part)| *total += *part);
    }
    Ok(total)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_leveled_scaled_and_shifted() {
        let x = [1.0f64, 3.0, 5.0, 5.0];
        let (value, levels) = forward(&x, 2, Some((&[2.0, 1.0], &[0.5, 0.0])), 0.0).unwrap();
        assert_eq!((value[..2].to_vec(), levels[..2].to_vec()), (vec![-1.5, 1.0], vec![2.0, 1.0]));
        assert!(forward(&x, 3, None, 0.0).is_err() && forward(&x, 2, Some((&[1.0], &[0.0])), 0.0).is_err());
        let back = backward(&x[..2], 2, Some((&[2.0, 1.0], &[0.5, 0.0])), &levels[..2], &[1.0, 4.0]).unwrap();
        assert_eq!((back.weight, back.bias), (vec![-1.0, 4.0], vec![1.0, 4.0]));
        // A row of two has no slope but where eps holds it.
        assert_eq!(back.x, [0.0, 0.0]);
    }
}
