//! What people write out of habit: marks of other languages, numbers with other rules, characters that only look right.
//!
//! Each is reported once and read as what it was meant for, so that `.5 × x` gives two reports and nothing after them.

use super::lex::TokenKind;
use super::report::{Report, syntax};
use super::source::{FileId, Span};

/// Something written as elsewhere.
pub struct Foreign {
    /// How many bytes it takes.
    pub len: usize,
    /// What it was meant for; `None` for what can be left out.
    pub kind: Option<TokenKind>,
    /// What is said about it; `None` where only the parser knows what it belongs to.
    pub report: Option<Report>,
}

/// Marks of other languages: what is written, how it is read, what replaces it where that is certain, and what to do.
const MARKS: [(&str, &str, Option<&str>, &str); 9] = [
    ("**", "*", None, "a square is written  square(x),  a root  sqrt(x)"),
    ("^", "*", None, "a square is written  square(x),  a root  sqrt(x)"),
    ("!=", "==", None, "compare with `==` and exchange the branches:  if a == b then … else …"),
    ("&&", "==", None, ""),
    ("&", "==", None, ""),
    ("||", "==", None, ""),
    ("...", "..", Some(".."), "a range has two dots, as in  0.8..1.2"),
    ("=>", "->", Some("->"), "an arrow is written ->"),
    ("|", "|>", Some("|>"), "a chain is written with  |>"),
];

/// Characters that look like a mark of the language.
const LOOKALIKES: [(char, &str); 24] = [
    ('（', "("),
    ('）', ")"),
    ('［', "["),
    ('］', "]"),
    ('｛', "{"),
    ('｝', "}"),
    ('，', ","),
    ('：', ":"),
    ('＝', "="),
    ('＋', "+"),
    ('＊', "*"),
    ('／', "/"),
    ('−', "-"),
    ('–', "-"),
    ('—', "-"),
    ('×', "*"),
    ('·', "*"),
    ('∗', "*"),
    ('⋅', "*"),
    ('÷', "/"),
    ('≤', "<="),
    ('≥', ">="),
    ('→', "->"),
    ('…', ".."),
];

/// Spaces that are none to the language.
fn odd_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{3000}' | '\u{feff}')
}

/// What stands between foreign quotes is looked for this far, in bytes.
const LONGEST_QUOTE: usize = 500;

/// Where a text that is written as elsewhere begins.
#[derive(Clone, Copy, Default)]
pub struct Before {
    /// Right behind a name or a bracket.
    pub glued: bool,
    /// Behind something else on its line.
    pub behind: bool,
    /// A `*/` follows somewhere.
    pub ends: bool,
}

