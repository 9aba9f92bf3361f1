#![allow(clippy::indexing_slicing)] // neighborhoods of pixels that keep their distance from the border
//! Where the polygons of a layout have corners, found in exact coverage.
//!
//! The mixed difference of coverage at a point where four pixels meet, `c₁₁ - c₀₁ - c₁₀ + c₀₀`, is a sum over
//! right-angled corners: each puts ±1 on the four such points around it, shared out bilinearly, and straight edges
//! along the axes put nothing there. So a corner's place is read from coverage exactly, below a pixel. What has another
//! angle leaves differences of both signs; there the smaller eigenvalue of the structure tensor decides (Shi and
//! Tomasi, "Good features to track", 1994), and the place is where the lines through all edge pixels meet (Förstner and
//! Gülch, "A fast operator for detection", 1987). Decisions are made on whole numbers, so labels turn and mirror with
//! the picture to the last bit.

use super::patch::{Cut, Grid};
use super::picture::Samples;

/// How far a cut must reach beyond the patch, in picture pixels, for all corners in the patch to be found.
pub const MARGIN: usize = 6;

/// How near, in patch pixels, a corner must be to a border between pixels to count for both. No multiple of 1/255.
const TOUCH: f64 = 0.0173;

/// The label map of a patch: 1 at each pixel that a corner touches (two or four where it lies between pixels), else 0.
/// Corners of all layers count but those wholly covered by layers above. `n` rows of `n` values; `cut` should reach
/// [`MARGIN`] pixels beyond the patch. Weights, dropped layers and photometry play no part.
pub fn corners(cut: &Cut, grid: &Grid) -> Vec<f32> {
    let n = grid.n;
    let mut label = vec![0f32; n * n];
    let [[a, b], [c, d]] = grid.step;
    let det = a * d - b * c;
    let mut scratch = Scratch::default();
    for (layer, coverage) in cut.layers.iter().enumerate() {
        let Some(coverage) = coverage else { continue };
        let coverage = coverage.eight();
        let plane = Coverage { values: &coverage, width: cut.rect.width, height: cut.rect.height };
        for corner in plane.corners(&mut scratch) {
            if hidden(cut, layer, corner.pixel) {
                continue;
            }
            let x = corner.place[0] + cut.rect.x as f64 - grid.middle[0];
            let y = corner.place[1] + cut.rect.y as f64 - grid.middle[1];
            let (u, v) = ((d * x - b * y) / det + n as f64 / 2.0, (a * y - c * x) / det + n as f64 / 2.0);
            let touched = |at: f64| {
                ((at - TOUCH).floor() as i64..=(at + TOUCH).floor() as i64).filter(|i| (0..n as i64).contains(i))
            };
            for row in touched(v) {
                for column in touched(u) {
                    label[row as usize * n + column as usize] = 1.0;
                }
            }
        }
    }
    label
}

/// True where layers above `layer` cover all 3×3 pixels around `pixel`.
fn hidden(cut: &Cut, layer: usize, (x, y): (usize, usize)) -> bool {
    let width = cut.rect.width;
    (y - 1..=y + 1).all(|y| {
        (x - 1..=x + 1).all(|x| {
            let above = cut.layers[layer + 1..].iter().flatten();
            above.map(|coverage| 1.0 - share(coverage, y * width + x)).product::<f64>() < 0.02
        })
    })
}

/// The coverage of a pixel in 0..=1.
fn share(samples: &Samples, at: usize) -> f64 {
    match samples {
        Samples::Eight(values) => f64::from(values[at]) / 255.0,
        Samples::Sixteen(values) => f64::from(values[at]) / 65_535.0,
    }
}

/// A corner of one layer, in pixels of its window.
struct Corner {
    /// Continuous (x, y): pixel i covers i..i+1.
    place: [f64; 2],
    /// A pixel that holds it, at least 1 from the border.
    pixel: (usize, usize),
}

/// One layer's coverage.
struct Coverage<'a> {
    values: &'a [u8],
    width: usize,
    height: usize,
}

/// Intermediate results, kept from layer to layer: fresh memory costs more than what is written to it.
#[derive(Default)]
struct Scratch {
    mixed: Vec<i16>,
    open: Vec<bool>,
    gradients: Gradients,
    tensors: [Vec<i32>; 3],
    response: Vec<f64>,
    taken: Vec<bool>,
    wanted: Vec<bool>,
}

