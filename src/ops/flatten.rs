//! `flatten`: each sample's map as one vector: `conv(128, 8, pad = 0) |> flatten |> l2norm`.

use candle_core::{Result, Tensor};

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "flatten",
    entry: Entry {
        signature: "flatten(x: Map[B, C, H, W]@f) -> Vectors[B, _]",
        manual: MANUAL,
        rule,
        lints: LintFacts::CHOICE,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Flatten),
    samples,
};

const MANUAL: &str = "\
Makes one vector of each sample.

`x` is (B, C, H, W); the result is (B, C·H·W), channel by channel, row by row.

Source: `torch.nn.Flatten()`.

```rord
input x: Feat[B, 128, 1, 1]@f
let v = flatten(x)
```
";

fn rule(a: &mut Application<'_>) {
    let dims = a.dims("x");
    let size = match dims.as_slice() {
        [_, c, h, w] => c.mul(h).and_then(|ch| ch.mul(w)),
        _ => None,
    };
    let size = size.unwrap_or_else(|| (a.unknown)("?"));
    a.set_dim(1, size);
}

/// All axes but the first made one.
pub struct Flatten;

impl Compute for Flatten {
    fn memory(&self, _: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::shared()
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let images = x.dim(0)?;
        Ok(x.reshape((images, x.elem_count() / images.max(1)))?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", grad.reshape(call.tensor("x")?.shape())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.op("Flatten", &[call.name("x")?], vec![("axis", Int(1))]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{}.flatten(1)", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("vectors", &[3, 4]).random("x", &[3, 4, 1, 1], -1.0, 1.0)?.to(&["x"]),
        Sample::new("maps", &[2, 30]).random("x", &[2, 3, 5, 2], -1.0, 1.0)?.to(&["x"]),
    ])
}
