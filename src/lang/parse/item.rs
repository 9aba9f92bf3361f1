//! Items: everything that starts with a keyword.

use nom::combinator::opt;
use nom::multi::many0;
use nom::sequence::preceded;
use nom::{Finish, Parser};

use super::block::{begins, function, skip_item};
use super::expr::{arg, bracketed, expr, keyword, mark, name, new_name, text, type_expr, word};
use super::tokens::{Parsed, Tokens};
use crate::ast::{
    Attribute, Domain, Expr, ExprKind, Field, FnParam, Item, ItemKind, Let, ModelLine, Name, Part, Pattern, Text,
    TypeExpr,
};
use crate::lex::{KEYWORDS, TokenKind};
use crate::report::{Certainty, Report, block, syntax};
use crate::source::Span;

/// `@name(args)`
pub fn attribute(i: Tokens) -> Parsed<Attribute> {
    let start = i.span();
    let (i, _) = mark("@", "`@`")(i)?;
    let (i, name) = new_name(i)?;
    let (i, (args, close)) = bracketed("(", ")", "`,` or `)`", arg)(i)?;
    Ok((i, Attribute { name, args, span: start.to(close) }))
}

/// Documentation, attributes and the item they belong to.
pub fn item(i: Tokens) -> Parsed<Item> {
    let (i, doc) = many0(doc).parse(i)?;
    i.head();
    let (mut i, mut attributes) = many0(attribute).parse(i)?;
    let mut doc = doc;
    // Documentation may stand between an attribute and its item.
    loop {
        let (rest, more) = many0(self::doc).parse(i)?;
        let (rest, again) = many0(attribute).parse(rest)?;
        i = rest;
        i.head();
        if more.is_empty() && again.is_empty() {
            break;
        }
        doc.extend(more);
        attributes.extend(again);
    }
    let start = i.span();
    let TokenKind::Name(start_word) = i.peek() else { return i.refuse("an item") };
    let rest = i.advance();
    if i.first_of_line()
        && !crate::lex::KEYWORDS.contains(&start_word.as_str())
        && let Some(names) = names_and_equals(i)
    {
        match names.as_slice() {
            [_] => i.state().report(syntax::missing_let(start, start_word)),
            names => {
                let list: Vec<&str> = names.iter().map(|n| n.text.as_str()).collect();
                let span = start.to(names.last().map_or(start, |n| n.span));
                i.state().report(syntax::missing_braces(span, &list.join(", "), true));
            }
        }
        let (i, binding) = binding(i)?;
        let span = start.to(i.previous());
        return Ok((i, Item { doc, attributes, kind: ItemKind::Let(binding), span }));
    }
    let (i, kind) = match start_word.as_str() {
        "pipeline" => pipeline(rest),
        "import" => import(rest),
        "param" => param(rest),
        "preset" => named_fields(rest).map(|(i, (name, fields))| (i, ItemKind::Preset { name, fields })),
        "sweep" => named_fields(rest).map(|(i, (name, fields))| (i, ItemKind::Sweep { name, fields })),
        "input" => input(rest),
        "data" => data(rest),
        "model" => model(rest),
        "layer" => function(rest, true).map(|(i, f)| (i, ItemKind::Function(f))),
        "fn" => function(rest, false).map(|(i, f)| (i, ItemKind::Function(f))),
        "let" => binding(rest).map(|(i, l)| (i, ItemKind::Let(l))),
        "loss" => formula(rest).map(|(i, (name, value))| (i, ItemKind::Loss { name, value })),
        "metric" => formula(rest).map(|(i, (name, value))| (i, ItemKind::Metric { name, value })),
        "minimize" => minimize(rest),
        "train" | "save" | "export" => {
            let keyword = Name { text: start_word.clone(), span: start };
            let train = start_word == "train";
            entries(rest, train, false).map(|(i, (fields, parts))| (i, ItemKind::Section { keyword, fields, parts }))
        }
        _ => i.refuse("an item"),
    }?;
    let span = start.to(i.previous());
    Ok((i, Item { doc, attributes, kind, span }))
}

