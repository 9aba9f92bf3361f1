//! A convolution of maps laid out channels last, (B, H, W, C), with what follows it in one pass: relu, or relu and 2 × 2 maximum.
//!
//! This is the only way in from outside. [`forward`] and [`backward`] choose among the algorithms by the sizes; what none of the
//! fast ones takes goes by the general one, which unfolds windows of maps laid out channels first.
#![allow(clippy::indexing_slicing)] // Window corners stay inside the map: the pooled sides are halves, rounded down.

use std::borrow::Cow;

use rayon::prelude::*;

use super::way::Way;
use super::{Geometry, bias_gradient, input_gradient, pointwise, weight_gradient};
use crate::order::{channels_first, channels_last};
use crate::pool::above;
use crate::{Float, Mismatch, length};

/// What is done with a convolution's value before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// max(0, ·).
    Relu,
    /// max(0, ·), then the maximum of each 2 × 2 window every 2 cells; an incomplete last window is dropped.
    ReluPool,
}

/// How the factors of products are taken, where `f32` numbers are convolved by Winograd's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    /// As they are.
    Single,
    /// Rounded to bfloat16, where the machine multiplies such numbers; as they are elsewhere. Sums are in `f32`.
    Rounded,
}

/// The cell number of a window whose maximum is not above 0: no gradient goes there.
pub const DEAD: u8 = 4;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub struct Value<T> {
    /// (batch, h, w, outputs), where h and w are halved, rounded down, if the value is pooled.
    pub numbers: Vec<T>,
    /// With [`After::ReluPool`], for every number the first cell of its window that is as large (0 to 3, by rows), or [`DEAD`];
    /// otherwise empty.
    pub cells: Vec<u8>,
}

/// What the way back needs of the way there.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a, T> {
    /// What was done with the value.
    pub after: After,
    /// [`Value::numbers`].
    pub value: &'a [T],
    /// [`Value::cells`].
    pub cells: &'a [u8],
}

/// Which gradients somebody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input.
    pub x: bool,
    /// That of the weight.
    pub weight: bool,
    /// That of the bias.
    pub bias: bool,
}

/// The gradients that were wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradients<T> {
    /// (batch, height, width, inputs).
    pub x: Option<Vec<T>>,
    /// (outputs, inputs / groups, kernel, kernel).
    pub weight: Option<Vec<T>>,
    /// (outputs).
    pub bias: Option<Vec<T>>,
}

