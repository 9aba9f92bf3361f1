//! `conv`: a layer of filters, as `torch.nn.Conv2d`: `x |> conv(32, 3)`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{self, Order};
use crate::compute::memory::{Memory, convolution};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::max_pool::{self, saved, windows};
use crate::op::Op;
use crate::rules::positive;
use rord_kernels::conv::Geometry;
use rord_kernels::conv::last::{After, Past, Products, Wanted, backward, forward};
use rord_kernels::pool::Windows;
use rord_lang::constant::Settings;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::typed::Initial;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, Products, Shapes, TakesIn};

/// The operation.
pub static OP: Op = Op {
    name: "conv",
    entry: Entry {
        signature: "conv(x: Map[B, C, H, W]@f, width: Count, kernel: Count, stride: Count = 1, pad: Count = same, \
                    dilation: Count = 1, groups: Count = 1, bias: Flag = true) -> Feat[B, _, _, _]@f",
        manual: MANUAL,
        rule,
        words: &[("pad", &["same"])],
        graph: GraphFacts {
            per_sample: true,
            rounds: true,
            takes_in: &[
                TakesIn { so_far: None, op: "relu", settings: &[], then: "relu" },
                TakesIn {
                    so_far: Some("relu"),
                    op: "max_pool",
                    settings: &[("k", 2.0), ("stride", 2.0)],
                    then: "relu_pool",
                },
            ],
            products: Some(Products { count: products, of: &["x", "weight"] }),
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&Conv),
    samples,
};

const MANUAL: &str = "\
A layer of filters slid over a map, with weights of its own.

    y[b, o, p, q] = bias[o] + Σ_{c,i,j} weight[o, c, i, j] · x[b, c, p·stride + i·dilation - pad, q·stride + j·dilation - pad]

`x` is (B, C, H, W) and is 0 outside; `weight` is (width, C/groups, kernel, kernel), `bias` is (width); the result is
(B, width, H', W') with H' = ⌊(H + 2·pad - dilation·(kernel - 1) - 1)/stride⌋ + 1. It is a cross-correlation: the kernel is not turned.

* `kernel`, `stride`, `pad` and `dilation` count cells. `pad = same` is dilation·(kernel - 1)/2 on every side and keeps the size
  at stride 1; an even kernel has no such middle and must give `pad`.
* `groups` splits the channels of both sides into blocks that do not mix.
* `bias = false` leaves the bias out.

Errors: a kernel larger than the padded map; channels that `groups` does not divide; `pad = same` with an even kernel.

Source: `torch.nn.Conv2d(C, width, kernel, stride, pad, dilation, groups, bias)`.

```rord
model net(x: Image[B, 1, H, W]@f) {
  out y = x |> conv(32, 3) |> relu |> conv(64, 3, stride = 2)
}
```
";

/// Sizes as torch's; a stride is owed to divide what has a name.
fn rule(a: &mut Application<'_>) {
    let mut sound = true;
    for name in ["width", "kernel", "stride", "dilation", "groups"] {
        sound &= positive(a, name);
    }
    if !sound {
        return;
    }
    let (kernel, stride) = (a.count("kernel"), a.count("stride"));
    let (dilation, groups) = (a.count("dilation"), a.count("groups"));
    let same = a.word("pad") == Some("same");
    let pad = if same { kernel.zip(dilation).map(|(k, d)| d.saturating_mul(k - 1) / 2) } else { a.count("pad") };
    if same && kernel.is_some_and(|k| k % 2 == 0) {
        let span = a.arg("kernel").map_or(a.span, |x| x.span);
        let report = shapes::rule(
            span,
            "an even kernel has no middle, so `pad = same` cannot be",
            "even",
            "give the padding, as in  conv(32, 4, pad = 1)",
        );
        a.reports.push(report);
        return;
    }
    let width = a.size("width");
    a.set_dim(1, width.clone());
    let dims = a.dims("x");
    for axis in [2, 3] {
        let Some(dim) = dims.get(axis) else { continue };
        let size = match (kernel, stride, pad, dilation) {
            (Some(k), Some(s), Some(p), Some(d)) => extent(a, dim, k, s, p, d, same),
            _ => None,
        };
        let size = size.unwrap_or_else(|| (a.unknown)("?"));
        if a.reports.is_empty() && size.as_number().is_some_and(|n| n < 1) {
            let report = shapes::rule(
                a.span,
                "this kernel is larger than its map",
                &format!(
                    "the map is {} × {} here",
                    dims.get(2).map_or("?".into(), Dim::to_string),
                    dims.get(3).map_or("?".into(), Dim::to_string)
                ),
                "pad more, or pool less before",
            );
            a.reports.push(report);
        }
        a.set_dim(axis, size);
    }
    let Some(channels) = dims.get(1).cloned() else { return };
    let (Some(groups), Some(kernel)) = (groups, kernel) else {
        return;
    };
    let split = |d: &Dim| d.as_number().is_none_or(|n| n % groups == 0);
    if !split(&channels) || !split(&width) {
        let span = a.arg("groups").map_or(a.span, |x| x.span);
        let label = format!("{channels} channels in, {width} out, {groups} groups");
        a.reports.push(shapes::rule(span, "`groups` must divide both widths", &label, "choose a common divisor"));
        return;
    }
    let depth = channels.as_number().map_or(channels.clone(), |n| Dim::number(n / groups));
    let k = Dim::number(kernel);
    let fan_in = depth.as_number().and_then(|d| d.checked_mul(kernel)?.checked_mul(kernel)).unwrap_or(0);
    let initial = Initial::FanIn(usize::try_from(fan_in).unwrap_or(0));
    a.weight("weight", &[width.clone(), depth, k.clone(), k], initial);
    if a.is_true("bias") {
        a.weight("bias", &[width], initial);
    }
}

/// ⌊(n + 2·pad - dilation·(kernel - 1) - 1)/stride⌋ + 1
fn extent(a: &mut Application<'_>, n: &Dim, k: i64, s: i64, p: i64, d: i64, same: bool) -> Option<Dim> {
    let grown = p.checked_mul(2)?.checked_sub(d.checked_mul(k - 1)?)?.checked_sub(1)?;
    let reach = n.add(&Dim::number(grown))?;
    if s == 1 {
        return reach.add(&Dim::number(1));
    }
    if let Some(reach) = reach.as_number() {
        return Some(Dim::number(reach.div_euclid(s) + 1));
    }
    if same {
        // The middle of an odd kernel stands on every s-th cell: as many as s goes into n, where it does exactly.
        return Some(a.divide(n, s));
    }
    // A rest that the constant part brings along is dropped; the named part is owed to divide.
    let rest = grown.rem_euclid(s);
    let exact = n.add(&Dim::number(grown - rest))?;
    a.divide(&exact, s).add(&Dim::number(1))
}

/// Multiply-adds: what every number of the result sums, before it is pooled.
fn products(shapes: &Shapes<'_>) -> Option<f64> {
    let (&[batch, _, height, width], &[outputs, depth, kernel, _]) = (shapes.of("x")?, shapes.of("weight")?) else {
        return None;
    };
    let settings = shapes.settings;
    let (stride, dilation) = (settings.count("stride").ok()?, settings.count("dilation").ok()?);
    let reach = dilation.checked_mul(kernel.checked_sub(1)?)?;
    let pad = settings.count("pad").unwrap_or(reach / 2);
    let side = |n: usize| {
        let room = pad.checked_mul(2)?.checked_add(n)?.checked_sub(reach.checked_add(1)?)?;
        Some(room.checked_div(stride)? + 1)
    };
    Some(Shapes::elements(&[batch, outputs, side(height)?, side(width)?, depth, kernel, kernel]))
}

/// The convolution.
pub struct Conv;

/// The sizes of a call.
fn geometry(call: &Call) -> Result<Geometry> {
    sizes(call.tensor("x")?.dims(), call.tensor("weight")?.dims(), call.settings)
}

/// The sizes for an input and a weight of these shapes.
fn sizes(x: &[usize], weight: &[usize], settings: &Settings) -> Result<Geometry> {
    let (&[batch, inputs, height, width], &[outputs, depth, kernel, across]) = (x, weight) else {
        return Err(candle_core::Error::msg("a convolution's input and weight have four axes"));
    };
    let count = |name| settings.count(name).map_err(candle_core::Error::wrap);
    let (stride, dilation, groups) = (count("stride")?, count("dilation")?, count("groups")?);
    if kernel != across || depth.checked_mul(groups) != Some(inputs) || count("kernel")? != kernel {
        return Err(candle_core::Error::msg("the weight of a convolution does not fit its input and settings"));
    }
    let same = settings.text("pad").is_ok_and(|pad| pad == "same");
    let pad = match count("pad") {
        Ok(pad) => pad,
        Err(_) if same && kernel % 2 == 1 => dilation * (kernel - 1) / 2,
        Err(_) => return Err(candle_core::Error::msg("`pad = same` needs an odd kernel")),
    };
    let g = Geometry { batch, inputs, height, width, outputs, kernel, stride, pad, dilation, groups };
    g.result().map_err(wrong)?;
    Ok(g)
}

/// What the pass `fuse` has put after the convolution.
fn after(settings: &Settings) -> Result<After> {
    match settings.get("then") {
        None => Ok(After::Nothing),
        Some(_) => match settings.text("then").map_err(candle_core::Error::wrap)? {
            "relu" => Ok(After::Relu),
            "relu_pool" => Ok(After::ReluPool),
            other => Err(candle_core::Error::msg(format!("`then = {other}` is none of relu, relu_pool"))),
        },
    }
}

/// What the graph's builder says of the products, from the pipeline's `precision`.
fn products(settings: &Settings) -> Products {
    if settings.text("products") == Ok("bf16") { Products::Rounded } else { Products::Single }
}

/// max(0, `x`) where `of` is above 0 or not a number.
fn alive(x: &Tensor, of: &Tensor) -> Result<Tensor> {
    of.le(0.0)?.where_cond(&x.zeros_like()?, x)
}

/// The windows of the pooling that may follow.
fn halves(x: &Tensor) -> Result<Windows> {
    windows(x, 2, 2)
}

impl Paths for Conv {
    const EITHER_ORDER: bool = true;

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        let (Some(x), Some(weight)) = (shapes.of("x"), shapes.of("weight")) else { return Memory::default() };
        match (sizes(x, weight, shapes.settings), after(shapes.settings)) {
            (Ok(g), Ok(after)) => convolution(&g, after, wants),
            _ => Memory::default(),
        }
    }

    fn back_reads(&self, name: &str) -> bool {
        name != "bias"
    }

    fn back_reads_value(&self, settings: &Settings) -> bool {
        settings.get("then").is_some()
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let g = geometry(call)?;
        let value = call.tensor("x")?.conv2d(call.tensor("weight")?, g.pad, g.stride, g.dilation, g.groups)?;
        let value = match call.maybe("bias") {
            Some(bias) => value.broadcast_add(&bias.reshape((1, g.outputs, 1, 1))?)?,
            None => value,
        };
        Ok(match after(call.settings)? {
            After::Nothing => value.into(),
            After::Relu => alive(&value, &value)?.into(),
            After::ReluPool => {
                let value = alive(&value, &value)?;
                let mut output = max_pool::lower(&value, &halves(&value)?)?;
                output.saved.push(value);
                output
            }
        })
    }

    fn lower_back(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let g = geometry(call)?;
        let grad = &match after(call.settings)? {
            After::Nothing => grad.contiguous()?,
            After::Relu => alive(grad, &output.value)?,
            After::ReluPool => {
                let value = saved(output, 1)?;
                alive(&max_pool::lower_back(value, saved(output, 0)?, grad)?, value)?
            }
        };
        let (x, weight) = (call.tensor("x")?, call.tensor("weight")?);
        let (c, o) = (g.inputs / g.groups, g.outputs / g.groups);
        let groups = |per: &dyn Fn(usize) -> Result<Tensor>, axis| -> Result<Tensor> {
            Tensor::cat(&(0..g.groups).map(per).collect::<Result<Vec<_>>>()?, axis)
        };
        let mut out = Gradients::new();
        if call.wants("x") {
            let one = |i: usize| {
                let (grad, weight) =
                    (grad.narrow(1, i * o, o)?.contiguous()?, weight.narrow(0, i * o, o)?.contiguous()?);
                transposed(&g, &grad, &weight)
            };
            out.push(("x", groups(&one, 1)?));
        }
        if call.wants("weight") {
            let one = |i: usize| {
                // Each weight is a correlation of the input with the gradient, in which stride and dilation change places.
                let x = x.narrow(1, i * c, c)?.transpose(0, 1)?.contiguous()?;
                let grad = grad.narrow(1, i * o, o)?.transpose(0, 1)?.contiguous()?;
                let sum = x.conv2d(&grad, g.pad, g.dilation, g.stride, 1)?;
                sum.narrow(2, 0, g.kernel)?.narrow(3, 0, g.kernel)?.transpose(0, 1)?.contiguous()
            };
            out.push(("weight", groups(&one, 0)?));
        }
        if call.wants("bias") {
            out.push(("bias", grad.sum((0, 2, 3))?));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (g, after, products) = (geometry(call)?, after(call.settings)?, products(call.settings));
        let (mut h, mut w) = g.result().map_err(wrong)?;
        let weight = call.tensor("weight")?;
        let value = layout::read::<T, _, 1>(Order::Last, [call.tensor("x")?], |[x]| match call.maybe("bias") {
            Some(bias) => {
                read::<T, _, 2>([weight, bias], |[weight, bias]| forward(&g, x, weight, Some(bias), after, products))
            }
            None => read::<T, _, 1>([weight], |[weight]| forward(&g, x, weight, None, after, products)),
        })?;
        let value = value?.map_err(wrong)?;
        let mut saved = Vec::new();
        if after == After::ReluPool {
            (h, w) = (h / 2, w / 2);
            saved.push(tensor(value.cells, (g.batch, h, w, g.outputs))?);
        }
        Ok(Output { value: layout::tensor(Order::Last, value.numbers, &[g.batch, g.outputs, h, w])?, saved })
    }

    fn fast_back<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (g, after, products) = (geometry(call)?, after(call.settings)?, products(call.settings));
        let (x, weight) = (call.tensor("x")?, call.tensor("weight")?);
        let wanted = Wanted { x: call.wants("x"), weight: call.wants("weight"), bias: call.wants("bias") };
        // Without anything after it, the value itself is not looked at and may be gone.
        let value = if after == After::Nothing { grad } else { &output.value };
        let found = layout::read::<T, _, 3>(Order::Last, [x, value, grad], |[x, value, grad]| {
            read::<T, _, 1>([weight], |[weight]| {
                let back = |cells: &[u8]| backward(&g, x, weight, Past { after, value, cells }, grad, wanted, products);
                match after {
                    After::ReluPool => read::<u8, _, 1>([saved(output, 0)?], |[cells]| back(cells)),
                    _ => Ok(back(&[])),
                }
            })?
        });
        let found = found??.map_err(wrong)?;
        let mut out = Gradients::new();
        if let Some(numbers) = found.x {
            out.push(("x", layout::tensor(Order::Last, numbers, x.dims())?));
        }
        if let Some(numbers) = found.weight {
            out.push(("weight", tensor(numbers, weight.shape())?));
        }
        if let Some(numbers) = found.bias {
            out.push(("bias", tensor(numbers, g.outputs)?));
        }
        Ok(out)
    }
}

