#![allow(clippy::indexing_slicing)] // loops over pixels whose bounds are set here
//! Copies of a small drawing in a picture, pixel by pixel, under the 8 symmetries of the square.
//!
//! What a network sees at the edge of a small cell depends on the neighbors of the cell, so copies of it are told by their
//! pixels. The filter is that of a linear discriminant: the drawing, whitened by how pixels of the picture vary together. What
//! all of the picture shares, such as the rails of rows of cells, has no weight then. A score is 0 for what the picture has on
//! the average and 1 for the drawing itself.
//!
//! Source: Hariharan, Malik and Ramanan, *Discriminative Decorrelation for Clustering and Classification* (2012).

use rayon::prelude::*;

use crate::covariance::{Covariance, whitened};
use crate::moves::{Move, apart};
use crate::search::corners;

/// A picture in grey.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grey {
    /// `height` rows of `width` numbers.
    pub values: Vec<f32>,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Grey {
    /// The mean of planes of `width · height` numbers each; `None` where the length does not fit.
    pub fn of_planes(planes: &[f32], [width, height]: [usize; 2]) -> Option<Self> {
        let pixels = width.checked_mul(height).filter(|n| *n > 0)?;
        let count = planes.len() / pixels;
        if count == 0 || !planes.len().is_multiple_of(pixels) {
            return None;
        }
        let mut values = vec![0f32; pixels];
        for plane in planes.chunks_exact(pixels) {
            values.iter_mut().zip(plane).for_each(|(sum, v)| *sum += v / count as f32);
        }
        Some(Self { values, width, height })
    }

    /// Half as wide and high: means of 2 × 2 pixels. What is left over at the right and below is cut off.
    fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let at = |x: usize, y: usize| self.values[y * self.width + x];
        let four = |x: usize, y: usize| {
            (at(2 * x, 2 * y) + at(2 * x + 1, 2 * y) + at(2 * x, 2 * y + 1) + at(2 * x + 1, 2 * y + 1)) / 4.0
        };
        let values = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| four(x, y)).collect();
        Self { values, width, height }
    }

    /// The value at a place between pixels; `None` outside.
    pub fn sample(&self, [x, y]: [f64; 2]) -> Option<f32> {
        let (right, bottom) = (self.width as f64 - 1.0, self.height as f64 - 1.0);
        if !(x >= -0.5 && y >= -0.5 && x <= right + 0.5 && y <= bottom + 0.5) {
            return None;
        }
        let (x, y) = (x.clamp(0.0, right), y.clamp(0.0, bottom));
        let (left, top) = (x.floor() as usize, y.floor() as usize);
        let (s, t) = ((x - left as f64) as f32, (y - top as f64) as f32);
        let (next, below) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let at = |x: usize, y: usize| self.values[y * self.width + x];
        let upper = at(left, top) * (1.0 - s) + at(next, top) * s;
        Some(upper * (1.0 - t) + (at(left, below) * (1.0 - s) + at(next, below) * s) * t)
    }
}

/// A place where the drawing lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copied {
    /// From the drawing's pixels to the picture's.
    pub by: Move,
    /// 0 for what the picture has on the average, 1 for the drawing itself.
    pub score: f64,
}

/// The most pixels of a filter, and the least of one that is worth halving: larger ones are looked for in a halved picture.
const MOST: usize = 2600;
const LEAST: usize = 150;
/// A place in the halved picture is looked at if its score is at least so far from chance.
const COARSE: f64 = 0.2;
/// Places of a symmetry that are looked at.
const PLACES: usize = 4000;
/// Threshold over [`CHANCE`] times the logarithm of places over the filter's power: small filters are like much by chance.
const CHANCE: f64 = 1.5;

