//! `add`: `a + b` in a pipeline.

use super::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "add",
    entry: Entry {
        signature: "add(a: Values, b: Values) -> Values",
        manual: MANUAL,
        operator: true,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&meaning::Add),
    samples: meaning::samples,
};

const MANUAL: &str = "\
The sum of two values, number by number.

    a + b

Both have one shape, or one of them is a single number, or a map of one channel beside a map of many; the result has the larger shape.

Source: `torch.add`.

```rord
input a: Feat[B, 8, H, W]@f
input b: Feat[B, 8, H, W]@f
let c = a + b
```
";

mod meaning {
    use candle_core::{Result, Tensor};

    use crate::compute::elementwise::{gradients, operands, samples as both};
    use crate::compute::layout;
    use crate::compute::samples::Sample;
    use crate::compute::{Call, Compute, Gradients, Output};
    use rord_lang::constant::Settings;

    /// The sum.
    pub struct Add;

    impl Compute for Add {
        fn back_reads(&self, _: &str) -> bool {
            false
        }

        fn back_reads_value(&self, _: &Settings) -> bool {
            false
        }

        fn forward(&self, call: &Call) -> Result<Output> {
            let (a, b) = (call.tensor("a")?, call.tensor("b")?);
            if a.shape() == b.shape() {
                return Ok(layout::sum(a, b)?.into());
            }
            let (a, b) = operands(call)?;
            Ok((a + b)?.into())
        }

        fn either_order(&self) -> bool {
            true
        }

        fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
            gradients(call, || Ok(grad.clone()), || Ok(grad.clone()))
        }
    }

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        both(&["a", "b"])
    }
}
