//! Every sentence a user can read about a pipeline, and nothing else.
//!
//! A report names the place, what was found, what was expected and what to do. Titles are lower-case sentences without
//! a full stop; labels are facts; help is an action that can be pasted. Only the constructors in this folder make one,
//! so that the checker calls `frames::wrong_way(…)` and the wording is here. Families: R01 syntax, R02 names, R03
//! kinds, R04 shapes, R05 frames, R06 gradients, R07 numbers, R08 parameters and files, R09 while running.

pub mod block;
pub mod elsewhere;
pub mod exports;
pub mod follow;
pub mod frames;
pub mod grads;
pub mod kinds;
pub mod lints;
pub mod names;
pub mod numbers;
pub mod pages;
pub mod params;
pub mod render;
pub mod runtime;
pub mod shapes;
pub mod sheet;
pub mod syntax;
pub mod translate;
pub mod visible;
pub mod wrap;

use super::source::Span;

/// How much a report weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Advice,
    /// Probably not what was meant; the pipeline still runs.
    Warning,
    /// The pipeline does not run.
    Error,
}

/// A fact about a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The fact.
    pub text: String,
}

/// How sure it is that the edits of a report write what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The text can mean nothing else, and what it computes is what was written: `check --fix` makes these.
    Certain,
    /// One way among others, which a person chooses: a name that is spelled alike, a bracket that may belong elsewhere.
    Perhaps,
}

/// An edit of the text. All edits of a report are made together, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// What to replace.
    pub span: Span,
    /// With what.
    pub text: String,
}

/// One message to the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its number, for `rord-run explain`.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong.
    pub title: String,
    /// Where, the most important place first.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// The same as edits, where it is that exact.
    pub edits: Vec<Edit>,
    /// How sure it is that these are meant.
    pub certainty: Certainty,
}

impl Report {
    fn new(code: &'static str, severity: Severity, title: impl Into<String>) -> Self {
        let title = one_line(title.into());
        let certainty = Certainty::Certain;
        Self { code, severity, title, labels: Vec::new(), help: None, edits: Vec::new(), certainty }
    }

    fn error(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, title)
    }

    fn warning(code: &'static str, title: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, title)
    }

    fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: one_line(text.into()) });
        self
    }

    fn help(mut self, text: impl Into<String>) -> Self {
        let text = short(text.into());
        if !text.is_empty() {
            self.help = Some(text);
        }
        self
    }

    /// An edit that writes the only thing that can be meant. What a pipeline computes does not depend on it.
    fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.edits.push(Edit { span, text: text.into() });
        self
    }

    /// An edit that writes what may be meant. From now on the report's edits are a person's choice.
    fn suggest(mut self, span: Span, text: impl Into<String>) -> Self {
        self.certainty = Certainty::Perhaps;
        self.fix(span, text)
    }

    /// True where there are edits and `check --fix` makes them.
    pub fn can_be_fixed(&self) -> bool {
        !self.edits.is_empty() && self.certainty == Certainty::Certain && self.severity > Severity::Advice
    }

    /// Moves a report out of a text that its reader did not write: to the call that led there.
    pub fn move_to(&mut self, call: Span, from: super::source::FileId) {
        if self.place().is_none_or(|p| p.file != from) {
            return;
        }
        let first = self.labels.first().map(|l| l.text.clone()).unwrap_or_default();
        self.labels.retain(|l| l.span.file != from);
        self.labels.insert(0, Label { span: call, text: format!("within this call: {first}") });
        self.edits.clear();
        self.help = Some("check the frames and sizes of what is passed here".into());
    }

    /// True for a report right behind this one.
    fn near(&self, other: &Report) -> bool {
        const NEAR: u32 = 200;
        let places = self.place().zip(other.place());
        places.is_some_and(|(a, b)| a.file == b.file && b.start.saturating_sub(a.end) < NEAR)
    }

    /// The place the report is about.
    pub fn place(&self) -> Option<Span> {
        self.labels.first().map(|l| l.span)
    }
}

/// The most characters of a title, a label or a help.
const MOST_CHARS: usize = 1200;

/// A text that may quote a name of a million letters, with its middle left out.
fn short(text: String) -> String {
    if text.len() <= MOST_CHARS {
        return text;
    }
    let cut = |nth: usize| text.char_indices().nth(nth).map(|(at, _)| at);
    let count = text.chars().count();
    match (cut(MOST_CHARS * 2 / 3), cut(count.saturating_sub(MOST_CHARS / 3))) {
        (Some(head), Some(tail)) if count > MOST_CHARS => {
            format!("{} … {}", text.get(..head).unwrap_or(""), text.get(tail..).unwrap_or(""))
        }
        _ => text,
    }
}

/// A text that may quote several lines, in one.
fn one_line(text: String) -> String {
    let text = short(text);
    if !text.contains(['\n', '\r']) {
        return text;
    }
    text.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Sorts by place and drops what was said before: the same number at the same place.
pub fn tidy(mut reports: Vec<Report>) -> Vec<Report> {
    reports.sort_by_key(|r| (r.place(), r.code));
    reports.dedup_by(|b, a| a.code == b.code && a.place().is_some() && a.place() == b.place());
    // Two brackets that close nothing, near each other, are a pair whose opening one is another mistake's.
    reports.dedup_by(|b, a| a.code == "R0113" && b.code == "R0113" && a.near(b));
    reports
}

/// True where a pipeline with these reports does not run.
pub fn any_error(reports: &[Report]) -> bool {
    reports.iter().any(|r| r.severity == Severity::Error)
}

/// The most names that one is compared with.
const MOST_COMPARED: usize = 1_000;

/// The name among `known` that was most likely meant by `found`: close in spelling (Jaro and Winkler), or the same
/// letters without underscores and capitals.
pub fn closest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(found, known).into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}

/// So many of those names at most, the most likely first.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let mut all = near(found, known);
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().take(most).map(|(_, k)| k).collect()
}

/// The names that are close, with how close each is.
fn near<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<(f64, &'a str)> {
    let plain = |s: &str| s.replace('_', "").to_lowercase();
    let bare = plain(found);
    known
        .into_iter()
        .take(MOST_COMPARED)
        .map(|k| (if plain(k) == bare { 1.0 } else { strsim::jaro_winkler(found, k) }, k))
        .filter(|(score, _)| *score > 0.82)
        .collect()
}

/// `a, b and c`.
pub fn list(items: &[impl AsRef<str>]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_string(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}

/// A number with its thousands apart: `18,496`.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 layer`, `2 layers`.
pub fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
