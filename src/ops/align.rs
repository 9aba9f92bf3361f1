//! `align`: the same numbers with further axes of size 1, so that two values lie beside each other. Only the checker
//! writes it.

use candle_core::{Result, Tensor};

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::constant::{Constant, Settings};
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "align",
    entry: Entry {
        signature: "align(x: Values, axes: Axes) -> Values",
        manual: MANUAL,
        rule: |a| a.keep_type("x"),
        lints: LintFacts::AVERAGE,
        operator: true,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Align),
    samples,
};

const MANUAL: &str = "\
The same numbers with further axes of size 1, in the one order of axes. No pipeline writes it: where two values meet
that do not have the same axes, the checker puts it before the one that lacks some.

    y[…, 1, …] = x[…, …]

Source: `torch.Tensor.reshape`.

```rord
input x: Feat[B, 8, H, W]@f
let rest = x - mean(x, over = channel)
```
";

/// The same numbers in another shape.
pub struct Align;

/// Where the axes of size 1 are put in, of a call that is written out.
fn new_axes(call: &Use) -> std::result::Result<Vec<i64>, String> {
    let x = call.argument("x")?.ty;
    Ok((0..).zip(&call.ty.axes).filter(|(_, axis)| x.size(axis).is_none()).map(|(at, _)| at).collect())
}

impl Compute for Align {
    fn memory(&self, _: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::shared()
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.reshape(call.shape)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", grad.reshape(call.tensor("x")?.shape())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let axes = new_axes(call)?;
        if axes.is_empty() {
            return Ok(call.name("x")?.into());
        }
        let axes = out.ints(&axes);
        Ok(out.plain("Unsqueeze", &[call.name("x")?, &axes]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let axes = new_axes(call)?;
        Ok(axes.iter().fold(call.name("x")?.to_string(), |so_far, axis| so_far + &format!(".unsqueeze({axis})")))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let axes = |names: &[&str]| Constant::List(names.iter().map(|n| Constant::Word((*n).into())).collect());
    Ok(vec![
        Sample::new("no channel", &[2, 1, 3, 5])
            .random("x", &[2, 3, 5], -1.0, 1.0)?
            .setting("axes", axes(&["batch", "channel", "row", "column"]))
            .to(&["x"]),
        Sample::new("one a sample", &[3, 1, 1])
            .random("x", &[3], -1.0, 1.0)?
            .setting("axes", axes(&["batch", "row", "column"]))
            .to(&["x"]),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::finite_differences;

    #[test]
    fn shapes_and_gradients_are_right() {
        for sample in samples().unwrap() {
            assert!(finite_differences(&Align, &sample).unwrap() < 1e-6, "{}", sample.name);
        }
    }
}
