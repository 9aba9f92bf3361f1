//! Expressions, types and dims: the part of the grammar below items.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::opt;
use nom::multi::many0;
use nom::sequence::{pair, preceded};

use super::elsewhere;
use super::tokens::{MOST_LEVELS, Parsed, Tokens};
use crate::ast::{Arg, BinaryOp, DimExpr, DimKind, Expr, ExprKind, Name, Text, TypeExpr};
use crate::constant::Unit;
use crate::lex::{KEYWORDS, TokenKind};
use crate::report::syntax;
use crate::source::Span;

/// A mark.
pub fn mark<'a>(wanted: &'static str, shown: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Span> {
    move |i: Tokens<'a>| match i.peek() {
        TokenKind::Mark(found) if *found == wanted => Ok((i.advance(), i.span())),
        _ => i.refuse(shown),
    }
}

/// A keyword.
pub fn keyword<'a>(wanted: &'static str, shown: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, Span> {
    move |i: Tokens<'a>| match i.peek() {
        TokenKind::Name(found) if found == wanted => Ok((i.advance(), i.span())),
        _ => i.refuse(shown),
    }
}

/// A name: any word but the keywords.
pub fn name(i: Tokens) -> Parsed<Name> {
    match i.peek() {
        TokenKind::Name(text) if !KEYWORDS.contains(&text.as_str()) => {
            Ok((i.advance(), Name { text: text.clone(), span: i.span() }))
        }
        _ => i.refuse("a name"),
    }
}

/// A name that must stand here: a keyword in its place is a mistake worth its own report.
pub fn new_name(i: Tokens) -> Parsed<Name> {
    match i.peek() {
        // Read as the name it was meant for, here and where it is used.
        TokenKind::Name(text) if KEYWORDS.contains(&text.as_str()) && !i.at_item() => {
            if i.state().take_keyword(text) {
                i.state().report(syntax::keyword_as_name(i.span(), text));
            }
            Ok((i.advance(), Name { text: text.clone(), span: i.span() }))
        }
        _ => name(i),
    }
}

/// A word: a name or any keyword.
pub fn word(i: Tokens) -> Parsed<Name> {
    match i.peek() {
        TokenKind::Name(text) => Ok((i.advance(), Name { text: text.clone(), span: i.span() })),
        _ => i.refuse("a name"),
    }
}

/// A string.
pub fn text(i: Tokens) -> Parsed<Text> {
    match i.peek() {
        TokenKind::Text(text) => Ok((i.advance(), Text { text: text.clone(), span: i.span() })),
        _ => i.refuse("a string"),
    }
}

/// `open { item , } close`, with the report for a bracket that is never closed.
pub fn bracketed<'a, T>(
    open: &'static str,
    close: &'static str,
    separated: &'static str,
    mut item: impl FnMut(Tokens<'a>) -> Parsed<'a, T>,
) -> impl FnMut(Tokens<'a>) -> Parsed<'a, (Vec<T>, Span)> {
    move |i: Tokens<'a>| {
        let (mut i, opened) = mark(open, open)(i)?;
        let mut items = Vec::new();
        i.state().bracket(1);
        loop {
            if let TokenKind::Mark(found) = i.peek()
                && *found == close
            {
                i.state().bracket(-1);
                return Ok((i.advance(), (items, opened.to(i.span()))));
            }
            if i.at_end() || i.at_item() {
                return unclosed(i, opened, open, close);
            }
            if let TokenKind::Mark(")" | "]" | "}") = i.peek() {
                return unclosed(i, opened, open, close);
            }
            let (rest, one) = item(i)?;
            items.push(one);
            i = match rest.peek() {
                TokenKind::Mark(",") => rest.advance(),
                TokenKind::Mark(found) if *found == close => rest,
                _ if rest.at_end() || rest.at_item() => return unclosed(rest, opened, open, close),
                next if begins_another(next) && rest.closes(close) => {
                    let named = matches!(rest.second(), TokenKind::Mark("=" | ":"));
                    rest.state().report(syntax::missing_comma(rest.previous(), rest.span(), named));
                    rest
                }
                TokenKind::Mark(")" | "]" | "}") => return unclosed(rest, opened, open, close),
                next if begins_another(next) => return unclosed(rest, opened, open, close),
                _ => return rest.refuse(separated),
            };
        }
    }
}

