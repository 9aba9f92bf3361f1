//! `conv_transpose`: a convolution run backward, which makes maps larger: `x |> conv_transpose(16, 2, stride = 2)`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{self, Order};
use crate::compute::memory::{Memory, convolution};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::conv::arguments;
use crate::conv::compute::found_gradients;
use crate::export::onnx::Attribute::{Int, Ints};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::positive;
use rord_kernels::conv::Geometry;
use rord_kernels::conv::call::{After, Products as Factors, Wanted};
use rord_kernels::conv::transposed::{backward, forward};
use rord_lang::axis::Axis;
use rord_lang::constant::Settings;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, Products, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "conv_transpose",
    entry: Entry {
        signature: "conv_transpose(x: Map[B, C, H, W]@f, width: Count, kernel: Count, stride: Count = 1, \
                    pad: Count = 0, output_pad: Count = 0, dilation: Count = 1, groups: Count = 1, \
                    bias: Flag = true) -> Feat[B, _, _, _]@f",
        manual: MANUAL,
        rule,
        graph: GraphFacts {
            per_sample: true,
            rounds: true,
            products: Some(Products {
                count: |shapes| match shapes.of("weight")? {
                    [_, rest @ ..] => Some(Shapes::elements(shapes.of("x")?) * Shapes::elements(rest)),
                    [] => None,
                },
                of: &["x", "weight"],
            }),
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&ConvTranspose),
    samples,
};

const MANUAL: &str = "\
A convolution run backward: every cell of the map writes a kernel, `stride` cells from the one before, and what falls on one
place is added up.

    y[b, o, p·stride + i·dilation - pad, q·stride + j·dilation - pad]  +=  weight[c, o, i, j] · x[b, c, p, q]

`x` is (B, C, H, W); `weight` is (C, width/groups, kernel, kernel), `bias` is (width); the result is (B, width, H', W') with
H' = (H - 1)·stride - 2·pad + dilation·(kernel - 1) + 1 + output_pad. `kernel = 2, stride = 2` doubles a map without an
overlap; `kernel = 4, stride = 2, pad = 1` doubles it smoothly.

* `kernel`, `stride`, `pad`, `output_pad` and `dilation` count cells. `pad` cuts so many off every side, `output_pad` adds rows
  and columns at the lower and right ends, fewer than `stride`: with them `kernel = 3, stride = 2, pad = 1, output_pad = 1`
  doubles a map, too.
* `groups` splits the channels of both sides into blocks that do not mix.
* `bias = false` leaves the bias out.

Where kernels overlap unevenly the result is a checkerboard (a kernel that the stride does not divide); `upsample` and `conv`
have none.

Errors: channels that `groups` does not divide; `output_pad` that is not below `stride`; a result without cells.

Source: `torch.nn.ConvTranspose2d(C, width, kernel, stride, pad, output_pad, groups, bias, dilation)`.

```rord
model net(x: Image[B, 1, H, W]@f) {
  let half = x |> conv(32, 3) |> relu |> max_pool(2)
  out y = half |> conv_transpose(16, 2, stride = 2) |> relu |> conv(1, 3)
}
```
";

fn rule(a: &mut Application<'_>) {
    let mut sound = true;
    for name in ["width", "kernel", "stride", "dilation", "groups"] {
        sound &= positive(a, name);
    }
    if !sound {
        return;
    }
    let (kernel, stride, dilation) = (a.count("kernel"), a.count("stride"), a.count("dilation"));
    let (pad, more, groups) = (a.count("pad"), a.count("output_pad"), a.count("groups"));
    if let (Some(more), Some(stride)) = (more, stride)
        && more >= stride
    {
        let span = a.arg("output_pad").map_or(a.span, |x| x.span);
        let label = format!("{more}, at stride {stride}");
        let help = "rows that no kernel reaches would be empty; make the kernel or the stride larger";
        a.reports.push(shapes::rule(span, "`output_pad` must be smaller than `stride`", &label, help));
        return;
    }
    let width = a.size("width");
    a.set_dim(1, width.clone());
    let dims = a.dims("x");
    for axis in [2, 3] {
        let Some(dim) = dims.get(axis) else { continue };
        let size = (|| {
            let (k, s, p, d, more) = (kernel?, stride?, pad?, dilation?, more?);
            let reach = d.checked_mul(k - 1)?.checked_add(1)?.checked_add(more)?;
            let rest = reach.checked_sub(p.checked_mul(2)?)?.checked_sub(s)?;
            dim.times(s)?.add(&Dim::number(rest))
        })();
        let size = size.unwrap_or_else(|| (a.unknown)("?"));
        if size.as_number().is_some_and(|n| n < 1) {
            let label = format!("the map is {dim} wide or high here, and `pad` cuts all of it off");
            a.reports.push(shapes::rule(a.span, "this layer leaves no cell", &label, "give a smaller `pad`"));
            return;
        }
        a.set_dim(axis, size);
    }
    let (Some(channels), Some(groups), Some(kernel)) = (dims.get(1).cloned(), groups, kernel) else { return };
    let split = |d: &Dim| a.known(d).is_none_or(|n| n % groups == 0);
    if !split(&channels) || !split(&width) {
        let span = a.arg("groups").map_or(a.span, |x| x.span);
        let label = format!("{channels} channels in, {width} out, {groups} groups");
        a.reports.push(shapes::rule(span, "`groups` must divide both widths", &label, "choose a common divisor"));
        return;
    }
    let depth = a.known(&width).map_or(width.clone(), |n| Dim::number(n / groups));
    // As in torch, whose weights begin by the size of one output's kernels.
    let k = Dim::number(kernel);
    let shape = [channels, depth, k.clone(), k];
    let initial = a.fan_in(&shape);
    a.weight("weight", &shape, initial);
    if a.is_true("bias") {
        a.weight("bias", &[width], initial);
    }
}

