//! `distances` of places, and `near`: how far apart all places of two lists are, and which are close.

use candle_core::{Result, Tensor};

use crate::compute::places::{half_sizes, sizes};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::distances::squared;
use crate::op::Op;
use rord_kernels::places::{self as kernel, Pairs};
use rord_lang::constant::Constant;
use rord_lang::range::Range;
use rord_lang::vocabulary::{Compares, Entry, GraphFacts, LintFacts};

/// All distances.
pub static DISTANCES: Op = Op {
    name: "place_distances",
    entry: Entry {
        signature: "place_distances(a: Points[B, N]@f, b: Points[B, M]@f, squared: Flag = false) -> \
                    Dist[batch B, row N, column M]",
        manual: "\
`distances(p, q)` of places: how far apart every place of one list is from every place of another, in pixels.

    d[i, j] = ‖(p_i - q_j)·(width, height)/2‖        squared = true:  the square of it

`a` is (B, N, 2) and `b` (B, M, 2), normalized, in one frame; the result is (B, N, M): a table for each sample, rows are
a's, columns b's. Pixels are those of the image that declares the frame. The gradient goes to both, and is 0 for places
at one point.

Source: `torch.cdist(a, b)`.

```rord
input image: Image[B, 1, R, S]@f
input det:   Prob[B, 1, H, W]@f
input p:     Points[B, N]@f
let far = distances(p, coords(like = det))
```
",
        operator: true,
        pixels_of: Some("a"),
        in_pixels: true,
        lints: LintFacts { compares: Compares::Distances("a", "b"), range: |_| Range::POSITIVE, ..LintFacts::NONE },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Distances),
    samples: distances_samples,
};

/// Who is near.
pub static NEAR: Op = Op {
    name: "near",
    entry: Entry {
        signature: "near(a: Points[B, N]@f, b: Points[B, M]@f, within: Pixels) -> Mask[batch B, row N, column M]",
        manual: "\
Marks the pairs of places that are close to one another.

    near[i, j] = 1 where ‖(p_i - q_j)·(width, height)/2‖ ≤ within, else 0

`a` is (B, N, 2) and `b` (B, M, 2), normalized, in one frame; the result is (B, N, M): a mask, a table for each sample,
rows are a's, columns b's. `within` is in pixels of the image that declares the frame. There is no gradient.

Source: the correspondences of DeTone, Malisiewicz and Rabinovich, SuperPoint, 2018, equation 4; `torch.cdist(a, b) <=
within`.

```rord
input image_r: Image[B, 1, R, S]@moved
input desc:    Desc[B, 128, H, W]@orig
input desc_r:  Desc[B, 128, H, W]@moved
input H:       Homography[B]@orig->moved
let same = near(move(coords(like = desc), H), coords(like = desc_r), within = 8px)
```
",
        rule: |a| crate::rules::between(a, "within", 0.0, 1e6, false),
        pixels_of: Some("a"),
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Near),
    samples: near_samples,
};

/// The sizes of both lists.
fn lists(call: &Call) -> Result<[usize; 3]> {
    let ((batch, rows), (other, columns)) = (sizes(call.tensor("a")?)?, sizes(call.tensor("b")?)?);
    if batch != other {
        return Err(candle_core::Error::msg("the lists of places are not of one batch"));
    }
    Ok([batch, rows, columns])
}

fn pairs<T: Element>(call: &Call) -> Result<Pairs<T>> {
    let ([batch, rows, columns], half) = (lists(call)?, half_sizes(call)?);
    Ok(Pairs { batch, rows, columns, scale: half.map(T::of) })
}

/// The differences of all pairs in pixels, in x and in y: (B, N, M) each.
fn differences(call: &Call) -> Result<[Tensor; 2]> {
    lists(call)?;
    let (a, b, [width, height]) = (call.tensor("a")?, call.tensor("b")?, half_sizes(call)?);
    let along = |i: usize, half: f64| a.narrow(2, i, 1)?.broadcast_sub(&b.narrow(2, i, 1)?.transpose(1, 2)?)? * half;
    Ok([along(0, width)?, along(1, height)?])
}

