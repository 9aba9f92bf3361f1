//! Where the names of a file are defined and where they are used: `index.at(42)` is what the text around byte 42 refers
//! to.
//!
//! It is made from the syntax tree by the scoping of the language, without types, so it is there for a file with
//! mistakes too. What lies in an item that could not be read is found from its tokens.

mod unread;
mod walk;

use super::ast::File;
use super::lex::Token;
use super::source::Span;
use super::vocabulary::Vocabulary;

/// A symbol's place in [`Index::symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId(pub usize);

/// What a name was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// `param`
    Param,
    /// `preset`
    Preset,
    /// `sweep`
    Sweep,
    /// `input`
    Input,
    /// `data`
    Data,
    /// A field that a `data` declares.
    Field,
    /// `model`
    Model,
    /// `layer`
    Layer,
    /// `fn`
    Function,
    /// A parameter of a function, a layer or a model.
    Argument,
    /// `let`, of the file or of a model.
    Let,
    /// `out` of a model: a name in it, and a field of what it returns.
    Out,
    /// `loss`
    Loss,
    /// `metric`
    Metric,
    /// `minimize`
    Objective,
    /// A name brought in from another file.
    Import,
    /// A size such as `H`.
    Size,
    /// A frame such as `@orig`.
    Frame,
    /// Defined by an item that could not be read.
    Unread,
}

impl SymbolKind {
    /// What it is called in a sentence.
    pub fn word(self) -> &'static str {
        match self {
            SymbolKind::Param => "param",
            SymbolKind::Preset => "preset",
            SymbolKind::Sweep => "sweep",
            SymbolKind::Input => "input",
            SymbolKind::Data => "data",
            SymbolKind::Field => "field",
            SymbolKind::Model => "model",
            SymbolKind::Layer => "layer",
            SymbolKind::Function => "fn",
            SymbolKind::Argument => "argument",
            SymbolKind::Let => "let",
            SymbolKind::Out => "out",
            SymbolKind::Loss => "loss",
            SymbolKind::Metric => "metric",
            SymbolKind::Objective => "minimize",
            SymbolKind::Import => "import",
            SymbolKind::Size => "size",
            SymbolKind::Frame => "frame",
            SymbolKind::Unread => "name",
        }
    }

    /// True for what is called with arguments.
    pub fn callable(self) -> bool {
        matches!(self, SymbolKind::Model | SymbolKind::Layer | SymbolKind::Function | SymbolKind::Import)
    }

    /// True for what an expression may speak of by its name alone.
    pub fn value(self) -> bool {
        !matches!(
            self,
            SymbolKind::Preset | SymbolKind::Sweep | SymbolKind::Field | SymbolKind::Size | SymbolKind::Frame
        )
    }

    /// Names of one space clash; sizes, frames and presets have spaces of their own.
    pub fn space(self) -> u8 {
        match self {
            SymbolKind::Preset | SymbolKind::Sweep => 1,
            SymbolKind::Size => 2,
            SymbolKind::Frame => 3,
            SymbolKind::Field => 4,
            _ => 0,
        }
    }
}

/// A name with its definition.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// The name.
    pub name: String,
    /// What it was given to.
    pub kind: SymbolKind,
    /// Where the name stands.
    pub span: Span,
    /// All that defines it.
    pub whole: Span,
    /// What it is a part of: the model of an `out`, the function of an argument, the data of a field.
    pub within: Option<SymbolId>,
    /// Its documentation.
    pub doc: Vec<String>,
    /// Where an expression may speak of it.
    pub visible: Span,
    /// The file that an import names, as written.
    pub path: Option<String>,
}

/// What a piece of text speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A name of this file.
    Symbol(SymbolId),
    /// An argument or a field of what was imported.
    Outside {
        /// The imported name.
        import: SymbolId,
        /// Its part.
        name: String,
    },
    /// An operation, or a function of the standard library.
    Operation(String),
    /// A parameter of an operation.
    OperationArgument {
        /// The operation.
        of: String,
        /// Its parameter.
        name: String,
    },
    /// A field of the record that an operation returns, or that a dataset offers.
    OperationField {
        /// The operation.
        of: String,
        /// The field.
        name: String,
    },
    /// A field of `train`, `save` or `export`.
    SectionField {
        /// The section.
        section: String,
        /// The field.
        name: String,
    },
    /// A kind: `Prob`.
    Kind(String),
    /// A lint, in `@allow`.
    Lint(String),
    /// A word that an argument takes: `same` of `pad = same`.
    Word(String),
}

