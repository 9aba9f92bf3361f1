//! Reading maps between their cells by Candle's operations: what `warp`, `sample` and `inside` share.
//!
//! It defines what `rord_kernels::bilinear` computes fast: places in cells, zeros outside, a rim of [`RIM`] that counts
//! as the border.

use candle_core::{DType, Result, Tensor};

use crate::compute::slices::constant;
use crate::compute::tables::{matmul, plain};
use rord_kernels::bilinear::{Maps, RIM, scales};

/// Places in cells of a map, (B, N) each.
pub struct Places {
    /// Along the width.
    pub x: Tensor,
    /// Along the height.
    pub y: Tensor,
    /// 1 where the place is in front of the viewer, 0 where it is behind or at infinity.
    pub front: Tensor,
}

/// The sizes of a map (B, C, H, W).
pub fn maps(x: &Tensor) -> Result<Maps> {
    let (batch, channels, height, width) = x.dims4()?;
    if height == 0 || width == 0 {
        return Err(candle_core::Error::msg("a map without cells cannot be read"));
    }
    Ok(Maps { batch, channels, height, width })
}

/// Where each cell of a result of `shape` = (height, width) comes from, in cells of a source of `source`, under the
/// normalized matrices `back` (B, 3, 3). Whole numbers go in and the sizes are in the matrix, so the symmetries of a
/// square come out exact.
pub fn of_matrices(back: &Tensor, shape: (usize, usize), source: (usize, usize)) -> Result<Places> {
    let (height, width) = shape;
    let count = height * width;
    let scale = constant(scales(shape, source).to_vec(), (1, 3, 3), back)?;
    let at = |i: usize, n: usize| (2 * i + 1) as f64 - n as f64;
    let columns = (0..count).map(|q| at(q % width, width));
    let rows = (0..count).map(|q| at(q / width, height));
    let cells = columns.chain(rows).chain(std::iter::repeat_n(1.0, count)).collect();
    let cells = constant(cells, (1, 3, count), back)?;
    let back = back.broadcast_mul(&scale)?;
    let cells = cells.broadcast_as((back.dim(0)?, 3, count))?;
    let moved = matmul(plain(&back), plain(&cells))?;
    let row = |i: usize| moved.narrow(1, i, 1)?.squeeze(1);
    let w = row(2)?;
    let front = w.gt(0.0)?;
    let w = front.where_cond(&w, &w.ones_like()?)?;
    let (source_height, source_width) = source;
    let cell = |i: usize, n: usize| ((row(i)? / &w)? + (n as f64 - 1.0))? * 0.5;
    Ok(Places { x: cell(0, source_width)?, y: cell(1, source_height)?, front: front.to_dtype(back.dtype())? })
}

/// Normalized places (B, N, 2), each (x, y), in cells of a map of `g`.
pub fn of_points(points: &Tensor, g: &Maps) -> Result<Places> {
    let cell = |i: usize, n: usize| {
        let (scale, shift) = (0.5 * n as f64, 0.5 * (n as f64 - 1.0));
        points.narrow(2, i, 1)?.squeeze(2)?.affine(scale, shift)
    };
    let (x, y) = (cell(0, g.width)?, cell(1, g.height)?);
    let front = x.ones_like()?;
    Ok(Places { x, y, front })
}

/// One of the two taps along an axis: its cell, inside the map, and its weight.
fn tap(place: &Tensor, n: usize, high: bool) -> Result<(Tensor, Tensor)> {
    let last = n as f64 - 1.0;
    // Far places are drawn nearer first: what lies two cells outside is as dark as what lies a million.
    let place = place.maximum(-2.0)?.minimum(last + 2.0)?;
    let near = (place.ge(-RIM)? * place.le(last + RIM)?)?;
    let place = near.where_cond(&place.maximum(0.0)?.minimum(last)?, &place)?;
    let low = place.floor()?;
    let part = (&place - &low)?;
    let (cell, weight) = if high { ((low + 1.0)?, part) } else { (low, part.affine(-1.0, 1.0)?) };
    let inside = (cell.ge(0.0)? * cell.le(last)?)?.to_dtype(place.dtype())?;
    Ok((cell.maximum(0.0)?.minimum(last)?, (weight * inside)?))
}

