//! Pieces of a page: text that is data, tables, code, numbers.

use rord_lang::lex::{KEYWORDS, TokenKind, lex};
use rord_lang::report::visible::visible;
use rord_lang::source::FileId;

/// A text of data as HTML holds it, in a paragraph and in an attribute. What would steer a terminal or turn the direction of letters is shown
/// as a sign.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A cell of a table: its class and its content, which is HTML.
pub type Cell = (&'static str, String);

/// A cell with a text of data.
pub fn cell(text: &str) -> Cell {
    ("", escaped(text))
}

/// A cell with a name or a value as the language writes it.
pub fn code_cell(text: &str) -> Cell {
    ("c", escaped(text))
}

/// A cell with a number, whose digits stand below each other.
pub fn number_cell(text: &str) -> Cell {
    ("r", escaped(text))
}

/// A table that scrolls by itself where it is too wide. The heads are HTML.
pub fn table(heads: &[Cell], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    let line = |tag: &str, cells: &[Cell]| {
        let cells = cells.iter().map(|(class, content)| match class.is_empty() {
            true => format!("<{tag}>{content}</{tag}>"),
            false => format!("<{tag} class=\"{class}\">{content}</{tag}>"),
        });
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let head = if heads.is_empty() { String::new() } else { format!("<thead>{}</thead>", line("th", heads)) };
    let body: String = rows.into_iter().map(|row| line("td", &row) + "\n").collect();
    format!("<div class=\"scroll\"><table>{head}<tbody>{body}</tbody></table></div>\n")
}

/// A list of names with what they are, for what there is; nothing where there is nothing.
pub fn facts(rows: &[(&str, String)]) -> String {
    let row = |(name, value): &(&str, String)| {
        (!value.is_empty()).then(|| format!("<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value)))
    };
    let rows: String = rows.iter().filter_map(row).collect();
    if rows.is_empty() { rows } else { format!("<dl>{rows}</dl>\n") }
}

/// What opens on a click.
pub fn details(summary: &str, inside: &str) -> String {
    format!("<details><summary>{}</summary>{inside}</details>\n", escaped(summary))
}

/// A text of the language with its words in colors.
pub fn code(text: &str) -> String {
    let (tokens, comments, _) = lex(text, FileId(0));
    let kind = |kind: &TokenKind| match kind {
        TokenKind::Name(name) if KEYWORDS.contains(&name.as_str()) => "k",
        TokenKind::Number { .. } => "n",
        TokenKind::Text(_) => "s",
        TokenKind::Doc(_) => "d",
        _ => "",
    };
    let tokens = tokens.iter().map(|t| (t.span, kind(&t.kind))).chain(comments.iter().map(|c| (c.span, "d")));
    let mut marks: Vec<_> = tokens.filter(|(_, class)| !class.is_empty()).collect();
    marks.sort_by_key(|(span, _)| span.start);
    let (mut out, mut at) = (String::from("<pre class=\"code\">"), 0);
    let part = |from: usize, to: usize| escaped(text.get(from..to).unwrap_or_default());
    for (span, class) in marks {
        let (start, end) = (span.start as usize, span.end as usize);
        if start < at || text.get(start..end).is_none() {
            continue;
        }
        out += &format!("{}<i class=\"{class}\">{}</i>", part(at, start), part(start, end));
        at = end;
    }
    out + &part(at, text.len()) + "</pre>\n"
}

/// The address of a file that lies in the page itself.
pub fn data_address(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", base64(bytes))
}

/// Bytes as letters, six bits each.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let six = bits >> (18 - 6 * place) & 63;
            let letter = LETTERS.get(six as usize).filter(|_| place <= three.len());
            out.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    out
}

/// The seconds between two moments as records have them: `2026-11-23T12:52:16Z`.
pub fn seconds_between(from: &str, to: &str) -> Option<f64> {
    let moment = |text: &str| {
        let numbers: Option<Vec<i64>> =
            text.trim_end_matches('Z').split(['-', 'T', ':']).map(|n| n.parse().ok()).collect();
        let [y, m, d, hour, minute, second] = numbers?.try_into().ok()?;
        // Days since a day before Christ, by years that begin in March.
        let (y, m) = if m <= 2 { (y - 1, m + 9) } else { (y, m - 3) };
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d;
        Some(((days * 24 + hour) * 60 + minute) * 60 + second)
    };
    Some((moment(to)? - moment(from)?) as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_data_stays_data() {
        let hostile = "</title><script>alert(1)</script>\"' onload='x' &amp; \u{1b}[31m\u{202e}";
        let shown = escaped(hostile);
        assert!(!shown.contains(['<', '>', '"', '\'', '\u{1b}', '\u{202e}']), "{shown}");
        let page = code("# <b>\nloss a = \"<i>\" + <x>\n");
        assert!(page.contains("&lt;b&gt;") && page.contains("&lt;i&gt;") && page.contains("&lt;x&gt;"), "{page}");
        assert!(page.contains("<i class=\"k\">loss</i>"), "{page}");
    }

    #[test]
    fn bytes_have_their_addresses() {
        let of = |bytes: &[u8]| data_address("a/b", bytes);
        assert_eq!(
            [of(b""), of(b"M"), of(b"Ma"), of(b"Man")].map(|a| a[16..].to_string()),
            ["", "TQ==", "TWE=", "TWFu"]
        );
    }

    #[test]
    fn moments_are_apart() {
        assert_eq!(seconds_between("2026-11-26T22:47:57Z", "2026-11-26T22:48:48Z"), Some(51.0));
        assert_eq!(seconds_between("2024-02-28T23:59:59Z", "2024-03-01T00:00:00Z"), Some(86_401.0));
        assert_eq!(seconds_between("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"), Some(86_400.0));
        assert_eq!(seconds_between("", "2026-01-01T00:00:00Z"), None);
    }
}
