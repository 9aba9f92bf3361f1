//! Characters that would steer a terminal, drawn as signs: what a file holds is shown, and never obeyed.

use std::borrow::Cow;

/// What is shown for a character that steers; `None` for one that is shown as it is. Lines and tabs are layout.
fn sign(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => None,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)),
        '\x7f' => Some('␡'),
        '\u{80}'..='\u{9f}' => Some('\u{fffd}'),
        // These turn the direction of what follows, so that a text reads otherwise than it is.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some('\u{fffd}'),
        _ => None,
    }
}

/// The text with every steering character as a sign: `␛` for escape.
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text).map_or(Cow::Borrowed(text), |(text, _)| Cow::Owned(text))
}

/// As [`visible`], but colors stay: what a program draws around what a file holds.
pub fn visible_but_colors(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| sign(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        let (before, after) = rest.split_at(at);
        out.push_str(&visible(before));
        let inner = after.strip_prefix("\x1b[").unwrap_or("");
        let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';');
        let color = end.filter(|end| inner.get(*end..).is_some_and(|rest| rest.starts_with('m'))).map(|end| end + 3);
        let len = color.unwrap_or(1);
        let (sequence, following) = after.split_at(len);
        out.push_str(&if color.is_some() { Cow::Borrowed(sequence) } else { visible(sequence) });
        rest = following;
    }
    out.push_str(&visible(rest));
    Cow::Owned(out)
}

/// The text with signs, and for every sign the offset behind it in the text and by how many bytes the text has grown until there;
/// `None` where there is nothing to replace. An end of line keeps its `\r`.
pub(super) fn shown(text: &str) -> Option<(String, Vec<(usize, usize)>)> {
    let steers = |c: char| sign(c).is_some();
    if !text.contains(steers) {
        return None;
    }
    let (mut out, mut grown, mut signs) = (String::with_capacity(text.len() + 16), 0, Vec::new());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends_line = c == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n');
        match sign(c).filter(|_| !ends_line) {
            Some(sign) => {
                out.push(sign);
                grown += sign.len_utf8() - c.len_utf8();
                signs.push((at + c.len_utf8(), grown));
            }
            None => out.push(c),
        }
    }
    (!signs.is_empty()).then_some((out, signs))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_drawn_and_nothing_else_is_changed() {
        assert_eq!(visible("a\x1b[2J\u{7f}\0b\t\r\nc\rd"), "a␛[2J␡␀b\t\r\nc␍d");
        assert_eq!(visible("\u{9b}2J é \u{202e}x"), "\u{fffd}2J é \u{fffd}x");
        assert!(matches!(visible("plain: é…\n"), Cow::Borrowed(_)));
        assert_eq!(
            visible_but_colors("\x1b[1;31mred\x1b[0m \x1b[2J \x1b]0;t\x07 \x1b"),
            "\x1b[1;31mred\x1b[0m ␛[2J ␛]0;t␇ ␛"
        );
    }

    #[test]
    fn every_sign_knows_how_far_what_follows_has_moved() {
        let (text, signs) = shown("\x1b\u{85}x\x07").unwrap();
        assert_eq!((text.as_str(), signs), ("␛\u{fffd}x␇", vec![(1, 2), (3, 3), (5, 5)]));
        assert!(shown("a\r\nb").is_none());
    }
}
