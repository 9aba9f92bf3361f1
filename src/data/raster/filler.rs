//! Fills the rows of one band, strip by strip.
#![allow(clippy::indexing_slicing)] // hot loops; every index is made here from lengths made here

use std::ops::Range;

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

/// Runs of so many edges are cut without sorting.
const FEW: usize = 64;

/// An edge's part in one strip.
#[derive(Clone, Copy)]
struct Span {
    top: f64,
    bottom: f64,
    polygon: u32,
    winding: i32,
}

/// An upright edge.
#[derive(Clone, Copy)]
struct Upright {
    x: f64,
    y0: f64,
    y1: f64,
    polygon: u32,
    winding: i32,
}

/// The rows of a band, a bit for each, that an edge reaches into, and those that it reaches through.
#[derive(Clone, Copy)]
struct Rows {
    into: u32,
    through: u32,
}

impl Rows {
    /// Those of an edge from y0 to y1, from the band's first row on, of which there are so many.
    fn of(y0: f64, y1: f64, rows: usize) -> Self {
        let most = rows as f64;
        let (y0, y1) = (y0.clamp(0.0, most), y1.clamp(0.0, most));
        let (from, until) = (y0 as u32, y1 as u32);
        // From the row in which it begins, or from the next where that is not whole.
        let bits = |from: u32, until: u32| ((1u32 << until) - 1) & !((1u32 << from) - 1);
        let within = |y: f64, row: u32| u32::from(y > f64::from(row));
        Self { into: bits(from, until + within(y1, until)), through: bits(from + within(y0, from), until) }
    }
}

/// Upright edges of a band, one after the other, beyond which none of their polygons reaches. Groups share a column at most where they meet.
struct Group {
    /// Which of the band's upright edges.
    edges: Range<usize>,
    /// The first and the last column that they reach.
    columns: [usize; 2],
    /// The rows, a bit for each, that differ from the row above or may do so.
    changes: u32,
    /// What it adds to these columns in the row that was filled last.
    ends: [i32; 2],
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
    /// How much of each pixel of a row of upright edges is covered.
    coverage: Vec<i32>,
    /// The upright edges that reach into the band, from left to right, and where they lie.
    upright: Vec<Upright>,
    rows: Vec<Rows>,
    groups: Vec<Group>,
    /// Which of them reach into a row of a group; room for all, and those at the beginning count.
    standing: Vec<u32>,
    /// Where not all are upright, all edges that reach into the band, and those that reach into a row with where they are in its middle.
    near: Vec<Edge>,
    active: Vec<(f64, Edge)>,
    cuts: Vec<f64>,
    spans: Vec<Span>,
}

impl Filler {
    pub(super) fn new(width: usize, polygons: u32) -> Self {
        Self {
            width,
            winding: vec![0; polygons as usize],
            left: vec![0; polygons as usize],
            change: vec![0; width + 2],
            coverage: vec![0; width + 1],
            upright: vec![],
            rows: vec![],
            groups: vec![],
            standing: vec![],
            near: vec![],
            active: vec![],
            cuts: vec![],
            spans: vec![],
        }
    }

    /// Fills the rows of a band; `list` are the edges that reach into it, from left to right.
    pub(super) fn band(&mut self, edges: &[Edge], list: &[u32], first: f64, out: &mut [u8]) {
        let rows = out.len() / self.width;
        self.upright.clear();
        self.rows.clear();
        for &index in list {
            let Edge { x0, y0, x1, y1, polygon, winding } = edges[index as usize];
            if x0 == x1 {
                self.upright.push(Upright { x: x0, y0, y1, polygon, winding });
                self.rows.push(Rows::of(y0 - first, y1 - first, rows));
            }
        }
        self.standing.resize(self.upright.len().max(self.standing.len()), 0);
        self.near.clear();
        if self.upright.len() < list.len() {
            self.near.extend(list.iter().map(|&edge| edges[edge as usize]));
        }
        let slanted = self.slanted(first, rows);
        self.find_groups();
        let mut groups = std::mem::take(&mut self.groups);
        for row in 0..rows {
            let (top, bottom, start) = (first + row as f64, first + row as f64 + 1.0, row * self.width);
            if slanted >> row & 1 != 0 {
                self.across(top, bottom, &mut out[start..start + self.width]);
                continue;
            }
            // Where the row above is of upright edges, too, only groups with a change are filled.
            let follows = row > 0 && slanted >> (row - 1) & 1 == 0;
            if follows {
                out.copy_within(start - self.width..start, start);
            } else {
                self.coverage.fill(0);
                groups.iter_mut().for_each(|group| group.ends = [0; 2]);
            }
            for group in groups.iter_mut().filter(|group| !follows || group.changes >> row & 1 != 0) {
                self.group(group, row, top, &mut out[start..start + self.width]);
            }
        }
        self.groups = groups;
    }

