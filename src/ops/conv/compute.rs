//! How a convolution computes: by Candle, or by kernels on maps that lie channels last.

use candle_core::{Result, Tensor};

use super::device;
use crate::compute::layout::{self, Order};
use crate::compute::memory::{Memory, convolution};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::{Int, Ints};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::max_pool::{self, saved, windows};
use rord_kernels::batch_norm::Lines;
use rord_kernels::conv::Geometry;
use rord_kernels::conv::call::{After, Gradients as Found, Past, Products, Seen, Wanted};
use rord_kernels::conv::last::{backward, forward};
use rord_kernels::pool::Windows;
use rord_lang::axis::Axis;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::Shapes;

/// The convolution.
pub struct Conv;

/// The sizes of a call.
fn geometry(call: &Call) -> Result<Geometry> {
    sizes(call.tensor("x")?.dims(), call.tensor("weight")?.dims(), call.settings)
}

/// The sizes for an input and a weight of these shapes.
pub(super) fn sizes(x: &[usize], weight: &[usize], settings: &Settings) -> Result<Geometry> {
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

/// The kernel's side and the padding of a call that is written out.
pub(super) struct Padding {
    pub kernel: i64,
    pub pad: i64,
}

impl Padding {
    pub(super) fn of(call: &Use) -> std::result::Result<Self, String> {
        let (kernel, dilation) = (call.count("kernel")?, call.count("dilation")?);
        let same = call.text("pad") == Ok("same");
        let pad = if same { dilation.saturating_mul(kernel - 1) / 2 } else { call.count("pad")? };
        Ok(Self { kernel, pad })
    }
}

/// The node of a convolution.
pub(super) fn written(call: &Use, out: &mut Onnx, x: &str, weight: &str, bias: Option<&str>) -> Form {
    let Padding { kernel, pad } = Padding::of(call)?;
    let (stride, dilation) = (call.count("stride")?, call.count("dilation")?);
    let inputs: Vec<&str> = [x, weight].into_iter().chain(bias).collect();
    let attributes = vec![
        ("kernel_shape", Ints(vec![kernel; 2])),
        ("strides", Ints(vec![stride; 2])),
        ("pads", Ints(vec![pad; 4])),
        ("dilations", Ints(vec![dilation; 2])),
        ("group", Int(call.count("groups")?)),
    ];
    Ok(out.op("Conv", &inputs, attributes))
}

/// What a layer of PyTorch takes; its defaults are left out.
pub(crate) fn arguments(call: &Use, inputs: i64, pad: i64, padding: &str) -> Form {
    let mut text = format!("{inputs}, {}, {}", call.count("width")?, call.count("kernel")?);
    let all = [
        ("stride", call.count("stride")?, 1),
        (padding, pad, 0),
        ("output_padding", call.count_or("output_pad", 0)?, 0),
        ("dilation", call.count("dilation")?, 1),
        ("groups", call.count("groups")?, 1),
    ];
    all.iter().filter(|(_, n, usual)| n != usual).for_each(|(name, n, _)| text += &format!(", {name}={n}"));
    if call.maybe("bias").is_none() {
        text += ", bias=False";
    }
    Ok(text)
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

/// How the factors of products are taken: the graph's builder sets it from the pipeline's `precision`.
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
    const ROUNDED: bool = true;

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        let (Some(x), Some(weight)) = (shapes.of("x"), shapes.of("weight")) else { return Memory::default() };
        match (sizes(x, weight, shapes.settings), after(shapes.settings)) {
            (Ok(g), Ok(after)) => convolution(&g, after, wants),
            _ => Memory::default(),
        }
    }

    fn backward_reads(&self, name: &str) -> bool {
        name != "bias"
    }

    fn backward_reads_value(&self, settings: &Settings) -> bool {
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

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let g = geometry(call)?;
        let grad = &match after(call.settings)? {
            After::Nothing => grad.contiguous()?,
            After::Relu => alive(grad, &output.value)?,
            After::ReluPool => {
                let value = saved(output, 1)?;
                alive(&max_pool::lower_backward(value, saved(output, 0)?, grad)?, value)?
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
                // Each weight is a correlation of the input with the gradient, in which stride and dilation change
                // places.
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

    fn device(&self, call: &Call) -> Result<Option<Output>> {
        device::value(&geometry(call)?, call, after(call.settings)?, products(call.settings)).map(Some)
    }

    fn device_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Option<Gradients>> {
        device::gradients(&geometry(call)?, call, after(call.settings)?, output, grad).map(Some)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        value::<T>(call, None)
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        found_gradients(gradients::<T>(call, output, grad, None)?, call.tensor("x")?, call.tensor("weight")?)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let bias = call.maybe("bias").map(|b| b.name.clone());
        written(call, out, call.name("x")?, call.name("weight")?, bias.as_deref())
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        let (x, Padding { pad, .. }) = (call.name("x")?, Padding::of(call)?);
        let inputs = call.size(call.argument("x")?.ty, &Axis::Channel)?;
        let layer = out.layer(call, format!("nn.Conv2d({})", arguments(call, inputs, pad, "padding")?))?;
        Ok(format!("{layer}({x})"))
    }
}

/// The value by kernels, of what `lines` make of the map if there are any.
pub(super) fn value<T: Element>(call: &Call, lines: Option<&Lines<T>>) -> Result<Output> {
    let (g, after, products) = (geometry(call)?, after(call.settings)?, products(call.settings));
    let (mut h, mut w) = g.result().map_err(wrong)?;
    let weight = call.tensor("weight")?;
    let value = layout::read::<T, _, 1>(Order::Last, [call.tensor("x")?], |[numbers]| {
        match (call.maybe("bias"), Seen { numbers, lines }) {
            (Some(bias), x) => {
                read::<T, _, 2>([weight, bias], |[weight, bias]| forward(&g, x, weight, Some(bias), after, products))
            }
            (None, x) => read::<T, _, 1>([weight], |[weight]| forward(&g, x, weight, None, after, products)),
        }
    })?;
    let value = value?.map_err(wrong)?;
    let mut saved = Vec::new();
    if after == After::ReluPool {
        (h, w) = (h / 2, w / 2);
        saved.push(tensor(value.cells, (g.batch, h, w, g.outputs))?);
    }
    Ok(Output { value: layout::tensor(Order::Last, value.numbers, &[g.batch, g.outputs, h, w])?, saved })
}

/// The gradients by kernels of a value from [`value`]; that of the input is of what the lines made.
pub(super) fn gradients<T: Element>(
    call: &Call,
    output: &Output,
    grad: &Tensor,
    lines: Option<&Lines<T>>,
) -> Result<Found<T>> {
    let (g, after, products) = (geometry(call)?, after(call.settings)?, products(call.settings));
    let (x, weight) = (call.tensor("x")?, call.tensor("weight")?);
    let wanted = Wanted { x: call.wants("x"), weight: call.wants("weight"), bias: call.wants("bias") };
    // Without anything after it, the value itself is not looked at and may be gone.
    let value = if after == After::Nothing { grad } else { &output.value };
    let found = layout::read::<T, _, 3>(Order::Last, [x, value, grad], |[numbers, value, grad]| {
        let x = Seen { numbers, lines };
        read::<T, _, 1>([weight], |[weight]| {
            let back = |cells: &[u8]| backward(&g, x, weight, Past { after, value, cells }, grad, wanted, products);
            match after {
                After::ReluPool => read::<u8, _, 1>([saved(output, 0)?], |[cells]| back(cells)),
                _ => Ok(back(&[])),
            }
        })?
    });
    found??.map_err(wrong)
}

/// What the kernels of a convolution found, as tensors. There is a bias for every channel of the result.
pub(crate) fn found_gradients<T: Element>(found: Found<T>, x: &Tensor, weight: &Tensor) -> Result<Gradients> {
    let mut out = Gradients::new();
    if let Some(numbers) = found.x {
        out.push(("x", layout::tensor(Order::Last, numbers, x.dims())?));
    }
    if let Some(numbers) = found.weight {
        out.push(("weight", tensor(numbers, weight.shape())?));
    }
    if let Some(numbers) = found.bias {
        let channels = numbers.len();
        out.push(("bias", tensor(numbers, channels)?));
    }
    Ok(out)
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

/// Cases with a symmetry: from a map to a field, and from a field to a field.
fn symmetric() -> Result<Vec<Sample>> {
    let case = |name, x: &[usize], turns: usize, shape: [usize; 5], kernel: usize| {
        let [_, _, width, _, _] = shape;
        let weight: Vec<usize> = match *x {
            [_, turns, inputs, _, _] => vec![width, turns, inputs, kernel, kernel],
            [_, inputs, ..] => vec![width, inputs, kernel, kernel],
            _ => vec![],
        };
        let sample = Sample::new(name, &shape).random("x", x, -1.0, 1.0)?.random("weight", &weight, -0.5, 0.5)?;
        let sample = sample.random("bias", &[width], -1.0, 1.0)?.flag("bias", true).number("width", width as f64);
        let sample = sample.number("kernel", kernel as f64).number("groups", 1.0).number("dilation", 1.0);
        Ok::<_, candle_core::Error>(sample.word("symmetry", if turns == 4 { "c4" } else { "d4" }))
    };
    let to = |s: Sample, stride: f64| s.number("stride", stride).to(&["x", "weight", "bias"]);
    let lifted = to(case("to a field", &[2, 2, 4, 5], 8, [2, 8, 3, 4, 5], 3)?.word("pad", "same"), 1.0);
    let deeper = to(case("from field to field", &[1, 4, 2, 4, 3], 4, [1, 4, 2, 4, 3], 3)?.word("pad", "same"), 1.0);
    Ok(vec![
        Sample { shape: vec![2, 8, 3, 2, 2], ..lifted.clone().word("then", "relu_pool") },
        lifted,
        deeper.clone().word("then", "relu"),
        deeper,
        to(case("strided", &[1, 8, 1, 4, 6], 8, [1, 8, 1, 2, 3], 2)?.number("pad", 0.0), 2.0),
        to(case("pointwise", &[2, 8, 2, 2, 3], 8, [2, 8, 3, 2, 3], 1)?.word("pad", "same"), 1.0),
    ])
}

/// Cases of what the pass `through` makes: maps that are read through a normalization.
fn normed() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 4], shape: [usize; 4], stride: usize| {
        let (inputs, weight) = (x[1], [shape[1], x[1], 3, 3]);
        let sample = Sample::new(name, &shape).random("x", &x, -2.0, 3.0)?.random("weight", &weight, -0.5, 0.5)?;
        let sample = sample.random("norm_weight", &[inputs], 0.5, 2.0)?.random("norm_bias", &[inputs], -1.0, 1.0)?;
        let sample = sample.random("running_mean", &[inputs], -1.0, 1.0)?.random("running_var", &[inputs], 0.5, 2.0)?;
        let sample = sample.number("width", shape[1] as f64).number("kernel", 3.0).word("pad", "same");
        let sample = sample.number("stride", stride as f64).number("dilation", 1.0).number("groups", 1.0);
        let sample = sample.flag("bias", false).word("symmetry", "none").number("eps", 1e-5).number("momentum", 0.1);
        Ok::<_, candle_core::Error>(sample.to(&["x", "weight", "norm_weight", "norm_bias"]))
    };
    Ok(vec![
        case("normalized", [2, 5, 6, 7], [2, 8, 6, 7], 1)?.word("norm", "plain"),
        case("normalized, rectified", [2, 5, 6, 7], [2, 8, 6, 7], 1)?.word("norm", "relu").word("then", "relu"),
        case("normalized, rectified, strided", [2, 4, 6, 5], [2, 9, 3, 3], 2)?.word("norm", "relu"),
    ])
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
    list.extend(normed()?);
    list.extend(symmetric()?);
    Ok(list)
}
