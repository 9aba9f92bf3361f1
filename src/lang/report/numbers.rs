//! R07: numbers out of range.

use super::Report;
use crate::source::Span;

/// A parameter outside of its domain.
pub fn out_of_range(span: Span, name: &str, domain: &str, place: &str, declaration: &str) -> Report {
    let not = if domain.starts_with('{') { "not one of" } else { "not in" };
    Report::error("R0701", format!("`{name}` is out of range"))
        .label(span, format!("{not} {domain}"))
        .help(format!("`{name}` is declared at {place} as  {declaration}"))
}

/// An argument outside of the domain of its parameter.
pub fn argument_out_of_range(
    span: Span,
    of: &str,
    name: &str,
    value: &str,
    domain: &str,
    place: &str,
    declaration: &str,
) -> Report {
    let not = if domain.starts_with('{') { "not one of" } else { "not in" };
    Report::error("R0701", format!("`{name}` of `{of}` is out of range"))
        .label(span, format!("{value} is {not} {domain}"))
        .help(format!("`{name}` is declared at {place} as  {declaration}"))
}

/// A range from high to low.
pub fn empty_range(span: Span, low: &str, high: &str, changes: bool) -> Report {
    if changes {
        return Report::error("R0704", "this range becomes empty")
            .label(span, format!("it goes through {low}..{high}, and {low} is larger than {high}"))
            .help("let its ends move apart, as in  -30deg..30deg * beta");
    }
    Report::error("R0704", "this range is empty")
        .label(span, format!("{low} is larger than {high}"))
        .help(format!("turn it round:  {high}..{low}"))
        .suggest(span, format!("{high}..{low}"))
}

/// A division by zero.
pub fn division_by_zero(span: Span) -> Report {
    Report::error("R0705", "this divides by zero")
        .label(span, "the right side is 0")
        .help("check the parameter it comes from")
}

/// A count of zero where at least one is needed.
pub fn zero_count(span: Span, what: &str, found: &str) -> Report {
    Report::error("R0706", format!("{what} must be at least 1"))
        .label(span, format!("found {found}"))
        .help("give a positive count")
}

/// A number that changes while training, where a number has to be known before the first step. `timed` are the
/// arguments beside it that may change.
pub fn cannot_change(span: Span, what: &str, rate: bool, timed: &[&str]) -> Report {
    let report = Report::error("R0721", format!("{what} cannot change while training"))
        .label(span, "this changes from step to step");
    if rate {
        return report.help("a schedule changes the learning rate, as in  schedule = cosine(warmup = 5epochs)");
    }
    let stands = "give a number that stays. What changes may stand in a formula: as a weight, a margin, a temperature";
    match timed {
        [] => report.help(stands),
        timed => report.help(format!("{stands}; and here in {}", super::list(timed))),
    }
}

/// Whatever a rule of an operation finds about its settings.
pub fn rule(span: Span, title: &str, label: &str, help: &str) -> Report {
    Report::error("R0707", title).label(span, label).help(help)
}
