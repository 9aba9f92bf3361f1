#![allow(clippy::indexing_slicing)] // loops over maps whose sizes are checked where they are made
//! Maps of descriptors, and how alike two of them are under a move.

use rord_kernels::simd::{Closure, Simd, run};

use crate::moves::Move;

/// A descriptor for every cell of a picture, its numbers side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dense {
    /// `height · width` descriptors of `channels` numbers, row by row.
    pub values: Vec<f32>,
    /// Rows of cells.
    pub height: usize,
    /// Cells in a row.
    pub width: usize,
    /// Numbers in a descriptor.
    pub channels: usize,
    /// Width and height of the picture in pixels.
    pub size: [usize; 2],
}

impl Dense {
    /// Of `height` rows of `width` cells over a picture of `size` pixels, whose numbers lie cell by cell; `None` where the sizes do not fit.
    pub fn new(values: Vec<f32>, channels: usize, [height, width]: [usize; 2], size: [usize; 2]) -> Option<Self> {
        let numbers = height.checked_mul(width)?.checked_mul(channels)?;
        (numbers > 0 && numbers == values.len()).then_some(Self { values, height, width, channels, size })
    }

    /// Pixels in a cell along x and along y.
    pub fn step(&self) -> [f64; 2] {
        [self.size[0] as f64 / self.width.max(1) as f64, self.size[1] as f64 / self.height.max(1) as f64]
    }

    /// The middle of a cell in pixels.
    pub fn middle(&self, row: usize, column: usize) -> [f64; 2] {
        let [x, y] = self.step();
        [(column as f64 + 0.5) * x - 0.5, (row as f64 + 0.5) * y - 0.5]
    }

    /// The descriptor of a cell.
    pub fn cell(&self, row: usize, column: usize) -> &[f32] {
        let at = (row * self.width + column) * self.channels;
        self.values.get(at..at + self.channels).unwrap_or_default()
    }

    /// The four cells around a place and their weights. Beyond the outermost cells those are repeated.
    #[inline(always)]
    fn around(&self, [x, y]: [f64; 2]) -> [(usize, f32); 4] {
        let step = self.step();
        let along = |place: f64, step: f64, cells: usize| {
            let at = ((place + 0.5) / step - 0.5).clamp(0.0, cells.saturating_sub(1) as f64);
            let first = (at.floor() as usize).min(cells.saturating_sub(2));
            let second = (first + 1).min(cells.saturating_sub(1));
            (first, second, (at - first as f64) as f32)
        };
        let (left, right, s) = along(x, step[0], self.width);
        let (top, bottom, t) = along(y, step[1], self.height);
        let cell = |row: usize, column: usize| (row * self.width + column) * self.channels;
        [
            (cell(top, left), (1.0 - s) * (1.0 - t)),
            (cell(top, right), s * (1.0 - t)),
            (cell(bottom, left), (1.0 - s) * t),
            (cell(bottom, right), s * t),
        ]
    }

    /// Writes the descriptor at a place, bilinear, into `out`.
    #[inline(always)]
    pub fn sample(&self, place: [f64; 2], out: &mut [f32]) {
        if self.values.is_empty() || !place.iter().all(|x| x.is_finite()) {
            out.fill(0.0);
            return;
        }
        let [a, b, c, d] = self.around(place).map(|(at, weight)| (&self.values[at..at + self.channels], weight));
        for ((((out, p), q), r), s) in out.iter_mut().zip(a.0).zip(b.0).zip(c.0).zip(d.0) {
            *out = a.1 * p + b.1 * q + c.1 * r + d.1 * s;
        }
    }

    /// True for places within the picture.
    pub fn holds(&self, [x, y]: [f64; 2]) -> bool {
        x >= -0.5 && y >= -0.5 && x <= self.size[0] as f64 - 0.5 && y <= self.size[1] as f64 - 0.5
    }

    /// The same map with its channels in another order: channel k is what was channel `order[k]`.
    pub fn permuted(&self, order: &[usize]) -> Self {
        Self { values: permuted(&self.values, order), ..self.clone() }
    }

