//! `instance_norm`: every channel of every sample to mean 0 and variance 1 over its map:
//! `x |> conv(128, 3) |> instance_norm`.

use candle_core::{Result, Tensor};

use crate::compute::fields::{As, OnFields};
use crate::compute::layout::{Order, from_last, last, order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{self, Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::max_pool::saved;
use crate::op::Op;
use rord_device::norm as device;
use rord_kernels::normalize::{Scale, center, center_backward, center_backward_last, center_last};
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "instance_norm",
    entry: Entry {
        signature: "instance_norm(x: Map[B, C, H, W]@f, eps: Rate = 1e-5) -> Map[B, C, H, W]@f",
        manual: MANUAL,
        rule: crate::rules::real,
        fields: true,
        graph: GraphFacts { normalizes: true, per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&OnFields(InstanceNorm, As::Places)),
    samples,
};

const MANUAL: &str = "\
Takes every channel of every sample to mean 0 and variance 1 over its map.

    y = (x - mean(x)) / sqrt(var(x) + eps)      mean and variance over H and W, the variance divided by H·W

`x` is (B, C, H, W); the result has the same shape. `eps` is added to the variance, and a constant map gives zeros.
Nothing is learned, and training and validation compute the same. A vector of C such channels has a length near √C, not
1: see `l2norm`.

Source: `torch.nn.InstanceNorm2d(C, eps)`.

```rord
input x: Feat[B, 128, H, W]@f
let y = instance_norm(x)
```
";

/// Instance normalization without learned scale or shift.
pub struct InstanceNorm;

/// The gradient of (x - mean)·factor by Candle's operations, all of rank 2: rows of numbers.
pub(crate) fn back(value: &Tensor, factor: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let along = (grad * value)?.mean_keepdim(1)?;
    let rest = grad.broadcast_sub(&grad.mean_keepdim(1)?)?;
    (rest - value.broadcast_mul(&along)?)?.broadcast_mul(factor)
}

impl Paths for InstanceNorm {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let (b, c, h, w) = x.dims4()?;
        let rows = x.reshape((b * c, h * w))?;
        let rest = rows.broadcast_sub(&rows.mean_keepdim(1)?)?;
        let factor = (rest.sqr()?.mean_keepdim(1)? + call.number("eps")?)?.sqrt()?.recip()?;
        let value = rest.broadcast_mul(&factor)?.reshape((b, c, h, w))?;
        Ok(Output { value, saved: vec![factor] })
    }

    fn lower_backward(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (b, c, h, w) = grad.dims4()?;
        let rows = (b * c, h * w);
        let out = back(&output.value.reshape(rows)?, saved(output, 0)?, &grad.reshape(rows)?)?;
        Ok(vec![("x", out.reshape((b, c, h, w))?)])
    }

    fn device(&self, call: &Call) -> Result<Option<Output>> {
        let (value, factor) = device::instance_norm(&last(call.tensor("x")?)?, call.number("eps")?)?;
        Ok(Some(Output { value: from_last(&value)?, saved: vec![factor] }))
    }

    fn device_backward(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Option<Gradients>> {
        let out = device::instance_norm_back(&last(&output.value)?, saved(output, 0)?, &last(grad)?)?;
        Ok(Some(vec![("x", from_last(&out)?)]))
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let (b, c, h, w) = x.dims4()?;
        let scale = Scale::InsideRoot(call.number("eps")?);
        let order = order(x);
        let made = read::<T, _, 1>(order, [x], |[x]| match order {
            Order::First => center(x, h * w, scale),
            Order::Last => center_last(x, (h * w, c), scale),
        })?;
        let (value, factor) = made.map_err(wrong)?;
        Ok(Output { value: tensor(order, value, x.dims())?, saved: vec![slices::tensor(factor, (b * c, 1))?] })
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (_, c, h, w) = grad.dims4()?;
        let scale = Scale::InsideRoot(call.number("eps")?);
        let order = order(&output.value);
        let tensors = [&output.value, saved(output, 0)?, grad];
        let out = read::<T, _, 3>(order, tensors, |[value, factor, grad]| match order {
            Order::First => center_backward(value, factor, grad, h * w, scale),
            Order::Last => center_backward_last(value, factor, grad, (h * w, c)),
        })?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, grad.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let x = call.name("x")?.to_string();
        let (rest, variance) = out.centered(&x, &[2, 3]);
        Ok(out.normal(&rest, &variance, call.number("eps")?))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("F.instance_norm({}, eps={:?})", call.name("x")?, call.number("eps")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| Sample::new(name, shape).number("eps", 1e-5).to(&["x"]);
    Ok(vec![
        case("odd", &[2, 3, 5, 7]).random("x", &[2, 3, 5, 7], -2.0, 3.0)?,
        case("large mean", &[1, 2, 4, 9]).random("x", &[1, 2, 4, 9], 50.0, 51.0)?,
        // Cubic terms of a map this flat outweigh differences of 1e-5, so only finiteness can be asked for.
        case("constant", &[1, 2, 3, 3]).filled("x", &[1, 2, 3, 3], 2.5)?.kinked(),
        case("field", &[2, 4, 2, 3, 2]).random("x", &[2, 4, 2, 3, 2], -2.0, 3.0)?,
        case("one cell", &[2, 2, 1, 1]).random("x", &[2, 2, 1, 1], -1.0, 1.0)?,
    ])
}
