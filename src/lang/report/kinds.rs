//! R03: a value of one kind where another is needed.

use super::Report;
use crate::constant::Constant;
use crate::range::Range;
use crate::source::Span;
use crate::types::{Frame, Kind, Type};

/// A kind with its article: `a Count`, `an Optimizer`, `Pixels`.
pub(super) fn named(kind: Kind) -> String {
    let name = kind.name();
    let article = match name.as_bytes() {
        [.., b's'] if name != "Loss" => "",
        [b'A' | b'E' | b'I' | b'O' | b'U', ..] => "an ",
        _ => "a ",
    };
    format!("{article}{name}")
}

/// Logits where probabilities are needed.
pub fn logits_for_probabilities(
    op: &str,
    span: Span,
    text: &str,
    found: &str,
    declared: Option<Span>,
    args: &[String],
    with_logits: bool,
) -> Report {
    let mut report = Report::error("R0301", format!("`{op}` needs probabilities, but `{text}` holds logits"))
        .label(span, format!("{found}: any real number; `{op}` takes Prob: 0 to 1"));
    if let Some(declared) = declared {
        report = report.label(declared, "becomes logits here");
    }
    let call = |name: &str, args: &[String]| format!("{name}({})", args.join(", "));
    let squashed: Vec<String> =
        args.iter().map(|a| if a == text { format!("sigmoid({text})") } else { a.clone() }).collect();
    if with_logits {
        report.help(format!(
            "write `{}`: it is the same loss, computed without overflow.\n\
             `{}` also checks, but loses precision beyond |logit| > 16.",
            call(&format!("{op}_logits"), args),
            call(op, &squashed)
        ))
    } else {
        report.help(format!("make them probabilities:  {}", call(op, &squashed)))
    }
}

/// What makes probabilities of a map whose numbers lie in a range.
pub fn to_probabilities(text: &str, range: Range) -> String {
    match range.low.is_finite() && range.high.is_finite() {
        true => format!(
            "its numbers lie between {} and {}: scale them into 0 to 1, as  0.9 * t + 0.05  does with a label",
            crate::constant::number(range.low),
            crate::constant::number(range.high)
        ),
        false => format!("make it one:  sigmoid({text})"),
    }
}

/// Another kind than a parameter takes.
pub fn wrong_kind(
    op: &str,
    param: &str,
    span: Span,
    text: &str,
    wanted: Kind,
    found: &str,
    hint: Option<&str>,
) -> Report {
    let short: String = if text.len() > 40 { "this".into() } else { format!("`{text}`") };
    Report::error("R0301", format!("`{op}` needs {} for `{param}`, and {short} is not", named(wanted)))
        .label(span, format!("expected {} ({}), found {found}", wanted.name(), wanted.holds()))
        .help(hint.unwrap_or_default())
}

/// Two arguments in each other's place: the parameter, the place and what is wrong there, of both.
pub fn exchanged(op: &str, one: (&str, Span, &str), other: (&str, Span, &str), call: &str) -> Report {
    // In the order of the text, so that both arguments give one report.
    let (one, other) = if one.1.start < other.1.start { (one, other) } else { (other, one) };
    let first = one.0;
    let what = match first {
        "target" => "the truth".to_string(),
        name => format!("`{name}`"),
    };
    Report::error("R0301", format!("`{op}` takes {what} first: these two stand in each other's place"))
        .label(one.1, one.2)
        .label(other.1, other.2)
        .help(format!("turn them round:  {call}"))
}

/// Something else where a homography is needed.
pub fn not_a_move(
    op: &str,
    span: Span,
    text: &str,
    from: Option<&Frame>,
    found: &str,
    instead: Option<&str>,
) -> Report {
    let title = match op {
        "warp" => format!("`warp` moves a map by a homography, and `{text}` is not one"),
        _ => format!("`{op}` needs a homography, and `{text}` is not one"),
    };
    let wanted = from.map_or("a Homography".into(), |f| format!("Homography[B]{f}->?"));
    let report = Report::error("R0302", title).label(span, format!("expected {wanted}, found {found}"));
    match (instead, from) {
        (Some(instead), Some(from)) => report.help(format!("from {from} leads  {instead}")).suggest(span, instead),
        _ => report.help("homographies come from the data, as in  H: Homography[B]@orig->moved"),
    }
}

