//! Expressions and files printed: as text for messages, and as an outline that shows every part of the tree.

use std::fmt::Write;

use super::ast::{Arg, DimExpr, DimKind, Domain, Expr, ExprKind, Field, File, FnParam, Item, ItemKind, ModelLine};
use super::ast::{Let, Pattern, TypeExpr};
use super::constant::{self, number};

/// An expression on one line, with the brackets it needs and no others.
pub fn expression(expr: &Expr) -> String {
    let mut out = String::new();
    write_expr(&mut out, expr, 0);
    out
}

/// How strongly an expression holds together: an operand weaker than its operator needs brackets.
fn strength(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Pipe { .. } => 0,
        ExprKind::If { .. } => 1,
        ExprKind::Binary { op, .. } if op.compares() => 2,
        ExprKind::Binary { op, .. } if matches!(op.symbol(), "+" | "-") => 3,
        ExprKind::Binary { .. } => 4,
        ExprKind::Range(..) => 5,
        ExprKind::Negate(_) => 6,
        _ => 7,
    }
}

fn write_expr(out: &mut String, expr: &Expr, least: u8) {
    let own = strength(&expr.kind);
    let bracketed = own < least;
    if bracketed {
        out.push('(');
    }
    match &expr.kind {
        ExprKind::Number { value, unit } => {
            let _ = write!(out, "{}{}", number(*value), unit.map_or("", |u| u.name()));
        }
        ExprKind::Text(text) => {
            out.push_str(&constant::quoted(text));
        }
        ExprKind::Flag(flag) => {
            let _ = write!(out, "{flag}");
        }
        ExprKind::Name(name) => out.push_str(name),
        ExprKind::List(items) => {
            out.push('[');
            separated(out, items, |out, e| write_expr(out, e, 0));
            out.push(']');
        }
        ExprKind::Call { callee, args } => {
            write_expr(out, callee, 7);
            out.push('(');
            separated(out, args, write_arg);
            out.push(')');
        }
        ExprKind::Member { of, name } => {
            write_expr(out, of, 7);
            let _ = write!(out, ".{}", name.text);
        }
        ExprKind::Negate(of) => {
            out.push('-');
            write_expr(out, of, 6);
        }
        ExprKind::Binary { op, left, right, .. } => {
            write_expr(out, left, own);
            let _ = write!(out, " {} ", op.symbol());
            write_expr(out, right, own + 1);
        }
        ExprKind::Range(low, high) => {
            write_expr(out, low, 6);
            out.push_str("..");
            write_expr(out, high, 6);
        }
        ExprKind::Pipe { first, stages } => {
            // An `else` reaches as far as it can, so a choice inside a chain needs brackets.
            write_expr(out, first, 2);
            for stage in stages {
                out.push_str(" |> ");
                write_expr(out, stage, 2);
            }
        }
        ExprKind::If { condition, then, otherwise } => {
            out.push_str("if ");
            write_expr(out, condition, 1);
            out.push_str(" then ");
            write_expr(out, then, 1);
            out.push_str(" else ");
            write_expr(out, otherwise, 1);
        }
    }
    if bracketed {
        out.push(')');
    }
}

fn separated<T>(out: &mut String, items: &[T], mut one: impl FnMut(&mut String, &T)) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        one(out, item);
    }
}

fn write_arg(out: &mut String, arg: &Arg) {
    if let Some(name) = &arg.name {
        let _ = write!(out, "{} = ", name.text);
    }
    write_expr(out, &arg.value, 0);
}

/// A type as written.
pub fn type_expr(ty: &TypeExpr) -> String {
    let mut out = ty.kind.text.clone();
    if ty.unit.is_some() {
        out.push_str(" unit");
    }
    if let Some(dims) = &ty.dims {
        let one = |d: &DimExpr| match &d.axis {
            Some(axis) => format!("{} {}", axis.text, dim(d, 0)),
            None => dim(d, 0),
        };
        let dims: Vec<String> = dims.iter().map(one).collect();
        let _ = write!(out, "[{}]", dims.join(", "));
    }
    if let Some(frame) = &ty.frame {
        let _ = write!(out, "@{}", frame.text);
    }
    if let Some(to) = &ty.to {
        let _ = write!(out, "->{}", to.text);
    }
    out
}

