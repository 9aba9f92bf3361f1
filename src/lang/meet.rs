//! How two values meet: axis by axis, by name. An axis that one side does not have is spread over it; one that both
//! have is of one size.

use crate::axis::Axis;
use crate::dim::Dim;
use crate::report::{Report, shapes};
use crate::source::Span;
use crate::types::Type;

/// One side of an operator: its type, its place, its text.
pub type Meeting<'a> = (&'a Type, Span, &'a str);

/// Axes and frame of both sides together, or why they do not meet.
pub fn meet(op: &str, a: Meeting<'_>, b: Meeting<'_>) -> Result<Type, Box<Report>> {
    let (xt, yt) = (a.0, b.0);
    let placed = |t: &Type| t.axes.iter().any(Axis::is_place);
    if xt.frame.is_some() != yt.frame.is_some() && placed(xt) && placed(yt) {
        return Err(Box::new(shapes::operands(op, a.1, xt, b.1, yt)));
    }
    let (axes, dims): (Vec<Axis>, Vec<Dim>) = union(op, a, b)?.into_iter().unzip();
    let frame = xt.frame.clone().or(yt.frame.clone());
    Ok(Type { kind: xt.kind, unit: false, axes, dims, frame, to: None })
}

/// The axes of both sides together, each with its size, or why they do not meet.
pub fn union(op: &str, a: Meeting<'_>, b: Meeting<'_>) -> Result<Vec<(Axis, Dim)>, Box<Report>> {
    let ((xt, a_span, a_text), (yt, b_span, b_text)) = (a, b);
    let has = |t: &Type, axis: &Axis| t.size(axis).is_some();
    let placed = |t: &Type| t.axes.iter().any(Axis::is_place);
    for (list, table) in [(a, b), (b, a)] {
        // A list and a table both count things, and which axis counts the list's is not said.
        let alone = has(list.0, &Axis::Item) && !placed(list.0);
        if alone && placed(table.0) && !has(table.0, &Axis::Item) {
            return Err(Box::new(shapes::list_and_table(op, list, table)));
        }
    }
    let mut out: Vec<(Axis, Dim)> = xt.shape().map(|(a, d)| (a.clone(), d.clone())).collect();
    for (axis, size) in yt.shape() {
        let Some((_, found)) = out.iter_mut().find(|(a, _)| a == axis) else {
            out.push((axis.clone(), size.clone()));
            continue;
        };
        if found == size || size.is_opaque() {
            continue;
        }
        if found.is_opaque() {
            *found = size.clone();
            continue;
        }
        let one = Dim::number(1);
        let report = match axis {
            Axis::Channel if *found == one => shapes::one_channel(op, a, b),
            Axis::Channel if *size == one => shapes::one_channel(op, b, a),
            _ if xt.dims.len() == 4 && yt.dims.len() == 4 && xt.axes == yt.axes => {
                shapes::sizes(op, (a_span, a_text, xt), (b_span, b_text, yt), true)
            }
            _ => shapes::operands(op, a_span, xt, b_span, yt),
        };
        return Err(Box::new(report));
    }
    out.sort_by(|x, y| x.0.cmp(&y.0));
    Ok(out)
}
