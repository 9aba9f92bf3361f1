//! `row_min`: the least number of every row of a table: `row_min(off_diagonal(d))`.

use super::op::Op;
use crate::lang::vocabulary::Entry;

#[cfg(feature = "engine")]
#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "row_min",
    entry: Entry { signature: "row_min(x: Values[N, M]) -> Values[N]", manual: MANUAL, ..Entry::PLAIN },
    #[cfg(feature = "engine")]
    compute: Some(&meaning::Least { axis: 1 }),
    #[cfg(feature = "engine")]
    samples: meaning::samples,
};

const MANUAL: &str = "\
The least number of every row of a table.

    y = min over the columns of x

`x` is (N, M); the result is (N). The gradient goes to the least number, the first of several.

Source: `x.min(dim = 1).values`.

```rord
input a: Vectors[N, 128]
input b: Vectors[M, 128]
let nearest = row_min(distances(a, b))
```
";

#[cfg(feature = "engine")]
mod meaning {
    use candle_core::{Result, Tensor};

    use crate::ops::compute::samples::Sample;
    use crate::ops::compute::{Call, Compute, Gradients, Output};
    use crate::ops::max_pool::saved;

    /// The least number along an axis of a table.
    pub struct Least {
        /// The axis that goes.
        pub axis: usize,
    }

    impl Compute for Least {
        fn forward(&self, call: &Call) -> Result<Output> {
            let x = call.tensor("x")?.contiguous()?;
            let chosen = x.argmin_keepdim(self.axis)?;
            let value = x.gather(&chosen, self.axis)?.squeeze(self.axis)?;
            Ok(Output { value, saved: vec![chosen] })
        }

        fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
            if !call.wants("x") {
                return Ok(Gradients::new());
            }
            let (zeros, grad) = (call.tensor("x")?.zeros_like()?, grad.unsqueeze(self.axis)?.contiguous()?);
            Ok(vec![("x", zeros.scatter_add(saved(output, 0)?, &grad, self.axis)?)])
        }
    }

    /// Cases for either axis.
    pub fn tables(axis: usize) -> Result<Vec<Sample>> {
        let case = |name, n: usize, m: usize| {
            let left = if axis == 1 { n } else { m };
            Sample::new(name, &[left]).random("x", &[n, m], -1.0, 1.0).map(|s| s.to(&["x"]))
        };
        Ok(vec![case("odd", 5, 7)?, case("long", 9, 2)?, case("one", 1, 1)?])
    }

    /// Cases.
    pub fn samples() -> Result<Vec<Sample>> {
        tables(1)
    }
}