/// One group's input gradient: the transposed convolution, cut or filled with zeros to the input's size.
fn transposed(g: &Geometry, grad: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let whole = grad.conv_transpose2d(weight, 0, 0, g.stride, g.dilation)?;
    let fit = |t: Tensor, axis: usize, n: usize| -> Result<Tensor> {
        let missing = (n + g.pad).saturating_sub(t.dim(axis)?);
        t.pad_with_zeros(axis, 0, missing)?.narrow(axis, g.pad, n)
    };
    fit(fit(whole, 2, g.height)?, 3, g.width)?.contiguous()
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 4], shape: [usize; 4], kernel: usize, groups: usize| {
        let weight = [shape[1], x[1] / groups, kernel, kernel];
        let sample = Sample::new(name, &shape).random("x", &x, -1.0, 1.0)?.random("weight", &weight, -0.5, 0.5)?;
        let sample = sample.number("width", shape[1] as f64).number("kernel", kernel as f64);
        Ok::<_, candle_core::Error>(sample.number("groups", groups as f64))
    };
    let with = |s: Sample, stride: usize, dilation: usize| {
        s.number("stride", stride as f64).number("dilation", dilation as f64).to(&["x", "weight"])
    };
    let mut list = vec![
        with(case("odd", [2, 3, 7, 5], [2, 4, 7, 5], 3, 1)?.word("pad", "same"), 1, 1),
        with(case("strided, an edge unseen", [1, 2, 8, 6], [1, 3, 3, 2], 3, 1)?.number("pad", 0.0), 2, 1),
        with(case("dilated groups", [2, 4, 9, 8], [2, 6, 9, 8], 3, 2)?.word("pad", "same"), 1, 2),
        with(case("pointwise", [3, 5, 4, 3], [3, 2, 4, 3], 1, 1)?.word("pad", "same"), 1, 1),
        with(case("whole map", [5, 2, 4, 4], [5, 3, 1, 1], 4, 1)?.number("pad", 0.0), 1, 1),
        with(case("even kernel, wide pad", [1, 1, 5, 6], [1, 2, 4, 5], 2, 1)?.number("pad", 2.0), 2, 1),
        with(case("depthwise", [2, 3, 6, 7], [2, 3, 6, 7], 3, 3)?.word("pad", "same"), 1, 1),
    ];
    for (i, sample) in list.iter_mut().enumerate() {
        let width = sample.shape.get(1).copied().unwrap_or(1);
        *sample = sample.clone().flag("bias", i % 2 == 0);
        if i % 2 == 0 {
            *sample = sample.clone().random("bias", &[width], -1.0, 1.0)?.to(&["x", "weight", "bias"]);
        }
    }
    // What the pass `fuse` makes: relu and pooling in the same node, sizes that halves do not divide among them.
    let mut fused = Vec::new();
    for (sample, pooled) in list.iter().zip([[2, 4, 3, 2], [1, 3, 1, 1], [2, 6, 4, 4], [3, 2, 2, 1]]) {
        fused.push(sample.clone().word("then", "relu"));
        fused.push(Sample { shape: pooled.to_vec(), ..sample.clone().word("then", "relu_pool") });
    }
    list.append(&mut fused);
    Ok(list)
}