/// How a name is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Here it is defined.
    Definition,
    /// Here it is spoken of.
    Plain,
    /// A field alone in `train { seed }` or a preset: the name of the field and the value of that name.
    Shorthand,
    /// A field in `{ det }` of a `let`, which is also the name that it gets.
    Taken,
}

/// A place that speaks of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The place.
    pub span: Span,
    /// What it speaks of.
    pub to: Target,
    /// How.
    pub how: How,
}

/// The names of one file.
#[derive(Clone, Debug, Default)]
pub struct Index {
    symbols: Vec<Symbol>,
    uses: Vec<Use>,
    /// From the start of each item to the start of the next.
    regions: Vec<Span>,
}

impl Index {
    /// The names of a file, from its tree and its tokens.
    pub fn new(tree: &File, tokens: &[Token], vocabulary: &Vocabulary) -> Index {
        walk::index(tree, tokens, vocabulary)
    }

    /// A symbol.
    pub fn symbol(&self, id: SymbolId) -> Option<&Symbol> {
        self.symbols.get(id.0)
    }

    /// All symbols with their ids, in the order in which they were found: names of the file first.
    pub fn symbols(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.symbols.iter().enumerate().map(|(i, s)| (SymbolId(i), s))
    }

    /// All uses in the order of the text, definitions among them.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// What the text at a byte speaks of: a name that begins there before one that ends there. Of a name with two
    /// meanings the one that a person most likely means comes first: the local name of `{ det }`, the value of
    /// `{ seed }`.
    pub fn at(&self, offset: u32) -> Option<&Use> {
        // Names do not overlap unless they are the same, so their ends are in order as well.
        let from = self.uses.partition_point(|u| u.span.end < offset);
        let behind = self.uses.get(from..).unwrap_or(&[]);
        let touching = || behind.iter().take_while(move |u| u.span.start <= offset);
        let rank = |u: &Use| match u.how {
            How::Definition | How::Shorthand => 0,
            How::Plain => 1,
            How::Taken => 2,
        };
        touching()
            .filter(|u| offset < u.span.end)
            .min_by_key(|u| rank(u))
            .or_else(|| touching().min_by_key(|u| rank(u)))
    }

    /// Everything that the text at a byte speaks of.
    pub fn all_at(&self, offset: u32) -> Vec<&Use> {
        match self.at(offset) {
            Some(first) => {
                let others = self.uses.iter().filter(|u| u.span == first.span && *u != first);
                std::iter::once(first).chain(others).collect()
            }
            None => vec![],
        }
    }

    /// Every place that speaks of a symbol, its definition among them.
    pub fn uses_of(&self, id: SymbolId) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(move |u| u.to == Target::Symbol(id))
    }

    /// The parts of a symbol: arguments and outs of a model, fields of a data.
    pub fn parts(&self, of: SymbolId) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.symbols().filter(move |(_, s)| s.within == Some(of))
    }

    /// A name of the file itself.
    pub fn global(&self, name: &str) -> Option<SymbolId> {
        self.symbols().find(|(_, s)| s.within.is_none() && s.kind.space() == 0 && s.name == name).map(|(id, _)| id)
    }

    /// The names that an expression at a byte may speak of, innermost last.
    pub fn visible(&self, offset: u32) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.symbols()
            .filter(move |(_, s)| s.kind.value() && s.visible.start <= offset && offset <= s.visible.end)
            .filter(|(_, s)| s.visible.start < s.visible.end)
    }

    /// The part of the text that belongs to the item around a byte: from its start to the next one's.
    pub fn region(&self, offset: u32) -> Option<Span> {
        self.regions.iter().rev().find(|r| r.start <= offset).copied()
    }
}
