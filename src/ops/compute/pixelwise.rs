//! What the losses on two maps share: a number for each cell, a mask, a reduction, and the gradients.
//!
//! With the cell's loss ℓ, the mask m (1 without one, spread over the channels) and a balance w (1 for most losses):
//! `sum = Σ m·w·ℓ`, `mean = sum / max(1, Σ m)`, `none = m·w·ℓ`.

use candle_core::{Result, Tensor};

use crate::compute::{Call, Compute, Gradients, Output};

/// A loss of two maps, given cell by cell.
pub trait Cells: Sync {
    /// The names of its two maps.
    const NAMES: [&'static str; 2];

    /// The loss of every cell.
    fn value(&self, call: &Call, a: &Tensor, b: &Tensor) -> Result<Tensor>;

    /// Its slopes in the two maps; one that nobody wants may be left out.
    fn slopes(&self, call: &Call, a: &Tensor, b: &Tensor) -> Result<[Option<Tensor>; 2]>;

    /// A weight for every cell, beside the mask, taken as a constant.
    fn balance(&self, _: &Call, _: &Tensor, _: Option<&Tensor>) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// How cells become the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reduce {
    Mean,
    Sum,
    None,
}

fn reduce(call: &Call) -> Result<Reduce> {
    if call.settings.get("reduce").is_none() {
        // The word `none` may reach us as the constant of that name; a call that leaves the setting out means the mean.
        let given = call.settings.0.iter().any(|(name, _)| name == "reduce");
        return Ok(if given { Reduce::None } else { Reduce::Mean });
    }
    match call.text("reduce")? {
        "mean" => Ok(Reduce::Mean),
        "sum" => Ok(Reduce::Sum),
        "none" => Ok(Reduce::None),
        other => Err(candle_core::Error::msg(format!("`reduce = {other}` is none of mean, sum, none"))),
    }
}

/// The mask spread over the channels of `like`.
pub(crate) fn spread(mask: Option<&Tensor>, like: &Tensor) -> Result<Option<Tensor>> {
    mask.map(|m| m.to_dtype(like.dtype())?.broadcast_as(like.shape())?.contiguous()).transpose()
}

/// What every cell's loss is multiplied by, if anything; for the mean with the divisor in it, as a factor of its own.
fn weights<L: Cells>(loss: &L, call: &Call, target: &Tensor) -> Result<(Option<Tensor>, Tensor)> {
    let mask = spread(call.maybe("mask"), target)?;
    let one = Tensor::ones((), target.dtype(), target.device())?;
    let factor = match (reduce(call)?, &mask) {
        (Reduce::Mean, Some(mask)) => mask.sum_all()?.maximum(1.0)?.recip()?,
        (Reduce::Mean, None) => (one / target.elem_count().max(1) as f64)?,
        _ => one,
    };
    let balance = loss.balance(call, target, mask.as_ref())?;
    let weights = match (mask, balance) {
        (Some(mask), Some(balance)) => Some((mask * balance)?),
        (mask, balance) => mask.or(balance),
    };
    Ok((weights, factor))
}

/// A [`Cells`] as an operation.
pub struct Pixelwise<L>(pub L);

impl<L: Cells> Compute for Pixelwise<L> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let [a, b] = L::NAMES.map(|name| call.tensor(name));
        let (a, b) = (a?, b?);
        let (weights, factor) = weights(&self.0, call, a)?;
        let cells = self.0.value(call, a, b)?;
        let cells = match weights {
            Some(weights) => (cells * weights)?,
            None => cells,
        };
        Ok(if reduce(call)? == Reduce::None { cells } else { (cells.sum_all()? * factor)? }.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let [a, b] = L::NAMES.map(|name| call.tensor(name));
        let (a, b) = (a?, b?);
        let (weights, factor) = weights(&self.0, call, a)?;
        let grad = grad.broadcast_mul(&factor)?.broadcast_as(a.shape())?;
        let grad = match weights {
            Some(weights) => (grad * weights)?,
            None => grad.contiguous()?,
        };
        let mut out = Gradients::new();
        for (name, slope) in L::NAMES.into_iter().zip(self.0.slopes(call, a, b)?) {
            if let (true, Some(slope)) = (call.wants(name), slope) {
                out.push((name, (&grad * slope)?));
            }
        }
        Ok(out)
    }
}

/// log(1 + z) for z ≥ -1, right to the last digits where z is small: the rounding of 1 + z is divided out (Kahan).
pub(crate) fn log1p(z: &Tensor) -> Result<Tensor> {
    let u = (z + 1.0)?;
    let d = (&u - 1.0)?;
    let small = d.eq(0.0)?;
    let safe = small.where_cond(&d.ones_like()?, &d)?;
    small.where_cond(z, &((u.log()? * z)? / safe)?)
}
