//! `f1`: the harmonic mean of precision and recall: `f1(truth, p > 0.5)`.

use super::compute::overlap;
use super::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "f1",
    entry: Entry {
        signature: "f1(target: Prob[B, C, h, w]@f, pred: Prob[B, C, h, w]@f, mask: Prob[B, _, h, w]@f = none) -> Loss",
        manual: MANUAL,
        rule: |a| super::rules::mask_of(a, "pred"),
        lints: LintFacts { higher_is_better: true, ..LintFacts::NONE },
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&overlap::Overlap::<true>),
    samples: overlap::samples,
};

const MANUAL: &str = "\
The harmonic mean of precision and recall: a score of a mask against the truth.

    f1 = 2·Σ m·t·p / Σ m·(t + p)        1 where both are empty, 0 where nothing is seen

`target` and `pred` are (B, C, h, w) in one frame, masks or probabilities; the sums go over the whole batch, and the result is one number from 0
to 1. A `mask` m (B, 1, h, w) or (B, C, h, w) weighs the cells; without one m is 1. More is better; there is no gradient.

Source: van Rijsbergen, Information Retrieval, 1979; the Dice coefficient of two masks.

```rord
input truth: Label[B, 1, H, W]@f
input p:     Prob[B, 1, H, W]@f
metric score = f1(truth, p > 0.5)
```
";
