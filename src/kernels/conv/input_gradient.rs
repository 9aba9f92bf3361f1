//! The gradient of a convolution with respect to its input.
#![allow(clippy::indexing_slicing)] // Ranges follow from `Geometry`; every slice is checked against it on entry.

use rayon::prelude::*;

use super::columns::{Place, fold};
use super::{Block, Geometry, blocks, forward};
use crate::gemm::{Matrix, multiply};
use crate::shared::Shared;
use crate::{Float, Mismatch, length};

/// The gradient of `x`, given `grad`, that of the value. Gives (batch, inputs, height, width).
pub fn input_gradient<T: Float>(g: &Geometry, weight: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let (h, w) = g.result()?;
    length("weight", weight, g.weight_len())?;
    length("gradient", grad, g.batch * g.outputs * h * w)?;
    let reach = (g.kernel - 1) * g.dilation;
    // With stride 1 the gradient is itself a convolution, by the turned kernel; worth it unless most windows would see
    // only zeros.
    if g.stride == 1 && g.pad <= reach && 2 * g.height * g.width <= 3 * h * w {
        let back = Geometry { inputs: g.outputs, outputs: g.inputs, height: h, width: w, pad: reach - g.pad, ..*g };
        return forward(&back, grad, &turned(g, weight), None);
    }
    folded(g, (h, w), weight, grad)
}

/// The kernel with its two channel axes exchanged within each group and both of its sides reversed.
fn turned<T: Float>(g: &Geometry, weight: &[T]) -> Vec<T> {
    let (inputs, outputs, taps) = (g.group_inputs(), g.group_outputs(), g.taps());
    let mut out = vec![T::ZERO; weight.len()];
    for (at, kernel) in weight.chunks_exact(taps).enumerate() {
        let (o, c) = (at / inputs, at % inputs);
        let (group, o) = (o / outputs, o % outputs);
        let to = ((group * inputs + c) * outputs + o) * taps;
        for (to, from) in out[to..to + taps].iter_mut().zip(kernel.iter().rev()) {
            *to = *from;
        }
    }
    out
}

/// Any stride and padding: columns of gradients, folded back onto the cells their windows saw.
fn folded<T: Float>(g: &Geometry, (h, w): (usize, usize), weight: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let (inputs, outputs, taps) = (g.group_inputs(), g.group_outputs(), g.taps());
    let (places, cells) = (h * w, g.height * g.width);
    let mut out = vec![T::ZERO; g.input_len()];
    // A task owns some channels of some images, so that overlapping windows never meet in two tasks.
    let share = (256 / taps).clamp(1, inputs);
    let blocks = blocks(g, (h, w), share * taps);
    let mut runs: Vec<Vec<Block>> = Vec::new();
    for block in blocks {
        match runs.last_mut() {
            Some(run) if run.first().is_some_and(|b| b.image == block.image) => run.push(block),
            _ => runs.push(vec![block]),
        }
    }
    let tasks: Vec<(&[Block], usize, usize)> = runs
        .iter()
        .flat_map(|run| {
            (0..g.groups)
                .flat_map(move |group| (0..inputs).step_by(share).map(move |channel| (run.as_slice(), group, channel)))
        })
        .collect();
    let shared = Shared::new(&mut out);
    tasks.par_iter().try_for_each_init(
        || (Vec::new(), Vec::new()),
        |(columns, gathered), (run, group, channel)| {
            let channels = share.min(inputs - channel);
            let depth = channels * taps;
            for block in *run {
                let wide = block.rows * w;
                let all = wide * block.images;
                let rows = |image: usize| &grad[(image * g.outputs + group * outputs) * places + block.row * w..];
                let arriving = if block.images == 1 {
                    Matrix::rows(rows(block.image), outputs, all, places)
                } else {
                    gather(gathered, block, outputs, wide, places, rows);
                    Matrix::rows(gathered, outputs, all, all)
                };
                columns.resize(depth * all, T::ZERO);
                let kernel = &weight[group * outputs * inputs * taps + channel * taps..];
                let kernel = Matrix::rows(kernel, outputs, depth, inputs * taps).transposed();
                multiply(&mut columns[..depth * all], all, kernel, arriving, false)?;
                for i in 0..block.images {
                    let at = ((block.image + i) * g.inputs + group * inputs + channel) * cells;
                    // SAFETY: tasks differ in image, group or channel, so these planes are this task's alone.
                    #[allow(unsafe_code)]
                    let planes = unsafe { shared.part(at, channels * cells) };
                    let place = Place { row: block.row, rows: block.rows, out: (h, w), stride: all, at: i * wide };
                    fold(g, planes, columns, place);
                }
            }
            Ok(())
        },
    )?;
    Ok(out)
}

/// Lays the rows of several images side by side: `outputs` rows of `wide` numbers an image.
pub(super) fn gather<'a, T: Float>(
    to: &mut Vec<T>,
    block: &Block,
    outputs: usize,
    wide: usize,
    places: usize,
    rows: impl Fn(usize) -> &'a [T],
) {
    let all = wide * block.images;
    to.resize(outputs * all, T::ZERO);
    for i in 0..block.images {
        let from = rows(block.image + i);
        for o in 0..outputs {
            to[o * all + i * wide..][..wide].copy_from_slice(&from[o * places..][..wide]);
        }
    }
}
