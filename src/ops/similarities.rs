//! `similarities`: the inner products of every vector of one list with every vector of another: `similarities(va, vb)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "similarities",
    entry: Entry {
        signature: "similarities(a: Vectors[N, C], b: Vectors[M, C]) -> Values[N, M]",
        manual: MANUAL,
        graph: GraphFacts { products: Some(crate::rules::ALL_PAIRS), ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Similarities),
    samples,
};

const MANUAL: &str = "\
The inner product of every vector of one list with every vector of another: of unit vectors, the cosine.

    s[i, j] = a_i · b_j

`a` is (N, C), `b` is (M, C); the result is (N, M): rows are a's, columns b's. `rows` makes such lists of vectors that
were sampled from maps.

Source: `a @ b.T`.

```rord
input a: Vectors[N, 128]
input b: Vectors[M, 128]
let s = similarities(l2norm(a), l2norm(b))
```
";

/// All inner products of two lists of vectors.
pub struct Similarities;

impl Compute for Similarities {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("a")?.contiguous()?.matmul(&call.tensor("b")?.t()?.contiguous()?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", grad.contiguous()?.matmul(&call.tensor("b")?.contiguous()?)?));
        }
        if call.wants("b") {
            out.push(("b", grad.t()?.contiguous()?.matmul(&call.tensor("a")?.contiguous()?)?));
        }
        Ok(out)
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, n: usize, m: usize, c: usize| {
        let sample = Sample::new(name, &[n, m]).random("a", &[n, c], -1.0, 1.0)?.random("b", &[m, c], -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.to(&["a", "b"]))
    };
    Ok(vec![case("square", 4, 4, 5)?, case("oblong", 3, 7, 2)?])
}
