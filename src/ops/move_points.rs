//! `move`: points taken along by a homography: `move(points, H)`.

use candle_core::{Result, Tensor};

use crate::compute::places::sizes;
use crate::compute::samples::Sample;
use crate::compute::tables::{matmul, plain, turned};
use crate::compute::{Call, Compute, Gradients, Output};
use crate::op::Op;
use crate::warp::matrices;
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "move",
    entry: Entry {
        signature: "move(points: Points[B, N]@a, by: Homography[B]@a->b) -> Points[B, N]@b",
        manual: MANUAL,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Move),
    samples,
};

const MANUAL: &str = "\
Takes points along by a homography.

    (x', y') = (u/w, v/w)   with   (u, v, w) = T · (x, y, 1)

`points` is (B, N, 2), normalized, in frame a; `by` is (B, 3, 3) from a to b; the result is (B, N, 2) in b. A point that
is sent to or beyond the horizon (w ≤ 0) lands at (1e6, 1e6), and no coordinate leaves ±1e6: far outside every map, yet
a number. The gradient goes to the points, and is 0 where a coordinate is held at ±1e6; the matrix has none.

```rord
input points: Points[B, N]@orig
input H:      Homography[B]@orig->moved
let there = move(points, H)
```
";

/// A homography applied to points.
pub struct Move;

/// Where a point goes that has no image.
pub const FAR: f64 = 1e6;

/// (u, v) and w of every point under its matrix, 1 for a w that is not positive, and where w is.
fn projected(points: &Tensor, by: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    let (batch, count) = sizes(points)?;
    matrices(by, batch)?;
    let one = Tensor::ones((batch, count, 1), points.dtype(), points.device())?;
    let places = matmul(plain(&Tensor::cat(&[points, &one], 2)?), turned(by))?;
    let w = places.narrow(2, 2, 1)?;
    let front = w.gt(0.0)?;
    let w = front.where_cond(&w, &w.ones_like()?)?;
    Ok((places.narrow(2, 0, 2)?, w, front))
}

impl Compute for Move {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (points, by) = (call.tensor("points")?, call.tensor("by")?);
        let (places, w, front) = projected(points, by)?;
        let moved = places.broadcast_div(&w)?.minimum(FAR)?.maximum(-FAR)?;
        let far = (moved.zeros_like()? + FAR)?;
        Ok(front.broadcast_as(moved.shape())?.contiguous()?.where_cond(&moved, &far)?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("points") {
            return Ok(Gradients::new());
        }
        let by = call.tensor("by")?;
        let (_, w, front) = projected(call.tensor("points")?, by)?;
        let free =
            output.value.abs()?.lt(FAR)?.to_dtype(grad.dtype())?.broadcast_mul(&front.to_dtype(grad.dtype())?)?;
        // Of (u, v, w): g/w for u and v, and -(g·moved)/w for w; these came from the points by the matrix.
        let straight = (grad * free)?.broadcast_div(&w)?;
        let depth = (&straight * &output.value)?.sum_keepdim(2)?.neg()?;
        let back = matmul(plain(&Tensor::cat(&[straight, depth], 2)?), plain(by))?;
        Ok(vec![("points", back.narrow(2, 0, 2)?.contiguous()?)])
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let m = crate::warp::MATRICES.to_vec();
    let horizon = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    Ok(vec![
        Sample::new("two", &[2, 5, 2])
            .random("points", &[2, 5, 2], -1.0, 1.0)?
            .given("by", &[2, 3, 3], m)?
            .to(&["points"]),
        Sample::new("horizon", &[1, 4, 2])
            .given("points", &[1, 4, 2], vec![0.0, 0.0, -1.0, 1.0, 1e-30, 1.0, 0.5, 0.5])?
            .given("by", &[1, 3, 3], horizon)?
            .to(&["points"])
            .kinked(),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::numbers;

    #[test]
    fn points_without_an_image_are_far_and_finite() {
        let list = samples().unwrap();
        let out = numbers(&list[1].forward(&Move).unwrap().value).unwrap();
        assert_eq!(out, [FAR, FAR, FAR, FAR, 1.0, FAR, 1.0, 1.0]);
        let [points, by] = [0, 1].map(|i| numbers(&list[0].inputs[i].1).unwrap());
        let out = numbers(&list[0].forward(&Move).unwrap().value).unwrap();
        for (i, (p, q)) in points.chunks(2).zip(out.chunks(2)).enumerate() {
            let m = &by[i / 5 * 9..][..9];
            let [u, v, w] = [0, 3, 6].map(|r| m[r] * p[0] + m[r + 1] * p[1] + m[r + 2]);
            assert!((q[0] - u / w).abs() < 1e-12 && (q[1] - v / w).abs() < 1e-12);
        }
    }
}
