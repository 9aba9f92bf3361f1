//! Items as something to lay out, each with the class of lines it is aligned with.

use super::doc::{Class, Doc, ListKind};
use super::expr::{args, domain, expr, list, type_expr};
use super::tokens::Cursor;
use crate::lex::TokenKind;

const SPACE: Doc = Doc::Text(" ");

/// What stands on lines of its own next: the version, an attribute or an item.
pub fn line(c: &mut Cursor) -> (Doc, Class) {
    let TokenKind::Name(keyword) = c.peek().clone() else {
        // `@name(args)`
        let mut parts = vec![c.word(), c.word()];
        if c.mark("(") {
            parts.push(args(c));
        }
        return (Doc::Cat(parts), Class::Attribute);
    };
    let mut parts = vec![c.word(), SPACE];
    let class = match keyword.as_str() {
        "rord" => {
            parts.push(c.word());
            Class::Alone
        }
        "pipeline" => {
            parts.push(c.word());
            if let TokenKind::Text(_) = c.peek() {
                parts.extend([SPACE, c.word()]);
            }
            Class::Alone
        }
        "import" => {
            parts.extend([c.word(), SPACE, Doc::Mark(0)]);
            parts.push(list(c, "}", ListKind::Definitions, true, Class::Alone, |c| c.word()));
            Class::Import
        }
        "param" => param(c, &mut parts),
        "preset" | "sweep" => {
            parts.extend([Doc::Mark(0), c.word(), SPACE, Doc::Mark(1), fields(c)]);
            Class::Preset
        }
        "train" | "save" | "export" => {
            parts.extend([Doc::Mark(0), fields(c)]);
            Class::Section
        }
        "input" => {
            parts.push(typed(c));
            Class::Input
        }
        "data" => {
            parts.push(c.word());
            parts.push(body(c, false));
            if c.mark("->") {
                parts.extend([SPACE, c.word(), SPACE]);
                parts.push(list(c, "}", ListKind::Definitions, true, Class::Typed, typed));
            }
            Class::Data
        }
        "model" => {
            parts.push(c.word());
            parts.extend([params(c), SPACE]);
            parts.push(lines(c));
            Class::Alone
        }
        "layer" | "fn" => {
            parts.push(c.word());
            parts.push(params(c));
            if c.mark("->") {
                parts.extend([SPACE, c.word(), SPACE, type_expr(c)]);
            }
            if c.mark("{") {
                parts.extend([SPACE, lines(c)]);
            } else {
                parts.push(body(c, true));
            }
            Class::Alone
        }
        "let" => {
            parts.push(defined(c));
            Class::Let
        }
        _ => {
            parts.push(defined(c));
            Class::Objective
        }
    };
    (Doc::Cat(parts), class)
}

/// The lines of a model or a function. Lets and outs are aligned apart.
fn lines(c: &mut Cursor) -> Doc {
    let mut block = list(c, "}", ListKind::Lines, true, Class::Let, |c| {
        let keyword = c.word();
        if c.mark("=") {
            // `out = expr`
            return Doc::Cat(vec![keyword, body(c, false)]);
        }
        Doc::Cat(vec![keyword, SPACE, defined(c)])
    });
    if let Doc::List(lines) = &mut block {
        for entry in &mut lines.items {
            let out = entry.doc.first().is_some_and(|w| w.text == "out");
            entry.class = if out { Class::Out } else { Class::Let };
        }
    }
    block
}

/// `pattern: type = expr`, for a `let`, an `out` and what is minimized.
fn defined(c: &mut Cursor) -> Doc {
    let mut parts = Vec::new();
    if c.mark("{") {
        parts.push(list(c, "}", ListKind::Definitions, true, Class::Alone, |c| {
            let mut parts = vec![c.word()];
            if c.named("as") {
                parts.extend([SPACE, c.word(), SPACE, c.word()]);
            }
            Doc::Cat(parts)
        }));
    } else {
        parts.push(c.word());
    }
    if c.named("of") {
        parts.extend([SPACE, c.word(), SPACE, c.word()]);
        while c.mark(",") {
            parts.extend([c.word(), SPACE, c.word()]);
        }
    }
    if c.mark(":") {
        parts.extend([c.word(), SPACE, Doc::Mark(0), type_expr(c)]);
    }
    parts.push(body(c, false));
    Doc::Cat(parts)
}

/// `= expr`
fn body(c: &mut Cursor, moves: bool) -> Doc {
    let equals = c.word();
    let broken = c.first();
    Doc::Cat(vec![SPACE, Doc::Mark(1), equals, Doc::Body { broken, moves, value: Box::new(expr(c)) }])
}

/// `name: type`
fn typed(c: &mut Cursor) -> Doc {
    Doc::Cat(vec![c.word(), c.word(), SPACE, Doc::Mark(0), type_expr(c)])
}

/// `= expr in domain`, both perhaps.
fn bounded(c: &mut Cursor, parts: &mut Vec<Doc>) {
    if c.mark("=") {
        parts.extend([SPACE, Doc::Mark(1), c.word(), SPACE, expr(c)]);
    }
    if c.named("in") {
        parts.extend([SPACE, Doc::Mark(2), c.word(), SPACE, domain(c)]);
    }
}

fn params(c: &mut Cursor) -> Doc {
    list(c, ")", ListKind::Definitions, false, Class::Typed, |c| {
        let mut parts = vec![typed(c)];
        bounded(c, &mut parts);
        Doc::Cat(parts)
    })
}

fn param(c: &mut Cursor, parts: &mut Vec<Doc>) -> Class {
    parts.push(typed(c));
    bounded(c, parts);
    if let TokenKind::Text(_) = c.peek() {
        parts.extend([SPACE, Doc::Mark(3), c.word()]);
    }
    Class::Param
}

/// `{ name = expr, name }`
fn fields(c: &mut Cursor) -> Doc {
    list(c, "}", ListKind::Fields, true, Class::Field, |c| {
        if let Some(length) = part_head(c) {
            let mut parts = vec![c.word(), SPACE];
            (0..length).for_each(|_| parts.push(c.word()));
            parts.extend([SPACE, fields(c)]);
            return Doc::Cat(parts);
        }
        let mut parts = vec![c.word()];
        if c.mark("=") {
            parts.extend([SPACE, Doc::Mark(0), c.word(), SPACE, expr(c)]);
        }
        if c.named("under") && matches!(c.ahead(1), TokenKind::Text(_)) {
            parts.extend([SPACE, c.word(), SPACE, c.word()]);
        }
        // A name alone may stand beside others in a line.
        match parts.pop() {
            Some(name) if parts.is_empty() => name,
            last => Doc::Cat(parts.into_iter().chain(last).collect()),
        }
    })
}

/// How many tokens the path of a `part` has that begins here.
fn part_head(c: &Cursor) -> Option<usize> {
    if !c.named("part") {
        return None;
    }
    let length = match c.ahead(1) {
        TokenKind::Text(_) => 1,
        TokenKind::Name(_) => {
            let follows = |at: &usize| matches!(c.ahead(*at), TokenKind::Mark("."));
            1 + 2 * (0..).map(|n| 2 + 2 * n).take_while(follows).count()
        }
        _ => return None,
    };
    matches!(c.ahead(1 + length), TokenKind::Mark("{")).then_some(length)
}
