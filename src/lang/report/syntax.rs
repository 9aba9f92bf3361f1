//! R01: the text is not a pipeline.

use super::{Report, closest};
use crate::lang::lex::ITEMS;
use crate::lang::source::Span;

/// A bracket without its partner, and the token that shows it.
pub fn unclosed(
    open: Span,
    mark: &str,
    close: &str,
    next: Option<(Span, bool)>,
    after: Option<(Span, &str)>,
) -> Report {
    let thing = match mark {
        "(" => "call or bracket",
        "[" => "list",
        _ => "block",
    };
    let mut report = Report::error("R0101", format!("this `{mark}` is never closed")).label(open, "opened here");
    if let Some((span, item)) = next {
        report = report.label(
            span,
            if item {
                format!("a new item starts here, so the {thing} must end before it")
            } else {
                "the file ends here".to_string()
            },
        );
    }
    match after {
        Some((span, text)) => {
            report.fix(span.after(), close).help(format!("add the missing `{close}` — most likely after `{text}`"))
        }
        None => report.help(format!("add the missing `{close}`")),
    }
}

/// Something at the start of an item that starts none.
pub fn not_an_item(span: Span, found: &str) -> Report {
    let report = Report::error("R0102", format!("`{found}` does not start anything"))
        .label(span, "expected an item such as `let`, `loss`, `metric` or `param`");
    match closest(found, ITEMS) {
        Some(near) => report.help(format!("did you mean `{near}`?")).fix(span, near),
        None => report.help(format!("items start with one of: {}", ITEMS.join(", "))),
    }
}

/// A unit that does not exist.
pub fn unknown_unit(span: Span, digits: &str, unit: &str) -> Report {
    let near = match unit {
        "pixel" | "pixels" | "pxs" | "p" => Some("px"),
        "degree" | "degrees" | "d" | "rad" => Some("deg"),
        "epoch" | "e" | "ep" => Some("epochs"),
        "step" | "s" | "iterations" | "iter" => Some("steps"),
        _ => closest(unit, ["px", "deg", "epochs", "steps"]),
    };
    let report = Report::error("R0103", format!("`{unit}` is not a unit"))
        .label(span, format!("a number with the unit `{unit}`"));
    let rule = "Units are written without a space: px, deg, epochs, steps.";
    match near {
        Some(near) => {
            report.help(format!("did you mean `{digits}{near}`? {rule}")).fix(span, format!("{digits}{near}"))
        }
        None => report.help(rule),
    }
}

/// More levels than the parser goes down.
pub fn too_deep(span: Span, most: u32) -> Report {
    Report::error("R0104", "this is nested too deeply")
        .label(span, format!("more than {most} levels down from here"))
        .help("give the inner parts names:  let part = …")
}

/// A string that runs into the end of its line.
pub fn unclosed_string(span: Span) -> Report {
    Report::error("R0105", "this string is never closed")
        .label(span, "opened here, and the line ends")
        .help("add the closing `\"`. A string stays on one line; `\\\"` is a quote inside it, `\\\\` a backslash.")
}

/// A character that means nothing here.
pub fn unknown_character(span: Span, c: char) -> Report {
    let instead = match c {
        '“' | '”' | '‘' | '’' | '\'' | '`' => Some("strings stand in straight double quotes: \"…\""),
        '−' | '–' | '—' => Some("write the minus sign of the keyboard: -"),
        '×' | '·' | '∗' => Some("multiplication is written *"),
        '÷' => Some("division is written /"),
        '≤' => Some("write <="),
        '≥' => Some("write >="),
        '→' => Some("write ->"),
        '!' => Some("there is no negation; compare with <, >, <=, >= or =="),
        '^' => Some("a square is written x * x"),
        ';' => Some("items need no end mark; begin the next one"),
        '\0' => Some("the file holds a zero byte: is it a text file?"),
        _ => None,
    };
    let shown = if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { c.to_string() };
    Report::error("R0106", format!("`{shown}` is not part of the language"))
        .label(span, "this character means nothing here")
        .help(instead.unwrap_or("remove it"))
}

/// A number beyond what a 64-bit float holds.
pub fn huge_number(span: Span) -> Report {
    Report::error("R0107", "this number is too large")
        .label(span, "larger than 1.8e308")
        .help("the largest numbers are near 1.8e308; whole numbers are exact up to 9e15")
}

/// Another token than the grammar allows.
pub fn unexpected(span: Span, found: &str, expected: &[&str]) -> Report {
    let wanted = match expected {
        [] => "something else".to_string(),
        [one] => (*one).to_string(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    };
    Report::error("R0108", format!("expected {wanted}, found {found}")).label(span, "not expected here").help(
        match (found, expected) {
            ("`=`", e) if e.contains(&"an expression") => "to compare, write `==`",
            ("a keyword", _) | (_, ["a name"]) => "keywords cannot be names; choose another",
            _ => "",
        },
    )
}

/// A keyword where a name must stand.
pub fn keyword_as_name(span: Span, keyword: &str) -> Report {
    Report::error("R0109", format!("`{keyword}` is a keyword and cannot be a name"))
        .label(span, "expected a name")
        .help(format!("choose another, for example `{keyword}_1`; keywords may only name arguments and fields"))
}

/// A version the tool does not know.
pub fn unknown_version(span: Span, found: u64) -> Report {
    Report::error("R0110", format!("this file is written in version {found} of the language"))
        .label(span, "this tool reads version 1")
        .help("write  rord 1  or use a newer rord-run")
        .fix(span, "rord 1")
}

/// Documentation that documents nothing.
pub fn stray_doc(span: Span) -> Report {
    Report::warning("R0111", "this documentation belongs to nothing")
        .label(span, "`##` documents the item that follows it, and none does")
        .help("make it a plain comment with a single `#`, or put it before an item")
}

/// Bytes that are no text.
pub fn not_text(span: Span, at: usize) -> Report {
    Report::error("R0112", "this file is not UTF-8 text")
        .label(span, format!("byte {at} is not part of any character"))
        .help("save it as UTF-8; if it is a binary file, the path is probably wrong")
}
