//! Tokens with the comments before them: what the syntax tree leaves out.

use super::doc::{Doc, Lead, Word};
use crate::ast::Comment;
use crate::lex::{Token, TokenKind};

/// A token, what stands before it, and whether it begins a line.
struct Piece {
    kind: TokenKind,
    word: Word,
    first: bool,
}

/// The tokens of a file, taken one by one. What is asked for beyond the end is empty.
pub struct Cursor {
    pieces: Vec<Piece>,
    at: usize,
}

impl Cursor {
    /// The tokens of `text`, each with the comments and the documentation before it.
    pub fn new(text: &str, tokens: Vec<Token>, comments: Vec<Comment>) -> Self {
        let mut comments = comments.into_iter().peekable();
        let (mut pieces, mut leads) = (Vec::with_capacity(tokens.len()), Vec::new());
        // One past what came last: a token, a comment or documentation.
        let mut end = 0;
        for token in tokens {
            let start = token.span.start as usize;
            while let Some(comment) = comments.next_if(|c| c.span.start < token.span.start) {
                let gap = text.get(end..comment.span.start as usize).unwrap_or("");
                let trailing = end > 0 && !gap.contains('\n');
                leads.push(Lead { text: comment.text, trailing, blank: blank(gap) });
                end = comment.span.end as usize;
            }
            let gap = text.get(end..start).unwrap_or("");
            end = token.span.end as usize;
            if let TokenKind::Doc(line) = &token.kind {
                let text = if line.is_empty() { "##".into() } else { format!("## {line}") };
                leads.push(Lead { text, trailing: false, blank: blank(gap) });
                continue;
            }
            let written = text.get(start..end).unwrap_or("").to_string();
            let word = Word { leads: std::mem::take(&mut leads), text: written, blank: blank(gap) };
            // Documentation that stands before a token on its line is put on a line of its own.
            pieces.push(Piece { kind: token.kind, word, first: token.first });
        }
        Self { pieces, at: 0 }
    }

    fn piece(&self, ahead: usize) -> Option<&Piece> {
        self.pieces.get(self.at + ahead)
    }

    /// The next token.
    pub fn peek(&self) -> &TokenKind {
        self.ahead(0)
    }

    /// A token further on.
    pub fn ahead(&self, ahead: usize) -> &TokenKind {
        self.piece(ahead).map_or(&TokenKind::End, |p| &p.kind)
    }

    /// The next token is this mark.
    pub fn mark(&self, mark: &str) -> bool {
        matches!(self.peek(), TokenKind::Mark(found) if *found == mark)
    }

    /// The next token is this word.
    pub fn named(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Name(found) if found == word)
    }

    /// The next token begins a line.
    pub fn first(&self) -> bool {
        self.piece(0).is_some_and(|p| p.first)
    }

    /// The token after the next begins a line.
    pub fn second_first(&self) -> bool {
        self.piece(1).is_some_and(|p| p.first)
    }

    /// How many tokens were taken.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next token, which is left behind.
    pub fn take(&mut self) -> Word {
        let word = self.pieces.get_mut(self.at).map(|p| std::mem::take(&mut p.word)).unwrap_or_default();
        self.at += 1;
        word
    }

    /// As [`Cursor::take`].
    pub fn word(&mut self) -> Doc {
        Doc::Word(self.take())
    }

    /// Leaves out a comma; comments before it go before what follows.
    pub fn skip_comma(&mut self) {
        if self.mark(",") {
            let mut comma = self.take();
            if let Some(next) = self.pieces.get_mut(self.at) {
                next.word.leads.splice(0..0, comma.leads.drain(..));
            }
        }
    }
}

/// An empty line lies in the gap.
fn blank(gap: &str) -> bool {
    gap.matches('\n').count() > 1
}