/// True for what can only be the next of several, so that a comma is missing before it.
fn begins_another(next: &TokenKind) -> bool {
    match next {
        TokenKind::Name(word) => {
            let joins = ["and", "or", "not", "is", "for", "if", "then", "else", "in", "as", "lambda"];
            !joins.contains(&word.as_str())
        }
        TokenKind::Number { .. } | TokenKind::Text(_) => true,
        _ => false,
    }
}

fn unclosed<'a, T>(i: Tokens<'a>, opened: Span, open: &'static str, close: &'static str) -> Parsed<'a, T> {
    let next = if i.at_end() || i.at_item() { Some((i.span(), !i.at_end())) } else { None };
    i.fail(syntax::unclosed(opened, open, next, i.previous(), close))
}

/// An expression.
pub fn expr(i: Tokens) -> Parsed<Expr> {
    i.deeper(|i| {
        let (mut i, mut first) = conditional(i)?;
        while let TokenKind::Name(word) = i.peek()
            && matches!(word.as_str(), "and" | "or")
            && !matches!(i.second(), TokenKind::Mark("=" | "," | "}" | ")"))
        {
            // Read as a comparison: true or false, and no second report.
            i.state().report(syntax::foreign_word(i.span(), word));
            let op_span = i.span();
            let (rest, right) = conditional(i.advance())?;
            let span = first.span.to(right.span);
            let kind = ExprKind::Binary { op: BinaryOp::Equal, op_span, left: Box::new(first), right: Box::new(right) };
            (i, first) = grown(rest, kind, span)?;
        }
        let (i, stages) = many0(preceded(mark("|>", "`|>`"), conditional)).parse(i)?;
        if stages.is_empty() {
            return Ok((i, first));
        }
        let span = first.span.to(stages.last().map_or(first.span, |s| s.span));
        grown(i, ExprKind::Pipe { first: Box::new(first), stages }, span)
    })
}

/// An expression, refused where its tree grows too high.
pub fn grown(i: Tokens, kind: ExprKind, span: Span) -> Parsed<Expr> {
    let expr = Expr::new(kind, span);
    if expr.height > MOST_LEVELS {
        return i.fail(syntax::too_deep(Span { end: span.start + 1, ..span }, MOST_LEVELS));
    }
    Ok((i, expr))
}

fn conditional(i: Tokens) -> Parsed<Expr> {
    let start = i.span();
    let (i, condition) = opt(preceded(keyword("if", "an expression"), expr)).parse(i)?;
    let Some(condition) = condition else {
        let (i, first) = comparison(i)?;
        return elsewhere::choice(i, first);
    };
    let (i, _) = keyword("then", "`then`")(i)?;
    let (i, then) = expr(i)?;
    let (i, _) = keyword("else", "`else`")(i)?;
    let (i, otherwise) = expr(i)?;
    let span = start.to(otherwise.span);
    let (condition, then, otherwise) = (Box::new(condition), Box::new(then), Box::new(otherwise));
    grown(i, ExprKind::If { condition, then, otherwise }, span)
}

/// One level of operators, all of the same strength, leaning left.
fn operators<'a>(
    i: Tokens<'a>,
    which: &[(&str, BinaryOp)],
    below: fn(Tokens<'a>) -> Parsed<'a, Expr>,
) -> Parsed<'a, Expr> {
    let (mut i, mut left) = below(i)?;
    loop {
        let found = match i.peek() {
            TokenKind::Mark(m) => which.iter().find(|(symbol, _)| symbol == m),
            _ => None,
        };
        let Some((_, op)) = found else {
            i.refuse::<()>("an operator").ok();
            return Ok((i, left));
        };
        let op_span = i.span();
        let (rest, right) = below(i.advance())?;
        let span = left.span.to(right.span);
        let kind = ExprKind::Binary { op: *op, op_span, left: Box::new(left), right: Box::new(right) };
        (i, left) = grown(rest, kind, span)?;
    }
}

