//! R05: maps and moves in frames that do not fit.

use super::{Report, list};
use crate::source::Span;
use crate::types::{Frame, Type};

fn leads(ty: &Type) -> String {
    let frame = |f: &Option<Frame>| f.as_ref().map_or("?".to_string(), Frame::to_string);
    format!("{} -> {}", frame(&ty.frame), frame(&ty.to))
}

/// A frame that another dataset has, too.
pub fn of_another_dataset(span: Span, frame: &Frame, owner: &str, data: &str) -> Report {
    Report::error("R0521", format!("{frame} is a view of `{owner}`, and `{data}` shows other places"))
        .label(span, format!("a frame of `{data}` needs a name of its own"))
        .help(format!(
            "declare its fields with another name, as in\n    data {data} = … -> {{ image: Image[B, 1, H, W]@{data} }}"
        ))
}

/// A homography used against its direction.
pub fn wrong_way(
    op: &str,
    map: Span,
    map_text: &str,
    lives: &Frame,
    by: Span,
    by_ty: &Type,
    declared: Option<Span>,
    inverse: &str,
) -> Report {
    let mut report = Report::error("R0501", format!("this {op} goes the wrong way"))
        .label(map, format!("lives in {lives}, so the map has to start there"))
        .label(by, format!("maps {}", leads(by_ty)));
    if let Some(declared) = declared {
        report = report.label(declared, "declared here");
    }
    let to = by_ty.frame.as_ref().map_or("?".to_string(), Frame::to_string);
    let short = if map_text.chars().count() > 30 { "…" } else { map_text };
    let verb = if op == "warp" { "bring" } else { "take" };
    report.help(format!("to {verb} `{short}` to {to}, use the inverse:  {op}({short}, {inverse})")).suggest(by, inverse)
}

/// A homography that has nothing to do with the frame at hand.
pub fn leads_elsewhere(
    op: &str,
    map: Span,
    lives: &Frame,
    by: Span,
    by_ty: &Type,
    instead: Option<&str>,
    starts: bool,
) -> Report {
    let end = if starts { "lead to" } else { "start" };
    let report = Report::error("R0504", format!("this {op} does not {end} where the map lives"))
        .label(map, format!("lives in {lives}"))
        .label(by, format!("maps {}", leads(by_ty)));
    match instead {
        Some(instead) => report.help(format!("from {lives} leads  {instead}")).suggest(by, instead),
        None if starts => report.help("pass a map of the frame it leads to, or a homography that leads here"),
        None => report.help(format!("nothing in scope leads from {lives}")),
    }
}

/// Two maps of different frames, compared.
pub fn differ(
    op: &str,
    b: Span,
    b_frame: &Frame,
    b_from: Option<String>,
    a_frame: &Frame,
    a: Option<(Span, Option<String>)>,
    help: Option<String>,
) -> Report {
    let from = |image: Option<String>| image.map(|i| format!(", from `{i}`")).unwrap_or_default();
    let mut report =
        Report::error("R0502", format!("`{op}` compares two maps pixel by pixel, but they are in different frames"))
            .label(b, format!("in {b_frame}{}", from(b_from)));
    if let Some((span, image)) = a {
        report = report.label(span, format!("in {a_frame}{}", from(image)));
    }
    match help {
        Some(help) => report.help(format!("bring the second one over first:  {help}")),
        None => report.help(format!("nothing in scope leads from {b_frame} to {a_frame}")),
    }
}

/// Homographies that do not follow one another.
pub fn do_not_chain(op: Span, a: Span, a_ty: &Type, b: Span, b_ty: &Type, a_text: &str, b_text: &str) -> Report {
    let frame = |f: &Option<Frame>| f.as_ref().map_or("?".to_string(), Frame::to_string);
    let report = Report::error("R0503", "these homographies do not chain")
        .label(a, leads(a_ty))
        .label(op, format!("the right one ends in {}, the left one starts in {}", frame(&b_ty.to), frame(&a_ty.frame)))
        .label(b, leads(b_ty));
    let rule = "read right to left: (A * B)(x) = A(B(x)).";
    let inverse = |f: &Type| (f.to.clone(), f.frame.clone());
    let written = if a_text == b_text {
        None
    } else if a_ty.frame == inverse(b_ty).1 {
        Some((frame(&b_ty.to), frame(&a_ty.to), format!("{a_text} * inv({b_text})")))
    } else if inverse(a_ty).0 == b_ty.to {
        Some((frame(&b_ty.frame), frame(&a_ty.frame), format!("inv({a_text}) * {b_text}")))
    } else if a_ty.to == b_ty.frame {
        Some((frame(&a_ty.frame), frame(&b_ty.to), format!("{b_text} * {a_text}")))
    } else {
        None
    };
    match written {
        Some((from, to, text)) => report.help(format!("{rule} For {from} -> {to} write  {text}")),
        None => report.help(rule),
    }
}

/// Places or offsets of two frames in one formula.
pub fn places_apart(op: &str, op_span: Span, (a, b): ((Span, &Type), (Span, &Type)), moved: Option<&str>) -> Report {
    let frame = |ty: &Type| ty.frame.as_ref().map_or("no frame".to_string(), Frame::to_string);
    let (f, g) = (frame(a.1), frame(b.1));
    let report = Report::error("R0509", format!("`{op}` takes places of one frame"))
        .label(a.0, format!("in {f}"))
        .label(op_span, "")
        .label(b.0, format!("in {g}"));
    match moved {
        Some(text) => report.help(format!("take the places over first:  {text}")),
        None if b.1.kind == crate::types::Kind::Offsets => {
            report.help("offsets stay in their frame: move the places that they lie between, and subtract those")
        }
        None => report.help(format!("nothing in scope leads from {g} to {f}")),
    }
}

