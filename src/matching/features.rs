//! Key points of a score map, and the descriptors there.

use rayon::prelude::*;
use rord_kernels::peaks::{Choice, maxima, peaks};

use crate::dense::Dense;

/// Places where a detector fires, the surest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyPoints {
    /// (x, y) in pixels.
    pub places: Vec<[f64; 2]>,
    /// The detector's score at each.
    pub scores: Vec<f32>,
}

/// Key points with a descriptor each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Where they are.
    pub points: KeyPoints,
    /// One row of `channels` numbers for each, of length 1 where the network makes them so.
    pub descriptors: Vec<f32>,
    /// Numbers in a descriptor.
    pub channels: usize,
}

/// A map of scores, one for each cell, that lies over a picture of `size` pixels.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// `height` rows of `width` numbers.
    pub values: &'a [f32],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Width and height of the picture in pixels.
    pub size: [usize; 2],
}

/// What counts as a key point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Select {
    /// How many are kept at most.
    pub keep: usize,
    /// How near in pixels none may lie to a surer one.
    pub apart: f64,
    /// How far in pixels from the picture's edge they lie at least.
    pub border: f64,
    /// The least score.
    pub least: f32,
}

impl Scores<'_> {
    fn step(&self) -> [f64; 2] {
        [self.size[0] as f64 / self.width.max(1) as f64, self.size[1] as f64 / self.height.max(1) as f64]
    }

    fn at(&self, row: usize, column: usize) -> Option<f32> {
        self.values.get(row * self.width + column).copied()
    }

    /// The peaks of the scores, refined between cells by the parabola through a peak and its neighbors (half a cell at
    /// most; the way of Lowe, 2004, along each axis). Scores that are no numbers are never key points.
    pub fn key_points(&self, select: &Select) -> KeyPoints {
        let cells = self.height * self.width;
        let mut points = KeyPoints::default();
        if cells == 0 || self.values.len() != cells || select.keep == 0 {
            return points;
        }
        let step = self.step();
        let choice = Choice {
            batch: 1,
            height: self.height,
            width: self.width,
            keep: select.keep.min(cells),
            step,
            apart: select.apart,
            border: select.border,
        };
        let scores: Vec<f64> = self.values.iter().map(|s| f64::from(*s)).collect();
        let Ok(chosen) = peaks(&choice, &scores) else { return points };
        for cell in chosen {
            let (row, column) = (cell / self.width, cell % self.width);
            let Some(score) = self.at(row, column).filter(|s| s.is_finite() && *s >= select.least) else { continue };
            // The kernel fills up with what is no peak; those end the list.
            if !self.is_peak(row, column, score) {
                continue;
            }
            points.places.push(self.place(row, column, score));
            points.scores.push(score);
        }
        points
    }

    /// Every local maximum as a key point, the surest first, refined as [`Scores::key_points`] does, and nothing that is
    /// none: of a flat map its first cell.
    pub fn maxima(&self, select: &Select) -> KeyPoints {
        let cells = self.height * self.width;
        let mut points = KeyPoints::default();
        if cells == 0 || self.values.len() != cells {
            return points;
        }
        let step = self.step();
        let choice = Choice {
            batch: 1,
            height: self.height,
            width: self.width,
            keep: select.keep,
            step,
            // A maximum exceeds all eight neighbors, whatever the size of cells.
            apart: select.apart.max(1.5 * step[0].max(step[1])),
            border: select.border,
        };
        let scores: Vec<f64> = self.values.iter().map(|s| f64::from(*s)).collect();
        for cell in maxima(&choice, &scores).unwrap_or_default() {
            let (row, column) = (cell / self.width, cell % self.width);
            let Some(score) = self.at(row, column).filter(|s| s.is_finite() && *s >= select.least) else { continue };
            points.places.push(self.place(row, column, score));
            points.scores.push(score);
        }
        points
    }

    /// Where the peak of a cell lies between its neighbors, in pixels.
    fn place(&self, row: usize, column: usize, score: f32) -> [f64; 2] {
        let [wide, high] = self.step();
        let x = column as f64 + 0.5 + self.vertex(row, column, score, 0);
        let y = row as f64 + 0.5 + self.vertex(row, column, score, 1);
        [x * wide - 0.5, y * high - 0.5]
    }

    fn is_peak(&self, row: usize, column: usize, score: f32) -> bool {
        let (rows, columns) = (row.saturating_sub(1)..=row + 1, column.saturating_sub(1)..=column + 1);
        rows.flat_map(|r| columns.clone().map(move |c| (r, c)))
            .filter(|(_, c)| *c < self.width)
            .all(|(r, c)| self.at(r, c).is_none_or(|near| near <= score || near.is_nan()))
    }

    /// Where the parabola along an axis (0 is x) has its peak, in cells from the middle of this one.
    fn vertex(&self, row: usize, column: usize, score: f32, axis: usize) -> f64 {
        let (before, after) = match axis {
            0 if column == 0 || column + 1 >= self.width => return 0.0,
            0 => (self.at(row, column - 1), self.at(row, column + 1)),
            _ if row == 0 => return 0.0,
            _ => (self.at(row - 1, column), self.at(row + 1, column)),
        };
        let (Some(before), Some(after)) = (before.map(f64::from), after.map(f64::from)) else { return 0.0 };
        let bend = before + after - 2.0 * f64::from(score);
        let off = 0.5 * (before - after) / bend;
        if bend < -1e-12 && off.is_finite() { off.clamp(-0.5, 0.5) } else { 0.0 }
    }
}

