//! Maximum and average over square windows, without padding: an incomplete last window is dropped.
// Window ends stay inside the plane by `Windows::result`; lengths are checked on entry.
#![allow(clippy::indexing_slicing)]

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

/// True where `x` takes the place of `best`: what is not a number does, as in torch, so that it cannot vanish.
pub fn above<T: Float>(x: T, best: T) -> bool {
    x > best || x.partial_cmp(&x).is_none()
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
                        if above(x[cell], best) {
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
pub fn maximum_backward<T: Float>(g: &Windows, chosen: &[u32], grad: &[T]) -> Result<Vec<T>, Mismatch> {
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

/// [`maximum`] of maps (image, height, width, channels), the planes of `g` being the images times the channels.
pub fn maximum_last<T: Float>(g: &Windows, channels: usize, x: &[T]) -> Result<(Vec<T>, Vec<u32>), Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let mut value = vec![T::ZERO; g.planes * h * w];
    let mut chosen = vec![0u32; value.len()];
    let row = (w * channels).max(1);
    value.par_chunks_mut(row).zip(chosen.par_chunks_mut(row)).enumerate().for_each(|(at, (value, chosen))| {
        let image = &x[at / h * cells * channels..][..cells * channels];
        let outputs = value.chunks_exact_mut(channels).zip(chosen.chunks_exact_mut(channels)).enumerate();
        for (q, (value, chosen)) in outputs {
            let corner = (at % h * g.width + q) * g.stride;
            value.copy_from_slice(&image[corner * channels..][..channels]);
            chosen.fill(corner as u32);
            for i in 0..g.side {
                for j in 0..g.side {
                    let cell = corner + i * g.width + j;
                    let seen = &image[cell * channels..][..channels];
                    for ((best, at), x) in value.iter_mut().zip(chosen.iter_mut()).zip(seen) {
                        let better = above(*x, *best);
                        *best = if better { *x } else { *best };
                        *at = if better { cell as u32 } else { *at };
                    }
                }
            }
        }
    });
    Ok((value, chosen))
}

/// [`maximum_backward`] of maps (image, height, width, channels).
pub fn maximum_backward_last<T: Float>(
    g: &Windows,
    channels: usize,
    chosen: &[u32],
    grad: &[T],
) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("gradient", grad, g.planes * h * w)?;
    length("places of the maxima", chosen, grad.len())?;
    let mut out = vec![T::ZERO; g.planes * cells];
    let (whole, part) = ((cells * channels).max(1), (h * w * channels).max(1));
    out.par_chunks_mut(whole).zip(chosen.par_chunks(part)).zip(grad.par_chunks(part)).for_each(
        |((out, chosen), grad)| {
            for (chosen, grad) in chosen.chunks_exact(channels).zip(grad.chunks_exact(channels)) {
                for ((c, at), grad) in chosen.iter().enumerate().zip(grad) {
                    if let Some(cell) = out.get_mut(*at as usize * channels + c) {
                        *cell += *grad;
                    }
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

/// [`average`] of maps (image, height, width, channels).
pub fn average_last<T: Float>(g: &Windows, channels: usize, x: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let share = T::of(1.0 / (g.side * g.side) as f64);
    let mut value = vec![T::ZERO; g.planes * h * w];
    value.par_chunks_mut((w * channels).max(1)).enumerate().for_each(|(at, value)| {
        let image = &x[at / h * cells * channels..][..cells * channels];
        for (q, value) in value.chunks_exact_mut(channels).enumerate() {
            let corner = (at % h * g.width + q) * g.stride;
            for i in 0..g.side {
                let row = &image[(corner + i * g.width) * channels..][..g.side * channels];
                for cell in row.chunks_exact(channels) {
                    value.iter_mut().zip(cell).for_each(|(sum, x)| *sum += *x);
                }
            }
            value.iter_mut().for_each(|sum| *sum = *sum * share);
        }
    });
    Ok(value)
}

/// [`average_backward`] of maps (image, height, width, channels).
pub fn average_backward_last<T: Float>(g: &Windows, channels: usize, grad: &[T]) -> Result<Vec<T>, Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("gradient", grad, g.planes * h * w)?;
    let share = T::of(1.0 / (g.side * g.side) as f64);
    let mut out = vec![T::ZERO; g.planes * cells];
    let (whole, part) = ((cells * channels).max(1), (h * w * channels).max(1));
    out.par_chunks_mut(whole).zip(grad.par_chunks(part)).for_each(|(out, grad)| {
        for (at, grad) in grad.chunks_exact(channels).enumerate() {
            let corner = (at / w * g.width + at % w) * g.stride;
            for i in 0..g.side {
                let row = &mut out[(corner + i * g.width) * channels..][..g.side * channels];
                for cell in row.chunks_exact_mut(channels) {
                    cell.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += *grad * share);
                }
            }
        }
    });
    Ok(out)
}

/// Spreads each window's gradient evenly over its cells.
pub fn average_backward<T: Float>(g: &Windows, grad: &[T]) -> Result<Vec<T>, Mismatch> {
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
        let back = maximum_backward(&g, &chosen, &[5.0f32, 7.0]).unwrap();
        assert_eq!((back[0], back[3], back.iter().sum::<f32>()), (5.0, 7.0, 12.0));
        assert_eq!(average(&g, &x).unwrap(), vec![1.0, 1.5]);
        assert_eq!(average_backward(&g, &[4.0f32, 8.0]).unwrap()[..5], [1.0, 1.0, 2.0, 2.0, 0.0]);
        assert!(maximum(&Windows { side: 4, ..g }, &x).is_err() && average(&g, &x[1..]).is_err());
    }
}