fn comparison(i: Tokens) -> Parsed<Expr> {
    use BinaryOp::{Equal, Greater, GreaterEqual, Less, LessEqual};
    operators(i, &[("<", Less), (">", Greater), ("<=", LessEqual), (">=", GreaterEqual), ("==", Equal)], sum)
}

fn sum(i: Tokens) -> Parsed<Expr> {
    operators(i, &[("+", BinaryOp::Add), ("-", BinaryOp::Sub)], product)
}

fn product(i: Tokens) -> Parsed<Expr> {
    let (mut i, mut left) = operators(i, &[("*", BinaryOp::Mul), ("/", BinaryOp::Div)], range)?;
    while elsewhere::matrix_product(i) {
        let op_span = i.span();
        let (rest, right) = operators(i.advance(), &[("*", BinaryOp::Mul), ("/", BinaryOp::Div)], range)?;
        let span = left.span.to(right.span);
        let kind = ExprKind::Binary { op: BinaryOp::Mul, op_span, left: Box::new(left), right: Box::new(right) };
        (i, left) = grown(rest, kind, span)?;
    }
    Ok((i, left))
}

fn range(i: Tokens) -> Parsed<Expr> {
    let (i, low) = unary(i)?;
    let (i, high) = opt(preceded(mark("..", "`..`"), unary)).parse(i)?;
    match high {
        None => Ok((i, low)),
        Some(high) => {
            let span = low.span.to(high.span);
            grown(i, ExprKind::Range(Box::new(low), Box::new(high)), span)
        }
    }
}

fn unary(i: Tokens) -> Parsed<Expr> {
    let start = i.span();
    match i.peek() {
        TokenKind::Mark("-") => i.deeper(|i| {
            let (i, of) = unary(i.advance())?;
            let span = start.to(of.span);
            grown(i, ExprKind::Negate(Box::new(of)), span)
        }),
        _ => postfix(i),
    }
}

fn postfix(i: Tokens) -> Parsed<Expr> {
    let start = i;
    let (mut i, mut of) = atom(i)?;
    loop {
        match i.peek() {
            TokenKind::Mark("(") => {
                let (rest, (args, close)) = call_args(i)?;
                let span = of.span.to(close);
                (i, of) = grown(rest, ExprKind::Call { callee: Box::new(of), args }, span)?;
            }
            TokenKind::Mark(".") => {
                let (rest, name) = word(i.advance())?;
                let span = of.span.to(name.span);
                (i, of) = grown(rest, ExprKind::Member { of: Box::new(of), name }, span)?;
            }
            TokenKind::Mark(power @ ("^-1" | "^2")) => (i, of) = elsewhere::power(start, i, of, power)?,
            _ => return Ok((i, of)),
        }
    }
}

/// `(args)`. Where it is never closed, the closing bracket most likely belongs behind the first summand of the last
/// argument:
/// `bce(a, b + 0.1 * …` was meant as `bce(a, b) + 0.1 * …`.
fn call_args(i: Tokens) -> Parsed<(Vec<Arg>, Span)> {
    let opened = i.span();
    let mut last: Option<Expr> = None;
    let one = |i| {
        let (i, a) = arg(i)?;
        last = Some(a.value.clone());
        Ok((i, a))
    };
    let result = bracketed("(", ")", "`,` or `)`", one)(i);
    match (result, last) {
        (Err(nom::Err::Failure(super::tokens::Refused(Some(mut report)))), Some(last))
            if report.code == "R0101" && report.place() == Some(opened) =>
        {
            let mut end = &last;
            while let ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Sub, left, .. } = &end.kind {
                end = left;
            }
            report.edits = vec![crate::report::Edit { span: end.span.after(), text: ")".into() }];
            Err(nom::Err::Failure(super::tokens::Refused(Some(report))))
        }
        (result, _) => result,
    }
}

