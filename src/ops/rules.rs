//! Rules that several operations share, for what signatures cannot express.

use rord_lang::dim::Dim;
use rord_lang::meet::meet;
use rord_lang::report::{numbers, shapes};
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Application, Products, Shapes};

/// Of every vector of `a` (N, C) with every one of `b` (M, C).
pub const ALL_PAIRS: Products = Products {
    count: |shapes| match (shapes.of("a")?, shapes.of("b")?) {
        (&[n, channels], &[m, _]) => Some(Shapes::elements(&[n, m, channels])),
        (&[b, n, channels], &[m, _] | &[_, m, _]) => Some(Shapes::elements(&[b, n, m, channels])),
        (&[n, channels], &[b, m, _]) => Some(Shapes::elements(&[b, n, m, channels])),
        _ => None,
    },
    of: &["a", "b"],
};

/// Of every `anchor` (B, N, C) with every candidate of its sample. The choice among them has no gradient.
pub const CANDIDATES: Products = Products {
    count: |shapes| {
        let candidates = match shapes.of("at") {
            Some(&[_, count, _]) => count,
            _ => shapes.settings.count("candidates").ok()?,
        };
        Some(Shapes::elements(shapes.of("anchor")?) * candidates as f64)
    },
    of: &[],
};

/// The result is of the argument's type: the operation works on every number by itself and keeps what the numbers are.
pub fn same_type(a: &mut Application<'_>) {
    a.keep_type("x");
    a.result.unit = false;
}

/// Everything of `x` but its range: what was a probability or an image is a plain map now.
pub fn disturbed(a: &mut Application<'_>) {
    same_type(a);
    unbounded(a);
}

/// A mean of zeros and ones lies between them.
pub fn averaged(a: &mut Application<'_>) {
    if a.result.kind == Kind::Mask {
        a.result.kind = Kind::Prob;
    }
}

fn unbounded(a: &mut Application<'_>) {
    if a.result.kind.is(Kind::Prob) || a.result.kind == Kind::Image {
        let whole = a.result.axes == Kind::Map.axes(4);
        a.result.kind = if whole { Kind::Map } else { Kind::Values };
    }
}

/// The result is real: what was a probability or an image is a plain map now, features and descriptors stay what they
/// are.
pub fn real(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    unbounded(a);
}

/// The type of `x`, of which nothing but its axes is kept: numbers of any size.
pub fn real_of(a: &mut Application<'_>) {
    same_type(a);
    let usual = a.result.axes == Kind::Map.axes(4);
    if a.result.kind.is(Kind::Prob) || a.result.kind == Kind::Image || a.result.kind == Kind::Dist {
        a.result.kind = if usual && a.result.frame.is_some() { Kind::Map } else { Kind::Values };
    }
}

/// `mean`, `sum` or `none` of a loss over maps.
pub fn reduced(a: &mut Application<'_>) {
    mask_of(a, "pred");
    if a.word("reduce") == Some("none")
        && let Some(ty) = a.ty("target").or(a.ty("pred")).cloned()
    {
        a.result = ty;
        a.result.kind = Kind::Map;
        a.result.unit = false;
    }
}

/// A mask has one channel or as many as what it masks.
pub fn mask_of(a: &mut Application<'_>, of: &str) {
    let (Some(mask), Some(x)) = (a.arg("mask").filter(|m| m.ty.kind.is_tensor()), a.ty(of)) else { return };
    let fits =
        mask.ty.dims.len() == x.dims.len()
            && mask.ty.dims.iter().zip(&x.dims).enumerate().all(|(axis, (m, d))| {
                m == d || m.is_opaque() || d.is_opaque() || axis == 1 && m.as_number() == Some(1)
            });
    if !fits {
        let label = format!("{} over {}", mask.ty, x);
        let report = shapes::rule(
            mask.span,
            "this mask does not fit what it masks",
            &label,
            "a mask has the same batch, rows and columns, and one channel or as many",
        );
        a.reports.push(report);
    } else if mask.ty.frame != x.frame {
        let label = format!("{} over {}", mask.ty, x);
        let report = rord_lang::report::shapes::rule(
            mask.span,
            "this mask lives in another frame than what it masks",
            &label,
            "bring it over with `warp`, or make it there:  inside(…, like = …)",
        );
        a.reports.push(report);
    }
}

