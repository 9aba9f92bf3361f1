#![allow(clippy::indexing_slicing)] // hot loops over windows whose sizes are checked where they are made
//! Reads a patch from a picture through a homography, each pixel filtered by how much of the picture it shows.
//!
//! Where a homography is linear this gives what [`Plane::sample`] gives: the same filter about the same place. Elsewhere
//! the filter is that of the linear map which the homography is like at the pixel (its derivative), so what is far away
//! is averaged and what is near stays sharp.

use super::geometry::perspective::{CORNERS, Homography};
use super::patch::{Grid, Plane, Rect};

/// Where the pixels of an `n × n` patch lie in a picture, by a homography.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Projection {
    /// Pixels in a row of the patch.
    n: usize,
    /// The picture's place (x, y) that the original view's middle shows.
    middle: [f64; 2],
    /// From pixels about the patch's middle to picture pixels about `middle`.
    map: Homography,
    /// The most picture pixels that a step of one pixel makes along an axis (0 is x), squared.
    widest: [f64; 2],
}

impl Projection {
    /// A patch that is the original view, of `zoom` picture pixels in each of its own, seen through `back`: moved to
    /// original in normalized coordinates. The patch must lie wholly before the horizon.
    pub fn new(n: usize, middle: [f64; 2], zoom: f64, back: &Homography) -> Self {
        let half = n as f64 / 2.0;
        let scale = |s: f64| Homography([[s, 0.0, 0.0], [0.0, s, 0.0], [0.0, 0.0, 1.0]]);
        let map = scale(zoom * half).after(back).after(&scale(1.0 / half));
        let mut this = Self { n, middle, map, widest: [0.0; 2] };
        let places = (0..81).map(|k| [k % 9, k / 9].map(|i| half * (f64::from(i) / 4.0 - 1.0)));
        for at in places {
            let steps = this.steps(at);
            // Between these places the derivative is at most a little larger.
            this.widest = [0, 1].map(|axis| f64::max(this.widest[axis], 1.2 * steps[axis]));
        }
        this
    }

    /// How far a step of one pixel goes along each axis of the picture, squared.
    fn steps(&self, at: [f64; 2]) -> [f64; 2] {
        self.map.derivative(at).map(|[a, b]| a * a + b * b)
    }

    /// Half the sides of the box about `middle` that holds the patch, in picture pixels.
    pub fn half_extent(&self) -> [f64; 2] {
        let half = self.n as f64 / 2.0;
        let corners = CORNERS.map(|corner| self.map.takes(corner.map(|x| x * half)));
        [0, 1].map(|axis| corners.iter().map(|c| c[axis].abs()).fold(0.0, f64::max))
    }

    /// All picture pixels that reading may touch.
    pub fn reach(&self) -> Rect {
        let outermost = (self.n as f64 - 1.0) / 2.0;
        let corners = CORNERS.map(|corner| self.map.takes(corner.map(|x| x * outermost)));
        let [low, high] = [f64::min, f64::max].map(|pick: fn(f64, f64) -> f64| {
            [0, 1].map(|axis| self.middle[axis] + corners.iter().map(|c| c[axis]).reduce(pick).unwrap_or(0.0))
        });
        let margin = self.widest.map(|w| 1.5 + w.max(1.0).sqrt().floor());
        let [x, y] = [0, 1].map(|axis| (low[axis] - margin[axis]).floor() as i64);
        let [right, bottom] = [0, 1].map(|axis| (high[axis] + margin[axis]).ceil() as i64);
        Rect { x, y, width: (right - x).max(0) as usize, height: (bottom - y).max(0) as usize }
    }

    /// The patch: `n` rows of `n` values. Where the plane does not hold all of [`Projection::reach`], it is black.
    pub fn sample(&self, plane: &Plane) -> Vec<f32> {
        let (n, width) = (self.n, plane.rect.width);
        let mut patch = vec![0.0; n * n];
        if plane.rect.union(self.reach()) != plane.rect || plane.values.len() != width * plane.rect.height {
            return patch;
        }
        let first = 0.5 - n as f64 / 2.0;
        let origin = [self.middle[0] - 0.5 - plane.rect.x as f64, self.middle[1] - 0.5 - plane.rect.y as f64];
        let (mut across, mut down) = (Taps::default(), Taps::default());
        for (i, out) in patch.iter_mut().enumerate() {
            let at = [(i % n) as f64 + first, (i / n) as f64 + first];
            let [u, v] = self.map.takes(at);
            let steps = self.steps(at);
            across.set(u + origin[0], steps[0].min(self.widest[0]));
            down.set(v + origin[1], steps[1].min(self.widest[1]));
            let mut sum = 0.0;
            for (weight, row) in down.weights.iter().zip(down.first..) {
                let start = row * width + across.first;
                let line = &plane.values[start..start + across.weights.len()];
                sum += weight * line.iter().zip(&across.weights).map(|(v, w)| v * w).sum::<f32>();
            }
            *out = sum;
        }
        patch
    }
}

