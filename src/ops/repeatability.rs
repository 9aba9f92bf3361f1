//! `repeatability`: how many maxima of one view's score are maxima of the other's:
//! `repeatability(det, det_r, H, within = 3px)`.
#![allow(clippy::indexing_slicing)] // Cells are counted from the map's own sizes, matrices are nine numbers.

use candle_core::Result;

use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "repeatability",
    entry: Entry {
        signature: "repeatability(a: Prob[B, 1, h, w]@f, b: Prob[B, 1, k, l]@g, by: Homography[B]@f->g, \
                    within: Pixels = 3px, keep: Count = 300) -> Loss",
        manual: MANUAL,
        rule: |a| {
            crate::rules::positive(a, "keep");
            crate::rules::between(a, "within", 0.0, 1e6, false);
        },
        pixels_of: Some("b"),
        lints: LintFacts { higher_is_better: true, ..LintFacts::NONE },
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Repeatability),
    samples,
};

const MANUAL: &str = "\
How many of the places found in one view are found in the other.

1. A place is the middle of a cell that is greater than each of its neighbors, at most eight; of each map the `keep`
   highest stay.
2. A place counts where the other view shows it: `by` takes it into that map, or the inverse of `by` does.
3. It is repeated where, in the second view, a counted place of the other map lies within `within` pixels of it.

    repeatability = (repeated places of a + repeated places of b) / (counted places of a + counted places of b)

`a` is (B, 1, h, w), `b` is (B, 1, k, l), `by` is (B, 3, 3) from frame f to frame g; the result is the mean over the
pairs, from 0 to 1. A pair without a counted place gives 0, and so does a flat map, which has no greatest cell. `within`
is in pixels of the image that declares frame g. More is better; there is no gradient.

Source: DeTone, Malisiewicz and Rabinovich, SuperPoint, 2018, appendix A; after Schmid, Mohr and Bauckhage, 2000.

```rord
input image_r: Image[B, 1, H, W]@moved
input score:   Prob[B, 1, H/4, W/4]@orig
input score_r: Prob[B, 1, H/4, W/4]@moved
input H:       Homography[B]@orig->moved
metric found_again = repeatability(score, score_r, H, within = 3px)
```
";

/// The share of maxima that both views have.
pub struct Repeatability;

/// The middles of the `keep` highest cells that exceed all their neighbors, in normalized coordinates.
fn peaks(scores: &[f64], height: usize, width: usize, keep: usize) -> Vec<[f64; 2]> {
    let around = |i: usize, n: usize| i.saturating_sub(1)..(i + 2).min(n);
    let highest = |at: usize| {
        let (row, column) = (at / width, at % width);
        let cells = around(row, height).flat_map(|r| around(column, width).map(move |c| r * width + c));
        cells.filter(|other| *other != at).all(|other| scores[other] < scores[at])
    };
    let mut found: Vec<usize> = (0..scores.len()).filter(|at| highest(*at)).collect();
    found.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    found.truncate(keep);
    let middle = |i: usize, n: usize| (2 * i + 1) as f64 / n as f64 - 1.0;
    found.into_iter().map(|at| [middle(at % width, width), middle(at / width, height)]).collect()
}

/// Where a matrix takes a place, if that is in front of the viewer and inside the map.
fn seen(m: &[f64], [x, y]: [f64; 2]) -> Option<[f64; 2]> {
    let row = |i: usize| m[3 * i] * x + m[3 * i + 1] * y + m[3 * i + 2];
    let w = row(2);
    let place = [row(0) / w, row(1) / w];
    (w > 0.0 && place.iter().all(|p| p.abs() <= 1.0)).then_some(place)
}

/// The inverse of a matrix; without one, a matrix that shows nothing.
fn inverse(m: &[f64]) -> [f64; 9] {
    let minor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
    let adjugate = [
        minor(4, 5, 7, 8),
        -minor(1, 2, 7, 8),
        minor(1, 2, 4, 5),
        -minor(3, 5, 6, 8),
        minor(0, 2, 6, 8),
        -minor(0, 2, 3, 5),
        minor(3, 4, 6, 7),
        -minor(0, 1, 6, 7),
        minor(0, 1, 3, 4),
    ];
    let determinant = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6];
    adjugate.map(|x| if determinant == 0.0 { 0.0 } else { x / determinant })
}

/// How many places of `these` have one of `those` within `reach` pixels.
fn repeated(these: &[[f64; 2]], those: &[[f64; 2]], size: [f64; 2], reach: f64) -> usize {
    let gap = |p: &[f64; 2], q: &[f64; 2]| (0.5 * size[0] * (p[0] - q[0])).hypot(0.5 * size[1] * (p[1] - q[1]));
    these.iter().filter(|p| those.iter().any(|q| gap(p, q) <= reach)).count()
}

