//! What is to be laid out: words with the comments before them, and the places where a line may end.
//!
//! A [`Doc`] is one file's tokens in order. The author's own line ends are flags in it (`broken`); the layout keeps
//! those, and adds its own only where a line would grow too long.

/// A comment or a line of documentation that stands before a word.
#[derive(Clone, Debug)]
pub struct Lead {
    /// With its `#` or `##`.
    pub text: String,
    /// It follows another token on the same line.
    pub trailing: bool,
    /// An empty line stands before it.
    pub blank: bool,
}

/// A token with what stands before it.
#[derive(Clone, Debug, Default)]
pub struct Word {
    /// Comments before it, in order.
    pub leads: Vec<Lead>,
    /// As it is written.
    pub text: String,
    /// An empty line stands before it.
    pub blank: bool,
}

/// Something to lay out.
#[derive(Clone, Debug)]
pub enum Doc {
    /// A token.
    Word(Word),
    /// Space or punctuation that has no token of its own.
    Text(&'static str),
    /// One after the other.
    Cat(Vec<Doc>),
    /// Items in brackets.
    List(List),
    /// Operands with operators between them; a line may end before each operator.
    Chain(Chain),
    /// What stands behind an `=`: on the same line, or on a line of its own.
    Body {
        /// The author put it on a line of its own.
        broken: bool,
        /// It goes on a line of its own rather than over several lines.
        moves: bool,
        /// The value.
        value: Box<Doc>,
    },
    /// What stands here is aligned with its like on the lines above and below; the number tells columns of a line
    /// apart.
    Mark(u8),
}

/// Which list it is: they differ in their commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `(a, b = c)`, `[a, b]`: over several lines with a comma behind the last, unless it is the only one.
    Args,
    /// `(name: type)`, `{ name: type }`, `{ name as name }`: over several lines with a comma behind the last.
    Definitions,
    /// `(expr)`: no commas.
    Group,
    /// `{ name = value, name }`: over several lines without commas, except between fields that stand alone.
    Fields,
    /// A model's lines: always over several lines.
    Lines,
}

/// Items in brackets.
#[derive(Clone, Debug)]
pub struct List {
    /// Its kind.
    pub kind: ListKind,
    /// The opening bracket.
    pub open: Word,
    /// What is in it.
    pub items: Vec<Entry>,
    /// The closing bracket.
    pub close: Word,
    /// On one line there is a space behind the opening and before the closing bracket.
    pub padded: bool,
    /// The author ended the line behind the opening bracket.
    pub broken: bool,
}

/// One item of a list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The item.
    pub doc: Doc,
    /// What it is aligned with, where it has a line.
    pub class: Class,
    /// A field that stands alone, on the line of the field before it.
    pub joins: bool,
}

/// Lines of one class that follow each other are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named for the lines they are
pub enum Class {
    Argument,
    Typed,
    Field,
    Param,
    Preset,
    Section,
    Input,
    Import,
    Data,
    Let,
    Objective,
    Out,
    /// A line that the columns of its neighbors run past.
    Attribute,
    /// A row of a chain, with so many operators.
    Row(usize),
    /// Nothing.
    Alone,
}

/// Which chain it is: they differ in how far their rows are indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// `a |> b`
    Pipe,
    /// `if a then b else c`
    If,
    /// `a + b`
    Operators,
}

/// Operands with operators between them.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its kind.
    pub kind: ChainKind,
    /// Its parts; the first has no operator, or an `if`.
    pub parts: Vec<Part>,
    /// It is all that a bracket over several lines holds, so its rows need no indentation.
    pub flush: bool,
}

/// An operator and what follows it.
#[derive(Clone, Debug)]
pub struct Part {
    /// The author ended the line here.
    pub broken: bool,
    /// The operator.
    pub op: Option<Word>,
    /// The operand.
    pub value: Doc,
}

