//! `dropout`: numbers put to 0 at random while training: `x |> dropout(0.3)`.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use crate::compute::layout::{self, Order};
use crate::compute::memory::{Memory, bytes};
use crate::compute::samples::Sample;
use crate::compute::slices::{self, Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::{between, disturbed};
use rord_kernels::map;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "dropout",
    entry: Entry {
        signature: "dropout(x: Values, p: Weight = 0.5) -> Values",
        manual: MANUAL,
        rule,
        lints: LintFacts { rises: &["x"], keeps_zero: true, range: |r| r.of("x").added_up(), ..LintFacts::NONE },
        graph: GraphFacts { apart: true, random: true, hands_on: true, ..GraphFacts::NONE },
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

/// What divides the numbers that are kept, as a factor; 0 where all are dropped.
fn scale(p: f64) -> f64 {
    if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 }
}

/// 1 for each number that is kept, in its place: drawn in the order of the shape, whatever the order in which it lies.
fn drawn(call: &Call, x: &Tensor, p: f64, order: Order) -> Result<Tensor> {
    let images = x.dims().first().copied().unwrap_or(1);
    let size = x.elem_count() / images.max(1);
    // 32 bits for each number, of which so many halves of a draw are below the limit.
    let limit = (p * (1u64 << 32) as f64).round() as u64;
    // A stream for each image, so that they are drawn side by side.
    let streams: Vec<_> = (0..images).map(|image| call.random(image as u64)).collect();
    let channels = x.dims().get(1).copied().unwrap_or(1).max(1);
    let mut mask = vec![0u8; images * size];
    mask.par_chunks_mut(size.max(1)).zip(streams).try_for_each(|(mask, mut stream)| -> Result<()> {
        let mut fill = |mask: &mut [u8]| {
            let mut halves = [0; 1024];
            for mask in mask.chunks_mut(halves.len()) {
                let Some(halves) = halves.get_mut(..mask.len()) else { continue };
                stream.halves(halves);
                mask.iter_mut().zip(halves).for_each(|(m, bits)| *m = u8::from(u64::from(*bits) >= limit));
            }
        };
        match order {
            Order::First => fill(mask),
            Order::Last => {
                let mut straight = vec![0u8; mask.len()];
                fill(&mut straight);
                rord_kernels::order::turn(&straight, channels, mask).map_err(wrong)?;
            }
        }
        Ok(())
    })?;
    match (order, x.dims()) {
        (Order::Last, [b, c, h, w]) => layout::from_last(&slices::tensor(mask, (*b, *h, *w, *c))?),
        _ => slices::tensor(mask, x.shape()),
    }
}

/// The order that a mask for `x` is made in.
fn order_of(x: &Tensor) -> Order {
    if x.rank() == 4 { layout::order(x) } else { Order::First }
}

/// `x` by what is kept of it.
fn masked<T: Element>(x: &Tensor, mask: &Tensor, p: f64) -> Result<Tensor> {
    let order = order_of(mask);
    let straight = if order == Order::Last { layout::last(mask)? } else { mask.clone() };
    // A product, so that what is not a number goes through.
    let (zero, scale) = (T::from_f64(0.0), T::from_f64(scale(p)));
    let kept = |x: T, m: u8| x * if m == 0 { zero } else { scale };
    let out = slices::read::<u8, _, 1>([&straight], |[mask]| {
        layout::read::<T, _, 1>(order, [x], |[x]| map::two(x, mask, kept))
    })?;
    layout::tensor(order, out?.map_err(wrong)?, x.dims())
}

/// The same by Candle's operations.
fn plainly_masked(x: &Tensor, mask: &Tensor, p: f64) -> Result<Tensor> {
    x * (mask.to_device(x.device())?.to_dtype(x.dtype())? * scale(p))?
}

/// What multiplies a tensor by a mask, for a probability.
type Masked = fn(&Tensor, &Tensor, f64) -> Result<Tensor>;

/// The value, with the mask saved where one was drawn.
fn value(call: &Call, order: Order, masked: Masked) -> Result<Output> {
    let (x, p) = (call.tensor("x")?, call.number("p")?);
    if !(0.0..=1.0).contains(&p) {
        return Err(candle_core::Error::msg("a probability lies between 0 and 1"));
    }
    if !call.training || p == 0.0 {
        return Ok(x.clone().into());
    }
    let mask = drawn(call, x, p, order)?;
    Ok(Output { value: masked(x, &mask, p)?, saved: vec![mask] })
}

/// The gradient, by the mask that was saved.
fn gradient(call: &Call, output: &Output, grad: &Tensor, masked: Masked) -> Result<Gradients> {
    let own = match output.saved.first() {
        Some(mask) => masked(grad, mask, call.number("p")?)?,
        None => grad.clone(),
    };
    Ok(vec![("x", own)])
}

impl Paths for Dropout {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        // A byte for each number.
        Memory { saved: bytes(&shapes.result) / 4, ..Memory::default() }
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        value(call, Order::First, plainly_masked)
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        gradient(call, output, grad, plainly_masked)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        value(call, order_of(call.tensor("x")?), masked::<T>)
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        gradient(call, output, grad, masked::<T>)
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
    use crate::compute::Compute;
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
