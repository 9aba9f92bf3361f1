#![allow(clippy::indexing_slicing)] // a loop over pixels that keep their distance from the border
//! Corners of a picture by its grey values: Shi and Tomasi, "Good features to track" (1994).

use super::patch::{Grid, Plane};

/// How far beyond the patch grey values are looked at, in patch pixels.
pub const AROUND: f64 = 6.0;
/// Pixels around the patch in which corners are looked for.
const MARGIN: usize = 4;
/// The least response, of the greatest in the view and for grey values of 0 to 1.
const QUALITY: f32 = 0.02;
const LEAST: f32 = 1e-3;

/// The label map of a patch: 1 at each pixel where the smaller eigenvalue of the structure tensor (Sobel's gradients,
/// summed over 5 × 5 pixels) is the greatest of 3 × 3 pixels and at least a fiftieth of the view's greatest, else 0. `n`
/// rows of `n` values; `plane` should reach [`AROUND`] patch pixels beyond the patch.
pub fn corners(plane: &Plane, grid: &Grid) -> Vec<f32> {
    let (n, side) = (grid.n, grid.n + 2 * MARGIN);
    let values = plane.sample(&Grid { n: side, ..*grid });
    let mut tensors = vec![[0f32; 3]; side * side];
    for y in 1..side - 1 {
        for x in 1..side - 1 {
            let at = |dx: usize, dy: usize| values[(y + dy - 1) * side + x + dx - 1];
            let across = at(2, 0) + 2.0 * at(2, 1) + at(2, 2) - at(0, 0) - 2.0 * at(0, 1) - at(0, 2);
            let down = at(0, 2) + 2.0 * at(1, 2) + at(2, 2) - at(0, 0) - 2.0 * at(1, 0) - at(2, 0);
            let (gx, gy) = (across / 8.0, down / 8.0);
            tensors[y * side + x] = [gx * gx, gx * gy, gy * gy];
        }
    }
    let mut response = vec![0f32; side * side];
    let mut greatest = LEAST / QUALITY;
    for y in 3..side - 3 {
        for x in 3..side - 3 {
            let mut sums = [0f32; 3];
            for row in y - 2..=y + 2 {
                for tensor in &tensors[row * side + x - 2..=row * side + x + 2] {
                    sums.iter_mut().zip(tensor).for_each(|(sum, t)| *sum += t);
                }
            }
            let [xx, xy, yy] = sums;
            let value = (xx + yy) / 2.0 - (((xx - yy) / 2.0).powi(2) + xy * xy).sqrt();
            response[y * side + x] = value;
            greatest = greatest.max(value);
        }
    }
    let mut label = vec![0f32; n * n];
    for (i, label) in label.iter_mut().enumerate() {
        let (x, y) = (i % n + MARGIN, i / n + MARGIN);
        let here = response[y * side + x];
        let around = |dx: usize, dy: usize| response[(y + dy - 1) * side + x + dx - 1];
        // Of equal neighbors the first, row by row, is the corner.
        let earlier = [around(0, 0), around(1, 0), around(2, 0), around(0, 1)].iter().all(|r| *r < here);
        let later = [around(2, 1), around(0, 2), around(1, 2), around(2, 2)].iter().all(|r| *r <= here);
        *label = f32::from(u8::from(here >= QUALITY * greatest && earlier && later));
    }
    label
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::patch::Rect;

    #[test]
    fn a_square_has_four_corners_and_a_ramp_none() {
        let rect = Rect { x: 0, y: 0, width: 80, height: 80 };
        let plane =
            |f: &dyn Fn(usize, usize) -> f32| Plane { rect, values: (0..6400).map(|i| f(i % 80, i / 80)).collect() };
        let grid = Grid::new(40, [40.0, 40.0], 1.0, [[1.0, 0.0], [0.0, 1.0]]);
        let square = plane(&|x, y| f32::from(u8::from((30..50).contains(&x) && (30..50).contains(&y))));
        let found = corners(&square, &grid);
        let places: Vec<_> =
            found.iter().enumerate().filter(|(_, v)| **v == 1.0).map(|(i, _)| (i % 40, i / 40)).collect();
        assert_eq!(places.len(), 4, "{places:?}");
        for (x, y) in places {
            assert!(x.abs_diff(10).min(x.abs_diff(29)) <= 1 && y.abs_diff(10).min(y.abs_diff(29)) <= 1, "({x}, {y})");
        }
        let ramp = plane(&|x, y| (x as f32 + 2.0 * y as f32) / 240.0);
        let stripes = plane(&|x, _| f32::from(u8::from(x / 5 % 2 == 0)));
        assert!([ramp, stripes].iter().all(|plane| corners(plane, &grid).iter().all(|v| *v == 0.0)));
    }
}
