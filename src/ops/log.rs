//! `log`: the natural logarithm of every number, held away from 0.

use super::op::Op;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry};

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "log",
    entry: Entry { signature: "log(x: Values, eps: Rate = 1e-12) -> Values", manual: MANUAL, rule, ..Entry::PLAIN },
    compute: Some(&meaning::LOG),
    samples: meaning::samples,
};

const MANUAL: &str = "\
The natural logarithm of every number, held away from 0.

    y = ln(max(x, eps))

Any shape; the result has the same. Below `eps` the slope is 0, so nothing becomes infinite.

Source: `torch.log(x.clamp(min = eps))`.

```rord
input d: Dist[N, M]
let y = log(d)
```
";

/// A logarithm of a distance may be negative.
fn rule(a: &mut Application<'_>) {
    super::rules::disturbed(a);
    if a.result.kind == Kind::Dist {
        a.result.kind = Kind::Values;
    }
}

mod meaning {
    use candle_core::Result;

    use crate::compute::samples::Sample;
    use crate::compute::unary::{self, Unary};

    /// The function.
    pub const LOG: Unary = Unary {
        value: |call, x| x.maximum(call.number("eps")?)?.log(),
        slope: |call, x, _| {
            let eps = call.number("eps")?;
            x.maximum(eps)?.recip()? * x.ge(eps)?.to_dtype(x.dtype())?
        },
    };

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        let mut list: Vec<Sample> = unary::samples(0.2, 2.0)?.into_iter().map(|s| s.number("eps", 1e-12)).collect();
        list.push(
            Sample::new("at the edge", &[4])
                .given("x", &[4], vec![-1.0, 0.0, 1e-12, 1e30])?
                .number("eps", 1e-12)
                .to(&["x"])
                .kinked(),
        );
        Ok(list)
    }
}
