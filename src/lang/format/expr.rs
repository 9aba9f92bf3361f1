//! Expressions, types and domains as something to lay out. The text has been parsed before, so this only asks what
//! comes next.

use super::doc::{Chain, ChainKind, Class, Doc, Entry, List, ListKind, Part};
use super::tokens::Cursor;
use crate::lex::TokenKind;

const SPACE: Doc = Doc::Text(" ");

/// Operators, weakest first.
const LEVELS: [&[&str]; 3] = [&["<", ">", "<=", ">=", "=="], &["+", "-"], &["*", "/"]];

/// An expression.
pub fn expr(c: &mut Cursor) -> Doc {
    chain(c, ChainKind::Pipe, conditional, |c| c.mark("|>"))
}

fn conditional(c: &mut Cursor) -> Doc {
    if !c.named("if") {
        return operators(c, 0);
    }
    let mut parts = Vec::new();
    for word in ["if", "then", "else"] {
        if c.named(word) {
            let broken = c.first() || c.second_first();
            let op = Some(c.take());
            parts.push(Part { broken, op, value: expr(c) });
        }
    }
    Doc::Chain(Chain { kind: ChainKind::If, parts, flush: false })
}

fn operators(c: &mut Cursor, level: usize) -> Doc {
    let Some(which) = LEVELS.get(level) else { return range(c) };
    let number = |c: &Cursor, ahead| matches!(c.ahead(ahead), TokenKind::Number { unit: None, .. });
    // A fraction of two numbers is written as one: 1/2.
    let fraction = level == 2 && number(c, 0) && matches!(c.ahead(1), TokenKind::Mark("/")) && number(c, 2);
    if fraction && !matches!(c.ahead(3), TokenKind::Mark("*" | "/" | ".." | "(" | ".")) {
        return Doc::Cat(vec![c.word(), c.word(), c.word()]);
    }
    chain(
        c,
        ChainKind::Operators,
        |c| operators(c, level + 1),
        |c| matches!(c.peek(), TokenKind::Mark(m) if which.contains(m)),
    )
}

/// One level of operators; a single operand is itself.
fn chain(
    c: &mut Cursor,
    kind: ChainKind,
    below: impl Fn(&mut Cursor) -> Doc,
    goes_on: impl Fn(&Cursor) -> bool,
) -> Doc {
    let first = below(c);
    if !goes_on(c) {
        return first;
    }
    let mut parts = vec![Part { broken: false, op: None, value: first }];
    while goes_on(c) {
        let broken = c.first() || c.second_first();
        let op = Some(c.take());
        parts.push(Part { broken, op, value: below(c) });
    }
    Doc::Chain(Chain { kind, parts, flush: false })
}

fn range(c: &mut Cursor) -> Doc {
    let low = unary(c);
    if !c.mark("..") {
        return low;
    }
    Doc::Cat(vec![low, c.word(), unary(c)])
}

fn unary(c: &mut Cursor) -> Doc {
    if c.mark("-") { Doc::Cat(vec![c.word(), unary(c)]) } else { postfix(c) }
}

fn postfix(c: &mut Cursor) -> Doc {
    // `0.` is no number, so `0 .field` keeps its space.
    let number = matches!(c.peek(), TokenKind::Number { .. });
    let mut parts = vec![atom(c)];
    loop {
        if c.mark("(") {
            parts.push(list(c, ")", ListKind::Args, false, Class::Argument, arg));
        } else if c.mark(".") {
            if number && parts.len() == 1 {
                parts.push(SPACE);
            }
            parts.extend([c.word(), c.word()]);
        } else {
            return Doc::Cat(parts);
        }
    }
}

fn arg(c: &mut Cursor) -> Doc {
    let named = matches!(c.peek(), TokenKind::Name(_)) && matches!(c.ahead(1), TokenKind::Mark("="));
    if !named {
        return expr(c);
    }
    Doc::Cat(vec![c.word(), SPACE, Doc::Mark(0), c.word(), SPACE, expr(c)])
}

fn atom(c: &mut Cursor) -> Doc {
    if c.mark("[") {
        list(c, "]", ListKind::Args, false, Class::Alone, expr)
    } else if c.mark("(") {
        list(c, ")", ListKind::Group, false, Class::Alone, expr)
    } else {
        c.word()
    }
}

/// Items in brackets; the next token is the opening one. Commas are left out, the layout puts them in.
pub fn list(
    c: &mut Cursor,
    close: &str,
    kind: ListKind,
    padded: bool,
    class: Class,
    mut item: impl FnMut(&mut Cursor) -> Doc,
) -> Doc {
    let open = c.take();
    let broken = c.first();
    let mut items = Vec::new();
    while !c.mark(close) && !matches!(c.peek(), TokenKind::End) {
        let (began, first) = (c.position(), c.first());
        let doc = item(c);
        if c.position() == began {
            break;
        }
        items.push(Entry { doc, class, joins: !first });
        c.skip_comma();
    }
    Doc::List(List { kind, open, items, close: c.take(), padded, broken })
}

/// The arguments of an attribute, brackets included.
pub fn args(c: &mut Cursor) -> Doc {
    list(c, ")", ListKind::Args, false, Class::Argument, arg)
}

/// `kind unit[dims]@frame->frame`
pub fn type_expr(c: &mut Cursor) -> Doc {
    let mut parts = vec![c.word()];
    if c.named("unit") {
        parts.extend([SPACE, c.word()]);
    }
    if c.mark("[") {
        parts.push(c.word());
        while !c.mark("]") && !matches!(c.peek(), TokenKind::End) {
            let spaced = c.mark("+") || c.mark("-");
            if spaced {
                parts.push(SPACE);
            }
            let named = matches!(c.peek(), TokenKind::Name(_));
            parts.push(c.word());
            // The name of an axis stands before a size.
            let sized = matches!(c.peek(), TokenKind::Name(_) | TokenKind::Number { .. } | TokenKind::Mark("_"));
            if spaced || named && sized {
                parts.push(SPACE);
            }
            if c.mark(",") {
                c.skip_comma();
                if !c.mark("]") {
                    parts.push(Doc::Text(", "));
                }
            }
        }
        parts.push(c.word());
    }
    // `@name(` is the next item's attribute.
    if c.mark("@") && !matches!(c.ahead(2), TokenKind::Mark("(")) {
        parts.extend([c.word(), c.word()]);
        if c.mark("->") {
            parts.extend([c.word(), c.word()]);
        }
    }
    Doc::Cat(parts)
}

/// `[low, high]`, `(low, high)`, `{a, b}`
pub fn domain(c: &mut Cursor) -> Doc {
    if c.mark("{") {
        return list(c, "}", ListKind::Args, false, Class::Alone, expr);
    }
    let (open, low) = (c.word(), expr(c));
    c.skip_comma();
    Doc::Cat(vec![open, low, Doc::Text(", "), expr(c), c.word()])
}
