//! R01: the text is not a pipeline.

use super::{Report, closest};
use crate::lex::ITEMS;
use crate::source::Span;

/// A bracket without its partner, the token that shows it, and the place behind which an edit may close it.
pub fn unclosed(open: Span, mark: &str, next: Option<(Span, bool)>, behind: Span, edit: &str) -> Report {
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
    report.help(format!("add the missing `{}`", edit.trim())).suggest(behind.after(), edit)
}

/// What the words of other languages are here.
const ELSEWHERE: [(&str, &str); 16] = [
    ("def", "a network is a `model`, a formula with a name is a `fn`:  fn overlap(a: Map@f, b: Map@f) -> Loss = …"),
    ("function", "a formula with a name is a `fn`:  fn overlap(a: Map@f, b: Map@f) -> Loss = …"),
    ("func", "a formula with a name is a `fn`:  fn overlap(a: Map@f, b: Map@f) -> Loss = …"),
    ("class", "a network is a `model`:  model net(x: Image[B, 1, H, W]@f) { out det: … = x |> … }"),
    ("from", "only other pipelines are imported:  import \"lib/nets.rord\" { trunk }"),
    ("for", "there are no loops: what repeats is a `layer` that is called again, what varies is a `sweep`"),
    ("while", "there are no loops: what repeats is a `layer` that is called again"),
    ("if", "`if` is part of an expression:  let x = if a then b else c"),
    ("return", "a model returns its `out`s:  out det: Prob[B, 1, H, W]@f = …"),
    ("print", "what is to be seen is a `metric`:  metric name = …"),
    ("var", "a name for a value begins with `let`"),
    ("val", "a name for a value begins with `let`"),
    ("const", "a number that may be changed is a `param`, a name for a value begins with `let`"),
    ("out", "an `out` is a line of a `model`, between its braces"),
    ("optimizer", "the optimizer is a field of `train`:  train { optimizer = adam(lr = 1e-3) }"),
    ("with", "there are no blocks with effects; `detach(x)` stops a gradient"),
];

/// Something at the start of an item that starts none; `then` is the mark behind it.
pub fn not_an_item(span: Span, found: &str, then: Option<&str>) -> Report {
    let report = Report::error("R0102", format!("`{found}` does not start anything"))
        .label(span, "expected an item such as `let`, `loss`, `metric` or `param`");
    if let Some((_, help)) = ELSEWHERE.iter().find(|(word, _)| *word == found) {
        return report.help(*help);
    }
    match (closest(found, ITEMS), then) {
        (Some(near), _) => report.help(format!("did you mean `{near}`?")).suggest(span, near),
        (_, Some(":")) => {
            report.help("a parameter is declared with `param`; if this is a file of parameters, give it with  --params")
        }
        (_, Some("+" | "-" | "*" | "/")) => {
            report.help("a name is never changed: give the new value a name with `let`")
        }
        (_, Some("(")) => report
            .help("a call alone does nothing: give its value a name with `let`, or make it a `loss` or a `metric`"),
        _ => report.help(format!("items start with one of: {}", ITEMS.join(", "))),
    }
}

/// The unit that was most likely meant.
pub fn nearest_unit(unit: &str) -> Option<&'static str> {
    match unit {
        "pixel" | "pixels" | "pxs" | "p" => Some("px"),
        "degree" | "degrees" | "d" | "rad" | "radians" => Some("deg"),
        "epoch" | "e" | "ep" => Some("epochs"),
        "step" | "s" | "iterations" | "iter" => Some("steps"),
        "minute" | "minutes" | "mins" | "m" => Some("min"),
        _ => closest(unit, ["px", "deg", "epochs", "steps", "min"]),
    }
}

/// A line of a model or a function that begins otherwise; `follows` is the keyword that may stand before what comes
/// next.
pub fn not_a_line(span: Span, found: &str, of: &str, follows: Option<&str>) -> Report {
    let report = Report::error("R0102", format!("`{found}` does not start a line of a {of}"))
        .label(span, "expected `let` or `out`");
    let near = closest(found, ["let", "out"]);
    match (near, ELSEWHERE.iter().find(|(word, _)| *word == found)) {
        (None, Some((_, help))) => report.help(*help),
        (Some(near), _) => {
            let report = report.help(format!("did you mean `{near}`?"));
            // In a model a name follows both, in a function only `let`.
            let fits = follows == Some(near) || (of == "model" && follows == Some("let"));
            if fits { report.suggest(span, near) } else { report }
        }
        (None, None) if of == "model" => {
            report.help("a name begins with `let`; what the model returns with `out`:  out det: Prob[B, 1, H, W]@f = …")
        }
        (None, None) => report.help("a name begins with  let name = …;  what the function computes with  out = …"),
    }
}

