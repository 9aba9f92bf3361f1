//! Two tensors put behind each other along an axis, and taken apart again.
#![allow(clippy::indexing_slicing)] // Blocks are cut by the sizes that the slices are checked against on entry.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::fresh::{copy, made};
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
}
