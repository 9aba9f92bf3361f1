//! What follows a convolution where no algorithm does it in the same pass: relu and 2 × 2 maximum, forward and
//! backward.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // Window corners stay inside the map: the pooled sides are halves, rounded down.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::call::{After, DEAD, Past, Value};
use crate::fresh::made;
use crate::pool::above;
use crate::simd::{Lanes, Simd, Task, put, run, take};
use crate::{Float, Mismatch, length};

/// A convolution's value with `after` done with it.
pub(super) fn followed<T: Float>(
    mut numbers: Vec<T>,
    batch: usize,
    sides: (usize, usize),
    channels: usize,
    after: After,
) -> Value<T> {
    if after == After::ReluPool {
        return pooled(&numbers, batch, sides, channels);
    }
    if after == After::Relu {
        // Written so that what is not a number stays so.
        numbers.par_iter_mut().for_each(|y| *y = if *y <= T::ZERO { T::ZERO } else { *y });
    }
    Value { numbers, cells: Vec::new() }
}

/// The maxima of 2 × 2 windows, or 0 where that is larger.
fn pooled<T: Float>(x: &[T], batch: usize, (h, w): (usize, usize), channels: usize) -> Value<T> {
    let (rows, columns) = (h / 2, w / 2);
    let wide = (columns * channels).max(1);
    let mut cells = Vec::new();
    let fill = |numbers: &mut [MaybeUninit<T>], cells: &mut [MaybeUninit<u8>]| {
        numbers.par_chunks_mut(wide).zip(cells.par_chunks_mut(wide)).enumerate().for_each(|(row, (numbers, cells))| {
            let pair = &x[(row / rows * h + row % rows * 2) * w * channels..][..2 * w * channels];
            match T::single(pair) {
                Some(pair) => {
                    let (numbers, cells) = (numbers.as_mut_ptr().cast(), cells.as_mut_ptr().cast());
                    run(Simd::chosen(), Maxima { pair, sides: (w, channels), numbers, cells });
                }
                None => maxima(pair, (w, channels), numbers, cells),
            }
        });
    };
    // SAFETY: the rows cover all numbers, and both are written for each.
    let numbers = unsafe {
        made(batch * rows * columns * channels, |numbers| {
            cells = made(numbers.len(), |cells| fill(numbers, cells));
        })
    };
    Value { numbers, cells }
}

/// The maxima of two rows of a map of so many columns and channels.
fn maxima<T: Float>(
    pair: &[T],
    (w, channels): (usize, usize),
    numbers: &mut [MaybeUninit<T>],
    cells: &mut [MaybeUninit<u8>],
) {
    for (to, (number, cell)) in numbers.iter_mut().zip(cells).enumerate() {
        let corner = to / channels * 2 * channels + to % channels;
        let (mut best, mut found) = (T::ZERO, DEAD);
        for (cell, at) in [0, channels, w * channels, (w + 1) * channels].into_iter().enumerate() {
            let v = pair[corner + at];
            if above(v, best) {
                (best, found) = (v, cell as u8);
            }
        }
        number.write(best);
        cell.write(found);
    }
}

/// The same by vectors of channels.
struct Maxima<'a> {
    pair: &'a [f32],
    sides: (usize, usize),
    numbers: *mut f32,
    cells: *mut u8,
}

impl Task for Maxima<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Maxima { pair, sides: (w, channels), numbers, cells } = self;
        for q in 0..w / 2 {
            for channel in (0..channels).step_by(L::N) {
                let (n, to) = (L::N.min(channels - channel), q * channels + channel);
                unsafe {
                    let corner = pair.as_ptr().add(2 * q * channels + channel);
                    let cell = |at: usize| take::<L>(corner.add(at * channels), n);
                    put_largest([cell(0), cell(1), cell(w), cell(w + 1)], numbers.add(to), cells.add(to), n);
                }
            }
        }
    }
}

/// Writes the largest of a window's four cells, or 0, for `n` channels to `to`, and which it is to `cells`.
#[inline(always)]
pub(super) unsafe fn put_largest<L: Lanes>(window: [L; 4], to: *mut f32, cells: *mut u8, n: usize) {
    unsafe {
        if n == L::N {
            L::largest(window, cells).store(to);
        } else {
            let mut whole = [0; 16];
            L::largest(window, whole.as_mut_ptr()).store_part(to, n);
            std::ptr::copy_nonoverlapping(whole.as_ptr(), cells, n);
        }
    }
}

