//! `linear`: a fully connected layer on vectors: `x |> flatten |> linear(128)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Numbers;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::positive;
use rord_kernels::conv::Geometry;
use rord_kernels::conv::call::{After, Past, Products as Factors, Wanted};
use rord_kernels::conv::last;
use rord_lang::constant::Settings;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, Products, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "linear",
    entry: Entry {
        signature: "linear(x: Vectors, width: Count, bias: Flag = true) -> Vectors",
        manual: MANUAL,
        rule,
        graph: GraphFacts {
            per_sample: true,
            products: Some(Products {
                count: |shapes| Some(Shapes::elements(shapes.of("x")?) * *shapes.result.last()? as f64),
                of: &["x", "weight"],
            }),
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&Linear),
    samples,
};

const MANUAL: &str = "\
A fully connected layer: every vector times a matrix of weights of its own.

    y[n, o] = bias[o] + Σ_c weight[o, c] · x[n, c]

`x` is (N, C) or (B, N, C); the result has `width` in place of C. `weight` is (width, C), `bias` is (width);
`bias = false` leaves it out. `flatten` or `global_pool` make vectors of a map; on every cell of a map alike the same
layer is `conv(width, 1)`.

Errors: a length C that is not known before the run.

Source: `torch.nn.Linear(C, width, bias)`.

```rord
model net(x: Image[B, 1, 32, 32]@f) {
  out y = x |> conv(16, 3, stride = 4) |> relu |> flatten |> linear(128) |> l2norm
}
```
";

fn rule(a: &mut Application<'_>) {
    if !positive(a, "width") {
        return;
    }
    a.keep_type("x");
    a.result.unit = false;
    let width = a.size("width");
    let (last, rank) = (a.result.dims.last().cloned(), a.result.dims.len());
    let Some(channels) = last.filter(|_| rank > 1) else {
        let span = a.arg("x").map_or(a.span, |x| x.span);
        let label = a.result.to_string();
        a.reports.push(shapes::rule(span, "`linear` takes vectors", &label, "it takes Vectors[N, C] and [B, N, C]"));
        return;
    };
    a.set_dim(rank - 1, width.clone());
    let shape = [width.clone(), channels];
    let fan_in = a.fan_in(&shape);
    a.weight("weight", &shape, fan_in);
    if a.is_true("bias") {
        a.weight("bias", &[width], fan_in);
    }
}

/// A fully connected layer.
pub struct Linear;

/// Vectors as rows: how many, how long, and how long those of the result are.
fn sizes(call: &Call) -> Result<(usize, usize, usize)> {
    let (x, (outputs, inputs)) = (call.tensor("x")?, call.tensor("weight")?.dims2()?);
    if x.rank() == 0 || x.dims().last() != Some(&inputs) || call.count("width")? != outputs || inputs == 0 {
        return Err(candle_core::Error::msg("the weight of a linear layer does not fit its input"));
    }
    Ok((x.elem_count() / inputs, inputs, outputs))
}

/// The same as a 1 × 1 convolution of a column of cells.
fn geometry((rows, inputs, outputs): (usize, usize, usize)) -> Geometry {
    let (stride, dilation, kernel) = (1, 1, 1);
    Geometry { batch: 1, inputs, height: rows, width: 1, outputs, kernel, stride, pad: 0, dilation, groups: 1 }
}

/// The shape of `x` with another last size.
fn shaped(x: &Tensor, last: usize) -> Vec<usize> {
    let head = x.dims().split_last().map_or(&[][..], |(_, head)| head);
    head.iter().copied().chain([last]).collect()
}

