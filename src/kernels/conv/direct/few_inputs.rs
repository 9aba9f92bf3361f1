//! Few inputs: every output is a sum of few products, taken for a vector of outputs and several pixels at a time.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // strips end where the map ends; lengths are checked by the caller

use rayon::prelude::*;

use super::{ROWS, Sizes};
use crate::shared::Shared;
use crate::simd::{Lanes, Simd, Task, run, take};

/// `x` (batch, height, width, inputs) convolved with `weight` (outputs, inputs, kernel, kernel), plus `bias`, rectified
/// if `relu`.
pub fn value(simd: Simd, s: &Sizes, x: &[f32], weight: &[f32], bias: Option<&[f32]>, relu: bool) -> Vec<f32> {
    let wide = halves(s.outputs, simd.shape().0) * simd.shape().0;
    let filled = s.outputs.next_multiple_of(wide);
    let depth = s.taps() * s.inputs;
    // (panel, tap, input, output within the panel)
    let mut kernels = vec![0.0; depth * filled];
    let mut biases = vec![0.0; filled];
    for output in 0..s.outputs {
        for (pair, to) in (0..depth).zip((output / wide * depth * wide + output % wide..).step_by(wide)) {
            kernels[to] = weight[(output * s.inputs + pair % s.inputs) * s.taps() + pair / s.inputs];
        }
        biases[output] = bias.map_or(0.0, |b| b[output]);
    }
    let reach = s.reach();
    let len = s.batch * s.height * s.width * s.outputs;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let to = Shared::new(&mut out.spare_capacity_mut()[..len]);
    // Pixels a task computes beyond a row's end read past the padded rows' end.
    let slack = simd.shape().1 * s.inputs;
    s.strips().into_par_iter().for_each_init(
        || vec![0.0; (ROWS + 2 * s.pad()) * s.padded() + slack],
        |padded, (image, top, count)| {
            s.pad_rows(x, image, top, count, padded);
            let line = s.width * s.outputs;
            // SAFETY: strips do not overlap.
            let to = to.from((image * s.height + top) * line).0.cast();
            run(simd, Rows { s, padded, reach: &reach, kernels: &kernels, biases: &biases, count, relu, to });
        },
    );
    // SAFETY: the strips cover the result.
    unsafe { out.set_len(len) };
    out
}

/// Vectors in a panel of outputs: two, or one where no more outputs are there.
fn halves(outputs: usize, vector: usize) -> usize {
    if outputs <= vector { 1 } else { 2 }
}

struct Rows<'a> {
    s: &'a Sizes,
    padded: &'a [f32],
    reach: &'a [usize],
    kernels: &'a [f32],
    biases: &'a [f32],
    count: usize,
    relu: bool,
    to: *mut f32,
}

impl Task for Rows<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        unsafe {
            match (L::ROWS, halves(self.s.outputs, L::N)) {
                (14, 1) => self.all::<L, 14, 1>(),
                (14, _) => self.all::<L, 14, 2>(),
                (6, 1) => self.all::<L, 6, 1>(),
                (6, _) => self.all::<L, 6, 2>(),
                (_, 1) => self.all::<L, 4, 1>(),
                _ => self.all::<L, 4, 2>(),
            }
        }
    }
}

