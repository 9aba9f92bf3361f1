//! `mean`: the average of all numbers of a value: `mean(hinge(x))`.

use super::op::Op;
use rord_lang::vocabulary::Entry;

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "mean",
    entry: Entry {
        signature: "mean(x: Values, mask: Prob = none, per: Word = none) -> Loss",
        manual: MANUAL,
        rule: super::rules::to_one_number,
        words: &[("per", &["batch"])],
        ..Entry::PLAIN
    },
    compute: Some(&meaning::Mean),
    samples: meaning::samples,
};

const MANUAL: &str = "\
The average of all numbers of a value, or of each sample of it.

    mean(x) = Σ x / count        mean(x, mask) = Σ mask·x / max(1, Σ mask)

`x` has any shape; the result is one number, or (B) with `per = batch`. A `mask` (B, 1, H, W) weighs all channels alike and counts once
for each. Where it hides everything the mean is 0.

Source: `torch.mean`.

```rord
input x: Feat[B, 8, H, W]@f
let level = mean(x, per = batch)
```
";

mod meaning {
    use candle_core::{Result, Tensor};

    use crate::compute::reduce;
    use crate::compute::samples::Sample;
    use crate::compute::{Call, Compute, Gradients, Output};

    /// The mean.
    pub struct Mean;

    impl Compute for Mean {
        fn forward(&self, call: &Call) -> Result<Output> {
            let (sum, count) = reduce::reduced(call)?;
            Ok(Output { value: (sum / &count)?, saved: vec![count] })
        }

        fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
            reduce::spread_back(call, &(grad / crate::max_pool::saved(output, 0)?)?)
        }
    }

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        reduce::samples()
    }
}
