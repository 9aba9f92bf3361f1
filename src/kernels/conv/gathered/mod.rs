//! Convolutions of any stride, dilation, padding and kernel whose channels all mix, by vectors, without windows unfolded: the products
//! read the numbers where they lie, by a list of their places.
//!
//! The input's gradient is a convolution, too: the cells that lie `stride` apart see the same taps, and each such phase has its own list.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // Ranges follow from `Geometry`; the callers have checked every slice against it.

pub(super) mod half;
mod product;
mod strip;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
mod whole;

use rayon::prelude::*;

use super::Geometry;
use super::call::{Products, Seen};
use crate::shared::Shared;
use crate::simd::Simd;
use half::{factors, word};
use product::{Begin, Factors, Product};
use strip::Strips;

/// Columns of a matrix, at least, for whose vectors it pays.
const COLUMNS: usize = 8;

/// Tasks whose weight gradients are summed apart, where these are small. Fixed, so that the sums do not depend on the machine.
const TASKS: usize = 16;

/// Numbers of all sums of the weight's gradient together.
const SUMS: usize = 1 << 22;

/// True where the value and the weight's gradient are taken.
pub fn takes(g: &Geometry) -> bool {
    g.groups == 1 && g.outputs >= COLUMNS && (whole::takes(g) || fits(g))
}

/// True where a line of windows with the zeros around it has no more numbers than the map, or few: padding and dilation know no bounds.
fn fits(g: &Geometry) -> bool {
    let numbers = || {
        let reach = g.kernel.checked_sub(1)?.checked_mul(g.dilation)?.checked_add(1)?;
        let width = g.result().ok()?.1.checked_sub(1)?.checked_mul(g.stride)?.checked_add(reach)?;
        reach.checked_mul(width)?.checked_mul(g.inputs.max(g.outputs))
    };
    numbers().is_some_and(|n| n <= g.input_len().max(1 << 22))
}

/// True where numbers are read through lines without being written out after them.
pub fn reads_through(g: &Geometry) -> bool {
    takes(g) && !whole::takes(g)
}

/// True where the input's gradient is taken, too.
pub fn takes_back(g: &Geometry) -> bool {
    takes(g) && g.inputs >= COLUMNS
}

/// What the windows see of the input.
fn seen(g: &Geometry, windows: (usize, usize)) -> Strips {
    let reach = (g.kernel - 1) * g.dilation + 1;
    Strips {
        sides: (g.height, g.width),
        channels: g.inputs,
        windows,
        stride: g.stride,
        first: -(g.pad as isize),
        reach,
    }
}

/// A matrix (depth, columns) in panels of two vectors, of which the last is filled up with zeros; and the numbers of a panel. Of rounded
/// factors those of two lines are a word.
fn panels(
    simd: Simd,
    (depth, columns): (usize, usize),
    of: Factors,
    at: impl Fn(usize, usize) -> f32,
) -> (Vec<f32>, usize) {
    let (wide, lines) = (2 * simd.shape().0, depth / of.numbers());
    let mut out = vec![0.0; lines * columns.next_multiple_of(wide)];
    for (panel, out) in out.chunks_exact_mut((lines * wide).max(1)).enumerate() {
        let own = wide.min(columns - panel * wide);
        for (k, line) in out.chunks_exact_mut(wide).enumerate() {
            line.iter_mut().take(own).zip(panel * wide..).for_each(|(x, c)| {
                *x = match of {
                    Factors::Single => at(k, c),
                    Factors::Rounded => word(at(2 * k, c), at(2 * k + 1, c)),
                };
            });
        }
    }
    (out, lines * wide)
}

