//! Reading maps between their cells, and the gradients.

use candle_core::{DType, Result, Tensor};

use crate::launch::{empty, run};
use crate::{Arg, Source, Threads, counted};

const BILINEAR: Source = Source { name: "bilinear", text: rord_kernels::cuda::BILINEAR };

/// Where a map (B, C, H, W) is read.
pub enum At<'a> {
    /// At every cell of a result of this height and width, by matrices (B, 3, 3).
    Moved(&'a Tensor, (usize, usize)),
    /// At points (B, N, 2).
    Points(&'a Tensor),
}

impl At<'_> {
    fn by(&self) -> Result<Tensor> {
        match self {
            At::Moved(by, _) | At::Points(by) => by.contiguous(),
        }
    }

    fn size(&self) -> (usize, usize) {
        match self {
            At::Moved(_, size) => *size,
            At::Points(_) => (0, 0),
        }
    }

    fn places(&self) -> Result<usize> {
        match self {
            At::Moved(_, (h, w)) => Ok(h * w),
            At::Points(points) => points.dim(1),
        }
    }
}

/// How the numbers of a map's channels and cells lie: from one to the next.
fn strides(last: bool, channels: usize, cells: usize) -> (usize, usize) {
    if last { (1, channels) } else { (cells, 1) }
}

/// What both directions are given after their tensors. `last` of the map and of what is read there.
fn sizes<'a>(
    at: &At<'_>,
    (channels, height, width): (usize, usize, usize),
    (last, to_last): (bool, bool),
    count: usize,
) -> Result<Vec<Arg<'a>>> {
    let (places, (h, w)) = (at.places()?, at.size());
    let (plane, cell) = strides(last, channels, height * width);
    let (to_plane, to_cell) = strides(to_last, channels, places);
    Ok([channels, places, h, w, height, width, plane, cell, to_plane, to_cell, count].map(Arg::Int).into())
}

/// The map's numbers as they lie, and whether channels lie last.
fn lying(map: &Tensor) -> Result<(Tensor, bool)> {
    let seen = map.permute((0, 2, 3, 1))?;
    match seen.is_contiguous() && !map.is_contiguous() {
        true => Ok((seen, true)),
        false => Ok((map.contiguous()?, false)),
    }
}

/// What a map (B, C, H, W) holds there: (B, C, h, w) in the map's order by matrices, (B, N, C) at points.
pub fn read(map: &Tensor, at: &At<'_>) -> Result<Tensor> {
    let (b, c, height, width) = map.dims4()?;
    let (x, last) = lying(map)?;
    let (places, by) = (at.places()?, at.by()?);
    let to_last = last || matches!(at, At::Points(_));
    let out = empty((b, places * c), map.dtype(), map.device())?;
    let count = counted(out.elem_count())?;
    counted(x.elem_count())?;
    if count > 0 {
        let mut args = vec![Arg::Of(&x), Arg::Of(&by), Arg::Of(&out)];
        args.extend(sizes(at, (c, height, width), (last, to_last), count)?);
        run(&BILINEAR, "read_map", map.dtype(), map, Threads::each(count), &args)?;
    }
    match at {
        At::Points(_) => out.reshape((b, places, c)),
        At::Moved(_, (h, w)) if last => out.reshape((b, *h, *w, c))?.permute((0, 3, 1, 2)),
        At::Moved(_, (h, w)) => out.reshape((b, c, *h, *w)),
    }
}

/// The gradient of a map of this shape (B, C, H, W), given that of what [`read`] made.
pub fn read_back(grad: &Tensor, at: &At<'_>, shape: (usize, usize, usize, usize)) -> Result<Tensor> {
    let (b, c, height, width) = shape;
    let (grad, last, to_last) = match at {
        // Vectors of channels: the map's gradient lies as they do.
        At::Points(_) => (grad.contiguous()?, true, true),
        At::Moved(..) => {
            let (grad, last) = lying(grad)?;
            (grad, last, last)
        }
    };
    let by = at.by()?;
    let sums = Tensor::zeros(b * c * height * width, DType::F64, grad.device())?;
    let (count, all) = (counted(grad.elem_count())?, counted(sums.elem_count())?);
    let out = empty(all, grad.dtype(), grad.device())?;
    if count > 0 {
        let mut args = vec![Arg::Of(&grad), Arg::Of(&by), Arg::Of(&sums)];
        args.extend(sizes(at, (c, height, width), (last, to_last), count)?);
        run(&BILINEAR, "read_map_back", grad.dtype(), &grad, Threads::each(count), &args)?;
    }
    if all > 0 {
        let args = [Arg::Of(&sums), Arg::Of(&out), Arg::Int(all)];
        run(&BILINEAR, "settled", grad.dtype(), &grad, Threads::each(all), &args)?;
    }
    match last {
        true => out.reshape((b, height, width, c))?.permute((0, 3, 1, 2)),
        false => out.reshape((b, c, height, width)),
    }
}
