//! `iou`: how much of two masks together both cover: `iou(truth, p > 0.5)`.

use super::op::Op;
use crate::lang::vocabulary::Entry;

#[cfg(feature = "engine")]
#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "iou",
    entry: Entry {
        signature: "iou(target: Prob[B, C, h, w]@f, pred: Prob[B, C, h, w]@f) -> Loss",
        manual: MANUAL,
        stops_gradient: true,
        higher_is_better: true,
        ..Entry::PLAIN
    },
    #[cfg(feature = "engine")]
    compute: Some(&meaning::Overlap { harmonic: false }),
    #[cfg(feature = "engine")]
    samples: meaning::samples,
};

const MANUAL: &str = "\
How much of two masks together both cover: a score of a mask against the truth.

    iou = Σ t·p / Σ (t + p - t·p)        1 where both are empty

`target` and `pred` are (B, C, h, w) in one frame, masks or probabilities; the sums go over the whole batch, and the result is one number from 0
to 1. More is better; there is no gradient.

Source: the Jaccard index; `torchmetrics.JaccardIndex` of one class.

```rord
input truth: Label[B, 1, H, W]@f
input p:     Prob[B, 1, H, W]@f
metric score = iou(truth, p > 0.5)
```
";

#[cfg(feature = "engine")]
mod meaning {
    use candle_core::{Result, Tensor};

    use crate::ops::compute::samples::{Sample, numbers};
    use crate::ops::compute::slices::constant;
    use crate::ops::compute::{Call, Compute, Gradients, Output};

    /// How much two masks overlap.
    pub struct Overlap {
        /// True for the harmonic mean of precision and recall.
        pub harmonic: bool,
    }

    impl Compute for Overlap {
        fn forward(&self, call: &Call) -> Result<Output> {
            let (target, pred) = (call.tensor("target")?, call.tensor("pred")?);
            let pairs: Vec<(f64, f64)> = numbers(target)?.into_iter().zip(numbers(pred)?).collect();
            let both: f64 = pairs.iter().map(|(t, p)| t * p).sum();
            let sum: f64 = pairs.iter().map(|(t, p)| t + p).sum();
            let (part, whole) = if self.harmonic { (2.0 * both, sum) } else { (both, sum - both) };
            Ok(constant(vec![if whole > 0.0 { part / whole } else { 1.0 }], (), pred)?.into())
        }

        fn backward(&self, _: &Call, _: &Output, _: &Tensor) -> Result<Gradients> {
            Ok(Gradients::new())
        }
    }

    /// Cases of both scores.
    pub fn samples() -> Result<Vec<Sample>> {
        let shape = [2, 3, 4, 5];
        Ok(vec![
            Sample::new("grey", &[]).random("target", &shape, 0.0, 1.0)?.random("pred", &shape, 0.0, 1.0)?,
            Sample::new("empty", &[]).filled("target", &shape, 0.0)?.filled("pred", &shape, 0.0)?,
            Sample::new("one", &[]).filled("target", &[1, 1, 1, 1], 1.0)?.filled("pred", &[1, 1, 1, 1], 1.0)?,
        ])
    }
}
