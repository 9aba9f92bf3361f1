#![allow(clippy::indexing_slicing)] // loops over maps whose sizes are set here
//! How well the edges of a query lie on those of a picture under a move.
//!
//! An edge is told by its direction alone: neither which side is lighter nor by how much matters, so the same drawing in other
//! greys has the same edges. A direction d is held as the pair (cos 2d, sin 2d), as in Bigün and Granlund, *Optimal orientation
//! detection of linear symmetry*, 1987: opposite gradients are equal, and edges that cross at right angles cancel. So of two
//! unrelated drawings, whose edges run along two axes in equal shares, the agreement is 0 on the average. It is measured where the
//! query has edges; what the picture has besides, as other layers, does not count.

use crate::moves::Move;
use crate::template::Grey;

/// The directions of a picture's edges: for every pixel a double-angle vector of length 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edges {
    values: Vec<[f32; 2]>,
    width: usize,
    height: usize,
}

/// Half the side in pixels of the square by whose mean an edge is told to be strong.
const NEARBY: usize = 15;
/// Edges of a query that are compared, at most.
const COMPARED: usize = 1500;
/// The least length of an edge's vector that is compared.
const LEAST: f32 = 0.1;

impl Edges {
    /// The edges of a picture, smoothed so that a move is known by them from 3 px off.
    pub fn of(picture: &Grey) -> Self {
        let mut edges = Self { values: directions(picture), width: picture.width, height: picture.height };
        edges.smooth();
        edges
    }

    /// Every n-th of the pixels with an edge, so that there are at most [`COMPARED`].
    pub fn outline(&self) -> Outline {
        let strong = |[c, s]: &[f32; 2]| c * c + s * s >= LEAST * LEAST;
        let count = self.values.iter().filter(|v| strong(v)).count();
        let pixels = self.values.iter().enumerate().filter(|(_, v)| strong(v));
        let place = |at: usize| [at % self.width, at / self.width].map(|k| k as f64);
        Outline(pixels.step_by(count.div_ceil(COMPARED).max(1)).map(|(at, v)| (place(at), *v)).collect())
    }

    /// Smoothed by the binomial 1 4 6 4 1 along both axes: a Gaussian of 1 px.
    fn smooth(&mut self) {
        const WEIGHTS: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];
        let (width, height) = (self.width, self.height);
        for (step, count) in [(1, width), (width, height)] {
            let before = self.values.clone();
            for (at, to) in self.values.iter_mut().enumerate() {
                let place = if step == 1 { at % width } else { at / width };
                *to = [0.0; 2];
                for (k, weight) in WEIGHTS.iter().enumerate() {
                    let from = (place + k).saturating_sub(2).min(count - 1);
                    let [c, s] = before[at + from * step - place * step];
                    to[0] += weight * c;
                    to[1] += weight * s;
                }
            }
        }
    }

    /// The vector at a place in pixels, bilinear; 0 outside.
    fn sample(&self, [x, y]: [f64; 2]) -> [f32; 2] {
        let (left, top) = (x.floor(), y.floor());
        if !(left >= 0.0 && top >= 0.0 && left + 1.0 < self.width as f64 && top + 1.0 < self.height as f64) {
            return [0.0; 2];
        }
        let (s, t) = ((x - left) as f32, (y - top) as f32);
        let at = top as usize * self.width + left as usize;
        let [a, b, c, d] = [at, at + 1, at + self.width, at + self.width + 1].map(|at| self.values[at]);
        [0, 1].map(|k| (a[k] * (1.0 - s) + b[k] * s) * (1.0 - t) + (c[k] * (1.0 - s) + d[k] * s) * t)
    }
}

/// Places with the directions of the edges there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline(Vec<Edge>);

/// A place in pixels and the direction of its edge.
type Edge = ([f64; 2], [f32; 2]);

