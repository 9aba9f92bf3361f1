//! Lists and tables with or without a batch, as batches of them: one that has none is spread over the other's.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::slices::{Element, read, tensor, wrong};
use rord_kernels::matmul::{Matrices, products};

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

/// A batch of matrices (B, N, M) as a factor; `turned` takes each with rows and columns exchanged.
#[derive(Clone, Copy)]
pub struct Factor<'a> {
    tensor: &'a Tensor,
    turned: bool,
}

/// The matrices as they are.
pub fn plain(tensor: &Tensor) -> Factor<'_> {
    Factor { tensor, turned: false }
}

/// The matrices with rows and columns exchanged.
pub fn turned(tensor: &Tensor) -> Factor<'_> {
    Factor { tensor, turned: true }
}

/// a · b for each sample, by kernels where both lie in the CPU's memory.
pub fn matmul(a: Factor, b: Factor) -> Result<Tensor> {
    let same = a.tensor.dtype() == b.tensor.dtype() && [a, b].iter().all(|f| matches!(f.tensor.device(), Device::Cpu));
    match a.tensor.dtype() {
        DType::F32 if same => by_kernels::<f32>(a, b),
        DType::F64 if same => by_kernels::<f64>(a, b),
        _ => {
            let whole =
                |f: Factor| if f.turned { f.tensor.transpose(1, 2)?.contiguous() } else { f.tensor.contiguous() };
            whole(a)?.matmul(&whole(b)?)
        }
    }
}

fn by_kernels<T: Element>(a: Factor, b: Factor) -> Result<Tensor> {
    let ((batch, n, k), (_, m, l)) = (a.tensor.dims3()?, b.tensor.dims3()?);
    let shape = (batch, if a.turned { k } else { n }, if b.turned { m } else { l });
    let out = read::<T, _, 2>([a.tensor, b.tensor], |[x, y]| {
        let x = Matrices { data: x, rows: n, columns: k, turned: a.turned };
        products(batch, x, Matrices { data: y, rows: m, columns: l, turned: b.turned })
    })?;
    tensor(out.map_err(wrong)?, shape)
}