/// A map where one number is needed.
pub fn one_number(what: &str, name: &str, span: Span, found: &str, is_map: bool, cause: Option<Span>) -> Report {
    let title = match (what, is_map) {
        ("objective", true) => "the objective must be one number, but this is a map".to_string(),
        (_, true) => format!("the {what} `{name}` must be one number, but this is a map"),
        _ => format!("the {what} `{name}` must be a number that is computed from the data"),
    };
    let mut report = Report::error("R0303", title).label(span, format!("expected Loss, found {found}"));
    if let Some(cause) = cause {
        report = report.label(cause, "keeps one value per pixel");
        return report.help("drop `reduce = none` (the default is `mean`), or reduce it yourself:  mean(…, mask = …)");
    }
    report.help(if is_map { "reduce it:  mean(…)" } else { "a constant has nothing to train or to watch" })
}

/// Weights outside of a model.
pub fn weights_outside_model(span: Span, op: &str, would: Option<&str>) -> Report {
    let text = match would {
        Some(would) => format!("would create `{would}` outside any model"),
        None => "is a layer, which may create weights".into(),
    };
    Report::error("R0304", format!("`{op}` creates weights, and weights live in a `model`")).label(span, text).help(
        "move it into a `model`, or into a `layer` that a model uses. Weights are named, saved and shared by model.",
    )
}

/// True for a kind whose plain numbers can have one unit only.
pub(super) fn only_unit(kind: Kind) -> bool {
    matches!(kind, Kind::Pixels | Kind::Epochs | Kind::Steps | Kind::Minutes)
}

/// A constant of the wrong kind.
pub fn constant(span: Span, what: &str, wanted: Kind, found: &str, declared: Option<Span>) -> Report {
    let report = Report::error("R0305", format!("{what} must be {}", named(wanted)))
        .label(span, format!("expected {} ({}), found {found}", wanted.name(), wanted.holds()));
    let bare = found.rsplit(' ').next().unwrap_or("");
    let text = found.strip_prefix("Text \"").and_then(|t| t.strip_suffix('"'));
    let unit = match wanted {
        Kind::Pixels => "px",
        Kind::Degrees => "deg",
        Kind::Epochs | Kind::Duration => "epochs",
        Kind::Steps => "steps",
        Kind::Minutes | Kind::Interval => "min",
        _ => "",
    };
    let report = match declared {
        Some(declared) if declared.file == span.file && !declared.holds(span) => {
            report.label(declared, "declared here")
        }
        _ => report,
    };
    if found.starts_with("a list") && wanted.is(Kind::Scalar) {
        return report.help("several values, one after the other, are a sweep:  sweep name { … = [1e-3, 3e-4] }");
    }
    if let Some(text) = text {
        let number = text.parse::<f64>().is_ok() && wanted.is(Kind::Scalar);
        let flag = wanted == Kind::Flag && matches!(text, "true" | "false");
        return match wanted {
            _ if number || flag => report.help(format!("write it without quotes:  {text}")).fix(span, text),
            Kind::Watch => {
                let split = if text.contains('.') { text.to_string() } else { format!("val.{text}") };
                report.help(format!("a number that is reported is named without quotes:  {split}")).suggest(span, split)
            }
            Kind::Layouts => {
                let op = if text.ends_with(".png") || text.ends_with(".jpg") { "images" } else { "gds" };
                let call = format!("{op}(\"{text}\")");
                report.help(format!("say how it is read:  {call}")).suggest(span, call)
            }
            _ if wanted.holds().contains('(') && !text.contains(['.', '/', ' ']) => {
                report.help(format!("it is a call, not text:  {text}(…)"))
            }
            _ => report,
        };
    }
    if found == "Flag true" || found == "Flag false" {
        return report.help("`==` asks whether two things are equal; a value is given with a single `=`");
    }
    if wanted == Kind::Rate && bare.parse::<f64>().is_ok_and(|n| n <= 0.0) {
        return report.help("above 0, as in  1e-3");
    }
    match (unit, bare.parse::<f64>()) {
        ("", _) => report,
        (unit, Ok(_)) => {
            let report = report.help(format!("write the unit:  {bare}{unit}"));
            // An angle may have been meant in radians, and a duration in steps.
            match only_unit(wanted) {
                true => report.fix(span, format!("{bare}{unit}")),
                false => report.suggest(span, format!("{bare}{unit}")),
            }
        }
        (unit, _) => report.help(format!("units are glued to their number, as in 8{unit}")),
    }
}

/// A tensor where something must be known before the run.
pub fn known_before(span: Span, param: &str, wanted: Kind, found: &Type) -> Report {
    Report::error("R0306", format!("`{param}` must be known before the run"))
        .label(
            span,
            format!("expected {} ({}), found {found}, which is computed while running", wanted.name(), wanted.holds()),
        )
        .help("give a number, or declare a `param` for it")
}

