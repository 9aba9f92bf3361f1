//! Convolutions whose only window is the whole map: products of a matrix of images with a weight that is the largest of all.
//!
//! Taps lie side by side in the weight and channels in the maps, so that a line of the cache has sixteen taps of one channel: tasks take
//! that many taps of some channels, and turn a block of the weight as they take it. No part of the weight is read twice.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // Blocks end where the sizes end; the callers have checked every slice against them.

use rayon::prelude::*;

use super::half::{self, factors};
use super::product::{Begin, Factors, Product};
use crate::conv::Geometry;
use crate::conv::call::Products;
use crate::fresh;
use crate::shared::Shared;
use crate::simd::Simd;

/// Taps of a task: a line of the cache has them.
const TAPS: usize = 16;

/// Columns of a block that is turned at a time, and channels of a task in the input's gradient: the widest panel.
const WIDE: usize = 32;

/// Channels of a task in the value: what is packed of the weight for it stays in the second-level cache.
const CHANNELS: usize = 128;

/// Channels of a task in the weight's gradient, whose sums it keeps.
const FOLDED: usize = 64;

/// True where the only window is the whole map.
pub fn takes(g: &Geometry) -> bool {
    g.kernel == g.height && g.kernel == g.width && g.pad == 0 && g.dilation == 1 && g.groups == 1
}

/// Some taps of some channels.
#[derive(Clone, Copy)]
struct Part {
    /// The first tap, and how many.
    taps: (usize, usize),
    /// The first channel, and how many.
    channels: (usize, usize),
}

/// All parts with up to so many channels each.
fn parts(g: &Geometry, channels: usize) -> Vec<Part> {
    let all = g.kernel * g.kernel;
    let cut = |n: usize, by: usize| (0..n).step_by(by).map(move |from| (from, by.min(n - from)));
    cut(all, TAPS).flat_map(|taps| cut(g.inputs, channels).map(move |channels| Part { taps, channels })).collect()
}

/// The taps of `n` rows of a weight, the rows `apart`, as rows of one tap each: `of[tap][row]`.
fn turned(weight: &[f32], apart: usize, n: usize, taps: usize) -> [[f32; WIDE]; TAPS] {
    let mut of = [[0.0; WIDE]; TAPS];
    for (row, line) in weight.chunks(apart).take(n).enumerate() {
        for (tap, x) in line[..taps].iter().enumerate() {
            of[tap][row] = *x;
        }
    }
    of
}

/// A map as words of two neighbors where factors are rounded, else nothing.
fn words(x: &[f32], of: Factors) -> Vec<f32> {
    if of == Factors::Single {
        return Vec::new();
    }
    let mut out = vec![0.0; x.len() / 2];
    out.par_chunks_mut(1 << 14).zip(x.par_chunks(1 << 15)).for_each(|(to, from)| half::neighbors(from, to));
    out
}

/// Puts a line of a matrix at place `k`: where factors are rounded the even one waits for the odd one.
fn put(line: &[f32], k: usize, of: Factors, wide: usize, waiting: &mut [f32; WIDE], to: &mut [f32]) {
    match of {
        Factors::Single => to[k * wide..][..line.len()].copy_from_slice(line),
        Factors::Rounded if k.is_multiple_of(2) => waiting[..line.len()].copy_from_slice(line),
        Factors::Rounded => half::beside(&waiting[..line.len()], line, &mut to[k / 2 * wide..][..line.len()]),
    }
}

