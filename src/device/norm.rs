//! Channels of maps taken to mean 0 and variance 1. Maps are (B, H, W, C), contiguous.

use candle_core::{Result, Tensor};

use crate::launch::{empty, run};
use crate::{Arg, Source, Threads, counted};

const NORM: Source = Source { name: "norm", text: rord_kernels::cuda::NORM };

fn threads(b: usize, c: usize) -> Threads {
    Threads { blocks: [c.div_ceil(32), b, 1], of: [32, 8] }
}

/// Every channel of every sample over its cells: the value, and what each was multiplied by, (B·C, 1).
pub fn instance_norm(x: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    let (b, h, w, c) = x.dims4()?;
    counted(x.elem_count())?;
    let out = empty(x.shape(), x.dtype(), x.device())?;
    let factor = empty((b * c, 1), x.dtype(), x.device())?;
    let args = [Arg::Of(x), Arg::Of(&out), Arg::Of(&factor), Arg::Int(h * w), Arg::Int(c), Arg::Real(eps)];
    run(&NORM, "instance_norm", x.dtype(), x, threads(b, c), &args)?;
    Ok((out, factor))
}

/// The gradient before [`instance_norm`].
pub fn instance_norm_back(value: &Tensor, factor: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (b, h, w, c) = grad.dims4()?;
    let out = empty(grad.shape(), grad.dtype(), grad.device())?;
    let args = [Arg::Of(value), Arg::Of(factor), Arg::Of(grad), Arg::Of(&out), Arg::Int(h * w), Arg::Int(c)];
    run(&NORM, "instance_norm_back", grad.dtype(), grad, threads(b, c), &args)?;
    Ok(out)
}
