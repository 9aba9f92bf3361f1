//! Texts and places in them: a [`Span`] is a file and a range of its bytes.

use std::sync::Arc;

/// What a text is. Texts are distinguished by this, never by their names: an import may be called anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A signature, or a file of the standard library.
    Library,
    /// The pipeline's own text.
    Main,
    /// A file that the pipeline imports, or that one of its imports imports.
    Import,
    /// A file of parameters.
    Params,
    /// An argument of the command line.
    CommandLine,
    /// A value that a point of a sweep gives.
    Sweep,
}

/// A text with the name under which messages show it.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// The path as the user gave it, or a description such as `command line`.
    pub name: String,
    /// The text.
    pub text: Arc<str>,
}

/// Every text a pipeline was made from: the pipeline, what it imports, the standard library, the command line.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Vec<Source>,
    /// The path in each `import`, and the text that it brought.
    imports: Vec<(Span, FileId)>,
}

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
    pub fn add(&mut self, kind: SourceKind, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.texts.push(Source { kind, name: name.into(), text: text.into() });
        FileId(u16::try_from(self.texts.len() - 1).unwrap_or(u16::MAX))
    }

    /// Records which text the `import` with its path at `path` brought.
    pub fn link(&mut self, path: Span, to: FileId) {
        self.imports.push((path, to));
    }

    /// The text called `id`.
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.texts.get(usize::from(id.0))
    }

    /// Every text with its id, in the order in which they were added.
    pub fn all(&self) -> impl Iterator<Item = (FileId, &Source)> {
        (0..=u16::MAX).map(FileId).zip(&self.texts)
    }

    /// The texts of one kind.
    pub fn of_kind(&self, kind: SourceKind) -> impl Iterator<Item = (FileId, &Source)> {
        self.all().filter(move |(_, source)| source.kind == kind)
    }

    /// The pipeline's own text, if it was added.
    pub fn main(&self) -> Option<FileId> {
        self.of_kind(SourceKind::Main).map(|(id, _)| id).next()
    }

    /// The path in each `import` of a text, and the text that it brought.
    pub fn imports_of(&self, file: FileId) -> impl Iterator<Item = (Span, FileId)> + '_ {
        self.imports.iter().filter(move |(path, _)| path.file == file).copied()
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
}
