//! `div`: `a / b` in a pipeline.

use super::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "div",
    entry: Entry {
        signature: "div(a: Values, b: Values) -> Values",
        manual: MANUAL,
        operator: true,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&meaning::Div),
    samples: meaning::samples,
};

const MANUAL: &str = "\
The quotient of two values, number by number.

    a / b

Both have one shape, or one of them is a single number, or a map of one channel beside a map of many; the result has the larger shape.
A divisor of 0 gives infinity, or what is not a number: add something to it.

Source: `torch.div`.

```rord
input a: Feat[B, 8, H, W]@f
input b: Feat[B, 8, H, W]@f
let c = a / (1 + b * b)
```
";

mod meaning {
    use candle_core::{Result, Tensor};

    use crate::compute::elementwise::{gradients, operands, samples as both};
    use crate::compute::samples::Sample;
    use crate::compute::{Call, Compute, Gradients, Output};

    /// The quotient.
    pub struct Div;

    impl Compute for Div {
        fn forward(&self, call: &Call) -> Result<Output> {
            let (a, b) = operands(call)?;
            Ok((a / b)?.into())
        }

        fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
            let (_, b) = operands(call)?;
            gradients(call, || grad / &b, || ((grad * &output.value)? / &b)?.neg())
        }
    }

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        both(&["a", "b"])
    }
}
