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

use rayon::prelude::*;

use super::DataError;
use super::layout::Layout;
use super::picture::{Picture, PictureLayer, Samples};

/// The most bytes that the layers of one picture may take.
const MAX_BYTES: u64 = 4 << 30;
/// Rows that one task fills.
const BAND: usize = 32;
/// Crossings closer than this to being consistent are rounding noise, in px.
const NOISE: f64 = 1e-9;
/// Cuts at crossings in one row. Beyond it edges that cross inside a strip are taken in the order of the strip's
/// middle, an error of the small triangles beside the crossing; only polygons that no drawing has get there.
const MAX_CROSSINGS: usize = 128;

/// One pixel's area in the whole numbers that coverage is added up in: what opens and closes a span then cancels
/// exactly.
const UNIT: f64 = (1 << UNIT_BITS) as f64;
const UNIT_BITS: u32 = 22;

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

/// An edge's part in one strip.
#[derive(Clone, Copy)]
struct Span {
    top: f64,
    bottom: f64,
    polygon: u32,
    winding: i32,
}

/// The edges of one layer.
#[derive(Default)]
struct Edges {
    edges: Vec<Edge>,
    polygons: u32,
}

impl Edges {
    /// Adds a polygon; what lies wholly above or below the picture is left out.
    fn push(&mut self, height: f64, points: impl Iterator<Item = [f64; 2]> + Clone) {
        let polygon = self.polygons;
        self.polygons += 1;
        let ends = points.clone().skip(1).chain(points.clone().take(1));
        for ([xa, ya], [xb, yb]) in points.zip(ends) {
            let (x0, y0, x1, y1, winding) = if ya < yb { (xa, ya, xb, yb, 1) } else { (xb, yb, xa, ya, -1) };
            // False for horizontal sides and for what is not a number.
            if y0 < y1 && y1 > 0.0 && y0 < height && (x0 + x1).is_finite() && (y1 - y0).is_finite() {
                self.edges.push(Edge { x0, y0, x1, y1, polygon, winding });
            }
        }
    }

    /// Coverage of all pixels, `height` rows of `width`.
    fn fill(&self, width: usize, height: usize) -> Vec<u8> {
        let mut out = vec![0; width * height];
        if width == 0 || self.edges.is_empty() {
            return out;
        }
        let bands = self.bands(height);
        out.par_chunks_mut(width * BAND).zip(bands).enumerate().for_each_init(
            || Filler::new(width, self.polygons),
            |filler, (band, (rows, list))| filler.band(&self.edges, &list, (band * BAND) as f64, rows),
        );
        out
    }

    /// The edges that reach into each band, sorted by their upper ends.
    fn bands(&self, height: usize) -> Vec<Vec<u32>> {
        let mut bands = vec![Vec::new(); height.div_ceil(BAND)];
        let last = bands.len().saturating_sub(1);
        for (index, edge) in self.edges.iter().enumerate() {
            let band = |y: f64| ((y.max(0.0) / BAND as f64) as usize).min(last);
            for list in &mut bands[band(edge.y0)..=band(edge.y1)] {
                list.push(index as u32);
            }
        }
        bands.par_iter_mut().for_each(|list| {
            list.sort_by(|&a, &b| {
                let (a, b) = (&self.edges[a as usize], &self.edges[b as usize]);
                a.y0.total_cmp(&b.y0).then(a.x0.total_cmp(&b.x0))
            });
        });
        bands
    }
}

/// What filling one row needs, kept between rows.
struct Filler {
    width: usize,
    /// How often each polygon winds around the current place; all 0 between strips.
    winding: Vec<i32>,
    /// How much more of each pixel is covered than of the one before it.
    change: Vec<i32>,
    /// The edges that reach into the row and where they are in its middle, from left to right.
    active: Vec<(f64, Edge)>,
    cuts: Vec<f64>,
    spans: Vec<Span>,
}

