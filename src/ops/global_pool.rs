//! `global_pool`: the mean of each map as a vector: `x |> conv(128, 3) |> global_pool |> linear(10)`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{Order, order, read};
use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::slices::{self, Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_kernels::pool::{whole, whole_last};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "global_pool",
    entry: Entry {
        signature: "global_pool(x: Map[B, C, H, W]@f) -> Vectors[B, C]",
        manual: MANUAL,
        lints: LintFacts::AVERAGE,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&GlobalPool),
    samples,
};

const MANUAL: &str = "\
The mean of each channel over its whole map: one vector for each sample.

    y[b, c] = Σ over all p, q of x[b, c, p, q] / (H·W)

`x` is (B, C, H, W); the result is (B, C), without a frame: a vector of the whole view. `linear` goes on from there. Where the
size of the map is known, `avg_pool` of that size makes a map of one cell instead.

Source: `torch.nn.AdaptiveAvgPool2d(1)`, flattened.

```rord
model classes(x: Image[B, 1, H, W]@f) {
  out scores = x |> conv(32, 3) |> relu |> global_pool |> linear(10)
}
```
";

/// The mean over maps.
pub struct GlobalPool;

impl Paths for GlobalPool {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn memory(&self, _: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::default()
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.flatten_from(2)?.mean(2)?.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (b, c, h, w) = call.tensor("x")?.dims4()?;
        let share = (grad.contiguous()? * (1.0 / (h * w) as f64))?.reshape((b, c, 1, 1))?;
        Ok(vec![("x", share.broadcast_as((b, c, h, w))?.contiguous()?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let (b, c, h, w) = x.dims4()?;
        let order = order(x);
        let value = read::<T, _, 1>(order, [x], |[x]| match order {
            Order::First => whole(x, h * w),
            Order::Last => whole_last(x, (h * w, c)),
        })?;
        Ok(slices::tensor(value.map_err(wrong)?, (b, c))?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        self.lower_backward(call, output, grad)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let x = call.name("x")?;
        Ok(out.reduce("ReduceMean", x, &[2, 3], false))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{}.mean(dim=(2, 3))", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 4]| Sample::new(name, &[x[0], x[1]]).random("x", &x, -1.0, 1.0).map(|s| s.to(&["x"]));
    Ok(vec![case("odd", [2, 3, 5, 7])?, case("one cell", [3, 2, 1, 1])?, case("wide", [1, 17, 3, 40])?])
}