impl Outline {
    /// How well the edges lie on those of a picture under a similarity: 1 for the same drawing, around 0 for unrelated ones.
    /// 0 where there are no edges.
    pub fn agreement(&self, picture: &Edges, by: &Move) -> f64 {
        if !by.is_finite() {
            return 0.0;
        }
        let (turn, _, mirrored) = by.parts();
        let (sin, cos) = (2.0 * turn).sin_cos();
        let (sin, cos) = (sin as f32, cos as f32);
        let (mut sum, mut most) = (0f64, 0f64);
        for (place, [c, s]) in &self.0 {
            most += f64::from(c * c + s * s);
            let s = if mirrored { -s } else { *s };
            let turned = [c * cos - s * sin, c * sin + s * cos];
            let [there_c, there_s] = picture.sample(by.apply(*place));
            sum += f64::from(turned[0] * there_c + turned[1] * there_s);
        }
        if most > 0.0 { sum / most } else { 0.0 }
    }

    /// The move shifted, turned and scaled a little at a time to where the edges agree best, from some 3 px off, and how well they
    /// do there. `size` is the query's in pixels.
    pub fn settled(&self, picture: &Edges, by: &Move, size: [usize; 2]) -> (Move, f64) {
        crate::climb::climb(&|by| self.agreement(picture, by), by, size, &[2.0, 1.0, 0.5, 0.25, 0.12])
    }
}

/// For every pixel the direction of its edge, as long as the edge is strong against what is nearby.
fn directions(picture: &Grey) -> Vec<[f32; 2]> {
    let Grey { values, width, height } = picture;
    let (width, height) = (*width, *height);
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let at = |x: usize, y: usize| values[y.min(height - 1) * width + x.min(width - 1)];
    let mut slopes = Vec::with_capacity(width * height);
    for y in 0..height {
        let (up, down) = (y.saturating_sub(1), y + 1);
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), x + 1);
            let gx =
                at(right, up) - at(left, up) + 2.0 * (at(right, y) - at(left, y)) + at(right, down) - at(left, down);
            let gy = at(left, down) - at(left, up) + 2.0 * (at(x, down) - at(x, up)) + at(right, down) - at(right, up);
            slopes.push([gx / 8.0, gy / 8.0]);
        }
    }
    let squares: Vec<f32> = slopes.iter().map(|[x, y]| x * x + y * y).collect();
    let nearby = means(&squares, [width, height], NEARBY);
    let direction = |([x, y], (square, mean)): (&[f32; 2], (&f32, &f32))| {
        let length = square.sqrt();
        // Squared, so that of a double angle; a picture without edges has none by rounding.
        let strength = length / (length + 0.5 * mean.sqrt() + 1e-3) / square.max(1e-12);
        [(x * x - y * y) * strength, 2.0 * x * y * strength]
    };
    slopes.iter().zip(squares.iter().zip(&nearby)).map(direction).collect()
}

