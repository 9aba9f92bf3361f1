//! `bce_logits`: binary cross-entropy of labels and logits: `bce_logits(truth, score, balance = auto)`.

use candle_core::{Result, Tensor};

use crate::compute::Call;
use crate::compute::pixelwise::{Cells, Pixelwise};
use crate::compute::samples::Sample;
use crate::functions::softplus;
use crate::op::Op;
use crate::sigmoid::sigmoid;
use rord_lang::vocabulary::{Entry, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "bce_logits",
    entry: Entry {
        signature: "bce_logits(target: Prob[B, C, h, w]@f, logits: Logit[B, C, h, w]@f, \
                    mask: Prob[B, _, h, w]@f = none, balance: Word = none, reduce: Reduce = mean) -> Loss",
        manual: MANUAL,
        rule: crate::rules::reduced,
        words: &[("balance", &["auto"])],
        lints: LintFacts::distance("target", "logits"),
        ..Entry::PLAIN
    },
    compute: Some(&BCE_LOGITS),
    samples,
};

const MANUAL: &str = "\
Binary cross-entropy of a map of labels and a map of logits; it does not saturate.

    ℓ = max(x, 0) - x·y + log(1 + exp(-|x|))      y = target, x = logits

`target` and `logits` are (B, C, H, W) in one frame; the result is their mean (`reduce = mean`), `sum`, or the map
itself (`none`). A `mask` (B, 1, H, W) or (B, C, H, W) weighs the cells, and the mean divides by its sum, at least 1.

`balance = auto` weighs positives and negatives to equal total mass: with the mask m, P = Σ m·y and N = Σ m·(1 - y) over
the whole batch, a cell's loss is multiplied by

    (P + N) · (y / (2P) + (1 - y) / (2N))

whose sum is that of the mask, so the loss keeps its size. Where P or N is below 1e-6 there is nothing to balance, and
the weight is 1. The weights are constants to the gradient.

Source: `torch.nn.functional.binary_cross_entropy_with_logits(logits, target)`, whose arguments are in the other order.

```rord
input truth: Label[B, 1, H, W]@f
input score: Logit[B, 1, H, W]@f
loss where = bce_logits(truth, score, balance = auto)
```
";

/// The loss of one cell.
pub struct Cell;

/// Binary cross-entropy on logits.
pub type BceLogits = Pixelwise<Cell>;

/// Binary cross-entropy on logits.
pub const BCE_LOGITS: BceLogits = Pixelwise(Cell);

impl Cells for Cell {
    const NAMES: [&'static str; 2] = ["target", "logits"];

    fn value(&self, _: &Call, target: &Tensor, logits: &Tensor) -> Result<Tensor> {
        softplus(logits)? - (logits * target)?
    }

    fn slopes(&self, call: &Call, target: &Tensor, logits: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let of_target = call.wants("target").then(|| logits.neg()).transpose()?;
        let of_logits = call.wants("logits").then(|| sigmoid(logits)? - target).transpose()?;
        Ok([of_target, of_logits])
    }

    fn balance(&self, call: &Call, target: &Tensor, mask: Option<&Tensor>) -> Result<Option<Tensor>> {
        if call.settings.get("balance").is_none() {
            return Ok(None);
        }
        match call.text("balance")? {
            "none" => return Ok(None),
            "auto" => {}
            other => return Err(candle_core::Error::msg(format!("`balance = {other}` is none of none, auto"))),
        }
        let not = target.affine(-1.0, 1.0)?;
        let mass = |t: &Tensor| match mask {
            Some(mask) => (t * mask)?.sum_all(),
            None => t.sum_all(),
        };
        let (yes, no) = (mass(target)?, mass(&not)?);
        let both = (yes.ge(1e-6)? * no.ge(1e-6)?)?;
        let half = ((&yes + &no)? * 0.5)?;
        let share = |mass: &Tensor| &half / mass.maximum(1e-6)?;
        let balanced = (target.broadcast_mul(&share(&yes)?)? + not.broadcast_mul(&share(&no)?)?)?;
        let both = both.broadcast_as(target.shape())?.contiguous()?;
        Ok(Some(both.where_cond(&balanced, &balanced.ones_like()?)?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let pair = |name, shape: &[usize], value: &[usize]| {
        let s = Sample::new(name, value).random("target", shape, 0.0, 1.0)?.random("logits", shape, -4.0, 4.0)?;
        Ok::<_, candle_core::Error>(s.to(&["target", "logits"]))
    };
    Ok(vec![
        pair("mean", &[2, 3, 5, 7], &[])?.word("reduce", "mean"),
        pair("none, masked", &[2, 2, 3, 1], &[2, 2, 3, 1])?.word("reduce", "none").random(
            "mask",
            &[2, 1, 3, 1],
            0.0,
            1.0,
        )?,
        pair("balanced", &[2, 1, 4, 5], &[])?
            .word("reduce", "mean")
            .word("balance", "auto")
            .random("mask", &[2, 1, 4, 5], 0.0, 1.0)?
            .to(&["logits"]),
        pair("balanced sum", &[1, 2, 3, 3], &[])?.word("reduce", "sum").word("balance", "auto").to(&["logits"]),
        Sample::new("no positives", &[])
            .filled("target", &[1, 1, 2, 2], 0.0)?
            .random("logits", &[1, 1, 2, 2], -1.0, 1.0)?
            .word("reduce", "mean")
            .word("balance", "auto")
            .to(&["logits"]),
        Sample::new("saturated", &[])
            .given("target", &[1, 1, 2, 3], vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0])?
            .given("logits", &[1, 1, 2, 3], vec![-1e4, 1e4, 1e4, -1e4, -90.0, 40.0])?
            .word("reduce", "mean")
            .to(&["logits"]),
    ])
}