impl Paths for Linear {
    fn backward_reads(&self, name: &str) -> bool {
        name != "bias"
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (rows, inputs, outputs) = sizes(call)?;
        let x = call.tensor("x")?;
        let value = x.contiguous()?.reshape((rows, inputs))?.matmul(&call.tensor("weight")?.t()?.contiguous()?)?;
        let value = match call.maybe("bias") {
            Some(bias) => value.broadcast_add(bias)?,
            None => value,
        };
        Ok(value.reshape(shaped(x, outputs))?.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (rows, inputs, outputs) = sizes(call)?;
        let x = call.tensor("x")?;
        let grad = grad.contiguous()?.reshape((rows, outputs))?;
        let mut out = Gradients::new();
        if call.wants("x") {
            out.push(("x", grad.matmul(&call.tensor("weight")?.contiguous()?)?.reshape(x.shape())?));
        }
        if call.wants("weight") {
            out.push(("weight", grad.t()?.contiguous()?.matmul(&x.contiguous()?.reshape((rows, inputs))?)?));
        }
        if call.wants("bias") {
            out.push(("bias", grad.sum(0)?));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let sizes = sizes(call)?;
        let (x, weight, g) = (call.tensor("x")?, call.tensor("weight")?, geometry(sizes));
        let forward = |x: &[T], weight: &[T], bias: Option<&[T]>| {
            last::forward(&g, x, weight, bias, After::Nothing, Factors::Single)
        };
        let value = match call.maybe("bias") {
            Some(bias) => read::<T, _, 3>([x, weight, bias], |[x, weight, bias]| forward(x, weight, Some(bias)))?,
            None => read::<T, _, 2>([x, weight], |[x, weight]| forward(x, weight, None))?,
        };
        Ok(tensor(value.map_err(wrong)?.numbers, shaped(x, sizes.2))?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (x, weight, g) = (call.tensor("x")?, call.tensor("weight")?, geometry(sizes(call)?));
        let wanted = Wanted { x: call.wants("x"), weight: call.wants("weight"), bias: call.wants("bias") };
        let found = read::<T, _, 3>([x, weight, grad], |[x, weight, grad]| {
            let past = Past { after: After::Nothing, value: grad, cells: &[] };
            last::backward(&g, x, weight, past, grad, wanted, Factors::Single)
        })?;
        let found = found.map_err(wrong)?;
        let mut out = Gradients::new();
        if let Some(numbers) = found.x {
            out.push(("x", tensor(numbers, x.shape())?));
        }
        if let Some(numbers) = found.weight {
            out.push(("weight", tensor(numbers, weight.shape())?));
        }
        if let Some(numbers) = found.bias {
            out.push(("bias", tensor(numbers, g.outputs)?));
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (name, weight) = call.weight("weight")?;
        let turned = Numbers::of(&weight.t().map_err(|e| e.to_string())?)?;
        let turned = out.named(format!("{name}.transposed"), turned);
        let value = out.plain("MatMul", &[call.name("x")?, &turned]);
        Ok(match call.maybe("bias") {
            Some(bias) => out.plain("Add", &[&value, &bias.name]),
            None => value,
        })
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        let (_, weight) = call.weight("weight")?;
        let (outputs, inputs) = weight.dims2().map_err(|e| e.to_string())?;
        let bias = if call.maybe("bias").is_some() { "" } else { ", bias=False" };
        let layer = out.layer(call, format!("nn.Linear({inputs}, {outputs}{bias})"))?;
        Ok(format!("{layer}({})", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: &[usize], width: usize, bias: bool| {
        let (last, head) = x.split_last().map_or((1, x), |(last, head)| (*last, head));
        let shape: Vec<usize> = head.iter().copied().chain([width]).collect();
        let sample = Sample::new(name, &shape).random("x", x, -1.0, 1.0)?;
        let sample = sample.random("weight", &[width, last], -0.5, 0.5)?.number("width", width as f64);
        if !bias {
            return Ok::<_, candle_core::Error>(sample.flag("bias", false).to(&["x", "weight"]));
        }
        Ok(sample.random("bias", &[width], -1.0, 1.0)?.flag("bias", true).to(&["x", "weight", "bias"]))
    };
    Ok(vec![
        case("odd", &[3, 5], 7, true)?,
        case("batched, no bias", &[2, 3, 4], 1, false)?,
        case("long vectors", &[2, 67], 17, true)?,
        case("one", &[1, 1], 1, true)?,
    ])
}
