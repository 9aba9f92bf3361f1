//! What `+ - * /` and the comparisons share: operands spread to the result's shape, and gradients added up to theirs.

use candle_core::{Result, Shape, Tensor};

use crate::compute::layout;
use crate::compute::samples::Sample;
use crate::compute::{Call, Gradients};

/// Both operands in the result's shape: a single number goes everywhere, one channel to all channels.
pub(crate) fn operands(call: &Call) -> Result<(Tensor, Tensor)> {
    let (a, b) = (call.tensor("a")?, call.tensor("b")?);
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "elementwise")?;
    Ok((a.broadcast_as(&shape)?, b.broadcast_as(&shape)?))
}

/// `grad` added up over the axes along which an operand of `shape` was spread.
pub(crate) fn gathered(grad: &Tensor, shape: &Shape) -> Result<Tensor> {
    if grad.shape() == shape {
        return Ok(grad.clone());
    }
    let mut grad = layout::first(grad)?;
    while grad.rank() > shape.rank() {
        grad = grad.sum(0)?;
    }
    for (axis, n) in shape.dims().iter().enumerate() {
        if *n == 1 && grad.dim(axis)? != 1 {
            grad = grad.sum_keepdim(axis)?;
        }
    }
    Ok(grad)
}

/// The wanted gradients, from those of the spread operands.
pub(crate) fn gradients(
    call: &Call,
    a: impl FnOnce() -> Result<Tensor>,
    b: impl FnOnce() -> Result<Tensor>,
) -> Result<Gradients> {
    let mut out = Gradients::new();
    if call.wants("a") {
        out.push(("a", gathered(&a()?, call.tensor("a")?.shape())?));
    }
    if call.wants("b") {
        out.push(("b", gathered(&b()?, call.tensor("b")?.shape())?));
    }
    Ok(out)
}

/// Cases of every operation on two operands; `to` are those that receive a gradient.
pub(crate) fn samples(to: &[&'static str]) -> Result<Vec<Sample>> {
    let case = |name, a: &[usize], b: &[usize], value: &[usize]| {
        let s = Sample::new(name, value).random("a", a, -2.0, 2.0)?.random("b", b, 0.5, 2.0)?;
        Ok::<_, candle_core::Error>(s.to(to))
    };
    let map = [2, 3, 5, 7];
    Ok(vec![
        case("alike", &map, &map, &map)?,
        case("number and map", &[], &map, &map)?,
        case("map and number", &map, &[], &map)?,
        case("one channel", &map, &[2, 1, 5, 7], &map)?,
        case("numbers", &[], &[], &[])?,
        case("one each", &[3], &[3], &[3])?,
    ])
}
