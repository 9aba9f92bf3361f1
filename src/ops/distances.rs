//! `distances`: how far apart every vector of one list is from every vector of another: `distances(va, vb)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::hardneg::squares;
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "distances",
    entry: Entry {
        signature: "distances(a: Vectors[N, C], b: Vectors[M, C]) -> Dist[N, M]",
        manual: MANUAL,
        of_places: Some("place_distances"),
        graph: GraphFacts { products: Some(crate::rules::ALL_PAIRS), ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Distances),
    samples,
};

const MANUAL: &str = "\
How far apart every vector of one list is from every vector of another.

    d[i, j] = sqrt(max(0, ‖a_i‖² + ‖b_j‖² - 2·a_i·b_j) + 1e-6)

`a` is (N, C), `b` is (M, C); the result is (N, M): rows are a's, columns b's. The 1e-6 keeps the slope of the root
finite, so equal vectors are 1e-3 apart. No (N, M, C) numbers are made. `rows` makes such lists of vectors that were
sampled from maps. Of places, `distances(p, q)` is in pixels and without the 1e-6: `place_distances`.

Source: Mishchuk et al., HardNet, 2017, whose reference implementation has the same 1e-6; `torch.cdist(a, b)` but for
that.

```rord
input a: Vectors[N, 128]
input b: Vectors[N, 128]
let d = distances(a, b)
```
";

/// All distances of two lists of vectors.
pub struct Distances;

/// Added below the root.
const EPS: f64 = 1e-6;

impl Compute for Distances {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?.unsqueeze(0)?, call.tensor("b")?.unsqueeze(0)?);
        Ok((squares(&a, &b)?.squeeze(0)? + EPS)?.sqrt()?.into())
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        // d' = (a - b)/d, added up over the partners.
        let weight = (grad / &output.value)?;
        let one = |own: &Tensor, other: &Tensor, weight: &Tensor| -> Result<Tensor> {
            let sum = weight.sum_keepdim(1)?;
            own.broadcast_mul(&sum)? - weight.contiguous()?.matmul(&other.contiguous()?)?
        };
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", one(a, b, &weight)?));
        }
        if call.wants("b") {
            out.push(("b", one(b, a, &weight.t()?.contiguous()?)?));
        }
        Ok(out)
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, n: usize, m: usize, c: usize| {
        let sample = Sample::new(name, &[n, m]).random("a", &[n, c], -1.0, 1.0)?.random("b", &[m, c], -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.to(&["a", "b"]))
    };
    Ok(vec![
        case("square", 4, 4, 5)?,
        case("oblong", 3, 7, 2)?,
        Sample::new("identical", &[2, 2])
            .filled("a", &[2, 3], 0.7)?
            .filled("b", &[2, 3], 0.7)?
            .to(&["a", "b"])
            .kinked(),
    ])
}