/// `x` (batch, k·k·inputs) times `weight` (outputs, inputs, k·k), plus `bias`: (batch, outputs).
pub fn value(g: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, products: Products) -> Vec<f32> {
    let (simd, taps) = (Simd::chosen(), g.kernel * g.kernel);
    let (wide, depth, of) = (2 * simd.shape().0, taps * g.inputs, factors(products, simd, g.inputs));
    let rounded = words(x, of);
    let x = if of == Factors::Single { x } else { &rounded };
    let panel = |part: Part| (0..g.outputs).step_by(wide).map(move |first| (part, first, wide.min(g.outputs - first)));
    let tasks: Vec<_> = parts(g, CHANNELS).into_iter().flat_map(panel).collect();
    let sums: Vec<Vec<f32>> = tasks
        .par_iter()
        .map_init(Vec::new, |matrix, (part, first, own)| {
            let (count, n) = (part.taps.1, part.channels.1);
            matrix.clear();
            matrix.resize(count * n / of.numbers() * wide, 0.0);
            let mut waiting = [[0.0; WIDE]; TAPS];
            for c in 0..n {
                let from = &weight[first * depth + (part.channels.0 + c) * taps + part.taps.0..];
                let lines = turned(from, depth, *own, count);
                for (tap, (line, waiting)) in lines[..count].iter().zip(&mut waiting).enumerate() {
                    // Channels of a tap follow each other.
                    let to = &mut matrix[tap * n / of.numbers() * wide..];
                    put(&line[..*own], c, of, wide, waiting, to);
                }
            }
            let (words, all) = (n / of.numbers(), g.inputs / of.numbers());
            let cell = |tap: usize| (part.taps.0 + tap) * all + part.channels.0 / of.numbers();
            let at: Vec<usize> = (0..count).flat_map(|tap| (0..words).map(move |c| cell(tap) + c)).collect();
            let mut sums = vec![0.0; g.batch * own];
            let product = Product {
                x: x.as_ptr(),
                step: taps * all,
                rows: g.batch,
                at: &at,
                m: matrix.as_ptr(),
                m_step: wide,
                panel_step: 0,
                columns: *own,
                to: sums.as_mut_ptr(),
                to_step: *own,
                begin: Begin::Zero,
                factors: of,
                lines: &[(0, 0)],
            };
            // SAFETY: the sizes follow from the geometry, against which the callers checked every slice.
            unsafe { product.run(simd) };
            sums
        })
        .collect();
    let mut out = match bias {
        Some(bias) => bias.repeat(g.batch),
        None => vec![0.0; g.batch * g.outputs],
    };
    for ((_, first, own), sums) in tasks.iter().zip(sums) {
        for (out, sums) in out.chunks_exact_mut(g.outputs).zip(sums.chunks_exact(*own)) {
            out[*first..first + own].iter_mut().zip(sums).for_each(|(to, x)| *to += *x);
        }
    }
    out
}

/// The gradient (batch, k·k·inputs) of the input, given `grad` (batch, outputs), that of the value.
pub fn input_gradient(g: &Geometry, weight: &[f32], grad: &[f32], products: Products) -> Vec<f32> {
    let (simd, taps) = (Simd::chosen(), g.kernel * g.kernel);
    let (wide, depth, of) = (2 * simd.shape().0, taps * g.inputs, factors(products, simd, g.outputs));
    let rounded = words(grad, of);
    let grad = if of == Factors::Single { grad } else { &rounded };
    let lines = g.outputs / of.numbers();
    let at: Vec<usize> = (0..lines).collect();
    let len = g.batch * depth;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let to = Shared::new(&mut out.spare_capacity_mut()[..len]);
    parts(g, WIDE).into_par_iter().for_each_init(Vec::new, |matrix, part| {
        let (count, n) = (part.taps.1, part.channels.1);
        // Of each tap its panels, one after the other.
        let panels = n.div_ceil(wide);
        let tap_step = panels * lines * wide;
        matrix.clear();
        matrix.resize(count * tap_step, 0.0);
        let mut waiting = vec![[0.0; WIDE]; count * panels];
        for o in 0..g.outputs {
            let from = &weight[o * depth + part.channels.0 * taps + part.taps.0..];
            let of_taps = turned(from, taps, n, count);
            for (tap, line) in of_taps[..count].iter().enumerate() {
                for (panel, line) in line[..n].chunks(wide).enumerate() {
                    let to = &mut matrix[tap * tap_step + panel * lines * wide..];
                    put(line, o, of, wide, &mut waiting[tap * panels + panel], to);
                }
            }
        }
        for tap in 0..count {
            let product = Product {
                x: grad.as_ptr(),
                step: lines,
                rows: g.batch,
                at: &at,
                m: matrix[tap * tap_step..].as_ptr(),
                m_step: wide,
                panel_step: lines * wide,
                columns: n,
                to: to.from((part.taps.0 + tap) * g.inputs + part.channels.0).0.cast(),
                to_step: depth,
                begin: Begin::Zero,
                factors: of,
                lines: &[(0, 0)],
            };
            // SAFETY: the sizes follow from the geometry, against which the callers checked every slice.
            unsafe { product.run(simd) };
        }
    });
    // SAFETY: the parts cover all taps of all channels, and a product writes all of its own, in every image.
    unsafe {
        out.set_len(len);
    }
    out
}