/// `word = expr` or `expr`.
pub fn arg(i: Tokens) -> Parsed<Arg> {
    let named = matches!(i.peek(), TokenKind::Name(_)) && matches!(i.second(), TokenKind::Mark("=" | ":"));
    let (i, name) = if named {
        let (i, name) = word(i)?;
        if let TokenKind::Mark(":") = i.peek() {
            i.state().report(syntax::not_equals(i.span(), ":", &name.text, true));
        }
        (i.advance(), Some(name))
    } else {
        (i, None)
    };
    let (i, value) = expr(i)?;
    Ok((i, Arg { name, value }))
}

fn atom(i: Tokens) -> Parsed<Expr> {
    let span = i.span();
    let leaf = |kind| Ok((i.advance(), Expr::new(kind, span)));
    match i.peek() {
        TokenKind::Number { value, unit: None, .. } if i.state().one_value() => {
            let loose = match i.second() {
                TokenKind::Name(word) => Unit::ALL.into_iter().find(|u| u.name() == word),
                _ => None,
            };
            let rest = i.advance();
            match loose {
                Some(unit) if !rest.first_of_line() && !matches!(i.third(), TokenKind::Mark("=")) => {
                    i.state().report(syntax::loose_unit(span, rest.span(), unit.name()));
                    let kind = ExprKind::Number { value: *value, unit: Some(unit) };
                    Ok((rest.advance(), Expr::new(kind, span.to(rest.span()))))
                }
                _ => leaf(ExprKind::Number { value: *value, unit: None }),
            }
        }
        TokenKind::Number { value, unit, .. } => leaf(ExprKind::Number { value: *value, unit: *unit }),
        TokenKind::Text(text) => leaf(ExprKind::Text(text.clone())),
        TokenKind::Name(word) => match word.as_str() {
            "true" => leaf(ExprKind::Flag(true)),
            "false" => leaf(ExprKind::Flag(false)),
            "not" if matches!(i.second(), TokenKind::Name(_)) && i.state().one_value() => {
                i.state().report(syntax::foreign_word(span, word));
                i.deeper(|i| atom(i.advance()))
            }
            "lambda" if matches!(i.second(), TokenKind::Name(_)) => i.fail(syntax::foreign_word(span, word)),
            // What is watched or saved is called by its split: `val.total`, `train.total`.
            "train" if matches!(i.second(), TokenKind::Mark(".")) => leaf(ExprKind::Name(word.clone())),
            keyword if KEYWORDS.contains(&keyword) && !i.state().is_taken(keyword) => i.refuse("an expression"),
            _ => leaf(ExprKind::Name(word.clone())),
        },
        TokenKind::Mark("[") => {
            let (i, (items, span)) = bracketed("[", "]", "`,` or `]`", expr)(i)?;
            grown(i, ExprKind::List(items), span)
        }
        TokenKind::Mark("(") => {
            i.state().bracket(1);
            let (i, inner) = expr(i.advance())?;
            i.state().bracket(-1);
            match i.peek() {
                TokenKind::Mark(")") => Ok((i.advance(), inner)),
                _ if i.at_end() || i.at_item() => unclosed(i, span, "(", ")"),
                _ => i.refuse("`)`"),
            }
        }
        _ => i.refuse("an expression"),
    }
}