    /// The rows, a bit for each, that edges reach into which are not upright.
    fn slanted(&self, first: f64, rows: usize) -> u32 {
        let reaches = |row: usize| {
            let (top, bottom) = (first + row as f64, first + row as f64 + 1.0);
            self.near.iter().any(|edge| edge.x0 != edge.x1 && edge.y1 > top && edge.y0 < bottom)
        };
        (0..rows).fold(0, |bits, row| bits | u32::from(reaches(row)) << row)
    }

    /// Cuts the upright edges where no polygon reaches on.
    fn find_groups(&mut self) {
        self.groups.clear();
        for edge in &self.upright {
            self.left[edge.polygon as usize] += 1;
        }
        let column = |x: f64| x.clamp(0.0, self.width as f64) as usize;
        let (mut from, mut open, mut changes) = (0, 0, 1);
        for (at, edge) in self.upright.iter().enumerate() {
            let left = &mut self.left[edge.polygon as usize];
            open += i32::from(passed(left));
            open -= i32::from(*left == 0);
            // A row is as the one above where the same edges reach through both.
            let Rows { into, through } = self.rows[at];
            changes |= (into ^ into << 1) | (into ^ through) | (into ^ through) << 1;
            if open == 0 {
                let columns = [column(self.upright[from].x), column(edge.x)];
                self.groups.push(Group { edges: from..at + 1, columns, changes, ends: [0; 2] });
                (from, changes) = (at + 1, 1);
            }
        }
    }

    /// One row of a group, of which coverage has the row above.
    fn group(&mut self, group: &mut Group, row: usize, top: f64, out: &mut [u8]) {
        let bottom = top + 1.0;
        let [start, end] = group.columns;
        let (mut count, mut whole) = (0, true);
        for at in group.edges.clone() {
            let Rows { into, through } = self.rows[at];
            // Without a branch: which edges reach into a row is not foreseen.
            self.standing[count] = at as u32;
            count += (into >> row & 1) as usize;
            whole &= (into ^ through) >> row & 1 == 0;
        }
        self.change[start..end + 2].fill(0);
        let standing = std::mem::take(&mut self.standing);
        match whole {
            // Nothing is cut, so that runs come to the same as all at once.
            true => self.through(&standing[..count], height(top, bottom)),
            false => self.apart(&standing[..count], row, [top, bottom]),
        }
        self.standing = standing;
        let (mut sum, was) = (0, group.ends);
        let first = self.coverage[start] - was[0];
        let last = self.coverage[end] - was[1];
        for (coverage, change) in self.coverage[start..=end].iter_mut().zip(&self.change[start..=end]) {
            sum += change;
            *coverage = sum;
        }
        group.ends = [self.coverage[start], sum];
        // The columns that other groups may reach, too; where there is only one it was counted once.
        self.coverage[start] += first;
        if end > start {
            self.coverage[end] += last;
        }
        let end = (end + 1).min(self.width);
        for (pixel, coverage) in out[start..end].iter_mut().zip(&self.coverage[start..end]) {
            *pixel = share(*coverage);
        }
    }

    /// A row that edges reach into which are not upright, from top to bottom.
    fn across(&mut self, top: f64, bottom: f64, out: &mut [u8]) {
        self.active.clear();
        self.cuts.clear();
        self.cuts.extend([top, bottom]);
        for edge in self.near.iter().filter(|edge| edge.y1 > top && edge.y0 < bottom) {
            self.active.push((edge.at((top + 0.5).clamp(edge.y0, edge.y1)), *edge));
            self.cuts.extend([edge.y0, edge.y1].into_iter().filter(|y| *y > top && *y < bottom));
        }
        self.active.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.change.fill(0);
        self.cuts.sort_unstable_by(f64::total_cmp);
        self.cuts.dedup();
        let cuts = std::mem::take(&mut self.cuts);
        let mut crossings = MAX_CROSSINGS;
        for strip in cuts.windows(2) {
            self.strip(strip[0], strip[1], &mut crossings);
        }
        self.cuts = cuts;
        let mut coverage = 0;
        for (pixel, change) in out.iter_mut().zip(&self.change) {
            coverage += change;
            *pixel = share(coverage);
        }
    }

