//! The command `rord-run`; `rord_cli` has its verbs.

use std::process::ExitCode;

use rord_kernels::allocator::Reporting;

/// It hands freed memory back to the system only after a second (its own default): what the next step takes again is there, where
/// asking the system for every tensor's pages would cost more than computing it.
#[global_allocator]
static ALLOCATOR: Reporting<mimalloc::MiMalloc> = Reporting(mimalloc::MiMalloc);

fn main() -> ExitCode {
    ExitCode::from(rord_cli::main())
}
