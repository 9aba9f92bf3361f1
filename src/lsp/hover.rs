//! What is under the pointer: types, signatures, manuals.

use std::rc::Rc;

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind};

use super::hints::type_of;
use super::scene;
use super::signature::{callees, of_symbol};
use super::world::{Analysis, Unit, World};
use rord_lang::index::{Symbol, SymbolKind, Target, Use};
use rord_lang::lex::{Token, TokenKind};
use rord_lang::manual;
use rord_lang::report::pages;
use rord_lang::sections;
use rord_lang::source::Span;
use rord_lang::tree::type_expr;
use rord_lang::types::Kind;

/// What is known about the text at a byte.
pub fn hover(world: &World, doc: &Analysis, offset: u32) -> Option<Hover> {
    let unit = &doc.unit;
    let uses = unit.index.all_at(offset);
    let mut parts: Vec<String> = uses.iter().filter_map(|u| about(world, doc, u)).collect();
    parts.dedup();
    let mut span = uses.first().map(|u| u.span);
    if parts.is_empty() {
        // A report's number, as in a comment that speaks of it.
        let word = word_at(unit, offset);
        parts.extend(pages::page(unit.slice(word)).map(str::to_string));
        // The word that an item begins with.
        let begins = |t: &Token| t.span == word && matches!(t.kind, TokenKind::Name(_));
        if parts.is_empty() && unit.tokens.iter().any(begins) {
            parts.extend(manual::item(unit.slice(word)).or_else(|| manual::word(unit.slice(word))));
        }
        span = Some(word);
    }
    if parts.is_empty() {
        return None;
    }
    let value = parts.join("\n\n---\n\n");
    let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
    Some(Hover { contents, range: span.map(|s| unit.range(s)) })
}

fn word_at(unit: &Unit, offset: u32) -> Span {
    let (before, after) = unit.text.split_at_checked(offset as usize).unwrap_or((&unit.text, ""));
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let start = before.len() - before.chars().rev().take_while(|c| part(*c)).map(char::len_utf8).sum::<usize>();
    let end = before.len() + after.chars().take_while(|c| part(*c)).map(char::len_utf8).sum::<usize>();
    Span { file: unit.file, start: start as u32, end: end as u32 }
}

/// A piece of the language, set off.
fn code(text: &str) -> String {
    format!("```rord\n{}\n```", text.trim())
}

/// Without the spaces that make columns.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" :", ":")
}

/// What a use speaks of, in Markdown.
pub fn about(world: &World, doc: &Analysis, used: &Use) -> Option<String> {
    match &used.to {
        Target::Symbol(id) => {
            let symbol = doc.unit.index.symbol(*id)?;
            if symbol.kind == SymbolKind::Import {
                return Some(imported(world, doc, used, symbol));
            }
            Some(of(world, doc, symbol))
        }
        Target::Outside { import, .. } => {
            let from = doc.unit.index.symbol(*import)?;
            let defined = scene::definition(world, &doc.unit, &used.to)?;
            let text = one_line(defined.unit.slice(defined.symbol()?.whole));
            let word = defined.symbol()?.kind.word();
            Some(format!("{}\n\n{word} of `{}`, from \"{}\"", code(&text), from.name, from.path.as_deref()?))
        }
        Target::Operation(name) => operation(world, doc, name, used.span),
        Target::OperationArgument { of, name } => {
            let found = callees(world, &doc.unit, of);
            let param = found.iter().flat_map(|c| &c.params).find(|p| p.name == *name)?;
            let words = match param.words.is_empty() {
                true => String::new(),
                false => format!("\n\nOne of {}.", param.words.join(", ")),
            };
            Some(format!("{}\n\nargument of `{of}`{words}", code(&param.shown)))
        }
        Target::OperationField { of, name } => {
            let operation = world.vocabulary.operation(of)?;
            let offered =
                operation.offers.iter().find(|(n, _)| n == name).map(|(_, ty)| format!(": {}", type_expr(ty)));
            let made = operation.entry.record.iter().any(|(_, field)| field == name);
            let text = offered.or_else(|| made.then(String::new))?;
            Some(format!("{}\n\nfield of what `{of}` gives", code(&format!("{name}{text}"))))
        }
        Target::SectionField { section, name } => {
            let field = sections::field(section, name)?;
            let default =
                field.default.shown().map(|d| format!(" = {d}")).filter(|_| field.default.constant().is_some());
            let head = code(&format!("{name}: {}{}", field.kinds(), default.unwrap_or_default()));
            Some(format!("{head}\n\n{}", field.about))
        }
        Target::Kind(name) => manual::kind(name),
        Target::Lint(name) => manual::lint(name),
        Target::Word(_) => None,
    }
}

/// The signature and the manual of an operation or a function of the library, as `rord-run explain` has it.
fn operation(world: &World, doc: &Analysis, name: &str, span: Span) -> Option<String> {
    let page = page(world, name)?;
    // The call begins with its name; of all values that do, the shortest is the call alone, and of several that stand for one
    // text the last is its value.
    let values = doc.pipeline.values.iter().map(|v| (v.span, &v.ty));
    let parts = doc.pipeline.notes.parts.iter().map(|(span, ty)| (*span, ty));
    let here = values
        .chain(parts)
        .filter(|(s, _)| s.file == span.file && s.start == span.start && s.end >= span.end)
        .enumerate()
        .min_by_key(|(i, (s, _))| (s.end, std::cmp::Reverse(*i)))
        .map(|(_, found)| found);
    let here = here.map(|(_, ty)| format!("here: `{ty}`\n\n")).unwrap_or_default();
    Some(format!("{}\n\n{here}{}", code(&page.0), page.1))
}