/// A unit that does not exist.
pub fn unknown_unit(span: Span, digits: &str, unit: &str) -> Report {
    let near = nearest_unit(unit);
    let report = Report::error("R0103", format!("`{unit}` is not a unit"))
        .label(span, format!("a number with the unit `{unit}`"));
    let rule = "Units are written without a space: px, deg, epochs, steps, min.";
    let whole_word = |near: &str| {
        match near {
            "px" => &["px", "pixel", "pixels"],
            "deg" => &["deg", "degree", "degrees"],
            "epochs" => &["epochs", "epoch", "epochs"],
            "min" => &["min", "minute", "minutes"],
            _ => &["steps", "step", "steps"],
        }
        .contains(&unit.to_lowercase().as_str())
    };
    match near {
        Some(_) if matches!(unit, "rad" | "radians") => {
            report.help(format!("angles are in degrees: 1 rad is 57.29578deg. {rule}"))
        }
        Some(near) => {
            let (report, text) =
                (report.help(format!("did you mean `{digits}{near}`? {rule}")), format!("{digits}{near}"));
            // Another word for the same unit is certain; one that is only spelled alike may be another quantity.
            if whole_word(near) { report.fix(span, text) } else { report.suggest(span, text) }
        }
        None => report.help(format!("to multiply, write  {digits} * {unit}. {rule}")),
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
        '\\' => Some("a line needs no mark to go on in the next one"),
        '$' => Some("a parameter is used by its name alone"),
        '±' => Some("a range is written  -1..1"),
        '!' => Some("there is no negation; compare with <, >, <=, >= or =="),
        ';' => Some("items need no end mark; begin the next one"),
        '\0' => Some("the file holds a zero byte: is it a text file?"),
        _ => None,
    };
    let shown = if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { c.to_string() };
    let report = Report::error("R0106", format!("`{shown}` is not part of the language"))
        .label(span, "this character means nothing here")
        .help(instead.unwrap_or("remove it"));
    if matches!(c, ';' | '$' | '\\') { report.fix(span, "") } else { report }
}

/// A number beyond what a 64-bit float holds.
pub fn huge_number(span: Span) -> Report {
    Report::error("R0107", "this number is too large")
        .label(span, "larger than 1.8e308")
        .help("the largest numbers are near 1.8e308; whole numbers are exact up to 9e15")
}

/// A number that is none: what arithmetic overflows to, and `.nan` of a parameter file.
pub fn not_finite(span: Span) -> Report {
    Report::error("R0107", "this is not a finite number")
        .label(span, "too large, or no number at all")
        .help("the largest numbers are near 1.8e308")
}

/// A character that looks like a mark of the language.
pub fn lookalike(span: Span, c: char, mark: &str) -> Report {
    Report::error("R0106", format!("`{c}` is not part of the language"))
        .label(span, format!("U+{:04X}, which only looks like `{mark}`", u32::from(c)))
        .help(format!("write  {mark}"))
        .fix(span, mark)
}

/// A space that is none.
pub fn odd_space(span: Span, c: char) -> Report {
    Report::error("R0106", "this space is not a plain one")
        .label(span, format!("U+{:04X}, most likely pasted from a web page", u32::from(c)))
        .help("write a space of the keyboard")
        .fix(span, " ")
}

/// A comment of another language. Behind a value on its line, `//` may be a division without a remainder.
pub fn foreign_comment(span: Span, line: bool, behind: bool) -> Report {
    let report = Report::error("R0114", "a comment begins with `#`").label(span, "not a comment here");
    match (line, behind) {
        (true, false) => report.help("write  #").fix(span, "#"),
        (true, true) => report.help("write  #;  to divide, write  /").suggest(span, "#"),
        (false, _) => report.help("write # at the start of every line"),
    }
}

/// An operator or mark of another language.
pub fn foreign_mark(span: Span, mark: &str, edit: Option<&str>, help: &str) -> Report {
    let help = match mark {
        "&&" | "&" => of_masks_and_conditions("and"),
        "||" => of_masks_and_conditions("or"),
        _ => help,
    };
    let report =
        Report::error("R0114", format!("`{mark}` is not an operator")).label(span, "from another language").help(help);
    match edit {
        Some(edit) => report.fix(span, edit),
        None => report,
    }
}

/// What stands for `and`, `or` and `not`: of masks, and of conditions.
fn of_masks_and_conditions(word: &str) -> &'static str {
    match word {
        "and" => {
            "masks are multiplied:  (x > 0) * (x < 1)\n\
             conditions stand one inside the other:  if a then (if b then … else …) else …"
        }
        "or" => {
            "of masks it is the greater:  max(x < 0, x > 1)\n\
             conditions stand one inside the other:  if a then … else (if b then … else …)"
        }
        _ => "a mask is turned round by  1 - mask;  for a condition exchange the branches:  if a then … else …",
    }
}

