//! `avg_pool`: the mean of each window: `x |> avg_pool(2)`.

use candle_core::{Device, Result, Tensor};

use crate::compute::fields::{As, OnFields};
use crate::compute::layout::{Order, order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, constant, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::max_pool::{arguments, attributes, called, sides, windowed};
use crate::op::Op;
use rord_kernels::pool::{Windows, average, average_backward, average_backward_last, average_last};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "avg_pool",
    entry: Entry {
        signature: "avg_pool(x: Map[B, C, H, W]@f, k: Count, stride: Count = k, pad: Count = 0, \
                    count_pad: Flag = true) -> Map[B, C, _, _]@f",
        manual: MANUAL,
        lints: LintFacts::AVERAGE,
        rule: |a| {
            crate::max_pool::pooled(a);
            crate::rules::averaged(a);
        },
        fields: true,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&OnFields(AvgPool, As::Channels)),
    samples,
};

const MANUAL: &str = "\
The mean of each window of a map.

    y[b, c, p, q] = Σ over i, j < k of x[b, c, p·stride + i - pad, q·stride + j - pad] / k²

`x` is (B, C, H, W); the result is (B, C, ⌊(H + 2·pad - k)/stride⌋ + 1, and as many columns of W). `k`, `stride` and `pad`
count cells. An incomplete last window is dropped. `pad` moves the windows out over every side by so many cells, which are 0
and count: a window at the border is divided by k² as all are. With `count_pad = false` it is divided by its cells in the
map.

Errors: a window larger than the padded map; `pad` larger than half of `k`.

Source: `torch.nn.AvgPool2d(k, stride, pad, count_include_pad = count_pad)`.

```rord
input x: Feat[B, 8, H, W]@f
let y = avg_pool(x, 2)
```
";

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let mut all = windowed()?;
    let alone: Vec<Sample> = all.iter().filter(|s| s.settings.get("pad").is_some()).cloned().collect();
    all.extend(alone.into_iter().map(|s| s.flag("count_pad", false)));
    Ok(all)
}

/// The average over windows.
pub struct AvgPool;

/// What the sum of each window is multiplied by, (h, w).
fn shares(g: &Windows, (h, w): (usize, usize), like: &Tensor) -> Result<Tensor> {
    let cells = |count: usize, n: usize| -> Vec<f64> {
        let reach = |at: usize| (at * g.stride + g.side - g.pad).min(n) - (at * g.stride).saturating_sub(g.pad);
        (0..count).map(|at| if g.counted { g.side } else { reach(at) } as f64).collect()
    };
    let (rows, columns) = (cells(h, g.height), cells(w, g.width));
    let shares = rows.iter().flat_map(|r| columns.iter().map(move |c| 1.0 / (r * c))).collect();
    constant(shares, (h, w), like)
}

/// Cells `at`, `at + stride`, … of an axis with its padding.
fn every(count: usize, stride: usize, at: usize, device: &Device) -> Result<Tensor> {
    Tensor::from_iter((0..count).map(|i| (i * stride + at) as u32), device)
}

impl Paths for AvgPool {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (x, g) = (call.tensor("x")?.contiguous()?, called(call)?);
        let (h, w) = g.result().map_err(wrong)?;
        let (b, c, _, _) = x.dims4()?;
        let x = x.pad_with_zeros(2, g.pad, g.pad)?.pad_with_zeros(3, g.pad, g.pad)?;
        // Down the columns, then along the rows.
        let mut high = Tensor::zeros((b, c, h, g.width + 2 * g.pad), x.dtype(), x.device())?;
        for i in 0..g.side {
            high = (high + x.index_select(&every(h, g.stride, i, x.device())?, 2)?)?;
        }
        let mut sum = Tensor::zeros((b, c, h, w), x.dtype(), x.device())?;
        for j in 0..g.side {
            sum = (sum + high.index_select(&every(w, g.stride, j, x.device())?, 3)?)?;
        }
        Ok(sum.broadcast_mul(&shares(&g, (h, w), &x)?)?.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (x, g) = (call.tensor("x")?, called(call)?);
        let (b, c, h, w) = grad.dims4()?;
        let share = grad.contiguous()?.broadcast_mul(&shares(&g, (h, w), grad)?)?;
        let (height, width) = (g.height + 2 * g.pad, g.width + 2 * g.pad);
        let mut wide = Tensor::zeros((b, c, h, width), grad.dtype(), grad.device())?;
        for j in 0..g.side {
            wide = wide.index_add(&every(w, g.stride, j, grad.device())?, &share, 3)?;
        }
        let mut out = Tensor::zeros((b, c, height, width), x.dtype(), x.device())?;
        for i in 0..g.side {
            out = out.index_add(&every(h, g.stride, i, grad.device())?, &wide, 2)?;
        }
        Ok(vec![("x", out.narrow(2, g.pad, g.height)?.narrow(3, g.pad, g.width)?.contiguous()?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (x, g) = (call.tensor("x")?, called(call)?);
        let (h, w) = g.result().map_err(wrong)?;
        let (b, c, _, _) = x.dims4()?;
        let order = order(x);
        let value = read::<T, _, 1>(order, [x], |[x]| match order {
            Order::First => average(&g, x),
            Order::Last => average_last(&g, c, x),
        })?;
        Ok(tensor(order, value.map_err(wrong)?, &[b, c, h, w])?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (g, order, channels) = (called(call)?, order(grad), grad.dim(1)?);
        let out = read::<T, _, 1>(order, [grad], |[grad]| match order {
            Order::First => average_backward(&g, grad),
            Order::Last => average_backward_last(&g, channels, grad),
        })?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, call.tensor("x")?.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (k, stride, pad) = sides(call)?;
        let mut given = attributes(k, stride, pad);
        given.push(("count_include_pad", Int(i64::from(call.flag("count_pad")?))));
        Ok(out.op("AveragePool", &[call.name("x")?], given))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (k, stride, pad) = sides(call)?;
        let counted = if call.flag("count_pad")? { "" } else { ", count_include_pad=False" };
        Ok(format!("F.avg_pool2d({}, {}{counted})", call.name("x")?, arguments(k, stride, pad)))
    }
}
