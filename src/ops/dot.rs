//! `dot`: the inner product of two maps at every place: `dot(l2norm(a), l2norm(b))`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::vocabulary::{Compares, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "dot",
    entry: Entry {
        signature: "dot(a: Map[B, C, h, w]@f, b: Map[B, C, h, w]@f) -> Map[B, 1, h, w]@f",
        manual: MANUAL,
        lints: LintFacts { compares: Compares::Likeness("a", "b"), range: |r| r.product("a", "b"), ..LintFacts::NONE },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Dot),
    samples,
};

const MANUAL: &str = "\
The inner product of the vectors of two maps at every place.

    y[b, 0, i, j] = Σ_c a[b, c, i, j] · b[b, c, i, j]

Both are (B, C, h, w) in one frame; the result is (B, 1, h, w). `cosine` is this for normalized vectors.

Source: `(a * b).sum(1, keepdim = True)`.

```rord
input a: Desc[B, 128, H, W]@f
input b: Desc[B, 128, H, W]@f
loss apart = mean(1 - dot(l2norm(a), l2norm(b)))
```
";

/// The inner product along the channels.
pub struct Dot;

impl Compute for Dot {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok((call.tensor("a")? * call.tensor("b")?)?.sum_keepdim(1)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let mut out = Gradients::new();
        for (own, other) in [("a", "b"), ("b", "a")] {
            if call.wants(own) {
                out.push((own, call.tensor(other)?.broadcast_mul(grad)?));
            }
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let all = out.plain("Mul", &[call.name("a")?, call.name("b")?]);
        Ok(out.reduce("ReduceSum", &all, &[1], true))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("({} * {}).sum(dim=1, keepdim=True)", call.name("a")?, call.name("b")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: [usize; 4]| {
        let [b, _, h, w] = shape;
        let s = Sample::new(name, &[b, 1, h, w]).random("a", &shape, -1.0, 1.0)?.random("b", &shape, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(s.to(&["a", "b"]))
    };
    Ok(vec![case("odd", [2, 3, 5, 7])?, case("one channel", [1, 1, 2, 3])?])
}