impl Compute for Repeatability {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b, by) = (call.tensor("a")?, call.tensor("b")?, call.tensor("by")?);
        let (batch, _, h, w) = a.dims4()?;
        let (_, _, k, l) = b.dims4()?;
        if by.dims() != [batch, 3, 3] || b.dim(0)? != batch {
            return Err(candle_core::Error::msg("maps and matrices are not of one batch"));
        }
        let (size, reach) = ([call.number("width")?, call.number("height")?], call.number("within")?);
        let keep = call.count("keep")?;
        let (scores, others, matrices) = (numbers(a)?, numbers(b)?, numbers(by)?);
        let mut sum = 0.0;
        for i in 0..batch {
            let matrix = &matrices[9 * i..9 * i + 9];
            let back = inverse(matrix);
            let first = peaks(&scores[i * h * w..(i + 1) * h * w], h, w, keep);
            let second = peaks(&others[i * k * l..(i + 1) * k * l], k, l, keep);
            let first: Vec<[f64; 2]> = first.into_iter().filter_map(|p| seen(matrix, p)).collect();
            let second: Vec<[f64; 2]> = second.into_iter().filter(|p| seen(&back, *p).is_some()).collect();
            let again = repeated(&first, &second, size, reach) + repeated(&second, &first, size, reach);
            sum += again as f64 / (first.len() + second.len()).max(1) as f64;
        }
        Ok(constant(vec![sum / batch.max(1) as f64], (), a)?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let with = |s: Sample, within: f64, keep: f64| {
        s.number("within", within).number("keep", keep).number("width", 36.0).number("height", 24.0)
    };
    let turn = vec![0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.9, 0.1, 0.2, -0.1, 1.1, 0.0, 0.0, 0.1, 1.0];
    let maps = |name, b: [usize; 4]| {
        let s = Sample::new(name, &[]).random("a", &[2, 1, 6, 9], 0.0, 1.0)?.random("b", &b, 0.0, 1.0)?;
        s.given("by", &[2, 3, 3], turn.clone())
    };
    Ok(vec![
        with(maps("odd", [2, 1, 6, 9])?, 3.0, 300.0),
        with(maps("another size", [2, 1, 5, 4])?, 6.0, 4.0),
        with(
            Sample::new("flat", &[]).filled("a", &[1, 1, 4, 4], 0.5)?.filled("b", &[1, 1, 4, 4], 0.5)?.filled(
                "by",
                &[1, 3, 3],
                0.0,
            )?,
            3.0,
            300.0,
        ),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    /// Two maps with single marks, a quarter turn apart, in an image of 40 by 40.
    fn turned(marks: &[usize], others: &[usize], within: f64) -> f64 {
        let map = |marks: &[usize]| (0..100).map(|i| if marks.contains(&i) { 0.9 } else { 0.1 }).collect::<Vec<f64>>();
        let sample = Sample::new("turned", &[]);
        let sample = sample.given("a", &[1, 1, 10, 10], map(marks)).unwrap();
        let sample = sample.given("b", &[1, 1, 10, 10], map(others)).unwrap();
        let sample = sample.given("by", &[1, 3, 3], vec![0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
        let sample = sample.number("within", within).number("keep", 300.0).number("width", 40.0).number("height", 40.0);
        numbers(&sample.forward(&Repeatability).unwrap().value).unwrap()[0]
    }

    #[test]
    fn places_are_found_where_the_move_takes_them_and_nowhere_else() {
        // (column, row) goes to (9 - row, column).
        let at = |column: usize, row: usize| 10 * row + column;
        assert_eq!(turned(&[at(2, 3)], &[at(6, 2)], 1.0), 1.0);
        assert_eq!(turned(&[at(2, 3)], &[at(3, 7)], 1.0), 0.0, "the other way round");
        assert_eq!(turned(&[at(2, 3)], &[at(7, 2)], 1.0), 0.0, "a cell beside it, 4 pixels away");
        assert_eq!(turned(&[at(2, 3)], &[at(7, 2)], 4.1), 1.0);
        assert_eq!(turned(&[at(2, 3), at(8, 8)], &[at(6, 2)], 1.0), 2.0 / 3.0);
    }

    #[test]
    fn an_inverse_times_its_matrix_is_one() {
        let m = [0.9, 0.1, 0.2, -0.1, 1.1, 0.0, 0.05, 0.1, 1.0];
        let back = inverse(&m);
        for (i, j) in (0..9).map(|k| (k / 3, k % 3)) {
            let sum: f64 = (0..3).map(|k| back[3 * i + k] * m[3 * k + j]).sum();
            assert!((sum - f64::from(u8::from(i == j))).abs() < 1e-12);
        }
    }
}
