//! The command `rord-run`: one file a verb.
//!
//! Verbs return an exit code: 0 done, 1 refused with reports, 2 used wrongly, 128 and the signal interrupted.

pub mod args;
pub mod bench;
pub mod cache;
pub mod check;
pub mod completions;
pub mod crops;
pub mod data;
pub mod demo;
pub mod diff;
pub mod eval;
mod eval_cells;
mod eval_pairs;
pub mod exhausted;
pub mod explain;
pub mod export;
pub mod find;
pub mod fmt;
pub mod formula;
pub mod found;
pub mod graph;
pub mod init;
pub mod interrupt;
pub mod load;
pub mod loss;
pub mod lsp;
pub mod man;
mod markdown;
pub mod matches;
pub mod mistakes;
pub mod new;
pub mod params;
pub mod predict;
pub mod predicted;
pub mod queries;
pub mod replay;
pub mod report;
pub mod resume;
pub mod seen;
pub mod shipped;
pub mod sweep;
pub mod together;
mod train;
pub mod types;
pub mod using;
pub mod validation;
pub mod verbs;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::{ArgMatches, CommandFactory, Error, FromArgMatches};

use rord_data::store::{Hear, Progress, Settings, Store};
use rord_kernels::simd::{Simd, VARIABLE};

use rord_lang::report::render::{Style, draw, json};
use rord_lang::report::visible::visible_but_colors;
use rord_lang::report::{Report, Severity, any_error, plural};
use rord_lang::source::Sources;
use rord_record::terminal::Busy;
use verbs::Cli;

/// Reads the arguments, calls the verb, and returns its exit code.
pub fn main() -> u8 {
    exhausted::watch();
    with(&std::env::args_os().collect::<Vec<_>>())
}

/// As [`main`], with these arguments; the first is what the program is called.
pub fn with(words: &[OsString]) -> u8 {
    let args: Vec<String> = words.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if args.is_empty() {
        let list = verbs::list();
        eprint!("{}", if style().color { list.ansi().to_string() } else { list.to_string() });
        return USAGE;
    }
    let read = Cli::command().try_get_matches_from(words);
    let read = read.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match read {
        Ok(read) => read,
        Err(error) => return wrong_use(mistakes::explained(&args, error)),
    };
    if cli.verb.is_none()
        && let Some(error) = mistakes::no_such_verb(&args, cli.train.file.path())
    {
        return wrong_use(error);
    }
    if let Err(text) = Simd::asked() {
        return no_such_instructions(&text);
    }
    begin_store(cli.data_memory);
    if let Some(count) = threads(&matches)
        && let Err(report) = exhausted::threads(count)
    {
        print_reports(&[report], &Sources::default());
        return REFUSED;
    }
    cli.run()
}

/// The threads that a verb is to run on, where it computes anything: `Some(None)` for one a core.
fn threads(matches: &ArgMatches) -> Option<Option<usize>> {
    const TEXT_ALONE: [&str; 11] =
        ["check", "graph", "params", "cache", "diff", "explain", "fmt", "new", "completions", "man", "lsp"];
    let (verb, matches) = matches.subcommand().unwrap_or(("train", matches));
    // Not every verb has this option.
    let count = matches.try_get_one::<usize>("threads").ok().flatten().copied();
    (!TEXT_ALONE.contains(&verb)).then_some(count)
}

/// Sets how much of what is drawn is held in memory, and shows what is being drawn.
fn begin_store(megabytes: usize) {
    let bar = Arc::new(Mutex::new(None));
    let hear: Hear = Arc::new(move |progress: Progress<'_>| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        let text = format!("drawing {}: {} of {} tiles", progress.file, progress.done, progress.total);
        bar.get_or_insert_with(|| Busy::new(&text)).now(&text);
        if progress.done >= progress.total {
            *bar = None;
        }
    });
    let memory = megabytes.saturating_mul(1_000_000);
    // Nobody used it before.
    let _ = Store::begin(Settings { memory, progress: Some(hear), ..Settings::default() });
}

/// Prints what is wrong with the command line, or the help that was asked for.
fn wrong_use(error: Error) -> u8 {
    // Nobody to print it to is no reason to fail.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(USAGE)
}

