//! Text to tokens.
//!
//! Newlines mean nothing to the grammar; a token only remembers whether it is the first of its line, because that is
//! where the parser picks up again after a mistake. Units are glued to their number: `256px` is one token.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while, take_while1};
use nom::character::complete::{char, digit1, multispace1, one_of};
use nom::combinator::{opt, recognize, value};
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

use super::ast::Comment;
use super::constant::Unit;
use super::foreign;
use super::report::{Report, syntax};
use super::source::{FileId, Span};

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its place.
    pub span: Span,
    /// True for the first token of a line.
    pub first: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // fields are named for what they hold
pub enum TokenKind {
    /// A name or a keyword: which of the two depends on where it stands.
    Name(String),
    /// A number with its unit.
    Number { value: f64, unit: Option<Unit>, whole: Option<u64> },
    /// A string, escapes resolved.
    Text(String),
    /// A line of documentation, without its `##`.
    Doc(String),
    /// Punctuation.
    Mark(&'static str),
    /// The end of the text.
    End,
}

/// Every mark, longest first, so that `|>` is not read as `|` and `>`.
pub const MARKS: [&str; 24] = [
    "|>", "->", "..", "<=", ">=", "==", "(", ")", "[", "]", "{", "}", "<", ">", "=", "+", "-", "*", "/", ",", ":", ".",
    "@", "_",
];

/// Words with a meaning to the grammar. They may name arguments and fields, and nothing else.
pub const KEYWORDS: [&str; 26] = [
    "rord", "pipeline", "import", "param", "preset", "sweep", "input", "data", "model", "layer", "fn", "let", "loss",
    "metric", "minimize", "train", "save", "export", "out", "as", "in", "if", "then", "else", "true", "false",
];

/// The keywords that start an item.
pub const ITEMS: [&str; 17] = [
    "pipeline", "import", "param", "preset", "sweep", "input", "data", "model", "layer", "fn", "let", "loss", "metric",
    "minimize", "train", "save", "export",
];

/// The tokens of a text, ending with [`TokenKind::End`]; its comments; and what was not understood.
pub fn lex(text: &str, file: FileId) -> (Vec<Token>, Vec<Comment>, Vec<Report>) {
    let (mut tokens, mut comments, mut reports) = (Vec::with_capacity(text.len() / 4), Vec::new(), Vec::new());
    // A byte order mark describes how the file is stored, and nothing of the pipeline.
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut first = true;
    let at = |rest: &str| (text.len() - rest.len()) as u32;
    let last_end = text.rfind("*/").unwrap_or(0);
    while !rest.is_empty() {
        let start = at(rest);
        let behind =
            |t: &Token| t.span.end == start && !matches!(t.kind, TokenKind::Mark(m) if !matches!(m, ")" | "]"));
        let ends = (start as usize) < last_end;
        let before = foreign::Before { glued: tokens.last().is_some_and(behind), behind: !first, ends };
        if let Some(foreign) = foreign::read(rest, file, start, before) {
            let end = start + foreign.len as u32;
            let span = Span { file, start, end };
            if let Some(kind) = foreign.kind {
                tokens.push(Token { kind, span, first });
                first = false;
            }
            reports.extend(foreign.report);
            rest = rest.get(foreign.len..).unwrap_or("");
            continue;
        }
        let (after, piece) = match piece(rest) {
            Ok(found) => found,
            Err(_) => {
                let c = rest.chars().next().unwrap_or_default();
                let span = Span { file, start, end: start + c.len_utf8() as u32 };
                if c == '"' {
                    let line = rest.split('\n').next().unwrap_or(rest);
                    let end = start + line.trim_end().len() as u32;
                    reports.push(syntax::unclosed_string(Span { end, ..span }));
                    rest = rest.get(line.len()..).unwrap_or("");
                } else {
                    // Many of one kind in a row are one mistake.
                    let len = rest.find(|other| other != c).unwrap_or(rest.len());
                    reports.push(syntax::unknown_character(Span { end: start + len as u32, ..span }, c));
                    rest = rest.get(len..).unwrap_or("");
                }
                continue;
            }
        };
        let span = Span { file, start, end: at(after) };
        let kind = match piece {
            Piece::Space(newline) => {
                first |= newline;
                rest = after;
                continue;
            }
            Piece::Comment => {
                let whole = rest.get(..rest.len() - after.len()).unwrap_or("").trim_end();
                rest = after;
                match whole.strip_prefix("##").filter(|doc| !doc.starts_with('#')) {
                    Some(doc) => TokenKind::Doc(doc.strip_prefix(' ').unwrap_or(doc).to_string()),
                    None => {
                        comments.push(Comment { text: whole.to_string(), span });
                        continue;
                    }
                }
            }
            Piece::Name(name) => TokenKind::Name(name.to_string()),
            Piece::Text(text) => TokenKind::Text(text),
            Piece::Mark(mark) => TokenKind::Mark(mark),
            Piece::Number(digits, unit) => {
                let mut known = Unit::ALL.into_iter().find(|u| u.name() == unit);
                if known.is_none() && !unit.is_empty() {
                    reports.push(syntax::unknown_unit(span, digits, unit));
                    // Read as what was most likely meant, so that it is not reported again as a number without a unit.
                    known =
                        syntax::nearest_unit(unit).and_then(|near| Unit::ALL.into_iter().find(|u| u.name() == near));
                }
                let value = digits.parse().unwrap_or(f64::INFINITY);
                if !f64::is_finite(value) {
                    reports.push(syntax::huge_number(span));
                }
                TokenKind::Number { value, unit: known, whole: digits.parse().ok() }
            }
        };
        tokens.push(Token { kind, span, first });
        first = false;
        rest = after;
    }
    let end = text.len() as u32;
    tokens.push(Token { kind: TokenKind::End, span: Span { file, start: end, end }, first: true });
    (tokens, comments, reports)
}

/// A token before it has a place.
enum Piece<'a> {
    Space(bool),
    Comment,
    Name(&'a str),
    Number(&'a str, &'a str),
    Text(String),
    Mark(&'static str),
}

fn piece(text: &str) -> IResult<&str, Piece<'_>> {
    alt((
        multispace1.map(|s: &str| Piece::Space(s.contains('\n'))),
        preceded(char('#'), opt(is_not("\n"))).map(|_| Piece::Comment),
        number.map(|(digits, unit)| Piece::Number(digits, unit)),
        name.map(Piece::Name),
        string.map(Piece::Text),
        mark.map(Piece::Mark),
    ))
    .parse(text)
}

fn name(text: &str) -> IResult<&str, &str> {
    let (rest, found) =
        recognize(pair(take_while1(|c: char| c.is_alphabetic() || c == '_'), take_while(part))).parse(text)?;
    match found {
        // A lone `_` is the dim that matches anything.
        "_" => Err(nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Alpha))),
        _ => Ok((rest, found)),
    }
}

