//! `iou` and `f1`: scores of a mask against the truth: `iou(truth, p > 0.5)`.

use candle_core::Result;

use crate::compute::pixelwise::spread;
use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

macro_rules! overlap {
    ($name:literal, $what:literal, $formula:literal, $source:literal, $harmonic:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!(
                    $name,
                    "(target: Prob[B, C, h, w]@f, pred: Prob[B, C, h, w]@f, mask: Prob[B, _, h, w]@f = none) -> Loss"
                ),
                manual: concat!("\
", $what, ": a score of a mask against the truth.

    ", $name, " = ", $formula, "        1 where both are empty, 0 where nothing is seen

`target` and `pred` are (B, C, h, w) in one frame, masks or probabilities; the sums go over the whole batch, and the
result is one number from 0 to 1. A `mask` m (B, 1, h, w) or (B, C, h, w) weighs the cells; without one m is 1. More is
better; there is no gradient.

Source: ", $source, ".

```rord
input truth: Label[B, 1, H, W]@f
input p:     Prob[B, 1, H, W]@f
metric score = ", $name, "(truth, p > 0.5)
```
"),
                rule: |a| crate::rules::mask_of(a, "pred"),
                lints: LintFacts { higher_is_better: true, ..LintFacts::NONE },
                graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&Overlap::<$harmonic>),
            samples,
        }
    };
}

/// Intersection over union.
pub static IOU: Op = overlap!(
    "iou",
    "How much of two masks together both cover",
    "Σ m·t·p / Σ m·(t + p - t·p)",
    "the Jaccard index; `torchmetrics.JaccardIndex` of one class",
    false
);
/// The harmonic mean of precision and recall.
pub static F1: Op = overlap!(
    "f1",
    "The harmonic mean of precision and recall",
    "2·Σ m·t·p / Σ m·(t + p)",
    "van Rijsbergen, Information Retrieval, 1979; the Dice coefficient of two masks",
    true
);

/// How much two masks overlap: intersection over union, or the harmonic mean of precision and recall where `HARMONIC`.
struct Overlap<const HARMONIC: bool>;

impl<const HARMONIC: bool> Compute for Overlap<HARMONIC> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (target, pred) = (call.tensor("target")?, call.tensor("pred")?);
        let seen = spread(call.maybe("mask"), pred)?.map(|m| numbers(&m)).transpose()?;
        let weight = |i: usize| seen.as_ref().map_or(Some(1.0), |s| s.get(i).copied()).unwrap_or(0.0);
        let (mut both, mut sum, mut all) = (0.0, 0.0, 0.0);
        for (i, (t, p)) in numbers(target)?.into_iter().zip(numbers(pred)?).enumerate() {
            both += weight(i) * t * p;
            sum += weight(i) * (t + p);
            all += weight(i);
        }
        let (part, whole) = if HARMONIC { (2.0 * both, sum) } else { (both, sum - both) };
        // Two empty masks are alike; where nothing is seen there is nothing to score.
        let empty = if all > 0.0 { 1.0 } else { 0.0 };
        Ok(constant(vec![if whole > 0.0 { part / whole } else { empty }], (), pred)?.into())
    }
}

/// Cases of both scores.
fn samples() -> Result<Vec<Sample>> {
    let shape = [2, 3, 4, 5];
    let partial = |name| Sample::new(name, &[]).random("target", &shape, 0.0, 1.0)?.random("pred", &shape, 0.0, 1.0);
    Ok(vec![
        partial("grey")?,
        partial("masked")?.random("mask", &[2, 1, 4, 5], 0.0, 1.0)?,
        partial("nothing seen")?.filled("mask", &[2, 1, 4, 5], 0.0)?,
        Sample::new("empty", &[]).filled("target", &shape, 0.0)?.filled("pred", &shape, 0.0)?,
        Sample::new("one", &[]).filled("target", &[1, 1, 1, 1], 1.0)?.filled("pred", &[1, 1, 1, 1], 1.0)?,
    ])
}
