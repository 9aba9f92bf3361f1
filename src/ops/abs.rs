//! `abs`: every number without its sign.

use super::op::Op;
use rord_lang::vocabulary::Entry;

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "abs",
    entry: Entry {
        signature: "abs(x: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::disturbed,
        ..Entry::PLAIN
    },
    compute: Some(&meaning::ABS),
    samples: meaning::samples,
};

const MANUAL: &str = "\
Every number without its sign.

    y = |x|

Any shape; the result has the same. The slope at exactly 0 is 0.

Source: `torch.abs`.

```rord
input d: Dist[N, M]
let y = abs(d)
```
";

mod meaning {
    use candle_core::Result;

    use crate::compute::samples::Sample;
    use crate::compute::unary::{self, Unary};

    /// The function.
    pub const ABS: Unary = Unary {
        value: |_, x| x.abs(),
        slope: |_, x, _| x.gt(0.0)?.to_dtype(x.dtype())? - x.lt(0.0)?.to_dtype(x.dtype())?,
    };

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        let mut list: Vec<Sample> = unary::samples(-2.0, 2.0)?;
        list.push(Sample::new("at the edge", &[3]).given("x", &[3], vec![0.0, -0.0, -1e30])?.to(&["x"]).kinked());
        Ok(list)
    }
}
