//! What a test does that this machine cannot run: it reports so past the harness, which shows only what failing tests
//! print.

use std::io::Write;

/// Reports a skipped test; fails instead where `RORD_NO_SKIPS` is set, as on a machine that has everything.
#[track_caller]
pub fn skip(why: &str) {
    assert!(std::env::var_os("RORD_NO_SKIPS").is_none(), "skipped: {why}");
    let place = std::panic::Location::caller();
    let _ = writeln!(std::io::stderr(), "skipped: {why} ({}:{})", place.file(), place.line());
}
