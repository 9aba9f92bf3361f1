//! R0102, R0108, R0118 and R0123: lines that cannot stand in the block of a function or a model.

use super::Report;
use crate::source::Span;

/// What stands in a block in other languages, and what is written instead.
const FOREIGN: [(&str, &str); 9] = [
    (
        "for",
        "there are no loops: what repeats is a `fn` or a `layer` that is called again; operations work on whole maps",
    ),
    ("while", "there are no loops: what repeats is a `fn` or a `layer` that is called again"),
    ("with", "there are no blocks with effects; `detach(x)` stops a gradient"),
    ("try", "there are no blocks with effects: what is wrong is reported before the run"),
    ("if", "a choice is part of an expression:  let x = if a then b else c"),
    ("def", "a function stands outside, before this one:  fn name(a: Map@f) -> Loss = …"),
    ("class", "a network is a `model`, which stands outside"),
    ("print", "nothing is printed; what is to be seen is a `metric`, outside of the function:  metric name = …"),
    (
        "assert",
        "nothing is asserted: kinds, sizes and frames are checked before the run; \
             a number's domain is written  k: Count in [1, 5]",
    ),
];

/// A statement of another language.
pub fn foreign(span: Span, word: &str) -> Report {
    let help = FOREIGN.iter().find(|(w, _)| *w == word).map_or("", |(_, help)| *help);
    Report::error("R0102", format!("`{word}` does not start a line of a function"))
        .label(span, "from another language")
        .help(help)
}

/// An item within a block.
pub fn item_inside(span: Span, keyword: &str) -> Report {
    let help = match keyword {
        "loss" | "metric" | "minimize" => {
            format!("in here a name begins with `let`; the `{keyword}` stands outside, and calls what computes it")
        }
        _ => format!("write the `{keyword}` outside, before what uses it"),
    };
    Report::error("R0102", format!("a `{keyword}` cannot stand inside of a block"))
        .label(span, "only `let` and `out` stand in here")
        .help(help)
}

/// An attribute within a block.
pub fn attribute(span: Span) -> Report {
    Report::error("R0102", "an attribute cannot stand inside of a block")
        .label(span, "attributes belong to items")
        .help("write it outside, before the function or the model")
}

/// A name behind a block's `out`.
pub fn behind_out(span: Span) -> Report {
    Report::error("R0123", "`out` comes last in a function")
        .label(span, "nothing follows what the function computes")
        .help("move this line up, before the `out`")
}

/// A second `out`.
pub fn second_out(span: Span, first: Span) -> Report {
    Report::error("R0123", "a function computes one thing")
        .label(span, "a second `out`")
        .label(first, "the first one")
        .help("leave one of them out; several outputs are a model's:  out det: … = …  out desc: … = …")
}

/// An `out` of a function with a name or a type.
pub fn named_out(out: Span, between: Span) -> Report {
    Report::error("R0123", "the `out` of a function has no name and no type")
        .label(between, "not expected here")
        .help("write  out = …; its type stands behind the parameters:  fn name(…) -> Loss { … }")
        .fix(Span { start: out.end, ..between }, "")
}

/// An `out` of a model without its name.
pub fn nameless_out(span: Span) -> Report {
    Report::error("R0118", "an `out` of a model has a name")
        .label(span, "`=` follows at once")
        .help("write  out det = …, and it is read by that name:  let { det } = net(image)")
}

/// A `weight` of which nothing says how it begins.
pub fn weight_without_a_beginning(span: Span, name: &str) -> Report {
    let after = Span { start: span.end, ..span };
    Report::error("R0118", format!("nothing says what `{name}` is before the first step"))
        .label(span, "the weight ends here")
        .help("write the numbers it begins with behind the type:  = 0  or  = 1,  or drawn at random:  = normal(0.1)")
        .suggest(after, " = normal(0.1)")
}

/// A value that nothing is done with.
pub fn value_alone(span: Span) -> Report {
    Report::error("R0123", "a value alone does nothing")
        .label(span, "nothing is done with this")
        .help("give it a name with  let name = …,  or remove it; what a function computes is its last line,  out = …")
}

/// `q += 1`, and a second `q = …`.
pub fn changed(span: Span, name: &str) -> Report {
    Report::error("R0118", "names do not change")
        .label(span, format!("`{name}` keeps the value it was given"))
        .help(format!("give the new value a name of its own:  let {name}_2 = …"))
}

/// `= {`
pub fn equals_before_block(span: Span) -> Report {
    Report::error("R0123", "no `=` stands before a block")
        .label(span, "not expected here")
        .help("write  fn name(…) -> Loss { … }")
        .fix(span, "")
}

/// `= return expr`
pub fn return_of_expression(span: Span, value: Span) -> Report {
    Report::error("R0123", "what a function computes follows its `=`")
        .label(span, "from another language")
        .help("leave `return` out")
        .fix(Span { end: value.start, ..span }, "")
}

/// `fn f(…) -> Loss:`
pub fn colon_before_body(span: Span) -> Report {
    Report::error("R0123", "no `:` stands before a body")
        .label(span, "from another language")
        .help("write  fn name(…) -> Loss = …,  or a block:  { let a = …  out = … }")
}

/// `fn f(…): Loss = …`
pub fn colon_before_type(span: Span) -> Report {
    Report::error("R0123", "the type of what a function computes stands behind `->`")
        .label(span, "from another language")
        .help("write  fn name(…) -> Loss = …")
        .fix(span, " ->")
}

/// A parameter without its type.
pub fn untyped(span: Span, name: &str) -> Report {
    Report::error("R0108", format!("the parameter `{name}` has no type"))
        .label(span.after(), "`:` and a type belong here")
        .help(format!("write  {name}: Map[B, C, h, w]@f  for a map,  {name}: Scalar  for a number"))
}

/// A `minimize` without a name; `place` is where one belongs.
pub fn nameless_objective(value: Span, name: &str, place: Span, glued: bool, offered: bool) -> Report {
    let report = Report::error("R0118", "what is minimized has a name")
        .label(value, "a value without a name")
        .help(format!("write  minimize {name} = …"));
    let edit = if glued { format!(" {name} = ") } else { format!("{name} = ") };
    if offered { report.fix(place, edit) } else { report }
}

/// What ends before it is whole: the place is right behind the last token.
pub fn unfinished(behind: Span, expected: &str) -> Report {
    Report::error("R0108", format!("expected {expected}, and nothing follows"))
        .label(behind.after(), "this ends too early")
        .help("complete it, or remove it")
}