    /// A row of upright edges, in order: runs of them that no polygon reaches beyond are cut where their own edges end.
    fn apart(&mut self, standing: &[u32], row: usize, span: [f64; 2]) {
        for &edge in standing {
            self.left[self.upright[edge as usize].polygon as usize] += 1;
        }
        let (mut from, mut open, mut whole) = (0, 0, true);
        for (at, &edge) in standing.iter().enumerate() {
            let left = &mut self.left[self.upright[edge as usize].polygon as usize];
            open += i32::from(passed(left));
            open -= i32::from(*left == 0);
            whole &= self.rows[edge as usize].through >> row & 1 != 0;
            if open == 0 {
                match whole {
                    true => self.through(&standing[from..=at], height(span[0], span[1])),
                    false => self.run(&standing[from..=at], span),
                }
                (from, whole) = (at + 1, true);
            }
        }
    }

    /// A run of upright edges, in order, of which not all reach through the row.
    fn run(&mut self, edges: &[u32], [top, bottom]: [f64; 2]) {
        if let &[a, b] = edges {
            let [a, b] = [a, b].map(|edge| self.upright[edge as usize]);
            if (a.y0, a.y1) == (b.y0, b.y1) && a.winding + b.winding == 0 {
                // A rectangle.
                let height = height(a.y0.max(top), a.y1.min(bottom));
                self.wall(a.x, height);
                return self.wall(b.x, -height);
            }
        }
        let mut cuts = std::mem::take(&mut self.cuts);
        cuts.clear();
        cuts.extend([top, bottom]);
        let few = edges.len() <= FEW;
        for y in edges.iter().map(|&edge| &self.upright[edge as usize]).flat_map(|edge| [edge.y0, edge.y1]) {
            if y <= top || y >= bottom {
            } else if !few {
                cuts.push(y);
            } else if let Some(at) = cuts.iter().position(|&cut| cut >= y).filter(|&at| cuts[at] > y) {
                cuts.insert(at, y);
            }
        }
        if !few {
            cuts.sort_unstable_by(f64::total_cmp);
            cuts.dedup();
        }
        for strip in cuts.windows(2) {
            self.upright(edges, [strip[0], strip[1]]);
        }
        self.cuts = cuts;
    }

    /// Upright edges, in order, which all reach through.
    fn through(&mut self, edges: &[u32], height: i32) {
        let mut covering = 0;
        for &edge in edges {
            let Upright { x, polygon, winding, .. } = self.upright[edge as usize];
            let turn = self.pass(polygon, winding, &mut covering);
            if turn != 0 {
                self.wall(x, turn * height);
            }
        }
    }

    /// One strip of upright edges only, which are in order already.
    fn upright(&mut self, edges: &[u32], [top, bottom]: [f64; 2]) {
        let height = height(top, bottom);
        let mut covering = 0;
        for &edge in edges {
            let Upright { x, y0, y1, polygon, winding } = self.upright[edge as usize];
            if y0 <= top && y1 >= bottom {
                let turn = self.pass(polygon, winding, &mut covering);
                if turn != 0 {
                    self.wall(x, turn * height);
                }
            }
        }
    }

    /// Covers all to the right of an upright line that is `height` high.
    fn wall(&mut self, x: f64, height: i32) {
        if x < self.width as f64 {
            let x = x.max(0.0);
            self.column(x as usize, x, height);
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
        let (spans, height) = (std::mem::take(&mut self.spans), height(top, bottom));
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

/// Counts an edge of a polygon of which so many are still to come: true where it is the first.
fn passed(left: &mut i32) -> bool {
    let first = *left > 0;
    if first {
        *left = -*left;
    }
    *left += 1;
    first
}

/// How high a strip is, in units.
fn height(top: f64, bottom: f64) -> i32 {
    ((bottom - top) * UNIT) as i32
}

/// Of 255, rounded.
fn share(coverage: i32) -> u8 {
    ((coverage * 255 + (1 << (UNIT_BITS - 1))) >> UNIT_BITS).clamp(0, 255) as u8
}