/// Usage and manual.
pub fn page(world: &World, name: &str) -> Option<(String, String)> {
    let usage = world.vocabulary.usage(name)?;
    let pages = [world.vocabulary.operation_page(name), world.vocabulary.function_page(name, &world.base)];
    let manual: Vec<String> = pages.into_iter().flatten().map(|p| p.manual).collect();
    Some((usage, manual.join("\n\n---\n\n")))
}

fn imported(world: &World, doc: &Analysis, used: &Use, import: &Symbol) -> String {
    let path = import.path.as_deref().unwrap_or_default();
    let defined = scene::definition(world, &doc.unit, &used.to);
    let callee = defined.and_then(|d| of_symbol(world, &d.unit, d.id).map(|c| (c, d)));
    match callee {
        Some((callee, defined)) => {
            let word = defined.symbol().map_or("", |s| s.kind.word());
            let head = format!("{word} {}", callee.line().0);
            format!("{}\n\nfrom \"{path}\"\n\n{}", code(&head), callee.doc)
        }
        None => format!("{}\n\nfrom \"{path}\"", code(&format!("import {}", import.name))),
    }
}

/// A name of this file.
fn of(world: &World, doc: &Analysis, symbol: &Symbol) -> String {
    let unit = &doc.unit;
    let ty = || type_of(doc, symbol.span).map(|t| format!(": {t}")).unwrap_or_default();
    let name = &symbol.name;
    let doc_lines = symbol.doc.join("\n");
    let with_doc = |head: String| if doc_lines.is_empty() { head } else { format!("{head}\n\n{doc_lines}") };
    match symbol.kind {
        SymbolKind::Param => {
            let info = doc.pipeline.params.iter().find(|p| p.span == symbol.span);
            let about = info.and_then(|p| p.about.clone()).unwrap_or_default();
            // Its meaning is in the text, as a string at the end.
            let text = unit.slice(symbol.whole);
            let bare = if about.is_empty() { text } else { text.rsplit_once(" \"").map_or(text, |(bare, _)| bare) };
            let holds = info.map(|p| format!("`{}` is {}", p.kind.name(), p.kind.holds())).unwrap_or_default();
            let parts = [code(&one_line(bare)), about, holds].map(|p| p.trim().to_string());
            with_doc(parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("\n\n"))
        }
        SymbolKind::Function | SymbolKind::Layer | SymbolKind::Model => {
            let id = unit.index.symbols().find(|(_, s)| s.span == symbol.span).map(|(id, _)| id);
            let callee = id.and_then(|id| of_symbol(world, &Rc::clone(unit), id));
            let line = callee.map_or(name.clone(), |c| c.line().0);
            let mut head = format!("{} {line}", symbol.kind.word());
            for out in doc.pipeline.names.iter().filter(|n| n.span == symbol.span) {
                if let Some((_, field)) = out.name.split_once('.') {
                    head.push_str(&format!("\n  out {field}: {}", doc.pipeline.shown(out)));
                }
            }
            with_doc(code(&head))
        }
        SymbolKind::Data => {
            let mut head = format!("data {name}");
            for set in doc.pipeline.datasets.iter().filter(|d| d.name == *name) {
                for (field, ty) in &set.fields {
                    head.push_str(&format!("\n  {field}: {ty}"));
                }
            }
            with_doc(code(&head))
        }
        SymbolKind::Argument | SymbolKind::Field => {
            let of = symbol
                .within
                .and_then(|id| unit.index.symbol(id))
                .map(|s| format!("\n\n{} of `{}`", symbol.kind.word(), s.name));
            format!("{}{}", code(&one_line(unit.slice(symbol.whole))), of.unwrap_or_default())
        }
        SymbolKind::Frame => {
            let size = doc.pipeline.frames.iter().find(|(f, ..)| f.0 == *name).filter(|_| symbol.within.is_none());
            let size = size.map(|(_, w, h)| format!("\n\nits images are {w} wide and {h} high")).unwrap_or_default();
            format!("frame `@{name}`: the view that maps and places belong to{size}")
        }
        SymbolKind::Size => {
            let known = doc.pipeline.values.iter().flat_map(|v| &v.ty.dims).filter_map(|d| d.as_symbol());
            let id = known.filter(|s| *s.name == **name).map(|s| s.id).next().filter(|_| symbol.within.is_none());
            let value = id.and_then(|id| doc.pipeline.sizes.get(&id)).map(|n| format!(" = {n}"));
            let batch = id.is_some() && id == doc.pipeline.batch;
            let is = if batch { ": how many samples there are in a batch" } else { "" };
            format!("size `{name}{}`{is}", value.unwrap_or_default())
        }
        SymbolKind::Preset | SymbolKind::Sweep => with_doc(code(unit.slice(symbol.whole))),
        SymbolKind::Import | SymbolKind::Unread => code(name),
        _ => with_doc(code(&format!("{} {name}{}", symbol.kind.word(), ty()))),
    }
}

/// What a name of this file is, in a line, for completion.
pub fn brief(doc: &Analysis, symbol: &Symbol) -> String {
    match type_of(doc, symbol.span) {
        Some(ty) => ty,
        None => match symbol.kind {
            SymbolKind::Argument | SymbolKind::Field => {
                let text = doc.unit.slice(symbol.whole);
                text.split_once(':').map_or(text, |(_, ty)| ty.trim()).to_string()
            }
            kind => kind.word().to_string(),
        },
    }
}

/// What the words of a kind's recipes are called by, for completion.
pub fn makes(world: &World, name: &str) -> Option<Kind> {
    let result = world.vocabulary.operation(name)?.result.as_ref()?;
    Kind::named(&result.kind.text)
}