/// As many of `value` as there are pixels.
fn all<T: Clone>(buffer: &mut Vec<T>, cells: usize, value: T) {
    buffer.clear();
    buffer.resize(cells, value);
}

impl Coverage<'_> {
    fn corners(&self, scratch: &mut Scratch) -> Vec<Corner> {
        let mut found = Vec::new();
        if self.width < 8 || self.height < 8 || self.values.len() != self.width * self.height {
            return found;
        }
        self.mixed_differences(&mut scratch.mixed);
        self.right_angles(scratch, &mut found);
        self.other_angles(scratch, &mut found);
        found
    }

    /// At (x, y) the mixed difference of pixels x, x+1 and y, y+1 in 1/255; rows of `width`, 0 in the last column and
    /// row.
    fn mixed_differences(&self, mixed: &mut Vec<i16>) {
        let w = self.width;
        all(mixed, self.values.len(), 0);
        for (y, out) in mixed.chunks_exact_mut(w).enumerate().take(self.height - 1) {
            let (upper, lower) = (&self.values[y * w..(y + 1) * w], &self.values[(y + 1) * w..(y + 2) * w]);
            let wide = |v: u8| i16::from(v);
            for (x, out) in out[..w - 1].iter_mut().enumerate() {
                *out = wide(lower[x + 1]) - wide(lower[x]) - wide(upper[x + 1]) + wide(upper[x]);
            }
        }
    }

    /// Finds right angles along the axes, and which points no such corner explains.
    fn right_angles(&self, scratch: &mut Scratch, found: &mut Vec<Corner>) {
        /// The least share of a corner that one pixel must hold, and what rounding of coverage may leave.
        const WHOLE: i32 = 217;
        const ROUNDING: i32 = 24;
        let w = self.width;
        let (mixed, open) = (&scratch.mixed, &mut scratch.open);
        let at = |x: usize, y: usize| i32::from(mixed[y * w + x]);
        // What pixel (x, y) holds: the sum over the four points at its corners.
        let held = |x: usize, y: usize| at(x - 1, y - 1) + at(x, y - 1) + at(x - 1, y) + at(x, y);
        all(open, mixed.len(), true);
        let mut sums = vec![0i16; w];
        for y in 3..self.height - 3 {
            let (above, here) = (&mixed[(y - 1) * w..y * w], &mixed[y * w..(y + 1) * w]);
            let pairs = above.iter().zip(&above[1..]).zip(here.iter().zip(&here[1..]));
            for (sum, ((a, b), (c, d))) in sums[1..].iter_mut().zip(pairs) {
                *sum = a + b + c + d;
            }
            for (x, &sum) in sums.iter().enumerate().take(w - 3).skip(3) {
                if i32::from(sum).abs() < WHOLE {
                    continue;
                }
                let [p, q, r, s] = [above[x - 1], above[x], here[x - 1], here[x]].map(i32::from);
                let sum = i32::from(sum);
                let one_sign = p.abs() + q.abs() + r.abs() + s.abs() <= sum.abs() + ROUNDING;
                let bilinear = (p * s - q * r).abs() <= 255 * 255 / 20;
                // A slanted edge goes on in both directions; the end of a thin line keeps to two columns or two rows.
                let columns: i32 = (y - 2..=y + 1).map(|y| at(x - 2, y).abs() + at(x + 1, y).abs()).sum();
                let rows: i32 = (x - 2..=x + 1).map(|x| at(x, y - 2).abs() + at(x, y + 1).abs()).sum();
                // A corner near a pixel's border leaves most of its ±1 to the next pixel as well.
                let most = || (y - 1..=y + 1).all(|v| (x - 1..=x + 1).all(|u| held(u, v) * sum.signum() <= sum.abs()));
                if one_sign && bilinear && columns.min(rows) <= ROUNDING && most() {
                    let share = |part: i32| (f64::from(part) / f64::from(sum)).clamp(0.0, 1.0);
                    found.push(Corner { place: [x as f64 + share(q + s), y as f64 + share(r + s)], pixel: (x, y) });
                    (y - 2..=y + 1).for_each(|y| open[y * w + x - 2..=y * w + x + 1].fill(false));
                }
            }
        }
    }

    /// Finds corners of other angles, and single small shapes, among the points that are still open.
    fn other_angles(&self, scratch: &mut Scratch, found: &mut Vec<Corner>) {
        /// The least mixed difference worth a look.
        const ACTIVE: u16 = 38;
        let (w, h) = (self.width, self.height);
        let Scratch { mixed, open, gradients, tensors, response, taken, wanted } = scratch;
        all(wanted, mixed.len(), false);
        let mut rows = h..0;
        for (y, (row, open)) in mixed.chunks_exact(w).zip(open.chunks_exact(w)).enumerate().take(h - 5).skip(4) {
            let active = |m: i16| m.unsigned_abs() >= ACTIVE;
            if !row.iter().fold(false, |any, m| any | active(*m)) {
                continue;
            }
            for x in (4..w - 5).filter(|&x| active(row[x]) && open[x]) {
                // The response is greatest a little inside a corner.
                (y - 1..=y + 2).for_each(|v| wanted[v * w + x - 1..=v * w + x + 2].fill(true));
                rows = rows.start.min(y - 1)..y + 3;
            }
        }
        if rows.is_empty() {
            return;
        }
        self.gradients(gradients);
        gradients.tensors(tensors);
        all(response, mixed.len(), f64::NAN);
        let mut strength = |x: usize, y: usize| {
            let known = &mut response[y * w + x];
            if known.is_nan() {
                *known = cornerness(tensors.each_ref().map(|sums| sums[y * w + x]));
            }
            *known
        };
        // Pixels whose middle is less than 3 from a corner that is known exactly.
        all(taken, mixed.len(), false);
        for corner in found.iter() {
            let span = |at: f64, end: usize| {
                let (low, high) = ((at - 3.5).floor() + 1.0, (at + 2.5).ceil() - 1.0);
                low.max(0.0) as usize..=high.max(0.0).min(end as f64 - 1.0) as usize
            };
            for row in span(corner.place[1], h) {
                taken[row * w..][span(corner.place[0], w)].fill(true);
            }
        }
        for y in rows.start.max(3)..rows.end.min(h - 3) {
            for x in 3..w - 3 {
                if !wanted[y * w + x] || taken[y * w + x] {
                    continue;
                }
                let here = strength(x, y);
                if here == 0.0 {
                    continue;
                }
                let inside = |x: usize, y: usize| (3..w - 3).contains(&x) && (3..h - 3).contains(&y);
                let mut greatest_within = |reach: usize| {
                    let (mut columns, rows) = (x - reach..=x + reach, y - reach..=y + reach);
                    columns.all(|u| rows.clone().all(|v| !inside(u, v) || strength(u, v) <= here))
                };
                // The nearest neighbors settle most cases.
                if greatest_within(1) && greatest_within(2) {
                    let place = [x as f64 + 0.5, y as f64 + 0.5];
                    let [dx, dy] = gradients.offset(x, y);
                    found.push(Corner { place: [place[0] + dx, place[1] + dy], pixel: (x, y) });
                }
            }
        }
    }

    /// The gradient of each pixel; 0 along the border.
    fn gradients(&self, out: &mut Gradients) {
        let w = self.width;
        all(&mut out.x, self.values.len(), 0);
        all(&mut out.y, self.values.len(), 0);
        out.width = w;
        let (mut smooth, mut slope) = (vec![0i16; w], vec![0i16; w]);
        for y in 1..self.height - 1 {
            let row = |y: usize| &self.values[y * w..(y + 1) * w];
            let rows = row(y - 1).iter().zip(row(y)).zip(row(y + 1));
            for (((&above, &here), &below), (smooth, slope)) in rows.zip(smooth.iter_mut().zip(&mut slope)) {
                let (above, here, below) = (i16::from(above), i16::from(here), i16::from(below));
                (*smooth, *slope) = (3 * above + 10 * here + 3 * below, below - above);
            }
            // Division rounds towards 0, alike for both signs. All of it is below 16 · 255.
            let inner = y * w + 1..(y + 1) * w - 1;
            for ((out, left), right) in out.x[inner.clone()].iter_mut().zip(&smooth).zip(&smooth[2..]) {
                *out = (right - left) / 8;
            }
            for (((out, left), here), right) in out.y[inner].iter_mut().zip(&slope).zip(&slope[1..]).zip(&slope[2..]) {
                *out = (3 * left + 10 * here + 3 * right) / 8;
            }
        }
    }
}

