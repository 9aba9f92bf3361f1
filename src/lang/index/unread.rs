//! The names that an item uses that could not be read: found in its tokens, as in `loss x = bce(det,` while it is being
//! written.

use super::walk::Walk;
use super::{How, SymbolKind, Target};
use crate::ast::{Item, ItemKind, Name};
use crate::lex::{KEYWORDS, Token, TokenKind};
use crate::source::Span;
use crate::types::Kind;

/// Notes the names inside of a broken item: locals of a function or a model, then everything that speaks of a known
/// name.
pub fn read(walk: &mut Walk<'_>, item: &Item, region: Span, tokens: &[Token]) {
    let ItemKind::Broken { defines } = &item.kind else { return };
    let from = tokens.partition_point(|t| t.span.start < region.start);
    let behind = tokens.get(from..).unwrap_or(&[]).iter();
    let inside: Vec<&Token> =
        behind.take_while(|t| region.holds(t.span)).filter(|t| t.kind != TokenKind::End).collect();
    let word = |i: usize| match inside.get(i).map(|t| &t.kind) {
        Some(TokenKind::Name(word)) => Some(word.as_str()),
        _ => None,
    };
    let mark = |i: usize| match inside.get(i).map(|t| &t.kind) {
        Some(TokenKind::Mark(mark)) => Some(*mark),
        _ => None,
    };
    let head = (0..inside.len()).find_map(word);
    let body = matches!(head, Some("fn" | "layer" | "model"));
    let braces = |wanted: &str| (0..inside.len()).filter(|i| mark(*i) == Some(wanted)).count();
    let until = if braces("{") > braces("}") { walk.reach } else { region.end };
    let mut locals = Vec::new();
    for i in 0..inside.len() {
        let (Some(name), Some(token)) = (word(i), inside.get(i)) else { continue };
        if KEYWORDS.contains(&name) || defines.iter().any(|d| d.span == token.span) {
            continue;
        }
        let at = Name { text: name.to_string(), span: token.span };
        let opens = i > 0 && matches!(mark(i - 1), Some("(" | ","));
        let named = i > 0 && matches!(word(i - 1), Some("let" | "out"));
        let argument = opens && mark(i + 1) == Some(":");
        if body && (argument || named) {
            let kind = if argument { SymbolKind::Argument } else { SymbolKind::Let };
            let id = walk.define(&at, kind, token.span, walk.defined(defines));
            walk.show(id, token.span.end, until);
            locals.push((at.text, id));
            continue;
        }
        let behind = if i > 0 { mark(i - 1) } else { None };
        let local = locals.iter().rev().find(|(n, _)| n == name).map(|(_, id)| Target::Symbol(*id));
        match behind {
            // The name of an argument, a member and a frame are no names of the file.
            Some("." | "@") => {}
            _ if mark(i + 1) == Some("=") => {}
            Some(":") if Kind::named(name).is_some() => {
                walk.see(token.span, Target::Kind(name.to_string()), How::Plain)
            }
            _ => {
                if let Some(to) = local.or_else(|| walk.meant(name)) {
                    walk.see(token.span, to, How::Plain);
                }
            }
        }
    }
}