fn doc(i: Tokens) -> Parsed<String> {
    match i.peek() {
        TokenKind::Doc(line) => Ok((i.advance(), line.clone())),
        _ => i.refuse("documentation"),
    }
}

fn pipeline(i: Tokens) -> Parsed<ItemKind> {
    let (i, name) = text(i)?;
    let (i, about) = opt(text).parse(i)?;
    Ok((i, ItemKind::Pipeline { name, about }))
}

fn import(i: Tokens) -> Parsed<ItemKind> {
    if let TokenKind::Name(name) = i.peek() {
        return i.fail(syntax::import_of_a_name(i.span(), name));
    }
    let (i, path) = text(i)?;
    let (i, (names, _)) = bracketed("{", "}", "`,` or `}`", new_name)(i)?;
    Ok((i, ItemKind::Import { path, names }))
}

fn typed(i: Tokens) -> Parsed<TypeExpr> {
    preceded(mark(":", "`:` and a type"), type_expr).parse(i)
}

fn param(i: Tokens) -> Parsed<ItemKind> {
    let (i, name) = new_name(i)?;
    let (i, ty) = typed(i)?;
    let (i, default) = opt(preceded(mark("=", "`=`"), expr)).parse(i)?;
    let (i, domain) = within(i)?;
    let (i, about) = opt(text).parse(i)?;
    Ok((i, ItemKind::Param { name, ty, default, domain, about }))
}

/// `in domain`, which may be left out.
fn within(i: Tokens) -> Parsed<Option<Domain>> {
    let Ok((rest, _)) = keyword("in", "`in`")(i) else { return Ok((i, None)) };
    if let TokenKind::Mark("(" | "[" | "{") = rest.peek() {
        return domain(rest).map(|(i, d)| (i, Some(d)));
    }
    match expr(rest) {
        Ok((i, Expr { kind: ExprKind::Range(low, high), span, .. })) => {
            i.state().report(syntax::bare_domain(low.span, high.span));
            let domain = Domain::Interval { low: *low, high: *high, low_open: false, high_open: false, span };
            Ok((i, Some(domain)))
        }
        _ => rest.fail(syntax::unexpected(rest.span(), &super::tokens::show(rest.peek()), &[DOMAIN])),
    }
}

/// What a domain is, for a report.
const DOMAIN: &str = "a domain: [low, high], (low, high) or {a, b}";

/// The names before `a =` and `a, b =`.
pub fn names_and_equals(mut i: Tokens) -> Option<Vec<Name>> {
    let mut names = Vec::new();
    loop {
        let TokenKind::Name(text) = i.peek() else { return None };
        names.push(Name { text: text.clone(), span: i.span() });
        match i.second() {
            TokenKind::Mark("=") => return Some(names),
            TokenKind::Mark(",") => i = i.advance().advance(),
            _ => return None,
        }
    }
}

fn domain(i: Tokens) -> Parsed<Domain> {
    let open = i.span();
    let low_open = match i.peek() {
        TokenKind::Mark("(") => true,
        TokenKind::Mark("[") => false,
        TokenKind::Mark("{") => {
            let (i, (values, span)) = bracketed("{", "}", "`,` or `}`", expr)(i)?;
            return Ok((i, Domain::Choice(values, span)));
        }
        _ => return i.refuse(DOMAIN),
    };
    let (i, low) = expr(i.advance())?;
    let (i, _) = mark(",", "`,`")(i)?;
    let (i, high) = expr(i)?;
    let high_open = match i.peek() {
        TokenKind::Mark(")") => true,
        TokenKind::Mark("]") => false,
        _ => return i.refuse("`]` or `)`"),
    };
    let span = open.to(i.span());
    Ok((i.advance(), Domain::Interval { low, high, low_open, high_open, span }))
}

fn fields(i: Tokens) -> Parsed<Vec<Field>> {
    entries(i, false, false).map(|(i, (fields, _))| (i, fields))
}

