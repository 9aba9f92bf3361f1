//! `sigmoid`: a logit as a probability: `x |> conv(1, 1) |> sigmoid`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_kernels::function::{self, Function};
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "sigmoid",
    entry: Entry {
        signature: "sigmoid(x: Map[B, C, H, W]@f) -> Prob[B, C, H, W]@f",
        manual: MANUAL,
        lints: LintFacts {
            rises: &["x"],
            range: |r| r.of("x").rising(|x| 1.0 / (1.0 + (-x).exp())),
            ..LintFacts::NONE
        },
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Sigmoid),
    samples,
};

const MANUAL: &str = "\
A logit as a probability.

    y = 1 / (1 + exp(-x))

Any shape; the result has the same and lies in [0, 1]. The slope is y·(1 - y), which is 0 where y has rounded to 0 or 1:
for a loss on logits use `bce_logits`, which does not saturate.

Source: `torch.sigmoid`.

```rord
input x: Logit[B, 1, H, W]@f
let p = sigmoid(x)
```
";

/// The logistic function.
pub struct Sigmoid;

/// `sigmoid` on any device; exp overflows to infinity and its inverse to 0, never to what is not a number.
pub(crate) fn sigmoid(x: &Tensor) -> Result<Tensor> {
    candle_nn::ops::sigmoid(x)
}

impl Paths for Sigmoid {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        Ok(sigmoid(call.tensor("x")?)?.into())
    }

    fn lower_backward(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let y = &output.value;
        Ok(vec![("x", (grad * (y - y.sqr()?)?)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let order = order(x);
        let value = read::<T, _, 1>(order, [x], |[x]| function::value(Function::Sigmoid, x))?;
        Ok(tensor(order, value, x.dims())?.into())
    }

    fn fast_backward<T: Element>(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let order = order(&output.value);
        let out = read::<T, _, 2>(order, [&output.value, grad], |[y, g]| function::gradient(Function::Sigmoid, y, g))?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, grad.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let x = call.name("x")?;
        Ok(out.each(x, |out, x| out.plain("Sigmoid", &[x])))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("torch.sigmoid({})", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[2, 1, 5, 7]).random("x", &[2, 1, 5, 7], -4.0, 4.0)?.to(&["x"]),
        Sample::new("saturated", &[1, 1, 2, 2]).given("x", &[1, 1, 2, 2], vec![-1e4, -800.0, 800.0, 1e4])?.to(&["x"]),
    ])
}
