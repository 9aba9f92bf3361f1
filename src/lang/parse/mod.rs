//! Tokens to a syntax tree, with nom. The grammar is `grammar/rord.ebnf`.
//!
//! Parsing never fails: what was not understood becomes a report and an [`ItemKind::Broken`], and reading goes on at
//! the next item's keyword at the start of a line, so one broken file reports all its mistakes.

mod block;
mod elsewhere;
pub mod expr;
pub mod item;
pub mod tokens;

use nom::Finish;
use nom::Parser;
use nom::combinator::all_consuming;

use super::ast::{Expr, File, FnParam, Item, ItemKind, TypeExpr};
use super::lex::{ITEMS, Token, TokenKind, lex};
use super::report::{Report, block as blocks, closest, syntax};
use super::source::{FileId, Span};
use tokens::{Refused, State, Tokens, show};

/// The syntax tree of a file, and what is wrong with its text.
pub fn parse(text: &str, file: FileId) -> (File, Vec<Report>) {
    let (tokens, comments, mut reports) = lex(text, file);
    // A token that was not understood would be reported again as a missing one.
    let unread = |r: &&Report| !matches!(r.code, "R0114" | "R0115");
    let lexed_wrong: Vec<Span> = reports.iter().filter(unread).filter_map(Report::place).collect();
    let state = State::default();
    let mut i = Tokens::new(&tokens, &state);
    let mut tree = File { comments, ..File::default() };
    if let TokenKind::Name(word) = i.peek()
        && word == "rord"
    {
        let start = i.span();
        i = i.advance();
        if let TokenKind::Number { whole: Some(version), unit: None, .. } = i.peek() {
            let span = start.to(i.span());
            if *version != 1 {
                reports.push(syntax::unknown_version(span, *version));
            }
            tree.version = Some((*version, span));
            i = i.advance();
        } else {
            reports.push(syntax::unexpected(i.span(), &show(i.peek()), &["the language's version, as in `rord 1`"]));
            if !i.first_of_line() {
                i = i.advance();
            }
        }
    }
    let mut last = Last::default();
    while !i.at_end() {
        i.reset();
        let goes_on = last.goes_on(i, text);
        let said = i.state().said();
        match item::item(i).finish() {
            Ok((rest, _)) if goes_on => {
                // A line of what ended too early, or of what was not understood: no item of its own.
                i.state().forget(said);
                if !last.broken {
                    reports.push(syntax::unexpected(i.span(), &show(i.peek()), &["an operator, a bracket or an item"]));
                }
                last.take_in(i, rest, &mut tree);
                i = rest;
            }
            Ok((rest, item)) => {
                tree.items.push(item);
                last = Last::new(i, text);
                i = rest;
            }
            Err(Refused(report)) => {
                let report = report.map_or_else(|| refusal(i), |r| finish(*r, text));
                let follows = goes_on && last.broken;
                let (at, expected) = i.furthest();
                if at <= i.behind_head().position() + 1 && expected.contains(&"a name") {
                    tree.nameless = true;
                }
                let place = report.place().unwrap_or_default();
                let start = i.span();
                let (next, held) = i.resumed().unwrap_or_else(|| (recover(i), vec![]));
                let line = text.get(..start.start as usize).and_then(|t| t.rfind('\n')).map_or(0, |n| n as u32);
                let region = Span { start: line, end: next.span().start.max(start.end), ..start };
                // Where an edit makes it right, what else is wrong is told at once.
                let certain = report.can_be_fixed();
                let lexed = matches!(report.code, "R0102" | "R0108") && lexed_wrong.iter().any(|w| region.holds(*w));
                if follows {
                    // What belongs to an item that was reported is part of that mistake.
                    i.state().forget(said);
                } else if !lexed {
                    reports.push(report);
                }
                if goes_on {
                    last.take_in(i, next, &mut tree);
                    i = next;
                    continue;
                }
                last = Last { broken: true, ..Last::new(i, text) };
                if !certain {
                    last.mention(i, next, &mut tree);
                }
                let mut defines = item::defines(i.behind_head());
                defines.extend(held);
                let span = Span { end: place.end.max(start.end), ..start };
                tree.items.push(Item { doc: vec![], attributes: vec![], kind: ItemKind::Broken { defines }, span });
                i = next;
            }
        }
    }
    reports.extend(state.take_reports().into_iter().map(|r| finish(r, text)));
    (tree, reports)
}

