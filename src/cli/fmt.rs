//! `rord-run fmt`: pipelines laid out in the one way there is. A file that does not parse is left as it is.

use std::path::Path;
use std::time::Duration;

use similar::{Change, ChangeTag, TextDiff};

use super::args::FmtArgs;
use super::load::{not_a_run, text_of};
use rord_lang::format::{FormatError, format};
use rord_lang::report::{Report, runtime};
use rord_lang::source::{SourceKind, Sources};
use rord_project::files;

/// Lays out every file, or lists those that are not laid out.
pub fn run(args: &FmtArgs) -> u8 {
    let mut code = super::DONE;
    for path in &args.files {
        let mut sources = Sources::default();
        match one(path, args.check, &mut sources) {
            Ok(true) => {}
            Ok(false) => code = super::REFUSED,
            Err(reports) => {
                super::print_reports(&reports, &sources);
                code = super::REFUSED;
            }
        }
    }
    code
}

/// True where nothing is left to be done.
fn one(path: &Path, check: bool, sources: &mut Sources) -> Result<bool, Vec<Report>> {
    let stdin = path == Path::new("-");
    if !stdin && !check {
        not_a_run(path).map_err(|r| vec![r])?;
    }
    let read = if stdin { read_stdin(sources) } else { files::read(&text_of(path), SourceKind::Main, sources) };
    let file = read.map_err(|r| vec![r])?;
    let text = sources.get(file).map(|s| s.text.clone()).unwrap_or_default();
    let shown = if stdin { "standard input".into() } else { path.display().to_string() };
    let formatted = format(&text, file).map_err(|e| match e {
        FormatError::Syntax(reports) => reports,
        FormatError::Changed => {
            let help = "this is a mistake in rord-run; the file was left as it is, please report it";
            vec![runtime::failed("R0914", &format!("{shown} would not stay the same pipeline"), help)]
        }
    })?;
    let same = *formatted == *text;
    if check {
        if !same {
            let (bare, laid_out) = (text.replace("\r\n", "\n"), formatted.replace("\r\n", "\n"));
            super::print_as_is(&match bare == laid_out {
                true => format!("{shown} is not laid out: some lines end in \\r\\n and some in \\n\n"),
                false => format!("{shown} is not laid out:\n{}", difference(&bare, &laid_out)),
            });
        }
        return Ok(same);
    }
    if stdin {
        super::print_as_is(&formatted);
    } else if !same {
        rord_files::replace(path, formatted.as_bytes()).map_err(|e| {
            let help = format!("{}; the file was left as it is", e.help());
            vec![runtime::failed("R0914", &e.to_string(), &help)]
        })?;
        super::print(&format!("{shown}: laid out\n"));
    }
    Ok(true)
}

fn read_stdin(sources: &mut Sources) -> Result<rord_lang::source::FileId, Report> {
    let bytes = rord_files::at_most(std::io::stdin(), files::MOST_BYTES)
        .map_err(|e| runtime::failed("R0817", &format!("cannot read standard input: {}", rord_files::plain(&e)), ""))?;
    files::text(SourceKind::Main, "standard input".into(), bytes, sources)
}

/// Lines that go, with `-`, and lines that come, with `+`, under their line numbers.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let diff = TextDiff::configure().timeout(LONGEST).diff_slices(&old, &new);
    let line = |change: Change<&str>| match (change.tag(), change.old_index()) {
        (ChangeTag::Delete, Some(at)) => format!("{:>5} - {}\n", at + 1, change.value()),
        (ChangeTag::Insert, _) => format!("      + {}\n", change.value()),
        _ => String::new(),
    };
    diff.iter_all_changes().map(line).collect()
}

/// After this time what is left of two texts counts as different.
const LONGEST: Duration = Duration::from_secs(2);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_differ_are_shown() {
        assert_eq!(difference("a\nb\nc\n", "a\nB\nc\nd\n"), "    2 - b\n      + B\n      + d\n");
        assert_eq!(difference("a\n", "a\n"), "");
        assert_eq!(difference("a", "a\n"), "      + \n");
    }
}
