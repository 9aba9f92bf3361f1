//! Fills polygons with the exact area that each pixel has in their union.
//!
//! Every row is cut into strips at all vertices and crossings inside it, so that no edge begins, ends or crosses
//! another in a strip. There the edges are walked from left to right and the union's outline is accumulated as signed
//! areas, as font rasterizers do (after Raph Levien's font-rs). Adding up the polygons' areas and clamping would be
//! right for polygons that abut, but drawings overlap on purpose: two wires that end in the same pixel would count
//! twice along their common edge. A polygon covers what it winds around at least once in either direction, whatever the
//! other polygons do.
//!
//! ```
//! use rord_data::raster::fill;
//! let half = [[0.0, 0.0], [1.5, 0.0], [1.5, 1.0], [0.0, 1.0]];
//! assert_eq!(fill(2, 1, &[&half[..], &half[..]]), [255, 128]);
//! ```
#![allow(clippy::indexing_slicing)] // hot loops; every index is made here from lengths made here

mod filler;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

use std::ops::Range;

use rayon::prelude::*;

use super::DataError;
use super::layout::{Layout, LayoutLayer};
use super::picture::{Picture, PictureLayer, Samples};
use filler::Filler;

/// The most bytes that the layers of one picture may take.
const MAX_BYTES: u64 = 4 << 30;
/// Rows that one task fills, at most 31: few, so that hardly more edges reach into them than into one.
const BAND: usize = 16;
/// A side of a polygon that is not horizontal, from its upper end (x0, y0) down to (x1, y1), in px.
#[derive(Clone, Copy)]
struct Edge {
    x0: f64,
    y0: f64,
    x1: f64,
    y1: f64,
    polygon: u32,
    winding: i32,
}

impl Edge {
    fn at(&self, y: f64) -> f64 {
        if self.x0 == self.x1 { self.x0 } else { self.x0 + (self.x1 - self.x0) * ((y - self.y0) / (self.y1 - self.y0)) }
    }
}

/// The edges of one layer.
#[derive(Default)]
pub(crate) struct Edges {
    edges: Vec<Edge>,
    polygons: u32,
}

impl Edges {
    /// Adds a polygon; what lies wholly above or below the rows from `rows.0` to `rows.1` is left out.
    pub(crate) fn push(&mut self, rows: (f64, f64), mut points: impl Iterator<Item = [f64; 2]>) {
        let polygon = self.polygons;
        let before = self.edges.len();
        let Some(first) = points.next() else { return };
        let mut side = |[xa, ya]: [f64; 2], [xb, yb]: [f64; 2]| {
            let (x0, y0, x1, y1, winding) = if ya < yb { (xa, ya, xb, yb, 1) } else { (xb, yb, xa, ya, -1) };
            // False for horizontal sides and for what is not a number.
            if y0 < y1 && y1 > rows.0 && y0 < rows.1 && (x0 + x1).is_finite() && (y1 - y0).is_finite() {
                self.edges.push(Edge { x0, y0, x1, y1, polygon, winding });
            }
        };
        let last = points.fold(first, |from, to| {
            side(from, to);
            to
        });
        side(last, first);
        self.polygons += u32::from(self.edges.len() > before);
    }

    /// True where nothing is drawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Coverage of the pixels in `rows`, which begin at a multiple of 16: rows of `width`. A row comes out the same
    /// whatever rows are filled with it, as long as all edges that reach into it were added, in the same order.
    pub(crate) fn fill_rows(&self, width: usize, rows: Range<usize>) -> Vec<u8> {
        let mut out = vec![0; width * rows.len()];
        if width == 0 || self.edges.is_empty() {
            return out;
        }
        let first = rows.start / BAND;
        let bands = self.bands(width, first, rows.len().div_ceil(BAND));
        out.par_chunks_mut(width * BAND).zip(bands).enumerate().for_each_init(
            || Filler::new(width, self.polygons),
            |filler, (band, (rows, list))| filler.band(&self.edges, &list, ((first + band) * BAND) as f64, rows),
        );
        out
    }

