//! Signatures as texts: for messages, and for the manual.

use crate::ast::{FnParam, TypeExpr};
use crate::tree;

/// A parameter without its name: its type, written as `ty`, its default and its domain.
fn described(param: &FnParam, ty: &str) -> String {
    let default = param.default.as_ref().map(|d| format!(" = {}", tree::expression(d))).unwrap_or_default();
    let domain = param.domain.as_ref().map(|d| format!(" in {}", tree::domain_text(d))).unwrap_or_default();
    format!("{ty}{default}{domain}")
}

/// A signature without shapes, for messages.
pub fn usage(name: &str, params: &[FnParam], result: Option<&TypeExpr>) -> String {
    let shown = |p: &FnParam| {
        let unit = if p.ty.unit.is_some() { " unit" } else { "" };
        format!("{}: {}", p.name.text, described(p, &format!("{}{unit}", p.ty.kind.text)))
    };
    let params: Vec<String> = params.iter().map(shown).collect();
    let result = result.map(|r| format!(" -> {}", r.kind.text)).unwrap_or_default();
    let line = format!("{name}({}){result}", params.join(", "));
    if line.chars().count() <= 100 {
        return line;
    }
    // A long one is broken between parameters and goes on under the first.
    let indent = " ".repeat(name.chars().count() + 1);
    let mut out = format!("{name}(");
    let mut column = out.chars().count();
    for (i, param) in params.iter().enumerate() {
        let last = i + 1 == params.len();
        if i > 0 && column + param.chars().count() + 2 > 92 {
            out = format!("{}\n{indent}", out.trim_end());
            column = indent.len();
        }
        let piece = format!("{param}{}", if last { "" } else { ", " });
        column += piece.chars().count();
        out.push_str(&piece);
    }
    format!("{out}){result}")
}

/// A signature with shapes and frames: on one line, or one parameter a line with the types below each other.
pub(super) fn signature(name: &str, params: &[FnParam], result: Option<&TypeExpr>) -> String {
    let rest: Vec<String> = params.iter().map(|p| described(p, &tree::type_expr(&p.ty))).collect();
    let result = result.map(|r| format!(" -> {}", tree::type_expr(r))).unwrap_or_default();
    let all: Vec<String> = params.iter().zip(&rest).map(|(p, rest)| format!("{}: {rest}", p.name.text)).collect();
    let line = format!("{name}({}){result}", all.join(", "));
    if line.chars().count() <= 100 {
        return line;
    }
    let width = params.iter().map(|p| p.name.text.chars().count() + 1).max().unwrap_or(0);
    let lines =
        params.iter().zip(&rest).map(|(p, rest)| format!("  {:<width$} {rest},\n", format!("{}:", p.name.text)));
    format!("{name}(\n{}){result}", lines.collect::<String>())
}
