//! `similarities`: the inner products of every vector of one list with every vector of another: `similarities(va, vb)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::tables::{back, both, matmul, plain, result, turned};
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::vocabulary::{Compares, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "similarities",
    entry: Entry {
        signature: "similarities(a: Vectors[N, C], b: Vectors[M, C]) -> Values[N, M]",
        manual: MANUAL,
        batched: true,
        lints: LintFacts {
            compares: Compares::Likenesses("a", "b"),
            range: |r| r.product("a", "b"),
            ..LintFacts::NONE
        },
        graph: GraphFacts { apart: true, products: Some(crate::rules::ALL_PAIRS), ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Similarities),
    samples,
};

const MANUAL: &str = "\
The inner product of every vector of one list with every vector of another: of unit vectors, the cosine.

    s[i, j] = a_i · b_j

`a` is (N, C), `b` is (M, C); the result is a table (N, M): rows are a's, columns b's. Of (B, N, C) and (B, M, C) it is a
table (B, N, M) for each sample, and a list without a batch belongs to every sample. `rows` makes one list of the
vectors of a batch.

Source: `a @ b.mT`.

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
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        Ok(result(matmul(plain(&x), turned(&y))?, a, b)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        let grad = if grad.rank() == 2 { grad.unsqueeze(0)? } else { grad.clone() };
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", back(matmul(plain(&grad), plain(&y))?, a)?));
        }
        if call.wants("b") {
            out.push(("b", back(matmul(turned(&grad), plain(&x))?, b)?));
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let b = call.argument("b")?;
        let order: &[i64] = if crate::export::rank(b.ty) == 3 { &[0, 2, 1] } else { &[1, 0] };
        let turned = out.transposed(&b.name, order);
        Ok(out.plain("MatMul", &[call.name("a")?, &turned]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{} @ {}.transpose(-1, -2)", call.name("a")?, call.name("b")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, value: &[usize], a: &[usize], b: &[usize]| {
        let sample = Sample::new(name, value).random("a", a, -1.0, 1.0)?.random("b", b, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.to(&["a", "b"]))
    };
    Ok(vec![
        case("square", &[4, 4], &[4, 5], &[4, 5])?,
        case("oblong", &[3, 7], &[3, 2], &[7, 2])?,
        case("a batch", &[2, 3, 7], &[2, 3, 5], &[2, 7, 5])?,
        case("one list for a batch", &[2, 3, 4], &[2, 3, 5], &[4, 5])?,
    ])
}
