//! `inside`: which cells of a warped map took their whole weight from inside the source: `inside(inv(H), like = det)`.

use candle_core::Result;

use crate::compute::bilinear::{inside, of_matrices};
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::warp::{MATRICES, matrices, size};
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "inside",
    entry: Entry {
        signature: "inside(by: Homography[B]@a->b, like: Map[B, _, h, w]@b) -> Mask[B, 1, h, w]@b",
        manual: MANUAL,
        lints: LintFacts { shows_border: true, ..LintFacts::NONE },
        graph: GraphFacts {
            apart: true,
            inverted: Some(("by", "back")),
            shape_only: &["like"],
            stops_gradient: true,
            ..GraphFacts::NONE
        },
        ..Entry::PLAIN
    },
    compute: Some(&Inside),
    samples,
};

const MANUAL: &str = "\
Marks the cells of a warped map that were read from inside the source alone.

    inside(T, like)(q) = 1 where every cell that warp(·, T)(q) reads with a weight above 0 exists, else 0

`T` is (B, 3, 3) from frame a to frame b; the result is a mask (B, 1, h, w) of the size of `like`, in frame b. The
source is taken to have that size, too. A place within 1e-4 of a cell outside counts as inside, so the symmetries of the
square give 1 everywhere. There is no gradient.

```rord
input score: Prob[B, 1, H, W]@orig
input H:     Homography[B]@orig->moved
let seen = inside(inv(H), like = score)
```
";

/// The mask of valid cells. Its input is named `back`, as `warp`'s.
pub struct Inside;

impl Compute for Inside {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (back, (p, q)) = (call.tensor("back")?, size(call)?);
        let batch = back.dim(0)?;
        matrices(back, batch)?;
        Ok(inside(&of_matrices(back, (p, q), (p, q))?, p, q)?.reshape((batch, 1, p, q))?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("square", &[2, 1, 5, 5]).given("back", &[2, 3, 3], MATRICES.to_vec())?,
        Sample::new("oblong", &[2, 1, 3, 8]).given("back", &[2, 3, 3], MATRICES.to_vec())?,
        Sample::new("no matrix at all", &[1, 1, 2, 2]).filled("back", &[1, 3, 3], 0.0)?,
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::compute::samples::numbers;

    #[test]
    fn all_symmetries_are_inside_and_a_shift_is_not() {
        for n in [1usize, 5, 32, 127] {
            for code in 0..9 {
                let sign = |bit: usize| if code & bit == 0 { 1.0 } else { -1.0 };
                let m = match code {
                    8 => vec![1.0, 0.0, 2.0 / n as f64, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
                    _ if code & 4 == 0 => vec![sign(1), 0.0, 0.0, 0.0, sign(2), 0.0, 0.0, 0.0, 1.0],
                    _ => vec![0.0, sign(1), 0.0, sign(2), 0.0, 0.0, 0.0, 0.0, 1.0],
                };
                let sample = Sample::new("symmetry", &[1, 1, n, n]).given("back", &[1, 3, 3], m).unwrap();
                let sample = sample.on(DType::F32, &Device::Cpu).unwrap();
                let sum: f64 = numbers(&sample.forward(&Inside).unwrap().value).unwrap().iter().sum();
                assert_eq!(sum, if code == 8 { n * (n - 1) } else { n * n } as f64, "{code} of {n}");
            }
        }
    }
}