/// The transposed convolution.
pub struct ConvTranspose;

/// The convolution whose input gradient this is: its input is the result here.
fn sizes(x: &[usize], weight: &[usize], result: &[usize], settings: &Settings) -> Result<Geometry> {
    let (&[batch, outputs, h, w], &[taken, depth, kernel, across], &[_, inputs, height, width]) = (x, weight, result)
    else {
        return Err(candle_core::Error::msg("a transposed convolution's input and weight have four axes"));
    };
    let count = |name| settings.count(name).map_err(candle_core::Error::wrap);
    let (stride, pad, dilation, groups) = (count("stride")?, count("pad")?, count("dilation")?, count("groups")?);
    let fits = kernel == across && taken == outputs && depth.checked_mul(groups) == Some(inputs);
    let g = Geometry { batch, inputs, height, width, outputs, kernel, stride, pad, dilation, groups };
    if !fits || count("kernel")? != kernel || g.result().map_err(wrong)? != (h, w) {
        return Err(candle_core::Error::msg(
            "the weight of a transposed convolution does not fit its input and settings",
        ));
    }
    Ok(g)
}

fn geometry(call: &Call) -> Result<Geometry> {
    let (x, weight) = (call.tensor("x")?.dims(), call.tensor("weight")?.dims());
    let count = |name| call.count(name);
    let (&[batch, _, h, w], &[_, depth, kernel, _]) = (x, weight) else {
        return Err(candle_core::Error::msg("a transposed convolution's input and weight have four axes"));
    };
    let (stride, pad, more) = (count("stride")?, count("pad")?, count("output_pad")?);
    let reach = count("dilation")? * kernel.saturating_sub(1) + 1 + more;
    let side = |n: usize| (n.saturating_sub(1) * stride + reach).checked_sub(2 * pad).filter(|_| n > 0);
    let (Some(height), Some(width)) = (side(h), side(w)) else {
        return Err(candle_core::Error::msg("a transposed convolution leaves no cell"));
    };
    sizes(x, weight, &[batch, depth * count("groups")?, height, width], call.settings)
}

/// How the factors of products are taken, as for `conv`.
fn products(settings: &Settings) -> Factors {
    if settings.text("products") == Ok("bf16") { Factors::Rounded } else { Factors::Single }
}