/// True for what may go on in a word. Superscripts are powers, which are written as calls.
fn part(c: char) -> bool {
    (c.is_alphanumeric() && !foreign::superscript(c)) || c == '_'
}

fn number(text: &str) -> IResult<&str, (&str, &str)> {
    let fraction = pair(char('.'), digit1);
    let exponent = (one_of("eE"), opt(one_of("+-")), digit1);
    let (rest, digits) = recognize((digit1, opt(fraction), opt(exponent))).parse(text)?;
    let (rest, unit) = take_while(part).parse(rest)?;
    Ok((rest, (digits, unit)))
}

fn string(text: &str) -> IResult<&str, String> {
    let (mut rest, _) = char('"').parse(text)?;
    let mut out = String::new();
    loop {
        let (after, plain) = opt(is_not("\"\\\n")).parse(rest)?;
        out.push_str(plain.unwrap_or(""));
        let (after, escape) = alt((
            value(None, char('"')),
            value(Some('"'), tag("\\\"")),
            value(Some('\\'), tag("\\\\")),
            value(Some('\n'), tag("\\n")),
            value(Some('\t'), tag("\\t")),
        ))
        .parse(after)?;
        match escape {
            None => return Ok((after, out)),
            Some(c) => out.push(c),
        }
        rest = after;
    }
}

fn mark(text: &str) -> IResult<&str, &'static str> {
    MARKS
        .iter()
        .find_map(|m| text.strip_prefix(m).map(|rest| (rest, *m)))
        .ok_or(nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let (tokens, _, reports) = lex(text, FileId(0));
        assert!(reports.is_empty(), "{reports:?}");
        tokens.into_iter().map(|t| t.kind).collect()
    }

    #[test]
    fn ranges_units_and_exponents_are_told_apart() {
        use TokenKind::*;
        assert_eq!(
            kinds("-1px..1e-3"),
            [
                Mark("-"),
                Number { value: 1.0, unit: Some(Unit::Px), whole: Some(1) },
                Mark(".."),
                Number { value: 1e-3, unit: None, whole: None },
                End
            ]
        );
        assert_eq!(kinds("a_1 _ |> \"x\\\"y\""), [Name("a_1".into()), Mark("_"), Mark("|>"), Text("x\"y".into()), End]);
    }

    #[test]
    fn documentation_is_a_token_and_comments_are_kept_aside() {
        let (tokens, comments, _) = lex("## doc\n# note\nlet", FileId(0));
        assert_eq!(tokens.first().map(|t| &t.kind), Some(&TokenKind::Doc("doc".into())));
        assert_eq!(comments.iter().map(|c| c.text.as_str()).collect::<Vec<_>>(), ["# note"]);
        assert!(tokens.get(1).is_some_and(|t| t.first));
    }

    #[test]
    fn mistakes_are_reported_and_reading_goes_on() {
        for (text, code) in [("256pixel", "R0103"), ("\"open\nlet", "R0105"), ("a § b", "R0106"), ("1e999", "R0107")] {
            let (tokens, _, reports) = lex(text, FileId(0));
            assert_eq!(reports.iter().map(|r| r.code).collect::<Vec<_>>(), [code], "{text}");
            assert!(tokens.len() > 1);
        }
    }
}
