//! `distances`: how far apart every vector of one list is from every vector of another: `distances(va, vb)`.

use candle_core::{Result, Tensor};

use crate::compute::memory::{Memory, bytes};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::tables::{back, both, matmul, plain, result, turned};
use crate::compute::{Call, Gradients, Output};
use crate::hardneg::squares;
use crate::op::Op;
use rord_kernels::all_distances::{self, Of};
use rord_kernels::nearest::Lists;
use rord_lang::constant::Constant;
use rord_lang::vocabulary::{Compares, Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "distances",
    entry: Entry {
        signature: "distances(a: Vectors[N, C], b: Vectors[M, C], squared: Flag = false) -> Dist[N, M]",
        manual: MANUAL,
        batched: true,
        of_places: Some("place_distances"),
        lints: LintFacts {
            compares: Compares::Distances("a", "b"),
            range: |r| r.distance("a", "b"),
            ..LintFacts::NONE
        },
        graph: GraphFacts { apart: true, products: Some(crate::rules::ALL_PAIRS), ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Distances),
    samples,
};

const MANUAL: &str = "\
How far apart every vector of one list is from every vector of another.

    d[i, j] = sqrt(max(0, ‖a_i‖² + ‖b_j‖² - 2·a_i·b_j) + 1e-6)        squared = true:  d[i, j] = ‖a_i - b_j‖²

`a` is (N, C), `b` is (M, C); the result is a table (N, M): rows are a's, columns b's. Of (B, N, C) and (B, M, C) it is a
table (B, N, M) for each sample, and a list without a batch belongs to every sample. The 1e-6 keeps the slope of the
root finite, so equal vectors are 1e-3 apart. No (N, M, C) numbers are made. `rows` makes one list of the vectors of a
batch. Of places, `distances(p, q)` is in pixels and without the 1e-6: `place_distances`.

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

/// True where squares are asked for.
pub(crate) fn squared(call: &Call) -> bool {
    call.settings.flag("squared").unwrap_or(false)
}

/// How many vectors there are of each list, and their components.
fn lists(x: &Tensor, y: &Tensor) -> Result<Lists> {
    let ((batch, anchors, channels), candidates) = (x.dims3()?, y.dim(1)?);
    Ok(Lists { batch, anchors, candidates, channels })
}

/// What the kernels make of a square.
fn of<T: Element>(call: &Call) -> Of<T> {
    if squared(call) { Of::Square } else { Of::Root(T::of(EPS)) }
}

impl Paths for Distances {
    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        // What each difference counts, as large as the table.
        Memory { backward: bytes(&shapes.result), ..Memory::default() }
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        let g = lists(&x, &y)?;
        let table = read::<T, _, 2>([&x, &y], |[x, y]| all_distances::value(&g, x, y, of(call)))?.map_err(wrong)?;
        Ok(result(tensor(table, (g.batch, g.anchors, g.candidates))?, a, b)?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        let g = lists(&x, &y)?;
        let wanted = ["a", "b"].map(|name| call.wants(name));
        let found = read::<T, _, 4>([&x, &y, &output.value, grad], |[x, y, table, grad]| {
            all_distances::gradients(&g, (x, y), table, grad, of(call), wanted)
        })?;
        let [of_a, of_b] = found.map_err(wrong)?;
        let both = [("a", of_a, &x, a), ("b", of_b, &y, b)].into_iter().filter(|(name, ..)| call.wants(name));
        both.map(|(name, numbers, spread, own)| Ok((name, back(tensor(numbers, spread.shape())?, own)?))).collect()
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        let squares = squares(&x, &y)?;
        let value = if squared(call) { squares } else { (squares + EPS)?.sqrt()? };
        Ok(result(value, a, b)?.into())
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let (x, y) = both(a, b)?;
        // Only differences count: seen from one of them, vectors that are nearly the same leave little to be rounded.
        let (x, y) = match y.dim(1)? {
            0 => (x, y),
            _ => (x.broadcast_sub(&y.narrow(1, 0, 1)?)?, y.broadcast_sub(&y.narrow(1, 0, 1)?)?),
        };
        // d' = (a - b)/d, and 2·(a - b) of squares, added up over the partners.
        let weight = if squared(call) { (grad * 2.0)? } else { (grad / &output.value)? };
        let weight = if weight.rank() == 2 { weight.unsqueeze(0)? } else { weight };
        let one = |own: &Tensor, sum: Tensor, product: Tensor| own.broadcast_mul(&sum)? - product;
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", back(one(&x, weight.sum_keepdim(2)?, matmul(plain(&weight), plain(&y))?)?, a)?));
        }
        if call.wants("b") {
            out.push((
                "b",
                back(one(&y, weight.sum_keepdim(1)?.transpose(1, 2)?, matmul(turned(&weight), plain(&x))?)?, b)?,
            ));
        }
        Ok(out)
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, value: &[usize], a: &[usize], b: &[usize]| {
        let sample = Sample::new(name, value).random("a", a, -1.0, 1.0)?.random("b", b, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.to(&["a", "b"]))
    };
    Ok(vec![
        case("square", &[4, 4], &[4, 5], &[4, 5])?,
        case("oblong", &[3, 7], &[3, 2], &[7, 2])?,
        case("a batch", &[2, 3, 7], &[2, 3, 5], &[2, 7, 5])?,
        case("one list for a batch", &[2, 4, 3], &[4, 5], &[2, 3, 5])?,
        case("squared", &[3, 7], &[3, 2], &[7, 2])?.setting("squared", Constant::Flag(true)),
        Sample::new("identical", &[2, 2])
            .filled("a", &[2, 3], 0.7)?
            .filled("b", &[2, 3], 0.7)?
            .to(&["a", "b"])
            .kinked(),
    ])
}
