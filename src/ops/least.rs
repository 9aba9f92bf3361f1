//! `row_min` and `col_min`: the least number of every row or column of a table: `row_min(off_diagonal(d))`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::max_pool::saved;
use crate::op::Op;
use rord_lang::vocabulary::Entry;

macro_rules! least {
    ($name:literal, $of:literal, $over:literal, $size:literal, $axis:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(x: Values[N, M]) -> Values[", $size, "]"),
                manual: concat!(
                    "\
The least number of every ",
                    $of,
                    " of a table.

    y = min over the ",
                    $over,
                    " of x

`x` is (N, M); the result is (",
                    $size,
                    "). The gradient goes to the least number, the first of several.

Source: `x.min(dim = ",
                    $axis,
                    ").values`.

```rord
input a: Vectors[N, 128]
input b: Vectors[M, 128]
let nearest = ",
                    $name,
                    "(distances(a, b))
```
"
                ),
                ..Entry::PLAIN
            },
            compute: Some(&Least::<$axis>),
            samples: tables::<$axis>,
        }
    };
}

/// Along rows.
pub static ROW_MIN: Op = least!("row_min", "row", "columns", "N", 1);
/// Along columns.
pub static COL_MIN: Op = least!("col_min", "column", "rows", "M", 0);

/// The least number along the axis `AXIS` of a table, which goes.
struct Least<const AXIS: usize>;

impl<const AXIS: usize> Compute for Least<AXIS> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?.contiguous()?;
        let chosen = x.argmin_keepdim(AXIS)?;
        let value = x.gather(&chosen, AXIS)?.squeeze(AXIS)?;
        Ok(Output { value, saved: vec![chosen] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (zeros, grad) = (call.tensor("x")?.zeros_like()?, grad.unsqueeze(AXIS)?.contiguous()?);
        Ok(vec![("x", zeros.scatter_add(saved(output, 0)?, &grad, AXIS)?)])
    }
}

/// Cases for either axis.
fn tables<const AXIS: usize>() -> Result<Vec<Sample>> {
    let case = |name, n: usize, m: usize| {
        let left = if AXIS == 1 { n } else { m };
        Sample::new(name, &[left]).random("x", &[n, m], -1.0, 1.0).map(|s| s.to(&["x"]))
    };
    Ok(vec![case("odd", 5, 7)?, case("long", 9, 2)?, case("one", 1, 1)?])
}
