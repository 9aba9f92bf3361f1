//! `detach`: a value that no gradient passes: `bce(detach(det), det_r)`.

use candle_core::Result;

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "detach",
    entry: Entry {
        signature: "detach(x: Values) -> Values",
        manual: MANUAL,
        lints: LintFacts { averages: Some("x"), range: |r| r.of("x"), ..LintFacts::NONE },
        rule: crate::rules::identical,
        graph: GraphFacts { apart: true, stops_gradient: true, hands_on: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Detach),
    samples,
};

const MANUAL: &str = "\
Hands a value on and stops the gradient.

Any shape; the result is the value itself.

Source: `torch.Tensor.detach`.

```rord
input x: Feat[B, 8, H, W]@f
let y = detach(x)
```
";

/// The identity without a gradient.
pub struct Detach;

impl Compute for Detach {
    fn memory(&self, _: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::shared()
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.clone().into())
    }

    fn onnx(&self, call: &Use, _: &mut Onnx) -> Form {
        Ok(call.name("x")?.into())
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(call.name("x")?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("vectors", &[2, 3, 5]).random("x", &[2, 3, 5], -1.0, 1.0)?,
        Sample::new("map", &[2, 3, 5, 1]).random("x", &[2, 3, 5, 1], -1.0, 1.0)?,
    ])
}
