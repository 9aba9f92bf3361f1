//! Texts and places in them: a [`Span`] is a file and a range of its bytes.

use std::sync::Arc;

/// A text with the name under which messages show it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user gave it, or a description such as `command line`.
    pub name: String,
    /// The text.
    pub text: Arc<str>,
}

/// Every text a pipeline was made from: the pipeline, what it imports, the standard library, the command line.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

/// Which text of the [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

/// Bytes `start..end` of one text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that holds both; `self` where they lie in different files.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span behind this one.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// True where `other` lies within this span.
    pub fn holds(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }
}

impl Sources {
    /// Adds a text and returns its name in spans.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.0.push(Source { name: name.into(), text: text.into() });
        FileId(u16::try_from(self.0.len() - 1).unwrap_or(u16::MAX))
    }

    /// The text called `id`.
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.0.get(usize::from(id.0))
    }

    /// The characters of a span; empty where the span lies outside its text.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).and_then(|s| s.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// Line and column of a span's first byte, from 1, columns in characters.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let before = self.get(span.file).and_then(|s| s.text.get(..span.start as usize)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }

    /// The id of the text called `name`, if it was added.
    pub fn find(&self, name: &str) -> Option<FileId> {
        self.0.iter().position(|s| s.name == name).and_then(|i| u16::try_from(i).ok()).map(FileId)
    }
}