    /// The mean over the cells of this map of the inner product with what `there` has under the move, for cells at least
    /// `margin` pixels from this picture's edge; a cell that the move takes out of the other picture counts as 0. At most
    /// `cells` cells, evenly chosen. 0 where no cell is left.
    pub fn likeness(&self, there: &Self, by: &Move, margin: f64, cells: usize) -> f64 {
        if self.channels != there.channels || self.values.is_empty() || there.values.is_empty() {
            return 0.0;
        }
        let [step_x, step_y] = self.step();
        let kept = |cells: usize, step: f64| {
            let cut = (margin / step).ceil() as usize;
            cut.min(cells)..cells.saturating_sub(cut).max(cut.min(cells))
        };
        let (rows, columns) = (kept(self.height, step_y), kept(self.width, step_x));
        let all = rows.len() * columns.len();
        if all == 0 {
            return 0.0;
        }
        // Every n-th cell in both directions.
        let stride = ((all as f64 / cells.max(1) as f64).sqrt().ceil() as usize).max(1);
        let mean = || {
            let (mut sum, mut count) = (0.0, 0usize);
            let mut descriptor = vec![0.0; self.channels];
            for row in rows.step_by(stride) {
                for column in columns.clone().step_by(stride) {
                    count += 1;
                    let place = by.apply(self.middle(row, column));
                    if !there.holds(place) {
                        continue;
                    }
                    there.sample(place, &mut descriptor);
                    let length = product(&descriptor, &descriptor).sqrt();
                    sum += f64::from(product(&descriptor, self.cell(row, column)) / length.max(1e-6));
                }
            }
            sum / count.max(1) as f64
        };
        run(Simd::chosen(), Closure(mean))
    }
}

/// The inner product, in eight sums that are added in order: the same bits with any instructions.
#[inline(always)]
pub(crate) fn product(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0f32; 8];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Rows of numbers with their columns in another order: column k is what was column `order[k]`.
pub fn permuted(rows: &[f32], order: &[usize]) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len());
    for row in rows.chunks_exact(order.len().max(1)) {
        out.extend(order.iter().map(|k| row.get(*k).copied().unwrap_or_default()));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Of numbers that lie channel by channel.
    fn of_planes(planes: &[f32], channels: usize, cells: [usize; 2], size: [usize; 2]) -> Option<Dense> {
        let count = planes.len() / channels;
        let numbers = (0..planes.len()).map(|at| planes[at % channels * count + at / channels]);
        Dense::new(numbers.collect(), channels, cells, size)
    }

    #[test]
    fn cells_are_read_where_they_lie_and_linearly_between() {
        let planes: Vec<f32> = (0..2 * 3 * 4).map(|i| i as f32).collect();
        let map = of_planes(&planes, 2, [3, 4], [16, 12]).unwrap();
        assert_eq!(map.cell(1, 2), [6.0, 18.0]);
        let mut out = [0.0; 2];
        map.sample(map.middle(1, 2), &mut out);
        assert_eq!(out, [6.0, 18.0]);
        // Half a cell to the right and a quarter down: 6 + 0.5 · 1 + 0.25 · 4.
        let [x, y] = map.middle(1, 2);
        map.sample([x + 2.0, y + 1.0], &mut out);
        assert_eq!(out, [7.5, 19.5]);
        map.sample([-9.0, -9.0], &mut out);
        assert_eq!(out, [0.0, 12.0]);
        assert_eq!(of_planes(&planes, 2, [4, 4], [16, 16]), None);
        assert_eq!(map.permuted(&[1, 0]).cell(1, 2), [18.0, 6.0]);
    }

    #[test]
    fn a_map_is_most_alike_to_itself_where_it_lies() {
        let mut stream = rord_random::Stream::new(4, &[]);
        let mut planes: Vec<f32> = (0..8 * 24 * 24).map(|_| stream.normal() as f32).collect();
        for cell in 0..576 {
            let length = (0..8).map(|c| planes[c * 576 + cell].powi(2)).sum::<f32>().sqrt();
            (0..8).for_each(|c| planes[c * 576 + cell] /= length);
        }
        let map = of_planes(&planes, 8, [24, 24], [96, 96]).unwrap();
        assert!((map.likeness(&map, &Move::IDENTITY, 8.0, 1000) - 1.0).abs() < 1e-5);
        let shifted = map.likeness(&map, &Move::similarity(0.0, 1.0, false, [12.0, 0.0]), 8.0, 1000);
        assert!(shifted.abs() < 0.2, "{shifted}");
        assert_eq!(map.likeness(&map, &Move::similarity(0.0, 1.0, false, [1e4, 0.0]), 8.0, 1000), 0.0);
    }
}
