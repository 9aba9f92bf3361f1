//! `pick`: the places of the negatives that a miner picks.

use crate::op::Op;
use rord_lang::vocabulary::Entry;

/// The operation. It computes nothing itself: it carries out its miner.
pub static OP: Op = Op::recipe(
    "pick",
    Entry {
        signature: "pick(negatives: Miner, anchor: Vectors[B, N, C], map: Map[B, C, h, w]@g, \
                    positive: Points[B, N]@g) -> Points[B, N]@g",
        manual: MANUAL,
        carries_out: Some("negatives"),
        ..Entry::PLAIN
    },
);

const MANUAL: &str = "\
For each anchor the place in the map where the miner finds its negative, (B, N, 2). The choice has no gradient; `sample`
the map there for vectors that have one.

```rord
input anchor:   Vectors[B, N, C]
input desc_r:   Desc[B, C, H, W]@moved
input image_r:  Image[B, 1, R, S]@moved
input positive: Points[B, N]@moved
let negative = sample(desc_r, pick(hardneg, anchor, desc_r, positive))
```
";