/// `{ name = expr, name }`, with parts among them where there may be `parts`. `of_part` is true within one, where a value may
/// be followed by `under "…"`.
fn entries(i: Tokens, parts: bool, of_part: bool) -> Parsed<(Vec<Field>, Vec<Part>)> {
    let opened = i.span();
    let (mut i, _) = mark("{", "`{`")(i)?;
    let (mut fields, mut found) = (Vec::new(), Vec::new());
    i.state().in_fields(true);
    loop {
        match i.peek() {
            TokenKind::Mark("}") => {
                // Behind a part, its section goes on.
                i.state().in_fields(of_part);
                return Ok((i.advance(), (fields, found)));
            }
            TokenKind::Mark(mark @ (")" | "]")) => {
                i.state().report(syntax::closes_nothing(i.span(), mark));
                // What follows on its line belongs to the bracket that is wrong, and so does the field before it.
                fields.pop();
                i = i.advance();
                while !i.first_of_line() && !i.at_end() && !matches!(i.peek(), TokenKind::Mark("}")) {
                    i = i.advance();
                }
                continue;
            }
            // A keyword at the start of a line is a field only where `=` follows.
            _ if i.at_end() || i.at_item() => {
                let next = Some((i.span(), !i.at_end()));
                // Fields stand in braces only, so the block ends behind the last of them.
                return i.fail(Report { certainty: Certainty::Certain, ..unclosed_block(i, opened, next) });
            }
            _ => {}
        }
        if parts && let Some((rest, keyword, path, names)) = part_head(i) {
            let (rest, (fields, _)) = entries(rest, false, true)?;
            found.push(Part { keyword, path, names, fields });
            i = match rest.peek() {
                TokenKind::Mark(",") => rest.advance(),
                _ => rest,
            };
            continue;
        }
        let (rest, name) = match word(i) {
            Err(nom::Err::Error(_)) => i.refuse("a field or `}`")?,
            other => other?,
        };
        let equals = if let TokenKind::Mark(found @ (":" | "==")) = rest.peek() {
            rest.state().report(syntax::not_equals(rest.span(), found, &name.text, true));
            *found
        } else {
            "="
        };
        // A field alone takes the value of its name, and a keyword names no value.
        let keyword = KEYWORDS.contains(&name.text.as_str());
        let (rest, value) = match rest.peek() {
            TokenKind::Mark(found) if *found == equals => expr(rest.advance()).map(|(i, e)| (i, Some(e)))?,
            _ if keyword => rest.refuse("`=`")?,
            _ => (rest, None),
        };
        let (rest, under) = match (rest.peek(), rest.second()) {
            (TokenKind::Name(word), TokenKind::Text(prefix)) if of_part && word == "under" => {
                let span = rest.advance().span();
                (rest.advance().advance(), Some(Text { text: prefix.clone(), span }))
            }
            _ => (rest, None),
        };
        fields.push(Field { name, value, under });
        i = match rest.peek() {
            TokenKind::Mark(",") => rest.advance(),
            _ => rest,
        };
    }
}

/// `part net.trunk` or `part "net.trunk.0"` before a brace; else `part` is a field like any other. The word's place, the path, and its
/// segments.
fn part_head(i: Tokens) -> Option<(Tokens, Span, Name, Vec<Name>)> {
    let TokenKind::Name(word) = i.peek() else { return None };
    if word != "part" {
        return None;
    }
    let (keyword, mut i) = (i.span(), i.advance());
    let first = i.span();
    let (text, mut names) = match i.peek() {
        TokenKind::Text(text) => (text.clone(), Vec::new()),
        TokenKind::Name(name) if !KEYWORDS.contains(&name.as_str()) => {
            (name.clone(), vec![Name { text: name.clone(), span: first }])
        }
        _ => return None,
    };
    let mut path = Name { text, span: first };
    i = i.advance();
    while let (false, TokenKind::Mark("."), TokenKind::Name(segment)) = (names.is_empty(), i.peek(), i.second()) {
        let span = i.advance().span();
        path = Name { text: format!("{}.{segment}", path.text), span: first.to(span) };
        names.push(Name { text: segment.clone(), span });
        i = i.advance().advance();
    }
    matches!(i.peek(), TokenKind::Mark("{")).then_some((i, keyword, path, names))
}

