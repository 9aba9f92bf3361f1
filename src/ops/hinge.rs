//! `hinge`: max(0, x), the corner of a margin loss: `mean(hinge(d_pos - d_neg + margin))`.

use super::op::Op;
use rord_lang::vocabulary::Entry;

#[allow(unused_imports)] // each operation shares what others need of it
pub use meaning::*;

/// The operation.
pub static OP: Op = Op {
    name: "hinge",
    entry: Entry {
        signature: "hinge(x: Values) -> Values",
        manual: MANUAL,
        rule: super::rules::same_type,
        ..Entry::PLAIN
    },
    compute: Some(&super::relu::Relu),
    samples: meaning::samples,
};

const MANUAL: &str = "\
What is missing to a margin: 0 once it is kept.

    y = max(0, x)

Any shape; the result has the same. The slope at exactly 0 is 0, so a triplet that just keeps its margin pulls no more.

Source: `torch.clamp(x, min = 0)`, but for its slope of 1 at exactly 0.

```rord
input near: Vectors[N, 1]
input far:  Vectors[N, 1]
let missing = hinge(near - far + 1.0)
```
";

mod meaning {
    pub use crate::relu::Relu as Hinge;
    pub use crate::relu::samples;
}
