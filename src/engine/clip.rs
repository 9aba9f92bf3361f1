//! Keeps the gradient from being longer than a maximum, one norm over all weights as PyTorch's `clip_grad_norm_`; or every number
//! of it from being larger, as `clip_grad_value_`.
//!
//! With `grad_norm(1)` gradients (3, 0) and (0, 4) of two weights have the norm 5 and are multiplied by 1/(5 + 1e-6).

use candle_core::{DType, Device, Result, Storage, Tensor};
use rayon::prelude::*;

use crate::optim::RecipeError;
use rord_lang::constant::{Recipe, Settings};

/// A bound on gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// On their common norm.
    Norm(GradNorm),
    /// On every number.
    Value(f64),
}

impl Clip {
    /// The bound that a recipe names.
    pub fn new(recipe: &Recipe) -> std::result::Result<Self, RecipeError> {
        match recipe.op.as_str() {
            "grad_norm" => GradNorm::new(&recipe.settings).map(Clip::Norm),
            "grad_value" => Ok(Clip::Value(RecipeError::in_range(&recipe.settings, "max", "above 0", |x| x > 0.0)?)),
            other => Err(RecipeError::Unknown { op: other.into(), known: &["grad_norm", "grad_value"] }),
        }
    }

    /// Bounds the gradients in place; returns their common norm before. Where that is not finite, nothing is changed.
    pub fn clip(&self, grads: &mut [Option<Tensor>]) -> Result<f64> {
        let max = match self {
            Clip::Norm(bound) => return bound.clip(grads),
            Clip::Value(max) => *max,
        };
        let norm = norm(grads)?;
        if norm.is_finite() {
            for grad in grads.iter_mut().flatten() {
                *grad = grad.clamp(-max, max)?;
            }
        }
        Ok(norm)
    }
}

/// `grad_norm(max)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradNorm {
    max: f64,
}

/// Elements whose squares are added before the sum joins the total. Fixed, so the number of threads cannot change a
/// norm.
const BLOCK: usize = 1 << 14;

impl GradNorm {
    /// Reads `max`, which must be a number above 0.
    pub fn new(settings: &Settings) -> std::result::Result<Self, RecipeError> {
        Ok(Self { max: RecipeError::in_range(settings, "max", "above 0", |x| x > 0.0)? })
    }

    /// Shortens the gradients in place where their common norm exceeds the maximum; returns the norm before.
    ///
    /// The factor is `min(1, max / (norm + 1e-6))`. Where the norm is not finite, nothing is changed: what to do then
    /// is the caller's decision.
    pub fn clip(&self, grads: &mut [Option<Tensor>]) -> Result<f64> {
        let norm = norm(grads)?;
        let factor = self.max / (norm + 1e-6);
        if norm.is_finite() && factor < 1.0 {
            for grad in grads.iter_mut().flatten() {
                *grad = scaled(grad, factor)?;
            }
        }
        Ok(norm)
    }
}

/// The Euclidean norm of all gradients taken as one vector, summed in f64 in a fixed order.
pub fn norm(grads: &[Option<Tensor>]) -> Result<f64> {
    let all: Vec<&Tensor> = grads.iter().flatten().collect();
    if !all.is_empty() && all.iter().all(|grad| rord_device::has(grad)) {
        // Asked for once.
        return Ok(rord_device::optim::square_sum(&all)?.sqrt());
    }
    let mut total = 0.0;
    for grad in grads.iter().flatten() {
        total += square_sum(grad)?;
    }
    Ok(total.sqrt())
}

fn square_sum(grad: &Tensor) -> Result<f64> {
    if grad.device().is_cpu() && grad.dtype() == DType::F32 {
        let grad = grad.contiguous()?;
        let (storage, layout) = grad.storage_and_layout();
        if let (Storage::Cpu(cpu), Some((from, to))) = (&*storage, layout.contiguous_offsets())
            && let Some(values) = cpu.as_slice::<f32>()?.get(from..to)
        {
            let blocks: Vec<f64> = values.par_chunks(BLOCK).map(square_sum_of).collect();
            return Ok(blocks.iter().sum());
        }
    }
    // Metal has no f64; there the sum of one tensor is in f32 and only the sum over tensors is not.
    let wide = if grad.device().is_metal() { DType::F32 } else { DType::F64 };
    let sum = grad.to_dtype(wide)?.sqr()?.sum_all()?.to_device(&Device::Cpu)?;
    sum.to_dtype(DType::F64)?.to_scalar()
}

