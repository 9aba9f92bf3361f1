//! `exp`: e to the power of every number.

use super::op::Op;
use rord_lang::vocabulary::Entry;

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "exp",
    entry: Entry {
        signature: "exp(x: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::disturbed,
        ..Entry::PLAIN
    },
    compute: Some(&meaning::EXP),
    samples: meaning::samples,
};

const MANUAL: &str = "\
E to the power of every number.

    y = eˣ

Any shape; the result has the same. Above 88 it is infinite in f32: see `log_sum_exp` for sums.

Source: `torch.exp`.

```rord
input d: Dist[N, M]
let y = exp(d)
```
";

mod meaning {
    use candle_core::Result;

    use crate::compute::samples::Sample;
    use crate::compute::unary::{self, Unary};

    /// The function.
    pub const EXP: Unary = Unary { value: |_, x| x.exp(), slope: |_, _, y| Ok(y.clone()) };

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        let mut list: Vec<Sample> = unary::samples(-2.0, 2.0)?;
        list.push(Sample::new("at the edge", &[3]).given("x", &[3], vec![-1e4, 0.0, 80.0])?.to(&["x"]).kinked());
        Ok(list)
    }
}