impl Rows<'_> {
    #[inline(always)]
    unsafe fn all<L: Lanes, const R: usize, const HALVES: usize>(&self) {
        let s = self.s;
        let wide = HALVES * L::N;
        for row in 0..self.count {
            for panel in 0..s.outputs.div_ceil(wide) {
                for left in (0..s.width).step_by(R) {
                    let pixels = R.min(s.width - left);
                    unsafe {
                        let corner = self.padded.as_ptr().add(row * s.padded() + left * s.inputs);
                        let kernels = self.kernels.as_ptr().add(panel * self.reach.len() * wide);
                        let biases = self.biases.as_ptr().add(panel * wide);
                        let mut first = [L::load(biases); HALVES];
                        for (half, first) in first.iter_mut().enumerate().skip(1) {
                            *first = L::load(biases.add(half * L::N));
                        }
                        let mut sums = [first; R];
                        for (pair, reach) in self.reach.iter().enumerate() {
                            let mut factors = [L::load(kernels.add(pair * wide)); HALVES];
                            for (half, factor) in factors.iter_mut().enumerate().skip(1) {
                                *factor = L::load(kernels.add(pair * wide + half * L::N));
                            }
                            for (i, sum) in sums.iter_mut().enumerate() {
                                let a = L::splat(*corner.add(reach + i * s.inputs));
                                for (sum, factor) in sum.iter_mut().zip(factors) {
                                    *sum = sum.plus(a, factor);
                                }
                            }
                        }
                        let to = self.to.add((row * s.width + left) * s.outputs + panel * wide);
                        for (i, sum) in sums.into_iter().enumerate().take(pixels) {
                            for (half, v) in sum.into_iter().enumerate() {
                                let v = if self.relu { v.rectified() } else { v };
                                let to = to.wrapping_add(i * s.outputs + half * L::N);
                                match s.outputs.saturating_sub(panel * wide + half * L::N).min(L::N) {
                                    n if n == L::N => v.store(to),
                                    0 => {}
                                    n => v.store_part(to, n),
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The gradients of weight (outputs, inputs, kernel, kernel) and bias (outputs). `grad` is that of the value; where the
/// value was rectified, `relu` is the value.
pub fn weight_gradient(simd: Simd, s: &Sizes, x: &[f32], grad: &[f32], relu: Option<&[f32]>) -> (Vec<f32>, Vec<f32>) {
    let depth = s.taps() * s.inputs;
    let filled = s.outputs.next_multiple_of(simd.shape().0);
    let reach = s.reach();
    // The last row of the sums is the bias'.
    let padded = || vec![0.0; (ROWS + 2 * s.pad()) * s.padded()];
    let sums = s.summed((depth + 1) * filled, padded, |padded, (image, top, count), sums| {
        s.pad_rows(x, image, top, count, padded);
        let from = (image * s.height + top) * s.width * s.outputs;
        let len = count * s.width * s.outputs;
        let (grad, relu) = (&grad[from..from + len], relu.map(|v| &v[from..from + len]));
        run(simd, Sums { s, padded, reach: &reach, grad, relu, sums, count });
    });
    let mut weight = vec![0.0; s.outputs * depth];
    for (at, w) in weight.iter_mut().enumerate() {
        let (output, input, tap) = (at / depth, at / s.taps() % s.inputs, at % s.taps());
        *w = sums[(tap * s.inputs + input) * filled + output];
    }
    (weight, sums[depth * filled..][..s.outputs].to_vec())
}

/// Sums over the pixels of a strip.
struct Sums<'a> {
    s: &'a Sizes,
    padded: &'a [f32],
    reach: &'a [usize],
    grad: &'a [f32],
    relu: Option<&'a [f32]>,
    /// (tap, input) pairs and the bias, each of as many outputs as fill vectors.
    sums: &'a mut [f32],
    count: usize,
}

/// (tap, input) pairs summed at a time: a 3 × 3 kernel.
const PAIRS: usize = 9;

impl Task for Sums<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let s = self.s;
        let blocks = s.outputs.div_ceil(L::N);
        for block in 0..blocks {
            let n = (s.outputs - block * L::N).min(L::N);
            for first in (0..self.reach.len()).step_by(PAIRS) {
                let mut reach = [0; PAIRS];
                let pairs = PAIRS.min(self.reach.len() - first);
                reach[..pairs].copy_from_slice(&self.reach[first..first + pairs]);
                unsafe {
                    let to = self.sums.as_mut_ptr().add(block * L::N);
                    let (mut sums, mut bias) = ([L::splat(0.0); PAIRS], L::splat(0.0));
                    for row in 0..self.count {
                        let padded = self.padded.as_ptr().add(row * s.padded());
                        for column in 0..s.width {
                            let at = (row * s.width + column) * s.outputs + block * L::N;
                            let load = |x: &[f32]| take::<L>(x.as_ptr().add(at), n);
                            let mut grad = load(self.grad);
                            if let Some(value) = self.relu {
                                grad = grad.where_positive(load(value));
                            }
                            bias = bias.add(grad);
                            let corner = padded.add(column * s.inputs);
                            for (sum, reach) in sums.iter_mut().zip(reach) {
                                *sum = sum.plus(L::splat(*corner.add(reach)), grad);
                            }
                        }
                    }
                    let wide = blocks * L::N;
                    for (pair, sum) in sums.into_iter().enumerate().take(pairs) {
                        let to = to.add((first + pair) * wide);
                        L::load(to).add(sum).store(to);
                    }
                    if first == 0 {
                        let to = to.add(self.reach.len() * wide);
                        L::load(to).add(bias).store(to);
                    }
                }
            }
        }
    }
}
