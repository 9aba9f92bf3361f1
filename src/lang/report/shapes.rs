//! R04: sizes that do not agree.

use super::{Report, list};
use crate::axis::Axis;
use crate::dim::Dim;
use crate::source::Span;
use crate::types::{Kind, Type};

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
        let name = a.2.axes.get(axis).map_or("axis", Axis::name);
        let mark = if p == q { String::new() } else { "   ← differs".to_string() };
        table.push_str(format!("\n{name:<9}{:<width$}   {:<6}{mark}", p.to_string(), q.to_string()).trim_end());
    }
    let first = match (channels_only, same_frame, b.1.strip_suffix(')')) {
        (true, ..) => {
            "the channels differ; what belongs to all of them has no channel:  sum(x, over = channel)".to_string()
        }
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
    let name = ty.axes.get(axis).map_or("axis".to_string(), |a| format!("{a} axis"));
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
        .map(|(axis, (a, b))| format!("the {} is {b}, not {a}", have.axes.get(axis).map_or("size", Axis::name)))
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
        .help("axes of one name have one size; an axis that one side does not have is spread over it")
}

/// One channel beside many.
pub fn one_channel(op: &str, one: (&Type, Span, &str), many: (&Type, Span, &str)) -> Report {
    let short = |text: &str| if text.chars().count() > 60 { "…".to_string() } else { text.to_string() };
    let edit = format!("sum({}, over = channel)", short(one.2));
    let channels = many.0.size(&Axis::Channel).map_or("?".into(), Dim::to_string);
    let report = Report::error("R0418", format!("`{op}` does not spread one channel over {channels}"))
        .label(one.1, format!("1 channel: {}", one.0))
        .label(many.1, format!("{channels} channels: {}", many.0))
        .help(format!(
            "an axis of size 1 is not spread, as a sum would count it once; say that it belongs to all channels by\n\
             dropping the axis:  {edit}"
        ));
    if one.2.chars().count() > 60 { report } else { report.suggest(one.1, edit) }
}

/// A list beside a table.
pub fn list_and_table(op: &str, list: (&Type, Span, &str), table: (&Type, Span, &str)) -> Report {
    let sized = |t: &Type, axis: &Axis| t.size(axis).cloned();
    let rows = sized(list.0, &Axis::Item) == sized(table.0, &Axis::Row);
    let columns = sized(list.0, &Axis::Item) == sized(table.0, &Axis::Column);
    let edit = |axis: &str| match list.2.strip_prefix("log_sum_exp(").and_then(|t| t.strip_suffix(')')) {
        Some(inner) if !inner.contains(['(', ')', ',']) => format!("log_sum_exp({inner}, over = column)"),
        _ => format!("rename({}, item, {axis})", list.2),
    };
    let report = Report::error("R0419", format!("`{op}` does not say along which axis a list meets a table"))
        .label(list.1, format!("a list: {}", list.0))
        .label(table.1, format!("rows and columns: {}", table.0));
    let report = match (rows, columns) {
        (false, true) => report.help(format!("to give it to every row:  {}", edit("column"))),
        _ => report.help(format!("to give one number to each row:  {}", edit("row"))),
    };
    if list.2.chars().count() > 60 {
        report
    } else {
        report.suggest(list.1, edit(if rows || !columns { "row" } else { "column" }))
    }
}

/// Columns of a table that are not as many as what they are multiplied with.
pub fn product(a_span: Span, a: &Type, b_span: Span, b: &Type, inner: &str) -> Report {
    Report::error("R0425", format!("`product` needs as many columns as there are {inner}s"))
        .label(a_span, format!("columns: {a}"))
        .label(b_span, format!("{inner}s: {b}"))
        .help("the columns of the first go with what the second counts first; to exchange them:  transpose(…)")
}

