//! 1 × 1 convolutions of maps laid out channels last: one matrix product over all pixels, without unfolding or turning
//! anything.
#![allow(clippy::indexing_slicing)] // strips are cut from slices whose lengths the caller checked

use rayon::prelude::*;

use super::Geometry;
use crate::gemm::{Matrix, multiply};
use crate::{Float, Mismatch};

/// Pixels that one task multiplies.
const STRIP: usize = 512;

/// Parts whose weight gradients are summed apart.
const PARTS: usize = 16;

/// True for a convolution that is one.
pub fn takes(g: &Geometry) -> bool {
    g.kernel == 1 && g.stride == 1 && g.pad == 0 && g.groups == 1
}

/// `x` (pixels, inputs) times `weight` (outputs, inputs), plus `bias` (outputs): (pixels, outputs).
pub fn value<T: Float>(
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    (inputs, outputs): (usize, usize),
) -> Result<Vec<T>, Mismatch> {
    let pixels = x.len() / inputs;
    let mut out = vec![T::ZERO; pixels * outputs];
    out.par_chunks_mut(STRIP * outputs).zip(x.par_chunks(STRIP * inputs)).try_for_each(|(out, x)| {
        if let Some(bias) = bias {
            out.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
        }
        let x = Matrix::rows(x, x.len() / inputs, inputs, inputs);
        multiply(out, outputs, x, Matrix::rows(weight, outputs, inputs, inputs).transposed(), bias.is_some())
    })?;
    Ok(out)
}

/// The gradient (pixels, inputs) of the input, where `grad` (pixels, outputs) is that of the value.
pub fn input_gradient<T: Float>(
    weight: &[T],
    grad: &[T],
    (inputs, outputs): (usize, usize),
) -> Result<Vec<T>, Mismatch> {
    let mut out = vec![T::ZERO; grad.len() / outputs * inputs];
    out.par_chunks_mut(STRIP * inputs).zip(grad.par_chunks(STRIP * outputs)).try_for_each(|(out, grad)| {
        let grad = Matrix::rows(grad, grad.len() / outputs, outputs, outputs);
        multiply(out, inputs, grad, Matrix::rows(weight, outputs, inputs, inputs), false)
    })?;
    Ok(out)
}

/// The gradients of weight (outputs, inputs) and bias (outputs).
pub fn weight_gradient<T: Float>(
    x: &[T],
    grad: &[T],
    (inputs, outputs): (usize, usize),
) -> Result<(Vec<T>, Vec<T>), Mismatch> {
    let pixels = grad.len() / outputs;
    let per = pixels.div_ceil(PARTS).max(STRIP);
    let parts = x.par_chunks(per * inputs).zip(grad.par_chunks(per * outputs)).map(|(x, grad)| {
        let count = grad.len() / outputs;
        let mut weight = vec![T::ZERO; outputs * inputs];
        let rows = Matrix::rows(grad, count, outputs, outputs).transposed();
        multiply(&mut weight, inputs, rows, Matrix::rows(x, count, inputs, inputs), false)?;
        let mut bias = vec![T::ZERO; outputs];
        for row in grad.chunks_exact(outputs) {
            bias.iter_mut().zip(row).for_each(|(sum, g)| *sum += *g);
        }
        Ok((weight, bias))
    });
    let parts = parts.collect::<Result<Vec<_>, Mismatch>>()?;
    let (mut weight, mut bias) = (vec![T::ZERO; outputs * inputs], vec![T::ZERO; outputs]);
    for (w, b) in parts {
        weight.iter_mut().zip(w).for_each(|(sum, x)| *sum += x);
        bias.iter_mut().zip(b).for_each(|(sum, x)| *sum += x);
    }
    Ok((weight, bias))
}
