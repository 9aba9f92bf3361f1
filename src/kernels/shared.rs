//! A slice that several threads write at places which do not overlap.

use std::marker::PhantomData;

/// A mutable slice handed to many tasks at once; each promises to stay within places of its own.
pub(super) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: the pointer comes from an exclusive borrow that lives as long as `Shared`, and it is reached only by the
// unsafe methods below, whose callers promise that no two tasks touch the same place.
#[allow(unsafe_code)]
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Borrows `data` until the tasks are done.
    pub fn new(data: &'a mut [T]) -> Self {
        Self { start: data.as_mut_ptr(), len: data.len(), life: PhantomData }
    }

    /// The places `at..at + len`.
    ///
    /// # Safety
    /// The range lies within the slice (asserted in debug builds), and while the result lives no other task reads or
    /// writes it.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    pub unsafe fn part(&self, at: usize, len: usize) -> &mut [T] {
        debug_assert!(at.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: in bounds and unshared by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }

    /// The address of place `at` with the number of places from there to the end.
    pub fn from(&self, at: usize) -> (*mut T, usize) {
        let at = at.min(self.len);
        (self.start.wrapping_add(at), self.len - at)
    }
}
