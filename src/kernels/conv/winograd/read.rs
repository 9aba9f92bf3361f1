//! Tiles of a map into transformed tiles: `Bᵀ d B` of 6 × 6 windows, `A g Aᵀ` of 4 × 4 ones.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone
#![allow(clippy::needless_range_loop)] // rows become columns: both indices are named
#![allow(clippy::indexing_slicing)] // tiles of constant size

use super::grid::Grid;
use super::{Sizes, transforms};
use crate::simd::{Lanes, Task};

/// A map that is read, channels last.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// As it is: (batch, height, width, channels).
    Plain(&'a [f32]),
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
trait Pixels {
    /// `n` channels, from `channel` on, of a pixel of the map.
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L;
    /// Rows and columns beyond which there are zeros.
    fn extent(&self) -> (usize, usize);
}

#[inline(always)]
unsafe fn load<L: Lanes>(p: *const f32, n: usize) -> L {
    unsafe { if n == L::N { L::load(p) } else { L::load_part(p, n) } }
}

struct Plain {
    numbers: *const f32,
    sides: (usize, usize),
    channels: usize,
}

impl Pixels for Plain {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L {
        let at = ((image * self.sides.0 + y) * self.sides.1 + x) * self.channels + channel;
        unsafe { load(self.numbers.add(at), n) }
    }
    #[inline(always)]
    fn extent(&self) -> (usize, usize) {
        self.sides
    }
}

struct Relu {
    grad: Plain,
    value: Plain,
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

struct Pool {
    /// The pooled map.
    grad: Plain,
    cells: *const u8,
}

impl Pixels for Pool {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, image: usize, y: usize, x: usize, channel: usize, n: usize) -> L {
        let (height, width) = self.grad.sides;
        let at = ((image * height + y / 2) * width + x / 2) * self.grad.channels + channel;
        let cell = ((y & 1) * 2 + (x & 1)) as u8;
        unsafe {
            if n == L::N {
                L::load(self.grad.numbers.add(at)).where_cell(self.cells.add(at), cell)
            } else {
                let mut cells = [u8::MAX; 16];
                std::ptr::copy_nonoverlapping(self.cells.add(at), cells.as_mut_ptr(), n);
                L::load_part(self.grad.numbers.add(at), n).where_cell(cells.as_ptr(), cell)
            }
        }
    }
    #[inline(always)]
    fn extent(&self) -> (usize, usize) {
        (2 * self.grad.sides.0, 2 * self.grad.sides.1)
    }
}

/// Where transformed tiles go.
trait Sink {
    /// The place of point 0 of a tile of a vector of channels, and the distance of the points.
    fn place(&mut self, vector: usize, tile: usize) -> (*mut f32, usize);
    /// The tile is there.
    fn done(&mut self, vector: usize, tile: usize);
}

/// To the place where the products read them; two vectors share a panel if `half` is not 0.
struct Direct {
    to: *mut f32,
    step: usize,
    /// From a tile to the next, from a vector or panel to the next, from the first half of a panel to the second.
    tile: usize,
    vector: usize,
    half: usize,
}

impl Sink for Direct {
    #[inline(always)]
    fn place(&mut self, vector: usize, tile: usize) -> (*mut f32, usize) {
        let (panel, half) = if self.half == 0 { (vector, 0) } else { (vector / 2, vector % 2 * self.half) };
        (self.to.wrapping_add(panel * self.vector + tile * self.tile + half), self.step)
    }
    #[inline(always)]
    fn done(&mut self, _: usize, _: usize) {}
}

/// To a place that somebody names, who then takes them on.
struct Through<P, F> {
    place: P,
    step: usize,
    f: F,
}

impl<P: FnMut(usize, usize) -> *mut f32, F: FnMut(usize, usize)> Sink for Through<P, F> {
    #[inline(always)]
    fn place(&mut self, vector: usize, tile: usize) -> (*mut f32, usize) {
        ((self.place)(vector, tile), self.step)
    }
    #[inline(always)]
    fn done(&mut self, vector: usize, tile: usize) {
        (self.f)(vector, tile);
    }
}

/// Calls `f` with the way to the pixels of `source`.
macro_rules! with_pixels {
    ($source:expr, $sizes:expr, $channels:expr, $f:expr) => {{
        let (sides, channels) = (($sizes.height, $sizes.width), $channels);
        let plain = |x: &[f32]| Plain { numbers: x.as_ptr(), sides, channels };
        match $source {
            Source::Plain(x) => $f(&plain(x)),
            Source::Relu { grad, value } => $f(&Relu { grad: plain(grad), value: plain(value) }),
            Source::Pool { grad, cells } => {
                let grad = Plain { sides: (sides.0 / 2, sides.1 / 2), ..plain(grad) };
                $f(&Pool { grad, cells: cells.as_ptr() })
            }
        }
    }};
}

/// Transforms the windows of some tiles: `Bᵀ d B`.
///
/// Point p of channel c of the i-th tile goes to `to + p·step + (c / N)·room·N + i·N + c % N`; the channels that fill up the last
/// vector are 0.
pub struct Windows<'a> {
    pub sizes: Sizes,
    /// The map; its channels are `sizes.inputs`.
    pub source: Source<'a>,
    /// The first tile and their number.
    pub tiles: (usize, usize),
    pub to: *mut f32,
    pub step: usize,
    /// Tiles there is room for.
    pub room: usize,
}

impl Task for Windows<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let sink = Direct { to: self.to, step: self.step, tile: L::N, vector: self.room * L::N, half: 0 };
        with_pixels!(self.source, self.sizes, self.sizes.inputs, |pixels| unsafe { self.all::<L, _, _>(pixels, sink) });
    }
}

