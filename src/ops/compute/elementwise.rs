//! What `+ - * /` and the comparisons share: operands spread to the result's shape, and gradients added up to theirs.

use candle_core::{Result, Shape, Tensor};

use crate::compute::folding::Folding;
use crate::compute::layout;
use crate::compute::samples::Sample;
use crate::compute::{Call, Gradients};

/// Both operands in the result's shape: a single number goes everywhere, and an axis of size 1, which the checker put in,
/// over the other's.
pub(crate) fn operands(call: &Call) -> Result<(Tensor, Tensor)> {
    let (a, b) = (call.tensor("a")?, call.tensor("b")?);
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "elementwise")?;
    Ok((widened(a, &shape)?, widened(b, &shape)?))
}

/// An operand in the result's shape. A single number stays one in memory.
fn widened(t: &Tensor, shape: &Shape) -> Result<Tensor> {
    if t.shape() == shape || t.rank() != shape.rank() {
        return t.broadcast_as(shape);
    }
    let folding = Folding::to(shape.dims(), t, spread_axes(t.dims(), shape.dims()), true);
    folding.widened(&t.reshape(folding.left.as_slice())?)
}

/// The axes along which a tensor of one shape is spread over another.
fn spread_axes(own: &[usize], shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).filter(|i| own.get(*i) == Some(&1) && shape.get(*i) != Some(&1)).collect()
}

/// `grad` added up over the axes along which an operand of `shape` was spread.
pub(crate) fn gathered(grad: &Tensor, shape: &Shape) -> Result<Tensor> {
    if grad.shape() == shape {
        return Ok(grad.clone());
    }
    let mut grad = layout::first(grad)?;
    if grad.rank() == shape.rank() {
        let gone = spread_axes(shape.dims(), grad.dims());
        return Folding::of(&grad, gone, true).sum(&grad)?.reshape(shape);
    }
    while grad.rank() > shape.rank() {
        grad = grad.sum(0)?;
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
        case("one channel first", &[2, 1, 5, 7], &map, &map)?,
        case("numbers", &[], &[], &[])?,
        case("one each", &[3], &[3], &[3])?,
    ])
}
