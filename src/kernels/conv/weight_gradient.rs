//! The gradients of a convolution with respect to its weights and its bias.
#![allow(clippy::indexing_slicing)] // Ranges follow from `Geometry`; every slice is checked against it on entry.

use rayon::prelude::*;

use super::columns::{Place, unfold};
use super::input_gradient::gather;
use super::{Geometry, blocks};
use crate::gemm::{Matrix, multiply};
use crate::{Float, Mismatch, length};

/// Rows of the weight's gradient that one task sums: whole channels, about this many taps.
const SHARE: usize = 288;
/// Tasks wanted at least; the batch is cut where the channels give fewer. Fixed, so that the sums do not depend on the
/// machine.
const TASKS: usize = 16;

/// The gradient of the weight, given `grad`, that of the value. Gives (outputs, inputs / groups, kernel, kernel).
pub fn weight_gradient<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let (h, w) = g.result()?;
    length("x", x, g.input_len())?;
    length("gradient", grad, g.batch * g.outputs * h * w)?;
    let (inputs, outputs, taps) = (g.group_inputs(), g.group_outputs(), g.taps());
    let (places, cells) = (h * w, g.height * g.width);
    let mut out = vec![T::ZERO; g.weight_len()];
    if out.is_empty() {
        return Ok(out);
    }
    let share = (SHARE / taps).clamp(1, inputs);
    let blocks = blocks(g, (h, w), share * taps);
    let shares = inputs.div_ceil(share) * g.groups;
    let parts = TASKS.div_ceil(shares).clamp(1, blocks.len().max(1));
    let part = blocks.len().div_ceil(parts).max(1);
    let tasks: Vec<_> = (0..g.groups)
        .flat_map(|group| (0..inputs).step_by(share).map(move |channel| (group, channel)))
        .flat_map(|(group, channel)| blocks.chunks(part).map(move |run| (group, channel, run)))
        .collect();
    let sums: Vec<Vec<T>> = tasks
        .par_iter()
        .map_init(
            || (Vec::new(), Vec::new()),
            |(columns, gathered), (group, channel, run)| {
                let channels = share.min(inputs - channel);
                let depth = channels * taps;
                let mut sum = vec![T::ZERO; outputs * depth];
                for block in *run {
                    let wide = block.rows * w;
                    let all = wide * block.images;
                    let rows = |image: usize| &grad[(image * g.outputs + group * outputs) * places + block.row * w..];
                    let planes =
                        |image: usize| &x[(image * g.inputs + group * inputs + channel) * cells..][..channels * cells];
                    let arriving = if block.images == 1 {
                        Matrix::rows(rows(block.image), outputs, all, places)
                    } else {
                        gather(gathered, block, outputs, wide, places, rows);
                        Matrix::rows(gathered, outputs, all, all)
                    };
                    let seen = if g.pointwise() && block.images == 1 {
                        Matrix::rows(&planes(block.image)[block.row * w..], depth, all, cells)
                    } else {
                        columns.resize(depth * all, T::ZERO);
                        for i in 0..block.images {
                            let place =
                                Place { row: block.row, rows: block.rows, out: (h, w), stride: all, at: i * wide };
                            unfold(g, planes(block.image + i), columns, place);
                        }
                        Matrix::rows(columns, depth, all, all)
                    };
                    multiply(&mut sum, depth, arriving, seen.transposed(), true)?;
                }
                Ok(sum)
            },
        )
        .collect::<Result<_, Mismatch>>()?;
    for ((group, channel, _), sum) in tasks.iter().zip(&sums) {
        let depth = share.min(inputs - channel) * taps;
        for (o, sum) in sum.chunks_exact(depth).enumerate() {
            let at = ((group * outputs + o) * inputs + channel) * taps;
            for (to, from) in out[at..at + depth].iter_mut().zip(sum) {
                *to += *from;
            }
        }
    }
    Ok(out)
}

/// The gradient of the bias: `grad` summed over images and places. Gives (outputs).
pub fn bias_gradient<T: Float>(g: &Geometry, grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let (h, w) = g.result()?;
    let places = h * w;
    length("gradient", grad, g.batch * g.outputs * places)?;
    Ok((0..g.outputs)
        .into_par_iter()
        .map(|o| {
            let planes = (0..g.batch).map(|image| &grad[(image * g.outputs + o) * places..][..places]);
            T::of(planes.map(total).sum())
        })
        .collect())
}

/// The sum of a plane in sixteen lanes, which the compiler turns into vector additions.
fn total<T: Float>(plane: &[T]) -> f64 {
    let mut lanes = [T::ZERO; 16];
    let chunks = plane.chunks_exact(16);
    let rest: f64 = chunks.remainder().iter().map(|x| x.wide()).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += *x;
        }
    }
    lanes.iter().map(|x| x.wide()).sum::<f64>() + rest
}
