//! `distance` of places: how far apart they are in pixels, pair by pair: `distance(p, q)`.

use candle_core::{D, Result, Tensor};

use crate::compute::places::half;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::distance::{exponent, norm, norm_slope};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "place_distance",
    entry: Entry {
        signature: "place_distance(a: Points[B, N]@f, b: Points[B, N]@f, p: Rate = 2, \
                    squared: Flag = false) -> Dist[batch B, item N]",
        manual: MANUAL,
        operator: true,
        pixels_of: Some("a"),
        in_pixels: true,
        lints: LintFacts::distance("a", "b"),
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&PlaceDistance),
    samples,
};

const MANUAL: &str = "\
`distance(p, q)` of places: how far apart they are, pair by pair, in pixels.

    d = ‖(p - q)·(width, height)/2‖_p        squared = true:  d = ‖(p - q)·(width, height)/2‖²

`a` and `b` are (B, N, 2), normalized, in one frame; the result is (B, N), in pixels of the image that declares the
frame, or in squares of them. `p` is at least 1. The gradient goes to both, and is 0 for equal places.

Errors: p below 1.

Source: `torch.linalg.vector_norm(a - b, p, dim = -1)`.

```rord
input image:   Image[B, 1, R, S]@orig
input image_r: Image[B, 1, R, S]@moved
input p:       Points[B, N]@orig
input q:       Points[B, N]@moved
input H:       Homography[B]@orig->moved
loss reprojection = mean(distance(move(p, H), q))
```
";

/// The distance of places.
pub struct PlaceDistance;

fn difference(call: &Call) -> Result<Tensor> {
    let a = call.tensor("a")?;
    (a - call.tensor("b")?)?.broadcast_mul(&half(call, a)?)
}

impl Compute for PlaceDistance {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(norm(&difference(call)?, exponent(call)?)?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let slope = norm_slope(&difference(call)?, &output.value, exponent(call)?)?;
        let a = slope.broadcast_mul(&grad.unsqueeze(D::Minus1)?)?.broadcast_mul(&half(call, grad)?)?;
        let mut out = Gradients::new();
        if call.wants("b") {
            out.push(("b", a.neg()?));
        }
        if call.wants("a") {
            out.push(("a", a));
        }
        Ok(out)
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, count: usize, p: f64, squared: bool| {
        let shape = [2, count, 2];
        let sample = Sample::new(name, &[2, count]).random("a", &shape, -1.0, 1.0)?.random("b", &shape, -1.0, 1.0)?;
        let sample = sample.number("p", p).flag("squared", squared).number("width", 36.0).number("height", 24.0);
        Ok::<_, candle_core::Error>(sample.to(&["a", "b"]))
    };
    let same = Sample::new("equal", &[1, 3]).filled("a", &[1, 3, 2], 0.3)?.filled("b", &[1, 3, 2], 0.3)?;
    let same = same.number("p", 2.0).flag("squared", false).number("width", 36.0).number("height", 24.0);
    Ok(vec![
        case("odd", 5, 2.0, false)?,
        case("squared", 4, 2.0, true)?,
        case("city block", 3, 1.0, false)?,
        case("cubic", 3, 3.0, false)?,
        same.to(&["a", "b"]).kinked(),
    ])
}
