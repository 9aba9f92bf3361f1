//! `>`, `<`, `>=`, `<=` and `==` in a pipeline: masks of where they hold.

use candle_core::{Result, Tensor};

use crate::compute::elementwise::{operands, samples};
use crate::compute::{Call, Compute, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

macro_rules! comparison {
    ($name:literal, $operator:literal, $holds:literal, $torch:literal, $compare:expr, $onnx:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(a: Values, b: Values) -> Values"),
                manual: concat!(
                    "\
A mask of the cells where one value is ",
                    $holds,
                    " another.

    1 where a ",
                    $operator,
                    " b, else 0

They meet by the names of their axes: an axis that one of them does not have is spread over it, one that both have is of
one size. A single number meets everything. There is no gradient.

Source: `torch.",
                    $torch,
                    "`.

```rord
input p: Prob[B, 1, H, W]@f
let m = p ",
                    $operator,
                    " 0.5
```
"
                ),
                operator: true,
                graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&Comparison { holds: $compare, onnx: $onnx, operator: $operator }),
            samples: || samples(&[]),
        }
    };
}

/// `a > b`.
pub static GREATER: Op = comparison!("greater", ">", "above", "gt", |a, b| a.gt(b), "Greater");
/// `a < b`.
pub static LESS: Op = comparison!("less", "<", "below", "lt", |a, b| a.lt(b), "Less");
/// `a >= b`.
pub static GREATER_EQUAL: Op = comparison!("greater_equal", ">=", "not below", "ge", |a, b| a.ge(b), "GreaterOrEqual");
/// `a <= b`.
pub static LESS_EQUAL: Op = comparison!("less_equal", "<=", "not above", "le", |a, b| a.le(b), "LessOrEqual");
/// `a == b`.
pub static EQUAL: Op = comparison!("equal", "==", "equal to", "eq", |a, b| a.eq(b), "Equal");

/// A comparison of two tensors of one shape.
struct Comparison {
    holds: fn(&Tensor, &Tensor) -> Result<Tensor>,
    /// Its operator in ONNX, and in PyTorch.
    onnx: &'static str,
    operator: &'static str,
}

impl Compute for Comparison {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = operands(call)?;
        Ok((self.holds)(&a, &b)?.to_dtype(a.dtype())?.into())
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let holds = out.plain(self.onnx, &[call.name("a")?, call.name("b")?]);
        Ok(out.op("Cast", &[&holds], vec![("to", Int(1))]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("({} {} {}).float()", call.name("a")?, self.operator, call.name("b")?))
    }
}
