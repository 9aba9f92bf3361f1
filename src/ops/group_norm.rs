//! `group_norm`: groups of channels to mean 0 and variance 1, sample by sample: `x |> conv(32, 3) |> group_norm(8)`.

use candle_core::{Result, Tensor};

use crate::batch_norm::{scaled, scaled_backward};
use crate::compute::fields::{As, OnFields};
use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::onnx::{Size, scaled_by};
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::instance_norm::back;
use crate::max_pool::saved;
use crate::op::Op;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "group_norm",
    entry: Entry {
        signature: "group_norm(x: Map[B, C, H, W]@f, groups: Count, affine: Flag = true, \
                    eps: Rate = 1e-5) -> Map[B, C, H, W]@f",
        manual: MANUAL,
        rule,
        fields: true,
        graph: GraphFacts { normalizes: true, per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&OnFields(GroupNorm, As::Places)),
    samples,
};

const MANUAL: &str = "\
Takes every group of channels of every sample to mean 0 and variance 1 over its maps.

    y = (x - mean) / sqrt(var + eps) · weight + bias       mean and variance over the group's C/groups channels, H and W

`x` is (B, C, H, W); the result has the same shape. Group g holds the channels g·C/groups up to the next group's. The
variance is divided by the count. `weight` and `bias`, (C) each, begin at 1 and 0; `affine = false` leaves them out.
Training and validation compute the same.

Errors: `groups` that does not divide the channels.

Source: Wu and He, Group Normalization, 2018; `torch.nn.GroupNorm(groups, C, eps, affine)`.

```rord
model net(x: Image[B, 1, H, W]@f) {
  out y = x |> conv(32, 3) |> group_norm(8) |> relu
}
```
";

fn rule(a: &mut Application<'_>) {
    crate::rules::real(a);
    if !crate::rules::positive(a, "groups") {
        return;
    }
    let Some(channels) = a.dims("x").get(1).cloned() else { return };
    if let (Some(n), Some(groups)) = (a.known(&channels), a.count("groups"))
        && n % groups != 0
    {
        let span = a.arg("groups").map_or(a.span, |x| x.span);
        let label = format!("{n} channels, {groups} groups");
        a.reports.push(shapes::rule(span, "`groups` must divide the channels", &label, "choose a divisor"));
        return;
    }
    crate::batch_norm::affine(a, &channels);
}

/// Group normalization.
pub struct GroupNorm;

/// A row for each group of each sample.
fn shape(call: &Call) -> Result<(usize, usize)> {
    let (b, c, h, w) = call.tensor("x")?.dims4()?;
    let groups = call.count("groups")?;
    if groups == 0 || c % groups != 0 {
        return Err(candle_core::Error::msg("the groups do not divide the channels"));
    }
    Ok((b * groups, c / groups * h * w))
}

impl Compute for GroupNorm {
    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::of_tensor_operations(shapes).saving(shapes, 1)
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let rows = x.reshape(shape(call)?)?;
        let rest = rows.broadcast_sub(&rows.mean_keepdim(1)?)?;
        let factor = (rest.sqr()?.mean_keepdim(1)? + call.number("eps")?)?.sqrt()?.recip()?;
        let normal = rest.broadcast_mul(&factor)?.reshape(x.shape())?;
        Ok(Output { value: scaled(normal.clone(), call)?, saved: vec![normal, factor] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let normal = saved(output, 0)?;
        let (slope, mut out) = scaled_backward(normal, call, grad)?;
        if call.wants("x") {
            let rows = shape(call)?;
            let slope = back(&normal.reshape(rows)?, saved(output, 1)?, &slope.contiguous()?.reshape(rows)?)?;
            out.push(("x", slope.reshape(grad.shape())?));
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, groups) = (call.name("x")?.to_string(), call.count("groups")?);
        let rows = out.reshaped(&x, &[Size::Of(0, 1), Size::Known(groups), Size::Known(-1)]);
        let (rest, variance) = out.centered(&rows, &[2]);
        let normal = out.normal(&rest, &variance, call.number("eps")?);
        let shape = out.plain("Shape", &[&x]);
        let normal = out.plain("Reshape", &[&normal, &shape]);
        scaled_by(call, out, normal, 2)
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        let (groups, eps) = (call.count("groups")?, call.number("eps")?);
        let channels = match call.maybe("weight") {
            Some(_) => i64::try_from(call.weight("weight")?.1.elem_count()).unwrap_or(0),
            None => return Ok(format!("F.group_norm({}, {groups}, eps={eps:?})", call.name("x")?)),
        };
        let layer = out.layer(call, format!("nn.GroupNorm({groups}, {channels}, eps={eps:?})"))?;
        Ok(format!("{layer}({})", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], groups: f64, affine: bool| {
        let c = if let [_, _, c, _, _] | [_, c, _, _] = *shape { c } else { 1 };
        let sample = Sample::new(name, shape).random("x", shape, -2.0, 3.0)?;
        let sample = sample.number("groups", groups).number("eps", 1e-5).flag("affine", affine);
        if !affine {
            return Ok::<_, candle_core::Error>(sample.to(&["x"]));
        }
        let sample = sample.random("weight", &[c], 0.5, 2.0)?.random("bias", &[c], -1.0, 1.0)?;
        Ok(sample.to(&["x", "weight", "bias"]))
    };
    Ok(vec![
        case("pairs", &[2, 4, 3, 5], 2.0, true)?,
        case("all channels", &[1, 3, 4, 3], 1.0, true)?,
        case("plain", &[2, 4, 3, 3], 4.0, false)?,
        case("field", &[2, 4, 2, 3, 2], 2.0, true)?,
    ])
}
