//! Reading maps between their cells, bilinear with zeros outside, and the gradients.
//!
//! A place is given in cells: (0, 0) is the middle of the first one, (width - 1, height - 1) that of the last. Places
//! within [`RIM`] outside the outermost cells' middles count as on them, so that rounding never darkens a border.
// A tap's cell is clamped into its map where it is made; lengths are checked on entry.
#![allow(clippy::indexing_slicing)]

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// How far, in cells, a place may lie beyond the middle of an outermost cell and still count as on it.
pub const RIM: f64 = 1e-4;

/// Four cells and their weights; a cell outside the map has weight 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Taps<T> {
    /// Upper left, upper right, lower left, lower right, as row · width + column.
    pub cells: [u32; 4],
    /// Their weights.
    pub weights: [T; 4],
}

/// `planes` maps for each of `batch` images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maps {
    /// Images.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Height of a map.
    pub height: usize,
    /// Width of a map.
    pub width: usize,
}

impl Maps {
    fn cells(&self) -> Result<usize, Mismatch> {
        let cells = self.height * self.width;
        if cells == 0 || u32::try_from(cells).is_err() {
            return Err(Mismatch::Sizes("a map has between 1 and 2³² cells"));
        }
        Ok(cells)
    }
}

/// The two cells and weights along one axis of `n` cells.
fn axis<T: Float>(place: T, n: usize) -> ([usize; 2], [T; 2]) {
    let last = T::of((n - 1) as f64);
    let rim = T::of(RIM);
    let place = if place < T::ZERO && place >= -rim {
        T::ZERO
    } else if place > last && place <= last + rim {
        last
    } else {
        place
    };
    // Written so that a place that is not a number falls outside, too.
    if !(place > -T::ONE && place < last + T::ONE) {
        return ([0, 0], [T::ZERO, T::ZERO]);
    }
    let low = place.whole();
    let high_weight = place - low;
    let low = low.wide();
    let inside = |x: f64, weight: T| if x >= 0.0 && x <= last.wide() { (x as usize, weight) } else { (0, T::ZERO) };
    let ((a, u), (b, v)) = (inside(low, T::ONE - high_weight), inside(low + 1.0, high_weight));
    ([a, b], [u, v])
}

/// The taps of the place (`x`, `y`), in cells of a map of `height` × `width`.
pub fn taps<T: Float>(x: T, y: T, height: usize, width: usize) -> Taps<T> {
    let ((columns, u), (rows, v)) = (axis(x, width), axis(y, height));
    let cell = |i: usize, j: usize| (rows[i] * width + columns[j]) as u32;
    Taps {
        cells: [cell(0, 0), cell(0, 1), cell(1, 0), cell(1, 1)],
        weights: [v[0] * u[0], v[0] * u[1], v[1] * u[0], v[1] * u[1]],
    }
}

/// The taps of every cell of a result of `height` × `width` for each matrix of `back` (batch, 3, 3), which takes a
/// normalized place of the result to the normalized place in the map it comes from. Places with w ≤ 0 lie outside.
pub fn taps_of_matrices<T: Float>(
    g: &Maps,
    back: &[T],
    (height, width): (usize, usize),
) -> Result<Vec<Taps<T>>, Mismatch> {
    g.cells()?;
    length("matrices", back, g.batch * 9)?;
    let places = height * width;
    let mut out = vec![Taps::default(); g.batch * places];
    if places == 0 {
        return Ok(out);
    }
    out.par_chunks_mut(places).zip(back.par_chunks(9)).for_each(|(out, m)| {
        let m = in_cells(m, (height, width), (g.height, g.width));
        for (at, out) in out.iter_mut().enumerate() {
            *out = match place(&m, at % width, at / width, (height, width), (g.height, g.width)) {
                Some((x, y)) => taps(x, y, g.height, g.width),
                None => Taps::default(),
            };
        }
    });
    Ok(out)
}

