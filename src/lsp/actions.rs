//! Code actions: the edits that reports propose, one or all, and keeping something knowingly.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use lsp_types::{CodeAction, CodeActionContext, CodeActionKind, CodeActionOrCommand, Range, TextEdit, WorkspaceEdit};

use super::world::{Analysis, World};
use super::{diagnostics, extract, format};
use rord_lang::report::lints::lint_of;
use rord_lang::report::{Certainty, Report};
use rord_lang::source::{Sources, Span};
use rord_project::fix;

/// The actions for a range.
pub fn actions(world: &World, doc: &Analysis, range: Range, context: &CodeActionContext) -> Vec<CodeActionOrCommand> {
    let unit = &doc.unit;
    let (from, to) = (unit.offset(range.start), unit.offset(range.end));
    let wanted = |kind: &CodeActionKind| match &context.only {
        None => true,
        Some(only) => only.iter().any(|o| {
            let (o, kind) = (o.as_str(), kind.as_str());
            kind == o || kind.strip_prefix(o).is_some_and(|rest| rest.starts_with('.'))
        }),
    };
    let mut found = Vec::new();
    if wanted(&CodeActionKind::QUICKFIX) {
        let touched =
            |r: &&Report| r.place().is_some_and(|p| p.file == unit.file && p.start <= to && from <= p.end.max(p.start));
        for report in doc.reports.iter().filter(touched) {
            found.extend(fix_for(world, doc, report));
            found.extend(allow(world, doc, report));
        }
    }
    if from < to && wanted(&CodeActionKind::REFACTOR_EXTRACT) {
        found.extend(extract::extract(world, doc, from, to));
    }
    if wanted(&CodeActionKind::SOURCE_FIX_ALL) {
        found.extend(fix_all(world, doc));
    }
    found.into_iter().map(CodeActionOrCommand::CodeAction).collect()
}

/// Edits of the text.
pub fn edit(doc: &Analysis, edits: Vec<TextEdit>) -> WorkspaceEdit {
    // The addresses are made of text and hash as such.
    #[allow(clippy::mutable_key_type)]
    let changes = HashMap::from([(doc.unit.uri.clone(), edits)]);
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
}

/// The edits of one report, which are made together.
fn fix_for(world: &World, doc: &Analysis, report: &Report) -> Option<CodeAction> {
    if report.edits.is_empty() || report.edits.iter().any(|e| e.span.file != doc.unit.file) {
        return None;
    }
    let help = report.help.as_deref().and_then(|h| h.lines().next()).unwrap_or(&report.title);
    let edits = report.edits.iter().map(|e| TextEdit::new(doc.unit.range(e.span), e.text.clone())).collect();
    Some(CodeAction {
        title: help.split_whitespace().collect::<Vec<_>>().join(" "),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![diagnostics::one(world, doc, report, true)]),
        edit: Some(edit(doc, edits)),
        is_preferred: Some(report.certainty == Certainty::Certain),
        ..CodeAction::default()
    })
}

/// `@allow(lint, "why")` before the item that a lint speaks of.
fn allow(world: &World, doc: &Analysis, report: &Report) -> Option<CodeAction> {
    let lint = lint_of(report.code)?;
    let unit = &doc.unit;
    let place = report.place()?;
    let item = unit.tree.items.iter().find(|i| i.span.holds(place))?;
    let line = unit.lines.start(unit.lines.line(item.span.start as usize), &unit.text);
    let indent = unit.text.get(line..item.span.start as usize).filter(|t| t.trim().is_empty()).unwrap_or("");
    let at = unit.range(Span { end: item.span.start, ..item.span });
    let text = format!("@allow({lint}, \"why this is meant\")\n{indent}");
    Some(CodeAction {
        title: format!("Keep it knowingly: @allow({lint}, …)"),
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![diagnostics::one(world, doc, report, true)]),
        edit: Some(edit(doc, vec![TextEdit::new(at, text)])),
        is_preferred: Some(false),
        ..CodeAction::default()
    })
}

/// All that `rord-run check --fix` would fix.
fn fix_all(world: &World, doc: &Analysis) -> Option<CodeAction> {
    if !doc.reports.iter().any(Report::can_be_fixed) {
        return None;
    }
    let unit = &doc.unit;
    let check = |text: &str| -> (Vec<Report>, Sources) {
        let new = world.unit(unit.uri.clone(), unit.path.clone(), unit.real.clone(), text.to_string());
        let found = world.check(Rc::new(new), &|_: &Path| None);
        (found.reports, found.sources)
    };
    let fixed = fix::fix(&unit.text, check);
    let edits = format::edits(unit, &fixed.text);
    (!edits.is_empty()).then(|| CodeAction {
        title: format!("Fix all that can be fixed ({})", fixed.fixes.len()),
        kind: Some(CodeActionKind::SOURCE_FIX_ALL),
        edit: Some(edit(doc, edits)),
        ..CodeAction::default()
    })
}
