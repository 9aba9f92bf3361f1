//! `upsample`: a map made larger: `x |> upsample(2, mode = bilinear)`.

use candle_core::{Result, Tensor};

use crate::compute::fields::{As, OnFields};
use crate::compute::layout::{Order, order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, constant, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::Text;
use crate::export::onnx::Numbers;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::positive;
use rord_kernels::resample::{Taps, resample};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "upsample",
    entry: Entry {
        signature: "upsample(x: Map[B, C, H, W]@f, by: Count, mode: Word = nearest) -> Map[B, C, _, _]@f",
        manual: MANUAL,
        lints: LintFacts::AVERAGE,
        rule,
        words: &[("mode", &["nearest", "bilinear"])],
        fields: true,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&OnFields(Upsample, As::Channels)),
    samples,
};

const MANUAL: &str = "\
Makes a map larger by a whole factor.

`x` is (B, C, H, W); the result is (B, C, by·H, by·W). `mode = nearest` repeats each cell; `mode = bilinear` reads
between the four nearest cell centers (`align_corners = false`), the border's cells going on beyond it.

Errors: `by` of 0; another mode.

Source: `torch.nn.Upsample(scale_factor = by, mode = mode)`.

```rord
input x: Feat[B, 8, H, W]@f
let y = upsample(x, 2)
```
";

fn rule(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    if a.word("mode") == Some("bilinear") {
        crate::rules::averaged(a);
    }
    if !positive(a, "by") {
        return;
    }
    let (dims, by) = (a.dims("x"), a.count("by"));
    for axis in [2, 3] {
        if let Some(dim) = dims.get(axis) {
            let size = by.and_then(|by| dim.times(by)).unwrap_or_else(|| (a.unknown)("?"));
            a.set_dim(axis, size);
        }
    }
}

/// Enlargement by a whole factor.
pub struct Upsample;

/// The (by·n, n) matrix that enlarges one axis.
fn matrix(n: usize, by: usize, like: &Tensor) -> Result<Tensor> {
    if n == 0 {
        return Err(candle_core::Error::msg("a map without cells cannot be enlarged"));
    }
    let mut rows = vec![0.0; by * n * n];
    for (i, row) in rows.chunks_exact_mut(n).enumerate() {
        let place = ((i as f64 + 0.5) / by as f64 - 0.5).max(0.0);
        let low = (place.floor() as usize).min(n - 1);
        let part = place - low as f64;
        for (cell, weight) in [(low, 1.0 - part), ((low + 1).min(n - 1), part)] {
            if let Some(number) = row.get_mut(cell) {
                *number += weight;
            }
        }
    }
    constant(rows, (by * n, n), like)
}

/// Every map of `x` (B, C, H, W) as `rows` · map · `columns`ᵀ.
fn both_axes(x: &Tensor, rows: &Tensor, columns: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let (p, q) = (rows.dim(0)?, columns.dim(0)?);
    let wide = x.contiguous()?.reshape((b * c * h, w))?.matmul(&columns.t()?.contiguous()?)?;
    let turned = wide.reshape((b * c, h, q))?.transpose(1, 2)?.contiguous()?.reshape((b * c * q, h))?;
    let tall = turned.matmul(&rows.t()?.contiguous()?)?;
    tall.reshape((b * c, q, p))?.transpose(1, 2)?.contiguous()?.reshape((b, c, p, q))
}

/// `x` with each cell repeated along both axes, by Candle's operations.
pub(crate) fn repeated(x: &Tensor, by: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let cells = x.reshape((b * c, h, 1, w, 1))?.broadcast_as((b * c, h, by, w, by))?;
    cells.contiguous()?.reshape((b, c, by * h, by * w))
}

/// The way back: the sum over the cells that one became.
pub(crate) fn summed(grad: &Tensor, by: usize) -> Result<Tensor> {
    let (b, c, h, w) = grad.dims4()?;
    let cells = grad.contiguous()?.reshape((b * c, h / by, by, w / by, by))?;
    cells.sum((2, 4))?.reshape((b, c, h / by, w / by))
}

