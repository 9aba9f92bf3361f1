//! Gradients' length, and steps of weights.

use candle_core::{DType, Result, Tensor};

use crate::launch::{empty, run};
use crate::{Arg, Source, Threads, counted};

const OPTIM: Source = Source { name: "optim", text: rord_kernels::cuda::OPTIM };

/// Blocks that sum the squares of one tensor.
const PARTS: usize = 128;

/// The sum of the squares of all numbers of all tensors, in f64. Waits for the device once.
pub fn square_sum(all: &[&Tensor]) -> Result<f64> {
    let Some(head) = all.first() else { return Ok(0.0) };
    let parts = empty((all.len(), PARTS), DType::F64, head.device())?;
    for (at, t) in all.iter().enumerate() {
        let (t, out) = (t.contiguous()?, parts.narrow(0, at, 1)?);
        let threads = Threads { blocks: [PARTS, 1, 1], of: [256, 1] };
        let args = [Arg::Of(&t), Arg::Of(&out), Arg::Int(counted(t.elem_count())?)];
        run(&OPTIM, "squares", t.dtype(), &t, threads, &args)?;
    }
    Ok(parts.flatten_all()?.to_vec1::<f64>()?.iter().sum())
}

/// What Adam multiplies by: as in `torch.optim.Adam`, and beside it a factor by which gradients are shortened first.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// 1 - β₁.
    pub first: f64,
    /// β₂.
    pub second: f64,
    /// 1 - β₂.
    pub rest: f64,
    /// Added to the root.
    pub eps: f64,
    /// What the weight is multiplied by.
    pub keep: f64,
    /// What of the weight joins the gradient.
    pub decay: f64,
    /// The length of the step.
    pub length: f64,
    /// √(1 - β₂ᵗ).
    pub root: f64,
}

/// The new weight and moments. `lost` (u32, one number) is raised where one of their numbers is not finite.
pub fn adam(weight: &Tensor, grad: &Tensor, [m, v]: [&Tensor; 2], lost: &Tensor, by: &Adam) -> Result<[Tensor; 3]> {
    let (weight, grad) = (weight.contiguous()?, grad.contiguous()?);
    let new = || empty(weight.shape(), weight.dtype(), weight.device());
    let made = [new()?, new()?, new()?];
    let count = counted(weight.elem_count())?;
    let mut args: Vec<Arg> = [&weight, &grad, m, v].into_iter().chain(&made).chain([lost]).map(Arg::Of).collect();
    args.extend([by.first, by.second, by.rest, by.eps, by.keep, by.decay, by.length, by.root].map(Arg::Real));
    args.push(Arg::Int(count));
    run(&OPTIM, "adam", weight.dtype(), &weight, Threads::each(count), &args)?;
    Ok(made)
}