/// The matrix that takes `(2i + 1 - width, 2j + 1 - height, 1)` to the source's place times its size: whole numbers in,
/// so that the symmetries of a square come out exact.
fn in_cells<T: Float>(m: &[T], result: (usize, usize), source: (usize, usize)) -> [T; 9] {
    let scale = scales(result, source);
    std::array::from_fn(|i| m[i] * T::of(scale[i]))
}

/// What each element of a normalized matrix is multiplied by to read whole numbers and write cells.
pub fn scales((height, width): (usize, usize), (source_height, source_width): (usize, usize)) -> [f64; 9] {
    let (w, h, sw, sh) = (width as f64, height as f64, source_width as f64, source_height as f64);
    [sw / w, sw / h, sw, sh / w, sh / h, sh, 1.0 / w, 1.0 / h, 1.0]
}

/// The place in cells of the source that cell (`i`, `j`) of the result comes from.
fn place<T: Float>(
    m: &[T; 9],
    i: usize,
    j: usize,
    (height, width): (usize, usize),
    (source_height, source_width): (usize, usize),
) -> Option<(T, T)> {
    let x = T::of((2 * i + 1) as f64 - width as f64);
    let y = T::of((2 * j + 1) as f64 - height as f64);
    let along = |row: usize| m[3 * row] * x + m[3 * row + 1] * y + m[3 * row + 2];
    let w = along(2);
    if w > T::ZERO {
        let half = T::of(0.5);
        let cell = |row: usize, n: usize| (along(row) / w + T::of(n as f64 - 1.0)) * half;
        Some((cell(0, source_width), cell(1, source_height)))
    } else {
        None
    }
}

/// The taps of normalized places (batch, count, 2), each (x, y).
pub fn taps_of_points<T: Float>(g: &Maps, points: &[T], count: usize) -> Result<Vec<Taps<T>>, Mismatch> {
    g.cells()?;
    length("points", points, g.batch * count * 2)?;
    let cell = |x: T, n: usize| ((x + T::ONE) * T::of(n as f64) - T::ONE) * T::of(0.5);
    Ok(points.chunks_exact(2).map(|p| taps(cell(p[0], g.width), cell(p[1], g.height), g.height, g.width)).collect())
}

/// The two cells along one axis, and the slopes of their weights: -1 and 1, and 0 for a cell outside and where the place
/// is drawn onto the border.
fn axis_slopes<T: Float>(place: T, n: usize) -> ([usize; 2], [T; 2]) {
    let (cells, _) = axis(place, n);
    let last = T::of((n - 1) as f64);
    let rim = T::of(RIM);
    let drawn = place < T::ZERO && place >= -rim || place >= last && place <= last + rim;
    if drawn || !(place > -T::ONE && place < last + T::ONE) {
        return (cells, [T::ZERO; 2]);
    }
    let low = place.whole().wide();
    let inside = |x: f64| if x >= 0.0 && x <= last.wide() { T::ONE } else { T::ZERO };
    (cells, [-inside(low), inside(low + 1.0)])
}