/// Where the item before began, for what follows it and is no item.
#[derive(Default)]
struct Last<'a> {
    /// Its first token; none before the first item.
    from: Option<Tokens<'a>>,
    /// The column in which it begins.
    column: usize,
    /// True where it was not understood.
    broken: bool,
}

impl<'a> Last<'a> {
    fn new(i: Tokens<'a>, text: &str) -> Self {
        // Behind another item on its line, nothing stands further in.
        let column = if i.first_of_line() { column(i, text) } else { usize::MAX };
        Self { from: Some(i), column, broken: false }
    }

    /// True for what begins no item and stands on the line of the one before, or further in on one of its own; and for
    /// a line further in behind an item that was not understood, which is one of its lines.
    fn goes_on(&self, i: Tokens<'_>, text: &str) -> bool {
        let further_in = i.first_of_line() && column(i, text) > self.column;
        let begins = match i.peek() {
            TokenKind::Name(word) => ITEMS.contains(&word.as_str()) && !(self.broken && further_in && word == "let"),
            TokenKind::Mark("@") | TokenKind::Doc(_) => true,
            _ => false,
        };
        self.from.is_some() && !begins && (further_in || !i.first_of_line())
    }

    /// Makes the tokens from `i` to `next` part of the item before, which was not understood then.
    fn take_in(&mut self, i: Tokens<'a>, next: Tokens<'a>, tree: &mut File) {
        let last = tree.items.last_mut();
        if let Some(item) = last {
            item.span.end = item.span.end.max(next.previous().end);
            if let (false, Some(from)) = (self.broken, self.from) {
                item.kind = ItemKind::Broken { defines: item::defines(from.behind_head()) };
                self.mention(from, i, tree);
            }
        }
        self.broken = true;
        self.mention(i, next, tree);
    }

    /// Keeps the names that stand from `i` to `next`: where one of them is missing elsewhere, this is why.
    fn mention(&self, i: Tokens<'_>, next: Tokens<'_>, tree: &mut File) {
        for at in i.position()..next.position() {
            if let Some(TokenKind::Name(word)) = i.token(at).map(|t| &t.kind) {
                tree.lost.push(word.clone());
            }
        }
    }
}

/// The column in which a token begins, from 0.
fn column(i: Tokens<'_>, text: &str) -> usize {
    let before = text.get(..i.span().start as usize).unwrap_or("");
    before.len() - before.rfind('\n').map_or(0, |n| n + 1)
}

/// The signature of an operation: `name(params) -> type`.
pub fn signature(text: &str, file: FileId) -> Result<(String, Vec<FnParam>, Option<TypeExpr>), Vec<Report>> {
    let (tokens, _, reports) = lex(text, file);
    if !reports.is_empty() {
        return Err(reports);
    }
    let state = State::default();
    let i = Tokens::new(&tokens, &state);
    let parsed = (expr::name, item::fn_params, item::result).parse(i).finish();
    match parsed {
        Ok((rest, (name, params, result))) if rest.at_end() => Ok((name.text, params, result)),
        Ok(_) => Err(vec![refusal(i)]),
        Err(Refused(report)) => Err(vec![report.map_or_else(|| refusal(i), |r| *r)]),
    }
}

/// A single expression, as in `--set lr=3e-4`.
pub fn expression(text: &str, file: FileId, offset: u32) -> Result<Expr, Vec<Report>> {
    let (mut tokens, _, mut reports) = lex(text, file);
    for token in &mut tokens {
        token.span.start += offset;
        token.span.end += offset;
    }
    for report in &mut reports {
        for span in report.labels.iter_mut().map(|l| &mut l.span).chain(report.edits.iter_mut().map(|e| &mut e.span)) {
            span.start += offset;
            span.end += offset;
        }
    }
    if !reports.is_empty() {
        return Err(reports);
    }
    let state = State::default();
    let i = Tokens::new(&tokens, &state);
    let whole = |i| match expr::expr(i)? {
        (rest, e) if rest.at_end() => Ok((rest, e)),
        (rest, _) => rest.refuse("the end"),
    };
    let parsed = all_consuming(whole).parse(i).or_else(|e| match e {
        // The end token itself is left over; `whole` has checked that nothing else is.
        nom::Err::Error(Refused(None)) => whole(i),
        other => Err(other),
    });
    match parsed.finish() {
        Ok((_, e)) => Ok(e),
        Err(Refused(report)) => Err(vec![report.map_or_else(|| refusal(i), |r| *r)]),
    }
}

