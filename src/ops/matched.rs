//! `matched`: how many descriptors find their own place in another map: `matched(at, desc_r, places, within = 3px)`.

use candle_core::{Result, Tensor};

use crate::compute::memory::{Memory, bytes};
use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::hardneg::squares;
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "matched",
    entry: Entry {
        signature: "matched(anchor: Vectors[B, N, C], map: Desc[B, C, h, w]@g, places: Points[B, N]@g, \
                    within: Pixels = 3px) -> Loss",
        manual: MANUAL,
        rule: |a| crate::rules::between(a, "within", 0.0, 1e6, false),
        pixels_of: Some("map"),
        lints: LintFacts { higher_is_better: true, ..LintFacts::NONE },
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Matched),
    samples,
};

const MANUAL: &str = "\
The share of descriptors whose nearest neighbor in another map lies where it should.

    matched = |{ i : the cell of the map with the least ‖anchor_i - cell‖² lies within `within` of places_i }|
              / |{ i : places_i is on the map }|

`anchor` is (B, N, C), `map` is (B, C, h, w), `places` is (B, N, 2) in the map's frame; the result is one number from 0
to 1 over the whole batch, 0 where no place is on a map. Of equally near cells the first counts. `within` is in pixels
of the image that declares the frame, measured to the cell's middle, so it should be no less than half a cell's
diagonal. More is better; there is no gradient.

`matching_accuracy` is this for two maps and a move. Source: `torch.cdist(anchor, cells).argmin(2)`; Mikolajczyk and
Schmid, 2005.

```rord
input image_r: Image[B, 1, H, W]@moved
input desc:    Desc[B, 128, H/4, W/4]@orig
input desc_r:  Desc[B, 128, H/4, W/4]@moved
input by:      Homography[B]@orig->moved
let at = place(grid(200), like = desc)
metric accuracy = matched(sample(desc, at), desc_r, move(at, by), within = 3px)
```
";

/// The share of nearest neighbors at the right place.
pub struct Matched;

impl Compute for Matched {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (anchor, map, places) = (call.tensor("anchor")?, call.tensor("map")?, call.tensor("places")?);
        let (_, _, h, w) = map.dims4()?;
        let cells = map.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let (batch, count, _) = anchor.dims3()?;
        let rows = rows(batch, h * w);
        let mut found = Vec::with_capacity(count.div_ceil(rows));
        for first in (0..count).step_by(rows) {
            let block = anchor.narrow(1, first, rows.min(count - first))?;
            found.push(squares(&block, &cells)?.argmin(2)?);
        }
        let nearest = if found.is_empty() { Vec::new() } else { numbers(&Tensor::cat(&found, 1)?)? };
        let (width, height, reach) = (call.number("width")?, call.number("height")?, call.number("within")?);
        let middle = |i: usize, n: usize| (2 * i + 1) as f64 / n as f64 - 1.0;
        let (mut counted, mut right) = (0usize, 0usize);
        for (cell, place) in nearest.iter().zip(numbers(places)?.chunks_exact(2)) {
            let &[x, y] = place else { continue };
            if x.abs() <= 1.0 && y.abs() <= 1.0 {
                let cell = *cell as usize;
                let (u, v) = (middle(cell % w, w), middle(cell / w, h));
                counted += 1;
                right += usize::from((0.5 * width * (x - u)).hypot(0.5 * height * (y - v)) <= reach);
            }
        }
        Ok(constant(vec![right as f64 / counted.max(1) as f64], (), map)?.into())
    }

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        let (Some(&[batch, count, channels]), Some(&[_, _, h, w])) = (shapes.of("anchor"), shapes.of("map")) else {
            return Memory::of_tensor_operations(shapes);
        };
        let rows = rows(batch, h.saturating_mul(w)).min(count);
        // The map in the order of vectors, and its transpose; a block of anchors; four tables of a block; numbers in f64.
        let map = bytes(&[2, batch, channels, h, w]);
        let block = bytes(&[batch, rows, channels]).saturating_add(bytes(&[4, batch, rows, h, w]));
        let forward = map.saturating_add(block).saturating_add(bytes(&[9, batch, count]));
        Memory { forward, ..Memory::default() }
    }
}

/// So many anchors of each sample are compared with all cells at a time: tables of 16 MB, or of one row.
fn rows(batch: usize, cells: usize) -> usize {
    (BLOCK / batch.saturating_mul(cells).max(1)).max(1)
}

/// Numbers of a table.
const BLOCK: usize = 1 << 22;

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: [usize; 4], reach: f64| {
        let [batch, channels, _, _] = shape;
        Sample::new(name, &[])
            .random("anchor", &[batch, 7, channels], -1.0, 1.0)?
            .random("map", &shape, -1.0, 1.0)?
            .random("places", &[batch, 7, 2], -reach, reach)
    };
    let with = |s: Sample, within: f64| s.number("within", within).number("width", 36.0).number("height", 24.0);
    Ok(vec![
        with(case("odd", [2, 5, 6, 9], 1.0)?, 9.0),
        with(case("partly outside", [2, 3, 4, 5], 1.5)?, 12.0),
        with(
            Sample::new("all outside", &[])
                .filled("anchor", &[1, 2, 3], 0.0)?
                .filled("map", &[1, 3, 1, 1], 0.0)?
                .filled("places", &[1, 2, 2], 1e6)?,
            3.0,
        ),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_finds_itself_and_misses_its_neighbor() {
        // Every cell's descriptor is its own unit vector; anchors are the cells in order.
        let (h, w) = (3usize, 4usize);
        let one = |i: usize, j: usize| f64::from(u8::from(i == j));
        let square: Vec<f64> = (0..144).map(|k| one(k / 12, k % 12)).collect();
        let share = |shift: f64| {
            let middle = |i: usize, n: usize| (2 * i + 1) as f64 / n as f64 - 1.0;
            let places = (0..12).flat_map(|i| [middle(i % w, w) + shift, middle(i / w, h)]).collect();
            let sample = Sample::new("itself", &[])
                .given("anchor", &[1, 12, 12], square.clone())
                .unwrap()
                .given("map", &[1, 12, h, w], square.clone())
                .unwrap()
                .given("places", &[1, 12, 2], places)
                .unwrap();
            let sample = sample.number("within", 3.0).number("width", 40.0).number("height", 30.0);
            numbers(&sample.forward(&Matched).unwrap().value).unwrap()[0]
        };
        assert_eq!(share(0.0), 1.0);
        assert_eq!(share(0.14), 1.0);
        // 20 · 0.16 is more than 3 pixels; moved by a column, those of the last column are gone and are not counted.
        assert_eq!((share(0.16), share(0.5)), (0.0, 0.0));
    }
}
