//! What a file consists of: its outline, and what can be folded.

use lsp_types::{DocumentSymbol, FoldingRange, FoldingRangeKind, Range, SymbolInformation, SymbolKind as Shown};

use super::hover::brief;
use super::world::{Analysis, Unit, World};
use rord_lang::ast::{Item, ItemKind};
use rord_lang::index::{Symbol, SymbolKind};
use rord_lang::lex::TokenKind;
use rord_lang::source::Span;

/// The most names that a search in all files returns.
const MOST_NAMES: usize = 300;

/// The outline: items, and what is in them.
pub fn symbols(doc: &Analysis) -> Vec<DocumentSymbol> {
    doc.unit.tree.items.iter().flat_map(|item| of_item(doc, item)).collect()
}

fn of_item(doc: &Analysis, item: &Item) -> Vec<DocumentSymbol> {
    let unit = &doc.unit;
    match &item.kind {
        ItemKind::Pipeline { name, about } => {
            let about = about.as_ref().map(|a| a.text.clone());
            let label = if name.text.is_empty() { "pipeline" } else { &name.text };
            vec![entry(unit, label, about, Shown::MODULE, item.span, name.span, vec![])]
        }
        ItemKind::Import { path, names } => {
            let children = names.iter().map(|n| entry(unit, &n.text, None, Shown::FUNCTION, n.span, n.span, vec![]));
            let label = format!("import {}", rord_lang::constant::quoted(&path.text));
            vec![entry(unit, &label, None, Shown::NAMESPACE, item.span, path.span, children.collect())]
        }
        ItemKind::Section { keyword, fields, parts } => {
            let field = |f: &rord_lang::ast::Field| {
                let whole = f.value.as_ref().map_or(f.name.span, |v| f.name.span.to(v.span));
                let value = f.value.as_ref().map(|v| unit.slice(v.span).to_string());
                entry(unit, &f.name.text, value, Shown::PROPERTY, whole, f.name.span, vec![])
            };
            let part = |p: &rord_lang::ast::Part| {
                let whole = p
                    .fields
                    .iter()
                    .filter_map(|f| f.value.as_ref())
                    .fold(p.keyword.to(p.path.span), |w, v| w.to(v.span));
                let children = p.fields.iter().map(field).collect();
                entry(unit, &format!("part {}", p.path.text), None, Shown::NAMESPACE, whole, p.path.span, children)
            };
            let children = fields.iter().map(field).chain(parts.iter().map(part)).collect();
            vec![entry(unit, &keyword.text, None, Shown::NAMESPACE, item.span, keyword.span, children)]
        }
        _ => {
            // Names of this item: those of its patterns, and of what it defines as a whole.
            let own = unit.index.symbols().filter(|(_, s)| s.within.is_none() && item.span.holds(s.span));
            let named = own.filter(|(_, s)| !matches!(s.kind, SymbolKind::Size | SymbolKind::Frame));
            named
                .map(|(id, symbol)| {
                    let mut parts: Vec<&Symbol> = unit.index.parts(id).map(|(_, s)| s).collect();
                    parts.retain(|s| !matches!(s.kind, SymbolKind::Size | SymbolKind::Frame));
                    parts.sort_by_key(|s| s.span.start);
                    let part = |s: &Symbol| of_symbol(doc, s, s.whole, vec![]);
                    of_symbol(doc, symbol, item.span, parts.into_iter().map(part).collect())
                })
                .collect()
        }
    }
}

/// Names of all files whose letters contain those of a query in order, as `dcr` is in `description`: what a file defines as a whole, and outputs of
/// its models. The most that are returned are a few hundred.
#[allow(deprecated)] // the field is deprecated, and still has to be given
pub fn workspace(world: &World, query: &str) -> Vec<SymbolInformation> {
    let wanted: Vec<char> = query.to_lowercase().chars().collect();
    let fits = |name: &str| {
        let mut letters = name.chars().flat_map(char::to_lowercase);
        wanted.iter().all(|c| letters.any(|l| l == *c))
    };
    let mut found = Vec::new();
    for unit in world.all() {
        for (_, symbol) in unit.index.symbols().filter(|(_, s)| fits(&s.name)) {
            let within = symbol.within.and_then(|id| unit.index.symbol(id));
            let inner = within.is_some_and(|_| symbol.kind != SymbolKind::Out);
            if inner || matches!(symbol.kind, SymbolKind::Size | SymbolKind::Frame | SymbolKind::Import) {
                continue;
            }
            found.push(SymbolInformation {
                name: symbol.name.clone(),
                kind: shown(symbol.kind),
                tags: None,
                deprecated: None,
                location: unit.location(symbol.span),
                container_name: within.map(|s| s.name.clone()),
            });
        }
    }
    // What is shorter fits better.
    found.sort_by(|a, b| a.name.len().cmp(&b.name.len()).then_with(|| a.name.cmp(&b.name)));
    found.truncate(MOST_NAMES);
    found
}

