//! Any convolution of maps laid out channels last: the windows of some places as rows (im2col), and one matrix product.
//!
//! A window's row holds its taps one after another, each with its channels side by side, so that a tap is copied whole and the
//! taps of a line of the kernel at once.
#![allow(clippy::indexing_slicing)] // Ranges follow from `Geometry`; the callers have checked every slice against it.

use rayon::prelude::*;

use super::Geometry;
use crate::gemm::{Matrix, multiply};
use crate::shared::Shared;
use crate::{Float, Mismatch};

/// Numbers of one block of rows, chosen so that a block stays in a core's second-level cache.
const BLOCK: usize = 96 * 1024;

/// Tasks wanted at least, where the sizes allow. Fixed, so that the sums do not depend on the machine.
const TASKS: usize = 16;

/// A convolution with what follows from its sizes.
struct Windows<'a> {
    g: &'a Geometry,
    /// Height and width of the result.
    size: (usize, usize),
    /// Channels of a group on both sides.
    inputs: usize,
    outputs: usize,
    /// Numbers in a window's row.
    depth: usize,
}

impl<'a> Windows<'a> {
    fn new(g: &'a Geometry) -> Result<Self, Mismatch> {
        let (inputs, outputs) = (g.inputs / g.groups.max(1), g.outputs / g.groups.max(1));
        Ok(Self { g, size: g.result()?, inputs, outputs, depth: g.kernel * g.kernel * inputs })
    }

    /// Places of the result.
    fn places(&self) -> usize {
        self.g.batch * self.size.0 * self.size.1
    }

    /// Places that are multiplied at a time.
    fn block(&self) -> usize {
        let share = self.places().div_ceil(TASKS).max(16);
        (BLOCK / self.depth.max(1)).clamp(64, 4096).min(share)
    }

    /// The weight (outputs, inputs, k, k) as (outputs, k·k, inputs): in the order of a row.
    fn by_taps<T: Float>(&self, weight: &[T]) -> Vec<T> {
        let taps = self.g.kernel * self.g.kernel;
        let mut out = vec![T::ZERO; weight.len()];
        for (to, from) in out.chunks_exact_mut(self.depth).zip(weight.chunks_exact(self.depth)) {
            for (c, from) in from.chunks_exact(taps).enumerate() {
                from.iter().enumerate().for_each(|(tap, x)| to[tap * self.inputs + c] = *x);
            }
        }
        out
    }

    /// The reverse of [`Self::by_taps`].
    fn by_channels<T: Float>(&self, weight: &[T]) -> Vec<T> {
        let taps = self.g.kernel * self.g.kernel;
        let mut out = vec![T::ZERO; weight.len()];
        for (to, from) in out.chunks_exact_mut(self.depth).zip(weight.chunks_exact(self.depth)) {
            for (tap, from) in from.chunks_exact(self.inputs).enumerate() {
                from.iter().enumerate().for_each(|(c, x)| to[c * taps + tap] = *x);
            }
        }
        out
    }

    /// The cell of an axis of `n` cells that tap `at` of the window at `place` sees.
    fn cell(&self, place: usize, at: usize, n: usize) -> Option<usize> {
        (place * self.g.stride + at * self.g.dilation).checked_sub(self.g.pad).filter(|cell| *cell < n)
    }

    /// The taps of a line of the kernel that see a cell, and the cell that the first of them sees: neighbors without dilation.
    fn line(&self, column: usize) -> (usize, usize, usize) {
        let (start, g) = (column * self.g.stride, self.g);
        let from = g.pad.saturating_sub(start).min(g.kernel);
        let to = (g.width + g.pad).saturating_sub(start).clamp(from, g.kernel);
        (from, to, (start + from).saturating_sub(g.pad))
    }

