//! Inlay hints: types that nobody wrote, and arguments that a call took by name.

use std::collections::BTreeMap;

use lsp_types::{InlayHint, InlayHintKind, InlayHintLabel, InlayHintTooltip, Range};

use super::world::Analysis;
use rord_lang::ast::{ItemKind, Let, ModelLine, Name, Pattern};
use rord_lang::source::Span;
use rord_lang::typed::Ambient;

/// The hints of a range.
pub fn hints(doc: &Analysis, range: Range) -> Vec<InlayHint> {
    let unit = &doc.unit;
    let (from, to) = (unit.offset(range.start), unit.offset(range.end));
    let mut found = Vec::new();
    for item in &unit.tree.items {
        match &item.kind {
            ItemKind::Let(binding) => found.extend(of_let(doc, binding)),
            ItemKind::Function(f) => found.extend(f.lets.iter().filter_map(|binding| of_let(doc, binding))),
            ItemKind::Model { body, .. } => {
                for line in body {
                    match line {
                        ModelLine::Let(binding) => found.extend(of_let(doc, binding)),
                        ModelLine::Out { name, ty: None, .. } => found.extend(of_name(doc, name)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    for (call, args) in ambient(doc) {
        let text = unit.slice(call);
        let Some(inner) = text.strip_suffix(')') else { continue };
        let list: Vec<String> = args.iter().map(|a| format!("{} = {}", a.param, a.name)).collect();
        let empty = inner.trim_end().ends_with('(');
        let label = format!("{}{}", if empty { "" } else { ", " }, list.join(", "));
        let at = Span { start: call.end - 1, end: call.end - 1, ..call };
        let tooltip = "left out, and taken by name from what is in scope here";
        found.push((at, label, InlayHintKind::PARAMETER, Some(tooltip)));
    }
    found.sort_by_key(|(at, ..)| at.start);
    let shown = found.into_iter().filter(|(at, ..)| from <= at.start && at.start <= to);
    shown
        .map(|(at, label, kind, tooltip)| InlayHint {
            position: unit.range(at).start,
            label: InlayHintLabel::String(label),
            kind: Some(kind),
            text_edits: None,
            tooltip: tooltip.map(|t| InlayHintTooltip::String(t.into())),
            padding_left: None,
            padding_right: None,
            data: None,
        })
        .collect()
}

type Hint = (Span, String, InlayHintKind, Option<&'static str>);

fn of_let(doc: &Analysis, binding: &Let) -> Option<Hint> {
    match (&binding.pattern, &binding.ty) {
        (Pattern::Name(name), None) => of_name(doc, name),
        _ => None,
    }
}

fn of_name(doc: &Analysis, name: &Name) -> Option<Hint> {
    let ty = type_of(doc, name.span)?;
    Some((name.span.after(), format!(": {ty}"), InlayHintKind::TYPE, None))
}

/// The type of the name at a place, as `rord-run types` prints it.
pub fn type_of(doc: &Analysis, span: Span) -> Option<String> {
    let names = doc.pipeline.names.iter().chain(&doc.pipeline.notes.locals);
    names.filter(|n| !n.name.contains('.')).find(|n| n.span == span).map(|n| doc.pipeline.shown(n))
}

/// What calls of this text took by name, call by call.
pub fn ambient(doc: &Analysis) -> BTreeMap<Span, Vec<&Ambient>> {
    let mut calls: BTreeMap<Span, Vec<&Ambient>> = BTreeMap::new();
    for one in doc.pipeline.notes.ambient.iter().filter(|a| a.call.file == doc.unit.file) {
        let of = calls.entry(one.call).or_default();
        if !of.contains(&one) {
            of.push(one);
        }
    }
    calls
}