impl Features {
    /// The descriptors of a dense map at key points, bilinear and of length 1.
    pub fn sample(points: KeyPoints, map: &Dense) -> Self {
        let channels = map.channels;
        let mut descriptors = vec![0.0; points.places.len() * channels];
        if channels > 0 {
            descriptors.par_chunks_exact_mut(channels).zip(&points.places).for_each(|(out, place)| {
                map.sample(*place, out);
                unit(out);
            });
        }
        Self { points, descriptors, channels }
    }

    /// The middles of all cells of a dense map that lie at least `border` pixels from the picture's edge, every one with its
    /// descriptor: of a small picture, so that nothing depends on where a detector fires.
    pub fn of_cells(map: &Dense, border: f64) -> Self {
        let mut points = KeyPoints::default();
        let mut descriptors = Vec::new();
        let [right, bottom] = map.size.map(|side| side as f64 - 1.0 - border);
        for row in 0..map.height {
            for column in 0..map.width {
                let [x, y] = map.middle(row, column);
                if x >= border && y >= border && x <= right && y <= bottom {
                    points.places.push([x, y]);
                    points.scores.push(1.0);
                    descriptors.extend_from_slice(map.cell(row, column));
                }
            }
        }
        Self { points, descriptors, channels: map.channels }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.points.places.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.points.places.is_empty()
    }
}

/// Makes a vector's length 1; one of length 0 stays.
pub fn unit(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 1e-12 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_found_between_cells_and_edges_are_left() {
        // A bump at (21.3, 9.8) px and one on the border, over a picture of 64 × 32 px with cells of 2 px.
        let (width, height) = (32, 16);
        let bump = |x: f64, y: f64, at: [f64; 2]| (-((x - at[0]).powi(2) + (y - at[1]).powi(2)) / 50.0).exp();
        let value = |cell: usize| {
            let (x, y) = ((cell % width) as f64 * 2.0 + 0.5, (cell / width) as f64 * 2.0 + 0.5);
            (bump(x, y, [21.3, 9.8]) + 0.9 * bump(x, y, [63.0, 20.0])) as f32
        };
        let values: Vec<f32> = (0..width * height).map(value).collect();
        let scores = Scores { values: &values, height, width, size: [64, 32] };
        let found = scores.key_points(&Select { keep: 9, apart: 4.0, border: 4.0, least: 0.5 });
        assert_eq!(found.places.len(), 1, "{found:?}");
        assert!((found.places[0][0] - 21.3).abs() < 0.1 && (found.places[0][1] - 9.8).abs() < 0.1, "{found:?}");
        assert_eq!(scores.maxima(&Select { keep: 9, apart: 1.0, border: 4.0, least: 0.5 }), found);
    }

    #[test]
    fn a_flat_map_and_one_of_no_numbers_give_no_panic() {
        for values in [vec![0.5; 12], vec![f32::NAN; 12], vec![]] {
            let scores = Scores { values: &values, height: 3, width: 4, size: [4, 3] };
            let found = scores.key_points(&Select { keep: 5, apart: 1.0, border: 0.0, least: 0.0 });
            assert!(found.places.len() <= 5);
            let maxima = scores.maxima(&Select { keep: 5, apart: 1.0, border: 0.0, least: 0.0 });
            assert_eq!(maxima.places.len(), usize::from(values.first().is_some_and(|x| *x == 0.5)));
        }
    }
}
