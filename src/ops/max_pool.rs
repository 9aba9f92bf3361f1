//! `max_pool`: the largest of each window: `x |> max_pool(2)`.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::fields::{As, OnFields};
use crate::compute::layout::{self, Order, from_last, last, order};
use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::conv::extent;
use crate::export::onnx::Attribute::{self, Ints};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::{even_windows, positive};
use rord_device::maps as device;
use rord_kernels::pool::{Windows, maximum, maximum_backward, maximum_backward_last, maximum_last};
use rord_lang::constant::Settings;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "max_pool",
    entry: Entry {
        signature: "max_pool(x: Map[B, C, H, W]@f, k: Count, stride: Count = k, pad: Count = 0) -> Map[B, C, _, _]@f",
        manual: MANUAL,
        lints: LintFacts::CHOICE,
        rule: pooled,
        fields: true,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&OnFields(MaxPool, As::Channels)),
    samples,
};

const MANUAL: &str = "\
The largest number of each window of a map.

    y[b, c, p, q] = max over i, j < k of x[b, c, p·stride + i - pad, q·stride + j - pad]

`x` is (B, C, H, W); the result is (B, C, ⌊(H + 2·pad - k)/stride⌋ + 1, and as many columns of W). `k`, `stride` and `pad`
count cells. An incomplete last window is dropped. `pad` moves the windows out over every side by so many cells; no maximum
is found out there. With `stride = 1` and `pad = (k - 1)/2` of an odd `k` the map keeps its size, and `x == max_pool(x, …)` is
where it is largest. Of equal maxima the first, by rows, gets the gradient.

Errors: a window larger than the padded map; `pad` larger than half of `k`.

Source: `torch.nn.MaxPool2d(k, stride, pad)`.

```rord
input x: Feat[B, 8, H, W]@f
let y = max_pool(x, 2)
```
";

/// Every `stride`-th window: the last incomplete one is dropped, which only a size that is a number may need.
pub fn pooled(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    if !positive(a, "k") || !positive(a, "stride") {
        return;
    }
    let dims = a.dims("x");
    let (k, stride, pad) = (a.count("k"), a.count("stride"), a.count("pad"));
    if let (Some(k), Some(pad)) = (k, pad)
        && pad > k / 2
    {
        let span = a.arg("pad").map_or(a.span, |x| x.span);
        let label = format!("{pad} cells for windows of {k}");
        let help = format!("a window must keep a cell of the map: pad by {} at most", k / 2);
        a.reports.push(shapes::rule(span, "this pooling is padded by more than half a window", &label, &help));
        return;
    }
    if let (Some(k), Some(s), Some(p)) = (k, stride, pad)
        && !even_windows(a, (k, s, p, 1), "pool windows that divide the size:  max_pool(2)  of an even one")
    {
        return;
    }
    for axis in [2, 3] {
        let Some(dim) = dims.get(axis) else { continue };
        let size = match (k, stride, pad) {
            (Some(k), Some(s), Some(0)) if k == s && dim.as_number().is_none() => Some(a.divide(dim, s)),
            (Some(k), Some(s), Some(0)) => match dim.as_number() {
                Some(n) => Some(Dim::number(if n < k { 0 } else { (n - k) / s + 1 })),
                None => dim.sub(&Dim::number(k)).and_then(|reach| a.divide(&reach, s).add(&Dim::number(1))),
            },
            (Some(k), Some(s), Some(p)) => extent(a, dim, (k, s, p, 1), false),
            _ => None,
        };
        let size = size.unwrap_or_else(|| (a.unknown)("?"));
        if size.as_number().is_some_and(|n| n < 1) {
            let label = format!("the map is only {dim} wide or high here");
            a.reports.push(shapes::rule(
                a.span,
                "this window is larger than its map",
                &label,
                "pool less, or use larger patches",
            ));
            return;
        }
        a.set_dim(axis, size);
    }
}

/// The side of the windows, their stride and the padding of a call that is written out.
pub(crate) fn sides(call: &Use) -> std::result::Result<(i64, i64, i64), String> {
    let k = call.count("k")?;
    Ok((k, call.count_or("stride", k)?, call.count_or("pad", 0)?))
}

/// The same as attributes of ONNX.
pub(crate) fn attributes(k: i64, stride: i64, pad: i64) -> Vec<(&'static str, Attribute)> {
    vec![("kernel_shape", Ints(vec![k; 2])), ("strides", Ints(vec![stride; 2])), ("pads", Ints(vec![pad; 4]))]
}

/// The same as arguments of PyTorch.
pub(crate) fn arguments(k: i64, stride: i64, pad: i64) -> String {
    let stride = if stride == k { String::new() } else { format!(", stride={stride}") };
    if pad == 0 { format!("{k}{stride}") } else { format!("{k}{stride}, padding={pad}") }
}

