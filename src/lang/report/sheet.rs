//! The text that a report is drawn upon: a source whose labeled lines are cut where they are wider than the terminal.

use std::borrow::Cow;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::visible::{shown, visible};
use crate::source::{Source, Span};

/// A label as it takes room: its place, and the columns of its text.
pub type Wanted = (Span, usize);

/// The columns that a label's text is given room for, if it is that long.
const LABEL: usize = 24;
/// The columns of a label's place that stay, however long it is.
const LEAST: usize = 8;

/// A source with some of its lines cut.
pub struct Sheet<'a> {
    name: Cow<'a, str>,
    text: Cow<'a, str>,
    cuts: Vec<Cut>,
    /// Signs in place of what steers terminals: offsets after the cuts, and how far what follows them has moved.
    signs: Vec<(usize, usize)>,
}

/// A line of which only a part is shown, by offsets into the source.
struct Cut {
    line: usize,
    /// Where the line is, without its end.
    from: usize,
    to: usize,
    /// What is shown of it.
    shown: std::ops::Range<usize>,
    /// The characters that are missing on the left.
    missing: usize,
}

/// What is shown for a cut.
const MARK: &str = "…";

impl Cut {
    /// Bytes in place of what is missing at an end.
    fn mark(cut: bool) -> usize {
        if cut { MARK.len() } else { 0 }
    }

    fn left(&self) -> usize {
        Self::mark(self.shown.start > self.from)
    }

    /// How many bytes the line has now.
    fn len(&self) -> usize {
        self.left() + self.shown.len() + Self::mark(self.shown.end < self.to)
    }
}

impl<'a> Sheet<'a> {
    /// The source, for labels in it and a width in columns.
    pub fn new(source: &'a Source, labels: &[Wanted], width: usize) -> Self {
        let text: &str = &source.text;
        let mut starts: Vec<usize> =
            labels.iter().filter_map(|(span, _)| single_line(text, *span)).map(|(from, _)| from).collect();
        starts.sort_unstable();
        starts.dedup();
        let deepest = labels.iter().filter_map(|(s, _)| text.get(..s.end as usize)).map(|t| t.matches('\n').count());
        let margin = (deepest.max().unwrap_or(0) + 1).to_string().len() + 5;
        let cuts: Vec<Cut> =
            starts.into_iter().filter_map(|from| cut(text, from, labels, width.saturating_sub(margin))).collect();
        let mut sheet = Self { name: visible(&source.name), text: Cow::Borrowed(text), cuts, signs: Vec::new() };
        if !sheet.cuts.is_empty() {
            sheet.text = Cow::Owned(sheet.written(text));
        }
        if let Some((text, signs)) = shown(&sheet.text) {
            (sheet.text, sheet.signs) = (Cow::Owned(text), signs);
        }
        sheet
    }

    fn written(&self, text: &str) -> String {
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        for cut in &self.cuts {
            let ends = [cut.shown.start > cut.from, cut.shown.end < cut.to];
            let [left, right] = ends.map(|cut| if cut { MARK } else { "" });
            let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or("");
            out.extend([part(at..cut.from), left, part(cut.shown.clone()), right]);
            at = cut.to;
        }
        out.push_str(text.get(at..).unwrap_or(""));
        out
    }

    /// Where a place of the source is in what is shown.
    pub fn place(&self, offset: usize) -> usize {
        let at = self.cut_place(offset);
        let before = self.signs.partition_point(|(end, _)| *end <= at);
        at + before.checked_sub(1).and_then(|last| self.signs.get(last)).map_or(0, |(_, grown)| *grown)
    }

    /// As [`Sheet::place`], before signs.
    fn cut_place(&self, offset: usize) -> usize {
        let (mut before, mut now) = (0, 0);
        for cut in self.cuts.iter().take_while(|cut| cut.from <= offset) {
            if offset <= cut.to {
                let inside = offset.clamp(cut.shown.start, cut.shown.end) - cut.shown.start;
                return now + (cut.from - before) + cut.left() + inside;
            }
            now += cut.from - before + cut.len();
            before = cut.to;
        }
        now + (offset - before)
    }