fn named_fields(i: Tokens) -> Parsed<(Name, Vec<Field>)> {
    let (i, name) = new_name(i)?;
    let (i, fields) = fields(i)?;
    Ok((i, (name, fields)))
}

fn input(i: Tokens) -> Parsed<ItemKind> {
    let (i, name) = new_name(i)?;
    let (i, ty) = typed(i)?;
    Ok((i, ItemKind::Input { name, ty }))
}

fn data(i: Tokens) -> Parsed<ItemKind> {
    fn field(i: Tokens) -> Parsed<(Name, TypeExpr)> {
        let (i, name) = new_name(i)?;
        let (i, ty) = typed(i)?;
        Ok((i, (name, ty)))
    }
    let (i, name) = new_name(i)?;
    let (i, value) = defined(i)?;
    let (i, arrow) = opt(mark("->", "`->`")).parse(i)?;
    if arrow.is_none() {
        return Ok((i, ItemKind::Data { name, value, fields: None }));
    }
    let (i, (fields, _)) = bracketed("{", "}", "`,` or `}`", field)(i)?;
    Ok((i, ItemKind::Data { name, value, fields: Some(fields) }))
}

/// `= expr`
pub fn defined(i: Tokens) -> Parsed<crate::ast::Expr> {
    match (i.peek(), i.second()) {
        (TokenKind::Mark("=="), _) => {
            i.state().report(syntax::not_equals(i.span(), "==", "name", true));
            expr(i.advance())
        }
        (TokenKind::Mark(":"), TokenKind::Mark("=")) => {
            i.state().report(syntax::not_equals(i.span().to(i.advance().span()), ":=", "name", true));
            expr(i.advance().advance())
        }
        _ => preceded(mark("=", "`=`"), expr).parse(i),
    }
}

/// `(name: type = expr in domain, …)` of an operation, whose arguments may be called like keywords.
pub fn fn_params(i: Tokens) -> Parsed<Vec<FnParam>> {
    params(i, word)
}

/// The same of a `fn`, a `layer` or a `model`, where a keyword could not be read in the body.
pub fn item_params(i: Tokens) -> Parsed<Vec<FnParam>> {
    params(i, new_name)
}

fn params<'a>(i: Tokens<'a>, called: fn(Tokens<'a>) -> Parsed<'a, Name>) -> Parsed<'a, Vec<FnParam>> {
    let one = |i: Tokens<'a>| {
        let (i, name) = called(i)?;
        if let TokenKind::Mark("," | ")") = i.peek() {
            return i.fail(block::untyped(name.span, &name.text));
        }
        let (i, ty) = typed(i)?;
        let (i, default) = opt(preceded(mark("=", "`=`"), expr)).parse(i)?;
        let (i, domain) = within(i)?;
        Ok((i, FnParam { name, ty, default, domain }))
    };
    let (i, (params, _)) = bracketed("(", ")", "`,` or `)`", one)(i)?;
    Ok((i, params))
}

/// `-> type`
pub fn result(i: Tokens) -> Parsed<Option<TypeExpr>> {
    opt(preceded(mark("->", "`->`"), type_expr)).parse(i)
}

/// The most names of a model or a function. Names of a body are looked for one by one.
const MOST_LINES: usize = 4000;

/// The input, refused behind too many lines.
pub fn short(i: Tokens, lines: usize) -> Result<Tokens, nom::Err<super::tokens::Refused>> {
    if lines <= MOST_LINES {
        return Ok(i);
    }
    i.fail(syntax::too_long(i.previous(), MOST_LINES)).map(|(i, ())| i)
}

