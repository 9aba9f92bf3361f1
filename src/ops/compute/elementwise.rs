//! What `+ - * /` and the comparisons share: operands spread to the result's shape, and gradients added up to theirs.

use candle_core::{DType, Device, Result, Shape, Tensor};

use crate::compute::folding::Folding;
use crate::compute::layout;
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, read, tensor, wrong};
use crate::compute::{Call, Gradients};
use rord_kernels::{Float, map};

/// Both operands in the result's shape: a single number goes everywhere, and an axis of size 1, which the checker put in,
/// over the other's.
pub(crate) fn operands(call: &Call) -> Result<(Tensor, Tensor)> {
    let (a, b) = (call.tensor("a")?, call.tensor("b")?);
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "elementwise")?;
    Ok((widened(a, &shape)?, widened(b, &shape)?))
}

/// One of `+ - * /`.
pub(crate) trait Arithmetic {
    /// Of two numbers.
    fn of<T: Float>(a: T, b: T) -> T;
    /// Of two tensors of one shape, as Candle has it.
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor>;
}

/// `a ∘ b` in the shape in which they meet. Where one of them has it already, the other is not made wider first.
pub(crate) fn met<F: Arithmetic>(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype() == b.dtype() && matches!(a.device(), Device::Cpu) {
        match a.dtype() {
            DType::F32 => {
                if let Some(value) = met_fast::<F, f32>(a, b)? {
                    return Ok(value);
                }
            }
            DType::F64 => {
                if let Some(value) = met_fast::<F, f64>(a, b)? {
                    return Ok(value);
                }
            }
            _ => {}
        }
    }
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "elementwise")?;
    F::plain(&widened(a, &shape)?, &widened(b, &shape)?)
}

fn met_fast<F: Arithmetic, T: Element>(a: &Tensor, b: &Tensor) -> Result<Option<Tensor>> {
    if a.shape() == b.shape() {
        // What is repeated is read once.
        if b.is_contiguous() && !layout::repeated(a).is_empty() {
            return met_fast::<F, T>(&layout::once(a)?, b);
        }
        if a.is_contiguous() && !layout::repeated(b).is_empty() {
            return met_fast::<F, T>(a, &layout::once(b)?);
        }
        // Candle has threads of its own, which take turns with the kernels' and are waited for.
        if !a.is_contiguous() || !b.is_contiguous() {
            return Ok(None);
        }
        let made = read::<T, _, 2>([a, b], |[a, b]| map::two(a, b, |a, b| F::of(a, b)))?;
        return tensor(made.map_err(wrong)?, a.shape()).map(Some);
    }
    if let Some(gone) = spread_over(b, a) {
        return Folding::of(a, gone, true).meet::<T>(a, b, F::of).map(Some);
    }
    if let Some(gone) = spread_over(a, b) {
        return Folding::of(b, gone, true).meet::<T>(b, a, |b, a| F::of(a, b)).map(Some);
    }
    Ok(None)
}

/// The axes along which `small` is spread over `large`, where the two meet in the shape of `large`.
fn spread_over(small: &Tensor, large: &Tensor) -> Option<Vec<usize>> {
    if small.rank() == 0 {
        return Some((0..large.rank()).collect());
    }
    let fits = small.rank() == large.rank() && small.dims().iter().zip(large.dims()).all(|(a, b)| a == b || *a == 1);
    fits.then(|| spread_axes(small.dims(), large.dims()))
}

/// Σ of `grad` · `other` over the axes along which an operand of `shape` was spread: the gradient of a factor.
pub(crate) fn gathered_product(grad: &Tensor, other: &Tensor, shape: &Shape) -> Result<Tensor> {
    if grad.shape() == other.shape() && grad.shape() != shape && grad.rank() == shape.rank() {
        let gone = spread_axes(shape.dims(), grad.dims());
        return Folding::of(grad, gone, true).dot(grad, other)?.reshape(shape);
    }
    gathered(&met::<Times>(grad, other)?, shape)
}

/// `a · b`.
pub(crate) struct Times;

impl Arithmetic for Times {
    fn of<T: Float>(a: T, b: T) -> T {
        a * b
    }
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a * b
    }
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

/// The wanted gradients, each made for its operand's shape.
pub(crate) fn gradients(
    call: &Call,
    a: impl FnOnce(&Shape) -> Result<Tensor>,
    b: impl FnOnce(&Shape) -> Result<Tensor>,
) -> Result<Gradients> {
    let mut out = Gradients::new();
    if call.wants("a") {
        out.push(("a", a(call.tensor("a")?.shape())?));
    }
    if call.wants("b") {
        out.push(("b", b(call.tensor("b")?.shape())?));
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;
    use crate::compute::slices;

    #[test]
    fn what_is_repeated_meets_as_if_it_were_written_out() {
        let whole = slices::tensor((0..24).map(|i| i as f32).collect(), (2, 3, 4)).unwrap();
        for ones in [(2, 1, 1), (1, 3, 1), (1, 1, 4), (2, 3, 1), (2, 1, 4), (1, 1, 1)] {
            let count = ones.0 * ones.1 * ones.2;
            let small = slices::tensor((0..count).map(|i| 1.5 + i as f32).collect(), ones).unwrap();
            let seen = small.broadcast_as((2, 3, 4)).unwrap();
            let there = seen.contiguous().unwrap();
            for (a, b, c, d) in
                [(&seen, &whole, &there, &whole), (&whole, &seen, &whole, &there), (&seen, &seen, &there, &there)]
            {
                let (found, wanted) = (met::<Times>(a, b).unwrap(), (c * d).unwrap());
                assert_eq!(found.dims(), [2, 3, 4]);
                assert_eq!(numbers(&found).unwrap(), numbers(&wanted).unwrap());
            }
        }
    }
}
