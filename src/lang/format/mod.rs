//! The one way a `.rord` text is laid out: `let x=1` becomes `let x = 1`.
//!
//! Only spaces, line ends and commas before closing brackets change, so comments, documentation, brackets and the
//! spelling of numbers stay. Line ends are those of the first line, `\r\n` or `\n`. The rules are in
//! `docs/decisions/formatting.md`.

mod align;
mod doc;
mod expr;
mod item;
mod layout;
mod tokens;

pub use layout::WIDTH;

use super::lex::{Token, TokenKind, lex};
use super::parse::parse;
use super::report::Report;
use super::source::FileId;
use tokens::Cursor;

/// Why a text was not laid out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FormatError {
    /// It is not in the language.
    #[error("the text does not parse")]
    Syntax(Vec<Report>),
    /// What came out would not be the same text: a mistake in this module.
    #[error("the text would not stay the same")]
    Changed,
}

/// The text laid out. It parses to the same tree, holds the same comments in the same order, and is itself laid out
/// already.
pub fn format(text: &str, file: FileId) -> Result<String, FormatError> {
    let (_, reports) = parse(text, file);
    if !reports.is_empty() {
        return Err(FormatError::Syntax(reports));
    }
    let (tokens, comments, _) = lex(text, file);
    let before = essence(&tokens, text, comments.iter().map(|c| c.text.as_str()));
    let mut cursor = Cursor::new(text, tokens.clone(), comments.clone());
    let mut items = Vec::new();
    while !matches!(cursor.peek(), TokenKind::End) {
        items.push(item::line(&mut cursor));
    }
    let formatted = layout::Printer::default().file(items, end(cursor));
    let (tokens, comments, _) = lex(&formatted, file);
    let after = essence(&tokens, &formatted, comments.iter().map(|c| c.text.as_str()));
    if before != after {
        return Err(FormatError::Changed);
    }
    Ok(if ends_in_crlf(text) { formatted.replace('\n', "\r\n") } else { formatted })
}

/// True for a text whose first line ends in `\r\n`: what is laid out does so throughout.
fn ends_in_crlf(text: &str) -> bool {
    text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'))
}

/// The end of the file, with the comments before it.
fn end(mut cursor: Cursor) -> doc::Word {
    let mut word = cursor.take();
    word.text.clear();
    word
}

/// All tokens but commas, then all comments: what laying out must not change.
fn essence<'a>(tokens: &'a [Token], text: &'a str, comments: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word = |t: &'a Token| match &t.kind {
        TokenKind::Mark(",") => None,
        TokenKind::Doc(line) => Some(line.as_str()),
        _ => Some(text.get(t.span.start as usize..t.span.end as usize).unwrap_or("")),
    };
    tokens.iter().filter_map(word).chain(comments).collect()
}
