//! Results that are written once: memory that is not filled with zeros before.

use std::mem::MaybeUninit;

/// A piece of what is written, with the pieces of two slices that lie there.
pub(crate) type Pieces<'a, T, U = T> = ((&'a mut [MaybeUninit<T>], &'a [T]), &'a [U]);

/// `n` numbers, which `fill` writes.
///
/// # Safety
/// `fill` writes every number of the slice it is given.
#[allow(unsafe_code)]
pub(crate) unsafe fn made<T>(n: usize, fill: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut out = Vec::with_capacity(n);
    fill(out.spare_capacity_mut().get_mut(..n).unwrap_or_default());
    // SAFETY: there is room for `n`, and the caller promises that all were written.
    unsafe { out.set_len(n) };
    out
}

/// Writes `from`, which is as long, to memory that holds nothing yet.
pub(crate) fn copy<T: Copy>(to: &mut [MaybeUninit<T>], from: &[T]) {
    to.iter_mut().zip(from).for_each(|(to, from)| {
        to.write(*from);
    });
}
