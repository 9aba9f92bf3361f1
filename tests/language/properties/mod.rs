//! What must hold for any bytes at all: every reading ends in a result or in reports that point into the text and can be drawn.
//!
//! The fuzz targets and `tests/language/corpus.rs` call the same functions, so that what one found the other keeps.

pub mod gds;
pub mod mutation;
pub mod oasis;

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use rord_cli::types;
use rord_graph::gradients::{Gradients, trained};
use rord_graph::node::Role;
use rord_graph::verify::verify;
use rord_graph::{build, flops, passes, print};
use rord_lang::ast::Name;
use rord_lang::check::{ImportError, Importer, Outside, check as check_pipeline};
use rord_lang::format::format;
use rord_lang::lex::{TokenKind, lex as lex_text};
use rord_lang::parse;
use rord_lang::report::render::{Style, draw, json};
use rord_lang::report::{Report, any_error, pages};
use rord_lang::source::{FileId, Source, SourceKind, Sources, Span};
use rord_lang::tree;
use rord_lang::typed::Origin;
use rord_lang::vocabulary::Vocabulary;
use rord_ops as ops;
use rord_project::{files, outside, params};

/// Reports of one text that are drawn; every one is looked at. Drawing takes longer than finding out what to draw, so
/// [`hold_all`] draws what the targets draw of one text in eight.
const DRAWN: usize = 6;

thread_local! {
    static DRAW_ALL: Cell<bool> = const { Cell::new(false) };
}

/// From now on, on this thread, nothing is left out.
pub fn hold_all() {
    DRAW_ALL.set(true);
}

/// A span lies in its text, at characters' borders.
fn lies_within(span: Span, sources: &Sources, whose: &dyn std::fmt::Debug) {
    let text = &sources.get(span.file).unwrap_or_else(|| panic!("no such file: {span:?} of {whose:?}")).text;
    assert!(span.start <= span.end, "{whose:?}");
    assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?} of {} bytes: {whose:?}", text.len());
}

/// The words of a drawn report: without colors, and without the frame that continues a broken line.
fn words(drawn: &str) -> String {
    let mut plain = String::new();
    let mut parts = drawn.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or(""));
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, text)| text));
    }
    let frame = |word: &&str| *word != "|" && *word != "│";
    plain.split_whitespace().filter(frame).collect::<Vec<_>>().join(" ")
}

/// Every report names a place in a text, has a page, and can be drawn in each form.
pub fn sound(reports: &[Report], sources: &Sources) {
    for report in reports {
        assert!(report.place().is_some(), "a report without a place: {report:?}");
        assert!(!report.title.is_empty(), "{report:?}");
        assert!(pages::page(report.code).is_some(), "{} has no page", report.code);
        report.labels.iter().for_each(|l| lies_within(l.span, sources, report));
        report.edits.iter().for_each(|e| lies_within(e.span, sources, report));
    }
    let chance = reports.iter().filter_map(Report::place).fold(7, |n: usize, p| n.wrapping_mul(31) ^ p.end as usize);
    if chance % 8 != 0 && !DRAW_ALL.get() {
        return;
    }
    for report in reports.iter().take(DRAWN) {
        let told = json(report, sources);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told.to_string()).unwrap(), told);
        for (unicode, color, width) in [(true, true, 100), (false, false, 40)] {
            let drawn = draw(report, sources, Style { width, color, unicode });
            assert!(drawn.starts_with(report.code) || color, "{drawn}");
            let title = words(&rord_lang::report::visible::visible(&report.title));
            assert!(words(&drawn).contains(&title), "the title is lost:\n{drawn}\n{report:?}");
            let place = report.place().unwrap_or_default();
            let name = &sources.get(place.file).unwrap().name;
            assert!(drawn.contains(&**name), "the place is lost:\n{drawn}\n{report:?}");
        }
    }
}

/// Bytes as the text that the command would read from a file of them, or the report that it is none.
fn text_of(bytes: &[u8], kind: SourceKind, name: &str, sources: &mut Sources) -> Option<FileId> {
    match files::text(kind, name.into(), bytes.to_vec(), sources) {
        Ok(file) => Some(file),
        Err(report) => {
            sound(&[report], sources);
            None
        }
    }
}

