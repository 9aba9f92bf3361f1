//! The parser's input: a run of tokens, and what must survive backtracking.
//!
//! nom's `opt` and `many0` drop the error of the branch that got furthest, and that is the one a person wants to read.
//! So it is kept here, beside the tokens, together with the depth of nesting.

use std::cell::{Cell, OnceCell, RefCell};

use nom::error::{ErrorKind, ParseError};
use nom::{Input, Needed};

use crate::ast::Name;
use crate::lex::{ITEMS, KEYWORDS, Token, TokenKind};
use crate::report::Report;
use crate::source::{FileId, Span};

/// The most levels an expression may have. Code that walks a tree may recurse this deep.
pub const MOST_LEVELS: u32 = 200;

/// How many tokens an earlier definition is looked for among, because the search may run at every line.
const MOST_BEHIND: usize = 5_000;

/// No token.
const NONE: u32 = u32::MAX;

/// What survives backtracking.
#[derive(Default)]
pub struct State {
    /// The furthest token that was refused.
    furthest: Cell<usize>,
    /// What would have been accepted there.
    expected: RefCell<Vec<&'static str>>,
    /// How deep the parser is.
    depth: Cell<u32>,
    /// The token behind the documentation and the attributes of the item at hand.
    head: Cell<usize>,
    /// True in the fields of a section, where a name may follow a value.
    fields: Cell<bool>,
    /// How many round or square brackets are open.
    brackets: Cell<u32>,
    /// Keywords that were taken for names, which was reported.
    taken: RefCell<Vec<String>>,
    /// Where blocks, and where brackets of any kind, end: made when it is first asked for.
    blocks: OnceCell<Vec<u32>>,
    brackets_end: OnceCell<Vec<u32>>,
    braces_end: OnceCell<Vec<u32>>,
    /// Where reading goes on behind an item that was not understood, if that is known, and names that it held.
    resume: RefCell<Option<(usize, Vec<Name>)>>,
    /// Mistakes inside a block, after which reading went on.
    reports: RefCell<Vec<Report>>,
}

impl State {
    /// Notes a mistake after which reading goes on.
    pub fn report(&self, report: Report) {
        self.reports.borrow_mut().push(report);
    }

    /// Whether the fields of a section are being read; what it was before.
    pub fn in_fields(&self, now: bool) -> bool {
        self.fields.replace(now)
    }

    /// Notes that a keyword was taken for a name; true for the first time.
    pub fn take_keyword(&self, keyword: &str) -> bool {
        let new = !self.is_taken(keyword);
        if new {
            self.taken.borrow_mut().push(keyword.to_string());
        }
        new
    }

    /// True for a keyword that was taken for a name.
    pub fn is_taken(&self, keyword: &str) -> bool {
        self.taken.borrow().iter().any(|t| t == keyword)
    }

    /// One more bracket is open, or one less.
    pub fn bracket(&self, by: i32) {
        self.brackets.set(self.brackets.get().saturating_add_signed(by));
    }

    /// True where two values side by side are a mistake: everywhere but between the fields of a section.
    pub fn one_value(&self) -> bool {
        !self.fields.get() || self.brackets.get() > 0
    }

    /// True inside of round or square brackets.
    pub fn in_brackets(&self) -> bool {
        self.brackets.get() > 0
    }

    /// How much has been noted, for [`State::forget`].
    pub fn said(&self) -> (usize, usize) {
        (self.reports.borrow().len(), self.taken.borrow().len())
    }

    /// Forgets the mistakes noted since.
    pub fn forget(&self, (reports, taken): (usize, usize)) {
        self.reports.borrow_mut().truncate(reports);
        self.taken.borrow_mut().truncate(taken);
    }

    /// Takes the mistakes noted so far.
    pub fn take_reports(&self) -> Vec<Report> {
        self.reports.take()
    }
}

/// The tokens that are left.
#[derive(Clone, Copy)]
pub struct Tokens<'a> {
    all: &'a [Token],
    rest: &'a [Token],
    at: usize,
    previous: Span,
    state: &'a State,
}