/// A tensor with other axes than an operation takes.
pub fn axes(span: Span, op: &str, wanted: &str, found: &Type) -> Report {
    let names: Vec<&str> = found.axes.iter().map(Axis::name).collect();
    Report::error("R0417", format!("`{op}` needs other axes"))
        .label(span, format!("expected {wanted}, found {found}"))
        .help(format!("this has {}; reduce with  over = …  or rename an axis with  rename(x, item, row)", list(&names)))
}

/// An axis that a value does not have. `size_of` is the axis whose size has this name.
pub fn no_such_axis(span: Span, text: &str, name: &str, found: &Type, size_of: Option<&Axis>) -> Report {
    let names: Vec<&str> = found.axes.iter().map(Axis::name).collect();
    let report = Report::error("R0420", format!("there is no axis `{name}` here"));
    let report = match names.is_empty() {
        true => report.label(span, format!("{found} is one number, without axes")),
        false => report.label(span, format!("{found} has {}", list(&names))),
    };
    let near = size_of.map(Axis::name).or_else(|| super::closest(name, names.iter().copied())).or(match name {
        "batch" if names.first() == Some(&"item") => Some("item"),
        _ => None,
    });
    match (near, size_of) {
        (Some(near), Some(_)) => report
            .help(format!("`{name}` is the size of this axis, whose name is `{near}`"))
            .suggest(span, text.replace(name, near)),
        (Some(near), None) => report.help(format!("is `{near}` meant?")).suggest(span, text.replace(name, near)),
        (None, _) => report.help("name one of its axes"),
    }
}

/// An argument that names axes and is something else.
pub fn axes_wanted(span: Span, found: &str) -> Report {
    let number = found.trim().parse::<i64>().is_ok();
    Report::error("R0421", "axes are called by name").label(span, format!("found {found}")).help(match number {
        true => "the axes of a map are batch, channel, row and column:  over = channel",
        false => "write a name or a list of names:  over = channel,  over = [row, column],  per = batch",
    })
}

/// `over` beside `per`.
pub fn over_and_per(span: Span, op: &str) -> Report {
    Report::error("R0422", format!("`{op}` takes `over` or `per`, not both"))
        .label(span, "both are given")
        .help("`over` says which axes go, `per` which stay; keep one of them")
}

/// Some axes of a type named and others not.
pub fn partly_named(named: Span, text: &str, whole: Span, alone: bool) -> Report {
    let report =
        Report::error("R0423", "either all axes of a type are named or none").label(named, "an axis with a name");
    let report = if whole == named { report } else { report.label(whole, "others have none") };
    let report = report.help("name all of them, as in [batch B, row H, column W]; or is a comma missing?");
    if alone { report.suggest(named, format!("{text},")) } else { report }
}

/// Axes of a type in another order.
pub fn axes_order(span: Span, ordered: Option<String>) -> Report {
    let report = Report::error("R0424", "axes stand in one order");
    match ordered {
        Some(ordered) => report
            .label(span, "not in that order")
            .help(format!("batch, item, turn, channel, row, column, then others by name:  [{ordered}]")),
        None => report.label(span, "an axis stands here twice").help("give each axis once"),
    }
}

/// A size that is not linear, or overflows.
pub fn not_linear(span: Span, at: Span) -> Report {
    let report = Report::error("R0408", "this size cannot be worked out")
        .label(span, "not made of sums and products, or out of range");
    let report = if at == span { report } else { report.label(at, "needed here") };
    report.help("sizes are sums and products of names and whole numbers, divided by a number: H/4, 2*C + 1, B*N")
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

/// Values that cannot stand one after the other along an axis.
pub fn appended(op: &str, axis: &str, a: (Span, &Type), b: (Span, &Type)) -> Report {
    Report::error("R0407", format!("`{op}` along `{axis}` needs two values that are alike along all other axes"))
        .label(a.0, a.1.to_string())
        .label(b.0, b.1.to_string())
        .help(format!(
            "the second has the axes of the first, of the same sizes; `{axis}` may have another size, or be missing"
        ))
}
