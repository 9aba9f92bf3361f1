//! Memory that a step frees is kept for the next one: to ask the system for it again costs more than to compute what is in it.

use std::ffi::{c_int, c_long};

/// mimalloc's `mi_option_purge_delay`, for which its bindings have no name; the number is the same in its versions 2 and 3.
const PURGE_DELAY: c_int = 15;

/// Has mimalloc hand memory back to the system only a second after it was freed, unless `MIMALLOC_PURGE_DELAY` says otherwise: what
/// the next step takes again stays, what only the start needed goes.
pub fn keep_freed() {
    const MILLISECONDS: c_long = 1000;
    // SAFETY: the call sets an option of the allocator, which exists; it may be made at any time from any thread.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, MILLISECONDS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_set_where_nobody_has() {
        keep_freed();
        let given = std::env::var("MIMALLOC_PURGE_DELAY").ok().and_then(|x| x.parse().ok());
        // SAFETY: reads an option of the allocator.
        let found = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(found, given.unwrap_or(1000));
    }
}
