//! `warp`: a map moved into another frame: `warp(det_r, inv(H))`.

use candle_core::{Result, Tensor};

use crate::compute::bilinear::{maps, of_matrices, read, read_backward};
use crate::compute::layout::{self, Order, order};
use crate::compute::samples::Sample;
use crate::compute::slices::{self, Element, Paths, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::op::Op;
use rord_device::bilinear::{self as device, At};
use rord_kernels::bilinear as kernel;
use rord_lang::constant::Settings;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "warp",
    entry: Entry {
        signature: "warp(x: Map[B, C, h, w]@a, by: Homography[B]@a->b, \
                    like: Map[B, _, p, q]@b = none) -> Map[B, C, _, _]@b",
        manual: MANUAL,
        rule,
        lints: LintFacts { pads: Some("by"), ..LintFacts::AVERAGE },
        graph: GraphFacts { apart: true, inverted: Some(("by", "back")), shape_only: &["like"], ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Warp),
    samples,
};

const MANUAL: &str = "\
Moves a map by a homography into the frame that the homography leads to.

    warp(x, T)(q) = x(T⁻¹ q)      bilinear between the four nearest cells, 0 outside

`x` is (B, C, h, w) in frame a, `T` is (B, 3, 3) from a to b; the result is in frame b and has the size of `like`, or of
`x`. Places are normalized to [-1, 1] with the center of cell i of n at (2i + 1)/n - 1, so one matrix is right at every
stride. What lies behind the projective horizon (w ≤ 0) is outside. A place within 1e-4 of a cell beyond the center of
an outermost cell counts as on it: the symmetries of the square are exact permutations and no border darkens. The
gradient goes to `x`; the matrix has none.

Source: `torch.nn.functional.grid_sample(x, affine_grid(T⁻¹), padding_mode = \"zeros\", align_corners = False)`.

```rord
input det_r: Prob[B, 1, H, W]@moved
input H:     Homography[B]@orig->moved
let home = warp(det_r, inv(H))
```
";

/// What is interpolated with zeros around stays a probability, but is no longer 0 or 1, nor of length 1.
fn rule(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    if a.result.kind.is(Kind::Prob) {
        a.result.kind = Kind::Prob; // a mask or a label no more
    }
    let dims = if a.ty("like").is_some() { a.dims("like") } else { a.dims("x") };
    for axis in [2, 3] {
        if let Some(dim) = dims.get(axis) {
            a.set_dim(axis, dim.clone());
        }
    }
}

/// The bilinear warp. Its second input is named `back`: it takes a normalized place of the result to the place in `x`
/// it comes from, which is the inverse of the matrix a user writes.
pub struct Warp;

/// The sizes of the result: (height, width).
pub(crate) fn size(call: &Call) -> Result<(usize, usize)> {
    match call.shape {
        [_, _, height, width] => Ok((*height, *width)),
        _ => Err(candle_core::Error::msg("the result of a warp has four axes")),
    }
}

/// Fails unless there is one matrix for each of `batch` images.
pub(crate) fn matrices(back: &Tensor, batch: usize) -> Result<()> {
    if back.dims() == [batch, 3, 3] {
        Ok(())
    } else {
        Err(candle_core::Error::msg("one 3 × 3 matrix for each image is needed"))
    }
}

impl Paths for Warp {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, name: &str) -> bool {
        name != "x"
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (x, back, (p, q)) = (call.tensor("x")?, call.tensor("back")?, size(call)?);
        let g = maps(x)?;
        matrices(back, g.batch)?;
        let places = of_matrices(back, (p, q), (g.height, g.width))?;
        Ok(read(x, &places)?.reshape((g.batch, g.channels, p, q))?.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let (x, back) = (call.tensor("x")?, call.tensor("back")?);
        let g = maps(x)?;
        let places = of_matrices(back, size(call)?, (g.height, g.width))?;
        Ok(vec![("x", read_backward(x, &places, &grad.contiguous()?.flatten_from(2)?)?)])
    }

    fn device(&self, call: &Call) -> Result<Option<Output>> {
        let (x, back) = (call.tensor("x")?, call.tensor("back")?);
        matrices(back, maps(x)?.batch)?;
        Ok(Some(device::read(x, &At::Moved(back, size(call)?))?.into()))
    }

    fn device_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Option<Gradients>> {
        let (x, back) = (call.tensor("x")?, call.tensor("back")?);
        let mut out = Gradients::new();
        if call.wants("x") {
            out.push(("x", device::read_back(grad, &At::Moved(back, size(call)?), x.dims4()?)?));
        }
        Ok(Some(out))
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (x, back, (p, q)) = (call.tensor("x")?, call.tensor("back")?, size(call)?);
        let g = maps(x)?;
        matrices(back, g.batch)?;
        let order = order(x);
        if order == Order::Last {
            let taps = slices::read::<T, _, 1>([back], |[m]| kernel::taps_of_matrices(&g, m, (p, q)))?;
            let taps = taps.map_err(wrong)?;
            let value = layout::read::<T, _, 1>(order, [x], |[x]| kernel::read_last(&g, x, &taps, p * q))?;
            return Ok(layout::tensor(order, value.map_err(wrong)?, &[g.batch, g.channels, p, q])?.into());
        }
        let value = slices::read::<T, _, 2>([x, back], |[x, back]| {
            kernel::read(&g, x, &kernel::taps_of_matrices(&g, back, (p, q))?, p * q)
        })?;
        Ok(tensor(value.map_err(wrong)?, (g.batch, g.channels, p, q))?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let (x, back, (p, q)) = (call.tensor("x")?, call.tensor("back")?, size(call)?);
        let g = maps(x)?;
        let order = order(grad);
        if order == Order::Last {
            let taps = slices::read::<T, _, 1>([back], |[m]| kernel::taps_of_matrices(&g, m, (p, q)))?;
            let taps = taps.map_err(wrong)?;
            let out =
                layout::read::<T, _, 1>(order, [grad], |[grad]| kernel::read_backward_last(&g, grad, &taps, p * q))?;
            return Ok(vec![("x", layout::tensor(order, out.map_err(wrong)?, x.dims())?)]);
        }
        let out = slices::read::<T, _, 2>([back, grad], |[back, grad]| {
            kernel::read_backward(&g, grad, &kernel::taps_of_matrices(&g, back, (p, q))?, p * q)
        })?;
        Ok(vec![("x", tensor(out.map_err(wrong)?, x.shape())?)])
    }
}

/// A quarter turn, and a projective matrix near the identity.
pub(crate) const MATRICES: [f64; 18] =
    [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.9, 0.2, 0.1, -0.15, 1.1, -0.2, 0.1, -0.05, 1.0];

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let x = |name, shape: &[usize; 4], from: &[usize; 4]| {
        Sample::new(name, shape).random("x", from, -1.0, 1.0).map(|s| s.to(&["x"]))
    };
    let far = vec![1.0, 0.0, 5.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let behind = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.3];
    Ok(vec![
        x("square", &[2, 3, 5, 5], &[2, 3, 5, 5])?.given("back", &[2, 3, 3], MATRICES.to_vec())?,
        x("odd and oblong, other size", &[2, 2, 6, 3], &[2, 2, 5, 7])?.given("back", &[2, 3, 3], MATRICES.to_vec())?,
        x("all outside", &[1, 1, 4, 4], &[1, 1, 4, 4])?.given("back", &[1, 3, 3], far)?,
        x("partly behind", &[1, 1, 6, 5], &[1, 1, 4, 5])?.given("back", &[1, 3, 3], behind)?,
        x("no matrix at all", &[1, 1, 3, 4], &[1, 1, 3, 4])?.filled("back", &[1, 3, 3], 0.0)?,
        x("one cell", &[1, 1, 2, 2], &[1, 1, 1, 1])?.given(
            "back",
            &[1, 3, 3],
            MATRICES.iter().skip(9).copied().collect(),
        )?,
    ])
}
