//! An allocator that reports where the system gives no memory: the standard library aborts the process then (exit code 134).
//!
//! Some memory is set aside, and let go before the report is written, so that there is enough for that.

pub mod failing;
pub mod large;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::Duration;

/// Ends the process, which asked for so many bytes in vain. `again` where that happened while the report was being written.
pub type Exhausted = fn(bytes: usize, again: bool) -> !;

/// What is called, once it is known.
static CALLED: OnceLock<Exhausted> = OnceLock::new();

/// Set by the first thread that gets no memory.
static FAILED: AtomicBool = AtomicBool::new(false);

/// What is set aside.
static ASIDE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

/// How much that is: a record and a report take some kilobytes.
const ASIDE_LAYOUT: Layout = Layout::new::<[u64; 1 << 18]>();

thread_local! {
    /// True in the thread that reports.
    static REPORTS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Another allocator, with a report where it has no memory.
pub struct Reporting<A>(pub A);

/// From here on `called` ends the process where there is no memory.
pub fn report_by(called: Exhausted) {
    if CALLED.set(called).is_ok() {
        // SAFETY: the layout is not empty.
        ASIDE.store(unsafe { std::alloc::alloc(ASIDE_LAYOUT) }, Ordering::SeqCst);
    }
}

impl<A: GlobalAlloc> Reporting<A> {
    /// Does not return, once it is known what is to be called.
    #[cold]
    fn failed(&self, bytes: usize) {
        let Some(called) = CALLED.get() else { return };
        // A thread that ends has no such value any more; it does not report then.
        let reports = REPORTS.try_with(|reports| reports.replace(true)).unwrap_or(true);
        if FAILED.swap(true, Ordering::SeqCst) && !reports {
            // Another thread ends the process.
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        let aside = ASIDE.swap(std::ptr::null_mut(), Ordering::SeqCst);
        if !aside.is_null() {
            // SAFETY: it was allocated by this allocator, which is the program's, with this layout, and is taken out once.
            unsafe { self.0.dealloc(aside, ASIDE_LAYOUT) };
        }
        called(bytes, reports);
    }

    #[inline(always)]
    fn checked(&self, found: *mut u8, bytes: usize) -> *mut u8 {
        if found.is_null() {
            self.failed(bytes);
        }
        found
    }
}

// SAFETY: every call is passed on as it is.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Reporting<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.checked(unsafe { self.0.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.checked(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { self.0.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        self.checked(unsafe { self.0.realloc(ptr, layout, new) }, new)
    }
}
