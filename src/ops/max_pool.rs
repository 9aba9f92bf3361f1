//! `max_pool`: the largest of each window: `x |> max_pool(2)`.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::layout::{self, Order, order};
use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::op::Op;
use crate::rules::positive;
use rord_kernels::pool::{Windows, maximum, maximum_backward, maximum_backward_last, maximum_last};
use rord_lang::constant::Settings;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "max_pool",
    entry: Entry {
        signature: "max_pool(x: Map[B, C, H, W]@f, k: Count, stride: Count = k) -> Map[B, C, _, _]@f",
        manual: MANUAL,
        rule: pooled,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&MaxPool),
    samples,
};

const MANUAL: &str = "\
The largest number of each window of a map.

    y[b, c, p, q] = max over i, j < k of x[b, c, p·stride + i, q·stride + j]

`x` is (B, C, H, W); the result is (B, C, ⌊(H - k)/stride⌋ + 1, ⌊(W - k)/stride⌋ + 1). `k` and `stride` count cells.
Nothing is padded: an incomplete last window is dropped. Of equal maxima the first, by rows, gets the gradient.

Errors: a window larger than the map.

Source: `torch.nn.MaxPool2d(k, stride)`.

```rord
input x: Feat[B, 8, H, W]@f
let y = max_pool(x, 2)
```
";

/// Every k-th cell: the last incomplete window is dropped, which only a size that is a number may need.
pub fn pooled(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    if !positive(a, "k") || !positive(a, "stride") {
        return;
    }
    let dims = a.dims("x");
    let (k, stride) = (a.count("k"), a.count("stride"));
    for axis in [2, 3] {
        let Some(dim) = dims.get(axis) else { continue };
        let size = match (k, stride) {
            (Some(k), Some(s)) if k == s && dim.as_number().is_none() => Some(a.divide(dim, s)),
            (Some(k), Some(s)) => match dim.as_number() {
                Some(n) => Some(Dim::number(if n < k { 0 } else { (n - k) / s + 1 })),
                None => dim.sub(&Dim::number(k)).and_then(|reach| a.divide(&reach, s).add(&Dim::number(1))),
            },
            _ => None,
        };
        let size = size.unwrap_or_else(|| (a.unknown)("?"));
        if size.as_number() == Some(0) {
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

/// The maximum over windows.
pub struct MaxPool;

/// The sizes of a pooling of `x`.
pub(crate) fn windows(x: &Tensor, side: usize, stride: usize) -> Result<Windows> {
    let (b, c, height, width) = x.dims4()?;
    let windows = Windows { planes: b * c, height, width, side, stride };
    windows.result().map_err(wrong)?;
    Ok(windows)
}

/// Rows (or columns) `at`, `at + stride`, … of a map: what one cell of every window holds.
pub(crate) fn every(count: usize, stride: usize, at: usize, device: &Device) -> Result<Tensor> {
    Tensor::from_iter((0..count).map(|i| (i * stride + at) as u32), device)
}

/// The maximum and the cell it was found in, by Candle's operations.
pub(crate) fn lower(x: &Tensor, g: &Windows) -> Result<Output> {
    let (h, w) = g.result().map_err(wrong)?;
    let x = x.contiguous()?;
    let mut best: Option<(Tensor, Tensor)> = None;
    for i in 0..g.side {
        let row = every(h, g.stride, i, x.device())?;
        let rows = x.index_select(&row, 2)?;
        for j in 0..g.side {
            let column = every(w, g.stride, j, x.device())?;
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

impl MaxPool {
    fn windows(call: &Call) -> Result<Windows> {
        windows(call.tensor("x")?, call.count("k")?, stride(call)?)
    }
}

/// The setting `stride`, which is `k` where it is left out.
pub(crate) fn stride(call: &Call) -> Result<usize> {
    match call.settings.get("stride") {
        Some(_) => call.count("stride"),
        None => call.count("k"),
    }
}

impl Paths for MaxPool {
    const EITHER_ORDER: bool = true;

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
        lower(call.tensor("x")?, &Self::windows(call)?)
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", lower_backward(call.tensor("x")?, saved(output, 0)?, grad)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        fast::<T>(call.tensor("x")?, &Self::windows(call)?)
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", fast_backward::<T>(call.tensor("x")?, &Self::windows(call)?, saved(output, 0)?, grad)?)])
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
    ])
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let mut all = windowed()?;
    let equal = Sample::new("all equal", &[1, 1, 2, 2]).filled("x", &[1, 1, 4, 4], -3.0)?;
    all.push(equal.number("k", 2.0).to(&["x"]).kinked());
    Ok(all)
}