/// Done.
pub const DONE: u8 = 0;
/// Refused; reports say why.
pub const REFUSED: u8 = 1;
/// The command itself was wrong.
pub const USAGE: u8 = 2;

/// The most reports that are printed at once: a file of another kind can have one for each of its characters.
pub const MOST_SHOWN: usize = 200;

/// How reports are drawn on this terminal.
pub fn style() -> Style {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let terminal = std::io::stderr().is_terminal();
    let dumb = variable("TERM").is_some_and(|t| t == "dumb");
    let set = variable("RORD_WIDTH").or(variable("COLUMNS")).and_then(|w| w.parse().ok());
    let seen = || terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| usize::from(width.0));
    Style {
        width: set.or_else(seen).unwrap_or(110).clamp(40, 200),
        color: terminal && !dumb && variable("NO_COLOR").is_none(),
        unicode: !dumb,
    }
}

/// Prints reports to standard error, and how many there were. True where one is an error.
pub fn print_reports(reports: &[Report], sources: &Sources) -> bool {
    let style = style();
    let mut out = String::new();
    for report in reports.iter().take(MOST_SHOWN) {
        out.push_str(&draw(report, sources, style));
        out.push('\n');
    }
    if let Some(left) = reports.len().checked_sub(MOST_SHOWN).filter(|left| *left > 0) {
        out.push_str(&format!("and {left} more\n"));
    }
    let count = |s: Severity| reports.iter().filter(|r| r.severity == s).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings > 1 {
        let parts: Vec<String> = [(errors, "error"), (warnings, "warning")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, noun)| plural(n, noun))
            .collect();
        out.push_str(&format!("{}\n", parts.join(", ")));
    }
    // Syntax explains itself; the pages of the rest say why it matters.
    let deep = reports.iter().find(|r| r.severity == Severity::Error && r.code > "R03" && r.code < "R08");
    if let Some(report) = deep.filter(|_| std::io::stderr().is_terminal()) {
        out.push_str(&format!("`rord-run explain {}` has more\n", report.code));
    }
    if together::says(&out, any_error(reports)) {
        // Nobody to tell is no reason to fail.
        let _ = std::io::stderr().write_all(out.as_bytes());
    }
    any_error(reports)
}

/// Prints reports as JSON lines to standard output. Where there are too many, the last line counts those that were
/// left out.
pub fn print_json(reports: &[Report], sources: &Sources) -> bool {
    let mut out: String =
        reports.iter().take(MOST_SHOWN).map(|report| format!("{}\n", json(report, sources))).collect();
    if let Some(left) = reports.get(MOST_SHOWN..).filter(|left| !left.is_empty()) {
        let errors = left.iter().filter(|r| r.severity == Severity::Error).count();
        out.push_str(&format!("{}\n", serde_json::json!({ "left_out": left.len(), "errors": errors })));
    }
    print(&out);
    any_error(reports)
}

/// Reports that `RORD_SIMD` names nothing this machine executes.
pub fn no_such_instructions(text: &str) -> u8 {
    let here: Vec<&str> = Simd::ALL.iter().filter(|s| s.runs_here()).map(|s| s.name()).collect();
    let title = format!("{VARIABLE} is `{text}`, and this machine has no such instructions");
    let help = format!("it executes: {}; without the variable the last of them are used", here.join(", "));
    print_reports(&[rord_lang::report::runtime::failed("R0929", &title, &help)], &Sources::default());
    USAGE
}

/// Writes to standard output; a closed pipe ends nothing. What would steer a terminal, in a name of a file or a cell, is shown as a sign.
pub fn print(text: &str) {
    print_as_is(&visible_but_colors(text));
}

/// Prints a page of Markdown: laid out on a terminal, and as it is where another program reads it.
pub fn print_page(page: &str) {
    if !std::io::stdout().is_terminal() {
        return print(page);
    }
    let seen = terminal_size::terminal_size_of(std::io::stdout()).map_or(100, |(width, _)| usize::from(width.0));
    print(&markdown::rendered(page, seen.clamp(40, 120), style().color));
}

/// As [`print`], with every character as it is: a text that is passed on.
pub fn print_as_is(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Columns, two spaces apart, as wide as their content.
pub fn columns(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