/// What stands at the beginning of `rest`, if it is written as elsewhere.
pub fn read(rest: &str, file: FileId, start: u32, before: Before) -> Option<Foreign> {
    let Before { glued, behind, ends } = before;
    let c = rest.chars().next()?;
    let span = |len: usize| Span { file, start, end: start + len as u32 };
    // `H//2` between a name and a size is a division, not a comment.
    if glued && rest.strip_prefix("//").is_some_and(|r| r.starts_with(|c: char| c.is_alphanumeric())) {
        let report = syntax::foreign_mark(span(2), "//", Some("/"), "sizes are divided by  /  and have to divide");
        return Some(Foreign { len: 2, kind: Some(TokenKind::Mark("/")), report: Some(report) });
    }
    if rest.starts_with("//") || rest.starts_with("/*") {
        let line = rest.split('\n').next().unwrap_or(rest).trim_end().len();
        let len = rest.strip_prefix("/*").filter(|_| ends).and_then(|r| r.find("*/")).map_or(line, |n| n + 4);
        let report = syntax::foreign_comment(span(2), rest.starts_with("//"), behind);
        return Some(Foreign { len, kind: None, report: Some(report) });
    }
    if let Some((len, mark)) = power(rest) {
        return Some(Foreign { len, kind: Some(TokenKind::Mark(mark)), report: None });
    }
    if let Some((written, read, edit, help)) = MARKS.iter().find(|(written, ..)| rest.starts_with(written))
        && !rest.starts_with("|>")
    {
        let report = syntax::foreign_mark(span(written.len()), written, *edit, help);
        return Some(Foreign { len: written.len(), kind: Some(TokenKind::Mark(read)), report: Some(report) });
    }
    let closing = match c {
        '\'' => Some('\''),
        '`' => Some('`'),
        '“' | '”' | '„' => Some('”'),
        '‘' => Some('’'),
        '«' => Some('»'),
        _ => None,
    };
    if let Some(closing) = closing {
        let body = rest.get(c.len_utf8()..)?;
        let closes = |d: char| d == closing || (closing == '”' && d == '“');
        let end = body.char_indices().take_while(|(i, d)| *i < LONGEST_QUOTE && *d != '\n').find(|(_, d)| closes(*d));
        let inner = body.get(..end?.0)?;
        let close = body.get(inner.len()..)?.chars().next()?;
        let len = c.len_utf8() + inner.len() + close.len_utf8();
        let report = syntax::foreign_quotes(span(len), c, inner);
        return Some(Foreign { len, kind: Some(TokenKind::Text(inner.to_string())), report: Some(report) });
    }
    if let Some((_, mark)) = LOOKALIKES.iter().find(|(like, _)| *like == c) {
        let len = c.len_utf8();
        let report = syntax::lookalike(span(len), c, mark);
        return Some(Foreign { len, kind: Some(TokenKind::Mark(mark)), report: Some(report) });
    }
    if odd_space(c) {
        let len = rest.find(|c| !odd_space(c)).unwrap_or(rest.len());
        return Some(Foreign { len, kind: None, report: Some(syntax::odd_space(span(len), c)) });
    }
    if c == '?' {
        return Some(Foreign { len: 1, kind: Some(TokenKind::Mark("?")), report: None });
    }
    number(rest, glued).map(|(len, written, unit, help)| {
        let unit = super::constant::Unit::ALL.into_iter().find(|u| u.name() == unit);
        let value = written.parse().unwrap_or(f64::NAN);
        let text = format!("{written}{}", unit.map_or("", |u| u.name()));
        let whole = written.parse().ok();
        let report = syntax::foreign_number(span(len), rest.get(..len).unwrap_or(""), &text, help);
        Foreign { len, kind: Some(TokenKind::Number { value, unit, whole }), report: Some(report) }
    })
}

/// True for a digit above the line, which is a power and no part of a name.
pub fn superscript(c: char) -> bool {
    matches!(c, '¹' | '²' | '³' | '⁰'..='⁹')
}

/// A power that has a name here, `H^-1`, `H⁻¹`, `x²` or `x**2`: its length, and the mark by which the parser knows it.
fn power(rest: &str) -> Option<(usize, &'static str)> {
    const POWERS: [(&str, &str); 12] = [
        ("^-1", "^-1"),
        ("^(-1)", "^-1"),
        ("^{-1}", "^-1"),
        ("**-1", "^-1"),
        ("**(-1)", "^-1"),
        ("⁻¹", "^-1"),
        ("^2", "^2"),
        ("^{2}", "^2"),
        ("**2", "^2"),
        ("** 2", "^2"),
        ("^ 2", "^2"),
        ("²", "^2"),
    ];
    let (written, mark) = POWERS.iter().find(|(written, _)| rest.starts_with(written))?;
    // `x^2.5` and `x^20` are other powers.
    let more = rest
        .get(written.len()..)?
        .starts_with(|c: char| c.is_alphanumeric() || superscript(c) || matches!(c, '.' | '_'));
    (!more).then_some((written.len(), *mark))
}