/// The pixels of a line that make one value, and how much each does.
#[derive(Default)]
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl Taps {
    /// Bilinear interpolation at `at`, behind the filter of [`Grid`] for steps of this length, squared.
    fn set(&mut self, at: f64, square: f64) {
        let (whole, part) = (at.floor(), at - at.floor());
        self.weights.clear();
        let radius = if square <= 1.0 + 1e-9 {
            self.weights.extend([(1.0 - part) as f32, part as f32]);
            0.0
        } else {
            let narrow = square.sqrt().floor();
            let wider = (square - narrow * narrow) / (2.0 * narrow + 1.0);
            let tent = |half: f64, i: f64| (half - i.abs()).max(0.0) / (half * half);
            let weight = |i: f64| (1.0 - wider) * tent(narrow, i) + wider * tent(narrow + 1.0, i);
            let taps = 2 * narrow as usize + 2;
            self.weights.extend((0..taps).map(|k| {
                let i = k as f64 - narrow;
                ((1.0 - part) * weight(i) + part * weight(i - 1.0)) as f32
            }));
            narrow
        };
        self.first = (whole - radius).max(0.0) as usize;
    }
}

/// Where the pixels of a view lie in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// By a linear map.
    Grid(Grid),
    /// By a homography.
    Projection(Projection),
}

impl View {
    /// All picture pixels that reading may touch.
    pub fn reach(&self) -> Rect {
        match self {
            Self::Grid(grid) => grid.reach(),
            Self::Projection(projection) => projection.reach(),
        }
    }

    /// Half the sides of the box about the middle that holds the view, in picture pixels.
    pub fn half_extent(&self) -> [f64; 2] {
        match self {
            Self::Grid(grid) => grid.half_extent(),
            Self::Projection(projection) => projection.half_extent(),
        }
    }

    /// The view of a plane.
    pub fn sample(&self, plane: &Plane) -> Vec<f32> {
        match self {
            Self::Grid(grid) => plane.sample(grid),
            Self::Projection(projection) => projection.sample(plane),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::patch::tests::plane;

    #[test]
    fn a_linear_map_gives_what_a_grid_gives() {
        let plane = plane(120, |x, y| (x * 0.9 + y * 0.4).sin() + 0.3 * (y * 1.7).cos());
        for (zoom, [[a, b], [c, d]]) in [
            (1.0, [[1.0, 0.0], [0.0, 1.0]]),
            (0.7, [[0.6, -0.8], [0.8, 0.6]]),
            (1.7, [[0.8, 0.6], [-0.6, 0.8]]),
            (2.6, [[1.0, 0.3], [0.0, 0.9]]),
        ] {
            let grid = Grid::new(20, [60.2, 59.7], zoom, [[a, b], [c, d]]);
            let back = Homography([[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]]);
            let projected = Projection::new(20, [60.2, 59.7], zoom, &back).sample(&plane);
            let gap = plane.sample(&grid).iter().zip(&projected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(gap < 2e-5, "zoom {zoom}: {gap}");
        }
    }

    #[test]
    fn a_ramp_is_read_at_the_place_that_h_says() {
        let ramp = |x: f64, y: f64| 0.01 * x + 0.02 * y;
        let plane = plane(200, ramp);
        let h = Homography::of_corners([[-0.8, -1.1], [1.2, -0.7], [0.8, 1.1], [-1.3, 0.9]]).unwrap();
        for (n, zoom) in [(16, 1.0), (17, 2.3), (32, 0.6)] {
            let view = Projection::new(n, [100.0, 99.0], zoom, &h.inverse().unwrap());
            let patch = view.sample(&plane);
            for (i, value) in patch.iter().enumerate() {
                let q = [i % n, i / n].map(|k| (2.0 * k as f64 + 1.0) / n as f64 - 1.0);
                let p = h.inverse().unwrap().takes(q);
                // The exact homography: what is seen at q is what lies at p, and h takes p to q.
                let back = h.takes(p);
                assert!((back[0] - q[0]).abs() + (back[1] - q[1]).abs() < 1e-12);
                let [x, y] = p.map(|p| p * zoom * n as f64 / 2.0);
                assert!((f64::from(*value) - ramp(100.0 + x, 99.0 + y)).abs() < 3e-6, "n {n}, zoom {zoom}");
            }
        }
    }

    #[test]
    fn what_is_far_is_averaged_and_what_is_near_stays_sharp() {
        let stripes = plane(400, |x, _| f64::from(u8::from(x as i64 % 2 == 0)));
        // The right end of the view is three times as far as the left one.
        let back = Homography([[1.5, 0.0, 0.0], [0.0, 1.5, 0.0], [-0.5, 0.0, 1.0]]);
        let patch = Projection::new(64, [200.0, 200.0], 1.0, &back).sample(&stripes);
        let spread = |columns: std::ops::Range<usize>| {
            let values: Vec<f32> = columns.map(|x| patch[32 * 64 + x]).collect();
            values.iter().fold(0.0f32, |m, v| m.max((v - 0.5).abs()))
        };
        assert!(spread(52..64) < 0.06, "{}", spread(52..64));
        assert!(spread(0..8) > 0.3, "{}", spread(0..8));
    }

    #[test]
    fn nothing_beyond_the_reach_is_read() {
        let h = Homography::of_corners([[-0.6, -1.3], [1.4, -0.6], [0.6, 1.3], [-1.4, 0.7]]).unwrap();
        for zoom in [0.5, 1.0, 3.0] {
            let view = Projection::new(24, [100.5, 100.25], zoom, &h.inverse().unwrap());
            let rect = view.reach();
            let values = vec![1.0; rect.width * rect.height];
            let patch = view.sample(&Plane { rect, values });
            assert!(patch.iter().all(|v| (v - 1.0).abs() < 1e-5));
        }
    }
}
