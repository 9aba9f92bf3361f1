#![allow(clippy::indexing_slicing)] // loops over maps whose sizes are set here
//! How well the edges of a query lie on those of a picture under a move.
//!
//! An edge is told by its direction alone: neither which side is lighter nor by how much matters, so the same drawing in other
//! greys has the same edges. A direction d is held as the pair (cos 2d, sin 2d), as in Bigün and Granlund, *Optimal orientation
//! detection of linear symmetry*, 1987: opposite gradients are equal, and edges that cross at right angles cancel. So of two
//! unrelated drawings, whose edges run along two axes in equal shares, the agreement is 0 on the average. It is measured where the
//! query has edges; what the picture has besides, as other layers, does not count.

use rayon::prelude::*;

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
        if width == 0 || height == 0 {
            return;
        }
        let before = std::mem::take(&mut self.values);
        let add = |to: &mut [f32; 2], weight: f32, [c, s]: [f32; 2]| {
            to[0] += weight * c;
            to[1] += weight * s;
        };
        let mut along = vec![[0f32; 2]; before.len()];
        along.par_chunks_mut(width).zip(before.par_chunks(width)).for_each(|(to, row)| {
            for (at, to) in to.iter_mut().enumerate() {
                for (k, weight) in WEIGHTS.iter().enumerate() {
                    add(to, *weight, row[(at + k).saturating_sub(2).min(width - 1)]);
                }
            }
        });
        let mut values = before;
        values.par_chunks_mut(width).enumerate().for_each(|(at, to)| {
            to.fill([0.0; 2]);
            for (k, weight) in WEIGHTS.iter().enumerate() {
                let row = (at + k).saturating_sub(2).min(height - 1);
                let row = &along[row * width..(row + 1) * width];
                to.iter_mut().zip(row).for_each(|(to, from)| add(to, *weight, *from));
            }
        });
        self.values = values;
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
    let mut slopes = vec![[0f32; 2]; width * height];
    slopes.par_chunks_mut(width).enumerate().for_each(|(y, slopes)| {
        let row = |y: usize| &values[y * width..(y + 1) * width];
        let (up, here, down) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(height - 1)));
        for (x, slope) in slopes.iter_mut().enumerate() {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let gx = up[right] - up[left] + 2.0 * (here[right] - here[left]) + down[right] - down[left];
            let gy = down[left] - up[left] + 2.0 * (down[x] - up[x]) + down[right] - up[right];
            *slope = [gx / 8.0, gy / 8.0];
        }
    });
    let squares: Vec<f32> = slopes.par_iter().map(|[x, y]| x * x + y * y).collect();
    let nearby = means(&squares, [width, height], NEARBY);
    let direction = |([x, y], (square, mean)): (&[f32; 2], (&f32, &f32))| {
        let length = square.sqrt();
        // Squared, so that of a double angle; a picture without edges has none by rounding.
        let strength = length / (length + 0.5 * mean.sqrt() + 1e-3) / square.max(1e-12);
        [(x * x - y * y) * strength, 2.0 * x * y * strength]
    };
    slopes.par_iter().zip(squares.par_iter().zip(&nearby)).map(direction).collect()
}

/// Rows that one task takes the means of.
const ROWS: usize = 64;

/// The mean over a square around each number, as far as it lies within the map.
fn means(values: &[f32], [width, height]: [usize; 2], half: usize) -> Vec<f32> {
    let span = |at: usize, side: usize| (at.saturating_sub(half), (at + half + 1).min(side));
    let mut rows = vec![0f32; values.len()];
    rows.par_chunks_mut(width).zip(values.par_chunks(width)).for_each_init(
        || vec![0f64; width + 1],
        |sums, (out, row)| {
            let mut sum = 0f64;
            for (to, value) in sums.iter_mut().skip(1).zip(row) {
                sum += f64::from(*value);
                *to = sum;
            }
            for (at, out) in out.iter_mut().enumerate() {
                let (first, end) = span(at, width);
                *out = ((sums[end] - sums[first]) / (end - first) as f64) as f32;
            }
        },
    );
    let mut out = vec![0f32; values.len()];
    out.par_chunks_mut(ROWS * width).enumerate().for_each(|(task, out)| {
        // The sums of the columns of a window, which moves down row by row.
        let (mut sums, mut window) = (vec![0f64; width], (0, 0));
        for (at, out) in (task * ROWS..).zip(out.chunks_exact_mut(width)) {
            let (first, end) = span(at, height);
            let mut add = |row: usize, sign: f64| {
                let row = &rows[row * width..(row + 1) * width];
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += sign * f64::from(*value));
            };
            if window.1 == 0 {
                window = (first, first);
            }
            (window.1..end).for_each(|row| add(row, 1.0));
            (window.0..first).for_each(|row| add(row, -1.0));
            window = (first, end);
            let share = 1.0 / (end - first) as f64;
            out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = (sum.max(0.0) * share) as f32);
        }
    });
    out
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
