//! One mistake, one report: what follows from a part of the text that was not understood is not reported as well.

use std::collections::{HashMap, HashSet};

use super::Checker;
use crate::ast::File;
use crate::report::{Report, Severity};
use crate::source::Span;

/// True for a report of text that was not understood, or only by a guess. Where an edit makes it right, what else is
/// wrong there is told at once.
fn is_cause(report: &Report) -> bool {
    matches!(report.code, "R0101" | "R0102" | "R0108" | "R0109" | "R0113" | "R0116") && !report.can_be_fixed()
}

impl Checker<'_> {
    /// Drops what is only reported because something before it was not understood.
    pub(super) fn keep_causes(&mut self, tree: &File) {
        self.logs.reports.sort_by_key(|r| (r.place(), r.code));
        let reports = std::mem::take(&mut self.logs.reports);
        let lost: HashSet<&str> = tree.lost.iter().map(String::as_str).collect();
        // The causes of each item, in order.
        let mut causes: HashMap<usize, Vec<Span>> = HashMap::new();
        for place in reports.iter().filter(|r| is_cause(r)).filter_map(Report::place) {
            if let Some(item) = item_at(tree, place) {
                causes.entry(item).or_default().push(place);
            }
        }
        let mut last_cause: Option<Span> = None;
        let kept = reports.into_iter().filter(|report| {
            let Some(place) = report.place().filter(|_| report.severity == Severity::Error) else { return true };
            if is_cause(report) {
                // On one line the first says it.
                let again = matches!(report.code, "R0102" | "R0108");
                let again = again && last_cause.is_some_and(|last| self.on_one_line(last, place));
                last_cause = Some(place);
                return !again;
            }
            let of_item = item_at(tree, place).and_then(|item| causes.get(&item));
            let follows = of_item.is_some_and(|causes| {
                let before = causes.partition_point(|cause| cause.start <= place.start);
                before > 0 || causes.get(before).is_some_and(|next| self.on_one_line(place, *next))
            });
            let nameless = tree.nameless && matches!(report.code, "R0201" | "R0202" | "R0205" | "R0801" | "R0810");
            let of_text = report.code.starts_with("R01");
            of_text || !follows && !nameless && !self.is_lost(report, place, &lost)
        });
        let kept: Vec<Report> = kept.collect();
        self.logs.reports = kept;
    }

    /// True where a name is missing, or there twice, that stands in text which was not understood.
    fn is_lost(&self, report: &Report, place: Span, lost: &HashSet<&str>) -> bool {
        let written = self.sources.text(place);
        let name = match report.code {
            "R0201" | "R0202" | "R0204" | "R0206" | "R0212" | "R0217" | "R0801" | "R0810" => written,
            "R0218" => written.rsplit('.').next().unwrap_or(written),
            "R0205" => report.title.rsplit('`').nth(1).unwrap_or(""),
            // Its `out` stands behind the mistake.
            "R0223" => "out",
            _ => return false,
        };
        lost.contains(name)
    }

    /// True for places of one line, the first one first.
    fn on_one_line(&self, one: Span, other: Span) -> bool {
        const LONGEST: u32 = 500;
        let near = one.file == other.file && other.start.saturating_sub(one.start) < LONGEST;
        let between = Span { end: other.start.max(one.start), ..one };
        near && !self.sources.text(between).contains('\n')
    }
}

/// The item that a place of the file belongs to: the last that begins before it.
fn item_at(tree: &File, place: Span) -> Option<usize> {
    let own = tree.items.first().is_some_and(|item| item.span.file == place.file);
    let at = tree.items.partition_point(|item| item.span.start <= place.start).checked_sub(1);
    at.filter(|_| own)
}
