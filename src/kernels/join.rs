//! Two tensors put behind each other along an axis, and taken apart again.
#![allow(clippy::indexing_slicing)] // Blocks are cut by the sizes that the slices are checked against on entry.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::fresh::{copy, made};
use crate::simd::{Lanes, Simd, Task, run};
use crate::{Float, Mismatch, length};

/// Numbers that one task copies at least.
const BLOCK: usize = 1 << 14;

/// Blocks of `sizes.0` numbers of `a` and of `sizes.1` of `b` in turn.
pub fn joined<T: Float>(a: &[T], b: &[T], sizes: (usize, usize)) -> Result<Vec<T>, Mismatch> {
    let (n, m) = sizes;
    let count = a.len().checked_div(n).or(b.len().checked_div(m)).unwrap_or(0);
    length("a", a, count * n)?;
    length("b", b, count * m)?;
    let each = (n + m).max(1);
    let blocks = (BLOCK / each).max(1);
    let fill = |out: &mut [MaybeUninit<T>]| {
        out.par_chunks_mut(each * blocks).enumerate().for_each(|(i, out)| {
            for (k, out) in (i * blocks..).zip(out.chunks_exact_mut(each)) {
                copy(&mut out[..n], &a[k * n..][..n]);
                copy(&mut out[n..], &b[k * m..][..m]);
            }
        });
    };
    // SAFETY: there are `count` blocks, each written whole.
    #[allow(unsafe_code)]
    Ok(unsafe { made(a.len() + b.len(), fill) })
}

/// The reverse of [`joined`], for one of the two.
pub fn parted<T: Float>(x: &[T], sizes: (usize, usize), second: bool) -> Result<Vec<T>, Mismatch> {
    let (n, m) = sizes;
    let each = (n + m).max(1);
    if !x.len().is_multiple_of(each) {
        return Err(Mismatch::Sizes("blocks do not divide their slice"));
    }
    let (from, own) = if second { (n, m) } else { (0, n) };
    let blocks = (BLOCK / each).max(1);
    let fill = |out: &mut [MaybeUninit<T>]| {
        out.par_chunks_mut((own * blocks).max(1)).zip(x.par_chunks(each * blocks)).for_each(|(out, x)| {
            for (out, x) in out.chunks_exact_mut(own.max(1)).zip(x.chunks_exact(each)) {
                copy(out, &x[from..from + own]);
            }
        });
    };
    // SAFETY: a part of each block is written.
    #[allow(unsafe_code)]
    Ok(unsafe { made(x.len() / each * own, fill) })
}

/// The sizes of two maps, (images, height, width, n) and (images, height / by, width / by, m), of which the second is enlarged as it is read:
/// each of its cells stands for by × by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enlarged {
    /// Images of both.
    pub images: usize,
    /// Height of the result.
    pub height: usize,
    /// Its width.
    pub width: usize,
    /// Channels of both.
    pub channels: (usize, usize),
    /// Cells along an axis that one becomes.
    pub by: usize,
}

impl Enlarged {
    /// Rows of the second map, and cells of one.
    fn small(&self) -> (usize, usize) {
        (self.images * self.height / self.by.max(1), self.width / self.by.max(1))
    }

    fn check(&self) -> Result<(), Mismatch> {
        let whole = |n: usize| n.is_multiple_of(self.by);
        let fits = self.by > 0 && whole(self.height) && whole(self.width);
        if fits { Ok(()) } else { Err(Mismatch::Sizes("an enlarged map is as large as the other one")) }
    }
}

