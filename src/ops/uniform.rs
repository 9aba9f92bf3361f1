//! `uniform`: a random number for every number of a map: `uniform(like = logits) < sigmoid(logits)`.

use candle_core::Result;

use crate::compute::samples::Sample;
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "uniform",
    entry: Entry {
        signature: "uniform(like: Map[B, C, h, w]@f) -> Prob[B, C, h, w]@f",
        manual: MANUAL,
        graph: GraphFacts { apart: true, random: true, stops_gradient: true, ..GraphFacts::NONE },
        lints: LintFacts::SHAPE,
        ..Entry::PLAIN
    },
    compute: Some(&Uniform),
    samples,
};

const MANUAL: &str = "\
A random number for every number of a map, uniform in (0, 1).

`like` is (B, C, h, w) and so is the result; `like` only lends its shape. The numbers depend on the run's seed, the step,
the place in the source and the sample's number in the batch, and on nothing else; validation draws the same ones every
time. No number is 0 or 1, so a logarithm may be taken of each and of its complement. There is no gradient.

`uniform(p) < p` is a draw of yes or no, and the greatest of `x - log(0 - log(u))` along an axis, for `u` of `x`, a draw
by the softmax of `x` (Gumbel, 1954).

Source: `torch.rand_like(like)`.

```rord
input logits: Logit[B, 1, H, W]@f
let accepted = uniform(like = logits) < sigmoid(logits)
```
";

/// Random numbers.
pub struct Uniform;

/// The least number that is drawn, and the least complement: f32 has numbers as near to 1.
const EDGE: f64 = 1e-6;

impl Compute for Uniform {
    fn forward(&self, call: &Call) -> Result<Output> {
        let like = call.tensor("like")?;
        let images = like.dims().first().copied().unwrap_or(1);
        let size = like.elem_count() / images.max(1);
        let mut drawn = Vec::with_capacity(like.elem_count());
        for image in 0..images {
            let mut stream = call.random(image as u64);
            drawn.extend((0..size).map(|_| stream.uniform().clamp(EDGE, 1.0 - EDGE)));
        }
        Ok(constant(drawn, like.shape(), like)?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| Sample::new(name, shape).random("like", shape, -1.0, 1.0);
    Ok(vec![case("map", &[2, 3, 5, 7])?, case("one", &[1, 1, 1, 1])?])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;

    #[test]
    fn numbers_fill_the_interval_and_differ_by_sample_and_step() {
        let shape = [2, 1, 100, 100];
        let sample = Sample::new("many", &shape).filled("like", &shape, 0.0).unwrap();
        let mut call = sample.call();
        let first = numbers(&Uniform.forward(&call).unwrap().value).unwrap();
        let mut tenths = [0; 10];
        first.iter().for_each(|x| tenths[(x * 10.0) as usize] += 1);
        assert!(tenths.iter().all(|n| (1800..2200).contains(n)), "{tenths:?}");
        assert!(first.iter().all(|x| *x > 0.0 && *x < 1.0));
        assert_ne!(first[..10_000], first[10_000..]);
        call.stream = [5, 4, 1];
        assert_ne!(first, numbers(&Uniform.forward(&call).unwrap().value).unwrap());
    }
}
