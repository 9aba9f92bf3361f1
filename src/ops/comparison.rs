//! `>`, `<`, `>=`, `<=` and `==` in a pipeline: masks of where they hold.

use candle_core::{Result, Tensor};

use crate::compute::elementwise::{operands, samples};
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

macro_rules! comparison {
    ($name:literal, $operator:literal, $holds:literal, $torch:literal, $compare:expr) => {
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
                graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&Comparison($compare)),
            samples: || samples(&[]),
        }
    };
}

/// `a > b`.
pub static GREATER: Op = comparison!("greater", ">", "above", "gt", |a, b| a.gt(b));
/// `a < b`.
pub static LESS: Op = comparison!("less", "<", "below", "lt", |a, b| a.lt(b));
/// `a >= b`.
pub static GREATER_EQUAL: Op = comparison!("greater_equal", ">=", "not below", "ge", |a, b| a.ge(b));
/// `a <= b`.
pub static LESS_EQUAL: Op = comparison!("less_equal", "<=", "not above", "le", |a, b| a.le(b));
/// `a == b`.
pub static EQUAL: Op = comparison!("equal", "==", "equal to", "eq", |a, b| a.eq(b));

/// A comparison of two tensors of one shape.
struct Comparison(fn(&Tensor, &Tensor) -> Result<Tensor>);

impl Compute for Comparison {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = operands(call)?;
        Ok((self.0)(&a, &b)?.to_dtype(a.dtype())?.into())
    }
}
