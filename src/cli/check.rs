//! `rord-run check`: reports, and nothing else; with `--fix`, the edits that they propose.

use std::path::Path;

use super::args::{CheckArgs, ReportFormat};
use super::load::{load_given, not_a_run};
use rord_engine::refusals;
use rord_engine::{begin, foretold};
use rord_lang::report::{Report, any_error};
use rord_lang::source::{SourceKind, Sources};
use rord_project::load::check_text;
use rord_project::{files, fix};

/// Checks every file.
pub fn run(args: &CheckArgs) -> u8 {
    let mut refused = false;
    for path in &args.files {
        let found = if args.fix { fixed(path, args) } else { checked(path, args) };
        let (reports, sources) = found.unwrap_or_else(|found| found);
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

type Found = (Vec<Report>, Sources);

fn checked(path: &Path, args: &CheckArgs) -> Result<Found, Found> {
    load_given(path, &args.changes.given()).map(|mut loaded| {
        // What is meant to be trained begins with the weights that it names.
        if !loaded.pipeline.train.is_empty() && !any_error(&loaded.reports) {
            loaded.reports.extend(begin::refused(&loaded.pipeline));
            loaded.reports.extend(foretold::check(&loaded.pipeline, &loaded.vocabulary, loaded.end()));
        }
        (loaded.reports, loaded.sources)
    })
}

/// What is left to say once the edits are made. They are shown to people, and written unless this is a trial.
fn fixed(path: &Path, args: &CheckArgs) -> Result<Found, Found> {
    let mut sources = Sources::default();
    let text = match not_a_run(path).and_then(|()| files::read(path, SourceKind::Main, &mut sources)) {
        Ok(file) => sources.get(file).map(|s| s.text.clone()).unwrap_or_else(|| "".into()),
        Err(report) => return Err((vec![report], sources)),
    };
    let name = path.display().to_string();
    let fix::Fixed { text: new, fixes: made, mut reports, sources } =
        fix::fix(&text, |text| check_text(rord_ops::vocabulary(), path, text, &args.changes.given()));
    if made.is_empty() {
        return Ok((reports, sources));
    }
    let written = if args.dry_run { Ok(()) } else { rord_files::replace(path, new.as_bytes()) };
    if let Err(e) = written {
        reports.push(refusals::file(&e));
        return Err((reports, sources));
    }
    if args.format == ReportFormat::Human {
        let verb = if args.dry_run { "would fix" } else { "fixed" };
        let list: String = made.iter().map(|m| format!("{name}: {verb} {m}\n")).collect();
        super::print(&format!("{}{list}", fix::diff(&name, &text, &new)));
    }
    Ok((reports, sources))
}