/// Tokens lie one behind the other, and between them nothing but blanks, comments and what was reported.
pub fn lex(bytes: &[u8]) {
    let mut sources = Sources::default();
    let Some(file) = text_of(bytes, SourceKind::Main, "input.rord", &mut sources) else { return };
    let Source { text, .. } = sources.get(file).unwrap().clone();
    let (tokens, comments, reports) = lex_text(&text, file);
    sound(&reports, &sources);
    let mut behind = 0;
    for token in &tokens {
        lies_within(token.span, &sources, token);
        assert!(behind <= token.span.start, "{token:?} begins before byte {behind}");
        assert!(token.span.start < token.span.end || token.kind == TokenKind::End, "{token:?}");
        behind = token.span.end;
    }
    assert!(matches!(tokens.last(), Some(t) if t.kind == TokenKind::End && t.span.end as usize == text.len()));
    comments.iter().for_each(|c| lies_within(c.span, &sources, c));
    if reports.is_empty() {
        let mut bare = text.strip_prefix('\u{feff}').unwrap_or(&text).to_string();
        let spans = tokens.iter().map(|t| t.span).chain(comments.iter().map(|c| c.span));
        let lost = text.len() - bare.len();
        for span in spans {
            let (start, end) =
                (span.start as usize - lost.min(span.start as usize), span.end as usize - lost.min(span.end as usize));
            bare.replace_range(start..end, &" ".repeat(end - start));
        }
        assert!(bare.trim().is_empty(), "neither token nor report: {:?}", bare.trim());
    }
}

/// The tree of a text, without places.
fn outline(text: &str) -> Option<String> {
    let (tree, reports) = parse::parse(text, FileId(0));
    let bare = |line: &str| line.rsplit_once("  [").map_or(line, |(line, _)| line).to_string();
    reports.is_empty().then(|| tree::outline(&tree).lines().map(bare).collect::<Vec<_>>().join("\n"))
}

/// A text parses to a tree or to reports; what parses can be laid out, keeps its tree, and is laid out once and for all. An
/// expression that is printed reads back the same.
pub fn parse(bytes: &[u8]) {
    let mut sources = Sources::default();
    let Some(file) = text_of(bytes, SourceKind::Main, "input.rord", &mut sources) else { return };
    let Source { text, .. } = sources.get(file).unwrap().clone();
    let (_, reports) = parse::parse(&text, file);
    sound(&reports, &sources);
    if reports.is_empty() {
        let once = format(&text, file).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
        assert_eq!(outline(&text), outline(&once), "laid out, it means something else:\n{text}\n----\n{once}");
        let twice = format(&once, file).unwrap_or_else(|e| panic!("{e:?}\n{once}"));
        assert_eq!(once, twice, "laid out twice:\n{text}");
        let crlf = text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
        let ends = if crlf { once.matches('\n').count() } else { 0 };
        assert_eq!(once.matches("\r\n").count(), ends, "line ends of\n{text:?}");
    }
    match parse::expression(&text, file, 0) {
        Err(reports) => sound(&reports, &sources),
        Ok(first) => {
            let printed = tree::expression(&first);
            let again = parse::expression(&printed, file, 0).unwrap_or_else(|r| panic!("{printed}: {r:?}"));
            assert_eq!(printed, tree::expression(&again));
            assert_eq!(first.height, again.height, "{printed}");
        }
    }
    // As a value on the command line, where it has a place behind a name.
    let shifted = sources.add(SourceKind::CommandLine, "command line", format!("--set value={text}"));
    if let Err(reports) = parse::expression(&text, shifted, "--set value=".len() as u32) {
        sound(&reports, &sources);
    }
}

thread_local! {
    static VOCABULARY: RefCell<Option<&'static (Vocabulary, Sources)>> = const { RefCell::new(None) };
}

/// The operations, read once.
fn vocabulary() -> &'static (Vocabulary, Sources) {
    VOCABULARY.with_borrow_mut(|known| *known.get_or_insert_with(|| Box::leak(Box::new(ops::vocabulary()))))
}

/// The networks that the shipped pipelines import, the text itself under its own name, and nothing else.
struct Memory<'a> {
    text: &'a str,
}

impl Importer for Memory<'_> {
    fn import(&self, path: &str, _: &str) -> Result<(String, String), ImportError> {
        let nets = include_str!("../../../pipelines/lib/nets.rord");
        match path {
            "lib/nets.rord" => Ok(("lib/nets.rord".into(), nets.into())),
            "input.rord" => Ok(("input.rord".into(), self.text.into())),
            "../outside.rord" => Err(ImportError::Outside("here".into())),
            _ => Err(ImportError::Unreadable(format!("there is no {path}"))),
        }
    }
}

/// What a text asks for in its comments, so that a seed can say it and stay a pipeline: `#! preset smoke`, `#! set lr=1`,
/// `#! yaml lr: 1`.
fn asked(text: &str, sources: &mut Sources) -> Result<Outside, Vec<Report>> {
    let lines = |what: &'static str| text.lines().filter_map(move |l| l.strip_prefix("#! ")?.strip_prefix(what));
    let set: Vec<String> = lines("set ").take(20).map(str::to_string).collect();
    let mut asked = outside::read(&given(lines("preset ").next(), &set), sources)?;
    let yaml: Vec<&str> = lines("yaml ").take(20).collect();
    if !yaml.is_empty() {
        let file = sources.add(SourceKind::Params, "given.yaml", yaml.join("\n"));
        let (given, reports) = params::read(file, &Origin::Params("given.yaml".into()), sources);
        asked.given.extend(given);
        if !reports.is_empty() {
            return Err(reports);
        }
    }
    Ok(asked)
}