/// `x` (batch, height, width, inputs) convolved with `weight` (outputs, inputs / groups, kernel, kernel), plus `bias` (outputs),
/// and `after` done with it.
pub fn forward<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    after: After,
    products: Products,
) -> Result<Value<T>, Mismatch> {
    g.result()?;
    length("x", x, g.input_len())?;
    length("weight", weight, g.weight_len())?;
    if let Some(bias) = bias {
        length("bias", bias, g.outputs)?;
    }
    if let (Some(way), Some(x), Some(weight)) = (Way::of(g), T::single(x), T::single(weight)) {
        let value = way.value(x, weight, bias.and_then(T::single), after, products);
        if let Some(numbers) = T::of_single(value.numbers) {
            return Ok(Value { numbers, cells: value.cells });
        }
    }
    if pointwise::takes(g) {
        let numbers = pointwise::value(x, weight, bias, (g.inputs, g.outputs))?;
        return Ok(followed(numbers, g.batch, (g.height, g.width), g.outputs, after));
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
    let (h, w) = g.result()?;
    let first = channels_first(x, (g.batch, g.inputs, g.height * g.width))?;
    let numbers = channels_last(&super::forward(g, &first, weight, bias)?, (g.batch, g.outputs, h * w))?;
    Ok(followed(numbers, g.batch, (h, w), g.outputs, after))
}

/// A convolution's value with `after` done with it.
pub(super) fn followed<T: Float>(
    mut numbers: Vec<T>,
    batch: usize,
    sides: (usize, usize),
    channels: usize,
    after: After,
) -> Value<T> {
    if after == After::ReluPool {
        return pooled(&numbers, batch, sides, channels);
    }
    if after == After::Relu {
        // Written so that what is not a number stays so.
        numbers.par_iter_mut().for_each(|y| *y = if *y <= T::ZERO { T::ZERO } else { *y });
    }
    Value { numbers, cells: Vec::new() }
}

/// The maxima of 2 × 2 windows, or 0 where that is larger.
fn pooled<T: Float>(x: &[T], batch: usize, (h, w): (usize, usize), channels: usize) -> Value<T> {
    let (rows, columns) = (h / 2, w / 2);
    let mut numbers = vec![T::ZERO; batch * rows * columns * channels];
    let mut cells = vec![DEAD; numbers.len()];
    let wide = (columns * channels).max(1);
    numbers.par_chunks_mut(wide).zip(cells.par_chunks_mut(wide)).enumerate().for_each(|(row, (numbers, cells))| {
        let top = (row / rows * h + row % rows * 2) * w * channels;
        for q in 0..columns {
            for c in 0..channels {
                let (to, corner) = (q * channels + c, top + 2 * q * channels + c);
                for (cell, at) in [0, channels, w * channels, (w + 1) * channels].into_iter().enumerate() {
                    let v = x[corner + at];
                    if above(v, numbers[to]) {
                        (numbers[to], cells[to]) = (v, cell as u8);
                    }
                }
            }
        }
    });
    Value { numbers, cells }
}

/// The gradients of [`forward`]'s arguments, given the gradient `grad` of its value, of the same shape.
pub fn backward<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    past: Past<T>,
    grad: &[T],
    wanted: Wanted,
    products: Products,
) -> Result<Gradients<T>, Mismatch> {
    let (h, w) = g.result()?;
    length("x", x, g.input_len())?;
    length("weight", weight, g.weight_len())?;
    let (h, w) = if past.after == After::ReluPool { (h / 2, w / 2) } else { (h, w) };
    length("value", past.value, g.batch * h * w * g.outputs)?;
    length("grad", grad, past.value.len())?;
    if past.after == After::ReluPool {
        length("cells", past.cells, grad.len())?;
    }
    let single = (Way::of(g), T::single(x), T::single(weight), T::single(grad), T::single(past.value));
    if let (Some(way), Some(x), Some(weight), Some(grad), Some(value)) = single {
        let past = Past { after: past.after, value, cells: past.cells };
        let found = way.gradients(x, weight, past, grad, wanted, products)?;
        let same = |x: Option<Vec<f32>>| x.and_then(T::of_single);
        return Ok(Gradients { x: same(found.x), weight: same(found.weight), bias: same(found.bias) });
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
    general_back(g, x, weight, past, grad, wanted)
}

/// [`backward`] for all sizes and both types of numbers.
pub(super) fn general_back<T: Float>(
    g: &Geometry,
    x: &[T],
    weight: &[T],
    past: Past<T>,
    grad: &[T],
    wanted: Wanted,
) -> Result<Gradients<T>, Mismatch> {
    let (h, w) = g.result()?;
    let plain = undone(past, grad, g.batch, (h, w), g.outputs)?;
    let grad = channels_first(&plain, (g.batch, g.outputs, h * w))?;
    let sizes = (g.batch, g.inputs, g.height * g.width);
    let mut out = Gradients { x: None, weight: None, bias: None };
    if wanted.x {
        out.x = Some(channels_last(&input_gradient(g, weight, &grad)?, sizes)?);
    }
    if wanted.weight {
        out.weight = Some(weight_gradient(g, &channels_first(x, sizes)?, &grad)?);
    }
    if wanted.bias {
        out.bias = Some(bias_gradient(g, &grad)?);
    }
    Ok(out)
}

/// The gradient of the convolution itself, where `grad` is that of what followed it.
pub(super) fn undone<'a, T: Float>(
    past: Past<T>,
    grad: &'a [T],
    batch: usize,
    sides: (usize, usize),
    channels: usize,
) -> Result<Cow<'a, [T]>, Mismatch> {
    Ok(match past.after {
        After::Nothing => Cow::Borrowed(grad),
        After::Relu => {
            let slope = |(grad, value): (&T, &T)| if *value <= T::ZERO { T::ZERO } else { *grad };
            Cow::Owned(grad.par_iter().zip(past.value).map(slope).collect())
        }
        After::ReluPool => Cow::Owned(spread(grad, past.cells, batch, sides, channels)?),
    })
}

/// The gradient of maxima sent to the cells they were found in.
fn spread<T: Float>(
    grad: &[T],
    cells: &[u8],
    batch: usize,
    (h, w): (usize, usize),
    channels: usize,
) -> Result<Vec<T>, Mismatch> {
    let (rows, columns) = (h / 2, w / 2);
    length("cells", cells, grad.len())?;
    length("grad", grad, batch * rows * columns * channels)?;
    let mut out = vec![T::ZERO; batch * h * w * channels];
    out.par_chunks_mut((h * w * channels).max(1)).enumerate().for_each(|(image, out)| {
        for p in 0..rows {
            for q in 0..columns {
                for c in 0..channels {
                    let at = ((image * rows + p) * columns + q) * channels + c;
                    let (i, j) = (usize::from(cells[at] / 2), usize::from(cells[at] % 2));
                    if cells[at] < DEAD {
                        out[((2 * p + i) * w + 2 * q + j) * channels + c] = grad[at];
                    }
                }
            }
        }
    });
    Ok(out)
}
