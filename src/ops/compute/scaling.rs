//! Numbers scaled along any axes: to length 1, and to mean 0 and deviation 1.

use candle_core::{Result, Tensor};

use crate::axes::POSITIONS;
use crate::compute::folding::Folding;
use crate::compute::{Call, Gradients, Output};
use crate::max_pool::saved;

/// True where a call names axes.
pub fn named(call: &Call) -> bool {
    call.settings.get(POSITIONS).is_some()
}

/// x / max(‖x‖, eps) along the axes of a call.
pub fn unit(call: &Call, eps: f64, fast: bool) -> Result<Output> {
    let x = call.tensor("x")?;
    let folding = Folding::new(call, x, fast)?;
    let zero = Tensor::zeros(folding.left.as_slice(), x.dtype(), x.device())?;
    let norm = folding.sum_with(x, &zero, |x, _| x * x, |x, _| x.sqr())?.sqrt()?.maximum(eps)?;
    let f = |[x, _]: [f64; 2], [n, _]: [f64; 2]| x / n;
    let value = folding.spread([x, x], [&norm, &norm], f, |[x, _], [n, _]| x / n)?;
    Ok(Output { value, saved: vec![norm] })
}

/// The gradient of [`unit`].
pub fn unit_backward(call: &Call, output: &Output, grad: &Tensor, eps: f64, fast: bool) -> Result<Gradients> {
    let (y, norm) = (&output.value, saved(output, 0)?);
    let folding = Folding::new(call, y, fast)?;
    let free = norm.gt(eps)?.to_dtype(grad.dtype())?;
    let along = (folding.sum(&(grad * y)?)? * free)?;
    let f = |[y, g]: [f64; 2], [a, n]: [f64; 2]| (g - y * a) / n;
    let out = folding.spread([y, grad], [&along, norm], f, |[y, g], [a, n]| (g - (y * a)?)? / n)?;
    Ok(vec![("x", out)])
}

/// (x - mean) / (deviation + eps) along the axes of a call.
pub fn standard(call: &Call, eps: f64, fast: bool) -> Result<Output> {
    let x = call.tensor("x")?;
    let folding = Folding::new(call, x, fast)?;
    let n = folding.folded().max(1) as f64;
    let mean = (folding.sum(x)? / n)?;
    let squares = folding.sum_with(x, &mean, |x, m| (x - m) * (x - m), |x, m| (x - m)?.sqr())?;
    let factor = ((squares / n)?.sqrt()? + eps)?.recip()?;
    let f = |[x, _]: [f64; 2], [m, s]: [f64; 2]| (x - m) * s;
    let value = folding.spread([x, x], [&mean, &factor], f, |[x, _], [m, s]| (x - m)? * s)?;
    Ok(Output { value, saved: vec![factor] })
}

/// The gradient of [`standard`]. Where all numbers are equal the deviation has none.
pub fn standard_backward(call: &Call, output: &Output, grad: &Tensor, eps: f64, fast: bool) -> Result<Gradients> {
    let (y, factor) = (&output.value, saved(output, 0)?);
    let folding = Folding::new(call, y, fast)?;
    let n = folding.folded().max(1) as f64;
    let deviation = (factor.recip()? - eps)?;
    let some = deviation.gt(rord_kernels::normalize::TINY)?;
    let divisor = some.where_cond(&(factor * &deviation)?, &deviation.ones_like()?)?;
    let along = ((folding.sum(&(grad * y)?)? / n)? / divisor)?;
    let along = some.where_cond(&along, &along.zeros_like()?)?;
    let mean = (folding.sum(grad)? / n)?;
    // (g - mean(g) - y·along) · factor, in two steps of two numbers each.
    let f = |[y, g]: [f64; 2], [m, a]: [f64; 2]| g - m - y * a;
    let rest = folding.spread([y, grad], [&mean, &along], f, |[y, g], [m, a]| (g - m)? - (y * a)?)?;
    let f = |[r, _]: [f64; 2], [s, _]: [f64; 2]| r * s;
    let out = folding.spread([&rest, &rest], [factor, factor], f, |[r, _], [s, _]| r * s)?;
    Ok(vec![("x", out)])
}
