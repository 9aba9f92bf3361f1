//! `min`: the lesser of two values, number by number: `min(row_min(d), col_min(d))`.

use super::op::Op;
use crate::lang::vocabulary::Entry;

#[cfg(feature = "engine")]
#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "min",
    entry: Entry {
        signature: "min(a: Values, b: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::alike,
        ..Entry::PLAIN
    },
    #[cfg(feature = "engine")]
    compute: Some(&meaning::Either { greater: false }),
    #[cfg(feature = "engine")]
    samples: meaning::samples,
};

const MANUAL: &str = "\
The lesser of two values, number by number.

    y = min(a, b)

Both have one shape and one frame, and so has the result. The gradient goes to the number that is taken; of two equal ones to each by half.

Errors: shapes or frames that differ.

Source: `torch.minimum(a, b)`.

```rord
input d: Dist[N, N]
let one_each = min(row_min(d), col_min(d))
```
";

#[cfg(feature = "engine")]
mod meaning {
    use candle_core::{Result, Tensor};

    use crate::ops::compute::elementwise::gradients;
    use crate::ops::compute::samples::Sample;
    use crate::ops::compute::{Call, Compute, Gradients, Output};

    /// The lesser or the greater of two numbers.
    pub struct Either {
        /// True for the greater.
        pub greater: bool,
    }

    impl Compute for Either {
        fn forward(&self, call: &Call) -> Result<Output> {
            let (a, b) = (call.tensor("a")?, call.tensor("b")?);
            Ok(if self.greater { a.maximum(b)? } else { a.minimum(b)? }.into())
        }

        fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
            let (a, b) = (call.tensor("a")?, call.tensor("b")?);
            let (low, high) = if self.greater { (b, a) } else { (a, b) };
            // 1 where `a` is taken, a half where both are equal.
            let taken = ((low.lt(high)?.to_dtype(grad.dtype())? + low.le(high)?.to_dtype(grad.dtype())?)? * 0.5)?;
            gradients(call, || grad * &taken, || grad * taken.affine(-1.0, 1.0)?)
        }
    }

    /// Cases of both.
    pub fn samples() -> Result<Vec<Sample>> {
        let case = |name, shape: &[usize]| {
            let s = Sample::new(name, shape).random("a", shape, -1.0, 1.0)?.random("b", shape, -1.0, 1.0)?;
            Ok::<_, candle_core::Error>(s.to(&["a", "b"]))
        };
        Ok(vec![
            case("maps", &[2, 3, 5, 7])?,
            case("vectors", &[3, 4])?,
            case("one each", &[5])?,
            Sample::new("equal", &[3]).filled("a", &[3], 0.5)?.filled("b", &[3], 0.5)?.to(&["a", "b"]).kinked(),
        ])
    }
}
