//! `length`: how long offsets are, in pixels: `length(p - q)`.

use candle_core::{D, Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::distance::{norm, norm_slope};
use crate::op::Op;
use rord_lang::range::Range;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "length",
    entry: Entry {
        signature: "length(x: Offsets[B, N]@f) -> Dist[batch B, item N]",
        manual: MANUAL,
        lints: LintFacts { drops_sign: true, range: |_| Range::POSITIVE, ..LintFacts::NONE },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Length),
    samples,
};

const MANUAL: &str = "\
How long offsets are.

    ‖o‖ = √(x² + y²)

`x` is (B, N, 2) in pixels; the result is (B, N), in pixels. The slope at 0 is 0. `distance(p, q)` is `length(p - q)`.

Source: `torch.linalg.vector_norm(x, dim = -1)`.

```rord
input image: Image[B, 1, R, S]@f
input p:     Points[B, N]@f
input q:     Points[B, N]@f
loss near = mean(hinge(length(p - q) - 3))
```
";

/// The length of a pair of coordinates.
pub struct Length;

impl Compute for Length {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(norm(call.tensor("x")?, Some(2.0))?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let slope = norm_slope(call.tensor("x")?, &output.value, Some(2.0))?;
        Ok(vec![("x", slope.broadcast_mul(&grad.unsqueeze(D::Minus1)?)?)])
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[2, 5]).random("x", &[2, 5, 2], -9.0, 9.0)?.to(&["x"]),
        Sample::new("nothing", &[1, 2]).filled("x", &[1, 2, 2], 0.0)?.to(&["x"]).kinked(),
        Sample::new("far", &[1, 1]).filled("x", &[1, 1, 2], 1e9)?.to(&["x"]).kinked(),
    ])
}
