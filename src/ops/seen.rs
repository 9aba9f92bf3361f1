//! `seen`: which places lie inside their view: `sum(d * seen(there)) / (1 + sum(seen(there)))`.

use candle_core::Result;

use crate::compute::samples::Sample;
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::rules::between;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "seen",
    entry: Entry {
        signature: "seen(points: Points[B, N]@f, border: Pixels = 0px) -> Mask[batch B, item N]",
        manual: MANUAL,
        rule: |a| between(a, "border", 0.0, 1e6, false),
        pixels_of: Some("points"),
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        lints: LintFacts { shows_border: true, ..LintFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Seen),
    samples,
};

const MANUAL: &str = "\
Marks the places that lie inside their view.

    seen(p) = 1 where |x| ≤ 1 - 2·border/width and |y| ≤ 1 - 2·border/height, else 0

`points` is (B, N, 2), normalized; the result is (B, N), a mask with one number for each place. `border` is in pixels of the image that declares the frame: so
far inside a place must lie. There is no gradient. For maps there is `inside`.

```rord
input image_r: Image[B, 1, R, S]@moved
input at:      Points[B, N]@orig
input at_r:    Points[B, N]@moved
input H:       Homography[B]@orig->moved
let there = move(at, H)
let on    = seen(there, border = 4px)
loss far = mean(distance(there, at_r), mask = on)
```
";

/// The marks of places.
pub struct Seen;

impl Compute for Seen {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (points, border) = (call.tensor("points")?, call.number("border")?);
        let reach = match border > 0.0 {
            true => [1.0 - 2.0 * border / call.number("width")?, 1.0 - 2.0 * border / call.number("height")?],
            false => [1.0, 1.0],
        };
        let reach = constant(reach.to_vec(), (1, 1, 2), points)?;
        let within = points.abs()?.broadcast_le(&reach)?.to_dtype(points.dtype())?;
        Ok((within.narrow(2, 0, 1)? * within.narrow(2, 1, 1)?)?.squeeze(2)?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, border: f64| {
        let sample = Sample::new(name, &[2, 9]).random("points", &[2, 9, 2], -1.5, 1.5)?.number("border", border);
        Ok::<_, candle_core::Error>(sample.number("width", 36.0).number("height", 24.0))
    };
    Ok(vec![case("anywhere", 0.0)?, case("with a border", 4.0)?])
}