    /// Writes the windows of `count` places of a group from place `from` on as rows.
    fn unfold<T: Float>(&self, x: &[T], group: usize, from: usize, count: usize, rows: &mut Vec<T>) {
        let (g, (h, w), inputs) = (self.g, self.size, self.inputs);
        rows.resize(count * self.depth, T::ZERO);
        for (place, row) in (from..).zip(rows.chunks_exact_mut(self.depth)) {
            let (image, top, left) = (place / (h * w), place / w % h, place % w);
            for (i, line) in row.chunks_exact_mut(g.kernel * inputs).enumerate() {
                let Some(y) = self.cell(top, i, g.height) else {
                    line.fill(T::ZERO);
                    continue;
                };
                let start = (image * g.height + y) * g.width;
                if g.dilation == 1 && g.groups == 1 {
                    let (a, b, cell) = self.line(left);
                    line[..a * inputs].fill(T::ZERO);
                    line[b * inputs..].fill(T::ZERO);
                    if a < b {
                        line[a * inputs..b * inputs].copy_from_slice(&x[(start + cell) * inputs..][..(b - a) * inputs]);
                    }
                    continue;
                }
                for (j, tap) in line.chunks_exact_mut(inputs).enumerate() {
                    match self.cell(left, j, g.width) {
                        Some(cell) => tap.copy_from_slice(&x[(start + cell) * g.inputs + group * inputs..][..inputs]),
                        None => tap.fill(T::ZERO),
                    }
                }
            }
        }
    }
}

/// Bytes of f32 that all of it takes beside arguments and results: forward, backward, and kept by every thread.
pub(super) fn working(g: &Geometry) -> (usize, usize, usize) {
    let Ok(windows) = Windows::new(g) else { return (0, 0, 0) };
    let bytes = |numbers: usize| numbers.saturating_mul(4);
    let weight = bytes(g.outputs.saturating_mul(windows.depth));
    // The weight in the order of rows; its gradient, summed in parts.
    let parts = windows.places().div_ceil(256).clamp(1, TASKS);
    let thread = bytes((BLOCK / windows.depth.max(1)).clamp(64, 4096) * windows.depth);
    (weight, weight.saturating_mul(parts.saturating_add(1)), thread)
}

/// `x` (batch, height, width, inputs) convolved with `weight`, plus `bias`: (batch, h, w, outputs).
pub(super) fn value<T: Float>(g: &Geometry, x: &[T], weight: &[T], bias: Option<&[T]>) -> Result<Vec<T>, Mismatch> {
    let windows = Windows::new(g)?;
    let (depth, outputs, block) = (windows.depth, windows.outputs, windows.block());
    let weight = windows.by_taps(weight);
    let mut out = vec![T::ZERO; windows.places() * g.outputs];
    out.par_chunks_mut(block * g.outputs).enumerate().try_for_each_init(Vec::new, |rows, (i, out)| {
        let (from, count) = (i * block, out.len() / g.outputs);
        if let Some(bias) = bias {
            out.chunks_exact_mut(g.outputs).for_each(|row| row.copy_from_slice(bias));
        }
        for group in 0..g.groups {
            let kernel = Matrix::rows(&weight[group * outputs * depth..][..outputs * depth], outputs, depth, depth);
            windows.unfold(x, group, from, count, rows);
            let seen = Matrix::rows(rows, count, depth, depth);
            multiply(&mut out[group * outputs..], g.outputs, seen, kernel.transposed(), bias.is_some())?;
        }
        Ok(())
    })?;
    Ok(out)
}