    /// The edges that reach into each of `count` bands from number `first` on, from left to right by their upper ends, of equal ones in
    /// their own order.
    fn bands(&self, width: usize, first: usize, count: usize) -> Vec<Vec<u32>> {
        let mut bands = vec![Vec::new(); count];
        let end = first + count;
        for index in self.left_to_right(width) {
            let edge = &self.edges[index as usize];
            let band = |y: f64| (y.max(0.0) / BAND as f64) as usize;
            let (from, until) = (band(edge.y0).max(first), band(edge.y1).saturating_add(1).min(end));
            for list in bands.get_mut(from - first..until.saturating_sub(first)).unwrap_or_default() {
                list.push(index);
            }
        }
        bands
    }

    /// The numbers of all edges, ordered by x0: by pixels first, whose few edges are then sorted.
    fn left_to_right(&self, width: usize) -> Vec<u32> {
        let pixel = |edge: &Edge| (edge.x0.max(0.0) as usize).min(width);
        let mut ends = vec![0u32; width + 2];
        for edge in &self.edges {
            ends[pixel(edge) + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut order = vec![0u32; self.edges.len()];
        for (index, edge) in self.edges.iter().enumerate() {
            let at = &mut ends[pixel(edge)];
            order[*at as usize] = index as u32;
            *at += 1;
        }
        let mut from = 0;
        for end in ends {
            let run = &mut order[from..end as usize];
            run.sort_by(|&a, &b| self.edges[a as usize].x0.total_cmp(&self.edges[b as usize].x0));
            from = end as usize;
        }
        order
    }
}

/// Coverage of the union of `polygons`, in pixel coordinates (x to the right, y down, pixel (i, j) from (i, j) to
/// (i + 1, j + 1)), `height` rows of `width` values from 0 to 255. What lies outside is cut off exactly; sides with a
/// coordinate that is not finite are left out.
pub fn fill(width: usize, height: usize, polygons: &[&[[f64; 2]]]) -> Vec<u8> {
    let mut edges = Edges::default();
    for polygon in polygons {
        edges.push((0.0, height as f64), polygon.iter().copied());
    }
    edges.fill_rows(width, 0..height)
}

/// Width and height of a layout at `resolution` pixels per micrometer: its bounds from corner to corner, rounded up to
/// whole pixels to the right and below. Errors: a resolution that is not a positive number.
pub fn pixels(layout: &Layout, resolution: f64) -> Result<(u64, u64), DataError> {
    let scale = resolution * layout.unit;
    if !(resolution > 0.0 && resolution.is_finite() && scale > 0.0 && scale.is_finite()) {
        return Err(DataError::BadResolution { value: resolution });
    }
    // The small part takes back what rounding added to a whole number.
    let pixels = |length: i64| (length as f64 * scale - 1e-6).ceil().max(1.0) as u64;
    Ok((pixels(layout.bounds.width()), pixels(layout.bounds.height())))
}

impl Edges {
    /// Adds all polygons of a layer of a layout, as far as they reach into `rows`.
    pub(crate) fn push_all(&mut self, layout: &Layout, layer: &LayoutLayer, resolution: f64, rows: (f64, f64)) {
        let scale = resolution * layout.unit;
        let (left, top) = (f64::from(layout.bounds.low[0]), f64::from(layout.bounds.high[1]));
        for polygon in layer.polygons.iter() {
            let pixel = |&[x, y]: &[i32; 2]| [(f64::from(x) - left) * scale, (top - f64::from(y)) * scale];
            self.push(rows, polygon.iter().map(pixel));
        }
    }
}

/// Draws a layout at `resolution` pixels per micrometer, see [`pixels`]. Errors: as there, and a picture of more than 4
/// GiB.
pub fn rasterize(layout: &Layout, resolution: f64) -> Result<Picture, DataError> {
    let (width, height) = pixels(layout, resolution)?;
    let layers = layout.layers.len();
    let bytes = width.saturating_mul(height).saturating_mul(layers.max(1) as u64);
    let name = layout.name.clone();
    if bytes > MAX_BYTES {
        return Err(DataError::PictureTooLarge { name, width, height, layers, limit: MAX_BYTES });
    }
    let (width, height) = (width as usize, height as usize);
    let draw = |layer: &LayoutLayer| {
        let mut edges = Edges { edges: Vec::with_capacity(layer.polygons.points().len() / 2), polygons: 0 };
        edges.push_all(layout, layer, resolution, (0.0, height as f64));
        let info = PictureLayer { name: layer.name.clone(), weight: layer.weight };
        (info, Samples::Eight(edges.fill_rows(width, 0..height)))
    };
    Ok(Picture::held(name, width, height, layout.layers.par_iter().map(draw).collect()))
}
