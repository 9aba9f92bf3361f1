//! `compose`: one homography after another, `A * B` in a pipeline: first B, then A.

use candle_core::Result;

use crate::compute::samples::Sample;
use crate::compute::tables::{matmul, plain};
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::warp::matrices;
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "compose",
    entry: Entry {
        signature: "compose(a: Homography[B]@b->c, b: Homography[B]@a->b) -> Homography[B]@a->c",
        manual: MANUAL,
        operator: true,
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Compose),
    samples,
};

const MANUAL: &str = "\
One homography after another, read from right to left as functions are.

    (A · B)(p) = A(B(p))

`A` leads from b to c, `B` from a to b, the product from a to c; all are (B, 3, 3). There is no gradient.

Source: `torch.matmul`.

```rord
input G: Homography[B]@a->b
input H: Homography[B]@b->c
let both = H * G
```
";

/// The product of homographies.
pub struct Compose;

impl Compute for Compose {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        matrices(a, b.dim(0)?)?;
        matrices(b, a.dim(0)?)?;
        Ok(matmul(plain(a), plain(b))?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let m = crate::warp::MATRICES.to_vec();
    Ok(vec![Sample::new("two", &[2, 3, 3]).given("a", &[2, 3, 3], m)?.random("b", &[2, 3, 3], -1.0, 1.0)?])
}
