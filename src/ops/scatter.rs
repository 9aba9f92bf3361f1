//! `scatter`: points thrown on a map at random: `place(scatter(200), like = desc)`.

use candle_core::Result;

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::hardneg::thrown;
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "scatter",
    entry: Entry {
        signature: "scatter(n: Count) -> Sampler",
        manual: MANUAL,
        rule: |a| {
            crate::rules::positive(a, "n");
        },
        graph: GraphFacts { apart: true, random: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Scatter),
    samples,
};

const MANUAL: &str = "\
Throws points on a map at random: other ones at every step and in every sample.

Both coordinates of each of `n` points are uniform in [-1, 1). `like` (B, C, H, W) gives the batch; the result is (B, n,
2) in its frame. There is no gradient.

```rord
input desc: Desc[B, 128, H, W]@orig
let at = sample(desc, place(scatter(200), like = desc))
```
";

/// Random points.
pub struct Scatter;

impl Compute for Scatter {
    // Only the map's sizes are read.
    fn either_order(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(thrown(call, call.tensor("like")?, call.count("n")?)?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let like = [2, 3, 8, 16];
    Ok(vec![
        Sample::new("many", &[2, 200, 2]).random("like", &like, 0.0, 1.0)?.number("n", 200.0),
        Sample::new("one", &[2, 1, 2]).random("like", &like, 0.0, 1.0)?.number("n", 1.0),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;

    #[test]
    fn points_lie_on_the_map_and_differ_by_sample_and_step() {
        let list = samples().unwrap();
        let mut call = list[0].call();
        let first = numbers(&Scatter.forward(&call).unwrap().value).unwrap();
        assert!(first.iter().all(|x| (-1.0..1.0).contains(x)));
        assert!((first.iter().sum::<f64>() / 800.0).abs() < 0.1);
        assert_ne!(first[..400], first[400..]);
        call.stream = [5, 4, 1];
        assert_ne!(first, numbers(&Scatter.forward(&call).unwrap().value).unwrap());
    }
}
