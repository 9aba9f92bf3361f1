//! Lints: what runs and is most likely not meant. Each can be allowed with a reason, by `@allow(lint, "why")`.

use super::{Report, Severity};
use crate::source::Span;

const LINTS: [(&str, &str); 10] = [
    ("R0207", "unminimized"),
    ("R0232", "unused"),
    ("R0602", "unanchored"),
    ("R0603", "padding"),
    ("R0607", "no_gradient"),
    ("R0608", "itself"),
    ("R0609", "uneven"),
    ("R0702", "apart"),
    ("R0703", "margin"),
    ("R0731", "schedule"),
];

/// The name by which `@allow` silences a report, if it can be allowed.
pub fn lint_of(code: &str) -> Option<&'static str> {
    LINTS.iter().find(|(c, _)| *c == code).map(|(_, lint)| *lint)
}

/// The report that a lint makes.
pub fn code_of(lint: &str) -> Option<&'static str> {
    LINTS.iter().find(|(_, l)| *l == lint).map(|(code, _)| *code)
}

/// Pixels that a warp brings in from outside, compared as if they were seen; the name of what compares is `op` bytes
/// long.
pub fn padding(span: Span, op: u32, warp: Span, by: &str, call: Option<&str>, like: &str) -> Report {
    let mask = format!("mask = inside({by}, like = {like})");
    let report = Report::new("R0603", Severity::Advice, "part of this comparison is against padding");
    let report = match warp == span {
        true => report.label(span, format!("pixels that `{by}` brings in from outside read as 0")),
        false => report
            .label(warp, format!("pixels that `{by}` brings in from outside read as 0"))
            .label(Span { end: span.start + op, ..span }, "compared here"),
    };
    match call {
        Some(call) => report
            .help(format!("leave them out:  {call}, {mask})"))
            .suggest(Span { start: span.end - 1, ..span }, format!(", {mask})")),
        None => report.help(format!("leave them out:  {mask}\nor keep them knowingly:  @allow(padding, \"why\")")),
    }
}

/// Right pairs that are read between cells, and others that are cells of `map`.
pub fn uneven(others: Span, right: Span, map: &str) -> Report {
    Report::new("R0609", Severity::Warning, "the right ones are read between cells, and the others are cells")
        .label(others, format!("cells of `{map}`, as they are"))
        .label(right, "means of cells, which are smoother than a cell: a network need not look at the picture to tell them from cells")
        .help(format!(
            "read the others between cells, too:  let any = place(scatter(1000), like = {map})  and  sample({map}, any)  for its cells, with \
             `any` for `coords(like = {map})`\nor keep it knowingly:  @allow(uneven, \"why\")"
        ))
}

/// A miner that may find the positive itself.
pub fn apart(span: Span, miner: &str, candidates: Option<usize>) -> Report {
    let many = candidates.map_or("random places".to_string(), |n| format!("{n} random places"));
    Report::new("R0702", Severity::Advice, "the hardest of these negatives is often the positive itself")
        .label(span, format!("`{miner}` looks at {many}, and nothing keeps them away from the positive's place"))
        .help(format!(
            "keep negatives away from it:  {miner}(apart = 8px)\nor keep it knowingly:  @allow(apart, \"why\")"
        ))
}

/// A margin that no distance can reach: what is held against it is at most `bound`.
pub fn margin(span: Span, margin: f64, bound: f64) -> Report {
    let (margin, most) = (crate::constant::number(margin), crate::constant::number(bound));
    Report::new("R0703", Severity::Advice, format!("a margin of {margin} is never reached"))
        .label(span, format!("distances of unit descriptors end here at {most}, so no negative is ever far enough"))
        .help(format!(
            "choose it below {most}, for example  margin = {}\nor keep it knowingly:  @allow(margin, \"why\")",
            crate::constant::number(bound / 4.0)
        ))
}

/// A name that nothing uses.
pub fn unused(span: Span, what: &str, name: &str) -> Report {
    let report = Report::warning("R0232", format!("the {what} `{name}` is never used"));
    let (label, help) = match what {
        "parameter" => ("setting it changes nothing", "use it or remove it"),
        "output" => ("computed, and nobody takes it", "use it or remove it"),
        "argument" => ("the body does not speak of it", "use it or remove it"),
        "field" => ("taken apart, and not used", "remove it from the braces"),
        _ => ("nothing speaks of it", "use it or remove it"),
    };
    report.label(span, label).help(format!("{help}; to keep it knowingly:  @allow(unused, \"why\")"))
}

/// A metric that a run goes by, of which nothing says which way it is better; `written` is `val.m`, `field` the section and its
/// field.
pub fn no_direction(span: Span, written: &str, field: (&str, &str), defined: Span) -> Report {
    let (section, field) = field;
    let (max, min) = (format!("max({written})"), format!("min({written})"));
    let name = written.split('.').next_back().unwrap_or(written);
    let report = Report::error("R0730", format!("`{name}` may be better when it grows, or when it falls"))
        .label(span, format!("`{field}` of `{section}` goes by it"));
    let report = match defined == span {
        true => report,
        false => {
            report.label(defined, "nothing here says which: it is neither a score nor a loss, nor made of them alone")
        }
    };
    report.help(format!("a score:  {max}\na loss, a distance:  {min}")).suggest(span, max)
}

/// A setting of `train` that does not fit the run.
pub fn schedule(span: Span, title: &str, label: &str, help: &str) -> Report {
    Report::warning("R0731", title)
        .label(span, label)
        .help(format!("{help}\nor keep it knowingly, before the section:  @allow(schedule, \"why\")"))
}