fn dim(d: &DimExpr, least: u8) -> String {
    match &d.kind {
        DimKind::Number(n) => n.to_string(),
        DimKind::Name(name) => name.clone(),
        DimKind::Any => "_".into(),
        DimKind::Binary { op, left, right } => {
            let own = if matches!(op.symbol(), "+" | "-") { 1 } else { 2 };
            let space = if own == 1 { " " } else { "" };
            let text = format!("{}{space}{}{space}{}", dim(left, own), op.symbol(), dim(right, own + 1));
            if own < least { format!("({text})") } else { text }
        }
    }
}

/// A file as an outline: a line an item, with bytes, and indented lines below for what it holds.
pub fn outline(file: &File) -> String {
    let mut out = String::new();
    if let Some((version, _)) = file.version {
        let _ = writeln!(out, "rord {version}");
    }
    for item in &file.items {
        write_item(&mut out, item);
    }
    out
}

fn write_item(out: &mut String, item: &Item) {
    for doc in &item.doc {
        let _ = writeln!(out, "## {doc}");
    }
    for attribute in &item.attributes {
        let mut args = String::new();
        separated(&mut args, &attribute.args, write_arg);
        let _ = writeln!(out, "@{}({args})", attribute.name.text);
    }
    let place = format!("{}..{}", item.span.start, item.span.end);
    let mut head = |text: String| {
        let _ = writeln!(out, "{text}  [{place}]");
    };
    match &item.kind {
        ItemKind::Pipeline { name, about } => {
            head(format!("pipeline {}", constant::quoted(&name.text)));
            about.iter().for_each(|a| line(out, &format!("about {}", constant::quoted(&a.text))));
        }
        ItemKind::Import { path, names } => {
            head(format!("import {}", constant::quoted(&path.text)));
            names.iter().for_each(|n| line(out, &n.text));
        }
        ItemKind::Param { name, ty, default, domain, about } => {
            head(format!("param {}: {}", name.text, type_expr(ty)));
            default.iter().for_each(|d| line(out, &format!("default {}", expression(d))));
            domain.iter().for_each(|d| line(out, &format!("in {}", domain_text(d))));
            about.iter().for_each(|a| line(out, &format!("about {}", constant::quoted(&a.text))));
        }
        ItemKind::Preset { name, fields } => {
            head(format!("preset {}", name.text));
            write_fields(out, fields);
        }
        ItemKind::Sweep { name, fields } => {
            head(format!("sweep {}", name.text));
            write_fields(out, fields);
        }
        ItemKind::Input { name, ty } => head(format!("input {}: {}", name.text, type_expr(ty))),
        ItemKind::Data { name, value, fields } => {
            head(format!("data {} = {}", name.text, expression(value)));
            for (field, ty) in fields.iter().flatten() {
                line(out, &format!("{}: {}", field.text, type_expr(ty)));
            }
        }
        ItemKind::Model { name, params, body } => {
            head(format!("model {}({})", name.text, params_text(params)));
            for model_line in body {
                match model_line {
                    ModelLine::Let(binding) => write_let(out, binding, "  "),
                    ModelLine::Out { name, ty, value } => {
                        line(out, &format!("out {}{}", name.text, stated(ty.as_ref())));
                        write_stages(out, value, "    ");
                    }
                    ModelLine::Weight { name, ty, value } => {
                        line(out, &format!("weight {}: {}", name.text, type_expr(ty)));
                        write_stages(out, value, "    ");
                    }
                    ModelLine::Broken { .. } => line(out, "broken"),
                }
            }
        }
        ItemKind::Function(f) => {
            let word = if f.layer { "layer" } else { "fn" };
            let result = f.result.as_ref().map(|r| format!(" -> {}", type_expr(r))).unwrap_or_default();
            head(format!("{word} {}({}){result}", f.name.text, params_text(&f.params)));
            f.lets.iter().for_each(|binding| write_let(out, binding, "  "));
            write_stages(out, &f.body, "  ");
        }
        ItemKind::Let(binding) => {
            head("let".into());
            write_let(out, binding, "  ");
        }
        ItemKind::Loss { name, value } => {
            head(format!("loss {}", name.text));
            write_stages(out, value, "  ");
        }
        ItemKind::Metric { name, value } => {
            head(format!("metric {}", name.text));
            write_stages(out, value, "  ");
        }
        ItemKind::Minimize { name, of, value } => {
            let of: Vec<&str> = of.iter().map(|n| n.text.as_str()).collect();
            let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
            head(format!("minimize {}{of}", name.text));
            write_stages(out, value, "  ");
        }
        ItemKind::Section { keyword, fields, parts } => {
            head(keyword.text.clone());
            write_fields(out, fields);
            for part in parts {
                line(out, &format!("part {}", part.path.text));
                let mut inner = String::new();
                write_fields(&mut inner, &part.fields);
                inner.lines().for_each(|text| line(out, text));
            }
        }
        ItemKind::Broken { defines } => {
            head("broken".into());
            defines.iter().for_each(|n| line(out, &n.text));
        }
    }
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "  {text}");
}

