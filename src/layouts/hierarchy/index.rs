//! Where a cell's shapes lie: they are put in the order of a Z curve and cut into chunks, each with its extent, so that
//! a window skips most of a large cell.

use super::extent::Extent;
use crate::library::{Shapes, Wire};
use crate::path::outline;
use crate::polygons::Polygons;

/// How many shapes are in a chunk, and chunks in a chunk of these.
pub const CHUNK: usize = 32;

/// The extents of chunks of [`CHUNK`] items each, in two levels.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    fine: Vec<Extent>,
    coarse: Vec<Extent>,
}

impl Chunks {
    /// Of the extents of single chunks.
    pub fn new(fine: Vec<Extent>) -> Self {
        let around = |extents: &[Extent]| extents.iter().fold(Extent::EMPTY, |a, b| a.join(b));
        // Few are looked at as fast without.
        let coarse = if fine.len() > CHUNK { fine.chunks(CHUNK).map(around).collect() } else { vec![] };
        Self { fine, coarse }
    }

    /// Around all.
    pub fn extent(&self) -> Extent {
        self.fine.iter().fold(Extent::EMPTY, |a, b| a.join(b))
    }

    /// The numbers, in rising order, of those chunks that `near` holds for.
    pub fn near(&self, near: impl Fn(&Extent) -> bool + Copy) -> impl Iterator<Item = usize> {
        let large = move |k: usize| self.coarse.get(k).is_none_or(near);
        let range = |k: usize| k * CHUNK..((k + 1) * CHUNK).min(self.fine.len());
        let numbers = (0..self.fine.len().div_ceil(CHUNK)).filter(move |&k| large(k)).flat_map(range);
        numbers.filter(move |&k| self.fine.get(k).is_some_and(near))
    }
}

/// The extents of a layer's chunks.
#[derive(Debug, Default)]
pub struct LayerIndex {
    /// Around all shapes, and how far wires that are not magnified reach beyond that, in units of the top cell.
    pub extent: Option<Extent>,
    pub reach: f64,
    pub rectangles: Chunks,
    pub polygons: Chunks,
    pub repeated: Chunks,
    pub wires: Chunks,
}

impl LayerIndex {
    /// Sorts the shapes and finds their extents.
    pub fn new(shapes: &mut Shapes) -> Self {
        let rectangle = |&[x0, y0, x1, y1]: &[i32; 4]| Extent::of_points(&[[x0, y0], [x1, y1]]);
        let rectangles = chunks(&mut shapes.rectangles, rectangle);
        let repeated = chunks(&mut shapes.repeated, |(points, repetition)| {
            Extent::of_points(points).spread(&Extent::of_copies(repetition))
        });
        let wires = chunks(&mut shapes.wires, wire);
        let still = shapes.wires.iter().filter(|wire| !wire.magnified);
        let reach = still.map(|wire| wire.half * std::f64::consts::SQRT_2).fold(0.0, f64::max);
        let polygons = if shapes.polygons.len() <= CHUNK {
            shapes.polygons.iter().map(Extent::of_points).reduce(|a, b| a.join(&b)).into_iter().collect()
        } else {
            let mut order: Vec<(Extent, u32)> = shapes.polygons.iter().map(Extent::of_points).zip(0..).collect();
            let extents = chunks(&mut order, |(extent, _)| *extent);
            let mut sorted = Polygons::with_capacity(order.len(), shapes.polygons.points().len());
            for (_, index) in order {
                sorted.push(shapes.polygons.get(index as usize).iter().copied());
            }
            shapes.polygons = sorted;
            extents
        };
        let [rectangles, polygons, repeated, wires] = [rectangles, polygons, repeated, wires].map(Chunks::new);
        let all = [&rectangles, &polygons, &repeated, &wires].map(Chunks::extent);
        let extent = all.iter().fold(Extent::EMPTY, |a, b| a.join(b));
        Self { extent: (!extent.is_empty()).then_some(extent), reach, rectangles, polygons, repeated, wires }
    }
}

/// Around a wire's copies at no magnification.
fn wire(wire: &Wire) -> Extent {
    let spine: Vec<[f64; 2]> = wire.spine.iter().map(|point| point.map(f64::from)).collect();
    Extent::of(outline(&spine, wire.half, wire.caps)).spread(&Extent::of_copies(&wire.repetition))
}

/// Sorts `items` so that near ones are near in the list; the extents of each [`CHUNK`] of them.
pub fn chunks<T>(items: &mut [T], extent: impl Fn(&T) -> Extent) -> Vec<Extent> {
    let around = |items: &[T]| items.iter().map(&extent).fold(Extent::EMPTY, |a, b| a.join(&b));
    if items.len() > CHUNK {
        let all = around(items);
        items.sort_by_cached_key(|item| place(&extent(item), &all));
    }
    items.chunks(CHUNK).map(around).collect()
}

/// Where the middle of `extent` is on a Z curve through `all`.
fn place(extent: &Extent, all: &Extent) -> u64 {
    let part = |low: f64, high: f64, from: f64, to: f64| {
        let middle = (low + high) / 2.0;
        // Beyond the last place or no number at all: saturates, and is 0.
        ((middle - from) / (to - from).max(1.0) * f64::from(u32::MAX)) as u32
    };
    let x = part(extent.low[0], extent.high[0], all.low[0], all.high[0]);
    let y = part(extent.low[1], extent.high[1], all.low[1], all.high[1]);
    spread(x) | spread(y) << 1
}

/// The bits of `value` at the even places.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}
