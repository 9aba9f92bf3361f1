//! A [`Doc`] to lines: the author's line ends are kept where lines may end, and more are made where a line is longer
//! than [`WIDTH`].
//!
//! What is decided here depends on tokens and on the author's line ends alone, and a line end that is made is one that
//! the author could have made. So what was laid out once stays as it is.

use super::align::{Mark, Row, align};
use super::doc::{Chain, ChainKind, Class, Doc, List, ListKind, Part, Word};

/// The most characters on a line.
pub const WIDTH: usize = 120;

/// How far a level is indented.
const STEP: usize = 2;

/// A line end that is still to be written, so that a comment may come before it.
#[derive(Clone, Copy)]
struct Pending {
    indent: usize,
    /// An empty line of the author's is kept here.
    blank: bool,
}

/// Text as it grows.
#[derive(Default)]
pub struct Printer {
    out: String,
    /// Lines and characters of the line so far.
    line: usize,
    column: usize,
    /// How far the line is indented on which the present construct began.
    indent: usize,
    pending: Option<Pending>,
    /// The rows that may be aligned, and the one that is being written.
    rows: Vec<Row>,
    row: Option<Row>,
    comments: Vec<Mark>,
}

impl Printer {
    /// Items, each on a line of its own, with the class each is aligned by, then the end of the file.
    pub fn file(mut self, items: Vec<(Doc, Class)>, mut end: Word) -> String {
        for (mut doc, class) in items {
            self.own_line(&mut doc, class);
        }
        self.leads(&mut end);
        let mut text = align(&self.out, &self.rows, &self.comments);
        if !text.is_empty() {
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    fn own_line(&mut self, doc: &mut Doc, class: Class) {
        self.lead(doc);
        self.begin(class);
        self.put(doc, 0);
        self.end();
        self.hard(self.indent, true);
    }

    /// Ends the line once something follows.
    fn hard(&mut self, indent: usize, blank: bool) {
        self.pending = Some(Pending { indent, blank });
    }

    fn newline(&mut self, pending: Pending, blank: bool) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        if !self.out.is_empty() {
            self.out.push('\n');
            self.line += 1;
            if blank && pending.blank {
                self.out.push('\n');
                self.line += 1;
            }
        }
        self.out.extend(std::iter::repeat_n(' ', pending.indent));
        self.column = pending.indent;
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// Writes the comments before the first token, so that the column is known.
    fn lead(&mut self, doc: &mut Doc) {
        if let Some(word) = doc.first() {
            self.leads(word);
        }
    }

    fn leads(&mut self, word: &mut Word) {
        let mut commented = false;
        for lead in std::mem::take(&mut word.leads) {
            if lead.trailing && !commented && !self.at_start() {
                let kept = self.out.trim_end_matches(' ').len();
                self.column -= self.out.len() - kept;
                self.out.truncate(kept);
                self.write("  ");
                self.comments.push(Mark { line: self.line, column: self.column });
                self.write(&lead.text);
                self.pending.get_or_insert(Pending { indent: self.indent + STEP, blank: false });
            } else {
                if self.pending.is_none() && !self.at_start() {
                    self.pending = Some(Pending { indent: self.indent + STEP, blank: false });
                }
                let next = self.pending.take();
                if let Some(pending) = next {
                    self.newline(pending, lead.blank);
                }
                self.write(&lead.text);
                let indent = next.map_or(self.column - lead.text.chars().count(), |p| p.indent);
                self.pending = Some(Pending { indent, blank: next.is_none_or(|p| p.blank) });
            }
            commented = true;
        }
        if let Some(pending) = self.pending.take() {
            match word.text.is_empty() {
                true => self.pending = Some(pending),
                false => self.newline(pending, word.blank),
            }
        }
    }

    /// Nothing but spaces stands on the line.
    fn at_start(&self) -> bool {
        self.pending.is_none()
            && self.out.rsplit('\n').next().is_none_or(|line| line.trim_start_matches(' ').is_empty())
    }

    fn begin(&mut self, class: Class) {
        self.row = Some(Row { class, line: self.line, indent: self.column, marks: Vec::new(), end: 0 });
    }

    fn end(&mut self) {
        if let Some(row) = self.row.take().filter(|r| r.line == self.line && r.class != Class::Alone) {
            self.rows.push(Row { end: self.column, ..row });
        }
    }

    fn mark(&mut self, id: u8) {
        let at = self.column;
        if let Some(row) = &mut self.row {
            row.marks.push((id, at));
        }
    }

    /// Writes `doc`; `tail` is the width that has to follow it on its last line.
    fn put(&mut self, doc: &mut Doc, tail: usize) {
        match doc {
            Doc::Word(word) => self.word(word),
            Doc::Text(text) => self.write(text),
            Doc::Mark(id) => self.mark(*id),
            Doc::Cat(docs) => {
                let tails: Vec<usize> =
                    (1..=docs.len()).map(|i| following(docs.get(i..).unwrap_or(&[]), tail)).collect();
                for (doc, tail) in docs.iter_mut().zip(tails) {
                    self.put(doc, tail);
                }
            }
            Doc::List(list) => self.list(list, tail),
            Doc::Chain(_) => {
                self.lead(doc);
                if let Doc::Chain(chain) = doc {
                    self.chain(chain, tail);
                }
            }
            Doc::Body { broken, moves, value } => self.body(*broken, *moves, value, tail),
        }
    }

    fn word(&mut self, word: &mut Word) {
        self.leads(word);
        let text = std::mem::take(&mut word.text);
        self.write(&text);
    }

    fn body(&mut self, broken: bool, moves: bool, value: &mut Doc, tail: usize) {
        let (least, ends) = value.least();
        let here = self.column + 1;
        let below = self.indent + STEP;
        let moves = (moves || matches!(value, Doc::Chain(_)))
            && value.flat().is_some_and(|w| here + w + tail > WIDTH && below + w + tail <= WIDTH);
        let long = here + least + if ends { 0 } else { tail } > WIDTH;
        if broken || moves || long || value.led() {
            self.indent = below;
            self.hard(below, false);
            self.lead(value);
            self.put(value, tail);
            self.indent = below - STEP;
        } else {
            self.write(" ");
            self.put(value, tail);
        }
    }

    fn list(&mut self, list: &mut List, tail: usize) {
        let before = self.row.take();
        let began = self.column;
        self.leads(&mut list.open);
        let began = if list.open.text.is_empty() { began } else { self.column };
        let flat = list.flat().is_some_and(|w| began + w + tail <= WIDTH);
        let (open, close) = (std::mem::take(&mut list.open.text), std::mem::take(&mut list.close.text));
        if list.items.is_empty() && list.close.leads.is_empty() {
            self.write(&open);
            self.write(&close);
        } else if flat || Self::hugs(list, began) {
            self.write(&open);
            let count = list.items.len();
            for (i, entry) in list.items.iter_mut().enumerate() {
                self.write(if i > 0 {
                    ", "
                } else if list.padded {
                    " "
                } else {
                    ""
                });
                self.put(&mut entry.doc, if i + 1 == count { tail + 1 } else { 1 });
            }
            if list.padded {
                self.write(" ");
            }
            self.write(&close);
        } else {
            self.write(&open);
            self.broken(list);
            self.leads(&mut list.close);
            self.write(&close);
        }
        self.row = before;
    }

    /// The last item may end lines while its neighbors stay on the line of the bracket: `mean(hinge(` and a new line.
    fn hugs(list: &mut List, began: usize) -> bool {
        let fixed =
            !matches!(list.kind, ListKind::Args | ListKind::Group) || list.broken || !list.close.leads.is_empty();
        if fixed || list.items.iter_mut().any(|i| i.doc.led()) {
            return false;
        }
        let Some((last, others)) = list.items.split_last() else { return false };
        let Some(others) = others.iter().map(|i| i.doc.flat().map(|w| w + 2)).sum::<Option<usize>>() else {
            return false;
        };
        let fits = began + 1 + others + last.doc.least().0 <= WIDTH;
        // Several items go over several lines where they do not fit; the author may still open the last one.
        let opened = last.doc.flat().is_none() || list.items.len() == 1;
        last.doc.hugs() && fits && opened
    }

    fn broken(&mut self, list: &mut List) {
        let (outer, inner) = (self.indent, self.indent + STEP);
        let count = list.items.len();
        let alone = count == 1 && matches!(list.kind, ListKind::Args | ListKind::Group);
        self.indent = inner;
        let mut joined = false;
        for (i, entry) in list.items.iter_mut().enumerate() {
            let fits = self.column + 2 + entry.doc.natural() < WIDTH;
            if joined && entry.joins && fits && !entry.doc.led() {
                self.write(", ");
                self.put(&mut entry.doc, 0);
                continue;
            }
            if let (true, Doc::Chain(chain)) = (alone, &mut entry.doc) {
                chain.flush = true;
            }
            self.hard(inner, i > 0);
            self.lead(&mut entry.doc);
            self.begin(entry.class);
            let comma = match list.kind {
                ListKind::Args => !alone,
                ListKind::Definitions => true,
                ListKind::Group | ListKind::Fields | ListKind::Lines => false,
            };
            self.put(&mut entry.doc, usize::from(comma));
            if comma {
                self.write(",");
            }
            self.end();
            joined = list.kind == ListKind::Fields && matches!(entry.doc, Doc::Word(_));
        }
        self.indent = outer;
        // Comments before the closing bracket belong to what is in it.
        if !list.close.leads.is_empty() {
            self.hard(inner, count > 0);
            let mut last = Word { leads: std::mem::take(&mut list.close.leads), ..Word::default() };
            self.leads(&mut last);
        }
        self.hard(outer, false);
        // The line ends here in any case: the bracket that follows has no comments any more.
        self.leads(&mut Word { text: ")".into(), ..Word::default() });
    }

    fn chain(&mut self, chain: &mut Chain, tail: usize) {
        let outer = self.indent;
        let begins = self.at_start();
        let extra = if chain.flush || (chain.kind == ChainKind::If && begins) { 0 } else { STEP };
        let inner = outer + extra;
        let breaks = breaks(chain, self.column, inner, tail);
        let rows: Vec<std::ops::Range<usize>> = {
            let mut starts = vec![0];
            starts.extend(breaks.iter().enumerate().filter(|(_, b)| **b).map(|(i, _)| i));
            let ends = starts.iter().skip(1).copied().chain([chain.parts.len()]).collect::<Vec<_>>();
            starts.iter().zip(ends).map(|(a, b)| *a..b).collect()
        };
        let count = rows.len();
        let row = if count > 1 { self.row.take() } else { None };
        for (r, range) in rows.into_iter().enumerate() {
            let length = range.len();
            for i in range.clone() {
                let last = r + 1 == count && i + 1 == range.end;
                let Some((part, next)) = split(&mut chain.parts, i) else { continue };
                let tail = match next {
                    _ if last => tail,
                    Some(next) if i + 1 < range.end => 1 + next.op.as_ref().map_or(0, |w| w.text.chars().count()) + 1,
                    _ => 0,
                };
                if r > 0 && i == range.start {
                    self.indent = inner;
                    self.hard(inner, false);
                    if let Some(op) = &mut part.op {
                        self.leads(op);
                    }
                    let aligned = chain.kind == ChainKind::Pipe && length > 1;
                    self.begin(if aligned { Class::Row(length) } else { Class::Alone });
                } else if i > 0 {
                    self.write(" ");
                    if count > 1 && chain.kind == ChainKind::Pipe {
                        self.mark(i.saturating_sub(range.start) as u8);
                    }
                }
                if let Some(op) = &mut part.op {
                    self.word(op);
                    self.write(" ");
                }
                self.put(&mut part.value, tail);
            }
            if count > 1 {
                self.end();
            }
        }
        self.indent = outer;
        if count > 1 {
            self.row = row;
        }
    }
}

/// What has to follow on the same line, up to the first place where a line may end.
fn following(docs: &[Doc], tail: usize) -> usize {
    let mut total = 0;
    for doc in docs {
        let (width, ends) = doc.least();
        total += width;
        if ends {
            return total;
        }
    }
    total + tail
}

fn split(parts: &mut [Part], at: usize) -> Option<(&mut Part, Option<&Part>)> {
    let (before, after) = parts.split_at_mut_checked(at + 1)?;
    Some((before.last_mut()?, after.first()))
}

/// Before which parts the line ends.
fn breaks(chain: &Chain, column: usize, inner: usize, tail: usize) -> Vec<bool> {
    let parts = &chain.parts;
    let kept: Vec<bool> = parts.iter().enumerate().map(|(i, p)| i > 0 && p.broken).collect();
    let everywhere = || (0..parts.len()).map(|i| i > 0).collect::<Vec<bool>>();
    let mut at = column;
    let mut length = 0;
    for (i, part) in parts.iter().enumerate() {
        let fresh = i == 0 || kept.get(i).copied().unwrap_or(false);
        if fresh {
            at = if i == 0 { column } else { inner };
            length = 0;
        } else {
            at += 1;
        }
        length += 1;
        let last = i + 1 == parts.len();
        let closes = last || kept.get(i + 1).copied().unwrap_or(false);
        match part.flat() {
            Some(width) => {
                at += width;
                if (length > 1 || !closes) && at + if last { tail } else { 0 } > WIDTH {
                    return everywhere();
                }
            }
            // A part of several lines may end its row, if its first line fits.
            None => {
                let op = part.op.as_ref().map_or(0, |w| w.text.chars().count() + 1);
                let ends = part.value.hugs() || matches!(part.value, Doc::Chain(_));
                let opens = ends && at + op + part.value.least().0 <= WIDTH;
                if !closes || (length > 1 && !opens) {
                    return everywhere();
                }
            }
        }
    }
    kept
}