/// Why a parser gave up: softly, with the reason in the [`State`], or for good with a report.
#[derive(Debug)]
pub struct Refused(pub Option<Box<Report>>);

/// What every parser here returns.
pub type Parsed<'a, T> = nom::IResult<Tokens<'a>, T, Refused>;

impl<'a> Tokens<'a> {
    /// All tokens of a file.
    pub fn new(tokens: &'a [Token], state: &'a State) -> Self {
        Self { all: tokens, rest: tokens, at: 0, previous: Span::default(), state }
    }

    /// The next token.
    pub fn peek(&self) -> &'a TokenKind {
        self.rest.first().map_or(&TokenKind::End, |t| &t.kind)
    }

    /// The token after the next.
    pub fn second(&self) -> &'a TokenKind {
        self.rest.get(1).map_or(&TokenKind::End, |t| &t.kind)
    }

    /// The token after that.
    pub fn third(&self) -> &'a TokenKind {
        self.rest.get(2).map_or(&TokenKind::End, |t| &t.kind)
    }

    /// The place of the next token.
    pub fn span(&self) -> Span {
        self.rest.first().map_or(self.previous.after(), |t| t.span)
    }

    /// The place of the last token taken.
    pub fn previous(&self) -> Span {
        self.previous
    }

    /// True at the first token of a line.
    pub fn first_of_line(&self) -> bool {
        self.rest.first().is_none_or(|t| t.first)
    }

    /// The input without its next token, which is never the end.
    pub fn advance(self) -> Self {
        match self.rest {
            [token, rest @ ..] if token.kind != TokenKind::End => {
                Self { rest, at: self.at + 1, previous: token.span, ..self }
            }
            _ => self,
        }
    }

    /// Notes that documentation and attributes were read as far as here.
    pub fn head(&self) {
        self.state.head.set(self.at);
    }

    /// The input behind the documentation and the attributes of the item that begins here.
    pub fn behind_head(self) -> Self {
        self.from(self.state.head.get().max(self.at))
    }

    /// How many tokens lie behind.
    pub fn position(&self) -> usize {
        self.at
    }

    /// True at the end of the text.
    pub fn at_end(&self) -> bool {
        matches!(self.peek(), TokenKind::End)
    }

    /// True where a new item begins: an item's keyword, `@` or documentation at the start of a line. Keywords may name
    /// arguments (`train = 0.8`) and parameters (`data: Map`), so one that is followed by `=`, `:` or `.` starts
    /// nothing.
    pub fn at_item(&self) -> bool {
        self.first_of_line()
            && match self.peek() {
                TokenKind::Name(word) => {
                    ITEMS.contains(&word.as_str())
                        && !matches!(self.second(), TokenKind::Mark("=" | "," | "." | ")" | ":"))
                }
                TokenKind::Mark("@") | TokenKind::Doc(_) | TokenKind::End => true,
                _ => false,
            }
    }

    /// Gives up softly: `expected` would have been accepted here.
    pub fn refuse<T>(self, expected: &'static str) -> Parsed<'a, T> {
        let state = self.state;
        if self.at > state.furthest.get() {
            state.furthest.set(self.at);
            state.expected.borrow_mut().clear();
        }
        if self.at == state.furthest.get() && !state.expected.borrow().contains(&expected) {
            state.expected.borrow_mut().push(expected);
        }
        Err(nom::Err::Error(Refused(None)))
    }

    /// Any token of the file.
    pub fn token(&self, at: usize) -> Option<&'a Token> {
        self.all.get(at)
    }

    /// True where the token `at` begins an item, a line of a block, or ends the file.
    pub fn item_begins(&self, at: usize) -> bool {
        let there = self.from(at);
        there.at_item() || there.first_of_line() && matches!(there.peek(), TokenKind::Name(w) if w == "out")
    }

    /// The mark behind a token, if one is there.
    pub fn mark_after(&self, at: usize) -> Option<&'static str> {
        match self.all.get(at + 1).map(|t| &t.kind) {
            Some(TokenKind::Mark(mark)) => Some(mark),
            _ => None,
        }
    }

    /// The input behind the block that opens here, if it closes before an item begins that is no line of a model.
    pub fn behind_block(self) -> Option<Self> {
        let ends = self.state.blocks.get_or_init(|| {
            let stops = |i: &Self| matches!(i.peek(), TokenKind::Name(word) if word != "let") && i.at_item();
            self.closers(&["{"], &["}"], stops)
        });
        let end = usize::try_from(*ends.get(self.at + 1)?).ok().filter(|end| *end < self.all.len())?;
        Some(self.from(end).advance())
    }

    /// True where the brace at hand is closed further on, whatever stands between.
    pub fn block_closes(self) -> bool {
        let ends = self.state.braces_end.get_or_init(|| self.closers(&["{"], &["}"], |_| false));
        ends.get(self.at + 1).is_some_and(|end| *end != NONE)
    }

    /// Notes that reading goes on here, whatever becomes of the item, and what names lie behind.
    pub fn resume_here(self, names: Vec<Name>) {
        *self.state.resume.borrow_mut() = Some((self.at, names));
    }

    /// Where reading goes on, if that was noted, and the names that lie before it.
    pub fn resumed(self) -> Option<(Self, Vec<Name>)> {
        let (at, names) = self.state.resume.take().filter(|(at, _)| *at > self.at)?;
        Some((self.from(at), names))
    }

    /// True where an earlier item or line defines `name`: a word of the language stands right before it.
    pub fn defined_before(self, name: &str) -> bool {
        let before = self.all.get(self.at.saturating_sub(MOST_BEHIND)..self.at).unwrap_or(&[]);
        before.windows(2).any(|pair| match pair {
            [Token { kind: TokenKind::Name(word), .. }, Token { kind: TokenKind::Name(found), .. }] => {
                found == name && matches!(word.as_str(), "loss" | "metric" | "let" | "minimize" | "input" | "param")
            }
            _ => false,
        })
    }

    /// True where the bracket at hand is closed further on, before its block or item ends.
    pub fn closes(self, close: &str) -> bool {
        let ends =
            self.state.brackets_end.get_or_init(|| self.closers(&["(", "[", "{"], &[")", "]", "}"], Self::at_item));
        let end = ends.get(self.at).and_then(|end| self.all.get(usize::try_from(*end).ok()?));
        matches!(end.map(|t| &t.kind), Some(TokenKind::Mark(mark)) if *mark == close)
    }

    /// For every token of the file the first closing mark at it or behind it whose opening one lies before it; [`NONE`]
    /// where something stops the search. Found for all tokens at once, since a file of nothing but brackets asks at
    /// each of them.
    fn closers(&self, open: &[&str], close: &[&str], stops: impl Fn(&Self) -> bool) -> Vec<u32> {
        let mut ends = vec![NONE; self.all.len() + 1];
        for at in (0..self.all.len()).rev() {
            let here = self.from(at);
            let behind = |at: u32| usize::try_from(at).ok().and_then(|at| ends.get(at + 1).copied()).unwrap_or(NONE);
            let end = match here.peek() {
                _ if here.at_end() || stops(&here) => NONE,
                TokenKind::Mark(mark) if close.contains(mark) => at as u32,
                TokenKind::Mark(mark) if open.contains(mark) => match behind(at as u32) {
                    NONE => NONE,
                    closing => behind(closing),
                },
                _ => behind(at as u32),
            };
            if let Some(slot) = ends.get_mut(at) {
                *slot = end;
            }
        }
        ends
    }

    /// The input from the token `at` on.
    fn from(&self, at: usize) -> Self {
        let previous = at.checked_sub(1).and_then(|i| self.all.get(i)).map_or(Span::default(), |t| t.span);
        Self { rest: self.all.get(at..).unwrap_or(&[]), at, previous, ..*self }
    }

    /// What survives backtracking.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// Gives up for good.
    pub fn fail<T>(self, report: Report) -> Parsed<'a, T> {
        Err(nom::Err::Failure(Refused(Some(Box::new(report)))))
    }

    /// The furthest refusal: the index of its token, and what was expected.
    pub fn furthest(&self) -> (usize, Vec<&'static str>) {
        (self.state.furthest.get(), self.state.expected.borrow().clone())
    }

    /// Forgets the furthest refusal and all depth, at the start of an item.
    pub fn reset(&self) {
        self.state.furthest.set(self.at);
        self.state.head.set(self.at);
        self.state.expected.borrow_mut().clear();
        self.state.depth.set(0);
        self.state.fields.set(false);
        self.state.brackets.set(0);
        self.state.resume.take();
    }

    /// Forgets the furthest refusal, at the start of a line of a block.
    pub fn new_line(&self) {
        self.state.furthest.set(self.at);
        self.state.expected.borrow_mut().clear();
        self.state.fields.set(false);
        self.state.brackets.set(0);
    }

    /// Runs `parser` one level down.
    pub fn deeper<T>(self, parser: impl FnOnce(Self) -> Parsed<'a, T>) -> Parsed<'a, T> {
        let depth = self.state.depth.get();
        if depth >= MOST_LEVELS {
            return self.fail(crate::report::syntax::too_deep(self.span(), MOST_LEVELS));
        }
        self.state.depth.set(depth + 1);
        let result = parser(self);
        self.state.depth.set(depth);
        result
    }
}

