//! Lists and tables with or without a batch, as batches of them: one that has none is spread over the other's.

use candle_core::{Result, Tensor};

/// A tensor (N, M) or (B, N, M) as (B, N, M).
fn whole(t: &Tensor) -> Result<Tensor> {
    if t.rank() == 2 { t.unsqueeze(0)?.contiguous() } else { t.contiguous() }
}

/// Both as batches of one size.
pub fn both(a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
    let (a, b) = (whole(a)?, whole(b)?);
    let batch = a.dim(0)?.max(b.dim(0)?);
    let spread = |t: Tensor| -> Result<Tensor> {
        let (n, rows, columns) = t.dims3()?;
        if n == batch { Ok(t) } else { t.broadcast_as((batch, rows, columns))?.contiguous() }
    };
    Ok((spread(a)?, spread(b)?))
}

/// A result as a batch, without the batch where neither operand has one.
pub fn result(t: Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.rank() == 2 && b.rank() == 2 { t.squeeze(0) } else { Ok(t) }
}

/// The gradient of an operand that may have been spread: (B, N, M) in the operand's shape.
pub fn back(t: Tensor, like: &Tensor) -> Result<Tensor> {
    let batch = if like.rank() == 2 { 1 } else { like.dim(0)? };
    let t = if t.dim(0)? == batch { t } else { t.sum_keepdim(0)? };
    t.reshape(like.shape())
}
