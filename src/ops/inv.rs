//! `inv`: the homography that leads back: `inv(H)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use crate::warp::matrices;
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "inv",
    entry: Entry {
        signature: "inv(x: Homography[B]@a->b) -> Homography[B]@b->a",
        manual: MANUAL,
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Inv),
    samples,
};

const MANUAL: &str = "\
The homography that leads back: from b to a, if its argument leads from a to b.

    inv(T) = adj(T) / det(T), divided by its last element where that is positive

(B, 3, 3) in and out. A homography is a matrix up to a positive factor, and the last element is made 1 where that keeps
the sign of w (the side of the horizon a place is on). A matrix of determinant 0 has no inverse: its result is the zero
matrix, which sends every place outside. There is no gradient.

Source: `torch.linalg.inv`, up to the factor.

```rord
input H: Homography[B]@orig->moved
let back = inv(H)
```
";

/// The inverse of 3 × 3 matrices.
pub struct Inv;

impl Compute for Inv {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let batch = x.dim(0)?;
        matrices(x, batch)?;
        let flat = x.reshape((batch, 9))?;
        let at = |i: usize| flat.narrow(1, i, 1);
        let minor = |a: usize, b: usize, c: usize, d: usize| (at(a)? * at(b)?)? - (at(c)? * at(d)?)?;
        let adjugate = [
            minor(4, 8, 5, 7)?,
            minor(2, 7, 1, 8)?,
            minor(1, 5, 2, 4)?,
            minor(5, 6, 3, 8)?,
            minor(0, 8, 2, 6)?,
            minor(2, 3, 0, 5)?,
            minor(3, 7, 4, 6)?,
            minor(1, 6, 0, 7)?,
            minor(0, 4, 1, 3)?,
        ];
        let [a, _, _, b, _, _, c, _, last] = &adjugate;
        let det = (((at(0)? * a)? + (at(1)? * b)?)? + (at(2)? * c)?)?;
        // Of (adj/det) the last element is last/det: where that is positive, adj/last is the same matrix, scaled.
        let positive = (last * &det)?.gt(0.0)?;
        let divisor = positive.where_cond(last, &det)?;
        let none = det.eq(0.0)?;
        let divisor = none.where_cond(&det.ones_like()?, &divisor)?;
        let out = Tensor::cat(&adjugate, 1)?.broadcast_div(&divisor)?;
        let none = none.broadcast_as(out.shape())?;
        Ok(none.where_cond(&out.zeros_like()?, &out)?.reshape((batch, 3, 3))?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("two", &[2, 3, 3]).given("x", &[2, 3, 3], crate::warp::MATRICES.to_vec())?,
        Sample::new("singular", &[1, 3, 3]).filled("x", &[1, 3, 3], 1.0)?,
        Sample::new("last element 0", &[1, 3, 3]).given(
            "x",
            &[1, 3, 3],
            vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0],
        )?,
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compose::Compose;
    use crate::compute::samples::numbers;

    #[test]
    fn a_matrix_and_its_inverse_compose_to_the_identity_up_to_a_positive_factor() {
        let list = samples().unwrap();
        for sample in [&list[0], &list[2]] {
            let back = sample.forward(&Inv).unwrap().value;
            let mut both = sample.clone();
            both.inputs = vec![("a", sample.inputs[0].1.clone()), ("b", back)];
            for m in numbers(&both.forward(&Compose).unwrap().value).unwrap().chunks(9) {
                assert!(m[8] > 0.0);
                for (i, x) in m.iter().enumerate() {
                    assert!((x / m[8] - if i % 4 == 0 { 1.0 } else { 0.0 }).abs() < 1e-12, "{m:?}");
                }
            }
        }
        assert!(numbers(&list[1].forward(&Inv).unwrap().value).unwrap().iter().all(|x| *x == 0.0));
        assert_eq!(numbers(&list[0].forward(&Inv).unwrap().value).unwrap()[17], 1.0);
    }
}