/// The maximum over windows.
pub struct MaxPool;

/// The sizes of a pooling of `x` within the map.
pub(crate) fn windows(x: &Tensor, side: usize, stride: usize) -> Result<Windows> {
    let (b, c, height, width) = x.dims4()?;
    let windows = Windows::inside(b * c, (height, width), side, stride);
    windows.result().map_err(wrong)?;
    Ok(windows)
}

/// The sizes of a call of a pooling.
pub(crate) fn called(call: &Call) -> Result<Windows> {
    let (b, c, height, width) = call.tensor("x")?.dims4()?;
    let inside = Windows::inside(b * c, (height, width), call.count("k")?, stride(call)?);
    let given = |name| call.settings.get(name).is_some();
    let windows = Windows {
        pad: if given("pad") { call.count("pad")? } else { 0 },
        counted: !given("count_pad") || call.flag("count_pad")?,
        ..inside
    };
    windows.result().map_err(wrong)?;
    Ok(windows)
}

/// Rows (or columns) `at`, `at + stride`, … of an axis of `n` cells with `pad` before it: what one cell of every window
/// holds. Outside of the map it is the nearest cell, which lies in the same window.
fn every(count: usize, g: &Windows, at: usize, n: usize, device: &Device) -> Result<Tensor> {
    let cell = |i: usize| (i * g.stride + at).saturating_sub(g.pad).min(n.saturating_sub(1));
    Tensor::from_iter((0..count).map(|i| cell(i) as u32), device)
}

/// The maximum and the cell it was found in, by Candle's operations.
pub(crate) fn lower(x: &Tensor, g: &Windows) -> Result<Output> {
    let (h, w) = g.result().map_err(wrong)?;
    let x = x.contiguous()?;
    let mut best: Option<(Tensor, Tensor)> = None;
    for i in 0..g.side {
        let row = every(h, g, i, g.height, x.device())?;
        let rows = x.index_select(&row, 2)?;
        for j in 0..g.side {
            let column = every(w, g, j, g.width, x.device())?;
            let value = rows.index_select(&column, 3)?;
            let cell = (row.to_dtype(DType::I64)?.reshape((h, 1))? * g.width as f64)?;
            let cell = cell.broadcast_add(&column.to_dtype(DType::I64)?.reshape((1, w))?)?.to_dtype(DType::U32)?;
            let cell = cell.broadcast_as(value.shape())?.contiguous()?;
            best = Some(match best {
                None => (value, cell),
                Some((top, at)) => {
                    // What is not a number is chosen, as in torch: it must not vanish.
                    let larger = value.gt(&top)?.maximum(&value.ne(&value)?)?;
                    (larger.where_cond(&value, &top)?, larger.where_cond(&cell, &at)?)
                }
            });
        }
    }
    let (value, cell) = best.ok_or_else(|| candle_core::Error::msg("an empty pooling window"))?;
    Ok(Output { value, saved: vec![cell] })
}

/// The gradient sent back to the cells in `cell`, by Candle's operations.
pub(crate) fn lower_backward(x: &Tensor, cell: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (b, c, _, _) = x.dims4()?;
    let zeros = Tensor::zeros((b, c, x.elem_count() / (b * c).max(1)), grad.dtype(), grad.device())?;
    let cell = cell.contiguous()?.flatten_from(2)?;
    zeros.scatter_add(&cell, &grad.contiguous()?.flatten_from(2)?, 2)?.reshape(x.shape())
}

/// The maximum by kernels.
pub(crate) fn fast<T: Element>(x: &Tensor, g: &Windows) -> Result<Output> {
    let (b, c, _, _) = x.dims4()?;
    let (h, w) = g.result().map_err(wrong)?;
    if order(x) == Order::Last {
        let found = layout::read::<T, _, 1>(Order::Last, [x], |[x]| maximum_last(g, c, x))?;
        let (value, cell) = found.map_err(wrong)?;
        // The cells lie as they were found, (B, H, W, C).
        return Ok(Output {
            value: layout::tensor(Order::Last, value, &[b, c, h, w])?,
            saved: vec![tensor(cell, (b, h, w, c))?.permute((0, 3, 1, 2))?],
        });
    }
    let (value, cell) = read::<T, _, 1>([x], |[x]| maximum(g, x))?.map_err(wrong)?;
    Ok(Output { value: tensor(value, (b, c, h, w))?, saved: vec![tensor(cell, (b, c, h, w))?] })
}

