//! `min`: the lesser of two values, number by number: `min(row_min(d), col_min(d))`.

use super::compute::either;
use super::op::Op;
use rord_lang::vocabulary::Entry;

/// The operation.
pub static OP: Op = Op {
    name: "min",
    entry: Entry {
        signature: "min(a: Values, b: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::alike,
        ..Entry::PLAIN
    },
    compute: Some(&either::Either::<false>),
    samples: either::samples,
};

const MANUAL: &str = "\
The lesser of two values, number by number.

    y = min(a, b)

Both have one shape and one frame, and so has the result. The gradient goes to the number that is taken; of two equal ones to each by half.

Errors: shapes or frames that differ.

Source: `torch.minimum(a, b)`.

```rord
input d: Dist[N, N]
let one_each = min(row_min(d), col_min(d))
```
";
