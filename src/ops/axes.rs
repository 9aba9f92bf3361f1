//! Rules of operations that work along axes: which of them go, which stay, and what is left.

use rord_lang::axis::Axis;
use rord_lang::constant::Constant;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::Application;
pub use rord_lang::vocabulary::POSITIONS;

/// Reports every axis of the argument `of` that `x` does not have.
fn all_there(a: &mut Application<'_>, of: &str, wanted: &[Axis], x: &Type) -> bool {
    let span = a.arg(of).map_or(a.span, |o| o.span);
    let text = a.arg(of).and_then(|o| o.constant.as_ref()).map_or(String::new(), Constant::to_string);
    let missing = wanted.iter().find(|axis| x.size(axis).is_none());
    if let Some(axis) = missing {
        let size_of = x.shape().find(|(_, d)| d.as_symbol().is_some_and(|s| *s.name == *axis.name())).map(|(a, _)| a);
        a.reports.push(shapes::no_such_axis(span, &text, axis.name(), x, size_of));
    }
    missing.is_none()
}

/// The axes of `x` that `over` and `per` name as going; `None` where neither is given. `Err` where that was reported or
/// is not known yet.
fn going(a: &mut Application<'_>, x: &Type) -> Result<Option<Vec<Axis>>, ()> {
    match (a.has("over"), a.has("per")) {
        (false, false) => Ok(None),
        (true, true) => {
            let span = a.arg("per").map_or(a.span, |p| p.span);
            a.reports.push(shapes::over_and_per(span, a.name));
            Err(())
        }
        (over, _) => {
            let name = if over { "over" } else { "per" };
            let named = a.axes(name).filter(|_| !x.is_open()).ok_or(())?;
            if !all_there(a, name, &named, x) {
                return Err(());
            }
            Ok(Some(x.axes.iter().filter(|axis| named.contains(axis) == over).cloned().collect()))
        }
    }
}

/// The positions of axes, as a setting.
fn positions(a: &mut Application<'_>, x: &Type, axes: &[Axis]) {
    let at = axes.iter().filter_map(|axis| x.position(axis)).map(|at| Constant::Number(at as f64));
    a.settings.push((POSITIONS, Constant::List(at.collect())));
}

/// A reduction of the argument `of`: the result's axes are those that stay, and one number where none does. `kind` is
/// what is left of a kind whose axes went.
pub fn reduction(a: &mut Application<'_>, of: &str, kind: fn(Kind) -> Kind) {
    let Some(x) = a.ty(of).cloned() else { return };
    mask(a, of);
    let gone = match going(a, &x) {
        Ok(Some(gone)) => gone,
        Ok(None) => return,
        Err(()) => {
            a.result = Type::plain(Kind::Values);
            return;
        }
    };
    positions(a, &x, &gone);
    let left: Vec<(Axis, Dim)> =
        x.shape().filter(|(axis, _)| !gone.contains(axis)).map(|(axis, d)| (axis.clone(), d.clone())).collect();
    if left.is_empty() {
        return;
    }
    let kept = if gone.is_empty() { x.kind } else { kind(x.kind) };
    a.result = Type { kind: kept, ..x.with_axes(left) }.natural();
}

/// An operation along the axes that `over` names; they stay. Without `over` nothing is set.
pub fn along(a: &mut Application<'_>, of: &str) -> Option<Vec<Axis>> {
    let x = a.ty(of).cloned()?;
    match going(a, &x) {
        Ok(Some(axes)) => {
            positions(a, &x, &axes);
            Some(axes)
        }
        _ => None,
    }
}

/// The one axis that `over` names.
pub fn one_axis(a: &mut Application<'_>) -> Option<Axis> {
    one_axis_of(a, "x")
}

/// The one axis of the argument `of` that `over` names.
pub fn one_axis_of(a: &mut Application<'_>, of: &str) -> Option<Axis> {
    let axes = along(a, of)?;
    if let [axis] = axes.as_slice() {
        return Some(axis.clone());
    }
    let span = a.arg("over").map_or(a.span, |o| o.span);
    let (title, help) = (format!("`{}` works along one axis", a.name), "name one of them");
    a.reports.push(shapes::rule(span, &title, &format!("names {}", axes.len()), help));
    None
}

/// What is left of a kind: a mean of probabilities is one, a mean of distances is not negative.
pub fn averaged(kind: Kind) -> Kind {
    match kind {
        k if k.is(Kind::Prob) => Kind::Prob,
        Kind::Dist => Kind::Dist,
        _ => Kind::Values,
    }
}

/// What is left of a kind where single numbers are picked: they stay what they were.
pub fn picked(kind: Kind) -> Kind {
    match kind {
        k if k.is(Kind::Prob) => k,
        k => averaged(k),
    }
}

/// What is left of a kind where numbers are added up: distances stay not negative.
pub fn added(kind: Kind) -> Kind {
    if kind == Kind::Dist { kind } else { Kind::Values }
}

/// What is left of a kind in general.
pub fn real(_: Kind) -> Kind {
    Kind::Values
}

/// The argument `mask` of the argument `of`: its axes are some of those, of their sizes or of one channel. It is put
/// beside it.
pub fn mask(a: &mut Application<'_>, of: &str) {
    let (Some(mask), Some(x)) = (a.arg("mask").filter(|m| m.ty.kind.is_tensor()), a.ty(of)) else { return };
    if x.is_open() || mask.ty.is_open() {
        return;
    }
    let one = |axis: &Axis, d: &Dim| *axis == Axis::Channel && d.as_number() == Some(1);
    let fits = mask
        .ty
        .shape()
        .all(|(axis, m)| x.size(axis).is_some_and(|d| m == d || m.is_opaque() || d.is_opaque() || one(axis, m)));
    let label = format!("{} over {}", mask.ty, x);
    if !fits {
        a.reports.push(shapes::rule(
            mask.span,
            "this mask does not fit what it masks",
            &label,
            "the axes of a mask are some of those of what it masks, of the same sizes; of channels it may have one",
        ));
    } else if mask.ty.frame.is_some() && mask.ty.frame != x.frame {
        a.reports.push(shapes::rule(
            mask.span,
            "this mask lives in another frame than what it masks",
            &label,
            "bring it over with `warp`, or make it there:  inside(…, like = …)",
        ));
    } else {
        let axes = x.axes.clone();
        a.aligned.push(("mask", axes));
    }
}
