//! `semihard`: for each anchor the nearest candidate that is farther than its positive:
//! `triplet(grid(200), semihard(apart = 8px))`.

use candle_core::Result;

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::hardneg::{HardNeg, gaps, squares};
use crate::op::Op;
use crate::rules::{between, positive};
use crate::sample::at;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "semihard",
    entry: Entry {
        signature: "semihard(candidates: Count = 400, apart: Pixels = 0px, at: Points = none, \
                    gradient: Flag = true) -> Miner",
        manual: MANUAL,
        rule: |a| {
            positive(a, "candidates");
            between(a, "apart", 0.0, 1e6, false);
        },
        pixels_of: Some("map"),
        lints: LintFacts { keeps_apart: true, ..LintFacts::NONE },
        graph: GraphFacts {
            apart: true,
            random: true,
            stops_gradient: true,
            products: Some(crate::rules::CANDIDATES),
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&SemiHard),
    samples,
};

const MANUAL: &str = "\
Finds for each anchor the nearest descriptor that is still farther from it than its positive, among random candidates.

1. Draw `candidates` places uniformly over the map of each sample, or take the places `at` (B, M, 2).
2. Leave out, for each anchor, those nearer than `apart` to its positive's place.
3. Of those with ‖a - b‖² > ‖a - p‖², where p is the descriptor at the positive's place, choose the least. Where there
   is none, choose the greatest of all that are left; where none is left, the candidate farthest from the positive.

`anchor` is (B, N, C), `map` is (B, C, h, w), `positive` is (B, N, 2) in the map's frame; the result is (B, N, 2) in
that frame. `apart` is in pixels of the image that declares the frame. The choice has no gradient; the vector that is
then read there has.

Source: Schroff, Kalenichenko and Philbin, FaceNet, 2015, equation 4.

```rord
input desc:   Desc[B, 128, H, W]@orig
input desc_r: Desc[B, 128, H, W]@moved
input image:  Image[B, 1, R, S]@moved
input H:      Homography[B]@orig->moved
loss what = triplet(grid(200), semihard(apart = 8px), margin = 0.5)
```
";

/// The choice of a semi-hard negative.
pub struct SemiHard;

impl Compute for SemiHard {
    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::of_candidates(shapes).unwrap_or_default()
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (anchor, map, positive) = (call.tensor("anchor")?, call.tensor("map")?, call.tensor("positive")?);
        let places = HardNeg::candidates(call, map)?;
        let (batch, count, _) = places.dims3()?;
        let (_, anchors, _) = anchor.dims3()?;
        if count == 0 {
            return Err(candle_core::Error::msg("a choice needs at least one candidate"));
        }
        let near = squares(anchor, &at(map, &places)?)?;
        let own = (anchor - at(map, positive)?)?.sqr()?.sum_keepdim(2)?;
        let (apart, gap) = (call.number("apart")?, gaps(call, positive, &places)?);
        let free = gap.ge(apart * apart)?;
        let beyond = (near.broadcast_gt(&own)? * &free)?;
        let excluded = (near.zeros_like()? + f64::from(f32::MAX))?;
        let nearest = beyond.where_cond(&near, &excluded)?.argmin(2)?;
        let farthest = free.where_cond(&near, &excluded.neg()?)?.argmax(2)?;
        let chosen = beyond.max(2)?.where_cond(&nearest, &farthest)?;
        let chosen = free.max(2)?.where_cond(&chosen, &gap.argmax(2)?)?;
        let chosen = chosen.unsqueeze(2)?.broadcast_as((batch, anchors, 2))?.contiguous()?;
        Ok(places.gather(&chosen, 1)?.into())
    }
}

/// Cases: those of `hardneg`.
pub fn samples() -> Result<Vec<Sample>> {
    crate::hardneg::samples()
}