/// Eight sums side by side, which the compiler keeps in vector registers.
fn square_sum_of(values: &[f32]) -> f64 {
    let mut sums = [0f64; 8];
    let (blocks, rest) = values.as_chunks::<8>();
    for block in blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>()
}

fn scaled(grad: &Tensor, factor: f64) -> Result<Tensor> {
    if grad.device().is_cpu() && grad.dtype() == DType::F32 {
        let grad = grad.contiguous()?;
        let (storage, layout) = grad.storage_and_layout();
        if let (Storage::Cpu(cpu), Some((from, to))) = (&*storage, layout.contiguous_offsets())
            && let Some(values) = cpu.as_slice::<f32>()?.get(from..to)
        {
            let factor = factor as f32;
            let mut result = vec![0f32; values.len()];
            result.par_chunks_mut(BLOCK).zip(values.par_chunks(BLOCK)).for_each(|(result, values)| {
                for (y, x) in result.iter_mut().zip(values) {
                    *y = x * factor;
                }
            });
            return Tensor::from_vec(result, grad.shape(), grad.device());
        }
    }
    grad * factor
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use rord_lang::constant::Constant;

    fn clip(max: f64) -> GradNorm {
        GradNorm::new(&Settings(vec![("max".into(), Constant::Number(max))])).unwrap()
    }

    fn values(grad: &Option<Tensor>) -> Vec<f64> {
        grad.as_ref().unwrap().to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn grads(dtype: DType) -> Vec<Option<Tensor>> {
        let make = |x: [f64; 2]| Some(Tensor::new(&x, &Device::Cpu).unwrap().to_dtype(dtype).unwrap());
        vec![make([3.0, 0.0]), None, make([0.0, -4.0])]
    }

    #[test]
    fn one_norm_over_all_gradients_with_torch_s_epsilon() {
        for (dtype, tolerance) in [(DType::F32, 1e-7), (DType::F64, 1e-15)] {
            let mut g = grads(dtype);
            assert_eq!(clip(1.0).clip(&mut g).unwrap(), 5.0);
            let factor = 1.0 / (5.0 + 1e-6);
            assert!((values(&g[0])[0] - 3.0 * factor).abs() < tolerance);
            assert!((values(&g[2])[1] + 4.0 * factor).abs() < tolerance);
            assert!(g[1].is_none());
        }
    }

    #[test]
    fn short_gradients_are_left_alone() {
        let mut g = grads(DType::F32);
        assert_eq!(clip(5.1).clip(&mut g).unwrap(), 5.0);
        assert_eq!((values(&g[0]), values(&g[2])), (vec![3.0, 0.0], vec![0.0, -4.0]));
        assert_eq!(clip(1.0).clip(&mut []).unwrap(), 0.0);
    }

    #[test]
    fn a_norm_that_is_not_finite_is_returned_and_nothing_is_changed() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut g = grads(DType::F32);
            g[1] = Some(Tensor::new(&[bad], &Device::Cpu).unwrap());
            assert!(!clip(1.0).clip(&mut g).unwrap().is_finite());
            assert_eq!(values(&g[0]), [3.0, 0.0]);
        }
    }

    #[test]
    fn squares_beyond_f32_do_not_overflow_and_views_are_summed_as_they_look() {
        let large = Some(Tensor::new(&[3e30f32, 4e30], &Device::Cpu).unwrap());
        assert!((norm(&[large]).unwrap() / 5e30 - 1.0).abs() < 1e-6);
        let n = 3 * BLOCK + 5;
        let line = Tensor::arange(0f32, n as f32, &Device::Cpu).unwrap();
        let exact = (0..n).map(|i| (i * i) as f64).sum::<f64>().sqrt();
        assert!((norm(&[Some(line)]).unwrap() / exact - 1.0).abs() < 1e-12);
        let square = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let column = square.t().unwrap().narrow(0, 1, 1).unwrap();
        assert!((norm(&[Some(column)]).unwrap() - 20f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_maximum_that_is_no_length_is_an_error() {
        for max in [0.0, -1.0, f64::NAN] {
            let settings = Settings(vec![("max".into(), Constant::Number(max))]);
            assert!(matches!(GradNorm::new(&settings), Err(RecipeError::OutOfRange { .. })));
        }
        assert!(matches!(GradNorm::new(&Settings::default()), Err(RecipeError::Unreadable(_))));
    }
}