/// Descriptors of any length where unit descriptors are needed.
pub fn needs_unit(span: Span, op: &str, found: &Type) -> Report {
    Report::error("R0307", format!("`{op}` needs unit descriptors"))
        .label(span, format!("{found}: vectors of any length"))
        .help("make them unit vectors:  … |> l2norm")
}

/// A kind that does not exist.
pub fn no_such_kind(span: Span, name: &str) -> Report {
    let report = Report::error("R0308", format!("there is no type called `{name}`")).label(span, "unknown type");
    match super::elsewhere::kind(name).or_else(|| super::closest(name, Kind::names())) {
        Some(near) => report.help(format!("did you mean `{near}`?")).suggest(span, near),
        None => {
            let all: Vec<&str> = Kind::names().collect();
            report.help(format!("types: {}", all.join(", ")))
        }
    }
}

/// An operator on something that has no arithmetic.
pub fn no_arithmetic(op_span: Span, op: &str, span: Span, found: &str) -> Report {
    Report::error("R0309", format!("`{op}` does not work on this"))
        .label(span, format!("{found}: not a number or a map"))
        .label(op_span, "")
        .help("arithmetic takes numbers, maps, vectors and distances; homographies only `*`")
}

/// A length with its unit in a formula, where lengths are numbers already.
pub fn length_in_a_formula(op_span: Span, op: &str, span: Span, length: &Constant) -> Report {
    let number = length.number().map_or(String::new(), crate::constant::number);
    Report::error("R0309", format!("`{op}` does not work on this"))
        .label(span, format!("{length}: a length with its unit is for arguments, as in  near(p, q, within = {length})"))
        .label(op_span, "")
        .help(format!("lengths of places are plain numbers, in px of their view:  {number}"))
        .suggest(span, number)
}

/// An operator on places or offsets that has no meaning there.
pub fn arithmetic_of_places(op_span: Span, op: &str, a: (Span, String), b: (Span, String)) -> Report {
    Report::error("R0309", format!("`{op}` does not work on these"))
        .label(a.0, a.1)
        .label(op_span, "")
        .label(b.0, b.1)
        .help(
            "p - q  of places gives offsets o in px,  p + o  places;  o + o,  2 * o  and  o / 2  are offsets;\n\
             length(o)  and  distance(p, q)  are numbers",
        )
}

/// Units that do not go together.
pub fn units(op_span: Span, op: &str, a: &str, b: &str) -> Report {
    Report::error("R0310", format!("`{a} {op} {b}` mixes units"))
        .label(op_span, format!("{a} on the left, {b} on the right"))
        .help("both sides need the same unit; a length times a plain number is fine")
}

/// Ends of a range with different units.
pub fn range_units(span: Span, low: &str, high: &str) -> Report {
    Report::error("R0310", "both ends of a range have the same unit")
        .label(span, format!("from {low} to {high}"))
        .help("write the unit on both ends, as in 0deg..360deg")
}

/// The end of a range that is no number.
pub fn range_of(span: Span, found: Kind) -> Report {
    Report::error("R0311", "a range leads from a number to a number")
        .label(span, format!("found {} ({})", found.name(), found.holds()))
        .help("as in 0.8..1.2")
}

/// A tensor inside a list.
pub fn tensor_in_list(span: Span) -> Report {
    Report::error("R0312", "lists hold what is known before the run")
        .label(span, "this is computed while running")
        .help("lists are for settings, as in [noise(0.02), contrast(0.8..1.2)]")
}

/// A list of different kinds.
pub fn mixed_list(span: Span, first: Kind, other: Kind) -> Report {
    Report::error("R0322", "a list holds values of one kind")
        .label(span, format!("found {} ({}), the ones before are {}", other.name(), other.holds(), first.name()))
        .help("make them all of one kind")
}

/// Fields of something that has none.
pub fn no_fields(span: Span, of: Span, found: &str) -> Report {
    Report::error("R0313", "this has no fields to take apart")
        .label(span, "asks for fields")
        .label(of, format!("{found}: a single value"))
        .help("fields come from `data` and from models, as in  let { det, desc } = net(image)")
}

