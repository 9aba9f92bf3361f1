//! The two orders of a map's numbers: (B, C, H, W), channels first, and (B, H, W, C), channels last.
#![allow(clippy::indexing_slicing)] // Tiles end where the sides end; lengths are checked on entry.

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// Side of the square tiles that are turned at a time: two of them stay in the first-level cache.
const TILE: usize = 32;

/// Numbers of (batch, channels, cells) in the order (batch, cells, channels).
pub fn channels_last<T: Float>(x: &[T], (batch, channels, cells): (usize, usize, usize)) -> Result<Vec<T>, Mismatch> {
    turned(x, batch, channels, cells)
}

/// Numbers of (batch, cells, channels) in the order (batch, channels, cells).
pub fn channels_first<T: Float>(x: &[T], (batch, channels, cells): (usize, usize, usize)) -> Result<Vec<T>, Mismatch> {
    turned(x, batch, cells, channels)
}

/// `batch` matrices of `rows` × `columns`, each with rows and columns exchanged.
fn turned<T: Float>(x: &[T], batch: usize, rows: usize, columns: usize) -> Result<Vec<T>, Mismatch> {
    length("x", x, batch * rows * columns)?;
    if rows <= 1 || columns <= 1 {
        return Ok(x.to_vec());
    }
    let mut out = vec![T::ZERO; x.len()];
    // A task turns some of the result's rows: its own part of the memory.
    let wide = TILE * rows;
    out.par_chunks_mut(columns * rows).zip(x.par_chunks(rows * columns)).for_each(|(out, x)| {
        out.par_chunks_mut(wide).enumerate().for_each(|(strip, out)| turn_strip(x, rows, columns, strip * TILE, out));
    });
    Ok(out)
}

/// Writes the columns from `from` on of a matrix of `rows` × `columns` as rows, as many as `out` has room for.
fn turn_strip<T: Copy>(x: &[T], rows: usize, columns: usize, from: usize, out: &mut [T]) {
    let count = out.len() / rows;
    for row in (0..rows).step_by(TILE) {
        let end = (row + TILE).min(rows);
        for column in 0..count {
            for (r, to) in (row..end).zip(&mut out[column * rows + row..column * rows + end]) {
                *to = x[r * columns + from + column];
            }
        }
    }
}

/// A matrix of so many rows with rows and columns exchanged, on one core.
pub fn turn<T: Copy>(x: &[T], rows: usize, out: &mut [T]) -> Result<(), Mismatch> {
    length("out", out, x.len())?;
    if rows > 0 {
        let strips = out.chunks_mut(TILE * rows).enumerate();
        strips.for_each(|(strip, out)| turn_strip(x, rows, x.len() / rows, strip * TILE, out));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_exchanged_and_come_back() {
        for (batch, channels, cells) in [(2, 3, 5), (1, 70, 33), (3, 1, 9), (2, 64, 1), (1, 32, 64), (2, 0, 4)] {
            let x: Vec<f32> = (0..batch * channels * cells).map(|i| i as f32).collect();
            let last = channels_last(&x, (batch, channels, cells)).unwrap();
            for b in 0..batch {
                for c in 0..channels {
                    for i in 0..cells {
                        assert_eq!(last[(b * cells + i) * channels + c], x[(b * channels + c) * cells + i]);
                    }
                }
            }
            assert_eq!(channels_first(&last, (batch, channels, cells)).unwrap(), x);
        }
        assert!(channels_last(&[0.0f32; 5], (1, 2, 3)).is_err());
    }
}
