//! `max`: the greater of two values, number by number: `max(row_min(d), col_min(d))`.

use super::op::Op;
use crate::lang::vocabulary::Entry;

#[cfg(feature = "engine")]
#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "max",
    entry: Entry {
        signature: "max(a: Values, b: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::alike,
        ..Entry::PLAIN
    },
    #[cfg(feature = "engine")]
    compute: Some(&meaning::Either { greater: true }),
    #[cfg(feature = "engine")]
    samples: meaning::samples,
};

const MANUAL: &str = "\
The greater of two values, number by number.

    y = max(a, b)

Both have one shape and one frame, and so has the result. The gradient goes to the number that is taken; of two equal ones to each by half.

Errors: shapes or frames that differ.

Source: `torch.maximum(a, b)`.

```rord
input d: Dist[N, N]
let one_each = max(row_min(d), col_min(d))
```
";

#[cfg(feature = "engine")]
mod meaning {
    pub use crate::ops::min::{Either, samples};
}