/// The factor, and true for the bilinear mode.
fn settings(call: &Call) -> Result<(usize, bool)> {
    let bilinear = match call.text("mode")? {
        "nearest" => false,
        "bilinear" => true,
        other => return Err(candle_core::Error::msg(format!("`mode = {other}` is none of nearest, bilinear"))),
    };
    match call.count("by")? {
        0 => Err(candle_core::Error::msg("`by` is at least 1")),
        by => Ok((by, bilinear)),
    }
}

/// How the cells of both axes are made, by kernels.
fn taps<T: Element>(call: &Call) -> Result<[Taps<T>; 2]> {
    let ((by, bilinear), (_, _, h, w)) = (settings(call)?, call.tensor("x")?.dims4()?);
    Ok([h, w].map(|n| if bilinear { Taps::linear(n, by) } else { Taps::nearest(n, by) }))
}

/// `x` resampled, in the order in which it lies.
fn resampled<T: Element>(x: &Tensor, rows: &Taps<T>, columns: &Taps<T>, size: (usize, usize)) -> Result<Tensor> {
    let ((b, c, _, _), order) = (x.dims4()?, order(x));
    let sizes = if order == Order::Last { (b, c) } else { (b * c, 1) };
    let made = read::<T, _, 1>(order, [x], |[x]| resample(x, sizes, rows, columns))?;
    tensor(order, made.map_err(wrong)?, &[b, c, size.0, size.1])
}

impl Paths for Upsample {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (x, (by, _), [rows, columns]) = (call.tensor("x")?, settings(call)?, taps::<T>(call)?);
        let (_, _, h, w) = x.dims4()?;
        if h * w == 0 {
            return Err(candle_core::Error::msg("a map without cells cannot be enlarged"));
        }
        Ok(resampled(x, &rows, &columns, (by * h, by * w))?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let ((_, _, h, w), [rows, columns]) = (call.tensor("x")?.dims4()?, taps::<T>(call)?);
        Ok(vec![("x", resampled(grad, &rows.back(), &columns.back(), (h, w))?)])
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let (x, (by, bilinear)) = (call.tensor("x")?, settings(call)?);
        let (_, _, h, w) = x.dims4()?;
        if bilinear {
            return Ok(both_axes(x, &matrix(h, by, x)?, &matrix(w, by, x)?)?.into());
        }
        Ok(repeated(x, by)?.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (x, (by, bilinear)) = (call.tensor("x")?, settings(call)?);
        let (_, _, h, w) = x.dims4()?;
        let out = if bilinear {
            both_axes(grad, &matrix(h, by, x)?.t()?, &matrix(w, by, x)?.t()?)?
        } else {
            summed(grad, by)?
        };
        Ok(vec![("x", out)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let by = call.count("by")? as f32;
        let scales = out.constant(Numbers::Floats(vec![4], vec![1.0, 1.0, by, by]));
        let (mode, centers) = match call.text("mode")? {
            "bilinear" => ("linear", "half_pixel"),
            _ => ("nearest", "asymmetric"),
        };
        let attributes = vec![
            ("mode", Text(mode)),
            ("coordinate_transformation_mode", Text(centers)),
            ("nearest_mode", Text("floor")),
        ];
        Ok(out.op("Resize", &[call.name("x")?, "", &scales], attributes))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (x, by) = (call.name("x")?, call.count("by")?);
        Ok(match call.text("mode")? {
            "bilinear" => format!("F.interpolate({x}, scale_factor={by}, mode=\"bilinear\")"),
            _ => format!("F.interpolate({x}, scale_factor={by})"),
        })
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 4], by: usize, mode| {
        let [b, c, h, w] = x;
        let sample = Sample::new(name, &[b, c, by * h, by * w]).random("x", &x, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.number("by", by as f64).word("mode", mode).to(&["x"]))
    };
    Ok(vec![
        case("nearest", [2, 3, 3, 5], 2, "nearest")?,
        case("bilinear", [2, 3, 3, 5], 2, "bilinear")?,
        case("bilinear by three", [1, 1, 4, 2], 3, "bilinear")?,
        case("one cell", [1, 2, 1, 1], 2, "bilinear")?,
        Sample::new("field", &[1, 8, 2, 4, 6])
            .random("x", &[1, 8, 2, 2, 3], -1.0, 1.0)?
            .number("by", 2.0)
            .word("mode", "bilinear")
            .to(&["x"]),
        case("by one", [1, 2, 2, 3], 1, "bilinear")?,
    ])
}