fn squares(call: &Call) -> Result<Tensor> {
    let [x, y] = differences(call)?;
    x.sqr()? + y.sqr()?
}

struct Distances;

impl Paths for Distances {
    fn lower(&self, call: &Call) -> Result<Output> {
        let squares = squares(call)?;
        Ok(if squared(call) { squares } else { squares.sqrt()? }.into())
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let some = output.value.gt(0.0)?;
        let safe = some.where_cond(&output.value, &output.value.ones_like()?)?;
        let slope = match squared(call) {
            true => (grad * 2.0)?,
            false => ((grad / safe)? * some.to_dtype(grad.dtype())?)?,
        };
        let [x, y] = differences(call)?;
        let [width, height] = half_sizes(call)?;
        let (x, y) = (((x * &slope)? * width)?, ((y * &slope)? * height)?);
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", Tensor::stack(&[x.sum(2)?, y.sum(2)?], 2)?));
        }
        if call.wants("b") {
            out.push(("b", Tensor::stack(&[x.sum(1)?, y.sum(1)?], 2)?.neg()?));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        if squared(call) {
            return self.lower(call);
        }
        let g = pairs::<T>(call)?;
        let tensors = [call.tensor("a")?, call.tensor("b")?];
        let value = read::<T, _, 2>(tensors, |[a, b]| kernel::distances(&g, a, b))?;
        Ok(tensor(value.map_err(wrong)?, (g.batch, g.rows, g.columns))?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if squared(call) {
            return self.lower_backward(call, output, grad);
        }
        let g = pairs::<T>(call)?;
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let tensors = [a, b, &output.value, grad];
        let slopes =
            read::<T, _, 4>(tensors, |[a, b, values, grad]| kernel::distances_backward(&g, (a, b), values, grad))?;
        let [to_a, to_b] = slopes.map_err(wrong)?;
        let both = [("a", tensor(to_a, a.shape())?), ("b", tensor(to_b, b.shape())?)];
        Ok(both.into_iter().filter(|(name, _)| call.wants(name)).collect())
    }
}

struct Near;

impl Paths for Near {
    fn lower(&self, call: &Call) -> Result<Output> {
        let within = call.number("within")?;
        let squares = squares(call)?;
        Ok(squares.le(within * within)?.to_dtype(squares.dtype())?.into())
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (g, within) = (pairs::<T>(call)?, T::of(call.number("within")?));
        let tensors = [call.tensor("a")?, call.tensor("b")?];
        let value = read::<T, _, 2>(tensors, |[a, b]| kernel::near(&g, a, b, within))?;
        Ok(tensor(value.map_err(wrong)?, (g.batch, g.rows, g.columns))?.into())
    }
}

fn case(name: &'static str, batch: usize, rows: usize, columns: usize) -> Result<Sample> {
    let sample = Sample::new(name, &[batch, rows, columns]).random("a", &[batch, rows, 2], -1.0, 1.0)?;
    let sample = sample.random("b", &[batch, columns, 2], -1.0, 1.0)?;
    Ok(sample.number("width", 36.0).number("height", 24.0))
}

fn distances_samples() -> Result<Vec<Sample>> {
    let to = |sample: Sample| sample.to(&["a", "b"]);
    let same = Sample::new("equal", &[1, 2, 2]).filled("a", &[1, 2, 2], 0.3)?.filled("b", &[1, 2, 2], 0.3)?;
    Ok(vec![
        to(case("oblong", 2, 3, 5)?),
        to(case("one pair", 1, 1, 1)?),
        to(case("squared", 2, 3, 5)?.setting("squared", Constant::Flag(true))),
        to(same.number("width", 36.0).number("height", 24.0)).kinked(),
    ])
}

fn near_samples() -> Result<Vec<Sample>> {
    Ok(vec![case("oblong", 2, 3, 5)?.number("within", 12.0), case("none", 1, 2, 2)?.number("within", 0.0)])
}
