//! Transformed tiles into the result: `Aᵀ m A`, the bias, and what follows the convolution.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone
#![allow(clippy::needless_range_loop)] // rows become columns: both indices are named
#![allow(clippy::indexing_slicing)] // tiles of constant size

use super::grid::Grid;
use super::{Sizes, transforms};
use crate::conv::after::put_largest;
use crate::conv::call::After;
use crate::simd::{Lanes, Task, put};

/// Writes some tiles of the result.
///
/// Point p of channel c of the i-th tile is at `from + p·step + (c / 2N)·room·2N + i·2N + c % 2N`.
pub struct Results {
    pub sizes: Sizes,
    pub tiles: (usize, usize),
    pub from: *const f32,
    pub step: usize,
    pub room: usize,
    /// One number a channel, filled up to a multiple of 2N.
    pub bias: *const f32,
    pub after: After,
    /// The result: (batch, height, width, outputs), or half as high and wide.
    pub to: *mut f32,
    /// As many bytes, if the result is pooled.
    pub cells: *mut u8,
}

impl Task for Results {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        unsafe {
            match self.after {
                After::Nothing => self.all::<L, 0>(),
                After::Relu => self.all::<L, 1>(),
                After::ReluPool => self.all::<L, 2>(),
            }
        }
    }
}

impl Results {
    #[inline(always)]
    unsafe fn all<L: Lanes, const AFTER: u8>(&self) {
        let s = &self.sizes;
        for i in 0..self.tiles.1 {
            let (image, top, left) = s.tile(self.tiles.0 + i);
            for block in 0..s.outputs.div_ceil(L::N) {
                let channel = block * L::N;
                let n = (s.outputs - channel).min(L::N);
                unsafe {
                    let zero = L::splat(0.0);
                    let from = self.from.add(((block / 2) * self.room + i) * 2 * L::N + (block & 1) * L::N);
                    let mut turned = Grid::<L, 24>::new();
                    for j in 0..6 {
                        let mut column = [zero; 6];
                        for (i, m) in column.iter_mut().enumerate() {
                            *m = L::load(from.add((i * 6 + j) * self.step));
                        }
                        for (i, v) in transforms::result(column).into_iter().enumerate() {
                            turned.put(i * 6 + j, v);
                        }
                    }
                    let bias = L::load(self.bias.add(channel));
                    if AFTER == 2 {
                        self.pool(&turned, bias, (image, top, left), (channel, n));
                        continue;
                    }
                    for i in 0..4 {
                        if top + i >= s.height {
                            break;
                        }
                        let line = self.to.add(((image * s.height + top + i) * s.width + left) * s.outputs + channel);
                        for (j, v) in transforms::result(turned.line::<6>(i * 6)).into_iter().enumerate() {
                            if left + j >= s.width {
                                break;
                            }
                            let v = v.add(bias);
                            let v = if AFTER == 1 { v.rectified() } else { v };
                            put(v, line.add(j * s.outputs), n);
                        }
                    }
                }
            }
        }
    }

    /// Four windows of 2 × 2.
    #[inline(always)]
    unsafe fn pool<L: Lanes>(
        &self,
        tile: &Grid<L, 24>,
        bias: L,
        (image, top, left): (usize, usize, usize),
        (channel, n): (usize, usize),
    ) {
        let (height, width) = (self.sizes.height / 2, self.sizes.width / 2);
        for i in 0..2 {
            unsafe {
                let (y, upper, lower) = (
                    top / 2 + i,
                    transforms::result(tile.line::<6>(12 * i)),
                    transforms::result(tile.line::<6>(12 * i + 6)),
                );
                for j in 0..2 {
                    let x = left / 2 + j;
                    if y >= height || x >= width {
                        continue;
                    }
                    let window = [upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1]];
                    let window = window.map(|v| v.add(bias));
                    let at = ((image * height + y) * width + x) * self.sizes.outputs + channel;
                    put_largest(window, self.to.add(at), self.cells.add(at), n);
                }
            }
        }
    }
}
