//! `random`: for each anchor any place that is far enough from its positive: `triplet(grid(200), random(apart = 8px))`.

use candle_core::Result;

use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::rules::{between, positive};
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "random",
    entry: Entry {
        signature: "random(apart: Pixels = 0px, tries: Count = 16, gradient: Flag = true) -> Miner",
        manual: MANUAL,
        rule: |a| {
            positive(a, "tries");
            between(a, "apart", 0.0, 1e6, false);
        },
        pixels_of: Some("map"),
        graph: GraphFacts { apart: true, random: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Random),
    samples,
};

const MANUAL: &str = "\
Takes for each anchor any place of the second view that lies `apart` from its positive's place.

Up to `tries` places are drawn uniformly over the map for each anchor on its own. The first that is at least `apart`
from the positive's place is taken; where none is, the farthest of them.

`anchor` is (B, N, C), `map` is (B, C, h, w), `positive` is (B, N, 2) in the map's frame; the result is (B, N, 2) in
that frame. `apart` is in pixels of the image that declares the frame. The choice has no gradient; the vector that is
then read there has.

```rord
input desc:   Desc[B, 128, H, W]@orig
input desc_r: Desc[B, 128, H, W]@moved
input image:  Image[B, 1, R, S]@moved
input H:      Homography[B]@orig->moved
loss what = triplet(grid(200), random(apart = 8px))
```
";

/// The choice of any negative.
pub struct Random;

impl Compute for Random {
    fn forward(&self, call: &Call) -> Result<Output> {
        let positive = call.tensor("positive")?;
        let (batch, anchors, _) = positive.dims3()?;
        let (tries, apart) = (call.count("tries")?.max(1), call.number("apart")?);
        let (width, height) = (call.number("width")?, call.number("height")?);
        let mut places = Vec::with_capacity(2 * batch * anchors);
        for (sample, positives) in numbers(positive)?.chunks_exact((2 * anchors).max(1)).enumerate() {
            let mut stream = call.random(sample as u64);
            for place in positives.chunks_exact(2) {
                let &[x, y] = place else { continue };
                let mut best = ([0.0, 0.0], -1.0);
                for _ in 0..tries {
                    let drawn = [stream.range(-1.0, 1.0), stream.range(-1.0, 1.0)];
                    let [u, v] = drawn;
                    let gap = (0.5 * width * (x - u)).hypot(0.5 * height * (y - v));
                    if best.1 < apart && gap > best.1 {
                        best = (drawn, gap);
                    }
                }
                places.extend(best.0);
            }
        }
        Ok(constant(places, (batch, anchors, 2), positive)?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, apart: f64| {
        let sample = Sample::new(name, &[2, 7, 2])
            .random("anchor", &[2, 7, 5], -1.0, 1.0)?
            .random("map", &[2, 5, 6, 9], -1.0, 1.0)?
            .random("positive", &[2, 7, 2], -1.0, 1.0)?;
        let sample = sample.number("apart", apart).number("tries", 16.0);
        Ok::<_, candle_core::Error>(sample.number("width", 36.0).number("height", 24.0))
    };
    Ok(vec![case("anywhere", 0.0)?, case("apart", 8.0)?, case("nowhere", 1000.0)?])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn places_are_on_the_map_and_far_enough() {
        let sample = Sample::new("many", &[1, 500, 2]).random("positive", &[1, 500, 2], -1.0, 1.0).unwrap();
        let sample = sample.number("apart", 9.0).number("tries", 64.0).number("width", 36.0).number("height", 24.0);
        let chosen = numbers(&sample.forward(&Random).unwrap().value).unwrap();
        let positive = numbers(&sample.inputs[0].1).unwrap();
        assert!(chosen.iter().all(|x| (-1.0..1.0).contains(x)));
        for (p, c) in positive.chunks(2).zip(chosen.chunks(2)) {
            assert!((18.0 * (p[0] - c[0])).hypot(12.0 * (p[1] - c[1])) >= 9.0, "{p:?} {c:?}");
        }
        assert_ne!(chosen[..2], chosen[2..4]);
    }
}
