//! `softplus`: a rectifier without a corner.

use super::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "softplus",
    entry: Entry {
        signature: "softplus(x: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::disturbed,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&meaning::SOFTPLUS),
    samples: meaning::samples,
};

const MANUAL: &str = "\
A rectifier without a corner.

    y = log(1 + eˣ) = max(x, 0) + log1p(e^-|x|)

Any shape; the result has the same. It does not overflow.

Source: `torch.nn.functional.softplus`.

```rord
input d: Dist[N, M]
let y = softplus(d)
```
";

mod meaning {
    use candle_core::Result;

    use crate::compute::pixelwise::log1p;
    use crate::compute::samples::Sample;
    use crate::compute::unary::{self, Unary};

    /// The function.
    pub const SOFTPLUS: Unary = Unary {
        value: |_, x| x.relu()? + log1p(&x.abs()?.neg()?.exp()?)?,
        slope: |_, x, _| (x.neg()?.exp()? + 1.0)?.recip(),
    };

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        let mut list: Vec<Sample> = unary::samples(-4.0, 4.0)?;
        list.push(Sample::new("at the edge", &[3]).given("x", &[3], vec![-1e4, 0.0, 1e4])?.to(&["x"]).kinked());
        Ok(list)
    }
}
