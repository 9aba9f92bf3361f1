//! Convolutions: by cuDNN where it is there, else as products of matrices. Maps are (B, H, W, C) here, contiguous.

use candle_core::{Result, Tensor};

use crate::launch::{empty, run};
use crate::{Arg, Source, Threads, counted};
use rord_kernels::conv::Geometry;

const WINDOWS: Source = Source { name: "windows", text: rord_kernels::cuda::WINDOWS };

/// The most numbers that the windows of one product may be: 2³⁰ bytes in f32. Larger batches are taken in parts.
const MOST: usize = 1 << 28;

/// Who computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// cuDNN for f32 and bf16, where it is there.
    #[default]
    Library,
    /// Products of matrices always.
    Products,
}

/// What is computed of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pass {
    /// The value, of x and the weight.
    Value,
    /// The gradient of x, of the weight and the value's gradient.
    Input,
    /// The gradient of the weight, of x and the value's gradient.
    Weight,
}

/// What cuDNN makes of two tensors; `None` where it is not there, is not asked, or has no such numbers.
#[cfg(feature = "cudnn")]
fn library(by: By, pass: Pass, g: &Geometry, a: &Tensor, b: &Tensor) -> Result<Option<Tensor>> {
    use candle_core::DType;
    match by == By::Library && matches!(a.dtype(), DType::F32 | DType::BF16) {
        true => crate::cudnn::convolved(pass, g, &a.contiguous()?, &b.contiguous()?),
        false => Ok(None),
    }
}

/// A build without cuDNN.
#[cfg(not(feature = "cudnn"))]
fn library(_: By, _: Pass, _: &Geometry, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
    Ok(None)
}

/// A weight (O, C, k, k) as (O, k, k, C).
fn laid(weight: &Tensor) -> Result<Tensor> {
    weight.permute((0, 2, 3, 1))?.contiguous()
}

/// The value without a bias: (B, h, w, O).
pub fn value(g: &Geometry, x: &Tensor, weight: &Tensor, by: By) -> Result<Tensor> {
    if let Some(found) = library(by, Pass::Value, g, x, weight)? {
        return Ok(found);
    }
    let weight = laid(weight)?;
    let (h, w) = g.result().map_err(candle_core::Error::wrap)?;
    let parts = parts(g)?.into_iter().map(|(from, of)| {
        let x = x.narrow(0, from, of)?;
        let each = (0..g.groups).map(|i| {
            let rows = windows(g, &group(&x, g, i)?, (h, w))?;
            rows.matmul(&rows_of(&weight, g, i)?.t()?)
        });
        Tensor::cat(&each.collect::<Result<Vec<_>>>()?, 1)
    });
    Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)?.reshape((g.batch, h, w, g.outputs))
}

/// The gradient of x, (B, H, W, C), given that of the value, (B, h, w, O).
pub fn input_gradient(g: &Geometry, weight: &Tensor, grad: &Tensor, by: By) -> Result<Tensor> {
    if let Some(found) = library(by, Pass::Input, g, weight, grad)? {
        return Ok(found);
    }
    let weight = laid(weight)?;
    let (h, w) = g.result().map_err(candle_core::Error::wrap)?;
    let parts = parts(g)?.into_iter().map(|(from, of)| {
        let grad = grad.narrow(0, from, of)?;
        let each = (0..g.groups).map(|i| {
            let o = g.outputs / g.groups;
            let grad = grad.narrow(3, i * o, o)?.contiguous()?.reshape((of * h * w, o))?;
            windows_back(g, &grad.matmul(&rows_of(&weight, g, i)?)?, of, (h, w))
        });
        Tensor::cat(&each.collect::<Result<Vec<_>>>()?, 3)
    });
    Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
}

