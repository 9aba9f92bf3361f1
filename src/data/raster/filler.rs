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
    /// Of the edges of each polygon in a row, how many are still to come, below 0 once one was met; all 0 between rows.
    left: Vec<i32>,
    /// How much more of each pixel is covered than of the one before it.
    change: Vec<i32>,
    /// The edges that reach into the band, from left to right by their upper ends.
    near: Vec<Edge>,
    /// For each row whether an edge begins or ends within it, and where it meets the row above.
    ends: Vec<[bool; 2]>,
    /// The edges that reach into the row and where they are in its middle, from left to right.
    active: Vec<(f64, Edge)>,
    cuts: Vec<f64>,
    spans: Vec<Span>,
}

impl Filler {
    pub(super) fn new(width: usize, polygons: u32) -> Self {
        let winding = vec![0; polygons as usize];
        let left = winding.clone();
        let change = vec![0; width + 2];
        Self { width, winding, left, change, near: vec![], ends: vec![], active: vec![], cuts: vec![], spans: vec![] }
    }

    /// Fills the rows of a band; `list` are the edges that reach into it, from left to right.
    pub(super) fn band(&mut self, edges: &[Edge], list: &[u32], first: f64, out: &mut [u8]) {
        let rows = out.len() / self.width;
        let mut near = std::mem::take(&mut self.near);
        near.clear();
        near.extend(list.iter().map(|&edge| edges[edge as usize]));
        // What ends in a row, and what ends between it and the one above.
        self.ends.clear();
        self.ends.resize(rows + 1, [false; 2]);
        for y in near.iter().flat_map(|edge| [edge.y0 - first, edge.y1 - first]) {
            if y >= 0.0 && y < rows as f64 {
                self.ends[y as usize][usize::from(y.fract() == 0.0)] = true;
            }
        }
        let mut steady = false;
        for row in 0..rows {
            let (top, bottom) = (first + row as f64, first + row as f64 + 1.0);
            let [within, above] = self.ends[row];
            if steady && !within && !above {
                // The same upright edges through the whole of this row and the one above.
                out.copy_within((row - 1) * self.width..row * self.width, row * self.width);
                continue;
            }
            self.active.clear();
            let reaching = near.iter().filter(|edge| edge.y1 > top && edge.y0 < bottom);
            self.active.extend(reaching.map(|edge| (edge.x0, *edge)));
            let upright = self.active.iter().all(|(_, edge)| edge.x0 == edge.x1);
            steady = upright && !within;
            if self.active.is_empty() {
                continue;
            }
            if !upright {
                self.cuts.clear();
                self.cuts.extend([top, bottom]);
                for (middle, edge) in &mut self.active {
                    *middle = edge.at((top + 0.5).clamp(edge.y0, edge.y1));
                    self.cuts.extend([edge.y0, edge.y1].into_iter().filter(|y| *y > top && *y < bottom));
                }
                self.active.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            self.row([top, bottom], upright, &mut out[row * self.width..(row + 1) * self.width]);
        }
        self.near = near;
    }

    /// One row from top to bottom, whose edges are in order. Between upright edges nothing changes to the left of the first and to the
    /// right of the last.
    fn row(&mut self, [top, bottom]: [f64; 2], upright: bool, out: &mut [u8]) {
        let column = |x: f64| x.clamp(0.0, self.width as f64) as usize;
        let (first, last) = match (upright, self.active.first(), self.active.last()) {
            (true, Some(first), Some(last)) => (column(first.0), (column(last.0) + 2).min(self.width)),
            _ => (0, self.width),
        };
        self.change[first..(last + 2).min(self.width + 2)].fill(0);
        if upright {
            self.apart(top, bottom);
        } else {
            self.cuts.sort_unstable_by(f64::total_cmp);
            self.cuts.dedup();
            let cuts = std::mem::take(&mut self.cuts);
            let mut crossings = MAX_CROSSINGS;
            for strip in cuts.windows(2) {
                self.strip(strip[0], strip[1], &mut crossings);
            }
            self.cuts = cuts;
        }
        let mut coverage = 0;
        for (pixel, change) in out[first..last].iter_mut().zip(&self.change[first..last]) {
            coverage += change;
            *pixel = ((coverage * 255 + (1 << (UNIT_BITS - 1))) >> UNIT_BITS).clamp(0, 255) as u8;
        }
    }

    /// A row of upright edges, in order: runs of them that no polygon reaches beyond are cut where their own edges end.
    fn apart(&mut self, top: f64, bottom: f64) {
        let active = std::mem::take(&mut self.active);
        for (_, edge) in &active {
            self.left[edge.polygon as usize] += 1;
        }
        let (mut from, mut open, mut whole) = (0, 0, true);
        for (at, (_, edge)) in active.iter().enumerate() {
            // The polygon is met for the first time where none of its edges has been passed.
            let left = &mut self.left[edge.polygon as usize];
            if *left > 0 {
                open += 1;
                *left = -*left;
            }
            *left += 1;
            open -= i32::from(*left == 0);
            whole &= edge.y0 <= top && edge.y1 >= bottom;
            if open == 0 {
                self.run(&active[from..=at], [top, bottom], whole);
                (from, whole) = (at + 1, true);
            }
        }
        self.active = active;
    }

    /// A run of upright edges, in order, of which all reach through the row if it is `whole`.
    fn run(&mut self, edges: &[(f64, Edge)], [top, bottom]: [f64; 2], whole: bool) {
        if whole {
            return self.upright(edges, top, bottom);
        }
        self.cuts.clear();
        self.cuts.extend([top, bottom]);
        self.cuts.extend(edges.iter().flat_map(|(_, edge)| [edge.y0, edge.y1]).filter(|y| *y > top && *y < bottom));
        self.cuts.sort_unstable_by(f64::total_cmp);
        self.cuts.dedup();
        let cuts = std::mem::take(&mut self.cuts);
        for strip in cuts.windows(2) {
            self.upright(edges, strip[0], strip[1]);
        }
        self.cuts = cuts;
    }

    /// One strip of upright edges only, which are in order already.
    fn upright(&mut self, edges: &[(f64, Edge)], top: f64, bottom: f64) {
        let (height, width) = (((bottom - top) * UNIT) as i32, self.width as f64);
        let mut covering = 0;
        for (x, edge) in edges.iter().filter(|(_, edge)| edge.y0 <= top && edge.y1 >= bottom) {
            let turn = self.pass(edge.polygon, edge.winding, &mut covering);
            if turn != 0 && *x < width {
                let x = x.max(0.0);
                self.column(x as usize, x, turn * height);
            }
        }
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
