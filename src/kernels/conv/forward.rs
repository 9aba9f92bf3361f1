//! The value of a convolution.
#![allow(clippy::indexing_slicing)] // Ranges follow from `Geometry`; every slice is checked against it on entry.

use rayon::prelude::*;

use super::columns::{Place, unfold};
use super::{Block, Geometry, blocks};
use crate::gemm::{Matrix, multiply, multiply_into};
use crate::shared::Shared;
use crate::{Float, Mismatch, length};

/// `x` (batch, inputs, height, width) convolved with `weight` (outputs, inputs / groups, kernel, kernel), plus `bias`
/// (outputs). Gives (batch, outputs, h, w) with h and w from [`Geometry::result`].
pub fn forward<T: Float>(g: &Geometry, x: &[T], weight: &[T], bias: Option<&[T]>) -> Result<Vec<T>, Mismatch> {
    let (h, w) = g.result()?;
    length("x", x, g.input_len())?;
    length("weight", weight, g.weight_len())?;
    if let Some(bias) = bias {
        length("bias", bias, g.outputs)?;
    }
    let mut out = vec![T::ZERO; g.batch * g.outputs * h * w];
    let depth = g.group_inputs() * g.taps();
    let tasks: Vec<(Block, usize)> =
        blocks(g, (h, w), depth).into_iter().flat_map(|b| (0..g.groups).map(move |group| (b, group))).collect();
    let shared = Shared::new(&mut out);
    tasks.par_iter().try_for_each_init(
        || (Vec::new(), Vec::new()),
        |(columns, results), (block, group)| {
            let kernel = &weight[group * g.group_outputs() * depth..][..g.group_outputs() * depth];
            let kernel = Matrix::rows(kernel, g.group_outputs(), depth, depth);
            run(g, (h, w), x, kernel, bias, (*block, *group), &shared, columns, results)
        },
    )?;
    Ok(out)
}

/// Computes one block of one group.
#[allow(clippy::too_many_arguments)]
fn run<T: Float>(
    g: &Geometry,
    (h, w): (usize, usize),
    x: &[T],
    kernel: Matrix<T>,
    bias: Option<&[T]>,
    (block, group): (Block, usize),
    out: &Shared<T>,
    columns: &mut Vec<T>,
    results: &mut Vec<T>,
) -> Result<(), Mismatch> {
    let (places, cells, outputs) = (h * w, g.height * g.width, g.group_outputs());
    let wide = block.rows * w;
    let all = wide * block.images;
    let planes = |image: usize| &x[(image * g.inputs + group * g.group_inputs()) * cells..][..g.group_inputs() * cells];
    let seen = if g.pointwise() && block.images == 1 {
        Matrix::rows(&planes(block.image)[block.row * w..], kernel.columns, all, cells)
    } else {
        columns.resize(kernel.columns * all, T::ZERO);
        for i in 0..block.images {
            let place = Place { row: block.row, rows: block.rows, out: (h, w), stride: all, at: i * wide };
            unfold(g, planes(block.image + i), columns, place);
        }
        Matrix::rows(columns, kernel.columns, all, all)
    };
    let bias_of = |o: usize| bias.map_or(T::ZERO, |b| b[group * outputs + o]);
    let at = |image: usize, o: usize| (image * g.outputs + group * outputs + o) * places + block.row * w;
    if block.images == 1 {
        for o in 0..outputs {
            // SAFETY: blocks and groups do not overlap, so these places of the result are this task's alone.
            #[allow(unsafe_code)]
            let row = unsafe { out.part(at(block.image, o), wide) };
            row.fill(bias_of(o));
        }
        // SAFETY: as above: `outputs` rows of `wide` places, `places` apart, all of this block and group.
        #[allow(unsafe_code)]
        return unsafe { multiply_into(out.from(at(block.image, 0)), places, kernel, seen, true) };
    }
    results.resize(outputs * all, T::ZERO);
    multiply(results, all, kernel, seen, false)?;
    for i in 0..block.images {
        for o in 0..outputs {
            // SAFETY: as above.
            #[allow(unsafe_code)]
            let row = unsafe { out.part(at(block.image + i, o), wide) };
            for (to, from) in row.iter_mut().zip(&results[o * all + i * wide..][..wide]) {
                *to = *from + bias_of(o);
            }
        }
    }
    Ok(())
}