    /// The column of a place in what is shown, from 0.
    pub fn column(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or("");
        before.rsplit('\n').next().map_or(0, textwrap::core::display_width)
    }
}

/// The line of a span that does not reach into another one.
fn single_line(text: &str, span: Span) -> Option<(usize, usize)> {
    let (start, end) = (span.start as usize, span.end as usize);
    let from = text.get(..start)?.rfind('\n').map_or(0, |i| i + 1);
    let to = text.get(start..)?.find('\n').map_or(text.len(), |i| start + i);
    (end <= to).then_some((from, to))
}

/// What of the line at `from` fits `room` columns, with its labels and their texts; `None` where all of it does.
fn cut(text: &str, from: usize, labels: &[Wanted], room: usize) -> Option<Cut> {
    let line = text.get(from..)?.split('\n').next()?;
    let chars = line.chars().count();
    let column = |at: u32| text.get(from..at as usize).map_or(0, |t| t.chars().count());
    let here = labels.iter().filter(|(span, _)| single_line(text, *span).is_some_and(|(f, _)| f == from));
    let places: Vec<(usize, usize, usize)> = here.map(|(s, n)| (column(s.start), column(s.end), *n)).collect();
    let first = places.iter().map(|(start, ..)| *start).min()?;
    let last = places.iter().map(|(start, end, _)| (*end).min(start + LEAST)).max()?;
    // The arrow leaves the middle of its place, and takes four columns itself.
    let wanted = places.iter().map(|(start, end, n)| (start + end) / 2 + 4 + (*n).min(LABEL)).max()?;
    if chars.max(wanted) <= room {
        return None;
    }
    let left = wanted.saturating_sub(room).min(first.saturating_sub(1));
    let right = (left + room).max(last + 1).min(chars);
    let at = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    // The marks take a column each.
    let missing = if left > 0 { left + 1 } else { 0 };
    let shown = from + at(missing)..from + at(if right < chars { right - 1 } else { right });
    let number = text.get(..from)?.matches('\n').count();
    Some(Cut { line: number, from, to: from + line.len(), shown, missing: missing.saturating_sub(1) })
}

/// How much of a line is shown before and behind a label, in bytes.
pub const AROUND: usize = 400;

/// Whole lines, and no line more than the labels need: a report of one line shows one line. Of a line that is longer
/// than a screen, what is near the label.
impl SourceCode for Sheet<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text: &str = &self.text;
        let (start, end) = (span.offset(), span.offset() + span.len());
        let before = text.get(..start).ok_or(MietteError::OutOfBounds)?;
        let after = text.get(end..).ok_or(MietteError::OutOfBounds)?;
        let whole_from = before.rfind('\n').map_or(0, |i| i + 1);
        let near =
            before.char_indices().rev().take_while(|(at, _)| start - at <= AROUND).last().map_or(start, |(at, _)| at);
        let from = whole_from.max(near);
        // A span that ends with a line's newline does not reach into the next line.
        let whole = !span.is_empty() && text.get(..end).is_some_and(|t| t.ends_with('\n'));
        let near = after.char_indices().find(|(at, c)| *at >= AROUND || *c == '\n');
        let to = if whole { end } else { end + near.map_or(after.len(), |(at, c)| at + usize::from(c == '\n')) };
        let lines = text.get(from..to).ok_or(MietteError::OutOfBounds)?;
        let line = before.matches('\n').count();
        let missing = self.cuts.iter().find(|cut| cut.line == line).map_or(0, |cut| cut.missing);
        let contents = MietteSpanContents::new_named(
            self.name.to_string(),
            lines.as_bytes(),
            (from, to - from).into(),
            line,
            before.get(whole_from..).map_or(0, |l| l.chars().count()) + missing,
            lines.matches('\n').count().max(1),
        );
        Ok(Box::new(contents))
    }
}
