//! Maximum and average over square windows, without padding: an incomplete last window is dropped.
#![allow(clippy::indexing_slicing)] // Window ends stay inside the plane by `Windows::result`; lengths are checked on entry.

use rayon::prelude::*;

use super::{Float, Mismatch, length};

/// The sizes of a pooling: `planes` maps of `height` × `width`, windows of side `side` every `stride` cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Maps: batch times channels.
    pub planes: usize,
    /// Height of a map.
    pub height: usize,
    /// Width of a map.
    pub width: usize,
    /// Side of a window.
    pub side: usize,
    /// Cells from a window to the next.
    pub stride: usize,
}

impl Windows {
    /// Height and width of the result.
    pub fn result(&self) -> Result<(usize, usize), Mismatch> {
        if self.side == 0 || self.stride == 0 {
            return Err(Mismatch::Sizes("a pooling window and its stride are at least 1"));
        }
        match (self.height.checked_sub(self.side), self.width.checked_sub(self.side)) {
            (Some(h), Some(w)) => Ok((h / self.stride + 1, w / self.stride + 1)),
            _ => Err(Mismatch::Sizes("a pooling window is larger than its map")),
        }
    }

    fn cells(&self) -> Result<usize, Mismatch> {
        let cells = self.height * self.width;
        // The place of a maximum is kept in 32 bits.
        if u32::try_from(cells).is_ok() { Ok(cells) } else { Err(Mismatch::Sizes("a map has more than 2³² cells")) }
    }
}

/// The largest number of each window, and the cell (row · width + column) of the first one that is as large.
pub fn maximum<T: Float>(g: &Windows, x: &[T]) -> Result<(Vec<T>, Vec<u32>), Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let mut value = vec![T::ZERO; g.planes * h * w];
    let mut chosen = vec![0u32; g.planes * h * w];
    let planes = value.par_chunks_mut(h * w).zip(chosen.par_chunks_mut(h * w)).zip(x.par_chunks(cells));
    planes.for_each(|((value, chosen), x)| {
        let rows = value.chunks_exact_mut(w).zip(chosen.chunks_exact_mut(w)).enumerate();
        for (p, (value, chosen)) in rows {
            for (q, (value, chosen)) in value.iter_mut().zip(chosen).enumerate() {
                let corner = (p * g.width + q) * g.stride;
                let (mut best, mut at) = (x[corner], corner);
                for i in 0..g.side {
                    for j in 0..g.side {
                        let cell = corner + i * g.width + j;
                        if x[cell] > best {
                            (best, at) = (x[cell], cell);
                        }
                    }
                }
                (*value, *chosen) = (best, at as u32);
            }
        }
    });
    Ok((value, chosen))
}

/// Sends each window's gradient to the cell that [`maximum`] chose.
pub fn maximum_back<T: Float>(g: &Windows, chosen: &[u32], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("gradient", grad, g.planes * h * w)?;
    length("places of the maxima", chosen, grad.len())?;
    let mut out = vec![T::ZERO; g.planes * cells];
    out.par_chunks_mut(cells).zip(chosen.par_chunks(h * w)).zip(grad.par_chunks(h * w)).for_each(
        |((out, chosen), grad)| {
            for (at, grad) in chosen.iter().zip(grad) {
                if let Some(cell) = out.get_mut(*at as usize) {
                    *cell += *grad;
                }
            }
        },
    );
    Ok(out)
}

/// The mean of each window.
pub fn average<T: Float>(g: &Windows, x: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let share = T::of(1.0 / (g.side * g.side) as f64);
    let mut value = vec![T::ZERO; g.planes * h * w];
    value.par_chunks_mut(h * w).zip(x.par_chunks(cells)).for_each(|(value, x)| {
        for (at, value) in value.iter_mut().enumerate() {
            let corner = (at / w * g.width + at % w) * g.stride;
            let rows = (0..g.side).map(|i| &x[corner + i * g.width..][..g.side]);
            *value = rows.map(|row| row.iter().copied().sum::<T>()).sum::<T>() * share;
        }
    });
    Ok(value)
}

/// Spreads each window's gradient evenly over its cells.
pub fn average_back<T: Float>(g: &Windows, grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("gradient", grad, g.planes * h * w)?;
    let share = T::of(1.0 / (g.side * g.side) as f64);
    let mut out = vec![T::ZERO; g.planes * cells];
    out.par_chunks_mut(cells).zip(grad.par_chunks(h * w)).for_each(|(out, grad)| {
        for (at, grad) in grad.iter().enumerate() {
            let corner = (at / w * g.width + at % w) * g.stride;
            for i in 0..g.side {
                for cell in &mut out[corner + i * g.width..][..g.side] {
                    *cell += *grad * share;
                }
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
    fn the_first_of_equal_maxima_is_chosen_and_the_rest_dropped() {
        let g = Windows { planes: 1, height: 3, width: 5, side: 2, stride: 2 };
        let x = [1.0f32, 1.0, 0.0, 2.0, 9.0, 1.0, 1.0, 2.0, 2.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
        let (value, chosen) = maximum(&g, &x).unwrap();
        assert_eq!((value, chosen.clone()), (vec![1.0, 2.0], vec![0, 3]));
        let back = maximum_back(&g, &chosen, &[5.0f32, 7.0]).unwrap();
        assert_eq!((back[0], back[3], back.iter().sum::<f32>()), (5.0, 7.0, 12.0));
        assert_eq!(average(&g, &x).unwrap(), vec![1.0, 1.5]);
        assert_eq!(average_back(&g, &[4.0f32, 8.0]).unwrap()[..5], [1.0, 1.0, 2.0, 2.0, 0.0]);
        assert!(maximum(&Windows { side: 4, ..g }, &x).is_err() && average(&g, &x[1..]).is_err());
    }
}