/// `x` (batch, height, width, inputs) convolved with `weight` (outputs, inputs, k, k), plus `bias`: (batch, h, w, outputs).
pub fn value(
    g: &Geometry,
    (h, w): (usize, usize),
    x: Seen<f32>,
    weight: &[f32],
    bias: Option<&[f32]>,
    products: Products,
) -> Vec<f32> {
    if whole::takes(g) {
        return whole::value(g, x.numbers, weight, bias, products);
    }
    let (simd, strips, taps) = (Simd::chosen(), seen(g, (h, w)), g.kernel * g.kernel);
    let (factors, depth) = (factors(products, simd, g.inputs), taps * g.inputs);
    let (matrix, panel_step) =
        panels(simd, (depth, g.outputs), factors, |k, c| weight[c * depth + k % g.inputs * taps + k / g.inputs]);
    // Places are counted in words, of which a cell has this many.
    let words = g.inputs / factors.numbers();
    let cell = |tap: usize| (tap / g.kernel * strips.width() + tap % g.kernel) * g.dilation * words;
    let at: Vec<usize> = (0..taps * words).map(|k| cell(k / words) + k % words).collect();
    let len = g.batch * h * w * g.outputs;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let to = Shared::new(&mut out.spare_capacity_mut()[..len]);
    strips.of(g.batch).into_par_iter().for_each_init(Vec::new, |buffer, strip| {
        match factors {
            Factors::Single => strips.copy(x, strip, buffer),
            Factors::Rounded => strips.copy_channels(x, strip, buffer),
        }
        let (image, top, lines) = strip;
        let line = |r: usize| (r * g.stride * strips.width() * words, r * w * g.outputs);
        let product = Product {
            x: buffer.as_ptr(),
            step: g.stride * words,
            rows: w,
            at: &at,
            m: matrix.as_ptr(),
            m_step: 2 * simd.shape().0,
            panel_step,
            columns: g.outputs,
            to: to.from((image * h + top) * w * g.outputs).0.cast(),
            to_step: g.outputs,
            begin: bias.map_or(Begin::Zero, |bias| Begin::Bias(bias.as_ptr())),
            factors,
            lines: &(0..lines).map(line).collect::<Vec<_>>(),
        };
        // SAFETY: the sizes follow from the geometry, against which the callers checked every slice.
        unsafe { product.run(simd) };
    });
    // SAFETY: the strips cover the result, and a product writes all of its own.
    unsafe { out.set_len(len) };
    out
}

/// For the cells of an axis that lie `stride` apart, from `phase` on: the taps that see one of them, each with the place of its window
/// relative to the cell's number among them.
fn taps(g: &Geometry, phase: usize) -> Vec<(usize, isize)> {
    let apart = |tap: usize| (phase + g.pad) as isize - (tap * g.dilation) as isize;
    let stride = g.stride as isize;
    (0..g.kernel).filter(|tap| apart(*tap) % stride == 0).map(|tap| (tap, apart(tap) / stride)).collect()
}