/// `pattern: type = expr`, behind its `let`.
pub fn binding(i: Tokens) -> Parsed<Let> {
    let (i, pattern) = pattern(i)?;
    let (i, ty) = opt(typed).parse(i)?;
    let (i, value) = defined(i)?;
    Ok((i, Let { pattern, ty, value }))
}

fn pattern(i: Tokens) -> Parsed<Pattern> {
    fn field(i: Tokens) -> Parsed<(Name, Name)> {
        let (i, field) = new_name(i)?;
        let (i, renamed) = opt(preceded(keyword("as", "`as`"), new_name)).parse(i)?;
        let bound = renamed.unwrap_or_else(|| field.clone());
        Ok((i, (field, bound)))
    }
    if !matches!(i.peek(), TokenKind::Mark("{")) {
        let (mut i, first) = new_name(i)?;
        if !matches!(i.peek(), TokenKind::Mark(",")) {
            return Ok((i, Pattern::Name(first)));
        }
        let mut names = vec![first];
        while let (TokenKind::Mark(","), TokenKind::Name(_)) = (i.peek(), i.second()) {
            let (rest, next) = new_name(i.advance())?;
            names.push(next);
            i = rest;
        }
        if !matches!(i.peek(), TokenKind::Mark("=")) {
            return i.refuse("`=`");
        }
        let span = names.first().map_or(i.previous(), |n| n.span).to(i.previous());
        let list: Vec<&str> = names.iter().map(|n| n.text.as_str()).collect();
        i.state().report(syntax::missing_braces(span, &list.join(", "), false));
        return Ok((i, Pattern::Record(names.into_iter().map(|n| (n.clone(), n)).collect(), span)));
    }
    let (i, (fields, span)) = bracketed("{", "}", "`,` or `}`", field)(i)?;
    Ok((i, Pattern::Record(fields, span)))
}

fn formula(i: Tokens) -> Parsed<(Name, crate::ast::Expr)> {
    let (i, name) = new_name(i)?;
    let (i, value) = defined(i)?;
    Ok((i, (name, value)))
}

/// `name = expr`; a value alone is read as `total`, or stays unread where it may be a name that is being typed.
fn minimize(i: Tokens) -> Parsed<ItemKind> {
    if let (TokenKind::Name(_), TokenKind::Name(of)) = (i.peek(), i.second())
        && of == "of"
    {
        let (i, name) = new_name(i)?;
        let (mut i, first) = new_name(i.advance())?;
        let mut of = vec![first];
        while let TokenKind::Mark(",") = i.peek() {
            let (rest, next) = new_name(i.advance())?;
            of.push(next);
            i = rest;
        }
        let (i, value) = defined(i)?;
        return Ok((i, ItemKind::Minimize { name, of, value }));
    }
    let named = match (i.peek(), i.second()) {
        (TokenKind::Name(_), TokenKind::Mark("=" | "==" | ":")) => true,
        (TokenKind::Name(word), _) => KEYWORDS.contains(&word.as_str()),
        (next, _) => !matches!(next, TokenKind::Mark("(" | "-") | TokenKind::Number { .. }),
    };
    if named {
        return formula(i).map(|(i, (name, value))| (i, ItemKind::Minimize { name, of: vec![], value }));
    }
    let (rest, value) = expr(i)?;
    let text = if i.defined_before("total") { "objective" } else { "total" };
    let name = Name { text: text.into(), span: value.span };
    let known = !matches!(&value.kind, ExprKind::Name(n) if !i.defined_before(n));
    let (place, glued) = (Span { end: i.span().start, ..i.span() }, i.previous().end == i.span().start);
    i.state().report(block::nameless_objective(value.span, text, place, glued, known));
    let kind =
        if known { ItemKind::Minimize { name, of: vec![], value } } else { ItemKind::Broken { defines: vec![name] } };
    Ok((rest, kind))
}

