//! `bce`: binary cross-entropy of two probability maps: `bce(det, warp(det_r, inv(H)))`.

use candle_core::{Result, Tensor};

use crate::compute::Call;
use crate::compute::pixelwise::{Cells, Pixelwise, log1p};
use crate::compute::samples::Sample;
use crate::op::Op;
use crate::rules::reduced;
use rord_lang::report::numbers;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "bce",
    entry: Entry {
        signature: "bce(target: Prob[B, C, h, w]@f, pred: Prob[B, C, h, w]@f, mask: Prob[B, _, h, w]@f = none, \
                    reduce: Reduce = mean) -> Loss",
        manual: MANUAL,
        rule,
        lints: LintFacts::distance("target", "pred"),
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&BCE),
    samples,
};

const MANUAL: &str = "\
Binary cross-entropy of two probability maps.

    ℓ = -(y·log ŷ + (1 - y)·log(1 - ŷ))      y = target, ŷ = pred, in the order in which BCE(y, ŷ) is written

`target` and `pred` are (B, C, H, W) in one frame; the result is their mean (`reduce = mean`), `sum`, or the map itself
(`none`). A `mask` (B, 1, H, W) or (B, C, H, W) weighs the cells, and the mean divides by its sum, at least 1.
Logarithms are clamped at -100, so that 0 and 1 give a finite loss. The gradient is that of the formula so clamped (0
where a logarithm is) and goes to both maps: `detach` the one that is not to follow.

Source: `torch.nn.functional.binary_cross_entropy(pred, target)`, whose arguments are in the other order and whose
gradient in a target is infinite at ŷ = 0.

```rord
input truth: Label[B, 1, H, W]@f
input det:   Prob[B, 1, H, W]@f
loss where = bce(truth, det)
```
";

/// A label is what is compared with, never what is trained.
fn rule(a: &mut Application<'_>) {
    if let (Some(pred), Some(target)) = (a.arg("pred"), a.arg("target"))
        && pred.ty.kind.is(Kind::Label)
        && !target.ty.kind.is(Kind::Label)
    {
        let report = numbers::rule(
            pred.span,
            "`bce` takes the truth first, then the prediction",
            "a Label, which comes from data and cannot be trained",
            "turn them round:  bce(target, pred) is -(y·log ŷ + (1 - y)·log(1 - ŷ)) with y = target",
        );
        a.reports.push(report);
    }
    reduced(a);
}

/// The loss of one cell.
pub struct Cell;

/// Binary cross-entropy.
pub type Bce = Pixelwise<Cell>;

/// Binary cross-entropy.
pub const BCE: Bce = Pixelwise(Cell);

/// Logarithms are not taken below this.
pub const FLOOR: f64 = -100.0;

/// The least divisor of a slope, the smallest normal f32: its inverse is still a number.
const LEAST: f64 = 1.2e-38;

/// The probability and its complement's logarithms, clamped; a sum of bilinear weights may leave [0, 1] by a rounding.
fn logs(pred: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    let p = pred.maximum(0.0)?.minimum(1.0)?;
    let (yes, no) = (p.log()?.maximum(FLOOR)?, log1p(&p.neg()?)?.maximum(FLOOR)?);
    Ok((p, yes, no))
}

impl Cells for Cell {
    const NAMES: [&'static str; 2] = ["target", "pred"];

    fn value(&self, _: &Call, target: &Tensor, pred: &Tensor) -> Result<Tensor> {
        let (_, yes, no) = logs(pred)?;
        // y·(no - yes) - no, but each product on its own: at y = 1 the other logarithm must vanish exactly.
        ((target * yes)? + (target.affine(-1.0, 1.0)? * no)?)?.neg()
    }

    fn slopes(&self, call: &Call, target: &Tensor, pred: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let (p, yes, no) = logs(pred)?;
        let of_target = call.wants("target").then(|| &no - &yes).transpose()?;
        let of_pred = if call.wants("pred") {
            let free = |log: &Tensor| log.gt(FLOOR)?.to_dtype(log.dtype());
            let up = ((target * free(&yes)?)? / p.maximum(LEAST)?)?;
            let down = ((target.affine(-1.0, 1.0)? * free(&no)?)? / p.affine(-1.0, 1.0)?.maximum(LEAST)?)?;
            Some((down - up)?)
        } else {
            None
        };
        Ok([of_target, of_pred])
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let pair = |name, shape: &[usize], value: &[usize]| {
        let s = Sample::new(name, value).random("target", shape, 0.0, 1.0)?.random("pred", shape, 0.05, 0.95)?;
        Ok::<_, candle_core::Error>(s.to(&["target", "pred"]))
    };
    Ok(vec![
        pair("mean", &[2, 3, 5, 7], &[])?.word("reduce", "mean"),
        pair("sum, one image", &[1, 1, 3, 4], &[])?.word("reduce", "sum"),
        pair("none", &[2, 2, 3, 1], &[2, 2, 3, 1])?.word("reduce", "none"),
        pair("mask", &[2, 3, 4, 5], &[])?.word("reduce", "mean").random("mask", &[2, 1, 4, 5], 0.0, 1.0)?,
        pair("masked map", &[2, 3, 2, 2], &[2, 3, 2, 2])?.word("reduce", "none").given(
            "mask",
            &[2, 1, 2, 2],
            vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0],
        )?,
        pair("nothing seen", &[1, 1, 2, 3], &[])?.word("reduce", "mean").filled("mask", &[1, 1, 2, 3], 0.0)?,
        Sample::new("saturated", &[])
            .given("target", &[1, 1, 2, 4], vec![0.0, 1.0, 0.0, 1.0, 0.5, 0.5, 1.0, 0.0])?
            .given("pred", &[1, 1, 2, 4], vec![0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1e-40, 1.0 + 1e-7])?
            .word("reduce", "mean")
            .to(&["target", "pred"])
            .kinked(),
    ])
}
