#![allow(clippy::indexing_slicing)] // hot loops over windows whose sizes are checked where they are made
//! Cuts square patches from pictures: a window of whole pixels, and one bilinear sampling of it.
//!
//! Zooming out must not alias. The filter wanted at zoom z > 1 is a tent of half-width z, where bilinear sampling is
//! one of half- width 1; so the window is first convolved, pixel by pixel and without moving anything, with a kernel of
//! the missing variance `(z² - 1)/6`: the discrete tents of half-width ⌊z⌋ and ⌊z⌋ + 1, mixed. At z ≤ 1 that is no
//! filter, and it changes continuously with z.

use std::ops::Range;

use super::convolution::separable;
use super::geometry::Linear;
use super::picture::{Picture, Samples};

/// A rectangle of pixels, which may reach beyond the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub x: i64,
    /// First row.
    pub y: i64,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Rect {
    /// Grown by `margin` pixels on every side.
    pub fn grown(self, margin: usize) -> Self {
        let m = margin as i64;
        Self { x: self.x - m, y: self.y - m, width: self.width + 2 * margin, height: self.height + 2 * margin }
    }

    /// The smallest rectangle around both.
    pub fn union(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width as i64).max(other.x + other.width as i64);
        let bottom = (self.y + self.height as i64).max(other.y + other.height as i64);
        Self { x, y, width: (right - x) as usize, height: (bottom - y) as usize }
    }
}

/// Where the pixels of an `n × n` patch lie in a picture, in continuous coordinates: picture pixel i covers i..i+1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Pixels in a row of the patch.
    pub n: usize,
    /// The picture's place (x, y) that the middle of the patch shows.
    pub middle: [f64; 2],
    /// Takes a step in patch pixels to a step in picture pixels.
    pub step: Linear,
}

impl Grid {
    /// A patch that shows `zoom` picture pixels in each of its own, with `back` (moved to original) applied before.
    pub fn new(n: usize, middle: [f64; 2], zoom: f64, back: Linear) -> Self {
        Self { n, middle, step: back.map(|row| row.map(|x| x * zoom)) }
    }

    /// Half the sides of the box around the patch, in picture pixels.
    pub fn half_extent(&self) -> [f64; 2] {
        self.step.map(|[a, b]| (a.abs() + b.abs()) * self.n as f64 / 2.0)
    }

    /// All picture pixels that sampling may touch.
    pub fn reach(&self) -> Rect {
        let outermost = (self.n as f64 - 1.0) / 2.0;
        // Half a pixel more for the interpolation, the filter's radius, and one for rounding.
        let filter = |axis| (self.kernel(axis).len() / 2) as f64;
        let [ex, ey] = self.step.map(|[a, b]| (a.abs() + b.abs()) * outermost + 1.5);
        let (ex, ey) = (ex + filter(0), ey + filter(1));
        let (x, y) = ((self.middle[0] - ex).floor() as i64, (self.middle[1] - ey).floor() as i64);
        let (right, bottom) = ((self.middle[0] + ex).ceil() as i64, (self.middle[1] + ey).ceil() as i64);
        Rect { x, y, width: (right - x) as usize, height: (bottom - y) as usize }
    }

    /// The filter along a picture axis (0 is x) that keeps sampling from aliasing.
    fn kernel(&self, axis: usize) -> Vec<f32> {
        let square = self.step[axis].iter().map(|s| s * s).sum::<f64>();
        if square <= 1.0 + 1e-9 {
            return vec![1.0];
        }
        let narrow = square.sqrt().floor();
        let wider = (square - narrow * narrow) / (2.0 * narrow + 1.0);
        let tent = |half: f64, i: f64| (half - i.abs()).max(0.0) / (half * half);
        let radius = narrow as i64;
        let weight = |i: i64| (1.0 - wider) * tent(narrow, i as f64) + wider * tent(narrow + 1.0, i as f64);
        (-radius..=radius).map(|i| weight(i) as f32).collect()
    }
}

/// Grey values of a rectangle of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Which pixels.
    pub rect: Rect,
    /// `height` rows of `width` values.
    pub values: Vec<f32>,
}

