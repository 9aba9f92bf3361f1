//! Reports drawn for a terminal by miette, and as JSON for tools.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::sheet::{AROUND, Sheet};
use super::visible::visible;
use super::wrap::wrap;
use super::{Label, Report, Severity};
use crate::source::{Source, Sources, Span};

/// How reports are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// Whether to use colors.
    pub color: bool,
    /// Whether lines and arrows may be drawn with box characters.
    pub unicode: bool,
}

/// The report as a person reads it.
pub fn draw(report: &Report, sources: &Sources, style: Style) -> String {
    let theme = match (style.unicode, style.color) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_context_lines(1)
        .with_links(false)
        .without_syntax_highlighting()
        .with_wrap_lines(false);
    let mut out = String::new();
    let drawn = Drawn::new(report, sources, style.width);
    if handler.render_report(&mut out, &drawn).is_err() {
        out = format!("{}: {}\n", report.code, report.title);
    }
    // The frame's blank margin is a full line of spaces in places; nobody wants those in a snapshot or a paste.
    out.lines().map(|l| l.trim_end().to_string() + "\n").collect()
}

/// The report as one JSON object: code, severity, title, labels with file, line, column and bytes, help, edits, page,
/// and whether the edits are made by `check --fix`.
pub fn json(report: &Report, sources: &Sources) -> serde_json::Value {
    let place = |span: Span| {
        let (line, column) = sources.line_column(span);
        serde_json::json!({
            "file": sources.get(span.file).map(|s| s.name.clone()),
            "line": line, "column": column, "start": span.start, "end": span.end,
        })
    };
    serde_json::json!({
        "code": report.code,
        "severity": match report.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        },
        "title": report.title,
        "labels": report.labels.iter().map(|l| {
            let mut value = place(l.span);
            if let Some(object) = value.as_object_mut() {
                object.insert("text".into(), l.text.clone().into());
            }
            value
        }).collect::<Vec<_>>(),
        "help": report.help,
        "edits": report.edits.iter().map(|e| {
            let mut value = place(e.span);
            if let Some(object) = value.as_object_mut() {
                object.insert("text".into(), e.text.clone().into());
            }
            value
        }).collect::<Vec<_>>(),
        "page": format!("docs/reports/{}.md", report.code),
        "certain": report.can_be_fixed(),
    })
}

/// A report beside the texts it speaks of.
struct Drawn<'a> {
    report: &'a Report,
    sources: &'a Sources,
    width: usize,
    sheet: Option<Sheet<'a>>,
}

/// The columns beside a title and a help: `  × ` and `  help: `, and one that stays free.
const BESIDE_TITLE: usize = 5;
const BESIDE_HELP: usize = 9;
/// The fewest columns of a label.
const LEAST_LABEL: usize = 16;

impl<'a> Drawn<'a> {
    fn new(report: &'a Report, sources: &'a Sources, width: usize) -> Self {
        let mut drawn = Self { report, sources, width, sheet: None };
        let labels: Vec<_> = drawn.here().map(|l| (l.span, l.text.chars().count())).collect();
        drawn.sheet = drawn.source().map(|source| Sheet::new(source, &labels, width));
        drawn
    }

    /// The labels that are drawn in the report's own frame.
    fn here(&self) -> impl Iterator<Item = &'a Label> {
        self.report.labels.iter().filter(|l| self.framed(l.span))
    }

    /// The columns that are left for the text of a label, right of the place that it points at.
    fn room(&self, sheet: &Sheet<'_>, span: Span, (start, end): (usize, usize)) -> usize {
        let line = |at: u32| self.sources.line_column(Span { start: at, end: at, ..span }).0;
        let (first, last) = (line(span.start), line(span.end));
        let deepest = self.here().map(|l| line(l.span.end)).max().unwrap_or(last);
        let margin = deepest.to_string().len() + 4;
        // ` 28 │ `, the arrow's column, `╰── `; the arrow of several lines is in the margin.
        let (from, to) = (sheet.column(start), sheet.column(end).max(sheet.column(start) + 1));
        // The second of two labels of one place points behind it.
        let twice = self.here().filter(|l| l.span == span).count() > 1;
        let before = match first == last {
            true => (if twice { to } else { (from + to) / 2 }) + 4,
            false => 8,
        };
        self.width.saturating_sub(margin + before + 1).max(LEAST_LABEL)
    }

    fn source(&self) -> Option<&'a Source> {
        self.report.place().and_then(|p| self.sources.get(p.file))
    }

    /// True for a place that is drawn in the report's own frame: in the same file, and not at the other end of a line
    /// that is longer than a screen.
    fn framed(&self, span: Span) -> bool {
        let Some(first) = self.report.place().filter(|p| p.file == span.file) else { return false };
        let (start, end) = (first.end.min(span.end), first.start.max(span.start));
        let between = self.sources.text(Span { start: start.min(end), end, ..first });
        between.len() <= FARTHEST || between.contains('\n')
    }
}

impl fmt::Debug for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.report.code)
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wrap(&visible(&self.report.title), self.width.saturating_sub(BESIDE_TITLE)))
    }
}

impl std::error::Error for Drawn<'_> {}

impl Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.report.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.report.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        // A frame is drawn around one file only; what lies elsewhere is described in words.
        let elsewhere = self.report.labels.iter().filter(|l| !self.framed(l.span)).map(|l| {
            let (line, column) = self.sources.line_column(l.span);
            let name = self.sources.get(l.span.file).map_or("?", |s| s.name.as_str());
            format!("{name}:{line}:{column}: {}", l.text)
        });
        let lines: Vec<String> = self.report.help.iter().cloned().chain(elsewhere).collect();
        let text = wrap(&visible(&lines.join("\n")), self.width.saturating_sub(BESIDE_HELP));
        (!lines.is_empty()).then(|| Box::new(text) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let sheet = self.sheet.as_ref()?;
        let labels = self.here().map(move |l| {
            let len = (l.span.end.saturating_sub(l.span.start) as usize).min(shown_len(self.sources, l.span));
            let (start, end) = (l.span.start as usize, l.span.start as usize + len);
            let (start, end) = (sheet.place(start), sheet.place(end));
            let text = (!l.text.is_empty()).then(|| wrap(&visible(&l.text), self.room(sheet, l.span, (start, end))));
            LabeledSpan::new(text, start, end.saturating_sub(start))
        });
        Some(Box::new(labels))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.sheet.as_ref().map(|s| s as &dyn SourceCode)
    }
}

/// How far apart two labels of one line may be, and how much of what a label is about is shown, in bytes.
const FARTHEST: usize = 2_000;
const MOST_LABELED: usize = 20_000;

/// The bytes of a span that are shown: all, but of a very long one its beginning.
fn shown_len(sources: &Sources, span: Span) -> usize {
    let text = sources.text(span);
    if text.len() <= MOST_LABELED {
        return text.len();
    }
    text.char_indices().take_while(|(at, c)| *at < AROUND && *c != '\n').last().map_or(0, |(at, c)| at + c.len_utf8())
}
