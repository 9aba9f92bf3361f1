//! `grid`: points spread evenly over a map: `place(grid(200), like = desc)`.

use candle_core::Result;

use crate::compute::samples::Sample;
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::rules::{between, positive};
use rord_lang::constant::Constant;
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "grid",
    entry: Entry {
        signature: "grid(n: Count = none, rows: Count = none, columns: Count = none) -> Sampler",
        manual: MANUAL,
        rule,
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Grid),
    samples,
};

const MANUAL: &str = "\
Spreads points evenly over a map: exactly as many as asked for, each in the middle of a cell of its own, none on the
border.

* `grid(n)`: r = round(√(n·H/W)) rows, of which row i holds ⌊(i + 1)·n/r⌋ - ⌊i·n/r⌋ points.
* `grid(rows, columns)`: so many rows of so many points.

Point j of m in row i of r is at ((2j + 1)/m - 1, (2i + 1)/r - 1). `like` (B, C, H, W) gives the batch and the shape;
the result is (B, n, 2) in its frame. There is no gradient.

```rord
input desc: Desc[B, 128, H, W]@orig
let at = sample(desc, place(grid(200), like = desc))
```
";

/// Either a number of places or rows and columns.
fn rule(a: &mut Application<'_>) {
    let given =
        |a: &Application<'_>, name: &str| a.arg(name).is_some_and(|x| !matches!(x.constant, Some(Constant::None)));
    let (n, rows, columns) = (given(a, "n"), given(a, "rows"), given(a, "columns"));
    if n == (rows && columns) || rows != columns {
        let label = if n { "both are given" } else { "neither is given" };
        let help = "as in  grid(200), or  grid(rows = 10, columns = 20)";
        a.reports.push(numbers::rule(a.span, "`grid` takes a number of places, or rows and columns", label, help));
        return;
    }
    for name in ["n", "rows", "columns"] {
        positive(a, name);
        between(a, name, 0.0, 1e6, false);
    }
}

/// Evenly spread points.
pub struct Grid;

/// The places of `n` points on a map of `height` × `width`: x, y, x, y, …
pub fn spread(n: usize, height: usize, width: usize) -> Vec<f64> {
    let rows = (n as f64 * height as f64 / width.max(1) as f64).sqrt().round() as usize;
    let rows = rows.clamp(1, n.max(1));
    places((0..rows).map(|i| (i + 1) * n / rows - i * n / rows), rows)
}

/// Rows of so many points each.
fn places(counts: impl Iterator<Item = usize>, rows: usize) -> Vec<f64> {
    let middle = |i: usize, n: usize| (2 * i + 1) as f64 / n as f64 - 1.0;
    counts.enumerate().flat_map(|(i, m)| (0..m).flat_map(move |j| [middle(j, m), middle(i, rows)])).collect()
}

impl Compute for Grid {
    // Only the map's sizes are read.
    fn either_order(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let like = call.tensor("like")?;
        let (batch, _, height, width) = like.dims4()?;
        let points = match call.settings.get("n") {
            Some(_) => spread(call.count("n")?, height, width),
            None => {
                let (rows, columns) = (call.count("rows")?, call.count("columns")?);
                places(std::iter::repeat_n(columns, rows), rows)
            }
        };
        let n = points.len() / 2;
        Ok(constant(points, (1, n, 2), like)?.broadcast_as((batch, n, 2))?.contiguous()?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let like = [2, 3, 8, 16];
    Ok(vec![
        Sample::new("two hundred", &[2, 200, 2]).random("like", &like, 0.0, 1.0)?.number("n", 200.0),
        Sample::new("one", &[2, 1, 2]).random("like", &like, 0.0, 1.0)?.number("n", 1.0),
        Sample::new("rows and columns", &[2, 15, 2])
            .random("like", &like, 0.0, 1.0)?
            .number("rows", 3.0)
            .number("columns", 5.0),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_exact_and_no_point_lies_on_the_border() {
        for n in 1..300 {
            for (h, w) in [(1, 1), (32, 32), (8, 64), (64, 8), (1, 500)] {
                let points = spread(n, h, w);
                assert_eq!(points.len(), 2 * n);
                assert!(points.iter().all(|x| x.abs() < 1.0));
                for axis in 0..2 {
                    let mean: f64 = points.iter().skip(axis).step_by(2).sum::<f64>() / n as f64;
                    // Along the rows every row is centered; down the map rows differ by a point at most.
                    assert!(mean.abs() < if axis == 0 { 1e-12 } else { 0.2 }, "{n} on {h} × {w}: {mean}");
                }
            }
        }
        assert_eq!(spread(2, 32, 32), [-0.5, 0.0, 0.5, 0.0].map(|x: f64| x));
    }
}
