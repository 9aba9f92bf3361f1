//! The kernels' way: a map's moments, what is done to each channel, and the gradients.

use candle_core::{Result, Tensor};

use super::{BatchNorm, moments, rectified};
use crate::compute::layout::{self, Order, order, read};
use crate::compute::slices::{self, Element, wrong};
use crate::compute::{Call, Gradients};
use crate::over_processes;
use rord_kernels::batch_norm::{self, Lines, Map};

/// The gradient of a normalized map.
pub(crate) enum Grad<'a, T> {
    /// Someone else's, too.
    Seen(&'a Tensor),
    /// Nobody else's, channels last: the gradient of the map itself is written in its place.
    Own(Vec<T>),
}

impl BatchNorm {
    /// Mean and variance by which a call normalizes, by kernels.
    pub(crate) fn moments<T: Element>(call: &Call) -> Result<[Tensor; 2]> {
        let x = call.tensor("x")?;
        let (map, order) = laid(x)?;
        moments(call, || {
            let own = read::<T, _, 1>(order, [x], |[x]| batch_norm::wide_moments(&map, x))?.map_err(wrong)?;
            let (mean, variance) = over_processes::moments(call, own)?;
            let rounded = |numbers: Vec<f64>| slices::tensor(numbers.into_iter().map(T::of).collect(), map.channels);
            Ok([rounded(mean)?, rounded(variance)?])
        })
    }

    /// What the kernels do to each channel, and 1 / √(variance + eps).
    pub(crate) fn lines<T: Element>(call: &Call, saved: [&Tensor; 2]) -> Result<(Lines<T>, Vec<T>)> {
        let eps = T::of(call.number("eps")?);
        let [mean, variance] = saved.map(|t| slices::read::<T, _, 1>([t], |[t]| t.to_vec()));
        let (mean, variance) = (mean?, variance?);
        let factor: Vec<T> = variance.iter().map(|v| T::ONE / (*v + eps).root()).collect();
        let of = |name: &str| call.maybe(name).map(|t| slices::read::<T, _, 1>([t], |[t]| t.to_vec())).transpose();
        let scale = match of("weight")? {
            Some(weight) => weight.iter().zip(&factor).map(|(w, f)| *w * *f).collect(),
            None => factor.clone(),
        };
        let shift = of("bias")?.unwrap_or_else(|| vec![T::ZERO; mean.len()]);
        Ok((Lines { mean, scale, shift, rectified: rectified(call) }, factor))
    }

    /// The gradients, with the mean and variance of [`BatchNorm::moments`].
    pub(crate) fn gradients<T: Element>(call: &Call, saved: [&Tensor; 2], grad: Grad<'_, T>) -> Result<Gradients> {
        let x = call.tensor("x")?;
        let (map, order) = laid(x)?;
        let (lines, factor) = Self::lines::<T>(call, saved)?;
        let apart;
        let grad = match grad {
            Grad::Own(grad) if !map.last => {
                apart = layout::tensor(Order::Last, grad, x.dims())?;
                Grad::Seen(&apart)
            }
            grad => grad,
        };
        let mut out = Gradients::new();
        let [plain, along] = match &grad {
            Grad::Seen(grad) => read::<T, _, 2>(order, [x, grad], |[x, g]| batch_norm::sums(&map, x, g, &lines))?,
            Grad::Own(grad) => read::<T, _, 1>(order, [x], |[x]| batch_norm::sums(&map, x, grad, &lines))?,
        }
        .map_err(wrong)?;
        if call.wants("x") {
            // Of y = (x - mean)·scale in training: scale·(g - mean of g - x̂ · mean of g·x̂), x̂ = (x - mean)·factor.
            let count = over_processes::count(call, map.images * map.cells);
            let share = T::of(if call.training { -1.0 / count as f64 } else { 0.0 });
            let [plain, along] = over_processes::added_up(call, [&plain, &along])?;
            let each = lines.scale.iter().zip(&factor).zip(plain.iter().zip(&along));
            let (b, c): (Vec<T>, Vec<T>) =
                each.map(|((s, f), (p, a))| (*s * *f * *f * *a * share, *s * *p * share)).unzip();
            let abc = [lines.scale.as_slice(), &b, &c];
            let made = match grad {
                Grad::Seen(grad) => {
                    read::<T, _, 2>(order, [x, grad], |[x, g]| batch_norm::gradient(&map, x, g, &lines, abc))?
                }
                Grad::Own(grad) => {
                    read::<T, _, 1>(order, [x], |[x]| batch_norm::gradient_within(&map, x, grad, &lines, abc))?
                }
            };
            out.push(("x", layout::tensor(order, made.map_err(wrong)?, x.dims())?));
        }
        if call.wants("weight") {
            let weight: Vec<T> = along.iter().zip(&factor).map(|(a, f)| *a * *f).collect();
            out.push(("weight", slices::tensor(weight, map.channels)?));
        }
        if call.wants("bias") {
            out.push(("bias", slices::tensor(plain, map.channels)?));
        }
        Ok(out)
    }
}

/// How a map lies.
pub(super) fn laid(x: &Tensor) -> Result<(Map, Order)> {
    let ((images, channels, h, w), order) = (x.dims4()?, order(x));
    Ok((Map { images, channels, cells: h * w, last: order == Order::Last }, order))
}
