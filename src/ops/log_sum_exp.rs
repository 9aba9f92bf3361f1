//! `log_sum_exp`: the logarithm of the summed exponentials of every row: `log_sum_exp(s) - diagonal(s)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use rord_lang::vocabulary::Entry;

/// The operation.
pub static OP: Op = Op {
    name: "log_sum_exp",
    entry: Entry { signature: "log_sum_exp(x: Values[N, M]) -> Values[N]", manual: MANUAL, ..Entry::PLAIN },
    compute: Some(&LogSumExp),
    samples,
};

const MANUAL: &str = "\
The logarithm of the summed exponentials of every row of a table: a greatest number without a corner.

    y[i] = log Σ_j exp(x[i, j])

`x` is (N, M); the result is (N). It is computed relative to the row's greatest number, so it does not overflow.
`log_sum_exp(s) - diagonal(s)` is the cross-entropy of choosing i in row i.

Source: `torch.logsumexp(x, 1)`.

```rord
input a: Vectors[N, 128]
input b: Vectors[N, 128]
let s = similarities(a, b)
loss choice = mean(log_sum_exp(s) - diagonal(s))
```
";

/// The logarithm of a sum of exponentials.
pub struct LogSumExp;

impl Compute for LogSumExp {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.log_sum_exp(1)?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let shares = call.tensor("x")?.broadcast_sub(&output.value.unsqueeze(1)?)?.exp()?;
        Ok(vec![("x", shares.broadcast_mul(&grad.unsqueeze(1)?)?)])
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[5]).random("x", &[5, 7], -3.0, 3.0)?.to(&["x"]),
        Sample::new("one", &[1]).random("x", &[1, 1], -3.0, 3.0)?.to(&["x"]),
        Sample::new("far", &[2]).given("x", &[2, 2], vec![1e4, -1e4, 3e4, 3e4])?.to(&["x"]).kinked(),
    ])
}
