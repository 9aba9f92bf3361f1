//! `layer_norm`: the channels of every cell, or the components of every vector, to mean 0 and variance 1:
//! `x |> conv(96, 7, groups = 96) |> layer_norm`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{self, Order};
use crate::compute::memory::{Memory, bytes};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::onnx::scaled_by;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::max_pool::saved;
use crate::op::Op;
use rord_kernels::layer_norm::{backward, forward};
use rord_lang::constant::Settings;
use rord_lang::report::shapes;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "layer_norm",
    entry: Entry {
        signature: "layer_norm(x: Values, affine: Flag = true, eps: Rate = 1e-5) -> Values",
        manual: MANUAL,
        rule,
        graph: GraphFacts { normalizes: true, per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&LayerNorm),
    samples,
};

const MANUAL: &str = "\
Takes the channels of every cell, or the components of every vector, to mean 0 and variance 1.

    y = (x - mean) / sqrt(var + eps) · weight + bias       mean and variance over the C channels, the variance divided by C

`x` is a map (B, C, H, W), a field (B, T, C, H, W), or vectors (N, C) or (B, N, C); the result has the same shape. No cell hears of another one.
`weight` and `bias`, (C) each, begin at 1 and 0; `affine = false` leaves them out. Training and validation compute the
same. Over all of C, H and W at once it is `group_norm(1)`.

Errors: what is neither a map nor vectors.

Source: Ba, Kiros and Hinton, Layer Normalization, 2016; `torch.nn.LayerNorm(C, eps, affine)` along the channels, as in
ConvNeXt, which has `eps = 1e-6`.

```rord
model net(x: Image[B, 1, H, W]@f) {
  out y = x |> conv(32, 4, stride = 4, pad = 0) |> layer_norm |> conv(32, 7, groups = 32)
}
```
";

fn rule(a: &mut Application<'_>) {
    crate::rules::disturbed(a);
    let channel = match a.result.kind {
        kind if kind.is(Kind::Map) => a.result.dims.get(1),
        Kind::Field => a.result.dims.get(2),
        Kind::Vectors if matches!(a.result.dims.len(), 2 | 3) => a.result.dims.last(),
        _ => None,
    };
    match channel.cloned() {
        Some(channel) => crate::batch_norm::affine(a, &channel),
        None => {
            let span = a.arg("x").map_or(a.span, |x| x.span);
            let label = a.result.to_string();
            a.reports.push(shapes::rule(span, "`layer_norm` levels channels", &label, "it takes maps and Vectors"));
        }
    }
}

/// Layer normalization.
pub struct LayerNorm;

/// The axis of the channels, and how many there are.
fn channels(x: &Tensor) -> Result<(usize, usize)> {
    let axis = match x.rank() {
        4 => 1,
        5 => 2,
        0 => return Err(candle_core::Error::msg("a single number has no channels")),
        rank => rank - 1,
    };
    Ok((axis, x.dim(axis)?))
}

/// A number for each channel, spread over the other axes.
fn along(channel: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (axis, count) = channels(x)?;
    let shape: Vec<usize> = (0..x.rank()).map(|i| if i == axis { count } else { 1 }).collect();
    channel.reshape(shape)
}

/// (x - mean)·factor of the levels, by Candle's operations; and the factor.
fn normal(x: &Tensor, levels: &Tensor) -> Result<(Tensor, Tensor)> {
    let (axis, _) = channels(x)?;
    let shape: Vec<usize> = x.dims().iter().enumerate().map(|(i, n)| if i == axis { 1 } else { *n }).collect();
    let part = |at: usize| -> Result<Tensor> { levels.narrow(1, at, 1)?.contiguous()?.reshape(shape.as_slice()) };
    let factor = part(1)?;
    Ok((x.broadcast_sub(&part(0)?)?.broadcast_mul(&factor)?, factor))
}

/// The sum over all axes but that of the channels.
fn summed(x: &Tensor) -> Result<Tensor> {
    let (axis, _) = channels(x)?;
    let others: Vec<usize> = (0..x.rank()).filter(|i| *i != axis).collect();
    x.sum(others)
}

/// `x`, its axis of channels, and how many come behind it, of a call that is written out.
fn channel_axis(call: &Use) -> std::result::Result<(String, i64, i64), String> {
    let x = call.argument("x")?;
    let axis = match crate::export::rank(x.ty) {
        4 => 1,
        5 => 2,
        rank => rank - 1,
    };
    Ok((x.name.clone(), axis, crate::export::rank(x.ty) - 1 - axis))
}

