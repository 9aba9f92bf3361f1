//! `diagonal`: the numbers of a square table that belong together: `diagonal(distances(va, vb))`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "diagonal",
    entry: Entry {
        signature: "diagonal(x: Values[row N, column N]) -> Values[N]",
        manual: MANUAL,
        batched: true,
        lints: LintFacts::CHOICE,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Diagonal),
    samples,
};

const MANUAL: &str = "\
The diagonal of a square table: what number i of one list has with number i of the other.

    y[i] = x[i, i]

`x` is a table (N, N), or one for each sample, (B, N, N); the result is a list with an item for each, (N) or (B, N).

Source: `torch.diagonal(x)`.

```rord
input a: Vectors[N, 128]
input b: Vectors[N, 128]
let positives = diagonal(distances(a, b))
```
";

/// The diagonal.
pub struct Diagonal;

/// 1 on the diagonal of the tables `x` (N, N) or (B, N, N), of their shape.
pub(crate) fn unit(x: &Tensor) -> Result<Tensor> {
    let (n, m) = (x.dim(x.rank().saturating_sub(2))?, x.dim(x.rank().saturating_sub(1))?);
    if n != m {
        return Err(candle_core::Error::msg("a table with a diagonal is square"));
    }
    let numbers: Vec<u8> = (0..n * n).map(|i| u8::from(i / n == i % n)).collect();
    Tensor::from_vec(numbers, (n, n), x.device())?.broadcast_as(x.shape())?.contiguous()
}

impl Compute for Diagonal {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?.contiguous()?;
        // Chosen rather than multiplied by 0: infinities stay where they are.
        Ok(unit(&x)?.where_cond(&x, &x.zeros_like()?)?.sum(x.rank() - 1)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let x = call.tensor("x")?;
        let grad = grad.unsqueeze(grad.rank())?.broadcast_as(x.shape())?.contiguous()?;
        Ok(vec![("x", unit(x)?.where_cond(&grad, &grad.zeros_like()?)?)])
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[5]).random("x", &[5, 5], -1.0, 1.0)?.to(&["x"]),
        Sample::new("a batch", &[2, 4]).random("x", &[2, 4, 4], -1.0, 1.0)?.to(&["x"]),
        Sample::new("one", &[1]).random("x", &[1, 1], -1.0, 1.0)?.to(&["x"]),
    ])
}