/// The gradient of the weight, given `grad`, that of the value.
pub(super) fn weight_gradient<T: Float>(g: &Geometry, x: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let windows = Windows::new(g)?;
    let (depth, outputs, places) = (windows.depth, windows.outputs, windows.places());
    if places == 0 {
        return Ok(vec![T::ZERO; g.outputs * depth]);
    }
    // Parts of the places are summed apart, and outputs too where there are few places.
    let parts = places.div_ceil(256).clamp(1, TASKS);
    let part = places.div_ceil(parts);
    let share = outputs.div_ceil(TASKS.div_ceil(parts * g.groups)).max(16).min(outputs);
    let tasks: Vec<(usize, usize, usize)> = (0..g.groups)
        .flat_map(|group| (0..outputs).step_by(share).map(move |first| (group, first)))
        .flat_map(|(group, first)| (0..places).step_by(part).map(move |from| (group, first, from)))
        .collect();
    let block = (BLOCK / depth.max(1)).clamp(64, 4096);
    let sum_of = |rows: &mut Vec<T>, (group, first, from): &(usize, usize, usize)| -> Result<Vec<T>, Mismatch> {
        let own = share.min(outputs - first);
        let mut sum = vec![T::ZERO; own * depth];
        let end = (from + part).min(places);
        for at in (*from..end).step_by(block) {
            let count = block.min(end - at);
            windows.unfold(x, *group, at, count, rows);
            let arriving = &grad[at * g.outputs + group * outputs + first..];
            let arriving = Matrix::rows(arriving, count, own, g.outputs).transposed();
            multiply(&mut sum, depth, arriving, Matrix::rows(rows, count, depth, depth), true)?;
        }
        Ok(sum)
    };
    let sums: Vec<Vec<T>> = tasks.par_iter().map_init(Vec::new, sum_of).collect::<Result<_, Mismatch>>()?;
    let mut out = vec![T::ZERO; g.outputs * depth];
    for ((group, first, _), sum) in tasks.iter().zip(&sums) {
        let to = &mut out[(group * outputs + first) * depth..][..sum.len()];
        to.iter_mut().zip(sum).for_each(|(to, from)| *to += *from);
    }
    Ok(windows.by_channels(&out))
}

/// The gradient of the input: rows of gradients, added to the cells that their windows saw.
pub(super) fn input_gradient<T: Float>(g: &Geometry, weight: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let windows = Windows::new(g)?;
    let (inputs, outputs, depth, (h, w)) = (windows.inputs, windows.outputs, windows.depth, windows.size);
    let weight = windows.by_taps(weight);
    let cells = g.height * g.width;
    let mut out = vec![T::ZERO; g.batch * cells * g.inputs];
    if out.is_empty() {
        return Ok(out);
    }
    // A task owns some channels of an image, so that overlapping windows never meet in two tasks.
    let shares = TASKS.div_ceil(g.batch * g.groups).min(inputs.div_ceil(16)).max(1);
    let share = inputs.div_ceil(shares);
    let tasks: Vec<(usize, usize, usize)> = (0..g.batch)
        .flat_map(|image| (0..g.groups).map(move |group| (image, group)))
        .flat_map(|(image, group)| (0..inputs).step_by(share).map(move |first| (image, group, first)))
        .collect();
    let block = (BLOCK / (depth / inputs * share).max(1)).clamp(64, 4096);
    let shared = Shared::new(&mut out);
    tasks.par_iter().try_for_each_init(
        || (Vec::new(), Vec::new()),
        |(rows, kernel), (image, group, first)| {
            let own = share.min(inputs - first);
            let wide = depth / inputs * own;
            // The taps of these channels alone.
            kernel.clear();
            for taps in weight[group * outputs * depth..][..outputs * depth].chunks_exact(inputs) {
                kernel.extend_from_slice(&taps[*first..first + own]);
            }
            for at in (0..h * w).step_by(block) {
                let count = block.min(h * w - at);
                rows.resize(count * wide, T::ZERO);
                let arriving = &grad[(image * h * w + at) * g.outputs + group * outputs..];
                let arriving = Matrix::rows(arriving, count, outputs, g.outputs);
                multiply(rows, wide, arriving, Matrix::rows(kernel, outputs, wide, wide), false)?;
                for (place, row) in (at..).zip(rows.chunks_exact(wide)) {
                    for (i, line) in row.chunks_exact(g.kernel * own).enumerate() {
                        let Some(y) = windows.cell(place / w, i, g.height) else { continue };
                        for (j, tap) in line.chunks_exact(own).enumerate() {
                            let Some(x) = windows.cell(place % w, j, g.width) else { continue };
                            let cell = image * cells + y * g.width + x;
                            // SAFETY: tasks differ in image, group or channels, so these numbers are this task's alone.
                            #[allow(unsafe_code)]
                            let to = unsafe { shared.part(cell * g.inputs + group * inputs + first, own) };
                            to.iter_mut().zip(tap).for_each(|(to, x)| *to += *x);
                        }
                    }
                }
            }
            Ok(())
        },
    )?;
    Ok(out)
}
