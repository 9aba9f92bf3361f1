//! Bytes of a text, and lines and columns as an editor counts them: in UTF-16 unless it can do with UTF-8.

use lsp_types::{Position, Range};

use rord_lang::source::Span;

/// What columns count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of 16 bits: an emoji is two.
    Utf16,
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct Lines {
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Lines {
    /// The lines of a text. They end with `\n`, `\r\n` or `\r`.
    pub fn new(text: &str, encoding: Encoding) -> Lines {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(i, b)| match b {
            b'\n' => true,
            b'\r' => bytes.get(i + 1) != Some(&b'\n'),
            _ => false,
        });
        let starts = std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect();
        Lines { starts, encoding }
    }

    /// The line of a byte.
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|s| *s <= offset).saturating_sub(1)
    }

    /// Where a line begins; the end of the text behind the last one.
    pub fn start(&self, line: usize, text: &str) -> usize {
        self.starts.get(line).copied().unwrap_or(text.len())
    }

    /// The place of a byte. One inside of a character counts as its beginning.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line(offset);
        let before = text.get(self.start(line, text)..offset).unwrap_or("");
        let character = match self.encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.encode_utf16().count(),
        };
        Position::new(line as u32, character as u32)
    }

    /// The byte of a place. Columns behind the end of a line mean its end, lines behind the last one the end of the text, and the
    /// middle of a character its beginning.
    pub fn offset(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let start = self.start(line, text);
        let end = self.start(line.saturating_add(1), text);
        let body = text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r']);
        let (mut column, wanted) = (0, position.character as usize);
        for (at, c) in body.char_indices() {
            let width = match self.encoding {
                Encoding::Utf8 => c.len_utf8(),
                Encoding::Utf16 => c.len_utf16(),
            };
            if column + width > wanted {
                return start + at;
            }
            column += width;
        }
        start + body.len()
    }

    /// The range of a span.
    pub fn range(&self, text: &str, span: Span) -> Range {
        Range::new(self.position(text, span.start as usize), self.position(text, span.end as usize))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_found_again() {
        let text = "# H⁻¹ 🦀 é\r\nlet a\rb\n\nend🦀";
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let lines = Lines::new(text, encoding);
            assert_eq!(lines.starts.len(), 5);
            for (at, c) in text.char_indices().filter(|(_, c)| !matches!(c, '\r' | '\n')) {
                assert_eq!(lines.offset(text, lines.position(text, at)), at, "{c:?} {encoding:?}");
            }
            assert_eq!(lines.offset(text, Position::new(9, 9)), text.len());
            assert_eq!(lines.offset(text, Position::new(u32::MAX, u32::MAX)), text.len());
            assert_eq!(lines.offset(text, Position::new(2, 99)), text.find("b\n").unwrap() + 1);
        }
        let crab = text.find('🦀').unwrap();
        assert_eq!(Lines::new(text, Encoding::Utf16).position(text, crab + 4), Position::new(0, 8));
        assert_eq!(Lines::new(text, Encoding::Utf8).position(text, crab + 4), Position::new(0, 13));
        // The middle of a crab is no place.
        assert_eq!(Lines::new(text, Encoding::Utf16).offset(text, Position::new(0, 7)), crab);
    }
}