/// The gradient (batch, height, width, inputs) of the input, given `grad`, that of the value. A weight that is not finite reaches cells near
/// the edge whose windows do not use it: what lies beyond the edge is 0, and is multiplied by it.
pub fn input_gradient(
    g: &Geometry,
    (h, w): (usize, usize),
    weight: &[f32],
    grad: &[f32],
    products: Products,
) -> Vec<f32> {
    if whole::takes(g) {
        return whole::input_gradient(g, weight, grad, products);
    }
    let (simd, square) = (Simd::chosen(), g.kernel * g.kernel);
    let factors = factors(products, simd, g.outputs);
    let words = g.outputs / factors.numbers();
    // Phases beyond the map have no cells.
    let (down_n, right_n) = (g.stride.min(g.height), g.stride.min(g.width));
    let phases: Vec<Vec<(usize, isize)>> = (0..down_n.max(right_n)).map(|phase| taps(g, phase)).collect();
    let places = || phases.iter().flatten().map(|(_, place)| *place);
    let (least, most) = (places().min().unwrap_or(0), places().max().unwrap_or(0));
    let strips = Strips {
        sides: (h, w),
        channels: g.outputs,
        windows: (g.height.div_ceil(g.stride), g.width.div_ceil(g.stride)),
        stride: 1,
        first: least,
        reach: (most - least) as usize + 1,
    };
    // Of each phase of rows and columns: where the numbers lie, and the matrix for them.
    let phase = |i: usize| {
        let (down, right) = (&phases[i / right_n], &phases[i % right_n]);
        let own: Vec<_> = down.iter().flat_map(|a| right.iter().map(move |b| (*a, *b))).collect();
        let cell = |((_, y), (_, x)): &((usize, isize), (usize, isize))| {
            ((y - least) as usize * strips.width() + (x - least) as usize) * words
        };
        let at: Vec<usize> = own.iter().map(cell).flat_map(|cell| (0..words).map(move |o| cell + o)).collect();
        let (matrix, step) = panels(simd, (own.len() * g.outputs, g.inputs), factors, |k, c| {
            let ((i, _), (j, _)) = own[k / g.outputs];
            weight[(k % g.outputs * g.inputs + c) * square + i * g.kernel + j]
        });
        (at, matrix, step)
    };
    let of: Vec<_> = (0..down_n * right_n).map(phase).collect();
    let len = g.batch * g.height * g.width * g.inputs;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let to = Shared::new(&mut out.spare_capacity_mut()[..len]);
    strips.of(g.batch).into_par_iter().for_each_init(Vec::new, |buffer, strip| {
        match factors {
            Factors::Single => strips.copy(grad.into(), strip, buffer),
            Factors::Rounded => strips.copy_channels(grad.into(), strip, buffer),
        }
        let (image, top, lines) = strip;
        for (i, (at, matrix, panel_step)) in of.iter().enumerate() {
            let (down, right) = (i / right_n, i % right_n);
            let line = |r: usize| {
                let y = (top + r) * g.stride + down;
                (r * strips.width() * words, ((image * g.height + y) * g.width + right) * g.inputs)
            };
            let lines = (0..lines).filter(|r| (top + r) * g.stride + down < g.height).map(line);
            let product = Product {
                x: buffer.as_ptr(),
                step: words,
                rows: (g.width + g.stride - 1 - right) / g.stride,
                at,
                m: matrix.as_ptr(),
                m_step: 2 * simd.shape().0,
                panel_step: *panel_step,
                columns: g.inputs,
                to: to.from(0).0.cast(),
                to_step: g.stride * g.inputs,
                begin: Begin::Zero,
                factors,
                lines: &lines.collect::<Vec<_>>(),
            };
            // SAFETY: the sizes follow from the geometry, against which the callers checked every slice.
            unsafe { product.run(simd) };
        }
    });
    // SAFETY: the phases cover the cells of every strip, those without a tap by zeros.
    unsafe { out.set_len(len) };
    out
}

/// Tasks of the weight's gradient: parts of the strips, and outputs in each.
fn cut(g: &Geometry, strips: usize) -> (usize, usize) {
    let weight = g.outputs * g.inputs * g.kernel * g.kernel;
    let parts = (SUMS / weight.max(1)).clamp(1, TASKS).min(strips).max(1);
    // A multiple of the columns of a panel, on every machine.
    let outputs = g.outputs.div_ceil(TASKS.div_ceil(parts)).next_multiple_of(32).min(g.outputs);
    (parts, outputs)
}

/// The `own` columns from `first` on of `rows` of `columns` numbers, in panels of `wide`, the last one filled up. Of rounded factors those
/// of two rows are a word.
fn pack(rows: &[f32], columns: usize, (first, own): (usize, usize), wide: usize, of: Factors, to: &mut Vec<f32>) {
    let lines = rows.len() / columns / of.numbers();
    to.resize(own.next_multiple_of(wide) * lines, 0.0);
    for (panel, to) in to.chunks_exact_mut((wide * lines).max(1)).enumerate() {
        let (n, column) = (wide.min(own - panel * wide), first + panel * wide);
        for (to, rows) in to.chunks_exact_mut(wide).zip(rows.chunks_exact(of.numbers() * columns)) {
            match of {
                Factors::Single => to[..n].copy_from_slice(&rows[column..][..n]),
                Factors::Rounded => half::beside(&rows[column..][..n], &rows[columns + column..][..n], &mut to[..n]),
            }
        }
    }
}

