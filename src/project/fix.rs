//! `rord-run check --fix`: makes the edits that are certain, one report after the other, until none is left that helps.
//!
//! Edits that may change what a pipeline computes, such as a name that is spelled alike, are suggestions, and are not
//! made. An edit stays only if the report it belongs to is gone and no other error has come: the file never has errors
//! that it did not have before. It is written once, beside its place and then renamed.

use similar::TextDiff;

use rord_lang::report::{Edit, Report, Severity};
use rord_lang::source::Sources;

/// The most edits that are made to one file.
const MOST: usize = 500;

/// A text with its edits made.
pub struct Fixed {
    /// The text now.
    pub text: String,
    /// What was fixed, as `R0501 this warp goes the wrong way`.
    pub fixes: Vec<String>,
    /// The reports that are left.
    pub reports: Vec<Report>,
    /// The texts that the reports point into.
    pub sources: Sources,
}

/// Makes the edits to a pipeline's text, as far as reports propose them; `check` reports on a text.
pub fn fix(text: &str, check: impl Fn(&str) -> (Vec<Report>, Sources)) -> Fixed {
    let (mut reports, mut sources) = check(text);
    let (mut text, mut fixes) = (text.to_string(), Vec::new());
    let mut refused: Vec<(String, Vec<Edit>)> = Vec::new();
    while fixes.len() < MOST {
        let main = sources.main();
        let next = reports.iter().find(|r| {
            let here = r.can_be_fixed() && r.edits.iter().all(|e| Some(e.span.file) == main);
            here && !refused.iter().any(|(t, e)| *t == r.title && *e == r.edits)
        });
        let Some(report) = next.cloned() else { break };
        let tried = apply(&text, &report.edits).map(|new| (check(&new), new));
        match tried {
            Some(((after, texts), new)) if better(&reports, &after, &report) => {
                fixes.push(format!("{} {}", report.code, report.title));
                (text, reports, sources) = (new, after, texts);
                // Places have moved: an edit that was refused cannot be recognized any more.
                refused.clear();
            }
            _ => refused.push((report.title, report.edits)),
        }
    }
    Fixed { text, fixes, reports, sources }
}

/// The text with all edits made, or none: `None` where two of them overlap or lie outside.
pub fn apply(text: &str, edits: &[Edit]) -> Option<String> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|e| (e.span.start, e.span.end));
    let (mut out, mut at) = (String::with_capacity(text.len() + 16), 0);
    for edit in edits {
        out.push_str(text.get(at..edit.span.start as usize)?);
        out.push_str(&edit.text);
        at = edit.span.end as usize;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// True where one report is gone and there is no new error.
fn better(before: &[Report], after: &[Report], fixed: &Report) -> bool {
    let key = |r: &Report| (r.code, r.title.clone());
    let count = |all: &[Report], k: &(&str, String)| all.iter().filter(|r| key(r) == *k).count();
    let errors = |all: &[Report]| all.iter().filter(|r| r.severity == Severity::Error).map(key).collect::<Vec<_>>();
    let gone = key(fixed);
    count(after, &gone) < count(before, &gone) && errors(after).iter().all(|k| count(after, k) <= count(before, k))
}

/// The lines that differ, as a unified diff without context.
pub fn diff(name: &str, old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().context_radius(0).header(name, name).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use rord_lang::source::{FileId, Span};

    #[test]
    fn edits_are_made_together_or_not_at_all() {
        let edit = |start, end, text: &str| Edit { span: Span { file: FileId(0), start, end }, text: text.into() };
        assert_eq!(apply("a, b = c", &[edit(0, 0, "{ "), edit(4, 4, " }")]).as_deref(), Some("{ a, b } = c"));
        assert_eq!(apply("abc", &[edit(0, 2, "x"), edit(1, 3, "y")]), None);
        assert_eq!(apply("abc", &[edit(2, 9, "x")]), None);
    }

    #[test]
    fn a_diff_shows_what_changed() {
        assert_eq!(diff("f", "a\nb\nc\n", "a\nB\nc\n"), "--- f\n+++ f\n@@ -2 +2 @@\n-b\n+B\n");
        assert_eq!(diff("f", "a\nc\n", "a\nb\nc\n"), "--- f\n+++ f\n@@ -1,0 +2 @@\n+b\n");
        assert_eq!(diff("f", "a\n", "a\n"), "");
    }
}