/// A text checks to a pipeline or to reports; of a pipeline without errors the graph is whole after every pass, and it can be
/// printed in every form.
pub fn check(bytes: &[u8]) {
    let (vocabulary, mut sources) = (&vocabulary().0, vocabulary().1.clone());
    let Some(file) = text_of(bytes, SourceKind::Main, "input.rord", &mut sources) else { return };
    let Source { text, .. } = sources.get(file).unwrap().clone();
    let outside = match asked(&text, &mut sources) {
        Ok(outside) => outside,
        Err(reports) => return sound(&reports, &sources),
    };
    checked(file, &text, vocabulary, &mut sources, &outside);
}

fn checked(file: FileId, text: &str, vocabulary: &Vocabulary, sources: &mut Sources, outside: &Outside) {
    let (pipeline, reports) = check_pipeline(sources, file, vocabulary, &Memory { text }, outside);
    sound(&reports, sources);
    if any_error(&reports) {
        return;
    }
    types::types_text(&pipeline);
    for wanted in [&[Role::Objective, Role::Loss][..], &[Role::Objective, Role::Loss, Role::Metric]] {
        let mut graph = build::build(&pipeline, vocabulary, &build::outputs(&pipeline, wanted));
        verify(&graph, vocabulary).unwrap_or_else(|e| panic!("as built: {e:?}\n{text}"));
        for (name, pass) in passes::PASSES {
            pass(&mut graph, vocabulary);
            verify(&graph, vocabulary).unwrap_or_else(|e| panic!("after {name}: {e:?}\n{text}"));
        }
        let stops = |op: &str| vocabulary.operation(op).is_some_and(|o| o.entry.graph.stops_gradient);
        let gradients = Gradients::of(&graph, trained(&pipeline), stops);
        flops::flops(&graph, vocabulary, &gradients, 8);
        if graph.nodes.len() < 300 {
            print::text(&graph, vocabulary);
            print::dot(&graph, vocabulary);
            print::mermaid(&graph, vocabulary);
            let told = print::json(&graph, vocabulary);
            serde_json::from_str::<serde_json::Value>(&told).unwrap_or_else(|e| panic!("{e}: {told}"));
        }
    }
}

/// Parameters of every kind, and what uses them.
const PARAMETERS: &str = r#"
pipeline every_parameter
param lr:      Rate     = 1e-3 in (0, 1)
param weight:  Weight   = 0.5
param n:       Count    = 3 in [1, 10]
param s:       Scalar   = -0.5
param on:      Flag     = true
param patch:   Pixels   = 64px
param turn:    Degrees  = 10deg
param last:    Duration = 3epochs
param how:     Word     = mean in {mean, sum}
param words:   Text     = "a text"
param where:   Path     = "data"
param span:    Range    = 0.5..1.5
param layouts: Layouts  = synth()
preset quick { n = 2, patch = 32px }
"#;

fn parameters() -> Sources {
    static TEXT: OnceLock<&str> = OnceLock::new();
    let mut sources = vocabulary().1.clone();
    sources.add(SourceKind::Main, "input.rord", *TEXT.get_or_init(|| PARAMETERS));
    sources
}

/// A file for `--params` gives values or reports, and the values are taken or refused.
pub fn yaml(bytes: &[u8]) {
    let mut sources = parameters();
    let main = sources.main().unwrap();
    let Some(file) = text_of(bytes, SourceKind::Params, "given.yaml", &mut sources) else { return };
    let (given, reports) = params::read(file, &Origin::Params("given.yaml".into()), &sources);
    let outside = Outside { given, ..Outside::default() };
    sound(&reports, &sources);
    outside.given.iter().for_each(|g| {
        lies_within(g.name.span, &sources, g);
        lies_within(g.value.span, &sources, g);
    });
    checked(main, PARAMETERS, &vocabulary().0, &mut sources, &outside);
}

fn given<'a>(preset: Option<&'a str>, set: &'a [String]) -> outside::Given<'a> {
    outside::Given { preset, params: None, set, point: None, import_root: None }
}

/// The same of `--preset` (the first line) and `--set` (each other line).
pub fn set(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut sources = parameters();
    let main = sources.main().unwrap();
    let mut lines = text.split('\n');
    let preset = lines.next().filter(|l| !l.is_empty());
    let set: Vec<String> = lines.take(20).map(str::to_string).collect();
    match outside::read(&given(preset, &set), &mut sources) {
        Err(reports) => sound(&reports, &sources),
        Ok(outside) => {
            let names = outside.given.iter().map(|g| &g.name).chain(&outside.preset);
            names.for_each(|Name { span, text }| lies_within(*span, &sources, text));
            checked(main, PARAMETERS, &vocabulary().0, &mut sources, &outside);
        }
    }
}
