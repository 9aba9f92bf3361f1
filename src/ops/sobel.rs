//! `sobel`: how steep a map is in each cell: `image |> sobel`.

use candle_core::{Result, Tensor};

use crate::compute::memory::Memory;
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::{Int, Text};
use crate::export::onnx::Numbers;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_kernels::slope::steepness;
use rord_lang::axis::Axis;
use rord_lang::range::Range;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "sobel",
    entry: Entry {
        signature: "sobel(x: Map[B, C, H, W]@f) -> Feat[B, C, H, W]@f",
        manual: MANUAL,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        lints: LintFacts { drops_sign: true, range: |_| Range::POSITIVE, ..LintFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Sobel),
    samples,
};

const MANUAL: &str = "\
How steep a map is in each cell: the length of its gradient by Sobel's filters.

    y = √(u² + v² + 1e-6)      u, v: x with [-1 0 1; -2 0 2; -1 0 1]/8 and its transpose

`x` is (B, C, H, W), each channel on its own; the outermost cells are repeated beyond the edge, so that no edge is seen there that
the picture does not have. The result does not change when the picture is inverted, and turns as it turns.

Source: `kornia.filters.sobel`; Sobel and Feldman, 1968.

```rord
model net(x: Image[B, 1, H, W]@f) {
  let steep = sobel(x)
  out y = steep / sqrt(avg_pool(square(steep), 31, stride = 1, pad = 15) + 1e-4) |> conv(8, 3)
}
```
";

/// The length of the gradient.
pub struct Sobel;

const EPS: f64 = 1e-6;

/// The slopes along rows and along columns, as filters.
const SLOPE_X: [f32; 9] = [-0.125, 0.0, 0.125, -0.25, 0.0, 0.25, -0.125, 0.0, 0.125];
const SLOPE_Y: [f32; 9] = [-0.125, -0.25, -0.125, 0.0, 0.0, 0.0, 0.125, 0.25, 0.125];

/// The same in PyTorch.
const SOBEL: &str = r#"
def sobel(x):
    """How steep each channel of (B, C, H, W) is; beyond its border the outermost cells go on."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    taps = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=x.dtype, device=x.device) / 8
    along = [F.conv2d(wide, t.expand(x.shape[1], 1, 3, 3), groups=x.shape[1]) for t in (taps, taps.T)]
    return (along[0].square() + along[1].square() + 1e-6).sqrt()
"#;

/// Both slopes of a map.
fn slopes(x: &Tensor) -> Result<[Tensor; 2]> {
    let (_, _, height, width) = x.dims4()?;
    let x = x.pad_with_same(2, 1, 1)?.pad_with_same(3, 1, 1)?;
    let [left, middle, right] = three(&x, 3, width)?;
    let (along, smooth) = ((&right - &left)?, ((left + right)? + (middle * 2.0)?)?);
    let [above, here, below] = three(&along, 2, height)?;
    let u = (((above + below)? + (here * 2.0)?)? * 0.125)?;
    let [above, _, below] = three(&smooth, 2, height)?;
    Ok([u, ((below - above)? * 0.125)?])
}

/// The parts of `size` cells along an axis that begin at 0, 1 and 2.
fn three(x: &Tensor, axis: usize, size: usize) -> Result<[Tensor; 3]> {
    Ok([x.narrow(axis, 0, size)?, x.narrow(axis, 1, size)?, x.narrow(axis, 2, size)?])
}

/// Zeros before and behind, along an axis: what [`three`] takes, put back.
fn put(x: &Tensor, axis: usize, at: usize) -> Result<Tensor> {
    x.pad_with_zeros(axis, at, 2 - at)
}

/// The gradient of repeating the outermost cells along an axis.
fn gathered(x: &Tensor, axis: usize, size: usize) -> Result<Tensor> {
    let first = x.narrow(axis, 0, 1)?.pad_with_zeros(axis, 0, size - 1)?;
    let last = x.narrow(axis, size + 1, 1)?.pad_with_zeros(axis, size - 1, 0)?;
    (x.narrow(axis, 1, size)? + first)? + last
}

impl Paths for Sobel {
    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let (_, _, height, width) = x.dims4()?;
        let value = read::<T, _, 1>([x], |[x]| steepness(x, (height, width), EPS))?.map_err(wrong)?;
        Ok(tensor(value, x.shape())?.into())
    }

    // Pictures have no gradient; where a map has one, Candle's operations do.
    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        self.lower_backward(call, output, grad)
    }

    fn memory(&self, shapes: &Shapes<'_>, wants: &[&str]) -> Memory {
        if wants.is_empty() { Memory::default() } else { Memory::of_tensor_operations(shapes) }
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let [u, v] = slopes(&call.tensor("x")?.contiguous()?)?;
        Ok(((u.sqr()? + v.sqr()?)? + EPS)?.sqrt()?.into())
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let x = call.tensor("x")?.contiguous()?;
        let (_, _, height, width) = x.dims4()?;
        let [u, v] = slopes(&x)?;
        let share = ((grad / &output.value)? * 0.125)?;
        let (u, v) = ((&share * u)?, (share * v)?);
        let along = ((put(&u, 2, 0)? + put(&u, 2, 2)?)? + (put(&u, 2, 1)? * 2.0)?)?;
        let smooth = (put(&v, 2, 2)? - put(&v, 2, 0)?)?;
        let padded = (put(&along, 3, 2)? - put(&along, 3, 0)?)?;
        let padded = ((padded + put(&smooth, 3, 0)?)? + ((put(&smooth, 3, 1)? * 2.0)? + put(&smooth, 3, 2)?)?)?;
        Ok(vec![("x", gathered(&gathered(&padded, 3, width)?, 2, height)?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let channels = call.size(call.argument("x")?.ty, &Axis::Channel)?;
        let pads = out.ints(&[0, 0, 1, 1, 0, 0, 1, 1]);
        let wide = out.op("Pad", &[call.name("x")?, &pads], vec![("mode", Text("edge"))]);
        let count = usize::try_from(channels).unwrap_or(0);
        let mut steep: Vec<String> = Vec::new();
        for taps in [SLOPE_X, SLOPE_Y] {
            let all = taps.iter().copied().cycle().take(taps.len().saturating_mul(count)).collect();
            let weight = out.constant(Numbers::Floats(vec![count, 1, 3, 3], all));
            let slope = out.op("Conv", &[&wide, &weight], vec![("group", Int(channels))]);
            steep.push(out.plain("Mul", &[&slope, &slope]));
        }
        let eps = out.number(EPS);
        let both = out.plain("Sum", &steep.iter().chain([&eps]).map(String::as_str).collect::<Vec<_>>());
        Ok(out.plain("Sqrt", &[&both]))
    }

    fn torch(&self, call: &Use, out: &mut Torch) -> Form {
        out.helper(SOBEL);
        Ok(format!("sobel({})", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("two channels", &[2, 2, 4, 5]).random("x", &[2, 2, 4, 5], -1.0, 1.0)?.to(&["x"]),
        Sample::new("a row", &[1, 1, 1, 6]).random("x", &[1, 1, 1, 6], -1.0, 1.0)?.to(&["x"]),
        Sample::new("one cell", &[1, 1, 1, 1]).random("x", &[1, 1, 1, 1], 0.0, 1.0)?.to(&["x"]),
    ])
}