/// The gradient of the weight, (O, C, k, k), given that of the value.
pub fn weight_gradient(g: &Geometry, x: &Tensor, grad: &Tensor, by: By) -> Result<Tensor> {
    let shaped = |t: &Tensor| {
        t.reshape((g.outputs, g.kernel, g.kernel, g.inputs / g.groups))?.permute((0, 3, 1, 2))?.contiguous()
    };
    if let Some(found) = library(by, Pass::Weight, g, x, grad)? {
        return Ok(found);
    }
    let (h, w) = g.result().map_err(candle_core::Error::wrap)?;
    let mut sum: Option<Tensor> = None;
    for (from, of) in parts(g)? {
        let (x, grad) = (x.narrow(0, from, of)?, grad.narrow(0, from, of)?);
        let each = (0..g.groups).map(|i| {
            let o = g.outputs / g.groups;
            let rows = windows(g, &group(&x, g, i)?, (h, w))?;
            grad.narrow(3, i * o, o)?.contiguous()?.reshape((of * h * w, o))?.t()?.matmul(&rows)
        });
        let part = Tensor::cat(&each.collect::<Result<Vec<_>>>()?, 0)?;
        sum = Some(match sum {
            Some(sum) => (sum + part)?,
            None => part,
        });
    }
    shaped(&sum.ok_or_else(|| candle_core::Error::msg("a convolution without images"))?)
}

/// The channels of a group, (B, H, W, C/groups).
fn group(x: &Tensor, g: &Geometry, i: usize) -> Result<Tensor> {
    let c = g.inputs / g.groups;
    x.narrow(3, i * c, c)?.contiguous()
}

/// The weights of a group as rows.
fn rows_of(weight: &Tensor, g: &Geometry, i: usize) -> Result<Tensor> {
    let o = g.outputs / g.groups;
    weight.narrow(0, i * o, o)?.reshape((o, g.kernel * g.kernel * g.inputs / g.groups))
}

/// Images from where, and how many, whose windows are few enough for one product.
fn parts(g: &Geometry) -> Result<Vec<(usize, usize)>> {
    let (h, w) = g.result().map_err(candle_core::Error::wrap)?;
    let one = (h * w * g.kernel * g.kernel * g.inputs / g.groups).max(1);
    let each = (MOST / one).clamp(1, g.batch.max(1));
    Ok((0..g.batch).step_by(each).map(|from| (from, each.min(g.batch - from))).collect())
}

fn sizes<'a>((height, width, channels): (usize, usize, usize), g: &Geometry, (h, w): (usize, usize)) -> [Arg<'a>; 9] {
    [height, width, channels, h, w, g.kernel, g.stride, g.pad, g.dilation].map(Arg::Int)
}

/// The windows of `x` as rows: (B·h·w, k·k·C).
fn windows(g: &Geometry, x: &Tensor, (h, w): (usize, usize)) -> Result<Tensor> {
    let (b, height, width, c) = x.dims4()?;
    if g.kernel == 1 && g.stride == 1 && g.pad == 0 {
        return x.reshape((b * h * w, c));
    }
    let out = empty((b * h * w, g.kernel * g.kernel * c), x.dtype(), x.device())?;
    let count = out.elem_count();
    let mut args = vec![Arg::Of(x), Arg::Of(&out)];
    args.extend(sizes((height, width, c), g, (h, w)));
    args.push(Arg::Long(count));
    run(&WINDOWS, "windows", x.dtype(), x, Threads::each(count), &args)?;
    Ok(out)
}

/// The transpose of [`windows`].
fn windows_back(g: &Geometry, rows: &Tensor, b: usize, (h, w): (usize, usize)) -> Result<Tensor> {
    let c = g.inputs / g.groups;
    if g.kernel == 1 && g.stride == 1 && g.pad == 0 {
        return rows.reshape((b, h, w, c));
    }
    let out = empty((b, g.height, g.width, c), rows.dtype(), rows.device())?;
    let count = counted(out.elem_count())?;
    let mut args = vec![Arg::Of(rows), Arg::Of(&out)];
    args.extend(sizes((g.height, g.width, c), g, (h, w)));
    args.push(Arg::Long(count));
    run(&WINDOWS, "windows_back", rows.dtype(), rows, Threads::each(count), &args)?;
    Ok(out)
}