fn stated(ty: Option<&TypeExpr>) -> String {
    ty.map(|t| format!(": {}", type_expr(t))).unwrap_or_default()
}

fn params_text(params: &[FnParam]) -> String {
    let one = |p: &FnParam| {
        let default = p.default.as_ref().map(|d| format!(" = {}", expression(d))).unwrap_or_default();
        let domain = p.domain.as_ref().map(|d| format!(" in {}", domain_text(d))).unwrap_or_default();
        format!("{}: {}{default}{domain}", p.name.text, type_expr(&p.ty))
    };
    params.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A domain as written.
pub fn domain_text(domain: &Domain) -> String {
    match domain {
        Domain::Interval { low, high, low_open, high_open, .. } => format!(
            "{}{}, {}{}",
            if *low_open { '(' } else { '[' },
            expression(low),
            expression(high),
            if *high_open { ')' } else { ']' }
        ),
        Domain::Choice(values, _) => {
            format!("{{{}}}", values.iter().map(expression).collect::<Vec<_>>().join(", "))
        }
    }
}

fn write_fields(out: &mut String, fields: &[Field]) {
    for field in fields {
        let value = field.value.as_ref().map(|v| format!(" = {}", expression(v))).unwrap_or_default();
        let under = field.under.as_ref().map(|u| format!(" under {}", constant::quoted(&u.text))).unwrap_or_default();
        line(out, &format!("{}{value}{under}", field.name.text));
    }
}

/// The lines of a function's block; none where it is one expression.
pub fn function_lines(f: &super::ast::Function) -> Vec<String> {
    let one = |binding: &Let| {
        let ty = stated(binding.ty.as_ref());
        format!("let {}{ty} = {}", pattern_text(&binding.pattern), expression(&binding.value))
    };
    let mut lines: Vec<String> = f.lets.iter().map(one).collect();
    if !lines.is_empty() {
        lines.push(format!("out = {}", expression(&f.body)));
    }
    lines
}

fn pattern_text(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Name(name) => name.text.clone(),
        Pattern::Record(fields, _) => {
            let one = |(field, bound): &(super::ast::Name, super::ast::Name)| match field.text == bound.text {
                true => field.text.clone(),
                false => format!("{} as {}", field.text, bound.text),
            };
            format!("{{ {} }}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

fn write_let(out: &mut String, binding: &Let, indent: &str) {
    let pattern = pattern_text(&binding.pattern);
    let _ = writeln!(out, "{indent}{pattern}{} =", stated(binding.ty.as_ref()));
    write_stages(out, &binding.value, &format!("{indent}  "));
}

/// A chain a stage a line, operators as a tree: the outline shows how the text was understood.
fn write_stages(out: &mut String, expr: &Expr, indent: &str) {
    match &expr.kind {
        ExprKind::Pipe { first, stages } => {
            write_stages(out, first, indent);
            for stage in stages {
                let _ = writeln!(out, "{indent}|> {}", expression(stage));
            }
        }
        ExprKind::Binary { op, left, right, .. } => {
            let _ = writeln!(out, "{indent}{}", op.symbol());
            let deeper = format!("{indent}  ");
            write_stages(out, left, &deeper);
            write_stages(out, right, &deeper);
        }
        _ => {
            let _ = writeln!(out, "{indent}{}", expression(expr));
        }
    }
}