impl Filler {
    fn new(width: usize, polygons: u32) -> Self {
        let winding = vec![0; polygons as usize];
        Self { width, winding, change: vec![0; width + 2], active: vec![], cuts: vec![], spans: vec![] }
    }

    fn band(&mut self, edges: &[Edge], list: &[u32], first: f64, out: &mut [u8]) {
        self.active.clear();
        let mut waiting = list.iter().map(|&edge| edges[edge as usize]).peekable();
        let mut steady = false;
        for row in 0..out.len() / self.width {
            let (top, bottom) = (first + row as f64, first + row as f64 + 1.0);
            let before = self.active.len();
            self.active.retain(|(_, edge)| edge.y1 > top);
            let mut same = self.active.len() == before;
            let mut added = false;
            while let Some(edge) = waiting.next_if(|edge| edge.y0 < bottom) {
                if edge.y1 > top {
                    self.active.push((edge.x0, edge));
                    (same, added) = (false, true);
                }
            }
            if self.active.is_empty() {
                steady = false;
                continue;
            }
            let mut upright = true;
            self.cuts.clear();
            self.cuts.extend([top, bottom]);
            for (middle, edge) in &mut self.active {
                if edge.x0 != edge.x1 {
                    upright = false;
                    *middle = edge.at((top + 0.5).clamp(edge.y0, edge.y1));
                }
                if edge.y0 > top {
                    self.cuts.push(edge.y0);
                }
                if edge.y1 < bottom {
                    self.cuts.push(edge.y1);
                }
            }
            let plain = upright && self.cuts.len() == 2;
            if plain && steady && same {
                // The same upright edges through the whole of this row and the one above.
                out.copy_within((row - 1) * self.width..row * self.width, row * self.width);
                continue;
            }
            steady = plain;
            if added || !upright {
                self.active.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            self.row(upright, &mut out[row * self.width..(row + 1) * self.width]);
        }
    }

    fn row(&mut self, upright: bool, out: &mut [u8]) {
        // Between upright edges nothing changes to the left of the first and to the right of the last.
        let column = |x: f64| x.clamp(0.0, self.width as f64) as usize;
        let (first, last) = match (upright, self.active.first(), self.active.last()) {
            (true, Some(first), Some(last)) => (column(first.0), (column(last.0) + 2).min(self.width)),
            _ => (0, self.width),
        };
        self.change.fill(0);
        self.cuts.sort_unstable_by(f64::total_cmp);
        self.cuts.dedup();
        let cuts = std::mem::take(&mut self.cuts);
        let mut crossings = MAX_CROSSINGS;
        for strip in cuts.windows(2) {
            if upright {
                self.upright(strip[0], strip[1]);
            } else {
                self.strip(strip[0], strip[1], &mut crossings);
            }
        }
        self.cuts = cuts;
        let mut coverage = 0;
        for (pixel, change) in out[first..last].iter_mut().zip(&self.change[first..last]) {
            coverage += change;
            *pixel = ((coverage * 255 + (1 << (UNIT_BITS - 1))) >> UNIT_BITS).clamp(0, 255) as u8;
        }
    }

    /// One strip of upright edges only, which are in order already.
    fn upright(&mut self, top: f64, bottom: f64) {
        let active = std::mem::take(&mut self.active);
        let (height, width) = (((bottom - top) * UNIT) as i32, self.width as f64);
        let mut covering = 0;
        for (x, edge) in active.iter().filter(|(_, edge)| edge.y0 <= top && edge.y1 >= bottom) {
            let turn = self.pass(edge.polygon, edge.winding, &mut covering);
            if turn != 0 && *x < width {
                let x = x.max(0.0);
                self.column(x as usize, x, turn * height);
            }
        }
        self.active = active;
    }

    /// One strip; where edges cross in it, two strips.
    fn strip(&mut self, top: f64, bottom: f64, crossings: &mut usize) {
        self.spans.clear();
        for (_, edge) in &self.active {
            if edge.y0 <= top && edge.y1 >= bottom {
                let Edge { polygon, winding, .. } = *edge;
                self.spans.push(Span { top: edge.at(top), bottom: edge.at(bottom), polygon, winding });
            }
        }
        let middle = |span: &Span| span.top + span.bottom;
        if !self.spans.is_sorted_by(|a, b| middle(a) <= middle(b)) {
            self.spans.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
        }
        let crossing = self.spans.windows(2).find_map(|pair| {
            let (at_top, at_bottom) = (pair[1].top - pair[0].top, pair[1].bottom - pair[0].bottom);
            (at_top.min(at_bottom) < -NOISE && at_top.max(at_bottom) > NOISE).then(|| at_top / (at_top - at_bottom))
        });
        if let Some(part) = crossing
            && *crossings > 0
        {
            let cut = top + part * (bottom - top);
            if cut > top && cut < bottom {
                *crossings -= 1;
                self.strip(top, cut, crossings);
                self.strip(cut, bottom, crossings);
                return;
            }
        }
        let (spans, height) = (std::mem::take(&mut self.spans), ((bottom - top) * UNIT) as i32);
        let mut covering = 0;
        for span in &spans {
            let turn = self.pass(span.polygon, span.winding, &mut covering);
            if turn != 0 {
                self.edge(span.top, span.bottom, turn * height);
            }
        }
        self.spans = spans;
    }

    /// Passes an edge of a polygon from left to right: 1 where the union begins there, -1 where it ends, else 0.
    /// `covering` counts the polygons around the place.
    fn pass(&mut self, polygon: u32, winding: i32, covering: &mut i32) -> i32 {
        let around = &mut self.winding[polygon as usize];
        let was = *around != 0;
        *around += winding;
        let is = *around != 0;
        let before = *covering;
        *covering += i32::from(is) - i32::from(was);
        i32::from(*covering > 0) - i32::from(before > 0)
    }

    /// Covers all to the right of a straight line from x = a to x = b that is `height` high.
    fn edge(&mut self, a: f64, b: f64, height: i32) {
        let width = self.width as f64;
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        if low >= width {
            return;
        }
        if high <= 0.0 {
            self.change[0] += height;
            return;
        }
        if low == high {
            self.column(low as usize, low, height);
            return;
        }
        let slope = f64::from(height) / (high - low);
        let left = if low < 0.0 { (-low * slope) as i32 } else { 0 };
        let beyond = if high > width { ((high - width) * slope) as i32 } else { 0 };
        self.change[0] += left;
        let mut rest = height - left - beyond;
        let (low, high) = (low.max(0.0), high.min(width));
        let (first, last) = (low as usize, high as usize);
        for column in first..=last {
            let (from, to) = (low.max(column as f64), high.min(column as f64 + 1.0));
            let part = if column == last { rest } else { ((to - from) * slope) as i32 };
            rest -= part;
            self.column(column, 0.5 * (from + to), part);
        }
    }

    /// A piece of a line inside one column, `height` high and on average at x.
    fn column(&mut self, column: usize, x: f64, height: i32) {
        let right = (f64::from(height) * (x - column as f64)) as i32;
        self.change[column] += height - right;
        self.change[column + 1] += right;
    }
}

/// Coverage of the union of `polygons`, in pixel coordinates (x to the right, y down, pixel (i, j) from (i, j) to
/// (i + 1, j + 1)), `height` rows of `width` values from 0 to 255. What lies outside is cut off exactly; sides with a
/// coordinate that is not finite are left out.
pub fn fill(width: usize, height: usize, polygons: &[&[[f64; 2]]]) -> Vec<u8> {
    let mut edges = Edges::default();
    for polygon in polygons {
        edges.push(height as f64, polygon.iter().copied());
    }
    edges.fill(width, height)
}

/// Draws a layout at `resolution` pixels per micrometer: its bounds from corner to corner, rounded up to whole pixels
/// to the right and below. Errors: a resolution that is not a positive number, a picture of more than 4 GiB.
pub fn rasterize(layout: &Layout, resolution: f64) -> Result<Picture, DataError> {
    let scale = resolution * layout.unit;
    if !(resolution > 0.0 && resolution.is_finite() && scale > 0.0 && scale.is_finite()) {
        return Err(DataError::BadResolution { value: resolution });
    }
    // The small part takes back what rounding added to a whole number.
    let pixels = |length: i64| (length as f64 * scale - 1e-6).ceil().max(1.0) as u64;
    let (width, height) = (pixels(layout.bounds.width()), pixels(layout.bounds.height()));
    let layers = layout.layers.len();
    let bytes = width.saturating_mul(height).saturating_mul(layers.max(1) as u64);
    let name = layout.name.clone();
    if bytes > MAX_BYTES {
        return Err(DataError::PictureTooLarge { name, width, height, layers, limit: MAX_BYTES });
    }
    let (width, height) = (width as usize, height as usize);
    let (left, top) = (f64::from(layout.bounds.low[0]), f64::from(layout.bounds.high[1]));
    let draw = |layer: &super::layout::LayoutLayer| {
        let mut edges = Edges { edges: Vec::with_capacity(layer.polygons.points().len() / 2), polygons: 0 };
        for polygon in layer.polygons.iter() {
            let pixel = |&[x, y]: &[i32; 2]| [(f64::from(x) - left) * scale, (top - f64::from(y)) * scale];
            edges.push(height as f64, polygon.iter().map(pixel));
        }
        let info = PictureLayer { name: layer.name.clone(), weight: layer.weight };
        (info, Samples::Eight(edges.fill(width, height)))
    };
    Ok(Picture::held(name, width, height, layout.layers.par_iter().map(draw).collect()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::layout::{Bounds, LayerKey, LayoutLayer, Polygons};
    use rord_random::Stream;

    fn rectangle(x0: f64, y0: f64, x1: f64, y1: f64) -> [[f64; 2]; 4] {
        [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    }

    fn total(coverage: &[u8]) -> f64 {
        coverage.iter().map(|&c| f64::from(c) / 255.0).sum()
    }

    /// A star-shaped polygon around (x, y): simple, so that the shoelace formula gives its area.
    fn star(stream: &mut Stream, x: f64, y: f64, radius: f64) -> Vec<[f64; 2]> {
        let corners = 3 + stream.below(12);
        (0..corners)
            .map(|k| {
                let (sin, cos) = ((k as f64 + stream.uniform()) / corners as f64 * std::f64::consts::TAU).sin_cos();
                let r = stream.range(0.2, 1.0) * radius;
                [x + r * cos, y + r * sin]
            })
            .collect()
    }

    fn shoelace(points: &[[f64; 2]]) -> f64 {
        let next = points.iter().cycle().skip(1);
        0.5 * points.iter().zip(next).map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum::<f64>().abs()
    }

    /// The share of an n × n grid of points in a pixel that lies in one of the polygons.
    fn sampled(polygons: &[Vec<[f64; 2]>], column: usize, row: usize, n: usize) -> f64 {
        let inside = |polygon: &Vec<[f64; 2]>, x: f64, y: f64| {
            let sides = polygon.iter().zip(polygon.iter().cycle().skip(1));
            let winding: i32 = sides
                .map(|(a, b)| {
                    let right = |a: &[f64; 2], b: &[f64; 2]| a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) > x;
                    i32::from(a[1] <= y && b[1] > y && right(a, b)) - i32::from(b[1] <= y && a[1] > y && right(a, b))
                })
                .sum();
            winding != 0
        };
        let place = |cell: usize, k: usize| cell as f64 + (k as f64 + 0.5) / n as f64;
        let hits = (0..n * n).filter(|k| polygons.iter().any(|p| inside(p, place(column, k % n), place(row, k / n))));
        hits.count() as f64 / (n * n) as f64
    }

    #[test]
    fn random_polygons_have_the_area_of_the_shoelace_formula() {
        let mut stream = Stream::new(1, &[]);
        for _ in 0..200 {
            let polygon = star(&mut stream, 40.3, 38.9, 38.0);
            let area = total(&fill(80, 80, &[&polygon]));
            // Each pixel on the outline is rounded by at most 1/510, mostly in both directions.
            assert!((area - shoelace(&polygon)).abs() < 0.15, "{area} for {}", shoelace(&polygon));
        }
    }

    #[test]
    fn a_triangle_covers_each_pixel_by_its_exact_part() {
        let triangle = [[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]];
        let quarter = |parts: u8| (f64::from(parts) / 4.0 * 255.0).round() as u8;
        let expected = [4, 4, 3, 1, 3, 1, 0, 0].map(quarter);
        assert_eq!(fill(4, 2, &[&triangle]), expected);
    }

    #[test]
    fn abutting_rectangles_fill_their_pixel_and_overlapping_ones_do_not_exceed_it() {
        let (a, b) = (rectangle(0.0, 0.2, 1.3, 1.0), rectangle(1.3, 0.2, 3.0, 1.0));
        assert_eq!(fill(3, 1, &[&a, &b]), [204; 3]);
        // Corners that meet inside a pixel, four ways round.
        let four = [(0.0, 0.0, 1.4, 0.7), (1.4, 0.0, 3.0, 0.7), (0.0, 0.7, 1.4, 2.0), (1.4, 0.7, 3.0, 2.0)];
        let four = four.map(|(x0, y0, x1, y1)| rectangle(x0, y0, x1, y1));
        assert_eq!(fill(3, 2, &[&four[0], &four[1], &four[2], &four[3]]), [255; 6]);
        // Two wires over each other end in the same pixel: its part counts once.
        let (a, b) = (rectangle(0.0, 0.0, 2.4, 1.0), rectangle(1.0, 0.0, 2.4, 1.0));
        assert_eq!(fill(3, 1, &[&a, &b]), [255, 255, 102]);
        // Against each other's direction, too.
        let reversed: Vec<[f64; 2]> = b.iter().rev().copied().collect();
        assert_eq!(fill(3, 1, &[&a, &reversed]), [255, 255, 102]);
    }

    #[test]
    fn a_polygon_that_overlaps_itself_is_filled_once() {
        // Twice around the same square, and a keyhole polygon with a hole.
        let twice = [rectangle(0.5, 0.0, 2.5, 1.0), rectangle(0.5, 0.0, 2.5, 1.0)].concat();
        assert_eq!(fill(3, 1, &[&twice]), [128, 255, 128]);
        let ring = [
            [[0.0, 0.0], [5.0, 0.0], [5.0, 5.0], [0.0, 5.0]],
            [[0.0, 2.0], [2.0, 2.0], [2.0, 3.0], [3.0, 3.0]],
            [[3.0, 2.0], [2.0, 2.0], [0.0, 2.0], [0.0, 0.0]],
        ]
        .concat();
        let drawn = fill(5, 5, &[&ring]);
        assert_eq!((drawn[2 * 5 + 2], total(&drawn)), (0, 24.0));
        // A bow tie: both wings count, though they wind in opposite directions.
        let bow = [[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0]];
        assert!((total(&fill(4, 4, &[&bow])) - 8.0).abs() < 0.02);
        let square = rectangle(0.0, 0.0, 4.0, 4.0);
        assert_eq!(fill(4, 4, &[&bow, &square]), [255; 16]);
    }

    #[test]
    fn clipping_equals_cutting_a_larger_picture() {
        let mut stream = Stream::new(2, &[]);
        let (shift, large, small) = (30, 100, 40);
        for _ in 0..50 {
            let polygons: Vec<_> = (0..4).map(|_| star(&mut stream, 50.0, 50.0, 49.0)).collect();
            let moved: Vec<Vec<_>> = polygons
                .iter()
                .map(|p| p.iter().map(|[x, y]| [x - f64::from(shift), y - f64::from(shift)]).collect())
                .collect();
            let slices = |list: &[Vec<[f64; 2]>]| -> Vec<Vec<[f64; 2]>> { list.to_vec() };
            let (whole, part) = (slices(&polygons), slices(&moved));
            let whole = fill(large, large, &whole.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let part = fill(small, small, &part.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for (k, &value) in part.iter().enumerate() {
                let (row, column) = (k / small + shift as usize, k % small + shift as usize);
                assert!(value.abs_diff(whole[row * large + column]) <= 1, "pixel {row}, {column}");
            }
        }
    }

    #[test]
    fn crossing_overlapping_polygons_have_the_area_of_their_union() {
        let mut stream = Stream::new(3, &[]);
        for _ in 0..6 {
            let polygons: Vec<_> = (0..6)
                .map(|_| star(&mut stream, 8.0, 8.0, 9.0))
                .chain([vec![[1.0, 2.0], [14.0, 9.0], [3.0, 13.0], [12.0, 1.5]]])
                .collect();
            let drawn = fill(16, 16, &polygons.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for (k, &value) in drawn.iter().enumerate() {
                let expected = sampled(&polygons, k % 16, k / 16, 64);
                assert!((f64::from(value) / 255.0 - expected).abs() < 0.02, "pixel {k}: {value} for {expected}");
            }
        }
    }

    #[test]
    fn a_tangle_of_crossings_ends_and_stays_in_range() {
        let mut stream = Stream::new(4, &[]);
        let tangle: Vec<[f64; 2]> = (0..1500).map(|_| [stream.range(-9.0, 70.0), stream.range(-9.0, 70.0)]).collect();
        let drawn = fill(64, 64, &[&tangle]);
        let pixels = (0..40).map(|_| (stream.below(64), stream.below(64)));
        let wrong = pixels.map(|(x, y)| {
            let expected = sampled(std::slice::from_ref(&tangle), x, y, 16);
            (f64::from(drawn[y * 64 + x]) / 255.0 - expected).abs()
        });
        let wrong = wrong.sum::<f64>() / 40.0;
        assert!(wrong < 0.02, "{wrong} on average");
        let odd = [[f64::NAN, 0.0], [f64::INFINITY, 3.0], [1.0, f64::NEG_INFINITY], [1e300, -1e300]];
        fill(4, 4, &[&odd, &[], &[[1.0, 1.0]]]);
        assert!(fill(0, 3, &[&rectangle(0.0, 0.0, 1.0, 1.0)]).is_empty());
    }

    #[test]
    fn a_layout_is_drawn_with_its_top_row_first() {
        let mut polygons = Polygons::default();
        polygons.push_rectangle([1000, 2000, 1100, 2050]);
        let layer = LayoutLayer { key: LayerKey { layer: 1, datatype: 0 }, name: "m1".into(), weight: 1.0, polygons };
        let bounds = Bounds { low: [1000, 2000], high: [1300, 2200] };
        let mut layout = Layout { name: "l".into(), layers: vec![layer], unit: 0.001, bounds };
        let picture = rasterize(&layout, 10.0).unwrap();
        assert_eq!((picture.width, picture.height), (3, 2));
        assert_eq!(picture.samples(0), Samples::Eight(vec![0, 0, 0, 128, 0, 0]));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(rasterize(&layout, wrong), Err(DataError::BadResolution { .. })));
        }
        assert!(matches!(rasterize(&layout, 1e9), Err(DataError::PictureTooLarge { .. })));
        layout.bounds.high = layout.bounds.low;
        assert_eq!(rasterize(&layout, 10.0).unwrap().width, 1);
    }
}
