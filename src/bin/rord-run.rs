//! The command `rord-run`; `rord_cli` has its verbs.

use std::process::ExitCode;

use rord_kernels::allocator::Reporting;
use rord_kernels::allocator::large::{Large, keep_for};

#[global_allocator]
static ALLOCATOR: Reporting<Large<mimalloc::MiMalloc>> = Reporting(Large::new(mimalloc::MiMalloc));

/// The allocator's option that says how long freed memory stays with the process.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Milliseconds for which it stays, unless `MIMALLOC_PURGE_DELAY` says otherwise: what the next step takes again is there, where asking the
/// system for every tensor's pages would take longer than some computations.
const KEPT: std::ffi::c_long = 20_000;

fn main() -> ExitCode {
    // SAFETY: a number among the allocator's options; what the environment said stays.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT);
        // Never, where it is below 0.
        keep_for(u64::try_from(libmimalloc_sys::mi_option_get(PURGE_DELAY)).unwrap_or(u64::MAX));
    }
    ExitCode::from(rord_cli::main())
}
