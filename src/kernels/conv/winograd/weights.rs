//! Kernels into transformed kernels, `G w Gᵀ`, and gradients of these back, `Gᵀ u G`.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone
#![allow(clippy::needless_range_loop)] // rows become columns: both indices are named
#![allow(clippy::indexing_slicing)] // tiles of constant size; the weight's length is checked by the callers

use rayon::prelude::*;

use super::grid::Grid;
use super::{POINTS, Sizes, transforms};
use crate::shared::Shared;
use crate::simd::{Lanes, Simd, Task, run};

/// Transformed kernels in the order `product::Values` reads, and the distance of the points.
///
/// `weight` is (outputs, inputs, 3, 3) in the sizes of the convolution's value. With `back` the kernels are turned by
/// 180° and inputs and outputs exchanged: those of the input's gradient.
pub fn transformed(simd: Simd, s: &Sizes, weight: &[f32], back: bool) -> (Vec<f32>, usize) {
    let (inputs, outputs) = if back { (s.outputs, s.inputs) } else { (s.inputs, s.outputs) };
    let wide = 2 * simd.shape().0;
    let step = transformed_numbers(simd, inputs, outputs) / POINTS;
    let mut to: Vec<f32> = Vec::with_capacity(POINTS * step);
    let spare = Shared::new(&mut to.spare_capacity_mut()[..POINTS * step]);
    // Inputs are cut into strips so that a wide layer with few outputs is still shared among cores.
    let strips = inputs.div_ceil(32);
    (0..outputs.div_ceil(wide) * strips).into_par_iter().for_each(|part| {
        let (panel, strip) = (part / strips, part % strips);
        let range = strip * 32..(strip * 32 + 32).min(inputs);
        let to = spare.from(0).0.cast::<f32>();
        // SAFETY: a task writes the numbers of its own panel and inputs.
        run(simd, Kernels { weight, to, step, sides: (inputs, outputs), back, panel, range });
    });
    // SAFETY: every point of every panel and input was written, filled up with zeros.
    unsafe { to.set_len(POINTS * step) };
    (to, step)
}

/// Numbers of transformed kernels.
pub fn transformed_numbers(simd: Simd, inputs: usize, outputs: usize) -> usize {
    POINTS * inputs * outputs.next_multiple_of(2 * simd.shape().0)
}

struct Kernels<'a> {
    weight: &'a [f32],
    to: *mut f32,
    step: usize,
    /// Inputs and outputs.
    sides: (usize, usize),
    back: bool,
    panel: usize,
    range: std::ops::Range<usize>,
}

impl Task for Kernels<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (inputs, outputs) = self.sides;
        let wide = 2 * L::N;
        // Nine taps of as many outputs as a panel holds.
        let mut taps = [[0.0f32; 32]; 9];
        for input in self.range {
            for lane in 0..wide.min(outputs - self.panel * wide) {
                let output = self.panel * wide + lane;
                let at = if self.back { input * outputs + output } else { output * inputs + input };
                for (tap, x) in self.weight[9 * at..][..9].iter().enumerate() {
                    taps[if self.back { 8 - tap } else { tap }][lane] = *x;
                }
            }
            for half in 0..2 {
                unsafe {
                    let mut turned = Grid::<L, 18>::new();
                    for i in 0..3 {
                        let row = [0, 1, 2].map(|j| L::load(taps[i * 3 + j].as_ptr().add(half * L::N)));
                        for (j, v) in transforms::kernel(row).into_iter().enumerate() {
                            turned.put(j * 3 + i, v);
                        }
                    }
                    let to = self.to.add((self.panel * inputs + input) * wide + half * L::N);
                    for j in 0..6 {
                        let column: [L; 3] = turned.line(j * 3);
                        for (i, v) in transforms::kernel(column).into_iter().enumerate() {
                            v.store(to.add((i * 6 + j) * self.step));
                        }
                    }
                }
            }
        }
    }
}

/// The weight's gradient (outputs, inputs, 3, 3) from sums as `product::Kernels` writes them: `parts` of them, `apart`
/// numbers from each to the next, points `step` apart.
pub fn gradient(simd: Simd, s: &Sizes, sums: &[f32], (parts, apart): (usize, usize), step: usize) -> Vec<f32> {
    let mut out: Vec<f32> = Vec::with_capacity(s.outputs * s.inputs * 9);
    let spare = Shared::new(&mut out.spare_capacity_mut()[..s.outputs * s.inputs * 9]);
    let wide = 2 * simd.shape().0;
    let strips = s.inputs.div_ceil(32);
    (0..s.outputs.div_ceil(wide) * strips).into_par_iter().for_each(|part| {
        let (panel, strip) = (part / strips, part % strips);
        let range = strip * 32..(strip * 32 + 32).min(s.inputs);
        let to = spare.from(0).0.cast::<f32>();
        // SAFETY: a task writes the kernels of its own outputs and inputs.
        run(simd, Gradient { sums: sums.as_ptr(), parts, apart, step, to, sizes: *s, panel, range });
    });
    // SAFETY: every kernel of every output and input was written.
    unsafe { out.set_len(s.outputs * s.inputs * 9) };
    out
}

struct Gradient {
    sums: *const f32,
    parts: usize,
    apart: usize,
    step: usize,
    to: *mut f32,
    sizes: Sizes,
    panel: usize,
    range: std::ops::Range<usize>,
}

impl Task for Gradient {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let s = &self.sizes;
        let (wide, filled) = (2 * L::N, s.inputs.div_ceil(L::N) * L::N);
        let mut taps = [[0.0f32; 32]; 9];
        for input in self.range {
            for half in 0..2 {
                unsafe {
                    let zero = L::splat(0.0);
                    let from = self.sums.add((self.panel * filled + input) * wide + half * L::N);
                    let mut turned = Grid::<L, 18>::new();
                    for j in 0..6 {
                        let mut column = [zero; 6];
                        for (i, u) in column.iter_mut().enumerate() {
                            let from = from.add((i * 6 + j) * self.step);
                            *u = L::load(from);
                            for part in 1..self.parts {
                                *u = u.add(L::load(from.add(part * self.apart)));
                            }
                        }
                        for (i, v) in transforms::kernel_gradient(column).into_iter().enumerate() {
                            turned.put(i * 6 + j, v);
                        }
                    }
                    for i in 0..3 {
                        let row: [L; 6] = turned.line(i * 6);
                        for (j, v) in transforms::kernel_gradient(row).into_iter().enumerate() {
                            v.store(taps[i * 3 + j].as_mut_ptr().add(half * L::N));
                        }
                    }
                }
            }
            for lane in 0..wide.min(s.outputs - self.panel * wide) {
                for (tap, row) in taps.iter().enumerate() {
                    let at = ((self.panel * wide + lane) * s.inputs + input) * 9 + tap;
                    unsafe { *self.to.add(at) = row[lane] };
                }
            }
        }
    }
}