/// How many cells a map has; a size about which nothing is known where that cannot be said.
pub fn cells_of(a: &mut Application<'_>, name: &str) -> Dim {
    let cells = match a.dims(name).as_slice() {
        [_, _, h, w] => h.mul(w),
        _ => None,
    };
    cells.unwrap_or_else(|| (a.unknown)("?"))
}

/// Reports windows that do not lie evenly on a field: `kernel`, `stride`, `pad`, `dilation`. A size that is not known is not
/// judged.
pub fn even_windows(a: &mut Application<'_>, (k, s, p, d): (i64, i64, i64, i64), help: &str) -> bool {
    if a.turns.is_none() {
        return true;
    }
    for dim in a.dims("x").iter().skip(2) {
        let Some(Ok(n)) = dim.value(a.sizes) else { continue };
        let rest = (n + 2 * p - d * (k - 1) - 1).rem_euclid(s);
        if rest != 0 {
            a.reports.push(shapes::uneven(a.span, a.name, n, rest, help));
            return false;
        }
    }
    true
}

/// A size, divided by a whole number of cells.
pub fn divide_rows_and_columns(a: &mut Application<'_>, by: i64) {
    let dims = a.dims("x");
    for axis in [2, 3] {
        if let Some(dim) = dims.get(axis) {
            let divided = a.divide(dim, by);
            a.set_dim(axis, divided);
        }
    }
}

/// Reports a count that must be at least 1.
pub fn positive(a: &mut Application<'_>, name: &str) -> bool {
    if a.count(name) == Some(0) {
        let span = a.arg(name).map_or(a.span, |x| x.span);
        let title = format!("`{name}` of `{}` must be at least 1", a.name);
        a.reports.push(numbers::rule(span, &title, "found 0", "give a positive count"));
        return false;
    }
    true
}

/// Reports a number outside of an interval.
pub fn between(a: &mut Application<'_>, name: &str, low: f64, high: f64, open_above: bool) {
    let Some(x) = a.number(name) else { return };
    if x < low || x > high || open_above && x == high {
        let span = a.arg(name).map_or(a.span, |x| x.span);
        let bracket = if open_above { ')' } else { ']' };
        let title = format!("`{name}` of `{}` is out of range", a.name);
        let label = format!("not in [{low}, {high}{bracket}");
        a.reports.push(numbers::rule(span, &title, &label, "give a number within"));
    }
}

/// `a` and `b` meet by the names of their axes and live in one frame, and the result is what both are: the lesser of a
/// probability and a score is a number of some map.
pub fn alike(a: &mut Application<'_>) {
    let (Some(x), Some(y)) = (a.arg("a"), a.arg("b")) else { return };
    let number = |t: &Type| t.kind.is(Kind::Scalar);
    let result = if number(&x.ty) != number(&y.ty) {
        let whole = if number(&x.ty) { &y.ty } else { &x.ty };
        let kind = match whole.kind {
            k if k.is(Kind::Map) && k != Kind::Field => Kind::Values,
            Kind::Dist if a.name != "max" => Kind::Values,
            k => k,
        };
        Ok(Type { kind, unit: false, ..whole.clone() })
    } else if x.ty.dims.is_empty() || y.ty.dims.is_empty() {
        if x.ty.dims.is_empty() && y.ty.dims.is_empty() && x.ty.is_open() == y.ty.is_open() {
            Ok(x.ty.clone())
        } else {
            Err(Box::new(shapes::operands(a.name, x.span, &x.ty, y.span, &y.ty)))
        }
    } else if let (Some(f), Some(g), true) = (&x.ty.frame, &y.ty.frame, x.ty.frame != y.ty.frame) {
        Err(Box::new(rord_lang::report::frames::differ(a.name, y.span, g, None, f, Some((x.span, None)), None)))
    } else {
        meet(a.name, (&x.ty, x.span, &x.text), (&y.ty, y.span, &y.text))
    };
    match result {
        Ok(ty) => {
            let kind = match number(&x.ty) != number(&y.ty) {
                true => ty.kind,
                false => x.ty.kind.join(y.ty.kind).unwrap_or(Kind::Values),
            };
            let kind = if kind == Kind::Label { Kind::Prob } else { kind };
            a.aligned.extend(["a", "b"].map(|name| (name, ty.axes.clone())));
            a.result = Type { kind, ..ty }.natural();
        }
        Err(report) => a.reports.push(*report),
    }
}

/// The result is the argument itself.
pub fn identical(a: &mut Application<'_>) {
    a.keep_type("x");
}
