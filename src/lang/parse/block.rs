//! The block of a function: `{ let d = a - b  out = mean(d) }`.
//!
//! A line that cannot stand in a block is reported where it is, once; reading goes on at the next line, so that the
//! block's end is found.

use nom::Finish;

use super::expr::{expr, mark, new_name, type_expr};
use super::item::{
    self, binding, defined, defines, item_params, names_and_equals, recover_line, result, short, unclosed_block,
};
use super::tokens::{Parsed, Refused, Tokens};
use crate::ast::{Expr, ExprKind, Function, Let, Name};
use crate::lex::{ITEMS, KEYWORDS, TokenKind};
use crate::report::{Edit, Report, block as said, syntax};
use crate::source::Span;

/// A `fn` or a `layer`, behind its keyword.
pub fn function(i: Tokens, layer: bool) -> Parsed<Function> {
    let (i, name) = new_name(i)?;
    let (i, params) = item_params(i)?;
    let (mut i, mut result) = result(i)?;
    // The type of what is computed, as other languages have it.
    if let (TokenKind::Mark(":"), TokenKind::Name(kind), None) = (i.peek(), i.second(), &result)
        && kind.starts_with(char::is_uppercase)
    {
        let (rest, ty) = type_expr(i.advance())?;
        i.state().report(said::colon_before_type(i.span()));
        (i, result) = (rest, Some(ty));
    }
    let names: Vec<Name> = params.iter().map(|p| p.name.clone()).collect();
    let (i, (lets, body)) = match (i.peek(), i.second()) {
        (TokenKind::Mark("{"), _) => function_block(i, &names)?,
        (TokenKind::Mark("="), TokenKind::Mark("{")) => {
            i.state().report(said::equals_before_block(i.span()));
            function_block(i.advance(), &names)?
        }
        // The body of several lines that other languages have: read as a block.
        (TokenKind::Mark("="), TokenKind::Name(word))
            if word == "let" || names_and_equals(i.advance()).is_some() && !KEYWORDS.contains(&word.as_str()) =>
        {
            let (rest, (lets, word, body)) = bare_lines(i.advance())?;
            i.state().report(syntax::body_without_braces(i.span(), word, body.span));
            (rest, (lets, body))
        }
        (TokenKind::Mark("="), TokenKind::Name(word))
            if word == "return" && !matches!(i.third(), TokenKind::Mark(".")) =>
        {
            let place = i.advance().span();
            let (rest, body) = expr(i.advance().advance())?;
            i.state().report(said::return_of_expression(place, body.span));
            (rest, (vec![], body))
        }
        (TokenKind::Mark(":"), next) if !matches!(next, TokenKind::Mark("=")) => {
            let braces = matches!(next, TokenKind::Mark("{"));
            let before = i.state().said();
            if braces {
                let read = function_block(i.advance(), &names)?;
                i.state().report(Report {
                    edits: vec![Edit { span: i.span(), text: String::new() }],
                    ..said::colon_before_body(i.span())
                });
                read
            } else if let Ok((rest, (lets, word, body))) = bare_lines(i.advance()) {
                let report = said::colon_before_body(i.span());
                let edits = syntax::body_without_braces(i.span(), word, body.span).edits;
                let edits = edits.into_iter().map(|e| if e.text == "{" { Edit { text: " {".into(), ..e } } else { e });
                i.state().report(Report { edits: edits.collect(), ..report });
                (rest, (lets, body))
            } else {
                // Its lines are no items of the file.
                i.state().forget(before);
                let mut rest = i.advance();
                let inner = |i: Tokens<'_>| matches!(i.peek(), TokenKind::Name(w) if w == "let");
                while !rest.at_end() && (!rest.at_item() || inner(rest)) {
                    rest = rest.advance();
                }
                rest.resume_here(vec![]);
                return i.fail(said::colon_before_body(i.span()));
            }
        }
        _ => defined(i).map(|(i, body)| (i, (vec![], body)))?,
    };
    Ok((i, Function { layer, name, params, result, lets, body }))
}

/// What has been read of a block.
#[derive(Default)]
struct Block {
    lets: Vec<Let>,
    /// Names that the parameters and the lines so far gave.
    names: Vec<String>,
    /// The place of `out`, and what it gives.
    out: Option<(Span, Expr)>,
    /// The first mistake after which the block means nothing.
    wrong: Option<Report>,
    /// True once something behind `out` was reported.
    behind: bool,
}

/// What a line is.
enum Line {
    Let(Box<Let>),
    Out(Span, Expr),
    /// Nothing that the block computes with; it was reported.
    Nothing,
}