impl Word {
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl Part {
    /// Its width on one line.
    pub fn flat(&self) -> Option<usize> {
        Some(self.op.as_ref().map_or(Some(0), |w| w.leads.is_empty().then(|| w.width() + 1))? + self.value.flat()?)
    }

    fn natural(&self) -> usize {
        self.op.as_ref().map_or(0, |w| w.width() + 1) + self.value.natural()
    }
}

impl List {
    /// The items' width on one line, brackets included.
    pub fn flat(&self) -> Option<usize> {
        if self.broken || !self.close.leads.is_empty() || (self.kind == ListKind::Lines && !self.items.is_empty()) {
            return None;
        }
        let items: usize = self.items.iter().map(|i| i.doc.flat()).sum::<Option<usize>>()?;
        Some(self.around() + items)
    }

    /// The width of brackets, commas and padding.
    pub fn around(&self) -> usize {
        let padding = if self.padded && !self.items.is_empty() { 2 } else { 0 };
        self.open.width() + self.close.width() + padding + 2 * self.items.len().saturating_sub(1)
    }
}

impl Doc {
    /// The width on one line; nothing where it cannot be on one line, because of a comment or because the author ended
    /// one.
    pub fn flat(&self) -> Option<usize> {
        match self {
            Doc::Word(w) => w.leads.is_empty().then(|| w.width()),
            Doc::Text(text) => Some(text.chars().count()),
            Doc::Cat(docs) => docs.iter().map(Doc::flat).sum(),
            Doc::List(list) => Some(list.flat()?).filter(|_| list.open.leads.is_empty()),
            Doc::Chain(chain) if chain.parts.iter().any(|p| p.broken) => None,
            Doc::Chain(chain) => {
                Some(chain.parts.iter().map(Part::flat).sum::<Option<usize>>()? + chain.parts.len().saturating_sub(1))
            }
            Doc::Body { broken: true, .. } => None,
            Doc::Body { value, .. } => Some(1 + value.flat()?),
            Doc::Mark(_) => Some(0),
        }
    }

    /// The width on one line, whatever speaks against one line.
    pub fn natural(&self) -> usize {
        match self {
            Doc::Word(w) => w.width(),
            Doc::Text(text) => text.chars().count(),
            Doc::Cat(docs) => docs.iter().map(Doc::natural).sum(),
            Doc::List(list) => list.around() + list.items.iter().map(|i| i.doc.natural()).sum::<usize>(),
            Doc::Chain(chain) => {
                chain.parts.iter().map(Part::natural).sum::<usize>() + chain.parts.len().saturating_sub(1)
            }
            Doc::Body { value, .. } => 1 + value.natural(),
            Doc::Mark(_) => 0,
        }
    }

    /// The least width up to the first place where a line may end, and whether there is one.
    pub fn least(&self) -> (usize, bool) {
        match self {
            Doc::Cat(docs) => {
                let mut total = 0;
                for doc in docs {
                    let (width, ends) = doc.least();
                    total += width;
                    if ends {
                        return (total, true);
                    }
                }
                (total, false)
            }
            Doc::List(list) if list.items.is_empty() => (list.around(), false),
            Doc::List(list) => (list.open.width(), true),
            Doc::Chain(chain) => {
                let first = chain.parts.first();
                let op = first.and_then(|p| p.op.as_ref()).map_or(0, |w| w.width() + 1);
                (op + first.map_or(0, |p| p.value.least().0), true)
            }
            Doc::Body { .. } => (0, true),
            other => (other.natural(), false),
        }
    }

    /// It ends in brackets that may be opened at the end of a line.
    pub fn hugs(&self) -> bool {
        match self {
            Doc::List(list) => !list.items.is_empty(),
            Doc::Cat(docs) => docs.last().is_some_and(Doc::hugs),
            _ => false,
        }
    }

    /// Its first token.
    pub fn first(&mut self) -> Option<&mut Word> {
        match self {
            Doc::Word(w) => Some(w),
            Doc::Cat(docs) => docs.iter_mut().find_map(Doc::first),
            Doc::List(list) => Some(&mut list.open),
            Doc::Chain(chain) => {
                let first = chain.parts.first_mut()?;
                match &mut first.op {
                    Some(op) => Some(op),
                    None => first.value.first(),
                }
            }
            Doc::Body { value, .. } => value.first(),
            Doc::Text(_) | Doc::Mark(_) => None,
        }
    }

    /// Comments stand before it.
    pub fn led(&mut self) -> bool {
        self.first().is_some_and(|w| !w.leads.is_empty())
    }
}