impl Paths for ConvTranspose {
    const EITHER_ORDER: bool = true;

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        let (Some(x), Some(weight)) = (shapes.of("x"), shapes.of("weight")) else { return Memory::default() };
        let Ok(g) = sizes(x, weight, &shapes.result, shapes.settings) else { return Memory::default() };
        // Forward is the convolution's backward, and the other way around.
        let (ahead, back) = (convolution(&g, After::Nothing, &["x"]), convolution(&g, After::Nothing, &["weight"]));
        let weight = if wants.contains(&"weight") { back.backward } else { 0 };
        Memory {
            saved: 0,
            forward: ahead.backward,
            backward: back.forward.max(weight),
            thread: ahead.thread.max(back.thread),
            shares: false,
        }
    }

    fn backward_reads(&self, name: &str) -> bool {
        name != "bias"
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let g = geometry(call)?;
        let (x, weight, o) = (call.tensor("x")?, call.tensor("weight")?, g.outputs / g.groups);
        let one = |i: usize| {
            let (x, weight) = (x.narrow(1, i * o, o)?.contiguous()?, weight.narrow(0, i * o, o)?.contiguous()?);
            let whole = x.conv_transpose2d(&weight, 0, 0, g.stride, g.dilation)?;
            let fit = |t: Tensor, axis: usize, n: usize| -> Result<Tensor> {
                let missing = (n + g.pad).saturating_sub(t.dim(axis)?);
                t.pad_with_zeros(axis, 0, missing)?.narrow(axis, g.pad, n)
            };
            fit(fit(whole, 2, g.height)?, 3, g.width)?.contiguous()
        };
        let value = Tensor::cat(&(0..g.groups).map(one).collect::<Result<Vec<_>>>()?, 1)?;
        Ok(match call.maybe("bias") {
            Some(bias) => value.broadcast_add(&bias.reshape((1, g.inputs, 1, 1))?)?.into(),
            None => value.into(),
        })
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let g = geometry(call)?;
        let (x, weight, grad) = (call.tensor("x")?, call.tensor("weight")?, grad.contiguous()?);
        let (c, o) = (g.inputs / g.groups, g.outputs / g.groups);
        let mut out = Gradients::new();
        if call.wants("x") {
            out.push(("x", grad.conv2d(weight, g.pad, g.stride, g.dilation, g.groups)?));
        }
        if call.wants("weight") {
            let one = |i: usize| {
                // Each weight is a correlation of the gradient with the input, in which stride and dilation change places.
                let grad = grad.narrow(1, i * c, c)?.transpose(0, 1)?.contiguous()?;
                let x = x.narrow(1, i * o, o)?.transpose(0, 1)?.contiguous()?;
                let sum = grad.conv2d(&x, g.pad, g.dilation, g.stride, 1)?;
                sum.narrow(2, 0, g.kernel)?.narrow(3, 0, g.kernel)?.transpose(0, 1)?.contiguous()
            };
            out.push(("weight", Tensor::cat(&(0..g.groups).map(one).collect::<Result<Vec<_>>>()?, 0)?));
        }
        if call.wants("bias") {
            out.push(("bias", grad.sum((0, 2, 3))?));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (g, products) = (geometry(call)?, products(call.settings));
        let weight = call.tensor("weight")?;
        let value = layout::read::<T, _, 1>(Order::Last, [call.tensor("x")?], |[x]| match call.maybe("bias") {
            Some(bias) => {
                read::<T, _, 2>([weight, bias], |[weight, bias]| forward(&g, x, weight, Some(bias), products))
            }
            None => read::<T, _, 1>([weight], |[weight]| forward(&g, x, weight, None, products)),
        })?;
        let numbers = value?.map_err(wrong)?;
        Ok(layout::tensor(Order::Last, numbers, &[g.batch, g.inputs, g.height, g.width])?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (g, products) = (geometry(call)?, products(call.settings));
        let (x, weight) = (call.tensor("x")?, call.tensor("weight")?);
        let wanted = Wanted { x: call.wants("x"), weight: call.wants("weight"), bias: call.wants("bias") };
        let found = layout::read::<T, _, 2>(Order::Last, [x, grad], |[x, grad]| {
            read::<T, _, 1>([weight], |[weight]| backward(&g, x, weight, grad, wanted, products))
        })?;
        found_gradients(found?.map_err(wrong)?, x, weight)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let inputs = [Some(call.name("x")?), Some(call.name("weight")?), call.maybe("bias").map(|b| b.name.as_str())];
        let two = |name: &str| Ok::<_, String>(Ints(vec![call.count(name)?; 2]));
        let attributes = vec![
            ("kernel_shape", two("kernel")?),
            ("strides", two("stride")?),
            ("pads", Ints(vec![call.count("pad")?; 4])),
            ("output_padding", two("output_pad")?),
            ("dilations", two("dilation")?),
            ("group", Int(call.count("groups")?)),
        ];
        Ok(out.op("ConvTranspose", &inputs.into_iter().flatten().collect::<Vec<_>>(), attributes))
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        let inputs = call.size(call.argument("x")?.ty, &Axis::Channel)?;
        let arguments = arguments(call, inputs, call.count("pad")?, "padding")?;
        let layer = out.layer(call, format!("nn.ConvTranspose2d({arguments})"))?;
        Ok(format!("{layer}({})", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 4], shape: [usize; 4], sizes: [usize; 6], bias: bool| {
        let [kernel, stride, pad, more, dilation, groups] = sizes;
        let weight = [x[1], shape[1] / groups, kernel, kernel];
        let mut sample = Sample::new(name, &shape).random("x", &x, -1.0, 1.0)?.random("weight", &weight, -0.5, 0.5)?;
        let names = ["width", "kernel", "stride", "pad", "output_pad", "dilation", "groups"];
        for (name, n) in names.into_iter().zip([shape[1], kernel, stride, pad, more, dilation, groups]) {
            sample = sample.number(name, n as f64);
        }
        if !bias {
            return Ok::<_, candle_core::Error>(sample.flag("bias", false).to(&["x", "weight"]));
        }
        Ok(sample.random("bias", &[shape[1]], -1.0, 1.0)?.flag("bias", true).to(&["x", "weight", "bias"]))
    };
    Ok(vec![
        case("doubled", [2, 3, 4, 5], [2, 2, 8, 10], [2, 2, 0, 0, 1, 1], true)?,
        case("doubled smoothly", [1, 2, 3, 4], [1, 3, 6, 8], [4, 2, 1, 0, 1, 1], false)?,
        case("with rows at the end", [1, 2, 3, 2], [1, 2, 6, 4], [3, 2, 1, 1, 1, 1], true)?,
        case("dilated groups", [2, 4, 4, 3], [2, 6, 8, 7], [3, 1, 0, 0, 2, 2], false)?,
        case("of one size", [2, 3, 5, 4], [2, 5, 5, 4], [3, 1, 1, 0, 1, 1], true)?,
        case("pointwise", [2, 19, 3, 2], [2, 33, 3, 2], [1, 1, 0, 0, 1, 1], true)?,
    ])
}
