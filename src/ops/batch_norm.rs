//! `batch_norm`: every channel to mean 0 and variance 1 over the batch, as `torch.nn.BatchNorm2d`:
//! `x |> conv(32, 3) |> batch_norm`.

use candle_core::{Result, Tensor};

use crate::compute::fields::{As, OnFields};
use crate::compute::layout::{read, tensor};
use crate::compute::memory::{Memory, bytes};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::Float;
use crate::export::onnx::Numbers;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::instance_norm::back;
use crate::max_pool::saved;
use crate::op::Op;
use crate::over_processes;
use rord_kernels::batch_norm;
use rord_lang::constant::Settings;
use rord_lang::typed::Initial;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LineNames, Shapes, TakesIn};

mod kernels;

pub(crate) use kernels::Grad;
use kernels::laid;

/// The operation.
pub static OP: Op = Op {
    name: "batch_norm",
    entry: Entry {
        signature: "batch_norm(x: Map[B, C, H, W]@f, affine: Flag = true, momentum: Weight = 0.1, \
                    eps: Rate = 1e-5) -> Map[B, C, H, W]@f",
        manual: MANUAL,
        rule,
        fields: true,
        graph: GraphFacts {
            normalizes: true,
            sums_up: true,
            takes_in: &[TakesIn { so_far: None, op: "relu", settings: &[], then: "relu" }],
            lines: Some(LineNames {
                mean: "running_mean",
                variance: "running_var",
                scale: "weight",
                shift: "bias",
                eps: "eps",
            }),
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&OnFields(BatchNorm, As::Batch)),
    samples,
};

const MANUAL: &str = "\
Takes every channel to mean 0 and variance 1 over the batch and the map.

    y = (x - mean) / sqrt(var + eps) · weight + bias

`x` is (B, C, H, W); the result has the same shape. While training, mean and variance are those of the batch over B, H
and W (the variance divided by B·H·W); in validation they are `running_mean` and `running_var`. After each call in
training these become

    running_mean ← (1 - momentum)·running_mean + momentum·mean
    running_var  ← (1 - momentum)·running_var  + momentum·var·n/(n - 1)        n = B·H·W

from 0 and 1. Two calls of a model in one step move them one after the other, in the order of the text. They are kept
with the weights under these names, (C) each, and have no gradient. `weight` and `bias`, (C) each, begin at 1 and 0;
`affine = false` leaves them out. A `@frozen` model uses its running statistics and leaves them as they are. A channel
of a single number gives 0 while training.

Errors: `momentum` outside [0, 1].

Source: Ioffe and Szegedy, Batch Normalization, 2015; `torch.nn.BatchNorm2d(C, eps, momentum, affine)`.

```rord
model net(x: Image[B, 1, H, W]@f) {
  out y = x |> conv(32, 3, bias = false) |> batch_norm |> relu
}
```
";

fn rule(a: &mut Application<'_>) {
    crate::rules::real(a);
    crate::rules::between(a, "momentum", 0.0, 1.0, false);
    let Some(channels) = a.dims("x").get(1).cloned() else { return };
    affine(a, &channels);
    a.weight("running_mean", std::slice::from_ref(&channels), Initial::Statistic(0.0));
    a.weight("running_var", &[channels], Initial::Statistic(1.0));
}

/// A scale and a shift for each channel, unless `affine = false`.
pub(super) fn affine(a: &mut Application<'_>, channels: &rord_lang::dim::Dim) {
    if a.is_true("affine") {
        a.weight("weight", std::slice::from_ref(channels), Initial::Constant(1.0));
        a.weight("bias", std::slice::from_ref(channels), Initial::Constant(0.0));
    }
}

/// Batch normalization.
pub struct BatchNorm;

/// One number for each channel, spread over a map.
fn along(channel: &Tensor) -> Result<Tensor> {
    channel.reshape((1, channel.elem_count(), 1, 1))
}

/// A map (B, C, H, W) as rows, one for each channel.
fn rows(x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    x.transpose(0, 1)?.contiguous()?.reshape((c, b * h * w))
}

/// Rows, one for each channel, as a map.
fn map(rows: &Tensor, like: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = like.dims4()?;
    rows.reshape((c, b, h, w))?.transpose(0, 1)?.contiguous()
}

/// The normalized map scaled and shifted by `weight` and `bias`, where there are any.
pub(crate) fn scaled(x: Tensor, call: &Call) -> Result<Tensor> {
    match (call.maybe("weight"), call.maybe("bias")) {
        (Some(weight), Some(bias)) => x.broadcast_mul(&along(weight)?)?.broadcast_add(&along(bias)?),
        _ => Ok(x),
    }
}

/// The gradient of the normalized map `x`, and those of `weight` and `bias`.
pub(crate) fn scaled_backward(x: &Tensor, call: &Call, grad: &Tensor) -> Result<(Tensor, Gradients)> {
    let mut out = Gradients::new();
    let (Some(weight), Some(_)) = (call.maybe("weight"), call.maybe("bias")) else {
        return Ok((grad.clone(), out));
    };
    if call.wants("weight") {
        out.push(("weight", rows(&(grad * x)?)?.sum(1)?));
    }
    if call.wants("bias") {
        out.push(("bias", rows(grad)?.sum(1)?));
    }
    Ok((grad.broadcast_mul(&along(weight)?)?, out))
}

/// True where a rectifier was taken in.
fn rectified(call: &Call) -> bool {
    call.settings.text("then").is_ok()
}

/// Mean and variance by which a call normalizes: those of the batch by `of`, or the running ones.
fn moments(call: &Call, of: impl FnOnce() -> Result<[Tensor; 2]>) -> Result<[Tensor; 2]> {
    if call.training {
        return of();
    }
    // A file may hold any number where a variance should be.
    Ok([call.tensor("running_mean")?.clone(), call.tensor("running_var")?.maximum(0.0)?])
}

impl BatchNorm {
    /// (x - mean)·factor, and that factor.
    fn normal(call: &Call, mean: &Tensor, variance: &Tensor) -> Result<(Tensor, Tensor)> {
        let factor = (variance + call.number("eps")?)?.sqrt()?.recip()?;
        let x = call.tensor("x")?;
        Ok((x.broadcast_sub(&along(mean)?)?.broadcast_mul(&along(&factor)?)?, factor))
    }
}

impl Paths for BatchNorm {
    const EITHER_ORDER: bool = true;

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        let channels = shapes.result.get(1).copied().unwrap_or(0);
        Memory { saved: bytes(&[2, channels]), ..Memory::default() }
    }

    fn backward_reads(&self, name: &str) -> bool {
        !name.starts_with("running")
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let [mean, variance] = moments(call, || {
            let rows = rows(call.tensor("x")?)?;
            let mean = rows.mean_keepdim(1)?;
            let variance = rows.broadcast_sub(&mean)?.sqr()?.mean(1)?;
            over_processes::moments_of(call, [mean.squeeze(1)?, variance])
        })?;
        let value = scaled(Self::normal(call, &mean, &variance)?.0, call)?;
        let value = if rectified(call) { value.le(0.0)?.where_cond(&value.zeros_like()?, &value)? } else { value };
        Ok(Output { value, saved: vec![mean, variance] })
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (normal, factor) = Self::normal(call, saved(output, 0)?, saved(output, 1)?)?;
        let grad = match rectified(call) {
            true => scaled(normal.clone(), call)?.le(0.0)?.where_cond(&grad.zeros_like()?, grad)?,
            false => grad.clone(),
        };
        let (grad, mut out) = scaled_backward(&normal, call, &grad)?;
        if call.wants("x") {
            let slope = match call.training {
                true if call.own().is_none() => {
                    map(&back(&rows(&normal)?, &factor.unsqueeze(1)?, &rows(&grad)?)?, &grad)?
                }
                true => {
                    let (normal, grad_rows) = (rows(&normal)?, rows(&grad)?);
                    let own = [grad_rows.sum(1)?, (&grad_rows * &normal)?.sum(1)?];
                    let [plain, along] = over_processes::means(call, own, grad_rows.dim(1)?)?;
                    let rest = grad_rows.broadcast_sub(&plain.unsqueeze(1)?)?;
                    let rest = (rest - normal.broadcast_mul(&along.unsqueeze(1)?)?)?;
                    map(&rest.broadcast_mul(&factor.unsqueeze(1)?)?, &grad)?
                }
                false => grad.broadcast_mul(&along(&factor)?)?,
            };
            out.push(("x", slope));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let (map, order) = laid(x)?;
        let [mean, variance] = Self::moments::<T>(call)?;
        let (lines, _) = Self::lines::<T>(call, [&mean, &variance])?;
        let value = read::<T, _, 1>(order, [x], |[x]| batch_norm::value(&map, x, &lines))?.map_err(wrong)?;
        Ok(Output { value: tensor(order, value, x.dims())?, saved: vec![mean, variance] })
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Self::gradients(call, [saved(output, 0)?, saved(output, 1)?], Grad::<T>::Seen(grad))
    }

    fn updates(&self, call: &Call, output: &Output) -> Result<Vec<(&'static str, Tensor)>> {
        let (momentum, (b, _, h, w)) = (call.number("momentum")?, call.tensor("x")?.dims4()?);
        let n = over_processes::count(call, b * h * w) as f64;
        let unbiased = n / (n - 1.0).max(1.0);
        let moved = |name: &str, to: &Tensor, by: f64| -> Result<Tensor> {
            (call.tensor(name)? * (1.0 - momentum))? + (to * (momentum * by))?
        };
        Ok(vec![
            ("running_mean", moved("running_mean", saved(output, 0)?, 1.0)?),
            ("running_var", moved("running_var", saved(output, 1)?, unbiased)?),
        ])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let channels = call.weight("running_mean")?.1.elem_count();
        let fixed = |x: f32| Numbers::Floats(vec![channels], vec![x; channels]);
        let mut affine = |role: &str, x: f32| match call.maybe(role) {
            Some(weight) => weight.name.clone(),
            None => out.constant(fixed(x)),
        };
        let (weight, bias) = (affine("weight", 1.0), affine("bias", 0.0));
        let inputs = [call.name("x")?, &weight, &bias, call.name("running_mean")?, call.name("running_var")?];
        Ok(out.op("BatchNormalization", &inputs, vec![("epsilon", Float(call.number("eps")? as f32))]))
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        let channels = call.weight("running_mean")?.1.elem_count();
        let affine = if call.maybe("weight").is_some() { "" } else { ", affine=False" };
        let made = format!("nn.BatchNorm2d({channels}, eps={:?}{affine})", call.number("eps")?);
        Ok(format!("{}({})", out.layer(call, made)?, call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], affine: bool| -> Result<Sample> {
        let c = if let [_, _, c, _, _] | [_, c, _, _] = *shape { c } else { 1 };
        let sample = Sample::new(name, shape).random("x", shape, -2.0, 3.0)?;
        let sample = sample.random("running_mean", &[c], -1.0, 1.0)?.random("running_var", &[c], 0.5, 2.0)?;
        let sample = sample.number("momentum", 0.1).number("eps", 1e-5).flag("affine", affine);
        if !affine {
            return Ok(sample.to(&["x"]));
        }
        let sample = sample.random("weight", &[c], 0.5, 2.0)?.random("bias", &[c], -1.0, 1.0)?;
        Ok(sample.to(&["x", "weight", "bias"]))
    };
    Ok(vec![
        case("rectified", &[2, 3, 4, 5], true)?.word("then", "relu"),
        case("rectified field", &[2, 4, 2, 3, 2], true)?.word("then", "relu"),
        case("odd", &[2, 3, 5, 7], true)?,
        case("plain", &[3, 2, 4, 3], false)?,
        case("one row", &[5, 4, 1, 1], true)?,
        case("one number", &[1, 3, 1, 1], true)?.kinked(),
        case("field", &[2, 4, 2, 3, 2], true)?,
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::Compute;
    use crate::compute::samples::numbers;

    #[test]
    fn statistics_move_as_torch_moves_them() {
        // torch.nn.BatchNorm2d(1) of these numbers: the mean is 3, the variance 14/4 of four and 14/3 unbiased.
        let sample = Sample::new("four", &[2, 1, 1, 2])
            .given("x", &[2, 1, 1, 2], vec![1.0, 2.0, 3.0, 6.0])
            .unwrap()
            .given("running_mean", &[1], vec![1.0])
            .unwrap()
            .given("running_var", &[1], vec![2.0])
            .unwrap();
        let sample = sample.number("momentum", 0.1).number("eps", 1e-5).flag("affine", false);
        let (call, close) = (sample.call(), |a: &Tensor, b: f64| (numbers(a).unwrap()[0] - b).abs() < 1e-12);
        let output = BatchNorm.forward(&call).unwrap();
        let updates = Compute::updates(&BatchNorm, &call, &output).unwrap();
        assert!(updates[0].0 == "running_mean" && close(&updates[0].1, 0.9 + 0.3), "{updates:?}");
        assert!(updates[1].0 == "running_var" && close(&updates[1].1, 1.8 + 1.4 / 3.0), "{updates:?}");
        let call = Call { training: false, ..sample.call() };
        let first = numbers(&BatchNorm.forward(&call).unwrap().value).unwrap();
        assert!(first[0] == 0.0 && (first[3] - 5.0 / (2.0f64 + 1e-5).sqrt()).abs() < 1e-12, "{first:?}");
    }
}
