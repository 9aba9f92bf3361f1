//! How steep a map is in each cell, by Sobel's filters, with the outermost cells repeated beyond the edge.
#![allow(clippy::indexing_slicing)] // Rows are cut by the sizes that the slices are checked against on entry.

use rayon::prelude::*;

use crate::simd::{Closure, Simd, run};
use crate::{Float, Mismatch, length};

/// √(u² + v² + eps) in every cell of `x` (planes, height, width), u and v being the slopes along a row and down a column:
/// [-1 0 1; -2 0 2; -1 0 1]/8 and its transpose.
pub fn steepness<T: Float>(x: &[T], (height, width): (usize, usize), eps: f64) -> Result<Vec<T>, Mismatch> {
    let cells = height * width;
    if cells == 0 || !x.len().is_multiple_of(cells) {
        return Err(Mismatch::Sizes("planes do not divide their slice"));
    }
    let mut out = vec![T::ZERO; x.len()];
    length("x", x, out.len())?;
    let (two, share, eps) = (T::of(2.0), T::of(0.125), T::of(eps));
    out.par_chunks_mut(width).enumerate().with_min_len((4096 / width).max(1)).for_each(|(at, out)| {
        let plane = &x[at / height * cells..][..cells];
        let y = at % height;
        let row = |y: usize| &plane[y * width..][..width];
        let (above, here, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(height - 1)));
        let one = |a: usize, b: usize, c: usize| {
            let u = ((above[c] - above[a]) + (below[c] - below[a]) + two * (here[c] - here[a])) * share;
            let v = ((below[a] + below[c] + two * below[b]) - (above[a] + above[c] + two * above[b])) * share;
            (u * u + v * v + eps).root()
        };
        let end = width - 1;
        run(
            Simd::chosen(),
            Closure(|| {
                out[0] = one(0, 0, 1.min(end));
                out[end] = one(end.saturating_sub(1), end, end);
                // Three neighbors at a time, so that the loop needs no checks.
                let threes = above.windows(3).zip(here.windows(3)).zip(below.windows(3));
                for (out, ((a, h), b)) in out.iter_mut().skip(1).zip(threes) {
                    let u = ((a[2] - a[0]) + (b[2] - b[0]) + two * (h[2] - h[0])) * share;
                    let v = ((b[0] + b[2] + two * b[1]) - (a[0] + a[2] + two * a[1])) * share;
                    *out = (u * u + v * v + eps).root();
                }
            }),
        );
    });
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_as_steep_everywhere_but_at_its_ends() {
        let x: Vec<f64> = (0..2 * 4 * 5).map(|i| (i % 5) as f64 * 0.5).collect();
        let y = steepness(&x, (4, 5), 0.0).unwrap();
        assert!(y.chunks(5).all(|row| row == [0.25, 0.5, 0.5, 0.5, 0.25]), "{y:?}");
        assert_eq!(steepness(&[7.0], (1, 1), 0.0).unwrap(), [0.0]);
        assert!(steepness(&x, (3, 5), 0.0).is_err());
    }
}
