//! An allocator that gives no memory once: for tests, in which every allocation of a program fails, one after the other. No program
//! that is shipped holds it.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of the allocation that fails, from 1; 0 for none.
static FAILS: AtomicU64 = AtomicU64::new(0);

/// Allocations since counting began.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Another allocator, of which one allocation may fail.
pub struct Failing<A>(pub A);

/// Counts allocations of all threads from here on, and has the `n`th fail; 0 for none.
pub fn fail_at(n: u64) {
    MADE.store(0, Ordering::SeqCst);
    FAILS.store(n, Ordering::SeqCst);
}

/// Allocations since [`fail_at`].
pub fn made() -> u64 {
    MADE.load(Ordering::SeqCst)
}

/// True once: for the allocation that is to fail.
fn fails() -> bool {
    let this = MADE.fetch_add(1, Ordering::Relaxed) + 1;
    FAILS.load(Ordering::Relaxed) == this
}

// SAFETY: every call is passed on as it is, or gives no memory.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Failing<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() { std::ptr::null_mut() } else { unsafe { self.0.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if fails() { std::ptr::null_mut() } else { unsafe { self.0.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { self.0.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        if fails() { std::ptr::null_mut() } else { unsafe { self.0.realloc(ptr, layout, new) } }
    }
}
