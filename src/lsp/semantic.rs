//! Semantic tokens: what each word of a text is, for colors.

use lsp_types::{SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokens, SemanticTokensLegend};

use super::world::Unit;
use rord_lang::index::{How, SymbolKind, Target};
use rord_lang::lex::{KEYWORDS, TokenKind};
use rord_lang::source::Span;

/// The types, by the numbers that tokens speak of them.
const TYPES: [SemanticTokenType; 14] = [
    SemanticTokenType::KEYWORD,
    SemanticTokenType::NUMBER,
    SemanticTokenType::STRING,
    SemanticTokenType::COMMENT,
    SemanticTokenType::OPERATOR,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::PARAMETER,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::CLASS,
    SemanticTokenType::TYPE,
    SemanticTokenType::TYPE_PARAMETER,
    SemanticTokenType::ENUM_MEMBER,
    SemanticTokenType::DECORATOR,
];

const MODIFIERS: [SemanticTokenModifier; 4] = [
    SemanticTokenModifier::DECLARATION,
    SemanticTokenModifier::READONLY,
    SemanticTokenModifier::DEFAULT_LIBRARY,
    SemanticTokenModifier::DOCUMENTATION,
];

const DECLARATION: u32 = 1;
const READONLY: u32 = 2;
const LIBRARY: u32 = 4;
const DOCUMENTATION: u32 = 8;

/// What the numbers mean.
pub fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend { token_types: TYPES.to_vec(), token_modifiers: MODIFIERS.to_vec() }
}

/// All tokens of a text.
pub fn tokens(unit: &Unit) -> SemanticTokens {
    let mut found: Vec<(Span, SemanticTokenType, u32)> =
        unit.comments.iter().map(|c| (c.span, SemanticTokenType::COMMENT, 0)).collect();
    let mut previous = "";
    for token in &unit.tokens {
        let (kind, modifiers) = match &token.kind {
            TokenKind::Number { .. } => (SemanticTokenType::NUMBER, 0),
            TokenKind::Text(_) => (SemanticTokenType::STRING, 0),
            TokenKind::Doc(_) => (SemanticTokenType::COMMENT, DOCUMENTATION),
            TokenKind::Mark(mark) => {
                previous = mark;
                if !matches!(*mark, "|>" | "->" | ".." | "<=" | ">=" | "==" | "<" | ">" | "=" | "+" | "-" | "*" | "/") {
                    continue;
                }
                (SemanticTokenType::OPERATOR, 0)
            }
            TokenKind::End => continue,
            TokenKind::Name(word) => match named(unit, token.span) {
                Some(found) => found,
                None if previous == "@" => (SemanticTokenType::DECORATOR, 0),
                None if KEYWORDS.contains(&word.as_str()) || matches!(word.as_str(), "unit" | "none") => {
                    (SemanticTokenType::KEYWORD, 0)
                }
                None => {
                    previous = "";
                    continue;
                }
            },
        };
        if !matches!(token.kind, TokenKind::Mark(_)) {
            previous = "";
        }
        found.push((token.span, kind, modifiers));
    }
    found.sort_by_key(|(span, ..)| span.start);
    let (mut line, mut column, mut data) = (0, 0, Vec::new());
    for (span, kind, token_modifiers_bitset) in found {
        // A comment's span may hold the end of its line.
        let range = unit.range(Span { end: span.start + unit.slice(span).trim_end().len() as u32, ..span });
        let Some(token_type) = TYPES.iter().position(|t| *t == kind) else { continue };
        if range.start.line != range.end.line {
            continue;
        }
        let delta_line = range.start.line - line;
        let delta_start = if delta_line == 0 { range.start.character - column } else { range.start.character };
        (line, column) = (range.start.line, range.start.character);
        let length = range.end.character - range.start.character;
        data.push(SemanticToken {
            delta_line,
            delta_start,
            length,
            token_type: token_type as u32,
            token_modifiers_bitset,
        });
    }
    SemanticTokens { result_id: None, data }
}

/// What a name is.
fn named(unit: &Unit, span: Span) -> Option<(SemanticTokenType, u32)> {
    let used = unit.index.at(span.start).filter(|u| u.span == span)?;
    let declares = if used.how == How::Definition { DECLARATION } else { 0 };
    Some(match &used.to {
        Target::Symbol(id) => {
            let kind = match unit.index.symbol(*id)?.kind {
                SymbolKind::Model => SemanticTokenType::CLASS,
                SymbolKind::Layer | SymbolKind::Function | SymbolKind::Import => SemanticTokenType::FUNCTION,
                SymbolKind::Argument => SemanticTokenType::PARAMETER,
                SymbolKind::Field => SemanticTokenType::PROPERTY,
                SymbolKind::Size | SymbolKind::Frame => SemanticTokenType::TYPE_PARAMETER,
                SymbolKind::Param => return Some((SemanticTokenType::VARIABLE, declares | READONLY)),
                _ => SemanticTokenType::VARIABLE,
            };
            (kind, declares)
        }
        Target::Outside { .. } | Target::OperationArgument { .. } => (SemanticTokenType::PARAMETER, 0),
        Target::OperationField { .. } | Target::SectionField { .. } => (SemanticTokenType::PROPERTY, 0),
        Target::Operation(_) => (SemanticTokenType::FUNCTION, LIBRARY),
        Target::Kind(_) => (SemanticTokenType::TYPE, LIBRARY),
        Target::Lint(_) | Target::Word(_) => (SemanticTokenType::ENUM_MEMBER, 0),
    })
}