/// The same since a line of a function's block began at `i`.
fn refusal_in_block(i: Tokens) -> Report {
    let (at, _) = i.furthest();
    match i.peek() {
        TokenKind::Mark(mark @ (")" | "]")) if at == i.position() => syntax::closes_nothing(i.span(), mark),
        kind if at == i.position() => syntax::unexpected(i.span(), &show(kind), &["`let`, `out` or `}`"]),
        _ => refusal(i),
    }
}

/// The report of the furthest refusal since the item began at `i`.
pub fn refusal(i: Tokens) -> Report {
    let (at, mut expected) = i.furthest();
    let fallback = Token { kind: i.peek().clone(), span: i.span(), first: true };
    let found = i.token(at).unwrap_or(&fallback);
    if at == i.position() {
        return match &found.kind {
            TokenKind::Name(word) => syntax::not_an_item(found.span, word, i.mark_after(at)),
            TokenKind::Mark(mark @ (")" | "]" | "}")) => syntax::closes_nothing(found.span, mark),
            kind => syntax::unexpected(found.span, &show(kind), &["an item such as `let` or `loss`"]),
        };
    }
    if let TokenKind::Doc(_) = found.kind {
        return syntax::stray_doc(found.span);
    }
    // After documentation or an attribute, a misspelled keyword is still a misspelled keyword.
    if expected.contains(&"an item") {
        return match &found.kind {
            TokenKind::Name(word) => syntax::not_an_item(found.span, word, i.mark_after(at)),
            TokenKind::End => syntax::stray_doc(i.span()),
            kind => syntax::unexpected(found.span, &show(kind), &["an item such as `let` or `loss`"]),
        };
    }
    if expected.len() > 1 {
        expected.retain(|e| *e != "an operator" && *e != "documentation");
    }
    if expected.len() > 1 && expected.iter().any(|e| e.contains("` or `")) {
        expected.retain(|e| e.contains("` or `"));
    }
    // A line that ends too early is wrong at its end, not where the next item begins, which may be far below.
    if i.item_begins(at)
        && let Some(last) = at.checked_sub(1).and_then(|at| i.token(at))
    {
        return blocks::unfinished(last.span, &syntax::wanted(&expected));
    }
    syntax::unexpected(found.span, &show(&found.kind), &expected)
}

/// Completes a report that needs the text: what the missing bracket most likely belongs behind.
fn finish(report: Report, text: &str) -> Report {
    let Some(fix) = report.edits.first().cloned().filter(|_| report.code == "R0101") else { return report };
    let before = text.get(..fix.span.start as usize).unwrap_or("").lines().next_back().unwrap_or("").trim();
    let short = before.char_indices().rev().nth(39).map_or(before, |(i, _)| before.get(i..).unwrap_or(before));
    let shown = last_call(short);
    Report { help: Some(format!("add the missing `{}` — most likely after `{shown}`", fix.text.trim())), ..report }
}

/// The last call or word of a line: `warp(det_r, inv(H))` of `loss d = bce(det, warp(det_r, inv(H))`.
fn last_call(line: &str) -> &str {
    let mut depth = 0i32;
    for (at, c) in line.char_indices().rev() {
        match c {
            ')' | ']' => depth += 1,
            '(' | '[' => depth -= 1,
            ' ' | ',' | '=' if depth == 0 => return line.get(at + c.len_utf8()..).unwrap_or(line),
            _ => {}
        }
        if depth < 0 {
            return line.get(at + c.len_utf8()..).unwrap_or(line).trim_start();
        }
    }
    line
}

/// The next item: its keyword, `@` or documentation at the start of a line. A word that is nearly a keyword counts too,
/// so that two misspelled items give two reports.
fn recover(i: Tokens) -> Tokens {
    // Documentation and attributes belong to what was not understood.
    let mut i = i.behind_head().advance();
    while !i.at_end() {
        if i.at_item() {
            return i;
        }
        // A block belongs to what was not understood: `def net(x) { let … out … }`.
        if let TokenKind::Mark("{") = i.peek()
            && let Some(behind) = i.behind_block()
        {
            i = behind;
            continue;
        }
        if i.first_of_line()
            && let TokenKind::Name(word) = i.peek()
            && !matches!(i.second(), TokenKind::Mark(_))
            && closest(word, ITEMS).is_some()
        {
            return i;
        }
        i = i.advance();
    }
    i
}