/// The slope of a tap's weight along its axis: -1 and 1, and 0 for a cell outside and where the place is drawn onto the
/// border.
fn slope(place: &Tensor, n: usize, high: bool) -> Result<(Tensor, Tensor)> {
    let last = n as f64 - 1.0;
    let (cell, _) = tap(place, n, high)?;
    let low = place.maximum(-2.0)?.minimum(last + 2.0)?.floor()?;
    let (own, sign) = if high { ((low + 1.0)?, 1.0) } else { (low, -1.0) };
    let within = (own.ge(0.0)? * own.le(last)?)?;
    let rim = ((place.ge(-RIM)? * place.lt(0.0)?)? + (place.ge(last)? * place.le(last + RIM)?)?)?;
    let free = (within.to_dtype(place.dtype())? * rim.eq(0u8)?.to_dtype(place.dtype())?)?;
    Ok((cell, (free * sign)?))
}

/// One of the two taps along an axis: its cell and what that counts.
type Tap = fn(&Tensor, usize, bool) -> Result<(Tensor, Tensor)>;

/// The four taps of every place: cells (B, N) as u32 and weights (B, N).
fn taps(places: &Places, g: &Maps, [across, down_by]: [Tap; 2]) -> Result<Vec<(Tensor, Tensor)>> {
    let mut out = Vec::with_capacity(4);
    for down in [false, true] {
        let (row, v) = down_by(&places.y, g.height, down)?;
        for right in [false, true] {
            let (column, u) = across(&places.x, g.width, right)?;
            // In f64, where every cell number is exact.
            let cell = ((row.to_dtype(DType::F64)? * g.width as f64)? + column.to_dtype(DType::F64)?)?;
            out.push((cell.to_dtype(DType::U32)?, ((&v * u)? * &places.front)?));
        }
    }
    Ok(out)
}

/// Every channel of `x` (B, C, H, W) at every place: (B, C, N).
pub fn read(x: &Tensor, places: &Places) -> Result<Tensor> {
    read_by(x, places, [tap, tap])
}

/// How much every number of [`read`] changes with the normalized x, and with the normalized y, of its place: (B, C, N)
/// each.
pub fn read_slopes(x: &Tensor, places: &Places) -> Result<[Tensor; 2]> {
    let g = maps(x)?;
    let along = |taps: [Tap; 2], cells: usize| read_by(x, places, taps)? * (0.5 * cells as f64);
    Ok([along([slope, tap], g.width)?, along([tap, slope], g.height)?])
}

fn read_by(x: &Tensor, places: &Places, by: [Tap; 2]) -> Result<Tensor> {
    let g = maps(x)?;
    let flat = x.contiguous()?.flatten_from(2)?;
    let count = places.x.dim(1)?;
    let mut sum = Tensor::zeros((g.batch, g.channels, count), x.dtype(), x.device())?;
    for (cell, weight) in taps(places, &g, by)? {
        let cell = cell.unsqueeze(1)?.broadcast_as((g.batch, g.channels, count))?.contiguous()?;
        sum = (sum + flat.gather(&cell, 2)?.broadcast_mul(&weight.unsqueeze(1)?)?)?;
    }
    Ok(sum)
}

/// The transpose of [`read`]: `grad` (B, C, N) added to the cells of a map like `x` that were read.
pub fn read_backward(x: &Tensor, places: &Places, grad: &Tensor) -> Result<Tensor> {
    let g = maps(x)?;
    let mut sum = Tensor::zeros(x.shape(), grad.dtype(), grad.device())?.flatten_from(2)?;
    for (cell, weight) in taps(places, &g, [tap, tap])? {
        let cell = cell.unsqueeze(1)?.broadcast_as(grad.shape())?.contiguous()?;
        sum = sum.scatter_add(&cell, &grad.broadcast_mul(&weight.unsqueeze(1)?)?, 2)?;
    }
    sum.reshape(x.shape())
}

/// 1 where all bilinear weight of a place falls on cells of a map of `height` × `width`, else 0: (B, N).
pub fn inside(places: &Places, height: usize, width: usize) -> Result<Tensor> {
    let within = |place: &Tensor, n: usize| place.ge(-RIM)? * place.le(n as f64 - 1.0 + RIM)?;
    let both = (within(&places.x, width)? * within(&places.y, height)?)?;
    both.to_dtype(places.x.dtype())? * &places.front
}
