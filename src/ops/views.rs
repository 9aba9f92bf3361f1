//! `join` and `part`: batches after each other, and one of them again. Only the pass `views` writes them.

use candle_core::{Result, Tensor};

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output, layout};
use crate::op::Op;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Entry, GraphFacts, Shapes};

/// Batches after each other.
pub static JOIN: Op = Op {
    name: "join",
    entry: Entry {
        signature: "join(a: Values, b: Values, c: Values = none, d: Values = none) -> Values",
        manual: MANUAL,
        operator: true,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Join),
    samples: join_samples,
};

/// One of the batches that were joined.
pub static PART: Op = Op {
    name: "part",
    entry: Entry {
        signature: "part(x: Values, at: Count, of: Count) -> Values",
        manual: MANUAL,
        operator: true,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Part),
    samples: part_samples,
};

const MANUAL: &str = "\
Batches of several views as one, and the batch of one view out of it.

`join` puts up to four batches after each other; `part` is number `at` of `of` equal parts, along the first axis,
without a copy. Neither can be called: they stand in graphs, where a network that is run on several views has become one
run.

Source: `torch.cat([a, b])` and `torch.chunk(x, of)[at]`.

```rord
model net(x: Image[B, 1, H, W]@f) {
  out desc: Feat[B, 8, H, W]@f = x |> conv(8, 3) |> relu |> conv(8, 3)
}
input image:   Image[B, 1, H, W]@orig
input image_r: Image[B, 1, H, W]@moved
# One run on a join of both images; each result is a part of its value.
let { desc }           = net(image)
let { desc as desc_r } = net(image_r)
```
";

/// Batches after each other.
pub struct Join;

impl Compute for Join {
    fn memory(&self, _: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::default()
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let each: Vec<Tensor> = call.inputs.iter().map(|(_, t)| t.clone()).collect();
        Ok(layout::stacked(&each)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (mut out, mut from) = (Gradients::new(), 0);
        for name in ["a", "b", "c", "d"] {
            let Some(own) = call.maybe(name) else { continue };
            if call.wants(name) {
                out.push((name, grad.narrow(0, from, own.dim(0)?)?));
            }
            from += own.dim(0)?;
        }
        Ok(out)
    }

    fn either_order(&self) -> bool {
        true
    }

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }
}

/// One of several equal parts of a batch.
pub struct Part;

impl Part {
    /// The first sample, and how many there are.
    fn range(call: &Call) -> Result<(usize, usize)> {
        let (at, of, batch) = (call.count("at")?, call.count("of")?, call.tensor("x")?.dim(0)?);
        if of == 0 || batch % of != 0 || at >= of {
            return Err(candle_core::Error::msg("a batch has no such part"));
        }
        Ok((at * (batch / of), batch / of))
    }
}

impl Compute for Part {
    fn memory(&self, _: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::shared()
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (from, count) = Self::range(call)?;
        Ok(call.tensor("x")?.narrow(0, from, count)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (from, count) = Self::range(call)?;
        let rest = call.tensor("x")?.dim(0)? - from - count;
        Ok(vec![("x", layout::first(grad)?.pad_with_zeros(0, from, rest)?)])
    }

    fn either_order(&self) -> bool {
        true
    }

    fn part_of(&self, settings: &Settings) -> Option<(usize, usize)> {
        let (at, of) = (settings.count("at").ok()?, settings.count("of").ok()?);
        (at < of).then_some((at, of))
    }

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }
}

/// Cases.
pub fn join_samples() -> Result<Vec<Sample>> {
    let map = |s: Sample, name| s.random(name, &[2, 3, 4, 5], -1.0, 1.0);
    let two = map(map(Sample::new("two", &[4, 3, 4, 5]), "a")?, "b")?;
    let three = map(map(map(Sample::new("three", &[6, 3, 4, 5]), "a")?, "b")?, "c")?;
    Ok(vec![two.to(&["a", "b"]), three.to(&["a", "c"])])
}

/// Cases.
pub fn part_samples() -> Result<Vec<Sample>> {
    let case = |name, at: f64| {
        let s = Sample::new(name, &[2, 3, 2, 5]).random("x", &[6, 3, 2, 5], -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(s.number("at", at).number("of", 3.0).to(&["x"]))
    };
    Ok(vec![case("first", 0.0)?, case("middle", 1.0)?, case("last", 2.0)?])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::{finite_differences, numbers};

    #[test]
    fn gradients_agree_with_differences() {
        for sample in join_samples().unwrap() {
            assert!(finite_differences(&Join, &sample).unwrap() < 1e-6, "{}", sample.name);
        }
        for sample in part_samples().unwrap() {
            assert!(finite_differences(&Part, &sample).unwrap() < 1e-6, "{}", sample.name);
        }
    }

    #[test]
    fn the_parts_of_a_join_are_what_was_joined() {
        let sample = join_samples().unwrap().remove(1);
        let all = sample.forward(&Join).unwrap().value;
        for (at, (_, own)) in sample.inputs.iter().enumerate() {
            let part = Sample { inputs: vec![("x", all.clone())], ..Sample::new("part", own.dims()) };
            let part = part.number("at", at as f64).number("of", 3.0);
            assert_eq!(numbers(&part.forward(&Part).unwrap().value).unwrap(), numbers(own).unwrap());
        }
    }
}
