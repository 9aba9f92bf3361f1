//! Maxima of maps whose channels lie side by side.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // As in the folder above.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{Windows, above};
use crate::fresh::made;
use crate::simd::{Lanes, Simd, Task, put, run, take};
use crate::{Float, Mismatch, length};

/// Where maxima go, and the cells they were found in.
type Found<'a, T> = (&'a mut [MaybeUninit<T>], &'a mut [MaybeUninit<u32>]);

/// [`maximum`](super::maximum) of maps (image, height, width, channels), the planes of `g` being the images times the channels.
pub fn maximum_last<T: Float>(g: &Windows, channels: usize, x: &[T]) -> Result<(Vec<T>, Vec<u32>), Mismatch> {
    let ((h, w), cells) = (g.result()?, g.cells()?);
    length("x", x, g.planes * cells)?;
    let mut chosen = Vec::new();
    let row = (w * channels).max(1);
    let fill = |value: &mut [MaybeUninit<T>], chosen: &mut [MaybeUninit<u32>]| {
        value.par_chunks_mut(row).zip(chosen.par_chunks_mut(row)).enumerate().for_each(|(at, (value, chosen))| {
            let image = &x[at / h * cells * channels..][..cells * channels];
            match T::single(image) {
                Some(image) => {
                    let (value, chosen) = (value.as_mut_ptr().cast(), chosen.as_mut_ptr().cast());
                    run(Simd::chosen(), Row { g, image, channels, row: at % h, value, chosen });
                }
                None => of_row(g, image, channels, at % h, (value, chosen)),
            }
        });
    };
    // SAFETY: the rows cover all numbers, each window has all channels, and both are written for each.
    let value = unsafe {
        made(g.planes * h * w, |value| {
            chosen = made(value.len(), |chosen| fill(value, chosen));
        })
    };
    Ok((value, chosen))
}

/// The windows of a row, by vectors of channels.
struct Row<'a> {
    g: &'a Windows,
    image: &'a [f32],
    channels: usize,
    row: usize,
    value: *mut f32,
    chosen: *mut f32,
}

impl Task for Row<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Row { g, image, channels, row, value, chosen } = self;
        for q in 0..g.result().map_or(0, |(_, w)| w) {
            let (rows, columns) = g.window(row, q);
            for channel in (0..channels).step_by(L::N) {
                let (n, to) = (L::N.min(channels - channel), q * channels + channel);
                unsafe {
                    let seen = |i: usize, j: usize| {
                        let cell = i * g.width + j;
                        // The number of a cell goes through the registers as the bits of a number.
                        let x = take(image.as_ptr().add(cell * channels + channel), n);
                        [x, L::splat(f32::from_bits(cell as u32))]
                    };
                    let mut best = seen(rows.start, columns.start);
                    for i in rows.clone() {
                        for j in columns.clone() {
                            best = L::larger(best, seen(i, j));
                        }
                    }
                    put(best[0], value.add(to), n);
                    put(best[1], chosen.add(to), n);
                }
            }
        }
    }
}

/// The maxima of all channels of the windows of a row.
fn of_row<T: Float>(g: &Windows, image: &[T], channels: usize, row: usize, (value, chosen): Found<T>) {
    let outputs = value.chunks_exact_mut(channels).zip(chosen.chunks_exact_mut(channels)).enumerate();
    for (q, (value, chosen)) in outputs {
        let (rows, columns) = g.window(row, q);
        let corner = rows.start * g.width + columns.start;
        for (channel, (value, chosen)) in value.iter_mut().zip(chosen).enumerate() {
            let (mut best, mut at) = (image[corner * channels + channel], corner);
            for cell in rows.clone().flat_map(|i| (i * g.width + columns.start)..(i * g.width + columns.end)) {
                let x = image[cell * channels + channel];
                (best, at) = if above(x, best) { (x, cell) } else { (best, at) };
            }
            value.write(best);
            chosen.write(at as u32);
        }
    }
}

/// [`maximum_backward`](super::maximum_backward) of maps (image, height, width, channels).
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