/// A number with other rules: its length, how it is written here, its unit, and the rule.
fn number(rest: &str, glued: bool) -> Option<(usize, String, &str, &'static str)> {
    let digits = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
    let unit = |s: &'_ str| s.find(|c: char| !c.is_alphanumeric()).unwrap_or(s.len());
    let n = digits(rest);
    let after = rest.get(n..)?;
    if n == 0 {
        let fraction = digits(rest.strip_prefix('.').filter(|_| !glued)?);
        let tail = rest.get(1 + fraction..)?;
        let exponent = exponent(tail);
        let len = 1 + fraction + exponent;
        return (fraction > 0)
            .then(|| rest.get(..len).map(|t| (len, format!("0{t}"), "", "a number begins with a digit")))
            .flatten();
    }
    if let Some(tail) = after.strip_prefix('.')
        && !tail.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c.is_alphabetic() || c == '_')
    {
        return Some((n + 1, format!("{}.0", rest.get(..n)?), "", "a point has digits on both sides"));
    }
    // With its fraction, the number may be followed by what does not belong to one.
    let fraction = after.strip_prefix('.').map_or(0, digits);
    let n = if fraction > 0 { n + 1 + fraction } else { n };
    let (head, after) = (rest.get(..n)?, rest.get(n..)?);
    if after.starts_with('%') {
        // Divided as a decimal, so that `28.5%` is 0.285 to the last digit.
        let share = format!("{head}e-2").parse::<f64>().ok()?;
        return Some((n + 1, super::constant::number(share), "", "a share is written as a number from 0 to 1"));
    }
    if let Some(tail) = after.strip_prefix('_')
        && tail.starts_with(|c: char| c.is_ascii_digit())
    {
        let len = n + after.find(|c: char| c != '_' && !c.is_ascii_digit()).unwrap_or(after.len());
        let unit_len = unit(rest.get(len..)?);
        let written = rest.get(..len)?.replace('_', "");
        return Some((len + unit_len, written, rest.get(len..len + unit_len)?, "digits are written together"));
    }
    let tail = after.strip_prefix(['e', 'E']).and_then(|t| t.strip_prefix(['−', '–']))?;
    let exponent = digits(tail);
    let len = rest.len() - tail.len() + exponent;
    (exponent > 0)
        .then(|| tail.get(..exponent).map(|e| (len, format!("{head}e-{e}"), "", "the minus sign is -")))
        .flatten()
}

fn exponent(text: &str) -> usize {
    let Some(tail) = text.strip_prefix(['e', 'E']) else { return 0 };
    let signed = tail.strip_prefix(['+', '-']).unwrap_or(tail);
    let digits = signed.find(|c: char| !c.is_ascii_digit()).unwrap_or(signed.len());
    if digits == 0 { 0 } else { text.len() - signed.len() + digits }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const ENDS: Before = Before { glued: false, behind: false, ends: true };

    #[test]
    fn what_is_meant_is_read() {
        let mark = |m| Some(TokenKind::Mark(m));
        let number = |value: f64, whole| Some(TokenKind::Number { value, unit: None, whole });
        for (text, len, kind) in [
            ("** 3", 2, mark("*")),
            ("**2", 3, mark("^2")),
            ("^-1)", 3, mark("^-1")),
            ("⁻¹)", 5, mark("^-1")),
            ("^20", 1, mark("*")),
            ("| relu", 1, mark("|>")),
            ("...1", 3, mark("..")),
            ("'a b' c", 5, Some(TokenKind::Text("a b".into()))),
            ("“a”", 7, Some(TokenKind::Text("a".into()))),
            ("（1", 3, mark("(")),
            (".5 * x", 2, number(0.5, None)),
            (".5e-3", 5, number(0.5e-3, None)),
            ("1. * x", 2, number(1.0, None)),
            ("80%", 3, number(0.8, None)),
            ("1_000", 5, number(1000.0, Some(1000))),
            ("1e−3", 6, number(1e-3, None)),
            ("// note\nlet", 7, None),
            ("/* a */ let", 7, None),
        ] {
            let found = read(text, FileId(0), 0, ENDS).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.len, &found.kind), (len, &kind), "{text}");
        }
        for text in ["|> relu", "0.8..1.2", "1..2", "1.5", "1e-3", "256px", "->", "/ 2", "x", "1.x"] {
            assert!(read(text, FileId(0), 0, ENDS).is_none(), "{text}");
        }
        assert!(read(".5", FileId(0), 0, Before { glued: true, ..ENDS }).is_none());
    }
}
