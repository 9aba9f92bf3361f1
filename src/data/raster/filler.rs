//! Fills the rows of one band, strip by strip.
#![allow(clippy::indexing_slicing)] // hot loops; every index is made here from lengths made here

use super::Edge;

/// Crossings closer than this to being consistent are rounding noise, in px.
const NOISE: f64 = 1e-9;
/// Cuts at crossings in one row. Beyond it edges that cross inside a strip are taken in the order of the strip's
/// middle, an error of the small triangles beside the crossing; only polygons that no drawing has get there.
const MAX_CROSSINGS: usize = 128;

/// One pixel's area in the whole numbers that coverage is added up in: what opens and closes a span then cancels
/// exactly.
const UNIT: f64 = (1 << UNIT_BITS) as f64;
const UNIT_BITS: u32 = 22;

/// An edge's part in one strip.
#[derive(Clone, Copy)]
struct Span {
    top: f64,
    bottom: f64,
    polygon: u32,
    winding: i32,
}

/// What filling one row needs, kept between rows.
pub(super) struct Filler {
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
    pub(super) fn new(width: usize, polygons: u32) -> Self {
        let winding = vec![0; polygons as usize];
        Self { width, winding, change: vec![0; width + 2], active: vec![], cuts: vec![], spans: vec![] }
    }

    pub(super) fn band(&mut self, edges: &[Edge], list: &[u32], first: f64, out: &mut [u8]) {
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
