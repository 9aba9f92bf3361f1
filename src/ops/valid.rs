//! `valid`: which cells count: a mask, or all of them where there is none: `mean(x * valid(x, mask))`.

use candle_core::Result;

use crate::compute::pixelwise::spread;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "valid",
    entry: Entry {
        signature: "valid(like: Map[B, C, h, w]@f, mask: Prob[B, _, h, w]@f = none) -> Prob[B, C, h, w]@f",
        manual: MANUAL,
        rule: |a| crate::rules::mask_of(a, "like"),
        lints: LintFacts { lends: &["like"], ..LintFacts::NONE },
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Valid),
    samples,
};

const MANUAL: &str = "\
Which cells of a map count: those of the mask by their weight, and all of them without a mask.

    y = mask,  or 1 everywhere

`like` is (B, C, h, w) and so is the result; `like` only lends its shape. `mask` is (B, 1, h, w) or (B, C, h, w) in the
same frame; one channel weighs all. It is for functions that hand on a mask that may be left out, and do more with it
than to give it to `mean` or `sum`. There is no gradient.

```rord
fn windowed(x: Prob[B, C, h, w]@f, mask: Prob[B, _, h, w]@f = none) -> Loss =
  mean(avg_pool(x * valid(x, mask), 4), mask = avg_pool(valid(x, mask), 4))
```
";

/// The mask, or ones.
pub struct Valid;

impl Compute for Valid {
    fn forward(&self, call: &Call) -> Result<Output> {
        let like = call.tensor("like")?;
        Ok(spread(call.maybe("mask"), like)?.map_or_else(|| like.ones_like(), Ok)?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name| Sample::new(name, &[2, 3, 4, 5]).random("like", &[2, 3, 4, 5], -1.0, 1.0);
    let masked = |name, channels| case(name)?.random("mask", &[2, channels, 4, 5], 0.0, 1.0);
    Ok(vec![case("all")?, masked("some", 1)?, masked("some of each", 3)?])
}
