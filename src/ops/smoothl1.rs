//! `smoothl1`: squares near 0, distances beyond: `0.1 * smoothl1(det, warp(det_r, inv(H)))`.

use candle_core::{Result, Tensor};

use crate::compute::Call;
use crate::compute::difference::{Difference, pair};
use crate::compute::pixelwise::Pixelwise;
use crate::compute::samples::Sample;
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "smoothl1",
    entry: Entry {
        signature: "smoothl1(target: Map[B, C, h, w]@f, pred: Map[B, C, h, w]@f, beta: Weight = 1.0, \
                    mask: Prob[B, _, h, w]@f = none, reduce: Reduce = mean) -> Loss",
        manual: MANUAL,
        rule: crate::rules::reduced,
        lints: LintFacts::distance("target", "pred"),
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&SMOOTH_L1),
    samples,
};

const MANUAL: &str = "\
The difference of two maps, squared where it is small.

    d = pred - target
    ℓ = d²/(2·beta)  where |d| < beta,   |d| - beta/2  elsewhere

`target` and `pred` are (B, C, H, W) in one frame; the result is their mean (`reduce = mean`), `sum`, or the map itself
(`none`). A `mask` (B, 1, H, W) or (B, C, H, W) weighs the cells, and the mean divides by its sum, at least 1.
`beta = 0` gives |d|. The gradient goes to both maps.

Errors: a negative beta.

Source: `torch.nn.functional.smooth_l1_loss(pred, target, beta = beta)`.

```rord
input a: Prob[B, 1, H, W]@f
input b: Prob[B, 1, H, W]@f
loss agreement = smoothl1(a, b)
```
";

/// The loss of one cell.
pub struct Cell;

/// The smooth L1 loss.
pub type SmoothL1 = Pixelwise<Cell>;

/// The smooth L1 loss.
pub const SMOOTH_L1: SmoothL1 = Pixelwise(Cell);

fn beta(call: &Call) -> Result<f64> {
    let beta = call.number("beta")?;
    if beta >= 0.0 { Ok(beta) } else { Err(candle_core::Error::msg("`beta` is not negative")) }
}

impl Difference for Cell {
    fn value(&self, call: &Call, d: &Tensor) -> Result<Tensor> {
        let (beta, size) = (beta(call)?, d.abs()?);
        if beta == 0.0 {
            return Ok(size);
        }
        // With the part s of |d| below beta: s²/(2·beta) + (|d| - s).
        let small = size.minimum(beta)?;
        (small.sqr()? * (0.5 / beta))? + (size - small)?
    }

    fn slope(&self, call: &Call, d: &Tensor) -> Result<Tensor> {
        let beta = beta(call)?;
        if beta == 0.0 {
            return d.gt(0.0)?.to_dtype(d.dtype())? - d.lt(0.0)?.to_dtype(d.dtype())?;
        }
        d.minimum(beta)?.maximum(-beta)? / beta
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let same = Sample::new("identical", &[]).filled("target", &[1, 1, 2, 2], 0.3)?;
    let same = same.filled("pred", &[1, 1, 2, 2], 0.3)?.word("reduce", "mean").to(&["target", "pred"]).kinked();
    Ok(vec![
        pair("mean", &[2, 3, 5, 7], &[], "mean")?.number("beta", 1.0),
        pair("narrow, masked", &[2, 3, 4, 5], &[], "mean")?.number("beta", 0.3).random(
            "mask",
            &[2, 1, 4, 5],
            0.0,
            1.0,
        )?,
        pair("none", &[1, 2, 3, 1], &[1, 2, 3, 1], "none")?.number("beta", 0.5),
        pair("absolute", &[1, 1, 3, 4], &[], "sum")?.number("beta", 0.0),
        same.number("beta", 0.0),
    ])
}
