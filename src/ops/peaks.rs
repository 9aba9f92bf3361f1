//! `peaks` and `topk`: the places where a score is highest: `triplet(peaks(det, keep = 100, apart = 4px), hardneg)`.

use candle_core::Result;

use crate::compute::places::middle;
use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::{constant, wrong};
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::rules::{between, cells_of, positive};
use rord_kernels::peaks::{Choice, peaks};
use rord_lang::report::numbers as reports;
use rord_lang::vocabulary::{Application, Entry, GraphFacts};

/// Peaks that lie apart.
pub static PEAKS: Op = Op {
    name: "peaks",
    entry: Entry {
        signature: "peaks(score: Map[B, 1, h, w]@f, keep: Count, apart: Pixels = 4px, \
                    border: Pixels = 0px) -> Sampler",
        manual: "\
Takes the places where a score has its peaks: where a detector fires.

1. A peak is a cell that exceeds every cell nearer than `apart` to it; of equal ones the first, row by row. None lies
   nearer than `border` to the edge of the view. No two peaks are nearer than `apart`.
2. The `keep` highest are taken, the highest first.
3. Where a map has fewer peaks, the best other cells follow: first those at least `apart` from all that are taken, then
   any, the border last. So there are always `keep` places, no two of them the same.

`score` is (B, 1, h, w) in the frame where the places are used; the result is (B, keep, 2), the middles of cells in
normalized coordinates. `apart` and `border` are in pixels of the image that declares the frame. The choice has no
gradient: train the score at the places with `sample(score, at)`, or move them with `soft_argmax(score, at)`, which has
one.

Errors: more places than the map has cells.

Source: non-maximum suppression as in DeTone, Malisiewicz and Rabinovich, SuperPoint, 2018, and Zhao et al., ALIKE,
2022; `s == max_pool2d(s)`, then `topk`, but with a round window.

```rord
input image:   Image[B, 1, R, S]@orig
input image_r: Image[B, 1, R, S]@moved
input det:     Prob[B, 1, R, S]@orig
input desc:    Desc[B, 128, H, W]@orig
input desc_r:  Desc[B, 128, H, W]@moved
input H:       Homography[B]@orig->moved
loss where_it_fires = triplet(peaks(det, keep = 100, apart = 4px), hardneg(apart = 8px))
```
",
        rule: |a| {
            enough(a);
            between(a, "apart", 0.0, 1e6, false);
            between(a, "border", 0.0, 1e6, false);
        },
        pixels_of: Some("score"),
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Peaks),
    samples: peaks_samples,
};

/// The best cells.
pub static TOPK: Op = Op {
    name: "topk",
    entry: Entry {
        signature: "topk(score: Map[B, 1, h, w]@f, keep: Count) -> Sampler",
        manual: "\
Takes the places where a score is highest, however close they are. `peaks` takes such as lie apart.

`score` is (B, 1, h, w) in the frame where the places are used; the result is (B, keep, 2): the middles of the `keep`
highest cells in normalized coordinates, the highest first, of equal ones the first row by row. The choice has no
gradient.

Errors: more places than the map has cells.

Source: `torch.topk(score.flatten(1), keep)`.

```rord
input det:  Prob[B, 1, H, W]@f
input desc: Desc[B, 128, H, W]@f
let best = sample(desc, place(topk(det, keep = 100), like = desc))
```
",
        rule: enough,
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Peaks),
    samples: topk_samples,
};

/// A count of places that the map has.
fn enough(a: &mut Application<'_>) {
    let cells = cells_of(a, "score").as_number();
    if positive(a, "keep")
        && let (Some(keep), Some(cells)) = (a.count("keep"), cells)
        && keep > cells
    {
        let span = a.arg("keep").map_or(a.span, |x| x.span);
        let title = format!("`keep` of `{}` is more than the map has cells", a.name);
        let label = format!("{keep} of {cells} cells");
        a.reports.push(reports::rule(span, &title, &label, "keep fewer, or choose them on a larger map"));
    }
}

struct Peaks;

impl Compute for Peaks {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (score, keep) = (call.tensor("score")?, call.count("keep")?);
        let (batch, _, height, width) = score.dims4()?;
        let length = |name: &str| if call.settings.get(name).is_some() { call.number(name) } else { Ok(0.0) };
        let (apart, border) = (length("apart")?, length("border")?);
        // Without a length there is no need for pixels.
        let step = match apart > 0.0 || border > 0.0 {
            true => [call.number("width")? / width.max(1) as f64, call.number("height")? / height.max(1) as f64],
            false => [1.0, 1.0],
        };
        let choice = Choice { batch, height, width, keep, step, apart, border };
        let cells = peaks(&choice, &numbers(score)?).map_err(wrong)?;
        let places = cells.iter().flat_map(|at| [middle(at % width, width), middle(at / width, height)]).collect();
        Ok(constant(places, (batch, keep, 2), score)?.into())
    }
}

fn peaks_samples() -> Result<Vec<Sample>> {
    let case = |name, keep: usize, apart: f64, border: f64| {
        let sample = Sample::new(name, &[2, keep, 2]).random("score", &[2, 1, 9, 7], 0.0, 1.0)?;
        let sample = sample.random("like", &[2, 3, 9, 7], 0.0, 1.0)?.number("keep", keep as f64);
        let sample = sample.number("apart", apart).number("border", border);
        Ok::<_, candle_core::Error>(sample.number("width", 28.0).number("height", 36.0))
    };
    Ok(vec![
        case("apart", 3, 9.0, 0.0)?,
        case("with a border", 2, 5.0, 6.0)?,
        case("more than there are", 40, 12.0, 4.0)?,
        case("every cell", 63, 0.0, 0.0)?,
    ])
}

fn topk_samples() -> Result<Vec<Sample>> {
    let sample = Sample::new("best", &[2, 5, 2]).random("score", &[2, 1, 9, 7], 0.0, 1.0)?;
    Ok(vec![sample.random("like", &[2, 3, 9, 7], 0.0, 1.0)?.number("keep", 5.0)])
}