/// All copies of a drawing in a picture, the likeliest first: under `linear`, the linear part of a move from the drawing to the
/// picture, followed by each of the 8 symmetries. `least` is the least score of a large drawing; a small one is like other
/// things by chance, and needs more. Of copies that lie within half the drawing's shorter side the likeliest is kept.
pub fn copies(drawing: &Grey, picture: &Grey, linear: &Move, least: f64) -> Vec<Copied> {
    if picture.values.len() != picture.width * picture.height {
        return Vec::new();
    }
    let Some(first) = shapes_of(drawing, linear) else { return Vec::new() };
    let (mut levels, mut shapes) = (vec![picture.clone()], vec![first]);
    // The finest level at which the filter is small enough, and one below it for a first look.
    let pixels = |shapes: &[[Shape; 8]]| shapes.last().map_or(0, |s| s[0].pixels());
    let mut fine = 0;
    while pixels(&shapes) > LEAST * 4 {
        if pixels(&shapes) > MOST {
            fine = shapes.len();
        } else if shapes.len() > fine + 1 {
            break;
        }
        let (Some(last), Some(level)) = (shapes.last(), levels.last()) else { break };
        let (next, level) = (std::array::from_fn(|k| last[k].halved()), level.halved());
        if level.width < 16 || level.height < 16 {
            break;
        }
        shapes.push(next);
        levels.push(level);
    }
    let coarse = (fine + 1).min(shapes.len() - 1);
    let fine = fine.min(coarse);
    let places = (8 * picture.width * picture.height) as f64;
    let reach = shapes[fine].iter().fold([0, 0], |[w, h], s| [w.max(s.width), h.max(s.height)]);
    let covariances = [fine, coarse].map(|level| Covariance::of(&levels[level], reach));
    let found: Vec<Copied> = (0..8)
        .flat_map(|k| {
            let filter = |level: usize, of: usize| Filter::new(&shapes[level][k], &covariances[of]);
            let (Some(sharp), Some(rough)) = (filter(fine, 0), filter(coarse, 1)) else { return Vec::new() };
            let bar = least + CHANCE * places.ln() / sharp.power;
            let from = if fine == coarse { bar } else { COARSE };
            let mut places = rough.peaks(&levels[coarse], from);
            if fine != coarse {
                places = places.par_iter().filter_map(|p| sharp.near(&levels[fine], [2 * p.0, 2 * p.1])).collect();
                places.retain(|p| p.2 >= bar);
            }
            let scale = (1usize << fine) as f64;
            let moved = |(x, y, score): (usize, usize, f64)| {
                let [dx, dy] = sharp.vertex(&levels[fine], [x, y]);
                let at = [x as f64 + dx, y as f64 + dy].map(|v| v * scale);
                let shift = Move::similarity(0.0, 1.0, false, at);
                Copied { by: shift.after(&shapes[0][k].to_shape), score }
            };
            places.into_iter().map(moved).collect()
        })
        .collect();
    apart_from_each_other(found, drawing)
}

fn apart_from_each_other(mut found: Vec<Copied>, drawing: &Grey) -> Vec<Copied> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let middle = [(drawing.width as f64 - 1.0) / 2.0, (drawing.height as f64 - 1.0) / 2.0];
    let least = drawing.width.min(drawing.height) as f64 / 2.0;
    let mut kept: Vec<(Copied, [f64; 2])> = Vec::new();
    for one in found {
        let at = one.by.apply(middle);
        if kept.iter().all(|(_, other)| apart(at, *other) > least) {
            kept.push((one, at));
        }
    }
    kept.into_iter().map(|(one, _)| one).collect()
}

/// A drawing as it would lie in the picture.
#[derive(Clone, Debug)]
struct Shape {
    width: usize,
    height: usize,
    /// Row by row; `None` where the drawing does not reach.
    values: Vec<Option<f32>>,
    /// From the drawing's pixels to those of the shape.
    to_shape: Move,
}

/// The drawing under `linear` and each of the 8 symmetries.
fn shapes_of(drawing: &Grey, linear: &Move) -> Option<[Shape; 8]> {
    if drawing.values.len() != drawing.width * drawing.height || drawing.values.is_empty() {
        return None;
    }
    let [[a, b, _], [c, d, _], _] = linear.0;
    let shapes: Vec<Shape> = (0..8)
        .map(|k| {
            let [p, q, r, s] = rord_kernels::turns::motion(k).map(f64::from);
            let symmetry = Move([[p, q, 0.0], [r, s, 0.0], [0.0, 0.0, 1.0]]);
            let by = symmetry.after(&Move([[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]]));
            Shape::new(drawing, &by)
        })
        .collect::<Option<_>>()?;
    shapes.try_into().ok()
}

impl Shape {
    /// Sides of a shape at most.
    const SIDE: f64 = 8192.0;

    fn new(drawing: &Grey, by: &Move) -> Option<Self> {
        let ends = corners([drawing.width, drawing.height]).map(|c| by.apply(c));
        let low = [0, 1].map(|k: usize| ends.iter().map(|e| e[k]).fold(f64::MAX, f64::min));
        let high = [0, 1].map(|k: usize| ends.iter().map(|e| e[k]).fold(f64::MIN, f64::max));
        let [width, height] = [0, 1].map(|k: usize| (high[k] - low[k] - 1e-6).ceil());
        if !(width >= 1.0 && height >= 1.0 && width <= Self::SIDE && height <= Self::SIDE) {
            return None;
        }
        // The middle of the shape is the drawing's.
        let shift = [0, 1].map(|k: usize| ([width, height][k] - 1.0) / 2.0 - (low[k] + high[k]) / 2.0);
        let to_shape = Move::similarity(0.0, 1.0, false, shift).after(by);
        let back = to_shape.inverse()?;
        let (width, height) = (width as usize, height as usize);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| [x as f64, y as f64]));
        let values = places.map(|p| drawing.sample(back.apply(p))).collect();
        Some(Self { width, height, values, to_shape })
    }

    fn pixels(&self) -> usize {
        self.width * self.height
    }

    fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let at = |x: usize, y: usize| self.values.get(y * self.width + x).copied().flatten();
        let four = |x: usize, y: usize| {
            Some((at(2 * x, 2 * y)? + at(2 * x + 1, 2 * y)? + at(2 * x, 2 * y + 1)? + at(2 * x + 1, 2 * y + 1)?) / 4.0)
        };
        let values = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| four(x, y)).collect();
        Self { width, height, values, to_shape: self.to_shape }
    }
}