/// Scharr's 3×3 gradients, at most 510.
#[derive(Default)]
struct Gradients {
    x: Vec<i16>,
    y: Vec<i16>,
    width: usize,
}

/// Binomial weights of the 5×5 pixels around one.
const WEIGHTS: [i32; 5] = [1, 4, 6, 4, 1];

impl Gradients {
    /// Of each pixel at least 3 from the border the sums of gₓgₓ, gₓg_y and g_yg_y over the 5×5 around it.
    fn tensors(&self, sums: &mut [Vec<i32>; 3]) {
        let w = self.width;
        // Row by row, so that what one pass leaves is still at hand for the next.
        let mut products = vec![0i32; w];
        for ((a, b), sums) in [(&self.x, &self.x), (&self.x, &self.y), (&self.y, &self.y)].into_iter().zip(sums) {
            all(sums, a.len(), 0);
            let mut ring: [Vec<i32>; 5] = std::array::from_fn(|_| vec![0; w]);
            for (y, (a, b)) in a.chunks_exact(w).zip(b.chunks_exact(w)).enumerate() {
                for ((product, a), b) in products.iter_mut().zip(a).zip(b) {
                    *product = i32::from(*a) * i32::from(*b);
                }
                ring.rotate_left(1);
                weighted(&mut ring[4][2..w - 2], [0, 1, 2, 3, 4].map(|k| &products[k..k + w - 4]));
                if y >= 4 {
                    weighted(&mut sums[(y - 2) * w..(y - 1) * w], ring.each_ref().map(Vec::as_slice));
                }
            }
        }
    }

