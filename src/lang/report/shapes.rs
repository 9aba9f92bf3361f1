//! R04: sizes that do not agree.

use super::{Report, list};
use crate::dim::Dim;
use crate::source::Span;
use crate::types::{Kind, Type};

/// The names of a map's axes.
const AXES: [&str; 4] = ["batch", "channel", "row", "column"];

fn spatial(ty: &Type) -> String {
    match ty.dims.as_slice() {
        [_, _, h, w] => format!("{h} × {w}"),
        _ => ty.to_string(),
    }
}

/// Two maps of different sizes; each side is its place, its text and its type.
pub fn sizes(op: &str, a: (Span, &str, &Type), b: (Span, &str, &Type), same_frame: bool) -> Report {
    let differs = |axis: usize| a.2.dims.get(axis) != b.2.dims.get(axis);
    let channels_only = differs(1) && !differs(2) && !differs(3);
    let show = |t: &Type| {
        if channels_only {
            format!("{} channels", t.dims.get(1).map_or("?".into(), Dim::to_string))
        } else {
            spatial(t)
        }
    };
    let mut report = Report::error("R0401", format!("`{op}` compares maps of different sizes"))
        .label(b.0, show(b.2))
        .label(a.0, show(a.2));
    let short = |text: &str, other: &str| if text.chars().count() > 28 { other.to_string() } else { text.to_string() };
    let (left, right) = (short(a.1, "first"), short(b.1, "second"));
    let width = a.2.dims.iter().map(|d| d.to_string().chars().count()).chain([left.chars().count()]).max().unwrap_or(0);
    let mut table = format!("{:<9}{left:<width$}   {right}", "axis");
    for (axis, (p, q)) in a.2.dims.iter().zip(&b.2.dims).enumerate() {
        let name = AXES.get(axis).copied().unwrap_or("axis");
        let mark = if p == q { String::new() } else { "   ← differs".to_string() };
        table.push_str(format!("\n{name:<9}{:<width$}   {:<6}{mark}", p.to_string(), q.to_string()).trim_end());
    }
    let first = match (channels_only, same_frame, b.1.strip_suffix(')')) {
        (true, ..) => "the channels differ; only a mask with one channel spreads over all of them".to_string(),
        (_, true, Some(open)) if b.1.starts_with("warp(") => {
            format!("both maps are in one frame, so only the sampling differs:  {open}, like = {})", a.1)
        }
        _ => "bring both to one size, for example with max_pool, upsample or  warp(…, like = …)".to_string(),
    };
    report = report.help(format!("{first}\n\n{table}"));
    report
}

/// Descriptors of different lengths.
pub fn lengths(op: &str, a_span: Span, a: &Type, a_len: &Dim, b_span: Span, b: &Type, b_len: &Dim) -> Report {
    Report::error("R0402", format!("`{op}` needs descriptors of the same length"))
        .label(b_span, format!("{b_len} long: {b}"))
        .label(a_span, format!("{a_len} long: {a}"))
        .help("give both heads the same number of channels")
}

/// A patch that does not divide.
pub fn does_not_divide(
    set_at: Span,
    value: i64,
    names: &[String],
    divisor: i64,
    at: Span,
    op: &str,
    stated: Option<Span>,
) -> Report {
    let (low, high) = (value / divisor * divisor, (value / divisor + 1) * divisor);
    let one = names.first().map_or("H", String::as_str);
    let mut report = Report::error("R0403", format!("a patch of {value} px does not divide by {divisor}"))
        .label(set_at, format!("sets {} = {value}", names.join(" = ")));
    report = match stated {
        Some(stated) => report
            .label(stated, format!("needs {divisor} to divide {one}"))
            .label(at, format!("`{op}` divides the size here")),
        None => report.label(at, format!("`{op}` divides the size here, and needs {divisor} to divide {one}")),
    };
    match low {
        0 => report.help(format!("the nearest size that works is {high}px")),
        _ => report.help(format!("the nearest sizes that work are {low}px and {high}px")),
    }
}

/// A tensor with another number of axes.
pub fn rank(span: Span, op: &str, wanted: &str, found: &Type) -> Report {
    Report::error("R0404", format!("`{op}` needs another number of axes"))
        .label(span, format!("expected {wanted}, found {found}"))
        .help(match found.kind {
            k if k.is(Kind::Map) => "maps have four axes: batch, channel, row, column",
            _ => "",
        })
}

/// A size that is fixed to another value.
pub fn size(op: &str, span: Span, ty: &Type, axis: usize, wanted: &Dim, found: &Dim) -> Report {
    let name = match (ty.dims.len(), axis) {
        (4, axis) => AXES.get(axis).map_or("axis".into(), |a| format!("{a} axis")),
        (_, axis) => format!("axis {axis}"),
    };
    Report::error("R0405", format!("`{op}` needs another size here"))
        .label(span, format!("the {name} is {found}, expected {wanted}: {ty}"))
        .help("change one of them, or convert in between")
}

