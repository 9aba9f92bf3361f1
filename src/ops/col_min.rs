//! `col_min`: the least number of every column of a table: `col_min(off_diagonal(d))`.

use super::compute::least;
use super::op::Op;
use rord_lang::vocabulary::Entry;

/// The operation.
pub static OP: Op = Op {
    name: "col_min",
    entry: Entry { signature: "col_min(x: Values[N, M]) -> Values[M]", manual: MANUAL, ..Entry::PLAIN },
    compute: Some(&least::Least::<0>),
    samples: least::tables::<0>,
};

const MANUAL: &str = "\
The least number of every column of a table.

    y = min over the rows of x

`x` is (N, M); the result is (M). The gradient goes to the least number, the first of several.

Source: `x.min(dim = 0).values`.

```rord
input a: Vectors[N, 128]
input b: Vectors[M, 128]
let nearest = col_min(distances(a, b))
```
";
