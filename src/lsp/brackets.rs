//! Which brackets a place is inside of, from tokens alone, so that it is known while the text does not parse.

use super::world::Unit;
use rord_lang::lex::{Token, TokenKind};
use rord_lang::source::Span;

/// The tokens before a place, back to the start of its item.
pub struct Before<'a> {
    tokens: Vec<&'a Token>,
    /// The part of a name right before the place.
    pub prefix: Span,
}

/// An open bracket around a place.
pub struct Open {
    /// The index of its token.
    pub at: usize,
    /// `(`, `[` or `{`.
    pub mark: &'static str,
    /// How many commas lie between it and the place, brackets inside aside.
    pub commas: usize,
    /// The index of the first token of the part around the place: behind the last comma.
    pub part: usize,
}

impl<'a> Before<'a> {
    /// The tokens before a byte; `None` inside of a string, a comment or a number.
    pub fn new(unit: &'a Unit, offset: u32) -> Option<Before<'a>> {
        let inside = |s: Span| s.start < offset && offset <= s.end;
        if unit.comments.iter().any(|c| inside(c.span)) {
            return None;
        }
        let mut prefix = Span { file: unit.file, start: offset, end: offset };
        let mut tokens: Vec<&Token> = Vec::new();
        let from = unit.index.region(offset).map_or(0, |r| r.start);
        for token in unit.tokens.iter().take_while(|t| t.span.start < offset) {
            match &token.kind {
                TokenKind::Name(_) if inside(token.span) => {
                    prefix = token.span;
                    continue;
                }
                TokenKind::Text(_) if offset < token.span.end => return None,
                TokenKind::Number { .. } | TokenKind::Doc(_) if inside(token.span) => return None,
                TokenKind::End => continue,
                _ => {}
            }
            tokens.push(token);
        }
        // An item that the name at hand begins has nothing before it; the item before it is another one.
        tokens.retain(|t| t.span.start >= from);
        Some(Before { tokens, prefix })
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The word at an index.
    pub fn word(&self, at: usize) -> Option<&'a str> {
        match self.tokens.get(at).map(|t| &t.kind) {
            Some(TokenKind::Name(word)) => Some(word),
            _ => None,
        }
    }

    /// The mark at an index.
    pub fn mark(&self, at: usize) -> Option<&'static str> {
        match self.tokens.get(at).map(|t| &t.kind) {
            Some(TokenKind::Mark(mark)) => Some(mark),
            _ => None,
        }
    }

    /// The token at an index.
    pub fn token(&self, at: usize) -> Option<&'a Token> {
        self.tokens.get(at).copied()
    }

    /// The mark right before the place.
    pub fn last_mark(&self) -> Option<&'static str> {
        self.len().checked_sub(1).and_then(|i| self.mark(i))
    }

    /// The word right before the place.
    pub fn last_word(&self) -> Option<&'a str> {
        self.len().checked_sub(1).and_then(|i| self.word(i))
    }

    /// The brackets around the place, innermost last.
    pub fn open(&self) -> Vec<Open> {
        let mut open: Vec<Open> = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match &token.kind {
                TokenKind::Mark(mark @ ("(" | "[" | "{")) => open.push(Open { at, mark, commas: 0, part: at + 1 }),
                TokenKind::Mark(")" | "]" | "}") => {
                    open.pop();
                }
                TokenKind::Mark(",") => {
                    if let Some(last) = open.last_mut() {
                        last.commas += 1;
                        last.part = at + 1;
                    }
                }
                _ => {}
            }
        }
        open
    }

    /// The innermost call around the place: who is called, and the bracket. Lists inside of an argument belong to it.
    pub fn call(&self) -> Option<(&'a str, usize, Open)> {
        for open in self.open().into_iter().rev() {
            let callee = open.at.checked_sub(1).and_then(|i| self.word(i).map(|w| (w, i)));
            match (open.mark, callee) {
                ("(", Some((word, at))) if !rord_lang::lex::KEYWORDS.contains(&word) => {
                    let before = at.checked_sub(1).and_then(|i| self.word(i));
                    let defines = matches!(before, Some("fn" | "layer" | "model"));
                    let attribute = at.checked_sub(1).and_then(|i| self.mark(i)) == Some("@");
                    return (!defines && !attribute).then_some((word, at, open));
                }
                ("{", _) => return None,
                _ => {}
            }
        }
        None
    }

    /// True where a chain hands its value to the word at an index.
    pub fn piped(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|i| self.mark(i)) == Some("|>")
    }
}
