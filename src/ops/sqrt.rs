//! `sqrt`: the square root of every number, with a slope that is finite at 0.

use super::op::Op;
use rord_lang::vocabulary::Entry;

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "sqrt",
    entry: Entry {
        signature: "sqrt(x: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::disturbed,
        ..Entry::PLAIN
    },
    compute: Some(&meaning::SQRT),
    samples: meaning::samples,
};

const MANUAL: &str = "\
The square root of every number, with a slope that is finite at 0.

    y = √max(x, 0)        slope 1/(2y), and 0 where y = 0

Any shape; the result has the same.

Source: `torch.sqrt(x)`, whose slope at 0 is infinite.

```rord
input d: Dist[N, M]
let y = sqrt(d)
```
";

mod meaning {
    use candle_core::Result;

    use crate::compute::samples::Sample;
    use crate::compute::unary::{self, Unary};

    /// The function.
    pub const SQRT: Unary = Unary {
        value: |_, x| x.maximum(0.0)?.sqrt(),
        slope: |_, _, y| {
            let some = y.gt(0.0)?;
            let safe = some.where_cond(y, &y.ones_like()?)?;
            (safe.recip()? * 0.5)? * some.to_dtype(y.dtype())?
        },
    };

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        let mut list: Vec<Sample> = unary::samples(0.2, 2.0)?;
        list.push(Sample::new("at the edge", &[4]).given("x", &[4], vec![-1.0, 0.0, 1e-20, 1e30])?.to(&["x"]).kinked());
        Ok(list)
    }
}
