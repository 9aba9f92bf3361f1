//! `soft_argmax` and `dispersion`: where a score is highest, with a gradient, and how far it spreads around there.

use candle_core::{Result, Tensor};

use crate::compute::memory::Memory;
use crate::compute::places::half_sizes;
use crate::compute::samples::Sample;
use crate::compute::windows::Windows;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::max_pool::saved;
use crate::op::Op;
use crate::rules::positive;
use rord_lang::dim::Dim;
use rord_lang::report::{numbers, shapes};
use rord_lang::vocabulary::{Application, Entry, GraphFacts, Shapes};

/// The softmax's mean place.
pub static SOFT_ARGMAX: Op = Op {
    name: "soft_argmax",
    entry: Entry {
        signature: "soft_argmax(score: Map[B, C, h, w]@f, at: Points[B, N]@f = none, window: Count = none, \
                    temperature: Rate = 1) -> Points[B, _]@f",
        manual: "\
Where a score is highest, with a gradient: the mean of the cells' places, weighed by the softmax of their scores.

    p = Σ_c w_c · place(c)      w = softmax(score / temperature) over the cells c of a window

* `soft_argmax(score)`: each channel of the map is one window; the result is (B, C, 2).
* `soft_argmax(score, window = 8)`: the map is cut into windows of 8 × 8 cells, row by row; (B, (h/8)·(w/8), 2).
* `soft_argmax(score, at, window = 5)`: the 5 × 5 cells around the cell that each place lies in; (B, N, 2). Without
  `window` it is 5. Cells outside of the map do not count, and a place whose window sees nothing of it stays as it is.

`score` is (B, C, h, w), of one channel where there are windows; `at` is (B, N, 2) in its frame; the result is in
normalized coordinates of that frame. The lower the temperature, the nearer to the highest cell. The gradient goes to
the score; `at` has none.

Errors: a window that does not divide the map; an even window around places; a map of several channels with windows.

Source: Barroso-Laguna et al., Key.Net, 2019 (windows); Zhao et al., ALIKE, 2022 (around peaks, temperature 0.1).

```rord
input image:   Image[B, 1, R, S]@orig
input image_r: Image[B, 1, R, S]@moved
input det:     Prob[B, 1, R, S]@orig
input det_r:   Prob[B, 1, R, S]@moved
input H:       Homography[B]@orig->moved
let at   = soft_argmax(det, place(peaks(det, keep = 100), like = det), temperature = 0.1)
let at_r = soft_argmax(det_r, move(at, H), temperature = 0.1)
loss reprojection = mean(distance(move(at, H), at_r))
```
",
        rule: |a| windows(a, 1),
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&SoftArgmax),
    samples: || samples(false),
};

/// The spread around it.
pub static DISPERSION: Op = Op {
    name: "dispersion",
    entry: Entry {
        signature: "dispersion(score: Map[B, C, h, w]@f, at: Points[B, N]@f = none, window: Count = none, \
                    temperature: Rate = 1, squared: Flag = false) -> Dist[batch B, item _]",
        manual: "\
How far a score spreads around where it is highest.

    Σ_c w_c · ‖place(c) - p‖        squared = true:  Σ_c w_c · ‖place(c) - p‖²

p and the weights w are those of `soft_argmax`, with the same windows and arguments; the result is (B, C), (B,
(h/window)·(w/window)) or (B, N), in pixels of the image that declares the frame, or in squares of them. Small where the
score has one sharp peak. The gradient goes to the score.

Source: the dispersity peak loss of Zhao et al., ALIKE, 2022, equation 9.

```rord
input image: Image[B, 1, R, S]@f
input det:   Prob[B, 1, R, S]@f
loss peaky = mean(dispersion(det, place(peaks(det, keep = 100), like = det), window = 5, temperature = 0.1))
```
",
        rule: |a| windows(a, 1),
        pixels_of: Some("score"),
        in_pixels: true,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Dispersion),
    samples: || samples(true),
};

/// How many windows there are: the size of the result's axis.
fn windows(a: &mut Application<'_>, axis: usize) {
    let dims = a.dims("score");
    let [_, channels, rows, columns] = dims.as_slice() else { return };
    let (at, window) = (a.dims("at"), a.count("window"));
    let given = a.arg("window").is_some_and(|w| !matches!(w.constant, Some(rord_lang::constant::Constant::None)));
    let span = a.arg("window").map_or(a.span, |w| w.span);
    if given && !positive(a, "window") {
        return;
    }
    if (given || !at.is_empty()) && a.known(channels).is_some_and(|c| c != 1) {
        let ty = a.ty("score").map(ToString::to_string).unwrap_or_default();
        let title = format!("windows of `{}` are cut out of one channel", a.name);
        let place = a.arg("score").map_or(a.span, |s| s.span);
        let help = "give it a map of one channel, or leave out `at` and `window`: then each channel is one window";
        a.reports.push(shapes::rule(place, &title, &ty, help));
        return;
    }
    let count = match (at.get(1), window) {
        (Some(count), window) => {
            if window.is_some_and(|w| w % 2 == 0) {
                let help = "give an odd number, as in  window = 5";
                let title = "a window around a place has a middle, so its size is odd";
                a.reports.push(numbers::rule(span, title, "even", help));
                return;
            }
            Some(count.clone())
        }
        (None, Some(window)) => {
            if [rows, columns].iter().any(|n| n.as_number().is_some_and(|n| n % window != 0)) {
                let label = format!("{rows} × {columns} cells in windows of {window}");
                let help = "choose a window that divides both";
                a.reports.push(numbers::rule(span, "these windows do not fill the map", &label, help));
                return;
            }
            let (rows, columns) = (a.divide(rows, window), a.divide(columns, window));
            rows.mul(&columns)
        }
        (None, None) if given => None,
        (None, None) => Some(channels.clone()),
    };
    let count: Dim = count.unwrap_or_else(|| (a.unknown)("?"));
    a.set_dim(axis, count);
}

