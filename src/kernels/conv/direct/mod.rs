//! Convolutions with few channels on one side, straight from their definition: an image's first layer, a detection
//! map's last one.
//!
//! Stride 1, an odd kernel of any size and as much padding as keeps the size. [`few_inputs`] runs along vectors of
//! outputs, [`few_outputs`] along vectors of inputs.
#![allow(unsafe_code)]

use rayon::prelude::*;

pub mod few_inputs;
pub mod few_outputs;

#[cfg(test)]
mod tests;

/// Rows of a strip: enough to pay for the copy of their padded input.
const ROWS: usize = 8;

/// Parts of the strips whose weight gradients are summed apart.
const PARTS: usize = 16;

/// The sizes of a convolution whose result is as large as its input.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Height of both maps.
    pub height: usize,
    /// Width of both maps.
    pub width: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
}

impl Sizes {
    fn pad(&self) -> usize {
        self.kernel / 2
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Numbers of one row of the input with zeros on both sides.
    fn padded(&self) -> usize {
        (self.width + 2 * self.pad()) * self.inputs
    }

    /// Places of the padded rows, relative to a window's corner, that the (tap, input) pairs of a kernel read.
    fn reach(&self) -> Vec<usize> {
        let taps = (0..self.taps()).map(|tap| tap / self.kernel * self.padded() + tap % self.kernel * self.inputs);
        taps.flat_map(|tap| (0..self.inputs).map(move |input| tap + input)).collect()
    }

    /// Copies rows `top - pad .. top + count + pad` of an image, with zeros around it, into `to`.
    fn pad_rows(&self, x: &[f32], image: usize, top: usize, count: usize, to: &mut [f32]) {
        let (pad, wide, line) = (self.pad(), self.padded(), self.width * self.inputs);
        for (row, to) in to.chunks_exact_mut(wide).take(count + 2 * pad).enumerate() {
            to.fill(0.0);
            let y = (top + row).wrapping_sub(pad);
            if y < self.height {
                let from = x.iter().skip((image * self.height + y) * line).take(line);
                for (to, from) in to.iter_mut().skip(pad * self.inputs).zip(from) {
                    *to = *from;
                }
            }
        }
    }

    /// Strips of [`ROWS`] rows: image, first row, number of rows.
    fn strips(&self) -> Vec<(usize, usize, usize)> {
        let height = self.height;
        let of = move |image| (0..height).step_by(ROWS).map(move |top| (image, top, ROWS.min(height - top)));
        (0..self.batch).flat_map(of).collect()
    }

    /// `len` sums over all strips. Each part of them has sums and a buffer of its own, whatever the number of threads;
    /// `add` adds those of a strip.
    fn summed<B>(
        &self,
        len: usize,
        buffer: impl Fn() -> B + Sync,
        add: impl Fn(&mut B, (usize, usize, usize), &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let strips = self.strips();
        let per = strips.len().div_ceil(PARTS).max(1);
        let parts: Vec<Vec<f32>> = strips
            .par_chunks(per)
            .map(|strips| {
                let (mut buffer, mut sums) = (buffer(), vec![0.0; len]);
                strips.iter().for_each(|strip| add(&mut buffer, *strip, &mut sums));
                sums
            })
            .collect();
        let mut sums = vec![0.0; len];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
        sums
    }
}
