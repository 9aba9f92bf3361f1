//! `off_diagonal`: a square table without the pairs that belong together: `row_min(off_diagonal(d))`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::diagonal::unit;
use crate::op::Op;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "off_diagonal",
    entry: Entry {
        signature: "off_diagonal(x: Values[row N, column N], fill: Scalar = 1e6) -> Values[row N, column N]",
        batched: true,
        manual: MANUAL,
        lints: LintFacts { rises: &["x"], range: |r| r.of("x").hull(r.of("fill")), ..LintFacts::NONE },
        rule,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&OffDiagonal),
    samples,
};

const MANUAL: &str = "\
A square table whose diagonal is out of the way: `fill` stands there.

    y[i, j] = x[i, j] where i ≠ j, fill where i = j

`x` is a table (N, N), or one for each sample, (B, N, N); the result has the same axes. The default is larger than any distance, so that minima pass over it; give a
negative one for maxima. The diagonal has no gradient.

Source: `x.masked_fill(torch.eye(N, dtype = torch.bool), fill)`; HardNet's reference adds 10 there.

```rord
input a: Vectors[N, 128]
input b: Vectors[N, 128]
let hardest = row_min(off_diagonal(distances(a, b)))
```
";

/// The result stays what it was, unless the fill cannot be a distance.
fn rule(a: &mut Application<'_>) {
    crate::rules::same_type(a);
    if a.result.kind == Kind::Dist && a.number("fill").is_none_or(|fill| fill < 0.0) {
        a.result.kind = Kind::Values;
    }
}

/// All but the diagonal.
pub struct OffDiagonal;

impl Compute for OffDiagonal {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let x = x.contiguous()?;
        Ok(unit(&x)?.where_cond(&(x.zeros_like()? + call.number("fill")?)?, &x)?.into())
    }

    fn backward(&self, _: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", unit(grad)?.where_cond(&grad.zeros_like()?, &grad.contiguous()?)?)])
    }
}

/// Cases. Their fill is small: beside a large one differences drown.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[5, 5]).random("x", &[5, 5], 0.0, 1.0)?.number("fill", 10.0).to(&["x"]),
        Sample::new("a batch", &[2, 3, 3]).random("x", &[2, 3, 3], 0.0, 1.0)?.number("fill", 10.0).to(&["x"]),
        Sample::new("one", &[1, 1]).random("x", &[1, 1], 0.0, 1.0)?.number("fill", 3.0).to(&["x"]),
    ])
}
