//! A convolution of maps laid out channels last, (B, H, W, C), with what follows it in one pass: relu, or relu and 2 ×
//! 2 maximum.
//!
//! This is the only entry from outside. [`forward`] and [`backward`] choose among the algorithms by the sizes; what
//! none of the fast ones takes is left to the general one, which unfolds windows.

use super::after::{followed, undone};
use super::algorithm::Algorithm;
use super::call::{After, Gradients, Past, Products, Seen, Value, Wanted};
use super::{Geometry, depthwise, gathered, phases, pointwise, windows};
use crate::batch_norm::Lines;
use crate::{Float, Mismatch, length};

/// `x` (batch, height, width, inputs) convolved with `weight` (outputs, inputs / groups, kernel, kernel), plus `bias`
/// (outputs), and `after` done with it.
pub fn forward<'a, T: Float>(
    g: &Geometry,
    x: impl Into<Seen<'a, T>>,
    weight: &[T],
    bias: Option<&[T]>,
    after: After,
    products: Products,
) -> Result<Value<T>, Mismatch> {
    let seen = x.into();
    g.result()?;
    checked(g, &seen)?;
    length("weight", weight, g.weight_len())?;
    if let Some(bias) = bias {
        length("bias", bias, g.outputs)?;
    }
    let lines = seen.lines.and_then(Lines::single);
    if must_be_made(g, &seen, &lines) {
        let made = seen.made(g.inputs)?.unwrap_or_default();
        return forward(g, &made, weight, bias, after, products);
    }
    let x = seen.numbers;
    let single = T::single(x).map(|numbers| Seen { numbers, lines: lines.as_ref() });
    if let (Some(algorithm), Some(x), Some(weight)) = (Algorithm::of(g), single, T::single(weight)) {
        let value = algorithm.value(x, weight, bias.and_then(T::single), after, products);
        if let Some(numbers) = T::of_single(value.numbers) {
            return Ok(Value { numbers, cells: value.cells });
        }
    }
    if let (Some(plain), Some(_)) = (phases::of(g), T::single(x)) {
        let grids = phases::split(g, &plain, x, g.inputs);
        let value = forward(&plain, &grids, weight, bias, After::Nothing, products)?;
        let numbers = phases::join(g, &plain, &value.numbers, g.outputs);
        return Ok(followed(numbers, g.batch, (g.height, g.width), g.outputs, after));
    }
    if pointwise::takes(g) {
        let numbers = pointwise::value(x, weight, bias, (g.inputs, g.outputs))?;
        return Ok(followed(numbers, g.batch, (g.height, g.width), g.outputs, after));
    }
    if depthwise::takes(g) {
        let (h, w) = g.result()?;
        return Ok(followed(depthwise::value(g, x, weight, bias, (h, w)), g.batch, (h, w), g.outputs, after));
    }
    if let (true, Some(x), Some(weight)) = (gathered::takes(g), single, T::single(weight)) {
        let size = g.result()?;
        let numbers = gathered::value(g, size, x, weight, bias.and_then(T::single), products);
        if let Some(numbers) = T::of_single(numbers) {
            return Ok(followed(numbers, g.batch, size, g.outputs, after));
        }
    }
    general(g, x, weight, bias, after)
}

/// [`forward`] for all sizes and both types of numbers.
pub(super) fn general<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    after: After,
) -> Result<Value<T>, Mismatch> {
    let size = g.result()?;
    Ok(followed(windows::value(g, x, weight, bias)?, g.batch, size, g.outputs, after))
}

/// True where numbers of `f32` are read through lines without being written out after them.
pub fn reads_through(g: &Geometry) -> bool {
    match Algorithm::of(g) {
        Some(algorithm) => algorithm.reads_through(),
        None => phases::of(g).is_none() && !pointwise::takes(g) && !depthwise::takes(g) && gathered::reads_through(g),
    }
}

/// True where lines must be written out before anything is read; `single` are they, if they are of `f32`.
fn must_be_made<T: Float>(g: &Geometry, seen: &Seen<T>, single: &Option<Lines<f32>>) -> bool {
    seen.lines.is_some() && !(reads_through(g) && single.is_some())
}

/// Whether what is seen has the sizes of the input.
fn checked<T: Float>(g: &Geometry, seen: &Seen<T>) -> Result<(), Mismatch> {
    length("x", seen.numbers, g.input_len())?;
    let Some(lines) = seen.lines else { return Ok(()) };
    [&lines.mean, &lines.scale, &lines.shift].into_iter().try_for_each(|of| length("lines", of, g.inputs))
}