impl Plane {
    /// The patch that `grid` lays over the plane: `n` rows of `n` values, each interpolated once. Where the plane does
    /// not hold all of [`Grid::reach`], the patch is black.
    pub fn sample(&self, grid: &Grid) -> Vec<f32> {
        /// Pixels as fixed-point numbers: adding steps is exact, and the whole part is a shift.
        const ONE: f64 = (1u64 << 32) as f64;
        let (n, width) = (grid.n, self.rect.width);
        let mut patch = vec![0.0; n * n];
        if self.rect.union(grid.reach()) != self.rect || self.values.len() != width * self.rect.height {
            return patch;
        }
        let fixed = |x: f64| (x * ONE).round() as i64;
        let [[xx, xy], [yx, yy]] = grid.step;
        let (step_x, step_y) = ([fixed(xx), fixed(yx)], [fixed(xy), fixed(yy)]);
        let (across, down) = (grid.kernel(0), grid.kernel(1));
        let filtered = (across.len() > 1 || down.len() > 1).then(|| {
            let mut values = self.values.clone();
            separable(&mut values, width, &across, &down);
            values
        });
        let values = filtered.as_ref().unwrap_or(&self.values);
        let first = 0.5 - n as f64 / 2.0;
        let start = [
            fixed(grid.middle[0] + (xx + xy) * first - 0.5 - self.rect.x as f64),
            fixed(grid.middle[1] + (yx + yy) * first - 0.5 - self.rect.y as f64),
        ];
        let fraction = |v: i64| ((v as u32) >> 8) as f32 * (1.0 / (1u32 << 24) as f32);
        let value = |u: i64, v: i64| {
            let at = (v >> 32) as usize * width + (u >> 32) as usize;
            let (s, t) = (fraction(u), fraction(v));
            let (upper, lower) = (&values[at..at + 2], &values[at + width..at + width + 2]);
            let above = upper[0] + (upper[1] - upper[0]) * s;
            let below = lower[0] + (lower[1] - lower[0]) * s;
            above + (below - above) * t
        };
        for (row, out) in patch.chunks_exact_mut(n).enumerate() {
            let mut u = start[0] + step_y[0] * row as i64;
            let mut v = start[1] + step_y[1] * row as i64;
            for out in out {
                *out = value(u, v);
                u += step_x[0];
                v += step_x[1];
            }
        }
        patch
    }
}

/// The part of a picture that pairs may be cut from: columns `x.0..x.1`, rows `y.0..y.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First column, and the one behind the last.
    pub x: (usize, usize),
    /// First row, and the one behind the last.
    pub y: (usize, usize),
}

impl Region {
    /// All of a picture.
    pub fn whole(picture: &Picture) -> Self {
        Self { x: (0, picture.width), y: (0, picture.height) }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.x.1.saturating_sub(self.x.0)
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.y.1.saturating_sub(self.y.0)
    }
}

/// A rectangle cut out of a picture, layer by layer.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Which pixels.
    pub rect: Rect,
    /// Samples of each layer, `height` rows of `width` values; `None` where a layer has nothing there.
    pub layers: Vec<Option<Samples>>,
}

impl Cut {
    /// Cuts `rect` out of `region`; what lies outside repeats the region's outermost pixels, so nothing of another
    /// region is seen and no edge is drawn that the layout does not have.
    pub fn new(picture: &Picture, region: Region, rect: Rect) -> Self {
        let (left, right) = (region.x.0.min(picture.width), region.x.1.min(picture.width));
        let (top, bottom) = (region.y.0.min(picture.height), region.y.1.min(picture.height));
        if left >= right || top >= bottom || rect.width == 0 || rect.height == 0 {
            return Self { rect, layers: vec![None; picture.layers.len()] };
        }
        let clamp = |at: i64, low: usize, high: usize| at.clamp(low as i64, high as i64 - 1) as usize;
        let span = |from: i64, count: usize, low, high| {
            (clamp(from, low, high), clamp(from + count as i64 - 1, low, high) + 1)
        };
        // The columns and rows that are seen, and how often the outermost ones are repeated before them.
        let (x, y) = (span(rect.x, rect.width, left, right), span(rect.y, rect.height, top, bottom));
        let before = |from: i64, first: usize, count: usize| (first as i64 - from).clamp(0, count as i64 - 1);
        let (across, down) = (before(rect.x, x.0, rect.width) as usize, before(rect.y, y.0, rect.height) as usize);
        let view = picture.view(x, y);
        let layer = |layer: usize| {
            if view.empty(layer) {
                return None;
            }
            let mut plane = Samples::zeros(rect.width * rect.height, view.sixteen(layer));
            for row in y.0..y.1 {
                let start = (down + row - y.0) * rect.width + across;
                view.runs(layer, row, x, |at, run| plane.put(start + at, run));
            }
            let inner = (across..across + x.1 - x.0, down..down + y.1 - y.0);
            let any = match &mut plane {
                Samples::Eight(values) => repeat(values, rect.width, inner),
                Samples::Sixteen(values) => repeat(values, rect.width, inner),
            };
            any.then_some(plane)
        };
        Self { rect, layers: (0..picture.layers.len()).map(layer).collect() }
    }

    /// The coverage of one layer in 0..=1; nothing where there is no such layer.
    pub fn coverage(&self, layer: Option<usize>) -> Plane {
        let values = match layer.and_then(|i| self.layers.get(i)).and_then(Option::as_ref) {
            Some(Samples::Eight(values)) => values.iter().map(|c| f32::from(*c) * (1.0 / 255.0)).collect(),
            Some(Samples::Sixteen(values)) => values.iter().map(|c| f32::from(*c) * (1.0 / 65_535.0)).collect(),
            None => vec![0.0; self.rect.width * self.rect.height],
        };
        Plane { rect: self.rect, values }
    }
}