struct SoftArgmax;

impl Compute for SoftArgmax {
    fn backward_reads(&self, name: &str) -> bool {
        name == "at"
    }

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        memory(shapes)
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let windows = Windows::of(call)?;
        let weights = windows.softmax(call)?;
        let value = Tensor::cat(&windows.mean(&weights)?, 2)?;
        Ok(Output { value, saved: vec![weights] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("score") {
            return Ok(Gradients::new());
        }
        // dp/ds_c = w_c·(place(c) - p)/temperature.
        let windows = Windows::of(call)?;
        let along = |places: &Tensor, i: usize| {
            places.broadcast_sub(&output.value.narrow(2, i, 1)?)?.broadcast_mul(&grad.narrow(2, i, 1)?)
        };
        let slope = ((along(&windows.x, 0)? + along(&windows.y, 1)?)? * saved(output, 0)?)?;
        Ok(vec![("score", windows.to_score(call, &slope)?)])
    }
}

struct Dispersion;

impl Dispersion {
    /// The cells' places seen from the mean one, in pixels, and what counts of their distance: (B, N, K) each.
    fn spread(call: &Call, windows: &Windows, weights: &Tensor) -> Result<[Tensor; 3]> {
        let ([x, y], [width, height]) = (windows.mean(weights)?, half_sizes(call)?);
        let (x, y) = ((windows.x.broadcast_sub(&x)? * width)?, (windows.y.broadcast_sub(&y)? * height)?);
        let squares = (x.sqr()? + y.sqr()?)?;
        let far = if call.flag("squared")? { squares } else { squares.sqrt()? };
        Ok([x, y, far])
    }
}

impl Compute for Dispersion {
    fn backward_reads(&self, name: &str) -> bool {
        name == "at"
    }

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        memory(shapes)
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let windows = Windows::of(call)?;
        let weights = windows.softmax(call)?;
        let [_, _, far] = Self::spread(call, &windows, &weights)?;
        let value = (&weights * far)?.sum(2)?;
        Ok(Output { value, saved: vec![weights] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("score") {
            return Ok(Gradients::new());
        }
        let (windows, weights) = (Windows::of(call)?, saved(output, 0)?);
        let [x, y, far] = Self::spread(call, &windows, weights)?;
        let mut slope = far.broadcast_sub(&output.value.unsqueeze(2)?)?;
        if !call.flag("squared")? {
            // The mean place moves, too: by -Σ w·direction. Of the squares that is 0.
            let some = far.gt(0.0)?;
            let safe = some.where_cond(&far, &far.ones_like()?)?;
            let along = |d: &Tensor| ((weights * d)? / &safe)?.sum_keepdim(2);
            slope = ((slope - x.broadcast_mul(&along(&x)?)?)? - y.broadcast_mul(&along(&y)?)?)?;
        }
        let slope = (slope * weights)?.broadcast_mul(&grad.unsqueeze(2)?)?;
        Ok(vec![("score", windows.to_score(call, &slope)?)])
    }
}

/// The weights are kept; the tables of cells are made for each pass.
fn memory(shapes: &Shapes<'_>) -> Memory {
    let table = Windows::bytes(shapes);
    let (forward, backward) = (table.saturating_mul(6), table.saturating_mul(8));
    Memory { saved: table, forward, backward, ..Memory::default() }
}

/// Cases of both.
fn samples(of_lengths: bool) -> Result<Vec<Sample>> {
    let case = |name, shape: [usize; 4], count: usize| {
        let value: &[usize] = if of_lengths { &[shape[0], count] } else { &[shape[0], count, 2] };
        let sample = Sample::new(name, value).random("score", &shape, -1.0, 1.0)?.to(&["score"]);
        let sample = if of_lengths { sample.number("width", 36.0).number("height", 24.0) } else { sample };
        Ok::<_, candle_core::Error>(if of_lengths { sample.flag("squared", false) } else { sample })
    };
    let around = |s: Sample, reach: f64, count: usize| s.random("at", &[2, count, 2], -reach, reach);
    let mut list = vec![
        case("whole maps", [2, 3, 5, 7], 3)?.number("temperature", 0.5),
        case("tiles", [2, 1, 4, 6], 6)?.number("window", 2.0).number("temperature", 1.0),
        around(case("around places", [2, 1, 6, 5], 4)?, 1.0, 4)?.number("window", 3.0).number("temperature", 0.3),
        around(case("partly outside", [2, 1, 6, 5], 7)?, 1.9, 7)?.number("window", 5.0).number("temperature", 1.0),
        around(case("by default", [2, 1, 6, 5], 2)?, 0.5, 2)?.number("temperature", 1.0),
    ];
    if of_lengths {
        let squared = case("squared", [2, 2, 3, 4], 2)?.number("temperature", 0.7);
        let settings = squared.settings.0.iter().filter(|(name, _)| name != "squared").cloned().collect();
        list.push(Sample { settings: rord_lang::constant::Settings(settings), ..squared }.flag("squared", true));
    }
    Ok(list)
}
