//! `iou`: how much of two masks together both cover: `iou(truth, p > 0.5)`.

use super::compute::overlap;
use super::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "iou",
    entry: Entry {
        signature: "iou(target: Prob[B, C, h, w]@f, pred: Prob[B, C, h, w]@f, mask: Prob[B, _, h, w]@f = none) -> Loss",
        manual: MANUAL,
        rule: |a| super::rules::mask_of(a, "pred"),
        lints: LintFacts { higher_is_better: true, ..LintFacts::NONE },
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&overlap::Overlap::<false>),
    samples: overlap::samples,
};

const MANUAL: &str = "\
How much of two masks together both cover: a score of a mask against the truth.

    iou = Σ m·t·p / Σ m·(t + p - t·p)        1 where both are empty, 0 where nothing is seen

`target` and `pred` are (B, C, h, w) in one frame, masks or probabilities; the sums go over the whole batch, and the result is one number from 0
to 1. A `mask` m (B, 1, h, w) or (B, C, h, w) weighs the cells; without one m is 1. More is better; there is no gradient.

Source: the Jaccard index; `torchmetrics.JaccardIndex` of one class.

```rord
input truth: Label[B, 1, H, W]@f
input p:     Prob[B, 1, H, W]@f
metric score = iou(truth, p > 0.5)
```
";
