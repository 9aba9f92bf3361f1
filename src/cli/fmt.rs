//! `rord-run fmt`: pipelines laid out in the one way there is. A file that does not parse is left as it is.

use std::path::Path;

use super::args::FmtArgs;
use rord_lang::format::{FormatError, format};
use rord_lang::report::{Report, runtime};
use rord_lang::source::{SourceKind, Sources};
use rord_project::files;

/// Lays out every file, or says which are not laid out.
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
    let read = if stdin { read_stdin(sources) } else { files::read(path, SourceKind::Main, sources) };
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
            super::print(&match bare == laid_out {
                true => format!("{shown} is not laid out: some lines end in \\r\\n and some in \\n\n"),
                false => format!("{shown} is not laid out:\n{}", difference(&bare, &laid_out)),
            });
        }
        return Ok(same);
    }
    if stdin {
        super::print(&formatted);
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
    let (a, b): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(head..a.len() - tail).unwrap_or(&[]), b.get(head..b.len() - tail).unwrap_or(&[]));
    let mut out = String::new();
    for step in steps(a, b) {
        match step {
            (Some(i), None) => out.push_str(&format!("{:>5} - {}\n", head + i + 1, a.get(i).unwrap_or(&""))),
            (None, Some(j)) => out.push_str(&format!("      + {}\n", b.get(j).unwrap_or(&""))),
            _ => {}
        }
    }
    out
}

/// Beyond this many pairs of lines nothing is matched, and all old lines are shown before all new ones.
const MOST_PAIRS: usize = 4_000_000;

/// How one list of lines becomes the other: pairs stay, the left ones go, the right ones come.
fn steps(a: &[&str], b: &[&str]) -> Vec<(Option<usize>, Option<usize>)> {
    if a.len().saturating_mul(b.len()) > MOST_PAIRS {
        return (0..a.len()).map(|i| (Some(i), None)).chain((0..b.len()).map(|j| (None, Some(j)))).collect();
    }
    // The longest common sequence of what begins at i and at j.
    let width = b.len() + 1;
    let mut longest = vec![0u32; (a.len() + 1) * width];
    let at = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let value = match a.get(i) == b.get(j) {
                true => at(&longest, i + 1, j + 1) + 1,
                false => at(&longest, i + 1, j).max(at(&longest, i, j + 1)),
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = value;
            }
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a.get(i) == b.get(j) {
            out.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if j >= b.len() || (i < a.len() && at(&longest, i + 1, j) >= at(&longest, i, j + 1)) {
            out.push((Some(i), None));
            i += 1;
        } else {
            out.push((None, Some(j)));
            j += 1;
        }
    }
    out
}

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
