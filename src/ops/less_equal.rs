//! `less_equal`: `a <= b` in a pipeline.

use super::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "less_equal",
    entry: Entry {
        signature: "less_equal(a: Values, b: Values) -> Values",
        manual: MANUAL,
        operator: true,
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&meaning::LessEqual),
    samples: meaning::samples,
};

const MANUAL: &str = "\
A mask of the cells where one value is not above another.

    1 where a <= b, else 0

Both have one shape, or one of them is a single number, or a map of one channel beside a map of many. There is no gradient.

Source: `torch.le`.

```rord
input p: Prob[B, 1, H, W]@f
let m = p <= 0.5
```
";

mod meaning {
    use candle_core::{Result, Tensor};

    use crate::compute::elementwise::{operands, samples as both};
    use crate::compute::samples::Sample;
    use crate::compute::{Call, Compute, Gradients, Output};

    /// The comparison `<=`.
    pub struct LessEqual;

    impl Compute for LessEqual {
        fn forward(&self, call: &Call) -> Result<Output> {
            let (a, b) = operands(call)?;
            Ok(a.le(&b)?.to_dtype(a.dtype())?.into())
        }

        fn backward(&self, _: &Call, _: &Output, _: &Tensor) -> Result<Gradients> {
            Ok(Gradients::new())
        }
    }

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        both(&[])
    }
}
