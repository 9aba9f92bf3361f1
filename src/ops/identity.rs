//! `identity`: 1 on the diagonal of a square table: `s * identity(s)`.

use candle_core::Result;

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::diagonal::unit;
use crate::op::Op;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "identity",
    entry: Entry {
        signature: "identity(like: Values[row N, column N]) -> Values[row N, column N]",
        manual: "\
A square table with 1 on its diagonal and 0 elsewhere.

    y[i, j] = 1 where i = j, else 0

`like` only lends its shape, (N, N) or (B, N, N). The result is a Mask: of partners under the same number, it says which
pairs are partners. There is no gradient.

Source: `torch.eye(N)`.

```rord
input a: Vectors[N, 64]
let s = similarities(a, a)
loss decorrelated = mean(square(s - identity(s)))
```
",
        batched: true,
        rule: |a| {
            a.keep_type("like");
            a.result.kind = Kind::Mask;
            a.result.unit = false;
        },
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        lints: LintFacts::SHAPE,
        ..Entry::PLAIN
    },
    compute: Some(&Identity),
    samples,
};

/// The unit matrix.
struct Identity;

impl Compute for Identity {
    fn forward(&self, call: &Call) -> Result<Output> {
        let like = call.tensor("like")?;
        Ok(unit(like)?.to_dtype(like.dtype())?.into())
    }
}

/// Cases.
fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[5, 5]).random("like", &[5, 5], -1.0, 1.0)?,
        Sample::new("a batch", &[2, 3, 3])
            .random("like", &[2, 3, 3], -1.0, 1.0)?
            .named("like", &["batch", "row", "column"]),
    ])
}
