//! A small table of vectors that is written whole before it is read.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use crate::simd::Lanes;

/// `LEN` vectors, not filled with zeros first: for tables this small that would be a call and a twentieth of a tile's
/// time.
pub struct Grid<L, const LEN: usize>([MaybeUninit<L>; LEN]);

impl<L: Lanes, const LEN: usize> Grid<L, LEN> {
    /// A table that holds nothing yet.
    #[inline(always)]
    pub fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; LEN])
    }

    /// Writes one vector.
    #[inline(always)]
    pub fn put(&mut self, at: usize, v: L) {
        debug_assert!(at < LEN);
        // SAFETY: callers number their vectors by loops over constants below LEN.
        unsafe { self.0.as_mut_ptr().add(at).write(MaybeUninit::new(v)) };
    }

    /// `N` vectors side by side.
    ///
    /// # Safety
    /// They were written.
    #[inline(always)]
    pub unsafe fn line<const N: usize>(&self, at: usize) -> [L; N] {
        debug_assert!(at + N <= LEN);
        // SAFETY: in bounds as above, and written by the caller's promise.
        unsafe { self.0.as_ptr().add(at).cast::<[L; N]>().read() }
    }
}
