//! `rows`: the vectors of all samples as one list: `rows(sample(desc, at))`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Application, Entry, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "rows",
    entry: Entry {
        signature: "rows(x: Vectors[B, N, C]) -> Vectors[_, C]",
        manual: MANUAL,
        rule,
        lints: LintFacts::AVERAGE,
        ..Entry::PLAIN
    },
    compute: Some(&Rows),
    samples,
};

const MANUAL: &str = "\
The vectors of all samples of a batch as one list.

`x` is (B, N, C); the result is (B·N, C), sample by sample. Losses on a list, such as `info_nce`, then take the vectors
of the other samples as negatives, too.

Source: `x.flatten(0, 1)`.

```rord
input desc:   Desc[4, 128, 32, 32]@orig
input desc_r: Desc[4, 128, 32, 32]@moved
input H:      Homography[4]@orig->moved
let at = place(grid(50), like = desc)
loss what = info_nce(rows(sample(desc, at)), rows(sample(desc_r, move(at, H))))
```
";

fn rule(a: &mut Application<'_>) {
    let size = match a.dims("x").as_slice() {
        [b, n, _] => b.mul(n),
        _ => None,
    };
    let size = size.unwrap_or_else(|| (a.unknown)("?"));
    a.set_dim(0, size);
    a.result.unit = a.ty("x").is_some_and(|x| x.unit);
}

/// The first two axes made one.
pub struct Rows;

impl Compute for Rows {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.flatten(0, 1)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", grad.reshape(call.tensor("x")?.shape())?)])
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[15, 4]).random("x", &[3, 5, 4], -1.0, 1.0)?.to(&["x"]),
        Sample::new("one", &[1, 2]).random("x", &[1, 1, 2], -1.0, 1.0)?.to(&["x"]),
    ])
}
