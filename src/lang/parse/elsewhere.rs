//! Expressions as other languages write them: `c ? a : b`, `a if c else b`, `H^-1`, `A @ B`. Each is reported once and
//! read as what it means.

use super::expr::{expr, grown, keyword, mark};
use super::tokens::{Parsed, Tokens};
use crate::ast::{Arg, Expr, ExprKind};
use crate::lex::{ITEMS, TokenKind};
use crate::report::syntax;

/// `first ? a : b` and `first if c else b`; anything else is `first` itself.
pub fn choice(i: Tokens, first: Expr) -> Parsed<Expr> {
    let start = first.span;
    let (i, condition, then, otherwise) = match i.peek() {
        TokenKind::Mark("?") => {
            let question = i.span();
            let (i, then) = expr(i.advance())?;
            let colon = i.span();
            let (i, _) = mark(":", "`:`")(i)?;
            let (i, otherwise) = expr(i)?;
            i.state().report(syntax::conditional_of_c(first.span, question, colon));
            (i, first, then, otherwise)
        }
        // Between the fields of a section a word may follow a value.
        TokenKind::Name(word) if word == "if" && !i.first_of_line() && !matches!(i.second(), TokenKind::Mark("=")) => {
            let place = i.span();
            let (i, condition) = expr(i.advance())?;
            let (i, _) = keyword("else", "`else`")(i)?;
            let (i, otherwise) = expr(i)?;
            i.state().report(syntax::conditional_of_python(place));
            (i, condition, first, otherwise)
        }
        _ => return Ok((i, first)),
    };
    let span = start.to(otherwise.span);
    let (condition, then, otherwise) = (Box::new(condition), Box::new(then), Box::new(otherwise));
    grown(i, ExprKind::If { condition, then, otherwise }, span)
}

/// `of^-1` and `of^2`, where `of` begins at `start` and the power is next.
pub fn power<'a>(start: Tokens<'a>, i: Tokens<'a>, of: Expr, power: &str) -> Parsed<'a, Expr> {
    let op = if power == "^2" { "square" } else { "inv" };
    let bracket = matches!(start.peek(), TokenKind::Mark("(")).then(|| start.span());
    let whole = start.span().to(i.previous());
    if let ExprKind::Number { value, unit: None } = of.kind {
        let raised = if power == "^2" { value * value } else { value.recip() };
        // `0.1^2` is 0.01, and not 0.010000000000000002: fifteen digits are exact.
        let raised = format!("{raised:.14e}").parse().unwrap_or(raised);
        if raised.is_finite() {
            let span = whole.to(i.span());
            i.state().report(syntax::power_of_number(span, i.span(), raised));
            return grown(i.advance(), ExprKind::Number { value: raised, unit: None }, span);
        }
    }
    i.state().report(syntax::power(whole, i.span(), op, bracket.is_some()));
    let callee = Box::new(Expr::new(ExprKind::Name(op.to_string()), i.span()));
    let span = whole.to(i.span());
    grown(i.advance(), ExprKind::Call { callee, args: vec![Arg { name: None, value: of }] }, span)
}

/// True where an `@` multiplies matrices, which was reported: behind a value on its line, and not before an item.
pub fn matrix_product(i: Tokens) -> bool {
    let product = matches!(i.peek(), TokenKind::Mark("@"))
        && !i.first_of_line()
        && matches!(i.second(), TokenKind::Name(_) | TokenKind::Mark("("))
        && (i.state().in_brackets() || !attribute(i));
    if product {
        i.state().report(syntax::matrix_product(i.span()));
    }
    product
}

/// True for `@name(…)` with an item, or more that belongs to one, behind it.
fn attribute(i: Tokens) -> bool {
    if !matches!(i.third(), TokenKind::Mark("(")) {
        return false;
    }
    let (mut i, mut depth) = (i.advance().advance(), 0u32);
    loop {
        match i.peek() {
            TokenKind::Mark("(") => depth += 1,
            TokenKind::Mark(")") => depth = depth.saturating_sub(1),
            _ => {}
        }
        let before = i.span();
        i = i.advance();
        if depth == 0 || i.span() == before {
            break;
        }
    }
    match i.peek() {
        TokenKind::Name(word) => ITEMS.contains(&word.as_str()),
        TokenKind::Mark("@") | TokenKind::Doc(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::ast::{File, ItemKind};
    use crate::parse::parse;
    use crate::source::FileId;

    fn value(file: &File) -> Option<String> {
        match &file.items.first()?.kind {
            ItemKind::Let(binding) => Some(crate::tree::expression(&binding.value)),
            _ => None,
        }
    }

    #[test]
    fn one_report_each_and_read_as_meant() {
        for (written, meant) in [
            ("a ? b : c", "if a then b else c"),
            ("b if a else c", "if a then b else c"),
            ("warp(x, H^-1)", "warp(x, inv(H))"),
            ("warp(x, H⁻¹)", "warp(x, inv(H))"),
            ("mean((a - b)^2)", "mean(square(a - b))"),
            ("A @ inv(B)", "A * inv(B)"),
        ] {
            let (tree, reports) = parse(&format!("let x = {written}"), FileId(0));
            let (other, none) = parse(&format!("let x = {meant}"), FileId(0));
            assert_eq!((reports.len(), none.len()), (1, 0), "{written}: {reports:?}");
            assert_eq!(value(&tree), value(&other), "{written}");
        }
        let (_, reports) = parse("let a = b @allow(unused, \"why\") let c = d", FileId(0));
        assert!(reports.is_empty(), "{reports:?}");
    }
}