fn model(i: Tokens) -> Parsed<ItemKind> {
    let (i, name) = new_name(i)?;
    let (i, params) = item_params(i)?;
    let opened = i.span();
    let closed = i.block_closes();
    let (mut i, _) = mark("{", "`{`")(i)?;
    let mut body = Vec::new();
    loop {
        let line = match i.peek() {
            TokenKind::Mark("}") => return Ok((i.advance(), ItemKind::Model { name, params, body })),
            TokenKind::Doc(_) => {
                i = i.advance();
                continue;
            }
            TokenKind::Name(w) if w == "let" => binding(i.advance()).map(|(i, l)| (i, ModelLine::Let(l))),
            TokenKind::Name(w) if w == "out" => out(i.advance()),
            TokenKind::Name(w) if w == "weight" && declares(i) => weight(i.advance()),
            TokenKind::Mark("@") if closed => {
                i.state().report(block::attribute(i.span()));
                let (rest, _) = attribute(i)?;
                i = rest;
                continue;
            }
            TokenKind::Name(word) if closed && i.at_item() => {
                i.state().report(block::item_inside(i.span(), word));
                let (rest, defines) = skip_item(i);
                body.push(ModelLine::Broken { defines });
                i = rest;
                continue;
            }
            _ if i.at_end() || i.at_item() => {
                let next = Some((i.span(), !i.at_end()));
                i.resume_here(body.iter().flat_map(line_names).collect());
                let mut report = unclosed_block(i, opened, next);
                if !body.iter().any(|l| matches!(l, ModelLine::Out { .. })) {
                    // Closed here, it would return nothing.
                    report.edits.clear();
                }
                return i.fail(report);
            }
            TokenKind::Name(_) if names_and_equals(i).is_some() => {
                if let TokenKind::Name(word) = i.peek() {
                    i.state().report(syntax::missing_let(i.span(), word));
                }
                binding(i).map(|(i, l)| (i, ModelLine::Let(l)))
            }
            TokenKind::Name(word) => i.fail(syntax::not_a_line(i.span(), word, "model", begins(i.advance()))),
            _ => i.refuse("`let`, `out` or `}`"),
        };
        match line {
            Ok((rest, line)) => {
                body.push(line);
                i = short(rest, body.len())?;
            }
            Err(wrong) => {
                body.push(ModelLine::Broken { defines: defines(i) });
                i = recover_in_block(i, wrong, &body)?;
            }
        }
    }
}

/// A block that runs into the next item, closed behind its last line.
pub fn unclosed_block(i: Tokens, opened: Span, next: Option<(Span, bool)>) -> Report {
    syntax::unclosed(opened, "{", next, i.previous(), "\n}")
}

/// The names that a line of a model gives.
fn line_names(line: &ModelLine) -> Vec<Name> {
    match line {
        ModelLine::Let(Let { pattern: Pattern::Name(name), .. })
        | ModelLine::Out { name, .. }
        | ModelLine::Weight { name, .. } => vec![name.clone()],
        ModelLine::Let(Let { pattern: Pattern::Record(fields, _), .. }) => {
            fields.iter().map(|(_, bound)| bound.clone()).collect()
        }
        ModelLine::Broken { defines } => defines.clone(),
    }
}

/// Notes a mistake inside a block and goes to its next line, or gives the mistake back where the block itself is lost.
fn recover_in_block<'a>(
    i: Tokens<'a>,
    wrong: nom::Err<super::tokens::Refused>,
    body: &[ModelLine],
) -> Result<Tokens<'a>, nom::Err<super::tokens::Refused>> {
    let (mut next, mut braces) = (i.advance(), 0u32);
    while !next.at_end() {
        let inner =
            matches!(next.peek(), TokenKind::Name(w) if w == "let" || w == "out" || w == "weight" && declares(next));
        let mut closing = false;
        match next.peek() {
            TokenKind::Mark("{") => braces += 1,
            TokenKind::Mark("}") if braces > 0 && !next.first_of_line() => braces -= 1,
            TokenKind::Mark("}") => closing = true,
            _ => {}
        }
        if closing || next.first_of_line() && inner {
            let report = match wrong {
                nom::Err::Failure(super::tokens::Refused(Some(report))) => *report,
                _ => super::refusal(i),
            };
            i.state().report(report);
            next.new_line();
            return Ok(next);
        }
        if next.at_item() && !inner {
            break;
        }
        next = next.advance();
    }
    // What lies before is no item of the file.
    next.resume_here(body.iter().flat_map(line_names).collect());
    Err(wrong)
}