/// The gradient by kernels.
pub(crate) fn fast_backward<T: Element>(x: &Tensor, g: &Windows, cell: &Tensor, grad: &Tensor) -> Result<Tensor> {
    if order(cell) == Order::Last {
        let out = layout::read::<T, _, 1>(Order::Last, [grad], |[grad]| {
            read::<u32, _, 1>([&cell.permute((0, 2, 3, 1))?], |[cell]| {
                maximum_backward_last(g, x.dim(1)?, cell, grad).map_err(wrong)
            })?
        })??;
        return layout::tensor(Order::Last, out, x.dims());
    }
    let out = read::<T, _, 1>([grad], |[grad]| read::<u32, _, 1>([cell], |[cell]| maximum_backward(g, cell, grad)))??;
    tensor(out.map_err(wrong)?, x.shape())
}

/// What the forward pass saved.
pub(crate) fn saved(output: &Output, at: usize) -> Result<&Tensor> {
    output.saved.get(at).ok_or_else(|| candle_core::Error::msg("the forward pass saved nothing"))
}

/// The setting `stride`, which is `k` where it is left out.
pub(crate) fn stride(call: &Call) -> Result<usize> {
    match call.settings.get("stride") {
        Some(_) => call.count("stride"),
        None => call.count("k"),
    }
}

/// The same for kernels on a GPU.
fn on_device(g: &Windows) -> Result<device::Windows> {
    Ok(device::Windows { side: g.side, stride: g.stride, pad: g.pad, result: g.result().map_err(wrong)? })
}

impl Paths for MaxPool {
    const EITHER_ORDER: bool = true;
    const ROUNDED: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::default().saving(shapes, 1)
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        lower(call.tensor("x")?, &called(call)?)
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", lower_backward(call.tensor("x")?, saved(output, 0)?, grad)?)])
    }

    fn device(&self, call: &Call) -> Result<Option<Output>> {
        let (value, cells) = device::max_pool(&last(call.tensor("x")?)?, &on_device(&called(call)?)?)?;
        Ok(Some(Output { value: from_last(&value)?, saved: vec![cells] }))
    }

    fn device_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Option<Gradients>> {
        let (g, (_, _, h, w)) = (called(call)?, call.tensor("x")?.dims4()?);
        let out = device::max_pool_back(&last(grad)?, saved(output, 0)?, (h, w), &on_device(&g)?)?;
        Ok(Some(vec![("x", from_last(&out)?)]))
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        fast::<T>(call.tensor("x")?, &called(call)?)
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", fast_backward::<T>(call.tensor("x")?, &called(call)?, saved(output, 0)?, grad)?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (k, stride, pad) = sides(call)?;
        Ok(out.op("MaxPool", &[call.name("x")?], attributes(k, stride, pad)))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (k, stride, pad) = sides(call)?;
        Ok(format!("F.max_pool2d({}, {})", call.name("x")?, arguments(k, stride, pad)))
    }
}

/// Cases of both poolings.
pub fn windowed() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("halved", &[2, 3, 2, 3]).random("x", &[2, 3, 5, 7], -1.0, 1.0)?.number("k", 2.0).to(&["x"]),
        Sample::new("overlapping", &[1, 2, 3, 4])
            .random("x", &[1, 2, 5, 6], -1.0, 1.0)?
            .number("k", 3.0)
            .number("stride", 1.0)
            .to(&["x"]),
        Sample::new("with gaps", &[1, 1, 2, 3])
            .random("x", &[1, 1, 6, 9], -1.0, 1.0)?
            .number("k", 2.0)
            .number("stride", 3.0)
            .to(&["x"]),
        Sample::new("field", &[2, 4, 2, 2, 3]).random("x", &[2, 4, 2, 4, 6], -1.0, 1.0)?.number("k", 2.0).to(&["x"]),
        padded("with cells around", [2, 3, 6, 7], 3.0, 2.0, 1.0, [3, 4])?,
        padded("padded, of its own size", [1, 2, 4, 5], 5.0, 1.0, 2.0, [4, 5])?,
        padded("an even window, padded", [1, 2, 5, 4], 2.0, 2.0, 1.0, [3, 3])?,
    ])
}

/// A case with cells around the map.
fn padded(name: &'static str, x: [usize; 4], k: f64, stride: f64, pad: f64, size: [usize; 2]) -> Result<Sample> {
    let sample = Sample::new(name, &[x[0], x[1], size[0], size[1]]).random("x", &x, -1.0, 1.0)?;
    Ok(sample.number("k", k).number("stride", stride).number("pad", pad).to(&["x"]))
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let mut all = windowed()?;
    let equal = Sample::new("all equal", &[1, 1, 2, 2]).filled("x", &[1, 1, 4, 4], -3.0)?;
    all.push(equal.number("k", 2.0).to(&["x"]).kinked());
    Ok(all)
}
