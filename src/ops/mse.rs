//! `mse`: the mean squared difference of two maps: `mse(truth, pred)`.

use candle_core::{Result, Tensor};

use crate::compute::Call;
use crate::compute::difference::{Difference, pair};
use crate::compute::pixelwise::Pixelwise;
use crate::compute::samples::Sample;
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "mse",
    entry: Entry {
        signature: "mse(target: Map[B, C, h, w]@f, pred: Map[B, C, h, w]@f, mask: Prob[B, _, h, w]@f = none, \
                    reduce: Reduce = mean) -> Loss",
        manual: MANUAL,
        rule: crate::rules::reduced,
        lints: LintFacts::distance("target", "pred"),
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&MSE),
    samples,
};

const MANUAL: &str = "\
The squared difference of two maps.

    ℓ = (pred - target)²

`target` and `pred` are (B, C, H, W) in one frame; the result is their mean (`reduce = mean`), `sum`, or the map itself
(`none`). A `mask` (B, 1, H, W) or (B, C, H, W) weighs the cells, and the mean divides by its sum, at least 1. The
gradient goes to both maps.

Source: `torch.nn.functional.mse_loss(pred, target)`.

```rord
input a: Prob[B, 1, H, W]@f
input b: Prob[B, 1, H, W]@f
loss agreement = mse(a, b)
```
";

/// The loss of one cell.
pub struct Cell;

/// The mean squared error.
pub const MSE: Pixelwise<Cell> = Pixelwise(Cell);

impl Difference for Cell {
    fn value(&self, _: &Call, d: &Tensor) -> Result<Tensor> {
        d.sqr()
    }

    fn slope(&self, _: &Call, d: &Tensor) -> Result<Tensor> {
        d * 2.0
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        pair("mean", &[2, 3, 5, 7], &[], "mean")?,
        pair("masked", &[2, 3, 4, 5], &[], "mean")?.random("mask", &[2, 1, 4, 5], 0.0, 1.0)?,
        pair("none", &[1, 2, 3, 1], &[1, 2, 3, 1], "none")?,
    ])
}
