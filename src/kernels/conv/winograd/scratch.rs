//! Memory of one thread, kept from call to call.
#![allow(unsafe_code)]

use std::cell::RefCell;

/// A line of the cache.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

thread_local! {
    static KEPT: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with at least `len` numbers of this thread's own, aligned to a cache line, which hold anything.
/// A call within a call gets memory of its own.
pub fn scratch<R>(len: usize, f: impl FnOnce(*mut f32) -> R) -> R {
    let lines = len.div_ceil(16);
    KEPT.with(|kept| match kept.try_borrow_mut() {
        Ok(mut kept) => {
            if kept.len() < lines {
                // Freed first: what it holds is not needed.
                *kept = Vec::new();
                *kept = vec![Line([0.0; 16]); lines];
            }
            f(kept.as_mut_ptr().cast())
        }
        Err(_) => f(vec![Line([0.0; 16]); lines].as_mut_ptr().cast()),
    })
}
