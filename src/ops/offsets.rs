//! Arithmetic of places: `p - q` gives offsets in pixels, `p + o` places, `o * s` and `o / s` scale each offset.

use candle_core::{Result, Tensor};

use crate::compute::places::half;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Combines, Entry, GraphFacts, LintFacts};

macro_rules! operator {
    ($name:literal, $signature:literal, $pixels:expr, $manual:literal, $compute:expr, $samples:expr) => {
        Op {
            name: $name,
            entry: Entry {
                signature: $signature,
                manual: $manual,
                operator: true,
                pixels_of: $pixels,
                in_pixels: $pixels.is_some(),
                graph: GraphFacts::APART,
                ..Entry::PLAIN
            },
            compute: Some(&$compute),
            samples: $samples,
        }
    };
}

/// `p - q` of places.
pub static PLACE_SUB: Op = operator!(
    "place_sub",
    "place_sub(a: Points[B, N]@f, b: Points[B, N]@f) -> Offsets[B, N]@f",
    Some("a"),
    "\
`p - q` of places: what leads from q to p.

    o = (p - q)·(width, height)/2

`p` and `q` are (B, N, 2) in normalized coordinates of one frame; the result is (B, N, 2), (x, y) in pixels of the image
that declares the frame. The gradient goes to both.

```rord
input image: Image[B, 1, R, S]@f
input p:     Points[B, N]@f
input q:     Points[B, N]@f
let apart = mean(length(p - q))
```
",
    Between,
    between_samples
)
.with_lints(LintFacts::combining(Combines::Difference));

/// `p + o` of places and offsets.
pub static PLACE_ADD: Op = operator!(
    "place_add",
    "place_add(a: Points[B, N]@f, b: Offsets[B, N]@f) -> Points[B, N]@f",
    Some("a"),
    "\
`p + o` of places and offsets: the places that the offsets lead to. `p - o` is `p + (-1)·o`.

    q = p + o·2/(width, height)

`p` is (B, N, 2) in normalized coordinates, `o` (B, N, 2) in pixels of the image that declares their frame; the result
is (B, N, 2), normalized. The gradient goes to both.

```rord
input image: Image[B, 1, R, S]@f
input p:     Points[B, N]@f
input q:     Points[B, N]@f
let between = p + 0.5 * (q - p)
```
",
    Shifted,
    shifted_samples
);

/// `o * s` of offsets and a number for each.
pub static OFFSET_MUL: Op = operator!(
    "offset_mul",
    "offset_mul(a: Offsets[B, N]@f, b: Values[batch B, item N]) -> Offsets[B, N]@f",
    None::<&str>,
    "\
`o * s` of offsets and a number for each of them.

`o` is (B, N, 2), `s` is (B, N); the result is (B, N, 2). `2 * o` takes one number for all.

```rord
input image: Image[B, 1, R, S]@f
input p:     Points[B, N]@f
input q:     Points[B, N]@f
let o      = q - p
let longer = o * length(o)
```
",
    Scaled { divides: false },
    scaled_samples
);

/// `o / s` of offsets and a number for each.
pub static OFFSET_DIV: Op = operator!(
    "offset_div",
    "offset_div(a: Offsets[B, N]@f, b: Values[batch B, item N]) -> Offsets[B, N]@f",
    None::<&str>,
    "\
`o / s` of offsets and a number for each of them.

`o` is (B, N, 2), `s` is (B, N); the result is (B, N, 2). A divisor of 0 gives infinity, or what is not a number: add
something to it.

```rord
input image: Image[B, 1, R, S]@f
input p:     Points[B, N]@f
input q:     Points[B, N]@f
let o          = q - p
let directions = o / (1 + length(o))
```
",
    Scaled { divides: true },
    scaled_samples
);

struct Between;

impl Compute for Between {
    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        Ok((a - b)?.broadcast_mul(&half(call, a)?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let grad = grad.broadcast_mul(&half(call, grad)?)?;
        let mut out = Gradients::new();
        if call.wants("b") {
            out.push(("b", grad.neg()?));
        }
        if call.wants("a") {
            out.push(("a", grad));
        }
        Ok(out)
    }
}

struct Shifted;

impl Compute for Shifted {
    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        Ok((a + b.broadcast_div(&half(call, a)?)?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", grad.clone()));
        }
        if call.wants("b") {
            out.push(("b", grad.broadcast_div(&half(call, grad)?)?));
        }
        Ok(out)
    }
}

struct Scaled {
    divides: bool,
}

impl Scaled {
    /// What each offset is multiplied by, (B, N, 1).
    fn factor(&self, call: &Call) -> Result<Tensor> {
        let factor = call.tensor("b")?.unsqueeze(2)?;
        if self.divides { factor.recip() } else { Ok(factor) }
    }
}

impl Compute for Scaled {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("a")?.broadcast_mul(&self.factor(call)?)?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, factor) = (call.tensor("a")?, self.factor(call)?);
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", grad.broadcast_mul(&factor)?));
        }
        if call.wants("b") {
            let slope = match self.divides {
                false => (grad * a)?.sum(2)?,
                true => (grad * &output.value)?.broadcast_mul(&factor)?.sum(2)?.neg()?,
            };
            out.push(("b", slope));
        }
        Ok(out)
    }
}

fn pair(name: &'static str, count: usize, other: f64) -> Result<Sample> {
    let shape = [2, count, 2];
    let sample = Sample::new(name, &shape).random("a", &shape, -1.0, 1.0)?.random("b", &shape, -other, other)?;
    Ok(sample.number("width", 36.0).number("height", 24.0).to(&["a", "b"]))
}

fn between_samples() -> Result<Vec<Sample>> {
    Ok(vec![pair("odd", 5, 1.0)?, pair("one", 1, 1.0)?])
}

fn shifted_samples() -> Result<Vec<Sample>> {
    Ok(vec![pair("odd", 5, 30.0)?, pair("one", 1, 3.0)?])
}

fn scaled_samples() -> Result<Vec<Sample>> {
    let case = |name, batch: usize, count: usize| {
        let shape = [batch, count, 2];
        let sample = Sample::new(name, &shape).random("a", &shape, -9.0, 9.0)?;
        Ok::<_, candle_core::Error>(
            sample.random("b", &[batch, count], 0.5, 2.0)?.named("b", &["batch", "item"]).to(&["a", "b"]),
        )
    };
    Ok(vec![case("odd", 2, 5)?, case("one", 1, 1)?])
}