/// `and`, `or`, `not`.
pub fn foreign_word(span: Span, word: &str) -> Report {
    let help = match word {
        "and" | "or" | "not" => of_masks_and_conditions(word),
        _ => "there are no anonymous functions: give it a name with  fn",
    };
    Report::error("R0114", format!("`{word}` is not an operator")).label(span, "from another language").help(help)
}

/// `c ? a : b`
pub fn conditional_of_c(condition: Span, question: Span, colon: Span) -> Report {
    Report::error("R0114", "a choice is written  if a then b else c")
        .label(question, "from another language")
        .help("the condition is known before the run: it chooses between formulas, not between values of a map")
        .fix(Span { end: condition.start, ..condition }, "if ")
        .fix(question, "then")
        .fix(colon, "else")
}

/// `a if c else b`
pub fn conditional_of_python(place: Span) -> Report {
    Report::error("R0114", "a choice is written  if a then b else c")
        .label(place, "the condition comes first")
        .help("exchange the two, and put `then` between them")
}

/// `H^-1` and `x²`; `of` is what is raised, with its brackets where it has some.
pub fn power(of: Span, sign: Span, op: &str, in_brackets: bool) -> Report {
    let example = if op == "inv" { "inv(H)" } else { "square(x)" };
    let what = if op == "inv" { "an inverse" } else { "a square" };
    let report = Report::error("R0114", format!("{what} is written as a call"))
        .label(sign, "there are no powers")
        .help(format!("write  {example}"));
    let before = Span { end: of.start, ..of };
    if in_brackets { report.fix(before, op).fix(sign, "") } else { report.fix(before, format!("{op}(")).fix(sign, ")") }
}

/// `2²`, which is a number.
pub fn power_of_number(whole: Span, sign: Span, value: f64) -> Report {
    let value = crate::constant::number(value);
    Report::error("R0114", "a power of a number is written out")
        .label(sign, "there are no powers")
        .help(format!("write  {value};  the square of a map is  square(x)"))
        .fix(whole, value)
}

/// A function's body of several lines without braces.
pub fn body_without_braces(equals: Span, word: Option<Span>, value: Span) -> Report {
    let report = Report::error("R0123", "a function with names of its own stands in braces")
        .label(equals, "one expression follows `=`, and no `let`")
        .help("write  fn name(…) -> Loss { let a = …  out = … }")
        .fix(equals, "{")
        .fix(value.after(), "\n}");
    match word {
        // `out =` and `return`: what stands before the value goes.
        Some(word) => report.fix(Span { end: value.start, ..word }, "out = "),
        None => report.fix(Span { end: value.start, ..value }, "out = "),
    }
}

/// A block of too many lines.
pub fn too_long(place: Span, most: usize) -> Report {
    Report::error("R0124", format!("this block has more than {most} lines"))
        .label(place, "here it is too long")
        .help("what repeats is a `layer` or a `fn` that is called again")
}

/// A function's block that computes nothing.
pub fn no_out(block: Span) -> Report {
    Report::error("R0123", "this function computes nothing")
        .label(block, "no `out` in here")
        .help("end it with what it computes:  out = …")
}

/// A function's value without its `out`, or with `return`.
pub fn value_without_out(value: Span, returned: bool) -> Report {
    let report = Report::error("R0123", "what a function computes is its `out`")
        .label(value, if returned { "from another language" } else { "a value without a name" })
        .help("write  out = …");
    if returned { report.fix(value, "out =") } else { report.fix(Span { end: value.start, ..value }, "out = ") }
}

/// `A @ B`. Whether these are homographies or maps is not known to the parser, so nothing is replaced.
pub fn matrix_product(at: Span) -> Report {
    Report::error("R0114", "a matrix product is not written `@`").label(at, "`@` names a frame, in types").help(
        "of a table with a table or with vectors it is  product(a, b);\n\
             of two lists of vectors it is  similarities(a, b);\n\
             homographies are composed with  *  and read from right to left",
    )
}

/// A string in other quotes.
pub fn foreign_quotes(span: Span, quote: char, inner: &str) -> Report {
    let report = Report::error("R0114", "a string stands in double quotes")
        .label(span, format!("in `{quote}`"))
        .help(format!("write  \"{inner}\""));
    if inner.contains(['"', '\\']) { report } else { report.fix(span, format!("\"{inner}\"")) }
}

/// A number by the rules of another language.
pub fn foreign_number(span: Span, found: &str, text: &str, rule: &str) -> Report {
    Report::error("R0115", format!("`{found}` is not how a number is written"))
        .label(span, rule)
        .help(format!("write  {text}"))
        .fix(span, text)
}