    /// From the middle of a pixel at least 3 from the border to the point nearest, by least squares, to the lines along
    /// the edges around it.
    fn offset(&self, x: usize, y: usize) -> [f64; 2] {
        let (mut a, mut b, mut c, mut u, mut v) = (0i64, 0i64, 0i64, 0i64, 0i64);
        for ((row, &outer), dy) in (y - 2..).zip(&WEIGHTS).zip(-2..) {
            for ((column, &inner), dx) in (x - 2..).zip(&WEIGHTS).zip(-2..) {
                let at = row * self.width + column;
                let weight = i64::from(outer * inner);
                let (gx, gy) = (i64::from(self.x[at]), i64::from(self.y[at]));
                (a, b, c) = (a + weight * gx * gx, b + weight * gx * gy, c + weight * gy * gy);
                u += weight * (gx * gx * dx + gx * gy * dy);
                v += weight * (gx * gy * dx + gy * gy * dy);
            }
        }
        let [a, b, c, u, v] = [a, b, c, u, v].map(|sum| sum as f64);
        let det = a * c - b * b;
        [(c * u - b * v) / det, (a * v - b * u) / det].map(|d| if d.is_finite() { d.clamp(-2.0, 2.0) } else { 0.0 })
    }
}

/// The binomial sums of five slices of one length; 510² · 256 is within 32 bits.
fn weighted(sums: &mut [i32], [a, b, c, d, e]: [&[i32]; 5]) {
    let (outer, inner) = (a.iter().zip(e), b.iter().zip(d));
    for (((out, (a, e)), (b, d)), c) in sums.iter_mut().zip(outer).zip(inner).zip(c) {
        *out = a + e + 4 * (b + d) + 6 * c;
    }
}

