//! A part of a formula becomes a `let` before the line that it stands in.

use std::path::Path;
use std::rc::Rc;

use lsp_types::{CodeAction, CodeActionKind, TextEdit};

use super::actions::edit;
use super::world::{Analysis, World};
use rord_lang::lex::{Token, TokenKind};
use rord_lang::report::{Report, Severity};
use rord_lang::source::Span;

/// What the new name is called; a renaming gives it a better one.
const NAME: &str = "part";

/// The action for what is selected. It is made on a copy and checked: nothing is offered that the pipeline would not take, such as names of
/// a function outside of it.
pub fn extract(world: &World, doc: &Analysis, from: u32, to: u32) -> Option<CodeAction> {
    let unit = &doc.unit;
    let chosen: Vec<&Token> =
        unit.tokens.iter().filter(|t| from < t.span.end && t.span.start < to && t.span.start < t.span.end).collect();
    let (first, last) = (chosen.first()?, chosen.last()?);
    if chosen.len() < 2 || chosen.iter().any(|t| matches!(t.kind, TokenKind::Doc(_))) || !balanced(&chosen) {
        return None;
    }
    let span = first.span.to(last.span);
    let formula = unit.slice(span);
    let (at, indent) = statement(doc, span)?;
    let taken = |name: &str| unit.tokens.iter().any(|t| matches!(&t.kind, TokenKind::Name(n) if n == name));
    let name =
        (1..).map(|n| if n == 1 { NAME.into() } else { format!("{NAME}{n}") }).find(|name: &String| !taken(name))?;
    let line = format!("let {name} = {formula}\n{indent}");
    let text = format!(
        "{}{line}{}{name}{}",
        unit.text.get(..at as usize)?,
        unit.text.get(at as usize..span.start as usize)?,
        unit.text.get(span.end as usize..)?
    );
    let new = world.unit(unit.uri.clone(), unit.path.clone(), unit.real.clone(), text);
    let found = world.check(Rc::new(new), &|_: &Path| None);
    let errors = |reports: &[Report]| reports.iter().filter(|r| r.severity == Severity::Error).count();
    if errors(&found.reports) > errors(&doc.reports) {
        return None;
    }
    let place = Span { start: at, end: at, ..span };
    let edits = vec![TextEdit::new(unit.range(place), line), TextEdit::new(unit.range(span), name)];
    Some(CodeAction {
        title: "Extract to a `let`".into(),
        kind: Some(CodeActionKind::REFACTOR_EXTRACT),
        edit: Some(edit(doc, edits)),
        ..CodeAction::default()
    })
}

/// True where every bracket has its other one.
fn balanced(tokens: &[&Token]) -> bool {
    let mut open = 0i32;
    for token in tokens {
        match token.kind {
            TokenKind::Mark("(" | "[" | "{") => open += 1,
            TokenKind::Mark(")" | "]" | "}") => open -= 1,
            _ => {}
        }
        if open < 0 {
            return false;
        }
    }
    open == 0
}

/// Where the line begins that a formula belongs to, and how far it is indented: that of the nearest word which names a value and is the
/// first of its line; before the documentation and the attributes of that line.
fn statement(doc: &Analysis, span: Span) -> Option<(u32, String)> {
    const WORDS: [&str; 6] = ["let", "out", "loss", "metric", "minimize", "weight"];
    let unit = &doc.unit;
    let line_of = |offset: u32| unit.lines.line(offset as usize);
    let indent_of = |line: usize| {
        let text = unit.text.get(unit.lines.start(line, &unit.text)..).unwrap_or_default();
        text.chars().take_while(|c| *c == ' ' || *c == '\t').collect::<String>()
    };
    let begins = |t: &&Token| {
        let line = unit.lines.start(line_of(t.span.start), &unit.text);
        let before = unit.text.get(line..t.span.start as usize).unwrap_or("x");
        before.trim().is_empty() && matches!(&t.kind, TokenKind::Name(w) if WORDS.contains(&w.as_str()))
    };
    let token = unit.tokens.iter().rev().filter(|t| t.span.end <= span.start).find(begins)?;
    let mut line = line_of(token.span.start);
    let indent = indent_of(line);
    let belongs = |line: usize| {
        let text = unit.text.get(unit.lines.start(line, &unit.text)..).unwrap_or_default();
        let text = text.lines().next().unwrap_or_default().trim_start();
        text.starts_with("##") || text.starts_with('@')
    };
    while line > 0 && belongs(line - 1) {
        line -= 1;
    }
    let start = unit.lines.start(line, &unit.text) + indent.len();
    Some((u32::try_from(start).ok()?, indent))
}
