//! `avg_pool`: the mean of each window: `x |> avg_pool(2)`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{Order, order, read, tensor};
use crate::compute::slices::{Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::max_pool::{every, stride, windows};
use crate::op::Op;
use rord_kernels::pool::{Windows, average, average_backward, average_backward_last, average_last};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "avg_pool",
    entry: Entry {
        signature: "avg_pool(x: Map[B, C, H, W]@f, k: Count, stride: Count = k) -> Map[B, C, _, _]@f",
        manual: MANUAL,
        rule: |a| {
            crate::max_pool::pooled(a);
            crate::rules::averaged(a);
        },
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&AvgPool),
    samples,
};

const MANUAL: &str = "\
The mean of each window of a map.

    y[b, c, p, q] = Σ over i, j < k of x[b, c, p·stride + i, q·stride + j] / k²

`x` is (B, C, H, W); the result is (B, C, ⌊(H - k)/stride⌋ + 1, ⌊(W - k)/stride⌋ + 1). `k` and `stride` count cells.
Nothing is padded: an incomplete last window is dropped.

Errors: a window larger than the map.

Source: `torch.nn.AvgPool2d(k, stride)`.

```rord
input x: Feat[B, 8, H, W]@f
let y = avg_pool(x, 2)
```
";

pub use crate::max_pool::windowed as samples;

/// The average over windows.
pub struct AvgPool;

impl AvgPool {
    fn windows(call: &Call) -> Result<Windows> {
        windows(call.tensor("x")?, call.count("k")?, stride(call)?)
    }
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
        let (x, g) = (call.tensor("x")?.contiguous()?, Self::windows(call)?);
        let (h, w) = g.result().map_err(wrong)?;
        let (b, c, _, _) = x.dims4()?;
        let mut sum = Tensor::zeros((b, c, h, w), x.dtype(), x.device())?;
        for i in 0..g.side {
            let rows = x.index_select(&every(h, g.stride, i, x.device())?, 2)?;
            for j in 0..g.side {
                sum = (sum + rows.index_select(&every(w, g.stride, j, x.device())?, 3)?)?;
            }
        }
        Ok((sum * (1.0 / (g.side * g.side) as f64))?.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (x, g) = (call.tensor("x")?, Self::windows(call)?);
        let (b, c, h, w) = grad.dims4()?;
        let share = (grad.contiguous()? * (1.0 / (g.side * g.side) as f64))?;
        let mut wide = Tensor::zeros((b, c, h, g.width), grad.dtype(), grad.device())?;
        for j in 0..g.side {
            wide = wide.index_add(&every(w, g.stride, j, grad.device())?, &share, 3)?;
        }
        let mut out = Tensor::zeros(x.shape(), x.dtype(), x.device())?;
        for i in 0..g.side {
            out = out.index_add(&every(h, g.stride, i, grad.device())?, &wide, 2)?;
        }
        Ok(vec![("x", out)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (x, g) = (call.tensor("x")?, Self::windows(call)?);
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
        let (g, order, channels) = (Self::windows(call)?, order(grad), grad.dim(1)?);
        let out = read::<T, _, 1>(order, [grad], |[grad]| match order {
            Order::First => average_backward(&g, grad),
            Order::Last => average_backward_last(&g, channels, grad),
        })?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, call.tensor("x")?.dims())?)])
    }
}