/// The mean over a square around each number, as far as it lies within the map.
fn means(values: &[f32], [width, height]: [usize; 2], half: usize) -> Vec<f32> {
    let along = |line: &mut dyn Iterator<Item = f32>, out: &mut Vec<f32>| {
        let line: Vec<f32> = line.collect();
        let mut sums = Vec::with_capacity(line.len() + 1);
        let mut sum = 0f64;
        sums.push(sum);
        for value in &line {
            sum += f64::from(*value);
            sums.push(sum);
        }
        for at in 0..line.len() {
            let (first, end) = (at.saturating_sub(half), (at + half + 1).min(line.len()));
            out.push(((sums[end] - sums[first]) / (end - first) as f64) as f32);
        }
    };
    let mut rows = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        along(&mut row.iter().copied(), &mut rows);
    }
    let mut columns = Vec::with_capacity(values.len());
    for column in 0..width {
        along(&mut rows.iter().skip(column).step_by(width).copied(), &mut columns);
    }
    (0..width * height).map(|at| columns[(at % width) * height + at / width]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::corners_apart;
    use rord_random::Stream;

    /// Rectangles of random greys, drawn with soft edges, seen under a move from the picture's pixels to those of the scene.
    fn scene(seed: u64, size: [usize; 2], to_scene: &Move, light: bool) -> Grey {
        let mut stream = Stream::new(seed, &[]);
        let rectangles: Vec<[f64; 5]> = (0..60)
            .map(|_| {
                let (x, y) = (stream.range(-20.0, 220.0), stream.range(-20.0, 220.0));
                [x, y, x + stream.range(6.0, 60.0), y + stream.range(6.0, 60.0), stream.range(0.1, 1.0)]
            })
            .collect();
        let soft = |d: f64| (d + 0.5).clamp(0.0, 1.0);
        let at = |[x, y]: [f64; 2]| {
            let grey = rectangles.iter().fold(0.0, |grey, [left, top, right, bottom, value]| {
                let share = soft(x - left).min(soft(right - x)).min(soft(y - top)).min(soft(bottom - y));
                grey * (1.0 - share) + value * share
            });
            (if light { 1.0 - 0.5 * grey } else { grey }) as f32
        };
        let pixels = (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| [x as f64, y as f64]));
        Grey { values: pixels.map(|p| at(to_scene.apply(p))).collect(), width: size[0], height: size[1] }
    }

    #[test]
    fn edges_of_the_same_drawing_agree_turned_mirrored_and_in_other_greys() {
        let picture = Edges::of(&scene(1, [200, 200], &Move::IDENTITY, false));
        for (turn, mirrored, light) in [(0.0, false, false), (0.7, false, true), (2.0, true, false), (-1.3, true, true)]
        {
            let [x, y] = Move::similarity(turn, 1.1, mirrored, [0.0; 2]).apply([40.0, 40.0]);
            let truth = Move::similarity(turn, 1.1, mirrored, [100.0 - x, 100.0 - y]);
            let outline = Edges::of(&scene(1, [80, 80], &truth, light)).outline();
            let agreement = outline.agreement(&picture, &truth);
            assert!(agreement > 0.7, "{turn} {mirrored} {light}: {agreement}");
            // From 2.5 px off it is found again.
            let off = Move::similarity(0.01, 1.0, false, [2.0, -1.5]).after(&truth);
            let (settled, most) = outline.settled(&picture, &off, [80, 80]);
            let apart = corners_apart(&settled, &truth, [80, 80]);
            assert!(apart < 0.5, "{turn} {mirrored} {light}: {apart} px");
            assert_eq!(outline.agreement(&picture, &settled), most);
            assert!(most >= agreement - 1e-3);
        }
    }

    #[test]
    fn unrelated_drawings_agree_by_nothing_on_the_average() {
        let picture = Edges::of(&scene(1, [200, 200], &Move::IDENTITY, false));
        let mut sum = 0.0;
        for seed in 0..20 {
            let outline = Edges::of(&scene(100 + seed, [80, 80], &Move::IDENTITY, false)).outline();
            sum += outline.agreement(&picture, &Move::similarity(0.0, 1.0, false, [60.0, 60.0])) / 20.0;
        }
        assert!(sum.abs() < 0.1, "{sum}");
    }

    #[test]
    fn what_has_no_edges_agrees_with_nothing() {
        let flat = Grey { values: vec![0.5; 40], width: 8, height: 5 };
        let edges = Edges::of(&flat);
        assert_eq!(edges.outline(), Outline::default());
        assert_eq!(edges.outline().agreement(&edges, &Move::IDENTITY), 0.0);
        assert_eq!(Edges::of(&Grey::default()), Edges::default());
        let away = Move::similarity(0.0, 1.0, false, [f64::NAN, 1e300]);
        let scene = Edges::of(&scene(1, [30, 30], &Move::IDENTITY, false));
        assert_eq!(scene.outline().agreement(&scene, &away), 0.0);
    }
}
