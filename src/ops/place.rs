//! `place`: the places a sampler chooses on a map: `place(grid(200), desc)`.

use crate::op::Op;
use rord_lang::vocabulary::Entry;

/// The operation. It computes nothing itself: it carries out its sampler.
pub static OP: Op = Op::recipe(
    "place",
    Entry {
        signature: "place(at: Sampler, like: Map[B, C, h, w]@f) -> Points[B, _]@f",
        manual: MANUAL,
        carries_out: Some("at"),
        ..Entry::PLAIN
    },
);

const MANUAL: &str = "\
The places that a sampler chooses on a map, (B, N, 2) in normalized coordinates of the map's frame. Points that are
given instead of a sampler stay as they are.

```rord
input desc: Desc[B, 128, H, W]@f
let at = place(grid(200), like = desc)
```
";
