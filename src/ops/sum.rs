//! `sum`: all numbers of a value added up: `sum(p * t, per = batch)`.

use super::op::Op;
use rord_lang::vocabulary::Entry;

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "sum",
    entry: Entry {
        signature: "sum(x: Values, mask: Prob = none, per: Word = none) -> Loss",
        manual: MANUAL,
        rule: super::rules::to_one_number,
        words: &[("per", &["batch"])],
        ..Entry::PLAIN
    },
    compute: Some(&meaning::Sum),
    samples: meaning::samples,
};

const MANUAL: &str = "\
Adds up all numbers of a value, or of each sample of it.

    sum(x, mask) = Σ mask·x

`x` has any shape; the result is one number, or (B) with `per = batch`. A `mask` (B, 1, H, W) weighs all channels alike.

Source: `torch.sum`.

```rord
input p: Prob[B, 1, H, W]@f
let area = sum(p, per = batch)
```
";

mod meaning {
    use candle_core::{Result, Tensor};

    use crate::compute::reduce;
    use crate::compute::samples::Sample;
    use crate::compute::{Call, Compute, Gradients, Output};

    /// The sum.
    pub struct Sum;

    impl Compute for Sum {
        fn forward(&self, call: &Call) -> Result<Output> {
            Ok(reduce::reduced(call)?.0.into())
        }

        fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
            reduce::spread_back(call, grad)
        }
    }

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        reduce::samples()
    }
}