/// A unit with a space before it.
pub fn loose_unit(number: Span, unit: Span, name: &str) -> Report {
    let between = Span { start: number.end, end: unit.start, ..unit };
    Report::error("R0103", "a unit is glued to its number")
        .label(number.to(unit), format!("a number, a space, and `{name}`"))
        .help("remove the space, as in  5epochs")
        .fix(between, "")
}

/// Two arguments, names or fields side by side. Before `name = …` nothing but a comma can be missing; between two
/// values it may as well be an operator.
pub fn missing_comma(before: Span, next: Span, named: bool) -> Report {
    let report = Report::error("R0116", "a comma is missing")
        .label(before.after(), "here")
        .label(next, "the next one begins")
        .help("write  ,  between the two");
    if named { report.fix(before.after(), ",") } else { report.suggest(before.after(), ",") }
}

/// `:` or `==` where `=` gives a value; `certain` unless the comparison can be meant.
pub fn not_equals(span: Span, found: &str, name: &str, certain: bool) -> Report {
    let report = Report::error("R0117", format!("a value is given with `=`, not with `{found}`"))
        .label(span, "not expected here")
        .help(format!("write  {name} = …"));
    let text = if found == ":" { " =" } else { "=" };
    if certain { report.fix(span, text) } else { report.suggest(span, text) }
}

/// A definition without `let`.
pub fn missing_let(span: Span, name: &str) -> Report {
    Report::error("R0118", format!("`{name} = …` needs a `let`"))
        .label(span, "a new name begins with `let`")
        .help(format!("write  let {name} = …"))
        .fix(Span { end: span.start, ..span }, "let ")
}

/// Several names without braces; `bare` where the `let` is missing too.
pub fn missing_braces(names: Span, list: &str, bare: bool) -> Report {
    Report::error("R0118", "several names are taken apart in braces")
        .label(names, "fields are taken by their names, not by their order")
        .help(format!("write  let {{ {list} }} = …"))
        .fix(Span { end: names.start, ..names }, if bare { "let { " } else { "{ " })
        .fix(names.after(), " }")
}

/// A domain without brackets.
pub fn bare_domain(low: Span, high: Span) -> Report {
    Report::error("R0119", "the domain of a parameter stands in brackets")
        .label(low.to(high), "a range is a value, not a domain")
        .help("write  in [low, high],  or  in (low, high)  to leave the ends out")
        .fix(Span { end: low.start, ..low }, "[")
        .fix(Span { start: low.end, end: high.start, ..low }, ", ")
        .fix(high.after(), "]")
}

/// A closing bracket without its partner.
pub fn closes_nothing(span: Span, mark: &str) -> Report {
    Report::error("R0113", format!("this `{mark}` closes nothing"))
        .label(span, "no bracket is open here")
        .help(format!(
            "remove it, or add the `{}` it belongs to",
            match mark {
                ")" => "(",
                "]" => "[",
                _ => "{",
            }
        ))
        .suggest(span, "")
}

/// A frame with a second `@`.
pub fn second_at(span: Span) -> Report {
    Report::error("R0120", "a homography has one `@`, before both frames")
        .label(span, "the second one")
        .help("write  @orig->moved")
        .fix(span, "")
}

/// An import without quotes.
pub fn import_of_a_name(span: Span, name: &str) -> Report {
    Report::error("R0121", "an import names a file in quotes").label(span, "not a file").help(format!(
        "write  import \"lib/{name}.rord\" {{ … }}  to bring fn, layer and model of another pipeline;\nmodules of Python cannot be used, and the operations are there without an import"
    ))
}

/// A file without an item.
pub fn nothing_in_it(span: Span) -> Report {
    Report::warning("R0122", "this file is empty")
        .label(span, "no item in here")
        .help("the smallest pipeline that trains stands at the head of docs/guide/language.md")
}

/// What would have been accepted, in words.
pub fn wanted(expected: &[&str]) -> String {
    match expected {
        [] => "something else".to_string(),
        [one] => (*one).to_string(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// Another token than the grammar allows.
pub fn unexpected(span: Span, found: &str, expected: &[&str]) -> Report {
    let wanted = wanted(expected);
    Report::error("R0108", format!("expected {wanted}, found {found}")).label(span, "not expected here").help(
        match (found, expected) {
            ("`=`", e) if e.contains(&"an expression") => "to compare, write `==`",
            (_, e) if e.contains(&"`then`") || e.contains(&"`else`") => "a choice is written  if a then b else c",
            ("`[`", e) if e.iter().any(|e| e.contains("`,`") || e.contains("an item")) => {
                "values have no indices; fields are reached by a dot, as in  net(image).det"
            }
            ("`{`", ["an item such as `let` or `loss`"]) => {
                "a pipeline is not JSON; parameters are given as YAML:  --params my.yaml"
            }
            (found, _) if found.starts_with("the keyword") => "keywords cannot be names; choose another",
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
        .suggest(span, "rord 1")
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