/// The gradient (outputs, inputs, k·k) of the weight, given `grad` (batch, outputs), that of the value.
pub fn weight_gradient(g: &Geometry, x: &[f32], grad: &[f32], products: Products) -> Vec<f32> {
    let (simd, taps) = (Simd::chosen(), g.kernel * g.kernel);
    // Two images are a word.
    let (wide, depth, of) = (2 * simd.shape().0, taps * g.inputs, factors(products, simd, g.batch));
    let images = g.batch / of.numbers();
    let mut packed = Vec::new();
    super::pack(grad, g.outputs, (0, g.outputs), wide, of, &mut packed);
    let len = g.outputs * depth;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let to = Shared::new(&mut out.spare_capacity_mut()[..len]);
    parts(g, FOLDED).into_par_iter().for_each_init(<(Vec<f32>, Vec<f32>)>::default, |(seen, sums), part| {
        let (count, n) = (part.taps.1, part.channels.1);
        let at: Vec<usize> = (0..images).map(|image| image * n).collect();
        seen.resize(images * n, 0.0);
        sums.resize(count * n * g.outputs, 0.0);
        for (tap, sums) in sums.chunks_exact_mut(n * g.outputs).enumerate() {
            let own = |image: usize| &x[image * depth + (part.taps.0 + tap) * g.inputs + part.channels.0..][..n];
            for (image, to) in seen.chunks_exact_mut(n).enumerate() {
                match of {
                    Factors::Single => to.copy_from_slice(own(image)),
                    Factors::Rounded => half::beside(own(2 * image), own(2 * image + 1), to),
                }
            }
            let product = Product {
                x: seen.as_ptr(),
                step: 1,
                rows: n,
                at: &at,
                m: packed.as_ptr(),
                m_step: wide,
                panel_step: images * wide,
                columns: g.outputs,
                to: sums.as_mut_ptr(),
                to_step: g.outputs,
                begin: Begin::Zero,
                factors: of,
                lines: &[(0, 0)],
            };
            // SAFETY: the sizes follow from the geometry, against which the callers checked every slice.
            unsafe { product.run(simd) };
        }
        for c in 0..n {
            for first in (0..g.outputs).step_by(WIDE) {
                let own = WIDE.min(g.outputs - first);
                let mut lines = [[0.0; TAPS]; WIDE];
                for tap in 0..count {
                    let from = &sums[(tap * n + c) * g.outputs + first..][..own];
                    lines.iter_mut().zip(from).for_each(|(line, x)| line[tap] = *x);
                }
                for (o, line) in lines[..own].iter().enumerate() {
                    let at = (first + o) * depth + (part.channels.0 + c) * taps + part.taps.0;
                    // SAFETY: parts differ in taps or channels, so these numbers are this task's alone.
                    let to = unsafe { to.part(at, count) };
                    fresh::copy(to, &line[..count]);
                }
            }
        }
    });
    // SAFETY: the parts cover all taps of all channels.
    unsafe {
        out.set_len(len);
    }
    out
}

/// Bytes that it takes beside arguments and results: forward, backward, and kept by every thread.
pub fn working(g: &Geometry) -> (usize, usize, usize) {
    let bytes = |numbers: usize| numbers.saturating_mul(4);
    let (taps, own) = (TAPS.min(g.kernel * g.kernel), |most: usize| most.min(g.inputs));
    let sums = parts(g, CHANNELS).len().saturating_mul(g.batch).saturating_mul(g.outputs);
    // Words of the map, where factors are rounded.
    let paired = Simd::chosen().multiplies_bf16() && g.inputs.is_multiple_of(2);
    let words = if paired { g.batch.saturating_mul(g.kernel * g.kernel * g.inputs) / 2 } else { 0 };
    let matrix = taps * own(CHANNELS) * WIDE;
    let back = taps * own(WIDE).next_multiple_of(WIDE) * g.outputs;
    let folded = own(FOLDED) * (g.batch.saturating_add(taps.saturating_mul(g.outputs)));
    let arriving = g.batch.saturating_mul(g.outputs.next_multiple_of(WIDE));
    (bytes(sums.saturating_add(words)), bytes(arriving), bytes(matrix.max(back).max(folded)))
}
