//! What follows a convolution, pooling, sums over channels, and the two orders of maps. Maps are (B, H, W, C) here, contiguous.

use candle_core::{DType, Result, Tensor};

use crate::launch::{empty, run};
use crate::{Arg, Source, Threads, counted};

const MAPS: Source = Source { name: "maps", text: rord_kernels::cuda::MAPS };

/// Windows over a map: their side, from one to the next, and cells put around the map.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Cells along a side.
    pub side: usize,
    /// From window to window.
    pub stride: usize,
    /// Cells put around the map.
    pub pad: usize,
    /// Windows down and across.
    pub result: (usize, usize),
}

fn like(t: &Tensor) -> Result<Tensor> {
    empty(t.shape(), t.dtype(), t.device())
}

fn bias_of(bias: Option<&Tensor>) -> Arg<'_> {
    bias.map_or(Arg::None, Arg::Of)
}

/// `y` + `bias` by channel, and what is below 0 made 0 where `relu` is true.
pub fn biased(y: &Tensor, bias: Option<&Tensor>, relu: bool) -> Result<Tensor> {
    let (out, count) = (like(y)?, counted(y.elem_count())?);
    let args = [
        Arg::Of(y),
        bias_of(bias),
        Arg::Of(&out),
        Arg::Int(y.dim(candle_core::D::Minus1)?),
        Arg::Int(usize::from(relu)),
        Arg::Int(count),
    ];
    run(&MAPS, "biased", y.dtype(), y, Threads::each(count), &args)?;
    Ok(out)
}

/// As [`biased`] with `relu`, and the largest of each 2 × 2 cells: (B, H/2, W/2, C), with its place of the four (u8).
pub fn biased_pooled(y: &Tensor, bias: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
    let (b, h, w, c) = y.dims4()?;
    counted(y.elem_count())?;
    let shape = (b, h / 2, w / 2, c);
    let (out, cells) = (empty(shape, y.dtype(), y.device())?, empty(shape, DType::U8, y.device())?);
    let count = out.elem_count();
    let args = [
        Arg::Of(y),
        bias_of(bias),
        Arg::Of(&out),
        Arg::Of(&cells),
        Arg::Int(h),
        Arg::Int(w),
        Arg::Int(c),
        Arg::Int(count),
    ];
    run(&MAPS, "biased_pooled", y.dtype(), y, Threads::each(count), &args)?;
    Ok((out, cells))
}

/// `grad` where the value of a rectifier is above 0, of any shape.
pub fn relu_back(grad: &Tensor, value: &Tensor) -> Result<Tensor> {
    let (out, count) = (like(grad)?, counted(grad.elem_count())?);
    let args = [Arg::Of(grad), Arg::Of(value), Arg::Of(&out), Arg::Int(count)];
    run(&MAPS, "relu_back", grad.dtype(), grad, Threads::each(count), &args)?;
    Ok(out)
}

/// The gradient before [`biased_pooled`] of a map of this height and width.
pub fn pooled_back(grad: &Tensor, value: &Tensor, cells: &Tensor, (h, w): (usize, usize)) -> Result<Tensor> {
    let (b, _, _, c) = grad.dims4()?;
    let out = empty((b, h, w, c), grad.dtype(), grad.device())?;
    let count = counted(out.elem_count())?;
    let args = [
        Arg::Of(grad),
        Arg::Of(value),
        Arg::Of(cells),
        Arg::Of(&out),
        Arg::Int(h),
        Arg::Int(w),
        Arg::Int(c),
        Arg::Int(count),
    ];
    run(&MAPS, "pooled_back", grad.dtype(), grad, Threads::each(count), &args)?;
    Ok(out)
}