/// A stated type that the value does not have.
pub fn stated_otherwise(stated: Span, value: Span, want: &Type, have: &Type) -> Report {
    let mut report = Report::error("R0406", "this is not of the type that is stated for it")
        .label(stated, format!("says {want}"))
        .label(value, format!("is {have}"));
    let differing: Vec<String> = want
        .dims
        .iter()
        .zip(&have.dims)
        .enumerate()
        .filter(|(_, (a, b))| a != b && !a.is_opaque() && !b.is_opaque())
        .map(|(axis, (a, b))| format!("the {} is {b}, not {a}", AXES.get(axis).copied().unwrap_or("size")))
        .collect();
    let help = if !differing.is_empty() && want.dims.len() == have.dims.len() {
        list(&differing)
    } else if want.frame.is_some() && want.frame != have.frame {
        let frame = |t: &Type| t.frame.as_ref().map_or("in no frame".to_string(), |f| format!("in {f}"));
        format!("it lives {}, not {}", frame(have), frame(want))
    } else if want.kind == Kind::Prob {
        "probabilities come out of a sigmoid:  … |> sigmoid".into()
    } else if want.unit && !have.unit {
        "unit vectors come out of a normalization:  … |> l2norm".into()
    } else {
        format!("{} holds {}; {} holds {}", have.kind.name(), have.kind.holds(), want.kind.name(), want.kind.holds())
    };
    report = report.help(help);
    report
}

/// Operands of different shapes.
pub fn operands(op: &str, a_span: Span, a: &Type, b_span: Span, b: &Type) -> Report {
    Report::error("R0407", format!("`{op}` needs both sides of one shape"))
        .label(a_span, a.to_string())
        .label(b_span, b.to_string())
        .help("only single numbers spread over a shape, and a mask over the channels")
}

/// A size that is not linear, or overflows.
pub fn not_linear(span: Span, at: Span) -> Report {
    let report = Report::error("R0408", "this size cannot be worked out")
        .label(span, "not a sum of whole multiples, or out of range");
    let report = if at == span { report } else { report.label(at, "needed here") };
    report.help("sizes are sums and whole multiples of names, divided by a number: H/4, 2*C + 1")
}

/// A weight whose shape is not known.
pub fn unknown_weight(span: Span, name: &str) -> Report {
    Report::error("R0409", format!("the shape of the weight `{name}` is not known"))
        .label(span, "depends on a size that nothing sets")
        .help("give the width as a number or as a `param` with a value")
}

/// A weight beyond reason.
pub fn huge_weight(span: Span, name: &str, shape: &[usize]) -> Report {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    Report::error("R0410", format!("the weight `{name}` is too large"))
        .label(span, format!("would have the shape [{}]", shape.join(", ")))
        .help("is a width or a kernel mistyped?")
}

/// One weight in two shapes.
pub fn weight_twice(span: Span, name: &str, first: &[usize], second: &[usize]) -> Report {
    let show = |s: &[usize]| s.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    Report::error("R0411", format!("the weight `{name}` would need two shapes"))
        .label(span, format!("[{}] in one call, [{}] in another", show(first), show(second)))
        .help("the calls of a model share its weights, so their inputs must have the same channels")
}

/// Two layers whose weights would have one name.
pub fn weight_made_twice(span: Span, name: &str) -> Report {
    Report::error("R0416", format!("two layers would share the weight `{name}`"))
        .label(span, "the second of them")
        .help("weights are named by where they stand: give one of the two a `let` of its own")
}

/// A field of the data with another number of axes.
pub fn data_rank(span: Span, op: &str, wanted: &str) -> Report {
    Report::error("R0412", format!("`{op}` offers this with other axes"))
        .label(span, format!("it offers {wanted}"))
        .help("name every axis, as in [B, 1, H, W]")
}

/// A field of the data whose axes are not all named.
pub fn declared_axes(span: Span, kind: Kind, example: &str) -> Report {
    Report::error("R0415", format!("every axis of a {} is named", kind.name()))
        .label(
            span,
            match kind.rank() {
                Some(1) => "has 1 axis, the samples".to_string(),
                Some(rank) => format!("has {rank} axes, the first one for the samples"),
                None => "has no axis for the samples".to_string(),
            },
        )
        .help(format!("as in  {example}"))
}

/// A field of the data with another size.
pub fn data_size(span: Span, written: &Dim, set_at: Span, says: &str) -> Report {
    let report = Report::error("R0413", "the data is of another size").label(span, format!("says {written}"));
    let report = if set_at == span { report } else { report.label(set_at, "made here") };
    report.help(format!("the data says {says}"))
}

/// Whatever a rule of an operation finds about sizes.
pub fn rule(span: Span, title: &str, label: &str, help: &str) -> Report {
    Report::error("R0414", title).label(span, label).help(help)
}

/// Windows on a field that do not lie evenly: what is left over at one end only is another end's when the picture turns.
pub fn uneven(span: Span, op: &str, size: i64, rest: i64, help: &str) -> Report {
    Report::error("R0440", format!("the windows of this `{op}` do not lie evenly on its field"))
        .label(span, format!("of {size} cells, {rest} at the far end stay outside of every window"))
        .help(help.to_string())
}