impl<'a> ParseError<Tokens<'a>> for Refused {
    fn from_error_kind(_: Tokens<'a>, _: ErrorKind) -> Self {
        Refused(None)
    }

    fn append(_: Tokens<'a>, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl<'a> Input for Tokens<'a> {
    type Item = &'a Token;
    type Iter = std::slice::Iter<'a, Token>;
    type IterIndices = std::iter::Enumerate<std::slice::Iter<'a, Token>>;

    fn input_len(&self) -> usize {
        self.rest.len()
    }

    fn take(&self, index: usize) -> Self {
        Self { rest: self.rest.get(..index).unwrap_or(self.rest), ..*self }
    }

    fn take_from(&self, index: usize) -> Self {
        let previous = index.checked_sub(1).and_then(|i| self.rest.get(i)).map_or(self.previous, |t| t.span);
        Self { rest: self.rest.get(index..).unwrap_or(&[]), at: self.at + index, previous, ..*self }
    }

    fn take_split(&self, index: usize) -> (Self, Self) {
        (self.take_from(index), self.take(index))
    }

    fn position<P: Fn(Self::Item) -> bool>(&self, predicate: P) -> Option<usize> {
        self.rest.iter().position(predicate)
    }

    fn iter_elements(&self) -> Self::Iter {
        self.rest.iter()
    }

    fn iter_indices(&self) -> Self::IterIndices {
        self.rest.iter().enumerate()
    }

    fn slice_index(&self, count: usize) -> Result<usize, Needed> {
        if count <= self.rest.len() { Ok(count) } else { Err(Needed::new(count - self.rest.len())) }
    }
}

/// A token as a message shows it.
pub fn show(kind: &TokenKind) -> String {
    match kind {
        TokenKind::Name(word) if KEYWORDS.contains(&word.as_str()) => format!("the keyword `{word}`"),
        TokenKind::Name(word) => format!("`{word}`"),
        TokenKind::Number { .. } => "a number".into(),
        TokenKind::Text(_) => "a string".into(),
        TokenKind::Doc(_) => "documentation".into(),
        TokenKind::Mark(mark) => format!("`{mark}`"),
        TokenKind::End => "the end of the file".into(),
    }
}

/// The end of the text, as a place.
pub fn end_of(tokens: &[Token], file: FileId) -> Span {
    tokens.last().map_or(Span { file, start: 0, end: 0 }, |t| t.span)
}