/// The smaller eigenvalue of a structure tensor; 0 where it is too small against the larger one (a straight edge) or in
/// itself (a faint one).
fn cornerness(sums: [i32; 3]) -> f64 {
    const FAINT: f64 = 2e6;
    const STRAIGHT: f64 = 0.05;
    let [a, b, c] = sums.map(f64::from);
    let (sum, det) = (a + c, a * c - b * b);
    // low ≥ s · high, without a root.
    if det < STRAIGHT / ((1.0 + STRAIGHT) * (1.0 + STRAIGHT)) * sum * sum {
        return 0.0;
    }
    let low = (sum - ((a - c) * (a - c) + 4.0 * b * b).sqrt()) / 2.0;
    if low >= FAINT { low } else { 0.0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::geometry::Symmetry;
    use crate::patch::Rect;
    use rord_random::Stream;

    const SIDE: usize = 64;
    const RECT: Rect = Rect { x: 0, y: 0, width: SIDE, height: SIDE };

    /// The coverage of a polygon, by the even-odd rule at 16×16 points in each pixel.
    fn draw(polygon: &[[f64; 2]]) -> Vec<u8> {
        let inside = |x: f64, y: f64| {
            let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
            edges
                .filter(|(a, b)| (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
                .count()
                % 2
        };
        let share = |i: usize| {
            let hits: usize = (0..256)
                .map(|k| {
                    let at = |i: usize, k: usize| i as f64 + (k as f64 + 0.5) / 16.0;
                    inside(at(i % SIDE, k % 16), at(i / SIDE, k / 16))
                })
                .sum();
            (hits as f64 / 256.0 * 255.0).round() as u8
        };
        (0..SIDE * SIDE).map(share).collect()
    }

    fn eight(values: Vec<u8>) -> Option<Samples> {
        Some(Samples::Eight(values))
    }

    fn union(planes: &[Vec<u8>]) -> Vec<u8> {
        (0..SIDE * SIDE).map(|i| planes.iter().map(|p| p[i]).max().unwrap()).collect()
    }

    fn places(coverage: &[u8]) -> Vec<[f64; 2]> {
        let mut places: Vec<[f64; 2]> = Vec::new();
        for corner in (Coverage { values: coverage, width: SIDE, height: SIDE }).corners(&mut Scratch::default()) {
            let near = |p: &[f64; 2]| (p[0] - corner.place[0]).abs() < 1e-6 && (p[1] - corner.place[1]).abs() < 1e-6;
            if !places.iter().any(near) {
                places.push(corner.place);
            }
        }
        places
    }

    /// The greatest distance from a vertex to a found corner, and from a found corner to a vertex.
    fn distances(vertices: &[[f64; 2]], found: &[[f64; 2]]) -> (f64, f64) {
        let far = |from: &[[f64; 2]], to: &[[f64; 2]]| {
            let nearest =
                |a: &[f64; 2]| to.iter().map(|b| (a[0] - b[0]).hypot(a[1] - b[1])).fold(f64::INFINITY, f64::min);
            from.iter().map(nearest).fold(0.0, f64::max)
        };
        (far(vertices, found), far(found, vertices))
    }

    #[test]
    fn right_angles_are_found_where_they_are_below_a_pixel() {
        // An L with five convex corners and a concave one, on sixteenths of a pixel.
        let mut stream = Stream::new(1, &[]);
        for case in 0..20 {
            let mut at = |low: f64| low + stream.below(16) as f64 / 16.0;
            let (x0, x1, x2, y0, y1, y2) = (at(10.0), at(25.0), at(50.0), at(9.0), at(13.0), at(40.0));
            let vertices = [[x0, y0], [x2, y0], [x2, y1], [x1, y1], [x1, y2], [x0, y2]];
            let found = places(&draw(&vertices));
            let (missed, wrong) = distances(&vertices, &found);
            assert!(missed < 0.02 && wrong < 0.02, "case {case}: {missed} {wrong} {found:?}");
        }
    }

    #[test]
    fn line_ends_and_small_squares_are_found() {
        for width in [2.0, 3.0, 4.5] {
            let line = [[10.3, 20.4], [50.7, 20.4], [50.7, 20.4 + width], [10.3, 20.4 + width]];
            let (missed, wrong) = distances(&line, &places(&draw(&line)));
            assert!(missed < 0.05 && wrong < 0.05, "width {width}: {missed} {wrong}");
            let square = [[30.0, 30.0], [30.0 + width, 30.0], [30.0 + width, 30.0 + width], [30.0, 30.0 + width]];
            let (missed, wrong) = distances(&square, &places(&draw(&square)));
            assert!(missed < 0.05 && wrong < 0.05, "square {width}: {missed} {wrong}");
        }
    }

    #[test]
    fn slanted_shapes_have_corners_at_their_vertices_and_none_along_their_edges() {
        for degrees in [7.0f64, 20.0, 33.0, 45.0, 63.4] {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let turn = |x: f64, y: f64| [32.3 + cos * x - sin * y, 31.8 + sin * x + cos * y];
            let vertices = [turn(-20.0, -8.0), turn(20.0, -8.0), turn(20.0, 8.0), turn(-20.0, 8.0)];
            let found = places(&draw(&vertices));
            let (missed, wrong) = distances(&vertices, &found);
            assert!(missed < 1.0 && wrong < 1.0, "{degrees} degrees: {missed} {wrong} {found:?}");
        }
        let octagon = [20, 44, 56, 56, 44, 20, 8, 8]
            .map(f64::from)
            .into_iter()
            .zip([8, 8, 20, 44, 56, 56, 44, 20].map(f64::from));
        let octagon: Vec<[f64; 2]> = octagon.map(|(x, y)| [x, y]).collect();
        let (missed, wrong) = distances(&octagon, &places(&draw(&octagon)));
        assert!(missed < 1.5 && wrong < 1.5, "octagon: {missed} {wrong}");
    }

    /// Three layers of random rectangles, on sixteenths of a pixel, and a slanted shape.
    fn layout(seed: u64) -> Vec<Vec<u8>> {
        let mut stream = Stream::new(seed, &[]);
        let mut rectangle = || {
            let mut at = |n: usize| stream.below(n * 16) as f64 / 16.0;
            let (x, y, w, h) = (at(56), at(56), 3.0 + at(25), 3.0 + at(9));
            draw(&[[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
        };
        let slanted = draw(&[[20.0, 31.0], [32.0, 17.0], [45.5, 38.0]]);
        vec![union(&[rectangle(), rectangle(), rectangle()]), slanted, union(&[rectangle(), rectangle()])]
    }

    #[test]
    fn labels_turn_and_mirror_with_the_picture() {
        let mut labelled = 0;
        for (seed, n, zoom) in [(1, 48, 1.0), (2, 47, 1.0), (3, 40, 1.2), (4, 55, 0.9), (5, 32, 1.5)] {
            // The middle of the picture is the middle of the patch, so both turn alike.
            let grid = Grid::new(n, [SIDE as f64 / 2.0; 2], zoom, [[1.0, 0.0], [0.0, 1.0]]);
            let layers = layout(seed);
            let here = corners(&Cut { rect: RECT, layers: layers.iter().cloned().map(eight).collect() }, &grid);
            labelled += here.iter().filter(|v| **v == 1.0).count();
            for symmetry in Symmetry::ALL {
                let turned = layers.iter().map(|plane| eight(symmetry.permute(plane, SIDE))).collect();
                let there = corners(&Cut { rect: RECT, layers: turned }, &grid);
                assert_eq!(there, symmetry.permute(&here, n), "seed {seed}, {symmetry:?}");
            }
        }
        assert!(labelled > 50, "{labelled} labels");
    }

    #[test]
    fn covered_corners_do_not_count_and_those_between_pixels_count_for_all() {
        let square = draw(&[[20.0, 20.0], [30.0, 20.0], [30.0, 30.0], [20.0, 30.0]]);
        let grid = Grid::new(SIDE, [SIDE as f64 / 2.0; 2], 1.0, [[1.0, 0.0], [0.0, 1.0]]);
        let count = |layers: Vec<Option<Samples>>| corners(&Cut { rect: RECT, layers }, &grid).iter().sum::<f32>();
        let label = corners(&Cut { rect: RECT, layers: vec![eight(square.clone())] }, &grid);
        assert_eq!(label.iter().sum::<f32>(), 16.0, "four corners of 2 × 2 pixels");
        assert_eq!([label[19 * SIDE + 19], label[20 * SIDE + 20], label[21 * SIDE + 21]], [1.0, 1.0, 0.0]);
        let over = draw(&[[0.0, 0.0], [64.0, 0.0], [64.0, 25.0], [0.0, 25.0]]);
        assert_eq!(count(vec![eight(square.clone()), eight(over.clone())]), 8.0, "the upper two are covered");
        assert_eq!(count(vec![eight(over), eight(square)]), 16.0, "lower layers hide nothing");
        assert_eq!(count(vec![None, None]), 0.0);
    }
}