impl Paths for LayerNorm {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, name: &str) -> bool {
        name != "bias"
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        let count = match shapes.result.as_slice() {
            &[_, c, _, _] | &[_, _, c, _, _] | &[.., c] => c.max(1),
            [] => 1,
        };
        Memory { saved: bytes(&shapes.result) / count * 2, ..Memory::default() }
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let (axis, _) = channels(x)?;
        let mean = x.mean_keepdim(axis)?;
        let variance = x.broadcast_sub(&mean)?.sqr()?.mean_keepdim(axis)?;
        let factor = (variance + call.number("eps")?)?.sqrt()?.recip()?;
        let levels = Tensor::stack(&[mean.flatten_all()?, factor.flatten_all()?], 1)?;
        let (value, _) = normal(x, &levels)?;
        let value = match (call.maybe("weight"), call.maybe("bias")) {
            (Some(weight), Some(bias)) => value.broadcast_mul(&along(weight, x)?)?.broadcast_add(&along(bias, x)?)?,
            _ => value,
        };
        Ok(Output { value, saved: vec![levels] })
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let x = call.tensor("x")?;
        let (axis, _) = channels(x)?;
        let (normal, factor) = normal(x, saved(output, 0)?)?;
        let mut out = Gradients::new();
        if call.wants("weight") {
            out.push(("weight", summed(&(grad * &normal)?)?));
        }
        if call.wants("bias") {
            out.push(("bias", summed(grad)?));
        }
        if call.wants("x") {
            let grad = match call.maybe("weight") {
                Some(weight) => grad.broadcast_mul(&along(weight, x)?)?,
                None => grad.clone(),
            };
            let slope = (&grad * &normal)?.mean_keepdim(axis)?;
            let rest = grad.broadcast_sub(&grad.mean_keepdim(axis)?)?;
            out.push(("x", (rest - normal.broadcast_mul(&slope)?)?.broadcast_mul(&factor)?));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (x, eps) = (call.tensor("x")?, call.number("eps")?);
        let (_, size) = channels(x)?;
        // The channels of a cell lie beside each other.
        let made = layout::read::<T, _, 1>(Order::Last, [x], |[x]| match (call.maybe("weight"), call.maybe("bias")) {
            (Some(weight), Some(bias)) => {
                read::<T, _, 2>([weight, bias], |[weight, bias]| forward(x, size, Some((weight, bias)), eps))
            }
            _ => Ok(forward(x, size, None, eps)),
        })?;
        let (value, levels) = made?.map_err(wrong)?;
        let rows = levels.len() / 2;
        Ok(Output { value: layout::tensor(Order::Last, value, x.dims())?, saved: vec![tensor(levels, (rows, 2))?] })
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let x = call.tensor("x")?;
        let (_, size) = channels(x)?;
        let levels = saved(output, 0)?;
        let found = layout::read::<T, _, 2>(Order::Last, [x, grad], |[x, grad]| {
            read::<T, _, 1>([levels], |[levels]| match call.maybe("weight") {
                // The shift has no part in the gradients.
                Some(weight) => {
                    read::<T, _, 1>([weight], |[weight]| backward(x, size, Some((weight, weight)), levels, grad))
                }
                None => Ok(backward(x, size, None, levels, grad)),
            })
        })?;
        let found = found??.map_err(wrong)?;
        let mut out = Gradients::new();
        if call.wants("x") {
            out.push(("x", layout::tensor(Order::Last, found.x, x.dims())?));
        }
        if call.wants("weight") {
            out.push(("weight", tensor(found.weight, size)?));
        }
        if call.wants("bias") {
            out.push(("bias", tensor(found.bias, size)?));
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, axis, behind) = channel_axis(call)?;
        let (rest, variance) = out.centered(&x, &[axis]);
        let normal = out.normal(&rest, &variance, call.number("eps")?);
        scaled_by(call, out, normal, behind)
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        let (x, axis, behind) = channel_axis(call)?;
        let eps = call.number("eps")?;
        let channels = match call.maybe("weight") {
            Some(_) => call.weight("weight")?.1.elem_count(),
            None => 0,
        };
        let (to, from) = match behind {
            0 => (x, String::new()),
            _ => (format!("{x}.movedim({axis}, -1)"), format!(".movedim(-1, {axis})")),
        };
        if channels == 0 {
            return Ok(format!(
                "F.layer_norm({to}, {x}.shape[{axis}:{}], eps={eps:?}){from}",
                axis + 1,
                x = call.name("x")?
            ));
        }
        let layer = out.layer(call, format!("nn.LayerNorm({channels}, eps={eps:?})"))?;
        Ok(format!("{layer}({to}){from}"))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], affine: bool| {
        let size = match *shape {
            [_, c, _, _] | [_, _, c, _, _] | [.., c] => c,
            [] => 1,
        };
        let sample = Sample::new(name, shape).random("x", shape, -2.0, 3.0)?.number("eps", 1e-5);
        if !affine {
            return Ok::<_, candle_core::Error>(sample.flag("affine", false).to(&["x"]));
        }
        let sample = sample.random("weight", &[size], 0.5, 2.0)?.random("bias", &[size], -1.0, 1.0)?;
        Ok(sample.flag("affine", true).to(&["x", "weight", "bias"]))
    };
    Ok(vec![
        case("map", &[2, 5, 3, 7], true)?,
        case("vectors", &[3, 19], true)?,
        case("batched vectors, plain", &[2, 4, 6], false)?,
        case("map, plain", &[1, 17, 2, 3], false)?,
        case("many cells", &[1, 3, 12, 13], true)?,
        case("field", &[2, 4, 3, 2, 5], true)?,
    ])
}