/// Places of one frame, used on a map of another.
pub fn places(span: Span, op: &str, found: &Type, wanted: Option<&Frame>, made: Span) -> Report {
    let shown = |f: Option<&Frame>| f.map_or("no frame".to_string(), Frame::to_string);
    let (of, found, wanted) = (found.kind, shown(found.frame.as_ref()), shown(wanted));
    if of.is(crate::types::Kind::Map) {
        return Report::error("R0509", format!("`{op}` chooses places in another frame than they are used in"))
            .label(span, format!("the places are used in {wanted}"))
            .label(made, format!("`{op}` looks at a map in {found}"))
            .help(format!("choose them on a map in {wanted}, or take them over:  move(place(…), H)"));
    }
    let report = Report::error("R0509", format!("`{op}` gets places of another frame than its map"))
        .label(span, format!("the map lives in {wanted}, the places in {found}"));
    let report =
        if made == span { report } else { report.label(made, format!("the places come from here, in {found}")) };
    report.help(format!("take them over first:  move(points, H), with a homography from {found} to {wanted}"))
}

/// Places of one frame, given beside a map of another.
pub fn places_given(
    op: &str,
    (points, text, lives): (Span, String, &Frame),
    (map, wanted): (Span, &Frame),
    by: Option<&str>,
) -> Report {
    let report = Report::error("R0509", format!("`{op}` gets places of another frame than its map"))
        .label(points, format!("places in {lives}"))
        .label(map, format!("lives in {wanted}"));
    match by {
        Some(by) => {
            let moved = format!("move({text}, {by})");
            report.help(format!("take the places over first:  {moved}")).suggest(points, moved)
        }
        None => report.help(format!("nothing in scope leads from {lives} to {wanted}")),
    }
}

/// A homography without its two frames.
pub fn homography_needs_both(span: Span) -> Report {
    Report::error("R0512", "a homography leads from one frame to another")
        .label(span, "does not say which")
        .help("as in  Homography[B]@orig->moved")
}

/// A tensor of a caller that lives nowhere.
pub fn input_needs_frame(span: Span, name: &str, kind: &str) -> Report {
    Report::error("R0511", format!("the input `{name}` needs a frame"))
        .label(span, format!("a {kind} lives in a view"))
        .help("name it, as in  Prob[B, 1, H, W]@orig; inputs of one view share its name")
}

/// An argument of a function, layer or model that lives nowhere.
pub fn argument_needs_frame(span: Span, name: &str, kind: &str) -> Report {
    Report::error("R0513", format!("the argument `{name}` needs a frame"))
        .label(span, format!("a {kind} lives in a view"))
        .help("name it, as in  @f; any name will do, and it stands for whatever view the caller's map lives in")
        .fix(span.after(), "@f")
}

/// A frame that does not exist.
pub fn unknown(span: Span, name: &str, known: &[&str]) -> Report {
    let report = Report::error("R0505", format!("no frame is called @{name}")).label(span, "unknown frame");
    match super::closest(name, known.iter().copied()) {
        Some(near) => report.help(format!("did you mean @{near}?")).suggest(span, near),
        None if known.is_empty() => report.help("frames are declared by `data`, `input` and the types of parameters"),
        None => {
            let all: Vec<String> = known.iter().map(|k| format!("@{k}")).collect();
            report.help(format!("frames known here: {}", list(&all)))
        }
    }
}

/// A length in pixels in a frame without an image.
pub fn no_image(span: Span, op: &str, frame: &Frame) -> Report {
    Report::error("R0506", format!("`{op}` measures in pixels, and {frame} has no image"))
        .label(span, format!("a pixel of {frame} has no size"))
        .help(format!("lengths in px mean pixels of the image that declares the frame: let the data declare one there,\nor  input image: Image[B, 1, R, S]{frame}"))
}

/// Two views of the data under one frame, or one view under two.
pub fn data_frame(span: Span, frame: &Frame, why: &str) -> Report {
    Report::error("R0507", "a frame is one view of the data")
        .label(span, format!("{frame} is {why}"))
        .help("give each view a frame of its own, and the same one everywhere")
}

/// A field of the data that has to say which view it lives in.
pub fn field_without_frame(span: Span, kind: &str, help: &str) -> Report {
    Report::error("R0510", format!("a {kind} lives in a view"))
        .label(span, "names no frame")
        .help(format!("name it:  {help}"))
}

/// A frame where the data has none.
pub fn no_frame_here(span: Span, op: &str) -> Report {
    Report::error("R0508", format!("`{op}` gives this without a frame"))
        .label(span, "has no place in any view")
        .help("remove the frame")
}

/// Fields of two views in one formula.
pub fn fields_of_two_views(op: &str, a: Span, a_frame: &Frame, b: Span, b_frame: &Frame) -> Report {
    Report::error("R0520", format!("`{op}` takes fields of two views together"))
        .label(b, format!("lives in {b_frame}"))
        .label(a, format!("lives in {a_frame}"))
        .help(
            "where one view is the other one turned, its fields lie elsewhere and their turns are exchanged: no number belongs \
             to the one at its place. Compare what does not depend on it, maps brought into one frame:  \
             warp(invariant(…), …),  or descriptors whose turns were exchanged back:  permute_turns(turns_to_channel(…), …)",
        )
}
