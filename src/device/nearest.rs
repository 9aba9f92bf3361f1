//! The candidate nearest to each anchor.

use candle_core::{Result, Tensor};

use crate::launch::{empty, run};
use crate::{Arg, Source, Threads, counted};

const NEAREST: Source = Source { name: "nearest", text: rord_kernels::cuda::NEAREST };

/// Lists of vectors and their places, in normalized coordinates.
pub struct Lists<'a> {
    /// Vectors of the anchors, (B, N, C).
    pub anchors: &'a Tensor,
    /// Vectors of the candidates, (B, M, C).
    pub vectors: &'a Tensor,
    /// Places of the anchors' positives, (B, N, 2).
    pub positive: &'a Tensor,
    /// Places of the candidates, (B, M, 2).
    pub places: &'a Tensor,
}

/// The place of the candidate whose vector is nearest to each anchor's, (B, N, 2), among those that are at least `least` away from its
/// positive, in units of `scale` across and down; the farthest where there is none.
pub fn hardest(lists: &Lists, scale: [f64; 2], least: f64) -> Result<Tensor> {
    let ((b, n, _), (_, m, _)) = (lists.anchors.dims3()?, lists.places.dims3()?);
    let (own, theirs) = (lists.anchors.contiguous()?, lists.vectors.contiguous()?);
    let cross = own.matmul(&theirs.t()?)?;
    counted(cross.elem_count())?;
    let squares = |t: &Tensor| t.sqr()?.sum(2)?.contiguous();
    let (own, theirs) = (squares(&own)?, squares(&theirs)?);
    let (positive, places) = (lists.positive.contiguous()?, lists.places.contiguous()?);
    let out = empty((b, n, 2), places.dtype(), places.device())?;
    let mut args: Vec<Arg> = [&cross, &own, &theirs, &positive, &places, &out].map(Arg::Of).into();
    args.extend([Arg::Int(n), Arg::Int(m), Arg::Real(scale[0]), Arg::Real(scale[1]), Arg::Real(least)]);
    let threads = Threads { blocks: [b * n, 1, 1], of: [64, 1] };
    if b * n > 0 {
        run(&NEAREST, "hardest", places.dtype(), &places, threads, &args)?;
    }
    Ok(out)
}