/// A place in pixels, and its score.
type Scored = (usize, usize, f64);

/// What is laid over the picture.
struct Filter {
    width: usize,
    height: usize,
    /// Row by row, 0 where the drawing does not reach.
    weights: Vec<f32>,
    /// Taken off the sum of weighted pixels.
    offset: f32,
    /// The score of the drawing itself before it is made 1: how many deviations of chance it lies away, squared.
    power: f64,
}

impl Filter {
    /// `None` of a drawing in which there is nothing to see.
    fn new(shape: &Shape, covariance: &Covariance) -> Option<Self> {
        let mean = covariance.mean;
        let contrast: Vec<Option<f64>> = shape.values.iter().map(|v| v.map(|v| f64::from(v) - mean)).collect();
        let weights = whitened(&contrast, shape.width, covariance)?;
        let power: f64 = weights.iter().zip(&contrast).map(|(w, v)| w * v.unwrap_or_default()).sum();
        if !(power.is_finite() && power > 1e-6) {
            return None;
        }
        let weights: Vec<f32> = weights.iter().map(|w| (w / power) as f32).collect();
        let offset = mean as f32 * weights.iter().sum::<f32>();
        Some(Self { width: shape.width, height: shape.height, weights, offset, power })
    }

    /// The scores of one row of places.
    fn row(&self, picture: &Grey, y: usize, columns: usize) -> Vec<f32> {
        let mut scores = vec![-self.offset; columns];
        for (ty, weights) in self.weights.chunks_exact(self.width).enumerate() {
            let from = (y + ty) * picture.width;
            let Some(line) = picture.values.get(from..from + picture.width) else { continue };
            for (tx, weight) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                scores.iter_mut().zip(&line[tx..]).for_each(|(score, v)| *score += weight * v);
            }
        }
        scores
    }

    /// The score at one place; `None` where the filter leaves the picture.
    fn at(&self, picture: &Grey, x: usize, y: usize) -> Option<f64> {
        if x + self.width > picture.width || y + self.height > picture.height {
            return None;
        }
        let lines = self.weights.chunks_exact(self.width).enumerate();
        let sum: f32 = lines
            .map(|(ty, weights)| {
                let from = (y + ty) * picture.width + x;
                weights.iter().zip(&picture.values[from..from + self.width]).map(|(w, v)| w * v).sum::<f32>()
            })
            .sum();
        Some(f64::from(sum - self.offset))
    }

    /// Places of at least `least` that no neighbor exceeds, the likeliest first.
    fn peaks(&self, picture: &Grey, least: f64) -> Vec<Scored> {
        if self.width > picture.width || self.height > picture.height {
            return Vec::new();
        }
        let (columns, rows) = (picture.width - self.width + 1, picture.height - self.height + 1);
        let map: Vec<Vec<f32>> = (0..rows).into_par_iter().map(|y| self.row(picture, y, columns)).collect();
        let around = |x: usize, y: usize| {
            let rows = map[y.saturating_sub(1)..(y + 2).min(rows)].iter();
            rows.flat_map(move |row| row[x.saturating_sub(1)..(x + 2).min(columns)].iter())
        };
        let mut found: Vec<Scored> = (0..rows)
            .into_par_iter()
            .flat_map_iter(|y| {
                let seen = map[y].iter().enumerate().filter(|(_, score)| f64::from(**score) >= least);
                let peak = seen.filter(move |(x, score)| around(*x, y).all(|near| near <= score));
                peak.map(move |(x, score)| (x, y, f64::from(*score)))
            })
            .collect();
        found.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.1, a.0).cmp(&(b.1, b.0))));
        found.truncate(PLACES);
        found
    }

    /// The likeliest place within two pixels.
    fn near(&self, picture: &Grey, [x, y]: [usize; 2]) -> Option<Scored> {
        let places = (y.saturating_sub(2)..y + 4).flat_map(|y| (x.saturating_sub(2)..x + 4).map(move |x| (x, y)));
        let scored = places.filter_map(|(x, y)| Some((x, y, self.at(picture, x, y)?)));
        scored.max_by(|a, b| a.2.total_cmp(&b.2))
    }

    /// How far from a place the parabola through its score and its neighbors' has its peak, at most half a pixel.
    fn vertex(&self, picture: &Grey, [x, y]: [usize; 2]) -> [f64; 2] {
        let along = |before: Option<f64>, after: Option<f64>| {
            let (Some(before), Some(here), Some(after)) = (before, self.at(picture, x, y), after) else { return 0.0 };
            let bend = before + after - 2.0 * here;
            if bend < -1e-12 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
        };
        let left = x.checked_sub(1).and_then(|x| self.at(picture, x, y));
        let upper = y.checked_sub(1).and_then(|y| self.at(picture, x, y));
        [along(left, self.at(picture, x + 1, y)), along(upper, self.at(picture, x, y + 1))]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rord_random::Stream;

    const SIDES: [usize; 2] = [240, 200];

    fn noise(width: usize, height: usize, seed: u64) -> Grey {
        let mut stream = Stream::new(seed, &[]);
        let mut values = vec![0f32; width * height];
        for _ in 0..width * height / 60 {
            let (x, y, w, h) = (stream.below(width), stream.below(height), 2 + stream.below(9), 2 + stream.below(9));
            let value = stream.range(0.0, 1.0) as f32;
            for (y, x) in (y..(y + h).min(height)).flat_map(|y| (x..(x + w).min(width)).map(move |x| (y, x))) {
                values[y * width + x] = value;
            }
        }
        Grey { values, width, height }
    }

    /// Lays a drawing over a picture.
    fn put(picture: &mut Grey, drawing: &Grey, by: &Move) {
        let back = by.inverse().unwrap();
        for (y, x) in (0..picture.height).flat_map(|y| (0..picture.width).map(move |x| (y, x))) {
            if let Some(value) = drawing.sample(back.apply([x as f64, y as f64])) {
                picture.values[y * picture.width + x] = value;
            }
        }
    }

    fn found_where_they_lie(width: usize, height: usize) {
        let drawing = noise(width, height, 5);
        let mut picture = noise(SIDES[0], SIDES[1], 6);
        let last = width.max(height) as f64;
        let truths = [
            Move::similarity(0.0, 1.0, false, [20.0, 15.0]),
            Move::similarity(std::f64::consts::FRAC_PI_2, 1.0, false, [30.0 + last, 100.0]),
            Move::similarity(std::f64::consts::PI, 1.0, true, [130.0 + last, 100.0]),
        ];
        truths.iter().for_each(|by| put(&mut picture, &drawing, by));
        let found = copies(&drawing, &picture, &Move::IDENTITY, 0.5);
        assert_eq!(found.len(), 3, "{found:?}");
        for truth in truths {
            let near = |c: &&Copied| crate::search::corners_apart(&c.by, &truth, [width, height]) < 1.0;
            assert!(found.iter().filter(near).count() == 1, "{truth:?}: {found:?}");
        }
    }

    #[test]
    fn copies_of_small_and_of_large_drawings_are_found() {
        found_where_they_lie(16, 24);
        found_where_they_lie(40, 30);
        found_where_they_lie(64, 60);
    }

    #[test]
    fn a_turned_and_larger_copy_is_found_by_its_linear_part() {
        let drawing = noise(40, 30, 5);
        let mut picture = noise(SIDES[0], SIDES[1], 6);
        let truth = Move::similarity(0.5, 1.2, false, [90.0, 60.0]);
        put(&mut picture, &drawing, &truth);
        let found =
            copies(&drawing, &picture, &Move::similarity(0.5 - std::f64::consts::PI, 1.2, false, [7.0, 8.0]), 0.5);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(crate::search::corners_apart(&found[0].by, &truth, [40, 30]) < 1.5, "{found:?}");
    }

    #[test]
    fn nothing_is_found_of_nothing() {
        let picture = noise(60, 60, 6);
        let flat = Grey { values: vec![0.3; 400], width: 20, height: 20 };
        assert!(copies(&flat, &picture, &Move::IDENTITY, 0.5).is_empty());
        assert!(copies(&Grey::default(), &picture, &Move::IDENTITY, 0.5).is_empty());
        assert!(copies(&picture, &Grey::default(), &Move::IDENTITY, 0.5).is_empty());
        assert!(copies(&picture, &flat, &Move::IDENTITY, 0.5).is_empty());
        assert!(copies(&flat, &picture, &Move([[f64::NAN; 3]; 3]), 0.5).is_empty());
        assert_eq!(Grey::of_planes(&[1.0; 7], [3, 2]), None);
    }
}
