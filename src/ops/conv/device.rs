//! How a convolution computes on a GPU: maps lie channels last, and what follows the convolution is one kernel.
//!
//! With `precision = bf16` its factors are bf16 and so is its value: half as much to move from layer to layer. Sums are f32, and so are
//! weights, their gradients as the optimizer sees them, and all that is no convolution, rectifier or pooling.

use candle_core::{DType, Result, Tensor};

use crate::compute::layout::{from_last, last, of_type};
use crate::compute::{Call, Gradients, Output};
use crate::max_pool::saved;
use rord_device::conv::{By, input_gradient, value as convolved, weight_gradient};
use rord_device::maps::{biased, biased_pooled, column_sums, pooled_back, relu_back};
use rord_kernels::conv::Geometry;
use rord_kernels::conv::call::{After, Products};

/// The value, with what follows it; of a pooling it saves the cells, as they lie.
pub(super) fn value(g: &Geometry, call: &Call, after: After, products: Products) -> Result<Output> {
    let (x, weight, bias) = (call.tensor("x")?, call.tensor("weight")?, call.maybe("bias"));
    let rounded = products == Products::Rounded && weight.dtype() == DType::F32;
    let dtype = if rounded { DType::BF16 } else { weight.dtype() };
    let y = convolved(g, &last(&of_type(x, dtype)?)?, &weight.to_dtype(dtype)?, By::default())?;
    let mut saved = Vec::new();
    let value = match (after, bias) {
        (After::Nothing, None) => y,
        (After::Nothing, _) => biased(&y, bias, false)?,
        (After::Relu, _) => biased(&y, bias, true)?,
        (After::ReluPool, _) => {
            let (value, cells) = biased_pooled(&y, bias)?;
            saved.push(cells);
            value
        }
    };
    Ok(Output { value: from_last(&value)?, saved })
}

/// The gradients that are wanted.
pub(super) fn gradients(g: &Geometry, call: &Call, after: After, output: &Output, grad: &Tensor) -> Result<Gradients> {
    // As the value was made.
    let dtype = output.value.dtype();
    let (x, own) = (call.tensor("x")?, call.tensor("weight")?.dtype());
    let (grad, weight) = (&of_type(grad, dtype)?, &call.tensor("weight")?.to_dtype(dtype)?);
    let grad = match after {
        After::Nothing => last(grad)?,
        After::Relu => relu_back(&last(grad)?, &last(&output.value)?)?,
        After::ReluPool => {
            let size = g.result().map_err(candle_core::Error::wrap)?;
            pooled_back(&last(grad)?, &last(&output.value)?, saved(output, 0)?, size)?
        }
    };
    let mut out = Gradients::new();
    if call.wants("x") {
        // Where x is f32, what made it wants a gradient of f32.
        out.push(("x", from_last(&input_gradient(g, weight, &grad, By::default())?.to_dtype(x.dtype())?)?));
    }
    if call.wants("weight") {
        out.push(("weight", weight_gradient(g, &last(&of_type(x, dtype)?)?, &grad, By::default())?.to_dtype(own)?));
    }
    if call.wants("bias") {
        let rows = grad.elem_count() / g.outputs.max(1);
        out.push(("bias", column_sums(&grad.reshape((rows, g.outputs))?)?));
    }
    Ok(out)
}