/// Repeats the outermost of the columns and rows that are filled over those around them. True where any is not 0.
fn repeat<T: Copy + Default + PartialEq + std::ops::BitOr<Output = T>>(
    values: &mut [T],
    width: usize,
    (columns, rows): (Range<usize>, Range<usize>),
) -> bool {
    let mut any = T::default();
    for row in values.chunks_exact_mut(width).take(rows.end).skip(rows.start) {
        let (first, last) = (row[columns.start], row[columns.end - 1]);
        row[..columns.start].fill(first);
        row[columns.end..].fill(last);
        any = row.iter().fold(any, |all, &c| all | c);
    }
    for row in 0..rows.start {
        values.copy_within(rows.start * width..(rows.start + 1) * width, row * width);
    }
    for row in rows.end..values.len() / width {
        values.copy_within((rows.end - 1) * width..rows.end * width, row * width);
    }
    any != T::default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;

    const HERE: Linear = [[1.0, 0.0], [0.0, 1.0]];

    /// A plane over 0..side on both axes with values from `f` at pixel centers.
    pub(crate) fn plane(side: usize, f: impl Fn(f64, f64) -> f64) -> Plane {
        let rect = Rect { x: 0, y: 0, width: side, height: side };
        let at = |i: usize| f((i % side) as f64 + 0.5, (i / side) as f64 + 0.5) as f32;
        Plane { rect, values: (0..side * side).map(at).collect() }
    }

    #[test]
    fn at_zoom_one_pixels_are_copied() {
        let plane = plane(20, |x, y| (x * 3.1 + y * 7.7).sin());
        let patch = plane.sample(&Grid::new(7, [4.0 + 3.5, 5.0 + 3.5], 1.0, HERE));
        for (i, value) in patch.iter().enumerate() {
            assert_eq!(*value, plane.values[(5 + i / 7) * 20 + 4 + i % 7]);
        }
    }

    #[test]
    fn a_linear_ramp_is_sampled_exactly_at_any_zoom_and_turn() {
        let ramp = |x: f64, y: f64| 0.01 * x + 0.02 * y;
        let plane = plane(60, ramp);
        for (zoom, back) in
            [(0.7, HERE), (1.3, HERE), (2.6, HERE), (1.0, [[0.6, -0.8], [0.8, 0.6]]), (1.4, [[0.6, 0.8], [-0.8, 0.6]])]
        {
            let grid = Grid::new(10, [30.2, 29.7], zoom, back);
            for (i, value) in plane.sample(&grid).iter().enumerate() {
                let (u, v) = ((i % 10) as f64 - 4.5, (i / 10) as f64 - 4.5);
                let x = 30.2 + zoom * (back[0][0] * u + back[0][1] * v);
                let y = 29.7 + zoom * (back[1][0] * u + back[1][1] * v);
                assert!((f64::from(*value) - ramp(x, y)).abs() < 2e-6, "zoom {zoom}");
            }
        }
    }

    #[test]
    fn zooming_out_averages_and_does_not_alias() {
        let stripes = plane(200, |x, _| f64::from(x as i64 % 2 == 0));
        for zoom in [1.99, 2.0, 2.01, 3.0, 5.0] {
            let patch = stripes.sample(&Grid::new(30, [100.3, 100.0], zoom, HERE));
            let worst = patch.iter().map(|v| (v - 0.5).abs()).fold(0.0, f32::max);
            assert!(worst < 0.08, "zoom {zoom}: {worst}");
        }
        // Just above 1 the filter is still nearly plain bilinear.
        let sharp = plane(200, |x, y| (x * 3.1 + y * 7.7).sin());
        let (a, b) = (Grid::new(9, [99.5, 99.5], 1.0, HERE), Grid::new(9, [99.5, 99.5], 1.0001, HERE));
        let gap = sharp.sample(&a).iter().zip(sharp.sample(&b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap < 0.02, "{gap}");
    }

    #[test]
    fn nothing_outside_the_region_is_seen() {
        let coverage = (0..100).map(|i| if i % 10 < 5 { 10 } else { 200 }).collect();
        let layer = crate::picture::PictureLayer { name: "m".into(), weight: 1.0 };
        let picture = Picture::held("p", 10, 10, vec![(layer, Samples::Eight(coverage))]);
        let left = Region { x: (0, 5), y: (0, 10) };
        let cut = Cut::new(&picture, left, Rect { x: -3, y: -3, width: 20, height: 20 });
        assert!(cut.layers[0].as_ref().unwrap().eight().iter().all(|&c| c == 10));
        let far = Cut::new(&picture, Region { x: (5, 10), y: (0, 10) }, Rect { x: -30, y: 50, width: 4, height: 4 });
        assert!(far.layers[0].as_ref().unwrap().eight().iter().all(|&c| c == 200));
    }
}