/// What `n` channels of a pooled map's gradient, from place `at` on, are in this cell of their window: 0 but in the cells that the maxima
/// came from.
#[inline(always)]
pub(super) unsafe fn take_where<L: Lanes>((grad, cells): (*const f32, *const u8), at: usize, cell: u8, n: usize) -> L {
    unsafe {
        let (grad, cells) = (take::<L>(grad.add(at), n), cells.add(at));
        if n == L::N {
            return grad.where_cell(cells, cell);
        }
        let mut whole = [u8::MAX; 16];
        std::ptr::copy_nonoverlapping(cells, whole.as_mut_ptr(), n);
        grad.where_cell(whole.as_ptr(), cell)
    }
}

/// The gradient of the convolution itself, where `grad` is that of what followed it.
pub(super) fn undone<'a, T: Float>(
    past: Past<T>,
    grad: &'a [T],
    batch: usize,
    sides: (usize, usize),
    channels: usize,
) -> Result<Cow<'a, [T]>, Mismatch> {
    Ok(match past.after {
        After::Nothing => Cow::Borrowed(grad),
        After::Relu => {
            let slope = |(grad, value): (&T, &T)| if *value <= T::ZERO { T::ZERO } else { *grad };
            Cow::Owned(grad.par_iter().zip(past.value).map(slope).collect())
        }
        After::ReluPool => Cow::Owned(spread(grad, past.cells, batch, sides, channels)?),
    })
}

/// The gradient of maxima sent to the cells they were found in.
fn spread<T: Float>(
    grad: &[T],
    cells: &[u8],
    batch: usize,
    (h, w): (usize, usize),
    channels: usize,
) -> Result<Vec<T>, Mismatch> {
    let (rows, columns) = (h / 2, w / 2);
    length("cells", cells, grad.len())?;
    length("grad", grad, batch * rows * columns * channels)?;
    let (line, pooled) = (w * channels, columns * channels);
    let fill = |out: &mut [MaybeUninit<T>]| {
        out.par_chunks_mut((h * line).max(1)).enumerate().for_each(|(image, out)| {
            out.par_chunks_mut((2 * line).max(1)).enumerate().for_each(|(p, out)| {
                let from = (image * rows + p) * pooled;
                // A last row without another is in no window.
                if p == rows {
                    out.fill(MaybeUninit::new(T::ZERO));
                    return;
                }
                let (grad, cells) = (&grad[from..][..pooled], &cells[from..][..pooled]);
                match T::single(grad) {
                    Some(grad) => {
                        run(Simd::chosen(), Spread { grad, cells, sides: (w, channels), to: out.as_mut_ptr().cast() });
                    }
                    None => spread_rows(grad, cells, (w, channels), out),
                }
            });
        });
    };
    // SAFETY: pairs of rows cover the map, and each is written in full.
    Ok(unsafe { made(batch * h * line, fill) })
}

/// Gradients of a row of windows sent to two rows of a map of so many columns and channels.
fn spread_rows<T: Float>(grad: &[T], cells: &[u8], (w, channels): (usize, usize), out: &mut [MaybeUninit<T>]) {
    for (at, to) in out.iter_mut().enumerate() {
        let (row, column, channel) = (at / channels / w, at / channels % w, at % channels);
        let from = column / 2 * channels + channel;
        let here = cells.get(from).is_some_and(|cell| usize::from(*cell) == 2 * row + column % 2);
        to.write(if here { grad[from] } else { T::ZERO });
    }
}

/// The same by vectors of channels.
struct Spread<'a> {
    grad: &'a [f32],
    cells: &'a [u8],
    sides: (usize, usize),
    to: *mut f32,
}

impl Task for Spread<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let Spread { sides: (w, channels), to, .. } = self;
        let (grad, cells) = (self.grad.as_ptr(), self.cells.as_ptr());
        for column in 0..w {
            for channel in (0..channels).step_by(L::N) {
                let (n, from) = (L::N.min(channels - channel), column / 2 * channels + channel);
                unsafe {
                    for row in 0..2 {
                        let to = to.add((row * w + column) * channels + channel);
                        // A last column without another is in no window.
                        let found = match column / 2 < w / 2 {
                            true => take_where::<L>((grad, cells), from, (2 * row + column % 2) as u8, n),
                            false => L::splat(0.0),
                        };
                        put(found, to, n);
                    }
                }
            }
        }
    }
}