/// `{ let …  out = … }`; `params` are names that may be used in it.
fn function_block<'a>(i: Tokens<'a>, params: &[Name]) -> Parsed<'a, (Vec<Let>, Expr)> {
    let opened = i.span();
    // Behind a block that is never closed stand items of the file.
    let closed = i.block_closes();
    let mut block = Block { names: params.iter().map(|p| p.text.clone()).collect(), ..Block::default() };
    let before = i.state().said();
    let mut i = i.advance();
    loop {
        if let TokenKind::Doc(_) = i.peek() {
            i = i.advance();
            continue;
        }
        if let TokenKind::Mark("}") = i.peek() {
            return end(block, opened, i);
        }
        let lost = i.at_end() || !closed && i.at_item() && (!is(i, "let") || block.out.is_some());
        if lost {
            let mut report = unclosed_block(i, opened, Some((i.span(), !i.at_end())));
            if block.out.is_none() {
                // Closed here, it would compute nothing, and may hold lines that belong to the file.
                report.edits.clear();
            }
            // While it is being typed, a value is not alone yet.
            i.state().forget(before);
            i.resume_here(block.lets.iter().flat_map(|line| line.pattern.names()).cloned().collect());
            return i.fail(block.wrong.unwrap_or(report));
        }
        i.new_line();
        let quiet = i.state().said();
        match line(i, &mut block) {
            Ok((rest, Line::Let(line))) => {
                block.names.extend(line.pattern.names().into_iter().map(|n| n.text.clone()));
                block.lets.push(*line);
                i = rest;
            }
            Ok((rest, Line::Out(place, value))) => {
                match &block.out {
                    Some((first, _)) => i.state().report(said::second_out(place, *first)),
                    None => block.out = Some((place, value)),
                }
                i = rest;
            }
            Ok((rest, Line::Nothing)) => i = rest,
            Err(wrong) => {
                let report = match wrong {
                    nom::Err::Failure(Refused(Some(report))) => *report,
                    _ => super::refusal_in_block(i),
                };
                // The line's smaller mistakes are part of the one that broke it.
                i.state().forget(quiet);
                match block.wrong {
                    None => block.wrong = Some(report),
                    Some(_) => i.state().report(report),
                }
                i = recover_line(i, closed);
            }
        }
        i = short(i, block.lets.len())?;
    }
}

/// The block as a whole, at its closing brace.
fn end(block: Block, opened: Span, i: Tokens) -> Parsed<(Vec<Let>, Expr)> {
    let rest = i.advance();
    let whole = opened.to(i.span());
    match (block.wrong, block.out) {
        (None, Some((_, body))) => Ok((rest, (block.lets, body))),
        (wrong, _) => {
            rest.resume_here(vec![]);
            i.fail(wrong.unwrap_or_else(|| syntax::no_out(whole)))
        }
    }
}

fn is(i: Tokens, word: &str) -> bool {
    matches!(i.peek(), TokenKind::Name(w) if w == word)
}

/// True where a value ends the line: its block does, or another line begins.
fn line_ends(i: Tokens) -> bool {
    i.first_of_line() || matches!(i.peek(), TokenKind::Mark("}"))
}

fn line<'a>(i: Tokens<'a>, block: &mut Block) -> Parsed<'a, Line> {
    let TokenKind::Name(word) = i.peek() else {
        return match i.peek() {
            TokenKind::Mark("@") => {
                i.state().report(said::attribute(i.span()));
                let (i, _) = item::attribute(i)?;
                Ok((i, Line::Nothing))
            }
            _ => value(i, block),
        };
    };
    let assigns = matches!(i.second(), TokenKind::Mark("=" | "," | "." | ")" | ":"));
    match word.as_str() {
        "let" => {
            let (rest, line) = binding(i.advance())?;
            if block.out.is_some() && !std::mem::replace(&mut block.behind, true) {
                i.state().report(said::behind_out(i.span()));
            }
            Ok((rest, Line::Let(Box::new(line))))
        }
        "out" => out(i),
        "return" if !assigns => {
            let (rest, value) = expr(i.advance())?;
            i.state().report(syntax::value_without_out(i.span(), true));
            Ok((rest, Line::Out(i.span(), value)))
        }
        // A block that has effects, with all that stands in it.
        "for" | "while" | "with" | "try" | "def" | "class" if !assigns => i.fail(said::foreign(i.span(), word)),
        "print" | "assert" if !assigns => i.fail(said::foreign(i.span(), word)),
        "if" if has_no_then(i) => i.fail(said::foreign(i.span(), word)),
        _ if ITEMS.contains(&word.as_str()) && !assigns => i.fail(said::item_inside(i.span(), word)),
        _ if KEYWORDS.contains(&word.as_str())
            && word != "if"
            && word != "true"
            && word != "false"
            && word != "train" =>
        {
            i.refuse("`let`, `out` or `}`")
        }
        _ if changes(i) => {
            let (rest, _) = expr(i.advance().advance().advance())?;
            i.state().report(said::changed(i.span().to(i.advance().advance().span()), word));
            Ok((rest, Line::Nothing))
        }
        _ if names_and_equals(i).is_some() || assigned_with_colon(i) => {
            if matches!(i.second(), TokenKind::Mark("=")) && block.names.contains(word) {
                let (rest, _) = expr(i.advance().advance())?;
                i.state().report(said::changed(i.span(), word));
                return Ok((rest, Line::Nothing));
            }
            let (rest, line) = binding(i)?;
            i.state().report(syntax::missing_let(i.span(), word));
            Ok((rest, Line::Let(Box::new(line))))
        }
        _ => value(i, block),
    }
}