/// The gradient (outputs, inputs, k, k) of the weight, given `grad`, that of the value.
pub fn weight_gradient(
    g: &Geometry,
    (h, w): (usize, usize),
    x: Seen<f32>,
    grad: &[f32],
    products: Products,
) -> Vec<f32> {
    if whole::takes(g) {
        return whole::weight_gradient(g, x.numbers, grad, products);
    }
    let (simd, strips, taps) = (Simd::chosen(), seen(g, (h, w)), g.kernel * g.kernel);
    // Two places of a line are a word.
    let factors = factors(products, simd, w);
    let wide = 2 * simd.shape().0;
    let (depth, all) = (taps * g.inputs, strips.of(g.batch));
    let (parts, share) = cut(g, all.len());
    let per = all.len().div_ceil(parts).max(1);
    let tasks = all.par_chunks(per).flat_map(|strips| {
        (0..g.outputs).into_par_iter().step_by(share).map(move |first| (strips, first, share.min(g.outputs - first)))
    });
    // The taps of a line of the kernel lie side by side, unless it is dilated.
    let (in_line, rows) = if g.dilation == 1 { (g.kernel, g.kernel * g.inputs) } else { (1, g.inputs) };
    let corner = |tap: usize| (tap / g.kernel * strips.width() + tap % g.kernel) * g.dilation * g.inputs;
    let sums: Vec<(usize, Vec<f32>)> = tasks
        .map_init(<(Vec<f32>, Vec<f32>)>::default, |(buffer, packed), (own, first, outputs)| {
            let mut sums = vec![0.0; depth * outputs];
            let lines: Vec<_> = (0..taps).step_by(in_line).map(|tap| (corner(tap), tap * g.inputs * outputs)).collect();
            for strip in own {
                match factors {
                    Factors::Single => strips.copy(x, *strip, buffer),
                    Factors::Rounded => strips.copy_places(x, *strip, buffer),
                }
                let (image, top, rows_of_windows) = *strip;
                let place = |k: usize| (k / w * strips.width() + k % w) * g.stride * g.inputs;
                let places = rows_of_windows * w;
                let arriving = &grad[(image * h + top) * w * g.outputs..][..places * g.outputs];
                pack(arriving, g.outputs, (first, outputs), wide, factors, packed);
                let product = Product {
                    x: buffer.as_ptr(),
                    step: 1,
                    rows,
                    at: &(0..places).step_by(factors.numbers()).map(place).collect::<Vec<_>>(),
                    m: packed.as_ptr(),
                    m_step: wide,
                    panel_step: places / factors.numbers() * wide,
                    columns: outputs,
                    to: sums.as_mut_ptr(),
                    to_step: outputs,
                    begin: Begin::There,
                    factors,
                    lines: &lines,
                };
                // SAFETY: the sizes follow from the geometry, against which the callers checked every slice.
                unsafe { product.run(simd) };
            }
            (first, sums)
        })
        .collect();
    // Parts of the same outputs are added up as they lie, in the order of the parts.
    let mut out = vec![0.0; g.outputs * depth];
    for first in (0..g.outputs).step_by(share) {
        let mut parts = sums.iter().filter(|(own, _)| *own == first).map(|(_, sums)| sums);
        let Some(mut total) = parts.next().cloned() else { continue };
        for part in parts {
            total.iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
        }
        let own = total.len() / depth;
        for (pair, line) in total.chunks_exact(own).enumerate() {
            let (tap, input) = (pair / g.inputs, pair % g.inputs);
            for (o, x) in line.iter().enumerate() {
                out[((first + o) * g.inputs + input) * taps + tap] = *x;
            }
        }
    }
    out
}

/// Bytes that it takes beside arguments and results: forward, backward, and kept by every thread.
pub fn working(g: &Geometry) -> (usize, usize, usize) {
    let Ok(windows) = g.result() else { return (0, 0, 0) };
    if whole::takes(g) {
        return whole::working(g);
    }
    let bytes = |numbers: usize| numbers.saturating_mul(4);
    let (strips, depth) = (seen(g, windows), g.kernel * g.kernel * g.inputs);
    let matrix = bytes(depth.saturating_mul(g.outputs.next_multiple_of(32)));
    let parts = cut(g, g.batch.saturating_mul(windows.0.div_ceil(strips.lines()))).0;
    let back = Strips { channels: g.outputs, stride: 1, ..strips };
    let arriving = strips.lines() * windows.1 * g.outputs.next_multiple_of(32);
    let thread = bytes((strips.numbers(strips.lines()) + arriving).max(back.numbers(back.lines())));
    // The input's gradient has the matrices of all phases at once, with its own channels as columns.
    let turned = bytes((g.kernel * g.kernel * g.outputs).saturating_mul(g.inputs.next_multiple_of(32)));
    (matrix, matrix.saturating_mul(parts.saturating_add(1)).max(turned), thread)
}
