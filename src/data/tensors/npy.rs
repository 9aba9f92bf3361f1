//! The header of a NumPy array: `{'descr': '<f4', 'fortran_order': False, 'shape': (10, 1, 8, 12), }`.
//!
//! Versions 1 to 3 of the format, as `numpy.lib.format` describes it.

use super::numbers::Number;

/// What an array begins with.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes of the magic, the version and the longest length of a header.
pub const PREFIX: usize = 12;
/// The longest header that is read; NumPy itself reads no more than 10,000 bytes.
const LONGEST: usize = 1 << 16;
/// The most axes that NumPy has.
const AXES: usize = 64;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The numbers, and whether their high byte comes first; else what NumPy calls them, where that is not read.
    pub numbers: Result<(Number, bool), String>,
    /// Whether the first axis is the fastest.
    pub fortran: bool,
    /// The sizes.
    pub shape: Vec<usize>,
    /// Bytes before the numbers.
    pub length: usize,
}

impl Header {
    /// How many bytes the whole header takes, of the array's first [`PREFIX`] bytes (fewer where there are none).
    pub fn length(prefix: &[u8]) -> Result<usize, String> {
        if !prefix.starts_with(MAGIC) {
            return Err("it is no NumPy array".into());
        }
        let byte = |i: usize| prefix.get(i).copied().map(usize::from).ok_or("its header stops early");
        let (start, length) = match byte(6)? {
            1 => (10, byte(8)? | byte(9)? << 8),
            2 | 3 => (12, byte(8)? | byte(9)? << 8 | byte(10)? << 16 | byte(11)? << 24),
            version => return Err(format!("it is a NumPy array of version {version}, and versions 1 to 3 are read")),
        };
        if length > LONGEST { Err(format!("its header takes {length} bytes")) } else { Ok(start + length) }
    }

    /// Reads a header of [`Header::length`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let start = if bytes.get(6) == Some(&1) { 10 } else { 12 };
        let text = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default());
        let mut parser = Parser { rest: &text };
        let mut header = Self { numbers: Err(String::new()), fortran: false, shape: Vec::new(), length: bytes.len() };
        let mut found = [false; 3];
        parser.take("{")?;
        while !parser.is("}") {
            let key = parser.text()?;
            parser.take(":")?;
            let which = match key {
                "descr" => {
                    let descr = if parser.at("'") || parser.at("\"") { parser.text()? } else { parser.skipped()? };
                    header.numbers = Number::of_numpy(descr).ok_or_else(|| descr.to_string());
                    0
                }
                "fortran_order" => {
                    header.fortran = parser.flag()?;
                    1
                }
                "shape" => {
                    header.shape = parser.sizes()?;
                    2
                }
                other => return Err(format!("its header has a key `{other}`")),
            };
            if let Some(found) = found.get_mut(which) {
                *found = true;
            }
            if !parser.is(",") && !parser.at("}") {
                return Err(parser.wrong());
            }
        }
        if found.contains(&false) {
            return Err("its header lacks its type, its order or its shape".into());
        }
        Ok(header)
    }

    /// Bytes of all numbers, where that many can be.
    pub fn bytes(&self) -> Option<u64> {
        let each = self.numbers.as_ref().map_or(1, |(number, _)| number.bytes());
        // No part of the product may be too large either: sizes of samples are multiplied without the first axis.
        let rest = self.shape.iter().filter(|n| **n > 0).try_fold(each, |all, n| all.checked_mul(*n))?;
        let all = if self.shape.contains(&0) { 0 } else { rest };
        u64::try_from(all).ok()
    }
}