/// The sum of every column of (rows, columns), of the type that is computed with.
pub fn column_sums(x: &Tensor) -> Result<Tensor> {
    const PER: usize = 256;
    let wide = if x.dtype() == DType::BF16 { DType::F32 } else { x.dtype() };
    let mut x = x.clone();
    loop {
        let (rows, columns) = x.dims2()?;
        let parts = rows.div_ceil(PER).max(1);
        let out = empty((parts, columns), wide, x.device())?;
        let threads = Threads { blocks: [columns.div_ceil(32), parts, 1], of: [32, 8] };
        let args = [Arg::Of(&x), Arg::Of(&out), Arg::Int(counted(rows)?), Arg::Int(columns), Arg::Int(PER)];
        run(&MAPS, "column_sums", x.dtype(), &x, threads, &args)?;
        if parts == 1 {
            return out.flatten_all();
        }
        x = out;
    }
}

fn sizes<'a>(x: (usize, usize, usize), g: &Windows, count: usize) -> [Arg<'a>; 9] {
    let (height, width, channels) = x;
    [height, width, channels, g.result.0, g.result.1, g.side, g.stride, g.pad, count].map(Arg::Int)
}

/// The largest number of each window, and its cell (row · width + column, u32).
pub fn max_pool(x: &Tensor, g: &Windows) -> Result<(Tensor, Tensor)> {
    let (b, h, w, c) = x.dims4()?;
    counted(x.elem_count())?;
    let shape = (b, g.result.0, g.result.1, c);
    let (out, cells) = (empty(shape, x.dtype(), x.device())?, empty(shape, DType::U32, x.device())?);
    let count = counted(out.elem_count())?;
    let mut args = vec![Arg::Of(x), Arg::Of(&out), Arg::Of(&cells)];
    args.extend(sizes((h, w, c), g, count));
    run(&MAPS, "max_pool", x.dtype(), x, Threads::each(count), &args)?;
    Ok((out, cells))
}

/// The gradient before [`max_pool`] of a map of this height and width.
pub fn max_pool_back(grad: &Tensor, cells: &Tensor, (h, w): (usize, usize), g: &Windows) -> Result<Tensor> {
    let (b, _, _, c) = grad.dims4()?;
    let out = empty((b, h, w, c), grad.dtype(), grad.device())?;
    let count = counted(out.elem_count())?;
    let mut args = vec![Arg::Of(grad), Arg::Of(cells), Arg::Of(&out)];
    args.extend(sizes((h, w, c), g, count));
    run(&MAPS, "max_pool_back", grad.dtype(), grad, Threads::each(count), &args)?;
    Ok(out)
}

/// (batch, rows, columns) as (batch, columns, rows).
fn turned(x: &Tensor, (batch, rows, columns): (usize, usize, usize)) -> Result<Tensor> {
    let out = empty((batch, columns, rows), x.dtype(), x.device())?;
    counted(x.elem_count())?;
    let threads = Threads { blocks: [columns.div_ceil(32), rows.div_ceil(32), batch], of: [32, 8] };
    let args = [Arg::Of(x), Arg::Of(&out), Arg::Int(rows), Arg::Int(columns)];
    if x.elem_count() > 0 {
        run(&MAPS, "turned", x.dtype(), x, threads, &args)?;
    }
    Ok(out)
}

/// A map (B, C, H, W) as (B, H, W, C), contiguous: without a copy where it lies channels last.
pub fn last(map: &Tensor) -> Result<Tensor> {
    let seen = map.permute((0, 2, 3, 1))?;
    if seen.is_contiguous() {
        return Ok(seen);
    }
    let (b, c, h, w) = map.dims4()?;
    turned(&map.contiguous()?, (b, c, h * w))?.reshape((b, h, w, c))
}

/// A map that lies as (B, H, W, C), contiguous, as one that lies as (B, C, H, W).
#[cfg(feature = "cudnn")]
pub(crate) fn order_first(map: &Tensor) -> Result<Tensor> {
    first(&map.permute((0, 3, 1, 2))?)
}

/// A map (B, C, H, W), contiguous as its shape says.
pub fn first(map: &Tensor) -> Result<Tensor> {
    if map.is_contiguous() {
        return Ok(map.clone());
    }
    let (b, c, h, w) = map.dims4()?;
    let seen = map.permute((0, 2, 3, 1))?;
    if !seen.is_contiguous() || b > 65535 {
        return map.contiguous();
    }
    turned(&seen, (b, h * w, c))?.reshape((b, c, h, w))
}
