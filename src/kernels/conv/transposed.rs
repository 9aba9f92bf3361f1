//! A transposed convolution of maps laid out channels last: the gradient of a convolution's input, as a layer.
//!
//! [`Geometry`] is that of the convolution: its result is what the layer takes, its input what the layer makes, and the weight is
//! (taken, made / groups, kernel, kernel), as in `torch.nn.ConvTranspose2d`.

use rayon::prelude::*;

use super::algorithm::Algorithm;
use super::call::{After, Gradients, Past, Products, Seen, Wanted};
use super::last;
use super::{Geometry, depthwise, phases, pointwise, windows};
use crate::{Float, Mismatch, length};

/// The value (batch, height, width, inputs) of `x` (batch, h, w, outputs).
pub fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    products: Products,
) -> Result<Vec<T>, Mismatch> {
    let (h, w) = g.result()?;
    length("x", x, g.batch * h * w * g.outputs)?;
    length("weight", weight, g.weight_len())?;
    let mut value = spread(g, x, weight, products)?;
    if let Some(bias) = bias {
        length("bias", bias, g.inputs)?;
        value.par_chunks_mut(g.inputs * 256).for_each(|block| {
            for cell in block.chunks_exact_mut(g.inputs) {
                cell.iter_mut().zip(bias).for_each(|(x, bias)| *x += *bias);
            }
        });
    }
    Ok(value)
}

/// The value without a bias.
fn spread<T: Float>(g: &Geometry, x: &[T], weight: &[T], products: Products) -> Result<Vec<T>, Mismatch> {
    let (h, w) = g.result()?;
    if let (Some(algorithm), Some(grad), Some(weight)) = (Algorithm::of(g), T::single(x), T::single(weight)) {
        let past = Past { after: After::Nothing, value: grad, cells: &[] };
        let wanted = Wanted { x: true, weight: false, bias: false };
        let found = algorithm.gradients(Seen { numbers: &[], lines: None }, weight, past, grad, wanted, products)?;
        if let Some(value) = found.x.and_then(T::of_single) {
            return Ok(value);
        }
    }
    if let (Some(plain), Some(_)) = (phases::of(g), T::single(x)) {
        let taken = phases::split(g, &plain, x, g.outputs);
        return Ok(phases::join(g, &plain, &spread(&plain, &taken, weight, products)?, g.inputs));
    }
    if pointwise::takes(g) {
        return pointwise::input_gradient(weight, x, (g.inputs, g.outputs));
    }
    if depthwise::takes(g) {
        return Ok(depthwise::input_gradient(g, weight, x, (h, w)));
    }
    windows::input_gradient(g, weight, x)
}

/// The gradients of [`forward`]'s arguments, given the gradient of its value.
pub fn backward<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    grad: &[T],
    wanted: Wanted,
    products: Products,
) -> Result<Gradients<T>, Mismatch> {
    let mut out = Gradients { x: None, weight: None, bias: None };
    if wanted.x {
        out.x = Some(last::forward(g, grad, weight, None, After::Nothing, products)?.numbers);
    }
    if wanted.weight {
        let past = Past { after: After::Nothing, value: x, cells: &[] };
        let wanted = Wanted { x: false, weight: true, bias: false };
        out.weight = last::backward(g, grad, weight, past, x, wanted, products)?.weight;
    }
    if wanted.bias {
        length("grad", grad, g.input_len())?;
        out.bias = Some(last::bias_gradient(grad, g.inputs));
    }
    Ok(out)
}