/// The kind that editors have for a name.
fn shown(kind: SymbolKind) -> Shown {
    match kind {
        SymbolKind::Model => Shown::CLASS,
        SymbolKind::Layer | SymbolKind::Function | SymbolKind::Import => Shown::FUNCTION,
        SymbolKind::Param | SymbolKind::Preset | SymbolKind::Sweep => Shown::CONSTANT,
        SymbolKind::Data => Shown::STRUCT,
        SymbolKind::Field | SymbolKind::Out => Shown::FIELD,
        SymbolKind::Loss | SymbolKind::Metric | SymbolKind::Objective => Shown::NUMBER,
        SymbolKind::Input => Shown::INTERFACE,
        _ => Shown::VARIABLE,
    }
}

fn of_symbol(doc: &Analysis, symbol: &Symbol, whole: Span, children: Vec<DocumentSymbol>) -> DocumentSymbol {
    let detail = brief(doc, symbol);
    let detail = if detail == symbol.kind.word() { detail } else { format!("{} {detail}", symbol.kind.word()) };
    entry(&doc.unit, &symbol.name, Some(detail), shown(symbol.kind), whole, symbol.span, children)
}

#[allow(deprecated)] // the field is deprecated, and still has to be given
fn entry(
    unit: &Unit,
    name: &str,
    detail: Option<String>,
    kind: Shown,
    whole: Span,
    name_span: Span,
    children: Vec<DocumentSymbol>,
) -> DocumentSymbol {
    // The name lies within the whole, or editors refuse the outline.
    let (range, selection_range) = (unit.range(whole.to(name_span)), unit.range(name_span));
    let children = (!children.is_empty()).then_some(children);
    DocumentSymbol { name: name.into(), detail, kind, tags: None, deprecated: None, range, selection_range, children }
}

/// What can be folded: items, brackets and comments of several lines.
pub fn folding(unit: &Unit) -> Vec<FoldingRange> {
    let mut found: Vec<(Range, Option<FoldingRangeKind>)> = Vec::new();
    found.extend(unit.tree.items.iter().map(|i| (unit.range(i.span), None)));
    let mut open = Vec::new();
    for token in &unit.tokens {
        match &token.kind {
            TokenKind::Mark("(" | "[" | "{") => open.push(token.span),
            TokenKind::Mark(")" | "]" | "}") => {
                if let Some(start) = open.pop() {
                    let mut range = unit.range(start.to(token.span));
                    // The line with the closing bracket stays in sight.
                    range.end.line = range.end.line.saturating_sub(1);
                    found.push((range, None));
                }
            }
            _ => {}
        }
    }
    let docs = unit.tokens.iter().filter(|t| matches!(t.kind, TokenKind::Doc(_))).map(|t| t.span);
    let alone = |s: &Span| {
        let start = unit.lines.start(unit.lines.line(s.start as usize), &unit.text);
        unit.text.get(start..s.start as usize).is_some_and(|before| before.trim().is_empty())
    };
    let mut lines: Vec<u32> =
        unit.comments.iter().map(|c| c.span).chain(docs).filter(alone).map(|s| unit.range(s).start.line).collect();
    lines.sort();
    for block in lines.chunk_by(|a, b| a + 1 == *b) {
        if let (Some(first), Some(last)) = (block.first(), block.last()) {
            let at = |line| lsp_types::Position::new(line, 0);
            found.push((Range::new(at(*first), at(*last)), Some(FoldingRangeKind::Comment)));
        }
    }
    found.retain(|(r, _)| r.start.line < r.end.line);
    found.sort_by_key(|(r, _)| (r.start.line, std::cmp::Reverse(r.end.line)));
    found.dedup_by_key(|(r, _)| r.start.line);
    found
        .into_iter()
        .map(|(r, kind)| FoldingRange {
            start_line: r.start.line,
            end_line: r.end.line,
            kind,
            ..FoldingRange::default()
        })
        .collect()
}
