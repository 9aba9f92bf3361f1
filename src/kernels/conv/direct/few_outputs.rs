//! Few outputs: every output is a scalar product along the inputs, one tap after the other.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // strips end where the map ends; lengths are checked by the caller

use rayon::prelude::*;

use super::Sizes;
use crate::shared::Shared;
use crate::simd::{Lanes, Simd, Task, run};

/// Vectors of inputs summed at a time.
const BLOCK: usize = 4;

/// The weight in the order (output, tap, input).
fn by_taps(s: &Sizes, weight: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; weight.len()];
    for (at, w) in weight.iter().enumerate() {
        let (output, input, tap) = (at / (s.taps() * s.inputs), at / s.taps() % s.inputs, at % s.taps());
        out[(output * s.taps() + tap) * s.inputs + input] = *w;
    }
    out
}

/// `x` (batch, height, width, inputs) convolved with `weight` (outputs, inputs, kernel, kernel), plus `bias`.
pub fn value(simd: Simd, s: &Sizes, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let kernels = by_taps(s, weight);
    let mut out = vec![0.0; s.batch * s.height * s.width * s.outputs];
    let line = s.width * s.outputs;
    out.par_chunks_mut(line.max(1)).enumerate().for_each(|(row, to)| {
        run(simd, Row { s, x, kernels: &kernels, bias, image: row / s.height, y: row % s.height, to });
    });
    out
}

/// One row of the value.
struct Row<'a> {
    s: &'a Sizes,
    x: &'a [f32],
    kernels: &'a [f32],
    bias: Option<&'a [f32]>,
    image: usize,
    y: usize,
    to: &'a mut [f32],
}

impl Task for Row<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (s, pad) = (self.s, self.s.pad());
        for (at, to) in self.to.iter_mut().enumerate() {
            let (x, output) = (at / s.outputs, at % s.outputs);
            let mut sums = [unsafe { L::splat(0.0) }; 2];
            for i in 0..s.kernel {
                let y = (self.y + i).wrapping_sub(pad);
                if y >= s.height {
                    continue;
                }
                // Taps of one row of the kernel lie side by side, in the map as in the kernel: one long product.
                let (from, end) = (pad.saturating_sub(x), s.kernel.min(s.width + pad - x));
                let tap = output * s.taps() + i * s.kernel + from;
                let cells = ((self.image * s.height + y) * s.width + x + from - pad) * s.inputs;
                let count = (end - from) * s.inputs;
                let (a, b) = (&self.x[cells..cells + count], &self.kernels[tap * s.inputs..][..count]);
                unsafe { products::<L>(a, b, &mut sums) };
            }
            let sum = unsafe { sums[0].add(sums[1]).total() };
            *to = sum + self.bias.map_or(0.0, |b| b[output]);
        }
    }
}

#[inline(always)]
unsafe fn products<L: Lanes>(a: &[f32], b: &[f32], sums: &mut [L; 2]) {
    let whole = a.len() / L::N * L::N;
    let (p, q) = (a.as_ptr(), b.as_ptr());
    unsafe {
        for at in (0..whole).step_by(L::N) {
            let sum = &mut sums[at / L::N % 2];
            *sum = sum.plus(L::load(p.add(at)), L::load(q.add(at)));
        }
        if whole < a.len() {
            let n = a.len() - whole;
            sums[0] = sums[0].plus(L::load_part(p.add(whole), n), L::load_part(q.add(whole), n));
        }
    }
}

/// The gradient (batch, height, width, inputs) of the input, where `grad` is that of the value.
pub fn input_gradient(simd: Simd, s: &Sizes, weight: &[f32], grad: &[f32]) -> Vec<f32> {
    let kernels = by_taps(s, weight);
    let len = s.batch * s.height * s.width * s.inputs;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let to = Shared::new(&mut out.spare_capacity_mut()[..len]);
    (0..s.batch * s.height).into_par_iter().for_each(|row| {
        // SAFETY: rows do not overlap.
        let to = to.from(row * s.width * s.inputs).0.cast();
        run(simd, Back { s, kernels: &kernels, grad, image: row / s.height, y: row % s.height, to });
    });
    // SAFETY: the rows cover the input.
    unsafe { out.set_len(len) };
    out
}

/// One row of the input's gradient.
struct Back<'a> {
    s: &'a Sizes,
    kernels: &'a [f32],
    grad: &'a [f32],
    image: usize,
    y: usize,
    to: *mut f32,
}