/// True for `name +=` and its like.
fn changes(i: Tokens) -> bool {
    matches!(i.second(), TokenKind::Mark("+" | "-" | "*" | "/"))
        && matches!(i.third(), TokenKind::Mark("="))
        && i.advance().span().end == i.advance().advance().span().start
}

/// True for `name := …` and `name: type = …`.
fn assigned_with_colon(i: Tokens) -> bool {
    matches!(i.second(), TokenKind::Mark(":"))
}

/// True for an `if` that is no expression: `if a > b:` and `if a > b { … }`.
fn has_no_then(i: Tokens) -> bool {
    let said = i.state().said();
    let no_then = match expr(i.advance()).finish() {
        Ok((rest, _)) => matches!(rest.peek(), TokenKind::Mark(":" | "{")),
        Err(_) => false,
    };
    i.state().forget(said);
    no_then
}

/// A value alone: the last one of a block is what it computes.
fn value<'a>(i: Tokens<'a>, block: &mut Block) -> Parsed<'a, Line> {
    let (rest, value) = expr(i)?;
    if !line_ends(rest) && !is(rest, "out") && !is(rest, "let") && !rest.at_end() {
        let found = super::tokens::show(rest.peek());
        return rest.fail(syntax::unexpected(rest.span(), &found, &["`let`, `out` or `}`"]));
    }
    if let (ExprKind::Name(word), TokenKind::Name(_)) = (&value.kind, i.peek())
        && !block.names.contains(word)
    {
        return i.fail(syntax::not_a_line(value.span, word, "function", begins(rest)));
    }
    if let (TokenKind::Mark("}"), None) = (rest.peek(), &block.out) {
        i.state().report(syntax::value_without_out(value.span, false));
        return Ok((rest, Line::Out(value.span, value)));
    }
    i.state().report(said::value_alone(value.span));
    Ok((rest, Line::Nothing))
}

/// The keyword that may stand before what follows on the same line.
pub fn begins(i: Tokens) -> Option<&'static str> {
    match (i.peek(), i.second()) {
        _ if i.first_of_line() => None,
        (TokenKind::Mark("="), _) => Some("out"),
        (TokenKind::Name(_) | TokenKind::Mark("{"), _) => Some("let"),
        _ => None,
    }
}

/// `out = expr`; a name or a type between the two is reported and left out.
fn out(i: Tokens) -> Parsed<Line> {
    let place = i.span();
    let mut i = i.advance();
    let between = i.span();
    if let (TokenKind::Name(_), TokenKind::Mark("=" | ":" | "==")) = (i.peek(), i.second()) {
        i = i.advance();
    }
    if let TokenKind::Mark(":") = i.peek()
        && !matches!(i.second(), TokenKind::Mark("="))
    {
        (i, _) = type_expr(i.advance())?;
    }
    if i.span() != between {
        mark("=", "`=`")(i)?;
        i.state().report(said::named_out(place, between.to(i.previous())));
    }
    let (i, value) = defined(i)?;
    Ok((i, Line::Out(place, value)))
}

/// The lines of a body without braces, `= let a = …  out = …`, and the word before its value.
fn bare_lines(i: Tokens) -> Parsed<(Vec<Let>, Option<Span>, Expr)> {
    let (mut i, mut lets) = (i, Vec::new());
    loop {
        match i.peek() {
            TokenKind::Doc(_) => i = i.advance(),
            TokenKind::Name(w) if w == "let" => {
                let (rest, line) = binding(i.advance())?;
                lets.push(line);
                i = short(rest, lets.len())?;
            }
            TokenKind::Name(w) if !KEYWORDS.contains(&w.as_str()) && names_and_equals(i).is_some() => {
                i.state().report(syntax::missing_let(i.span(), w));
                let (rest, line) = binding(i)?;
                lets.push(line);
                i = short(rest, lets.len())?;
            }
            _ => break,
        }
    }
    let start = i.span();
    match i.peek() {
        TokenKind::Name(word) if word == "out" => {
            let (i, value) = defined(i.advance())?;
            Ok((i, (lets, Some(start), value)))
        }
        TokenKind::Name(word) if word == "return" => {
            let (i, value) = expr(i.advance())?;
            Ok((i, (lets, Some(start), value)))
        }
        _ => {
            let (i, value) = expr(i)?;
            Ok((i, (lets, None, value)))
        }
    }
}

/// The input behind an item that stands in a model, with the names it would have defined.
pub fn skip_item(i: Tokens) -> (Tokens, Vec<Name>) {
    let (said, names) = (i.state().said(), defines(i));
    let rest = match item::item(i).finish() {
        Ok((rest, _)) => rest,
        Err(_) => recover_line(i, true),
    };
    i.state().forget(said);
    (rest, names)
}