/// The next line of a block behind one that was not understood: `let`, `out`, `}`; where the block is known to be
/// closed, also what cannot stand in it. What a loop or a branch of another language holds is passed over with it.
pub fn recover_line(i: Tokens, closed: bool) -> Tokens {
    let is_one_of =
        |kind: &TokenKind, words: &[&str]| matches!(kind, TokenKind::Name(w) if words.contains(&w.as_str()));
    let foreign = is_one_of(i.peek(), &["for", "while", "with", "if", "try", "def", "class"]);
    let (mut next, mut braces, mut brackets) = (i.advance(), 0u32, 0u32);
    while !next.at_end() {
        match next.peek() {
            TokenKind::Mark("{") => braces += 1,
            TokenKind::Mark("}") if braces == 0 => return next,
            TokenKind::Mark("}") => {
                braces -= 1;
                let more = is_one_of(next.advance().peek(), &["else", "elif", "except", "finally"]);
                if foreign && braces == 0 && !more {
                    return next.advance();
                }
            }
            TokenKind::Mark("(" | "[") => brackets += 1,
            TokenKind::Mark(")" | "]") => brackets = brackets.saturating_sub(1),
            TokenKind::Name(word) if braces == 0 && next.first_of_line() => {
                let ends = matches!(word.as_str(), "out" | "return");
                let line = next.at_item() || (brackets == 0 && names_and_equals(next).is_some());
                if ends || (line && !foreign) || (!closed && next.at_item() && word != "let") {
                    return next;
                }
            }
            _ if !closed && next.at_item() => return next,
            _ => {}
        }
        next = next.advance();
    }
    next
}

/// True for `weight name :`. `weight` is a word like any other elsewhere.
fn declares(i: Tokens) -> bool {
    matches!((i.second(), i.third()), (TokenKind::Name(_), TokenKind::Mark(":")))
}

fn weight(i: Tokens) -> Parsed<ModelLine> {
    let (i, name) = new_name(i)?;
    let (i, ty) = typed(i)?;
    let goes_on = matches!(i.peek(), TokenKind::Mark("=" | "==" | ":"));
    if !goes_on && (i.first_of_line() || i.at_end() || matches!(i.peek(), TokenKind::Mark("}"))) {
        return i.fail(block::weight_without_a_beginning(i.previous(), &name.text));
    }
    let (i, value) = defined(i)?;
    Ok((i, ModelLine::Weight { name, ty, value }))
}

fn out(i: Tokens) -> Parsed<ModelLine> {
    if let TokenKind::Mark("=") = i.peek() {
        return i.fail(block::nameless_out(i.previous()));
    }
    let (i, name) = new_name(i)?;
    let (i, ty) = opt(typed).parse(i)?;
    let (i, value) = defined(i)?;
    Ok((i, ModelLine::Out { name, ty, value }))
}

/// The names an item would have defined, read off its first tokens. Nothing is reported.
pub fn defines(i: Tokens) -> Vec<Name> {
    let mut i = i;
    while let TokenKind::Doc(_) = i.peek() {
        i = i.advance();
    }
    let TokenKind::Name(word) = i.peek() else { return Vec::new() };
    if matches!(word.as_str(), "pipeline" | "import" | "train" | "save" | "export" | "preset" | "sweep") {
        return Vec::new();
    }
    let i = i.advance();
    let said = i.state().said();
    let names = match pattern(i).finish() {
        Ok((_, Pattern::Name(name))) => vec![name],
        Ok((_, Pattern::Record(fields, _))) => fields.into_iter().map(|(_, bound)| bound).collect(),
        Err(_) => name(i).map(|(_, n)| vec![n]).unwrap_or_default(),
    };
    i.state().forget(said);
    names
}
