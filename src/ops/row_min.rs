//! `row_min`: the least number of every row of a table: `row_min(off_diagonal(d))`.

use super::compute::least;
use super::op::Op;
use rord_lang::vocabulary::Entry;

/// The operation.
pub static OP: Op = Op {
    name: "row_min",
    entry: Entry { signature: "row_min(x: Values[N, M]) -> Values[N]", manual: MANUAL, ..Entry::PLAIN },
    compute: Some(&least::Least::<1>),
    samples: least::tables::<1>,
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
