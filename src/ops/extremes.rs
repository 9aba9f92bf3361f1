//! `min` and `max`: one of two values, number by number: `min(row_min(d), col_min(d))`.

use candle_core::{Result, Tensor};

use crate::compute::elementwise::gradients;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use rord_lang::vocabulary::Entry;

macro_rules! extreme {
    ($name:literal, $word:literal, $greater:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(a: Values, b: Values) -> Values"),
                manual: concat!("\
The ", $word, " of two values, number by number.

    y = ", $name, "(a, b)

Both have one shape and one frame, and so has the result. The gradient goes to the number that is taken; of two equal
ones to each by half.

Errors: shapes or frames that differ.

Source: `torch.", $name, "imum(a, b)`.

```rord
input d: Dist[N, N]
let one_each = ", $name, "(row_min(d), col_min(d))
```
"),
                rule: crate::rules::alike,
                ..Entry::PLAIN
            },
            compute: Some(&Either::<$greater>),
            samples,
        }
    };
}

/// The lesser.
pub static MIN: Op = extreme!("min", "lesser", false);
/// The greater.
pub static MAX: Op = extreme!("max", "greater", true);

/// The lesser of two numbers, or the greater where `GREATER`.
struct Either<const GREATER: bool>;

impl<const GREATER: bool> Compute for Either<GREATER> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        Ok(if GREATER { a.maximum(b)? } else { a.minimum(b)? }.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (low, high) = if GREATER { (b, a) } else { (a, b) };
        // 1 where `a` is taken, a half where both are equal.
        let taken = ((low.lt(high)?.to_dtype(grad.dtype())? + low.le(high)?.to_dtype(grad.dtype())?)? * 0.5)?;
        gradients(call, || grad * &taken, || grad * taken.affine(-1.0, 1.0)?)
    }
}

/// Cases of both.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| {
        let s = Sample::new(name, shape).random("a", shape, -1.0, 1.0)?.random("b", shape, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(s.to(&["a", "b"]))
    };
    Ok(vec![
        case("maps", &[2, 3, 5, 7])?,
        case("vectors", &[3, 4])?,
        case("one each", &[5])?,
        Sample::new("equal", &[3]).filled("a", &[3], 0.5)?.filled("b", &[3], 0.5)?.to(&["a", "b"]).kinked(),
    ])
}
