//! `dropout`: numbers put to 0 at random while training: `x |> dropout(0.3)`.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::slices;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::{between, disturbed};
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "dropout",
    entry: Entry {
        signature: "dropout(x: Values, p: Weight = 0.5) -> Values",
        manual: MANUAL,
        rule,
        lints: LintFacts { rises: &["x"], keeps_zero: true, range: |r| r.of("x").added_up(), ..LintFacts::NONE },
        graph: GraphFacts { random: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Dropout),
    samples,
};

const MANUAL: &str = "\
Puts each number to 0 with probability p while training and divides the others by 1 - p; hands the value on in
validation.

Any shape; the result has the same. What is dropped depends on the run's seed, the step, the place in the source and the
sample's number in the batch, and on nothing else. `p = 1` drops everything.

Errors: p outside [0, 1].

Source: `torch.nn.Dropout(p)`.

```rord
input x: Feat[B, 128, H, W]@f
let y = dropout(x, 0.3)
```
";

fn rule(a: &mut Application<'_>) {
    disturbed(a);
    between(a, "p", 0.0, 1.0, false);
}

/// Dropout.
pub struct Dropout;

impl Compute for Dropout {
    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        Memory::of_tensor_operations(shapes).saving(shapes, 1)
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (x, p) = (call.tensor("x")?, call.number("p")?);
        if !(0.0..=1.0).contains(&p) {
            return Err(candle_core::Error::msg("a probability lies between 0 and 1"));
        }
        if !call.training || p == 0.0 {
            return Ok(x.clone().into());
        }
        let kept = if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 };
        let images = x.dims().first().copied().unwrap_or(1);
        let size = x.elem_count() / images.max(1);
        // A stream for each image, so that they are drawn side by side.
        let mut mask = vec![0f32; images * size];
        let streams: Vec<_> = (0..images).map(|image| call.random(image as u64)).collect();
        mask.par_chunks_mut(size.max(1)).zip(streams).for_each(|(mask, mut stream)| {
            mask.iter_mut().for_each(|m| *m = if stream.chance(p) { 0.0 } else { 1.0 });
        });
        let mask = slices::tensor(mask, x.shape())?.to_device(x.device())?.to_dtype(x.dtype())?;
        let mask = (mask * kept)?;
        Ok(Output { value: (x * &mask)?, saved: vec![mask] })
    }

    fn backward(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", output.saved.first().map_or_else(|| Ok(grad.clone()), |mask| grad * mask)?)])
    }

    fn onnx(&self, call: &Use, _: &mut Onnx) -> Form {
        Ok(call.name("x")?.into())
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(call.name("x")?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], p| {
        Sample::new(name, shape).random("x", shape, -1.0, 1.0).map(|s| s.number("p", p).to(&["x"]))
    };
    Ok(vec![
        case("some", &[3, 4, 5], 0.3)?,
        case("map", &[3, 2, 4, 5], 0.5)?,
        case("none", &[3, 4, 5], 0.0)?,
        case("all", &[3, 4, 5], 1.0)?,
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;

    #[test]
    fn the_mean_stays_and_validation_is_the_identity() {
        let sample = Sample::new("ones", &[2, 20_000]).filled("x", &[2, 20_000], 1.0).unwrap().number("p", 0.25);
        let out = numbers(&sample.forward(&Dropout).unwrap().value).unwrap();
        let mean = out.iter().sum::<f64>() / out.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert_ne!(out[..20_000], out[20_000..]);
        let call = Call { training: false, ..sample.call() };
        assert!(numbers(&Dropout.forward(&call).unwrap().value).unwrap().iter().all(|x| *x == 1.0));
    }
}