impl Windows<'_> {
    /// Transforms every tile of every vector of channels to where `place` says, points N numbers apart, and then calls `f`, both with
    /// the number of the vector and of the tile in this block. All vectors of a tile come before the next tile.
    #[inline(always)]
    pub unsafe fn each<L: Lanes>(&self, place: impl FnMut(usize, usize) -> *mut f32, f: impl FnMut(usize, usize)) {
        with_pixels!(self.source, self.sizes, self.sizes.inputs, |pixels| unsafe {
            self.all::<L, _, _>(pixels, Through { place, step: L::N, f })
        });
    }

    #[inline(always)]
    unsafe fn all<L: Lanes, P: Pixels, S: Sink>(&self, pixels: &P, mut sink: S) {
        let (rows, columns) = pixels.extent();
        for i in 0..self.tiles.1 {
            let (image, top, left) = self.sizes.tile(self.tiles.0 + i);
            let inside = top > 0 && left > 0 && top + 5 <= rows && left + 5 <= columns;
            for block in 0..self.sizes.inputs.div_ceil(L::N) {
                let n = (self.sizes.inputs - block * L::N).min(L::N);
                unsafe {
                    let to = sink.place(block, i);
                    if inside {
                        self.one::<L, P, true>(pixels, (image, top, left), (block * L::N, n), to);
                    } else {
                        self.one::<L, P, false>(pixels, (image, top, left), (block * L::N, n), to);
                    }
                    sink.done(block, i);
                }
            }
        }
    }

    /// One tile of a vector of channels.
    #[inline(always)]
    unsafe fn one<L: Lanes, P: Pixels, const INSIDE: bool>(
        &self,
        pixels: &P,
        (image, top, left): (usize, usize, usize),
        (channel, n): (usize, usize),
        (to, step): (*mut f32, usize),
    ) {
        let (rows, columns) = pixels.extent();
        unsafe {
            let zero = L::splat(0.0);
            let mut turned = Grid::<L, 36>::new();
            for i in 0..6 {
                // The window begins a pixel above and to the left: beyond 0 that wraps to a number larger than any side.
                let y = (top + i).wrapping_sub(1);
                let mut row = [zero; 6];
                if INSIDE || y < rows {
                    for (j, d) in row.iter_mut().enumerate() {
                        let x = (left + j).wrapping_sub(1);
                        if INSIDE || x < columns {
                            *d = pixels.at(image, y, x, channel, n);
                        }
                    }
                }
                for (j, v) in transforms::input(row).into_iter().enumerate() {
                    turned.put(j * 6 + i, v);
                }
            }
            for j in 0..6 {
                let column: [L; 6] = turned.line(j * 6);
                for (i, v) in transforms::input(column).into_iter().enumerate() {
                    v.store(to.add((i * 6 + j) * step));
                }
            }
        }
    }
}

/// Transforms the gradient's tiles: `A g Aᵀ`, and sums the gradient over all their pixels.
///
/// Point p of channel c of the i-th tile goes to `to + p·step + (c / 2N)·room·2N + i·2N + c % 2N`; the channels that fill up the
/// last vector are 0.
pub struct Tiles<'a> {
    pub sizes: Sizes,
    /// The gradient; its channels are `sizes.outputs`.
    pub source: Source<'a>,
    pub tiles: (usize, usize),
    pub to: *mut f32,
    pub step: usize,
    pub room: usize,
    /// Sums of every channel, filled up to a multiple of 2N; added to.
    pub sums: *mut f32,
}

impl Task for Tiles<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let sink = Direct { to: self.to, step: self.step, tile: 2 * L::N, vector: self.room * 2 * L::N, half: L::N };
        with_pixels!(self.source, self.sizes, self.sizes.outputs, |pixels| unsafe {
            self.all::<L, _, _>(pixels, sink)
        });
    }
}

impl Tiles<'_> {
    /// As [`Windows::each`]; the sums are added to as well.
    #[inline(always)]
    pub unsafe fn each<L: Lanes>(&self, place: impl FnMut(usize, usize) -> *mut f32, f: impl FnMut(usize, usize)) {
        with_pixels!(self.source, self.sizes, self.sizes.outputs, |pixels| unsafe {
            self.all::<L, _, _>(pixels, Through { place, step: L::N, f })
        });
    }

    #[inline(always)]
    unsafe fn all<L: Lanes, P: Pixels, S: Sink>(&self, pixels: &P, mut sink: S) {
        let (rows, columns) = pixels.extent();
        for i in 0..self.tiles.1 {
            let (image, top, left) = self.sizes.tile(self.tiles.0 + i);
            for block in 0..2 * self.sizes.outputs.div_ceil(2 * L::N) {
                let channel = block * L::N;
                let n = self.sizes.outputs.saturating_sub(channel).min(L::N);
                unsafe {
                    let zero = L::splat(0.0);
                    let mut turned = Grid::<L, 24>::new();
                    let mut sum = zero;
                    for i in 0..4 {
                        let mut row = [zero; 4];
                        if top + i < rows && n > 0 {
                            for (j, g) in row.iter_mut().enumerate() {
                                if left + j < columns {
                                    *g = pixels.at(image, top + i, left + j, channel, n);
                                    sum = sum.add(*g);
                                }
                            }
                        }
                        for (j, v) in transforms::gradient(row).into_iter().enumerate() {
                            turned.put(j * 4 + i, v);
                        }
                    }
                    let sums = self.sums.add(channel);
                    L::load(sums).add(sum).store(sums);
                    let (to, step) = sink.place(block, i);
                    for j in 0..6 {
                        let column: [L; 4] = turned.line(j * 4);
                        for (i, v) in transforms::gradient(column).into_iter().enumerate() {
                            v.store(to.add((i * 6 + j) * step));
                        }
                    }
                    sink.done(block, i);
                }
            }
        }
    }
}