/// The gradients of [`forward`]'s arguments, given the gradient `grad` of its value, of the same shape. That of the input is of what was
/// made of it, where it was read through lines.
pub fn backward<'a, T: Float>(
    g: &Geometry,
    x: impl Into<Seen<'a, T>>,
    weight: &[T],
    past: Past<T>,
    grad: &[T],
    wanted: Wanted,
    products: Products,
) -> Result<Gradients<T>, Mismatch> {
    let seen = x.into();
    let (h, w) = g.result()?;
    checked(g, &seen)?;
    length("weight", weight, g.weight_len())?;
    let (h, w) = if past.after == After::ReluPool { (h / 2, w / 2) } else { (h, w) };
    length("value", past.value, g.batch * h * w * g.outputs)?;
    length("grad", grad, past.value.len())?;
    if past.after == After::ReluPool {
        length("cells", past.cells, grad.len())?;
    }
    let lines = seen.lines.and_then(Lines::single);
    if must_be_made(g, &seen, &lines) {
        // The numbers themselves are looked at for the weight's gradient alone.
        let made = if wanted.weight { seen.made(g.inputs)? } else { None };
        return backward(g, made.as_deref().unwrap_or(seen.numbers), weight, past, grad, wanted, products);
    }
    let x = seen.numbers;
    let through = T::single(x).map(|numbers| Seen { numbers, lines: lines.as_ref() });
    let single = (Algorithm::of(g), through, T::single(weight), T::single(grad), T::single(past.value));
    if let (Some(algorithm), Some(x), Some(weight), Some(grad), Some(value)) = single {
        let past = Past { after: past.after, value, cells: past.cells };
        let found = algorithm.gradients(x, weight, past, grad, wanted, products)?;
        let same = |x: Option<Vec<f32>>| x.and_then(T::of_single);
        return Ok(Gradients { x: same(found.x), weight: same(found.weight), bias: same(found.bias) });
    }
    if let (Some(plain), Some(_)) = (phases::of(g), T::single(x)) {
        let grad = undone(past, grad, g.batch, (g.height, g.width), g.outputs)?;
        let (x, grad) = (phases::split(g, &plain, x, g.inputs), phases::split(g, &plain, &grad, g.outputs));
        let past = Past { after: After::Nothing, value: &grad, cells: &[] };
        let found = backward(&plain, &x, weight, past, &grad, wanted, products)?;
        return Ok(Gradients { x: found.x.map(|x| phases::join(g, &plain, &x, g.inputs)), ..found });
    }
    if pointwise::takes(g) {
        let grad = undone(past, grad, g.batch, (g.height, g.width), g.outputs)?;
        let sides = (g.inputs, g.outputs);
        let both = wanted.weight || wanted.bias;
        let both = both.then(|| pointwise::weight_gradient(x, &grad, sides)).transpose()?.unzip();
        return Ok(Gradients {
            x: wanted.x.then(|| pointwise::input_gradient(weight, &grad, sides)).transpose()?,
            weight: both.0.filter(|_| wanted.weight),
            bias: both.1.filter(|_| wanted.bias),
        });
    }
    if depthwise::takes(g) {
        let size = g.result()?;
        let grad = undone(past, grad, g.batch, size, g.outputs)?;
        let both = wanted.weight || wanted.bias;
        let both = both.then(|| depthwise::weight_gradient(g, x, &grad, size)).unzip();
        return Ok(Gradients {
            x: wanted.x.then(|| depthwise::input_gradient(g, weight, &grad, size)),
            weight: both.0.filter(|_| wanted.weight),
            bias: both.1.filter(|_| wanted.bias),
        });
    }
    if let (true, Some(single)) = (gathered::takes(g), through.zip(T::single(weight))) {
        let (size, (x, weight)) = (g.result()?, single);
        let grad = undone(past, grad, g.batch, size, g.outputs)?;
        if let Some(grad) = T::single(&grad) {
            let input = || match gathered::takes_back(g) {
                true => Ok(gathered::input_gradient(g, size, weight, grad, products)),
                false => windows::input_gradient(g, weight, grad),
            };
            let weights = wanted.weight.then(|| gathered::weight_gradient(g, size, x, grad, products));
            return Ok(Gradients {
                x: wanted.x.then(input).transpose()?.and_then(T::of_single),
                weight: weights.and_then(T::of_single),
                bias: wanted.bias.then(|| bias_gradient(grad, g.outputs)).and_then(T::of_single),
            });
        }
    }
    general_backward(g, x, weight, past, grad, wanted)
}

/// [`backward`] for all sizes and both types of numbers.
pub(super) fn general_backward<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    past: Past<T>,
    grad: &[T],
    wanted: Wanted,
) -> Result<Gradients<T>, Mismatch> {
    let (h, w) = g.result()?;
    let grad = undone(past, grad, g.batch, (h, w), g.outputs)?;
    Ok(Gradients {
        x: wanted.x.then(|| windows::input_gradient(g, weight, &grad)).transpose()?,
        weight: wanted.weight.then(|| windows::weight_gradient(g, x, &grad)).transpose()?,
        bias: wanted.bias.then(|| bias_gradient(&grad, g.outputs)),
    })
}

/// The gradient summed for each channel.
pub(super) fn bias_gradient<T: Float>(grad: &[T], channels: usize) -> Vec<T> {
    let [sums] = crate::normalize::sums_last(grad, grad, channels, |_, x, _| [x]);
    sums
}
