//! `+`, `-`, `*` and `/` in a pipeline, number by number.

use candle_core::{Result, Tensor};

use crate::compute::elementwise::{Arithmetic, Times, gathered, gathered_product, gradients, met, samples};
use crate::compute::{Call, Compute, Gradients, Output, layout};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_kernels::Float;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Combines, Entry, GraphFacts, LintFacts};

macro_rules! arithmetic {
    ($name:literal, $what:literal, $formula:literal, $note:literal, $example:literal, $combines:expr, $compute:expr) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(a: Values, b: Values) -> Values"),
                manual: concat!("\
The ", $what, " of two values, number by number.

    ", $formula, "

They meet by the names of their axes: an axis that one of them does not have is spread over it, one that both have is of
one size. A single number meets everything. The result has the axes of both.", $note, "

Source: `torch.", $name, "`.

```rord
input a: Feat[B, 8, H, W]@f
input b: Feat[B, 8, H, W]@f
let c = ", $example, "
```
"),
                operator: true,
                lints: LintFacts::combining($combines),
                graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&$compute),
            samples: || samples(&["a", "b"]),
        }
    };
}

/// `a + b`.
pub static ADD: Op = arithmetic!("add", "sum", "a + b", "", "a + b", Combines::Sum, Add);
/// `a - b`.
pub static SUB: Op = arithmetic!("sub", "difference", "a - b", "", "a - b", Combines::Difference, Sub);
/// `a * b`.
pub static MUL: Op = arithmetic!("mul", "product", "a · b", "", "a * b", Combines::Product, Mul);
/// `a / b`.
pub static DIV: Op = arithmetic!(
    "div",
    "quotient",
    "a / b",
    " A divisor of 0 gives infinity, or what is not a number: add something to it.",
    "a / (1 + b * b)",
    Combines::Quotient,
    Div
);

struct Add;

impl Compute for Add {
    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        if a.shape() == b.shape() {
            return Ok(layout::sum(a, b)?.into());
        }
        Ok(met::<Add>(a, b)?.into())
    }

    fn either_order(&self) -> bool {
        true
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        gradients(call, |a| gathered(grad, a), |b| gathered(grad, b))
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.plain("Add", &[call.name("a")?, call.name("b")?]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{} + {}", call.name("a")?, call.name("b")?))
    }
}

struct Sub;

impl Compute for Sub {
    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(met::<Sub>(call.tensor("a")?, call.tensor("b")?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        gradients(call, |a| gathered(grad, a), |b| gathered(grad, b)?.neg())
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.plain("Sub", &[call.name("a")?, call.name("b")?]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{} - {}", call.name("a")?, call.name("b")?))
    }
}

struct Mul;

impl Compute for Mul {
    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(met::<Times>(call.tensor("a")?, call.tensor("b")?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        gradients(call, |shape| gathered_product(grad, b, shape), |shape| gathered_product(grad, a, shape))
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.plain("Mul", &[call.name("a")?, call.name("b")?]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{} * {}", call.name("a")?, call.name("b")?))
    }
}

struct Div;

impl Compute for Div {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(met::<Div>(call.tensor("a")?, call.tensor("b")?)?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let b = call.tensor("b")?;
        gradients(
            call,
            |shape| gathered(&met::<Div>(grad, b)?, shape),
            // The divisor is the same wherever it was spread.
            |shape| met::<Div>(&gathered_product(grad, &output.value, shape)?, b)?.neg(),
        )
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        Ok(out.plain("Div", &[call.name("a")?, call.name("b")?]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{} / {}", call.name("a")?, call.name("b")?))
    }
}

impl Arithmetic for Add {
    fn of<T: Float>(a: T, b: T) -> T {
        a + b
    }
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a + b
    }
}

impl Arithmetic for Sub {
    fn of<T: Float>(a: T, b: T) -> T {
        a - b
    }
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a - b
    }
}

impl Arithmetic for Div {
    fn of<T: Float>(a: T, b: T) -> T {
        a / b
    }
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a / b
    }
}