/// How much every number that is read at normalized places (batch, count, 2) of `x` changes with x and with y of its
/// place: (batch, count, channels) each. `last` where the map lies channels last.
pub fn slopes_of_points<T: Float>(
    g: &Maps,
    x: &[T],
    points: &[T],
    count: usize,
    last: bool,
) -> Result<[Vec<T>; 2], Mismatch> {
    let cells = g.cells()?;
    length("map", x, g.batch * g.channels * cells)?;
    length("points", points, g.batch * count * 2)?;
    let mut out = [vec![T::ZERO; g.batch * count * g.channels], vec![T::ZERO; g.batch * count * g.channels]];
    if count == 0 || g.channels == 0 {
        return Ok(out);
    }
    let [along_x, along_y] = &mut out;
    let (plane, cell) = if last { (1, g.channels) } else { (cells, 1) };
    let half = [T::of(0.5 * g.width as f64), T::of(0.5 * g.height as f64)];
    let outs = along_x.par_chunks_mut(g.channels).zip(along_y.par_chunks_mut(g.channels));
    outs.zip(points.par_chunks(2)).with_min_len(RUN).enumerate().for_each(|(place, ((along_x, along_y), p))| {
        let x = &x[place / count * g.channels * cells..][..g.channels * cells];
        let in_cells = |x: T, n: usize| ((x + T::ONE) * T::of(n as f64) - T::ONE) * T::of(0.5);
        let (u, v) = (in_cells(p[0], g.width), in_cells(p[1], g.height));
        let ((columns, du), (rows, dv)) = (axis_slopes(u, g.width), axis_slopes(v, g.height));
        let ((_, wu), (_, wv)) = (axis(u, g.width), axis(v, g.height));
        for (channel, (along_x, along_y)) in along_x.iter_mut().zip(along_y).enumerate() {
            let at = |i: usize, j: usize| x[channel * plane + (rows[i] * g.width + columns[j]) * cell];
            let sum = |v: [T; 2], u: [T; 2]| {
                v[0] * (u[0] * at(0, 0) + u[1] * at(0, 1)) + v[1] * (u[0] * at(1, 0) + u[1] * at(1, 1))
            };
            *along_x = sum(wv, du) * half[0];
            *along_y = sum(dv, wu) * half[1];
        }
    });
    Ok(out)
}

/// Reads every channel at every place: `taps` (batch, count) over `x` (batch, channels, height, width) gives
/// (batch, channels, count).
pub fn read<T: Float>(g: &Maps, x: &[T], taps: &[Taps<T>], count: usize) -> Result<Vec<T>, Mismatch> {
    let cells = g.cells()?;
    length("map", x, g.batch * g.channels * cells)?;
    length("places", taps, g.batch * count)?;
    let mut out = vec![T::ZERO; g.batch * g.channels * count];
    if count == 0 || g.channels == 0 {
        return Ok(out);
    }
    out.par_chunks_mut(count).zip(x.par_chunks(cells)).enumerate().for_each(|(plane, (out, x))| {
        let image = plane / g.channels;
        for (out, tap) in out.iter_mut().zip(&taps[image * count..][..count]) {
            *out = at(x, tap);
        }
    });
    Ok(out)
}

fn at<T: Float>(x: &[T], tap: &Taps<T>) -> T {
    let [a, b, c, d] = tap.cells.map(|cell| x[cell as usize]);
    let [u, v, w, z] = tap.weights;
    // A weight of 0 must hide whatever the cell holds, but cells are finite here: maps with infinities are refused
    // upstream.
    a * u + b * v + (c * w + d * z)
}

/// The transpose of [`read`]: adds `grad` (batch, channels, count) to the cells that were read.
pub fn read_backward<T: Float>(g: &Maps, grad: &[T], taps: &[Taps<T>], count: usize) -> Result<Vec<T>, Mismatch> {
    let cells = g.cells()?;
    length("gradient", grad, g.batch * g.channels * count)?;
    length("places", taps, g.batch * count)?;
    let mut out = vec![T::ZERO; g.batch * g.channels * cells];
    if count == 0 || g.channels == 0 {
        return Ok(out);
    }
    out.par_chunks_mut(cells).zip(grad.par_chunks(count)).enumerate().for_each(|(plane, (out, grad))| {
        let image = plane / g.channels;
        for (grad, tap) in grad.iter().zip(&taps[image * count..][..count]) {
            for (cell, weight) in tap.cells.iter().zip(tap.weights) {
                out[*cell as usize] += *grad * weight;
            }
        }
    });
    Ok(out)
}

/// Places that one task reads.
const RUN: usize = 64;