impl Task for Back<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (s, pad) = (self.s, self.s.pad());
        for x in 0..s.width {
            for block in 0..s.inputs.div_ceil(L::N) {
                let n = (s.inputs - block * L::N).min(L::N);
                unsafe {
                    let mut sum = L::splat(0.0);
                    for tap in 0..s.taps() {
                        let (y, x) =
                            ((self.y + pad).wrapping_sub(tap / s.kernel), (x + pad).wrapping_sub(tap % s.kernel));
                        if y >= s.height || x >= s.width {
                            continue;
                        }
                        let at = ((self.image * s.height + y) * s.width + x) * s.outputs;
                        for (output, g) in self.grad[at..at + s.outputs].iter().enumerate() {
                            let p = self.kernels.as_ptr().add((output * s.taps() + tap) * s.inputs + block * L::N);
                            let w = if n == L::N { L::load(p) } else { L::load_part(p, n) };
                            sum = sum.plus(L::splat(*g), w);
                        }
                    }
                    let to = self.to.add(x * s.inputs + block * L::N);
                    if n == L::N { sum.store(to) } else { sum.store_part(to, n) }
                }
            }
        }
    }
}

/// The gradients of weight (outputs, inputs, kernel, kernel) and bias (outputs).
pub fn weight_gradient(simd: Simd, s: &Sizes, x: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let len = s.outputs * s.taps() * s.inputs;
    let sums = s.summed(
        len,
        || (),
        |(), (image, top, count), sums| {
            run(simd, Sums { s, x, grad, image, rows: top..top + count, sums });
        },
    );
    let mut weight = vec![0.0; len];
    for (at, w) in weight.iter_mut().enumerate() {
        let (output, input, tap) = (at / (s.taps() * s.inputs), at / s.taps() % s.inputs, at % s.taps());
        *w = sums[(output * s.taps() + tap) * s.inputs + input];
    }
    // Image by image, so that rounding does not grow with the batch.
    let image = (s.height * s.width * s.outputs).max(1);
    let bias = |output| grad.chunks(image).map(|g| g.iter().skip(output).step_by(s.outputs).sum::<f32>()).sum();
    (weight, (0..s.outputs).map(bias).collect())
}

/// Sums over the pixels of a strip, in the order (output, tap, input).
struct Sums<'a> {
    s: &'a Sizes,
    x: &'a [f32],
    grad: &'a [f32],
    image: usize,
    rows: std::ops::Range<usize>,
    sums: &'a mut [f32],
}

impl Task for Sums<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (s, pad) = (self.s, self.s.pad());
        for output in 0..s.outputs {
            for tap in 0..s.taps() {
                for block in (0..s.inputs).step_by(BLOCK * L::N) {
                    unsafe {
                        let mut sums = [L::splat(0.0); BLOCK];
                        let lanes = |i: usize| s.inputs.saturating_sub(block + i * L::N).min(L::N);
                        for row in self.rows.clone() {
                            let y = (row + tap / s.kernel).wrapping_sub(pad);
                            if y >= s.height {
                                continue;
                            }
                            let shift = tap % s.kernel;
                            for column in pad.saturating_sub(shift)..s.width.min((s.width + pad).saturating_sub(shift))
                            {
                                let at = (self.image * s.height + y) * s.width + column + shift - pad;
                                let x = self.x.as_ptr().add(at * s.inputs + block);
                                let g = (self.image * s.height + row) * s.width + column;
                                let g = L::splat(self.grad[g * s.outputs + output]);
                                for (i, sum) in sums.iter_mut().enumerate() {
                                    match lanes(i) {
                                        n if n == L::N => *sum = sum.plus(g, L::load(x.add(i * L::N))),
                                        0 => {}
                                        n => *sum = sum.plus(g, L::load_part(x.add(i * L::N), n)),
                                    }
                                }
                            }
                        }
                        let to = self.sums.as_mut_ptr().add((output * s.taps() + tap) * s.inputs + block);
                        for (i, sum) in sums.into_iter().enumerate() {
                            let to = to.wrapping_add(i * L::N);
                            match lanes(i) {
                                n if n == L::N => L::load(to).add(sum).store(to),
                                0 => {}
                                n => L::load_part(to, n).add(sum).store_part(to, n),
                            }
                        }
                    }
                }
            }
        }
    }
}
