//! How the numbers of a map are found: as they are, or as a gradient of what was rectified or pooled.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone

use crate::batch_norm::Lines;
use crate::conv::after::take_where;
use crate::simd::{Lanes, take};

/// A map that is read, channels last.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// As it is: (batch, height, width, channels).
    Plain(&'a [f32]),
    /// What lines make of its channels.
    Normal {
        /// The map.
        x: &'a [f32],
        /// The lines.
        lines: &'a Lines<f32>,
    },
    /// A gradient of a rectified value, of the same shape: it counts where the value is above 0.
    Relu {
        /// The gradient.
        grad: &'a [f32],
        /// The value.
        value: &'a [f32],
    },
    /// A gradient of a rectified and pooled value: it counts in the cells the maxima came from.
    Pool {
        /// The gradient: (batch, ⌊height/2⌋, ⌊width/2⌋, channels).
        grad: &'a [f32],
        /// The cells, of the same shape.
        cells: &'a [u8],
    },
}

/// How a number of a map is found.
pub trait Pixels {
    /// `n` channels, from `channel` on, of a pixel of the map.
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L;
    /// Rows and columns beyond which there are zeros.
    fn extent(&self) -> (usize, usize);
}

/// Of a map as it is.
pub struct Plain {
    pub numbers: *const f32,
    pub sides: (usize, usize),
    pub channels: usize,
}

impl Pixels for Plain {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L {
        let at = ((image * self.sides.0 + y) * self.sides.1 + x) * self.channels + channel;
        unsafe { take(self.numbers.add(at), n) }
    }
    #[inline(always)]
    fn extent(&self) -> (usize, usize) {
        self.sides
    }
}

/// Of what lines make of a map, rectified or not.
pub struct Normal<'a, const RECTIFIED: bool> {
    pub x: Plain,
    pub lines: &'a Lines<f32>,
}

impl<const RECTIFIED: bool> Pixels for Normal<'_, RECTIFIED> {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L {
        let known = |of: &[f32]| unsafe { take::<L>(of.as_ptr().add(channel), n) };
        unsafe {
            let apart = self.x.at::<L>(image, y, x, channel, n).sub(known(&self.lines.mean));
            let value = known(&self.lines.shift).plus(apart, known(&self.lines.scale));
            if RECTIFIED { value.rectified() } else { value }
        }
    }
    #[inline(always)]
    fn extent(&self) -> (usize, usize) {
        self.x.sides
    }
}

/// Of a gradient where the value is above 0.
pub struct Relu {
    pub grad: Plain,
    pub value: Plain,
}

impl Pixels for Relu {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L {
        unsafe {
            let grad: L = self.grad.at(image, y, x, channel, n);
            grad.where_positive(self.value.at(image, y, x, channel, n))
        }
    }
    #[inline(always)]
    fn extent(&self) -> (usize, usize) {
        self.grad.sides
    }
}

/// Of a gradient in the cells the maxima came from.
pub struct Pool {
    /// The pooled map.
    pub grad: Plain,
    pub cells: *const u8,
}

impl Pixels for Pool {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L {
        let (height, width) = self.grad.sides;
        let at = ((image * height + y / 2) * width + x / 2) * self.grad.channels + channel;
        let cell = ((y & 1) * 2 + (x & 1)) as u8;
        unsafe { take_where((self.grad.numbers, self.cells), at, cell, n) }
    }
    #[inline(always)]
    fn extent(&self) -> (usize, usize) {
        (2 * self.grad.sides.0, 2 * self.grad.sides.1)
    }
}