/// [`read`] over `x` (batch, height, width, channels): (batch, count, channels).
pub fn read_last<T: Float>(g: &Maps, x: &[T], taps: &[Taps<T>], count: usize) -> Result<Vec<T>, Mismatch> {
    let cells = g.cells()?;
    length("map", x, g.batch * g.channels * cells)?;
    length("places", taps, g.batch * count)?;
    let mut out = vec![T::ZERO; g.batch * g.channels * count];
    if out.is_empty() {
        return Ok(out);
    }
    out.par_chunks_mut(RUN * g.channels).enumerate().for_each(|(run, out)| {
        for (place, out) in (run * RUN..).zip(out.chunks_exact_mut(g.channels)) {
            let x = &x[place / count * cells * g.channels..][..cells * g.channels];
            let tap = &taps[place];
            let [a, b, c, d] = tap.cells.map(|cell| &x[cell as usize * g.channels..][..g.channels]);
            let [u, v, w, z] = tap.weights;
            for (i, out) in out.iter_mut().enumerate() {
                *out = a[i] * u + b[i] * v + (c[i] * w + d[i] * z);
            }
        }
    });
    Ok(out)
}

/// The transpose of [`read_last`]: `grad` (batch, count, channels) added to the cells of (batch, height, width,
/// channels).
pub fn read_backward_last<T: Float>(g: &Maps, grad: &[T], taps: &[Taps<T>], count: usize) -> Result<Vec<T>, Mismatch> {
    let cells = g.cells()?;
    length("gradient", grad, g.batch * g.channels * count)?;
    length("places", taps, g.batch * count)?;
    let mut out = vec![T::ZERO; g.batch * g.channels * cells];
    if count == 0 || g.channels == 0 {
        return Ok(out);
    }
    let (whole, part) = (cells * g.channels, count * g.channels);
    out.par_chunks_mut(whole).zip(grad.par_chunks(part)).zip(taps.par_chunks(count)).for_each(|((out, grad), taps)| {
        for (grad, tap) in grad.chunks_exact(g.channels).zip(taps) {
            for (cell, weight) in tap.cells.iter().zip(tap.weights) {
                let out = &mut out[*cell as usize * g.channels..][..g.channels];
                out.iter_mut().zip(grad).for_each(|(out, grad)| *out += *grad * weight);
            }
        }
    });
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_dark_only_beyond_the_rim() {
        let total = |x: f64| taps(x, 0.0, 1, 4).weights.iter().sum::<f64>();
        assert_eq!([total(0.0), total(-5e-5), total(3.00005), total(1.3)], [1.0; 4]);
        assert!((total(-0.25) - 0.75).abs() < 1e-12 && (total(3.5) - 0.5).abs() < 1e-12);
        assert_eq!([total(-1.0), total(4.0), total(f64::NAN), total(f64::INFINITY), total(-1e300)], [0.0; 5]);
    }

    #[test]
    fn the_symmetries_of_a_square_are_permutations() {
        for n in [1usize, 2, 7, 33, 128] {
            let g = Maps { batch: 1, channels: 1, height: n, width: n };
            let x: Vec<f32> = (0..n * n).map(|i| (i as f32 * 0.37).sin()).collect();
            for code in 0..8 {
                let (a, b) = (if code & 1 == 0 { 1.0 } else { -1.0 }, if code & 2 == 0 { 1.0 } else { -1.0 });
                let m: [f32; 9] =
                    if code & 4 == 0 { [a, 0., 0., 0., b, 0., 0., 0., 1.] } else { [0., a, 0., b, 0., 0., 0., 0., 1.] };
                let taps = taps_of_matrices(&g, &m, (n, n)).unwrap();
                let out = read(&g, &x, &taps, n * n).unwrap();
                for (q, seen) in out.iter().enumerate() {
                    let (mut i, mut j) = (q % n, q / n);
                    if code & 4 != 0 {
                        (i, j) = (j, i);
                    }
                    let (i, j) = (if a < 0.0 { n - 1 - i } else { i }, if b < 0.0 { n - 1 - j } else { j });
                    assert!((seen - x[j * n + i]).abs() <= 1e-6, "symmetry {code} of {n} at {q}");
                }
            }
        }
    }

    #[test]
    fn what_lies_behind_is_outside() {
        let g = Maps { batch: 1, channels: 1, height: 4, width: 4 };
        let taps = taps_of_matrices(&g, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0], (4, 4)).unwrap();
        assert!(taps.iter().all(|t| t.weights == [0.0; 4]));
    }
}
