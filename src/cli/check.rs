//! `rord-run check`: reports, and nothing else.

use super::args::{CheckArgs, ReportFormat};
use super::load::load_file;

/// Checks every file.
pub fn run(args: &CheckArgs) -> u8 {
    let mut refused = false;
    for path in &args.files {
        let (reports, sources) = match load_file(path, args.preset.as_deref(), args.params.as_deref(), &args.set) {
            Ok(loaded) => (loaded.reports, loaded.sources),
            Err(found) => found,
        };
        refused |= match args.format {
            ReportFormat::Human => super::print_reports(&reports, &sources),
            ReportFormat::Json => super::print_json(&reports, &sources),
        };
        if args.format == ReportFormat::Human && reports.is_empty() {
            super::print(&format!("{}: no reports\n", path.display()));
        }
    }
    if refused { super::REFUSED } else { super::DONE }
}