/// Reads the few forms of Python that a header has.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn at(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.starts_with(token)
    }

    fn is(&mut self, token: &str) -> bool {
        let is = self.at(token);
        if is {
            self.rest = self.rest.get(token.len()..).unwrap_or_default();
        }
        is
    }

    fn take(&mut self, token: &str) -> Result<(), String> {
        if self.is(token) { Ok(()) } else { Err(self.wrong()) }
    }

    fn wrong(&self) -> String {
        let rest: String = self.rest.chars().take(20).collect();
        format!("its header is broken at {rest:?}")
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let quote = if self.is("'") {
            '\''
        } else if self.is("\"") {
            '"'
        } else {
            return Err(self.wrong());
        };
        let (text, rest) = self.rest.split_once(quote).ok_or_else(|| self.wrong())?;
        self.rest = rest;
        Ok(text)
    }

    fn flag(&mut self) -> Result<bool, String> {
        match (self.is("True"), self.is("False")) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => Err(self.wrong()),
        }
    }

    /// `(10, 1, 8)`, with an `L` behind numbers as Python 2 wrote it.
    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        let mut sizes = Vec::new();
        self.take("(")?;
        while !self.is(")") {
            self.at("");
            let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (size, rest) = self.rest.split_at_checked(digits).ok_or_else(|| self.wrong())?;
            let size = size.parse().map_err(|_| self.wrong())?;
            self.rest = rest;
            self.is("L");
            sizes.push(size);
            if sizes.len() > AXES || !self.is(",") && !self.at(")") {
                return Err(self.wrong());
            }
        }
        Ok(sizes)
    }

    /// A list such as `[('x', '<f4')]`, unread.
    fn skipped(&mut self) -> Result<&'a str, String> {
        self.at("");
        let mut depth = 0usize;
        for (at, c) in self.rest.char_indices() {
            match c {
                '[' | '(' | '{' => depth += 1,
                ']' | ')' | '}' if depth <= 1 => {
                    let end = at + usize::from(depth == 1);
                    let (text, rest) = self.rest.split_at_checked(end).ok_or_else(|| self.wrong())?;
                    self.rest = rest;
                    return if text.is_empty() { Err(self.wrong()) } else { Ok(text) };
                }
                ']' | ')' | '}' => depth -= 1,
                _ => {}
            }
        }
        Err(self.wrong())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn header(version: u8, text: &str) -> Result<Header, String> {
        let length = text.len() as u32;
        let mut bytes = [MAGIC, &[version, 0]].concat();
        bytes.extend_from_slice(&length.to_le_bytes()[..if version == 1 { 2 } else { 4 }]);
        bytes.extend_from_slice(text.as_bytes());
        let length = Header::length(&bytes[..PREFIX.min(bytes.len())])?;
        Header::parse(&bytes[..length])
    }

    #[test]
    fn headers_of_all_versions_are_read() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (10, 1, 8, 12), }      \n";
        for version in 1..=3 {
            let read = header(version, text).unwrap();
            assert_eq!((read.numbers.clone(), read.fortran), (Ok((Number::Float(4), false)), false));
            assert_eq!((read.shape.as_slice(), read.bytes()), (&[10, 1, 8, 12][..], Some(10 * 8 * 12 * 4)));
        }
        let other = header(1, "{\"shape\":(3L,),'fortran_order':True,'descr':'>i2'}").unwrap();
        assert_eq!((other.numbers, other.fortran, other.shape), (Ok((Number::Signed(2), true)), true, vec![3]));
        assert_eq!(header(1, "{'descr': '|u1', 'fortran_order': False, 'shape': ()}").unwrap().shape.len(), 0);
        let fields =
            header(3, "{'descr': [('é', '<f4'), ('y', '<f4', (2,))], 'fortran_order': False, 'shape': (2,), }");
        assert_eq!(fields.unwrap().numbers, Err("[('é', '<f4'), ('y', '<f4', (2,))]".into()));
    }

    #[test]
    fn broken_headers_are_refused() {
        for (version, text) in [
            (1, ""),
            (1, "{"),
            (1, "{'descr': '<f4', 'fortran_order': False, }"),
            (1, "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}"),
            (1, "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}"),
            (1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
            (1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}"),
            (1, "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}"),
            (1, "{'descr': [[[, 'fortran_order': False, 'shape': (1,)}"),
            (1, "{'more': 1}"),
            (9, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}"),
        ] {
            assert!(header(version, text).is_err(), "{text}");
        }
        let huge = header(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}").unwrap();
        assert_eq!(huge.bytes(), None);
        assert!(
            Header::length(b"\x93NUMPY\x02\0\xff\xff\xff\x7f").is_err() && Header::length(b"\x93NUMPY\x01").is_err()
        );
    }
}