/// A record where one value is needed: `written` is its text, `of` what made it, `field` the field that is most likely
/// meant.
pub fn record_given(span: Span, written: &str, of: &str, found: &str, taker: &str, field: Option<&str>) -> Report {
    let report = Report::error("R0314", format!("`{taker}` takes one value, and this is several"))
        .label(span, format!("all that `{of}` returns: {found}"));
    let simple = written.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    match field {
        Some(field) if simple => {
            let renamed = if field == written { field.to_string() } else { format!("{field} as {written}") };
            report
                .help(format!(
                    "take the one you mean:  {written}.{field}\n\
                     or take them apart where they are defined:  let {{ {renamed} }} = …"
                ))
                .suggest(span.after(), format!(".{field}"))
        }
        _ => report.help(format!("take the one you mean by its name, as in  {of}(…).{}", field.unwrap_or("image"))),
    }
}

/// A condition that is not known before the run, or is not true or false.
pub fn condition(span: Span, found: &str, tensor: bool) -> Report {
    let report =
        Report::error("R0315", "a condition is true or false before the run").label(span, format!("found {found}"));
    report.help(match tensor {
        true => "to choose by pixel, multiply by a mask:  mask * a + (1 - mask) * b",
        false => "declare a `param name: Flag`, or compare two numbers",
    })
}

/// Branches of different types.
pub fn branches(then: Span, a: &Type, otherwise: Span, b: &Type) -> Report {
    Report::error("R0316", "both branches must be of one type")
        .label(then, a.to_string())
        .label(otherwise, b.to_string())
        .help("either branch may be taken, so what follows must fit both")
}

/// `none` for an argument that cannot be left out.
pub fn none_given(span: Span, op: &str, param: &str) -> Report {
    Report::error("R0317", format!("`{param}` of `{op}` cannot be `none`"))
        .label(span, "leaves the argument out")
        .help("give a value")
}

/// A dataset that is none.
pub fn not_a_dataset(span: Span, found: &str) -> Report {
    Report::error("R0318", "`data` must be a dataset")
        .label(span, format!("found {found}"))
        .help("as in  data pairs = layout_pairs(layouts, patch = 128px)")
}

/// A field of the data under another kind.
pub fn data_kind(span: Span, op: &str, offered: Kind, wanted: Kind) -> Report {
    Report::error("R0319", format!("`{op}` does not offer a {} here", wanted.name()))
        .label(span, format!("it offers {} ({})", offered.name(), offered.holds()))
        .help(format!("declare it as {}", offered.name()))
}

/// A field of the data that is no tensor of samples.
pub fn field_kind(span: Span, name: &str, kind: Kind) -> Report {
    Report::error("R0324", format!("`{name}` cannot be a field of the data"))
        .label(span, format!("{} is not a tensor with samples along its first axis", kind.name()))
        .help("fields are maps, Points, Vectors and Homography")
}

/// A parameter that would be a tensor.
pub fn param_kind(span: Span, name: &str, kind: Kind) -> Report {
    Report::error("R0320", format!("`{name}` cannot be a parameter"))
        .label(span, format!("{} is computed while running", kind.name()))
        .help(
            "parameters are known before the run: Count, Rate, Scalar, Pixels, Flag, Text, Path, Layouts, …; \
             for tensors write `input`",
        )
}

/// An input that would be no tensor.
pub fn input_kind(span: Span, name: &str, kind: Kind) -> Report {
    Report::error("R0321", format!("`{name}` is no tensor, so it cannot be an input"))
        .label(span, format!("{} is known before the run", kind.name()))
        .help(format!("write  param {name}: {}", kind.name()))
}

/// A field where a map or something else is wanted.
pub fn field_given(op: &str, span: Span, text: &str, found: &str, wanted: Kind) -> Report {
    let report = Report::error("R0340", format!("`{op}` does not take fields"))
        .label(span, format!("expected {}, found {found}", wanted.name()));
    if !wanted.is(Kind::Map) {
        return report.help(format!("a field has an axis more, its turns:  invariant({text})  is a map"));
    }
    report.help(format!(
        "when a picture turns, its fields move and exchange their turns; `{op}` would know of the first alone. Make a map of \
         it:  invariant({text})  is the same whatever the turn,  turns_to_channel({text})  has the turns among its channels"
    ))
}

/// A field and a map, or fields of two groups, where all must be fields of one.
pub fn unlike_fields(op: &str, a: Span, a_type: &Type, b: Span, b_type: &Type) -> Report {
    Report::error("R0341", format!("`{op}` takes maps, or fields of one group, not both"))
        .label(b, b_type.to_string())
        .label(a, a_type.to_string())
        .help("make both with one symmetry, or maps of both:  invariant(…)")
}