/// `kind unit[dims]@frame->frame`
pub fn type_expr(i: Tokens) -> Parsed<TypeExpr> {
    let (i, kind) = match name(i) {
        Err(nom::Err::Error(_)) => i.refuse("a type")?,
        other => other?,
    };
    let (i, unit) = opt(keyword("unit", "`unit`")).parse(i)?;
    let (i, dims) = opt(bracketed("[", "]", "`,` or `]`", axis)).parse(i)?;
    // `@name(` is the attribute of the next item: `input x: Image[B, 1, H, W]`, then `@frozen() model …`.
    let attribute = matches!((i.peek(), i.third()), (TokenKind::Mark("@"), TokenKind::Mark("(")));
    let frame = pair(name, opt(preceded(mark("->", "`->`"), to_frame)));
    let (i, frames) = if attribute { (i, None) } else { opt(preceded(mark("@", "`@`"), frame)).parse(i)? };
    let (frame, to) = frames.map_or((None, None), |(frame, to)| (Some(frame), to));
    let span = kind.span.to(i.previous());
    Ok((i, TypeExpr { kind, unit, dims: dims.map(|(d, _)| d), frame, to, span }))
}

/// The frame behind an arrow, where a second `@` is most natural and wrong.
fn to_frame(i: Tokens) -> Parsed<Name> {
    if let (TokenKind::Mark("@"), TokenKind::Name(_)) = (i.peek(), i.second()) {
        i.state().report(syntax::second_at(i.span()));
        return name(i.advance());
    }
    name(i)
}

/// A dim with the name of its axis, or alone: `row H/4`.
fn axis(i: Tokens) -> Parsed<DimExpr> {
    // Sizes are written in capitals more often than not, and a comma is missing more often than an axis has such a name.
    let named = matches!(i.peek(), TokenKind::Name(name) if !name.starts_with(|c: char| c.is_ascii_uppercase()))
        && matches!(i.second(), TokenKind::Name(_) | TokenKind::Number { .. } | TokenKind::Mark("_"));
    if !named {
        return dim(i);
    }
    let (i, axis) = name(i)?;
    let (i, dim) = dim(i)?;
    Ok((i, DimExpr { axis: Some(axis), ..dim }))
}

/// A dim: `H/4`, `2*C + 1`.
pub fn dim(i: Tokens) -> Parsed<DimExpr> {
    fn level<'a>(
        i: Tokens<'a>,
        which: [(&'static str, BinaryOp); 2],
        below: fn(Tokens<'a>) -> Parsed<'a, DimExpr>,
    ) -> Parsed<'a, DimExpr> {
        let (mut i, mut left) = below(i)?;
        let mut terms = 1;
        while let TokenKind::Mark(m) = i.peek()
            && let Some((_, op)) = which.iter().find(|(symbol, _)| symbol == m)
        {
            let (rest, right) = below(i.advance())?;
            let span = left.span.to(right.span);
            terms += 1;
            if terms > MOST_LEVELS {
                return i.fail(syntax::too_deep(span, MOST_LEVELS));
            }
            let kind = DimKind::Binary { op: *op, left: Box::new(left), right: Box::new(right) };
            left = DimExpr { axis: None, kind, span };
            i = rest;
        }
        Ok((i, left))
    }
    fn product(i: Tokens) -> Parsed<DimExpr> {
        level(i, [("*", BinaryOp::Mul), ("/", BinaryOp::Div)], dim_atom)
    }
    level(i, [("+", BinaryOp::Add), ("-", BinaryOp::Sub)], product)
}

fn dim_atom(i: Tokens) -> Parsed<DimExpr> {
    let number = |i: Tokens<'_>| match i.peek() {
        TokenKind::Number { whole: Some(n), unit: None, .. } if i64::try_from(*n).is_ok() => Some(*n as i64),
        _ => None,
    };
    if let Some(n) = number(i) {
        return Ok((i.advance(), DimExpr { axis: None, kind: DimKind::Number(n), span: i.span() }));
    }
    alt((
        mark("_", "a dim").map(|span| DimExpr { axis: None, kind: DimKind::Any, span }),
        name.map(|n| DimExpr { axis: None, kind: DimKind::Name(n.text), span: n.span }),
    ))
    .parse(i)
}