/// The channels of `a` and of `b` enlarged after each other: (images, height, width, n + m).
pub fn joined_enlarged<T: Float>(a: &[T], b: &[T], sizes: &Enlarged) -> Result<Vec<T>, Mismatch> {
    sizes.check()?;
    let (&Enlarged { images, height, width, channels: (n, m), by }, (rows, cells)) = (sizes, sizes.small());
    length("a", a, images * height * width * n)?;
    length("b", b, rows * cells * m)?;
    let each = n + m;
    let fill = |out: &mut [MaybeUninit<T>]| {
        out.par_chunks_mut((width * each).max(1)).enumerate().for_each(|(y, out)| {
            let (a, b) = (&a[y * width * n..][..width * n], &b[y / by * cells * m..][..cells * m]);
            for (x, out) in out.chunks_exact_mut(each).enumerate() {
                copy(&mut out[..n], &a[x * n..][..n]);
                copy(&mut out[n..], &b[x / by * m..][..m]);
            }
        });
    };
    // SAFETY: every cell of every row is written whole.
    #[allow(unsafe_code)]
    Ok(unsafe { made(images * height * width * each, fill) })
}

/// The gradient of [`joined_enlarged`]'s `b`, given that of its value: the sum over the cells that one became, by rows.
pub fn parted_enlarged<T: Float>(grad: &[T], sizes: &Enlarged) -> Result<Vec<T>, Mismatch> {
    sizes.check()?;
    let (&Enlarged { images, height, width, channels: (n, m), by }, (rows, cells)) = (sizes, sizes.small());
    length("grad", grad, images * height * width * (n + m))?;
    let mut out = vec![T::ZERO; rows * cells * m];
    let line = width * (n + m);
    out.par_chunks_mut((cells * m).max(1)).zip(grad.par_chunks((by * line).max(1))).for_each(|(out, grad)| {
        run(Simd::chosen(), Sums { grad, line, channels: (n, m), by, out });
    });
    Ok(out)
}

/// A row of sums.
struct Sums<'a, T> {
    grad: &'a [T],
    line: usize,
    channels: (usize, usize),
    by: usize,
    out: &'a mut [T],
}

impl<T: Float> Task for Sums<'_, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (n, m) = self.channels;
        for (x, out) in self.out.chunks_exact_mut(m).enumerate() {
            for line in self.grad.chunks_exact(self.line) {
                for k in x * self.by..(x + 1) * self.by {
                    let from = &line[k * (n + m) + n..][..m];
                    out.iter_mut().zip(from).for_each(|(sum, g)| *sum += *g);
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_comes_apart_again() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0]);
        let both = joined(&a, &b, (2, 1)).unwrap();
        assert_eq!(both, [1.0, 2.0, 5.0, 3.0, 4.0, 6.0]);
        assert_eq!(
            (parted(&both, (2, 1), false).unwrap(), parted(&both, (2, 1), true).unwrap()),
            (a.to_vec(), b.to_vec())
        );
        assert!(joined(&a, &b, (3, 1)).is_err() && parted(&both, (3, 1), true).is_err());
    }

    #[test]
    fn an_enlarged_map_is_joined_as_if_it_had_been_written_out() {
        let sizes = Enlarged { images: 2, height: 4, width: 6, channels: (3, 2), by: 2 };
        let numbers = |n: usize, from: usize| (from..from + n).map(|i| i as f32).collect::<Vec<_>>();
        let (a, b) = (numbers(2 * 4 * 6 * 3, 1), numbers(2 * 2 * 3 * 2, 1000));
        let both = joined_enlarged(&a, &b, &sizes).unwrap();
        let mut sums = vec![0.0; b.len()];
        for (cell, both) in both.chunks_exact(5).enumerate() {
            let (image, y, x) = (cell / 24, cell / 6 % 4, cell % 6);
            let small = ((image * 2 + y / 2) * 3 + x / 2) * 2;
            assert_eq!((&both[..3], &both[3..]), (&a[cell * 3..][..3], &b[small..][..2]));
            (0..2).for_each(|c| sums[small + c] += both[3 + c]);
        }
        assert_eq!(parted_enlarged(&both, &sizes).unwrap(), sums);
        for wrong in [Enlarged { by: 0, ..sizes }, Enlarged { height: 5, ..sizes }, Enlarged { images: 1, ..sizes }] {
            assert!(joined_enlarged(&a, &b, &wrong).is_err() && parted_enlarged(&both, &wrong).is_err());
        }
    }
}
