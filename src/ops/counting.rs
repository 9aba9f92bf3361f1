//! `any`, `all` and `count`: where numbers are not 0, along axes: `any(d < 8, over = column)`.

use candle_core::{Result, Tensor};

use crate::axes::{real, reduction};
use crate::compute::folding::{Folded, Folding, Folds, at};
use crate::compute::samples::Sample;
use crate::compute::{Call, Output};
use crate::op::Op;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Entry, GraphFacts};

macro_rules! counting {
    ($name:literal, $what:literal, $formula:literal, $torch:literal, $kind:expr, $count:expr) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(x: Values, per: Axes = none, over: Axes = none) -> Loss"),
                manual: concat!(
                    "\
",
                    $what,
                    ", of all numbers of a value or along some of its axes.

    ",
                    $formula,
                    "

`over` says which axes go, `per` which stay; without either the result is one number. There is no gradient.

Source: `",
                    $torch,
                    "`.

```rord
input d: Dist[N, M]
let near = ",
                    $name,
                    "(d < 0.5, over = column)
```
"
                ),
                rule: |a| reduction(a, "x", $kind),
                graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&Folded(Counting($count))),
            samples,
        }
    };
}

/// 1 where some number is not 0.
pub static ANY: Op = counting!(
    "any",
    "Whether some number is not 0",
    "y = 1 if some x ≠ 0, else 0",
    "torch.any(x, dim)",
    |_| Kind::Mask,
    |count, _| count.gt(0.0)?.to_dtype(count.dtype())
);
/// 1 where no number is 0.
pub static ALL: Op = counting!(
    "all",
    "Whether no number is 0",
    "y = 1 if every x ≠ 0, else 0",
    "torch.all(x, dim)",
    |_| Kind::Mask,
    |count, n| count.ge(n)?.to_dtype(count.dtype())
);
/// How many numbers are not 0.
pub static COUNT: Op = counting!(
    "count",
    "How many numbers are not 0",
    "y = |{ x : x ≠ 0 }|",
    "torch.count_nonzero(x, dim)",
    real,
    |count, _| Ok(count)
);

/// What becomes of a number of numbers that are not 0, and the number of all.
struct Counting(fn(Tensor, f64) -> Result<Tensor>);

impl Folds for Counting {
    fn value(&self, call: &Call, fast: bool) -> Result<Output> {
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        let count = folding.sum(&x.ne(0.0)?.to_dtype(x.dtype())?)?;
        Ok((self.0)(count, folding.folded() as f64)?.into())
    }
}

/// Cases of all three.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], value: &[usize]| {
        let numbers =
            (0..shape.iter().product()).map(|i: usize| f64::from(u8::from(!i.is_multiple_of(3) && i < 20))).collect();
        Sample::new(name, value).given("x", shape, numbers)
    };
    Ok(vec![
        case("all", &[3, 4], &[])?,
        case("over channels", &[2, 2, 3, 4], &[2, 3, 4])?.word("over", "channel").setting("axes", at(&[1])),
        case("per sample", &[2, 2, 3, 4], &[2])?.word("per", "batch").setting("axes", at(&[1, 2, 3])),
    ])
}
