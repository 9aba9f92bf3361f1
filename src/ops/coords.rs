//! `coords`: the places of all cells of a map: `distance(at, place)` over `coords(like = det)`.

use candle_core::Result;

use crate::compute::places::middle;
use crate::compute::samples::Sample;
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::rules::cells_of;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "coords",
    entry: Entry {
        signature: "coords(like: Map[B, _, h, w]@f) -> Points[B, _]@f",
        manual: MANUAL,
        rule: |a| {
            let cells = cells_of(a, "like");
            a.set_dim(1, cells);
        },
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        lints: LintFacts::SHAPE,
        ..Entry::PLAIN
    },
    compute: Some(&Coords),
    samples,
};

const MANUAL: &str = "\
The places of all cells of a map, row by row.

Cell (i, j) of (h, w) is at ((2j + 1)/w - 1, (2i + 1)/h - 1), and is place i·w + j. `like` (B, C, h, w) gives the batch
and the sizes; the result is (B, h·w, 2), normalized, in its frame. There is no gradient. `as_vectors` are a map's numbers in
the same order, and `as_map` makes a map of what was computed for each place.

Source: the middles of `torch.nn.functional.affine_grid(I, size, align_corners = False)`.

```rord
input image:   Image[B, 1, R, S]@orig
input image_r: Image[B, 1, R, S]@moved
input det:     Prob[B, 1, H, W]@orig
input H:       Homography[B]@orig->moved
let everywhere = coords(like = det)
let seen       = as_map(seen(move(everywhere, H)), like = det)
```
";

/// The middles of cells.
pub struct Coords;

impl Compute for Coords {
    // Only the map's sizes are read.
    fn either_order(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let like = call.tensor("like")?;
        let (batch, _, height, width) = like.dims4()?;
        let places = (0..height * width).flat_map(|q| [middle(q % width, width), middle(q / width, height)]).collect();
        let count = height * width;
        Ok(constant(places, (1, count, 2), like)?.broadcast_as((batch, count, 2))?.contiguous()?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case =
        |name, [b, c, h, w]: [usize; 4]| Sample::new(name, &[b, h * w, 2]).random("like", &[b, c, h, w], 0.0, 1.0);
    Ok(vec![case("odd", [2, 3, 5, 7])?, case("one", [1, 1, 1, 1])?])
}
