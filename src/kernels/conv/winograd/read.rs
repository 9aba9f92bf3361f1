//! Tiles of a map into transformed tiles: `Bᵀ d B` of 6 × 6 windows, `A g Aᵀ` of 4 × 4 ones.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone
#![allow(clippy::needless_range_loop)] // rows become columns: both indices are named
#![allow(clippy::indexing_slicing)] // tiles of constant size

use super::grid::Grid;
use super::pixels::{Normal, Pixels, Plain, Pool, Relu, Source};
use super::{Sizes, transforms};
use crate::simd::{Lanes, Task};

/// Where transformed tiles go.
pub trait Sink {
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

/// To the place that `place` returns; `f` is called once they are there.
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

/// Some tiles of a map, and where their transforms go.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    pub sizes: Sizes,
    /// The map.
    pub source: Source<'a>,
    /// The first tile and their number.
    pub tiles: (usize, usize),
    pub to: *mut f32,
    pub step: usize,
    /// Tiles there is room for.
    pub room: usize,
}

/// A transform of tiles: what [`Windows`] and [`Tiles`] share.
pub trait Transform<'a> {
    /// The tiles.
    fn frame(&self) -> &Frame<'a>;

    /// Channels of the map, and the vectors that hold them.
    fn channels<L: Lanes>(&self) -> (usize, usize);

    /// Transforms one tile of `n` channels, from `channel` on, whose upper left pixel is `corner` (image, row, column),
    /// to `to`, with the points `step` numbers apart.
    unsafe fn one<L: Lanes, P: Pixels>(
        &self,
        pixels: &P,
        corner: (usize, usize, usize),
        channels: (usize, usize),
        to: (*mut f32, usize),
    );

    /// Transforms every tile of every vector of channels to the place that `place` returns, points N numbers apart, and
    /// then calls `f`, both with the number of the vector and of the tile in this block. All vectors of a tile come
    /// before the next tile.
    #[inline(always)]
    unsafe fn each<L: Lanes>(&self, place: impl FnMut(usize, usize) -> *mut f32, f: impl FnMut(usize, usize)) {
        unsafe { self.all::<L, _>(Through { place, step: L::N, f }) };
    }

    /// Transforms all tiles into a sink.
    #[inline(always)]
    unsafe fn all<L: Lanes, S: Sink>(&self, sink: S) {
        let Frame { sizes, source, .. } = *self.frame();
        let (sides, channels) = ((sizes.height, sizes.width), self.channels::<L>().0);
        let plain = |x: &[f32]| Plain { numbers: x.as_ptr(), sides, channels };
        unsafe {
            match source {
                Source::Plain(x) => self.over::<L, _, _>(&plain(x), sink),
                Source::Normal { x, lines } if lines.rectified => {
                    self.over::<L, _, _>(&Normal::<true> { x: plain(x), lines }, sink);
                }
                Source::Normal { x, lines } => {
                    self.over::<L, _, _>(&Normal::<false> { x: plain(x), lines }, sink);
                }
                Source::Relu { grad, value } => {
                    self.over::<L, _, _>(&Relu { grad: plain(grad), value: plain(value) }, sink);
                }
                Source::Pool { grad, cells } => {
                    let grad = Plain { sides: (sides.0 / 2, sides.1 / 2), ..plain(grad) };
                    self.over::<L, _, _>(&Pool { grad, cells: cells.as_ptr() }, sink);
                }
            }
        }
    }

    /// As [`Transform::all`], of these pixels.
    #[inline(always)]
    unsafe fn over<L: Lanes, P: Pixels, S: Sink>(&self, pixels: &P, mut sink: S) {
        let Frame { sizes, tiles, .. } = self.frame();
        let (channels, vectors) = self.channels::<L>();
        for i in 0..tiles.1 {
            let corner = sizes.tile(tiles.0 + i);
            for vector in 0..vectors {
                let channel = vector * L::N;
                let n = channels.saturating_sub(channel).min(L::N);
                unsafe {
                    self.one::<L, P>(pixels, corner, (channel, n), sink.place(vector, i));
                    sink.done(vector, i);
                }
            }
        }
    }
}

/// Transforms the windows of some tiles: `Bᵀ d B`. The map's channels are `sizes.inputs`.
///
/// Point p of channel c of the i-th tile goes to `to + p·step + (c / N)·room·N + i·N + c % N`; the channels that fill
/// up the last vector are 0.
pub struct Windows<'a>(pub Frame<'a>);

impl Task for Windows<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Frame { to, step, room, .. } = self.0;
        unsafe { self.all::<L, _>(Direct { to, step, tile: L::N, vector: room * L::N, half: 0 }) };
    }
}

impl<'a> Transform<'a> for Windows<'a> {
    #[inline(always)]
    fn frame(&self) -> &Frame<'a> {
        &self.0
    }

    #[inline(always)]
    fn channels<L: Lanes>(&self) -> (usize, usize) {
        let channels = self.0.sizes.inputs;
        (channels, channels.div_ceil(L::N))
    }

    #[inline(always)]
    unsafe fn one<L: Lanes, P: Pixels>(
        &self,
        pixels: &P,
        corner: (usize, usize, usize),
        channels: (usize, usize),
        to: (*mut f32, usize),
    ) {
        let ((rows, columns), (_, top, left)) = (pixels.extent(), corner);
        unsafe {
            if top > 0 && left > 0 && top + 5 <= rows && left + 5 <= columns {
                window::<L, P, true>(pixels, corner, channels, to);
            } else {
                window::<L, P, false>(pixels, corner, channels, to);
            }
        }
    }
}

/// One window, all of it inside the map or not.
#[inline(always)]
unsafe fn window<L: Lanes, P: Pixels, const INSIDE: bool>(
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

/// Transforms the gradient's tiles: `A g Aᵀ`, and sums the gradient over all their pixels. Its channels are
/// `sizes.outputs`.
///
/// Point p of channel c of the i-th tile goes to `to + p·step + (c / 2N)·room·2N + i·2N + c % 2N`; the channels that
/// fill up the last vector are 0.
pub struct Tiles<'a> {
    /// The gradient.
    pub frame: Frame<'a>,
    /// Sums of every channel, filled up to a multiple of 2N; added to.
    pub sums: *mut f32,
    /// Whether a vector that no channel fills is there all the same.
    pub whole: bool,
}

impl Task for Tiles<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Frame { to, step, room, .. } = self.frame;
        unsafe { self.all::<L, _>(Direct { to, step, tile: 2 * L::N, vector: room * 2 * L::N, half: L::N }) };
    }
}

impl<'a> Transform<'a> for Tiles<'a> {
    #[inline(always)]
    fn frame(&self) -> &Frame<'a> {
        &self.frame
    }

    #[inline(always)]
    fn channels<L: Lanes>(&self) -> (usize, usize) {
        let channels = self.frame.sizes.outputs;
        (channels, if self.whole { 2 * channels.div_ceil(2 * L::N) } else { channels.div_ceil(L::N) })
    }

    #[inline(always)]
    unsafe fn one<L: Lanes, P: Pixels>(
        &self,
        pixels: &P,
        (image, top, left): (usize, usize, usize),
        (channel, n): (usize, usize),
        (to, step): (*mut f32, usize),
    ) {
        let (rows, columns) = pixels.extent();
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
            for j in 0..6 {
                let column: [L; 4] = turned.line(j * 4);
                for (i, v) in transforms::gradient(column).into_iter().enumerate() {
                    v.store(to.add((i * 6 + j) * step));
                }
            }
        }
    }
}
