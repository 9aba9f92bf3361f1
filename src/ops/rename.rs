//! `rename` and `transpose`: the same numbers under other names of axes: `rename(nearest, item, row)`, `transpose(t)`.

use candle_core::{Result, Tensor};

use crate::compute::folding::words;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::axis::Axis;
use rord_lang::constant::{Constant, Settings};
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// An axis under another name.
pub static RENAME: Op = Op {
    name: "rename",
    entry: Entry {
        lints: LintFacts::CHOICE,
        signature: "rename(x: Values, from: Axes, to: Axes) -> Values",
        manual: "\
The same numbers with an axis under another name.

    rename(x, item, row)

`from` is an axis of `x`, `to` one that it does not have, or lists of as many. A list (item) becomes the rows or columns of
a table so, and meets tables: `s - rename(r, item, row)` takes r_i from all of row i. `rename(s, [row, column], [item,
channel])` makes vectors of the rows of a table. Where the new name belongs to another place in the order of axes, the
numbers are moved there.

Errors: an axis that `x` does not have, or has already.

Source: named tensors, `x.rename(from = to)`.

```rord
input s: Values[N, M]
input r: Values[N]
let rest = s - rename(r, item, row)
```
",
        rule: rename,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Ordered),
    samples: renamed,
};

/// Rows and columns exchanged.
pub static TRANSPOSE: Op = Op {
    name: "transpose",
    entry: Entry {
        lints: LintFacts::CHOICE,
        signature: "transpose(x: Values[row N, column M]) -> Values[row M, column N]",
        batched: true,
        manual: "\
Rows and columns exchanged.

    y[i, j] = x[j, i]

`x` is a table (N, M), or one for each sample, (B, N, M), that lies in no frame: a map that is turned is another view,
see `warp`.

Source: `x.mT`.

```rord
input s: Values[N, N]
let even = 0.5 * (s + transpose(s))
```
",
        rule: transpose,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Ordered),
    samples: transposed,
};

/// The setting that says where each axis of the result lay. No user writes it.
const ORDER: &str = "order";

/// The result has these axes, which lay in this order.
fn ordered(a: &mut Application<'_>, x: &Type, axes: Vec<(Axis, Dim)>) {
    let mut all: Vec<(usize, (Axis, Dim))> = axes.into_iter().enumerate().collect();
    all.sort_by(|p, q| p.1.0.cmp(&q.1.0));
    let order = all.iter().map(|(at, _)| Constant::Number(*at as f64)).collect();
    a.settings.push((ORDER, Constant::List(order)));
    let shape: Vec<(Axis, Dim)> = all.into_iter().map(|(_, axis)| axis).collect();
    let kept = Type { kind: x.kind, ..x.with_axes(shape) };
    let vectors = kept.kind == Kind::Vectors && !matches!(kept.axes.last(), Some(Axis::Channel));
    let kind = if vectors { Kind::Values } else { kept.kind };
    let map = kind.is(Kind::Map) && !kind.is(Kind::Prob) && kept.axes != Kind::Map.axes(4);
    a.result = Type { kind: if map { Kind::Values } else { kind }, ..kept }.natural();
}

fn rename(a: &mut Application<'_>) {
    let Some(x) = a.ty("x").cloned() else { return };
    let (Some(from), Some(to)) = (a.axes("from"), a.axes("to")) else {
        a.result = Type::plain(Kind::Values);
        return;
    };
    if x.is_open() {
        return;
    }
    if from.len() != to.len() {
        let span = a.arg("to").map_or(a.span, |t| t.span);
        let label = format!("{} for {}", to.len(), from.len());
        a.reports.push(shapes::rule(span, "`rename` gives each axis a name", &label, "give as many names as axes"));
        return;
    }
    for axis in &from {
        if x.size(axis).is_none() {
            let span = a.arg("from").map_or(a.span, |f| f.span);
            let text = a.arg("from").map_or(String::new(), |f| f.text.clone());
            a.reports.push(shapes::no_such_axis(span, &text, axis.name(), &x, None));
            return;
        }
    }
    let renamed = |axis: &Axis| {
        let at = from.iter().position(|f| f == axis);
        at.and_then(|at| to.get(at)).unwrap_or(axis).clone()
    };
    let axes: Vec<(Axis, Dim)> = x.shape().map(|(axis, d)| (renamed(axis), d.clone())).collect();
    let twice = |axis: &Axis| axes.iter().filter(|(other, _)| other == axis).count() > 1;
    if let Some((axis, _)) = axes.iter().find(|(axis, _)| twice(axis)) {
        let span = a.arg("to").map_or(a.span, |t| t.span);
        let title = format!("there is an axis `{axis}` already");
        a.reports.push(shapes::rule(span, &title, &x.to_string(), "choose another name, or reduce that axis first"));
        return;
    }
    ordered(a, &x, axes);
}

fn transpose(a: &mut Application<'_>) {
    let Some(x) = a.ty("x").cloned() else { return };
    if x.frame.is_some() {
        let span = a.arg("x").map_or(a.span, |x| x.span);
        let help = "it takes tables:  transpose(similarities(a, b));  a map is turned by  warp(x, by)";
        a.reports.push(shapes::rule(span, "`transpose` takes what lies in no frame", &x.to_string(), help));
        return;
    }
    let other = |axis: &Axis| match axis {
        Axis::Row => Axis::Column,
        Axis::Column => Axis::Row,
        axis => axis.clone(),
    };
    let axes = x.shape().map(|(axis, d)| (other(axis), d.clone())).collect();
    ordered(a, &x, axes);
}

/// The axes in another order.
struct Ordered;

/// The order of a call, and the one that undoes it.
fn order(call: &Call) -> Result<(Vec<usize>, Vec<usize>)> {
    let list = call.settings.list(ORDER).map_err(candle_core::Error::wrap)?;
    let order: Vec<usize> = list.iter().filter_map(Constant::count).collect();
    let back = (0..order.len()).map(|axis| order.iter().position(|o| *o == axis).unwrap_or(axis)).collect();
    Ok((order, back))
}

/// The order of a call that is written out.
fn written(call: &Use) -> std::result::Result<Vec<i64>, String> {
    let list = call.settings.list(ORDER).map_err(|e| e.to_string())?;
    Ok(list.iter().filter_map(Constant::count).filter_map(|n| i64::try_from(n).ok()).collect())
}

impl Compute for Ordered {
    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(call.tensor("x")?.permute(order(call)?.0)?.contiguous()?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", grad.permute(order(call)?.1)?.contiguous()?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let order = written(call)?;
        Ok(out.transposed(call.name("x")?, &order))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let order = written(call)?;
        Ok(format!("{}.permute({})", call.name("x")?, order.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")))
    }
}

fn case(name: &'static str, shape: &[usize], order: &[usize]) -> Result<Sample> {
    let value: Vec<usize> = order.iter().filter_map(|at| shape.get(*at).copied()).collect();
    let order = Constant::List(order.iter().map(|at| Constant::Number(*at as f64)).collect());
    Ok(Sample::new(name, &value).random("x", shape, -1.0, 1.0)?.setting(ORDER, order).to(&["x"]))
}

fn renamed() -> Result<Vec<Sample>> {
    Ok(vec![
        case("items as rows", &[3, 4], &[1, 0])?.word("from", "item").word("to", "row"),
        case("vectors as columns of a table", &[3, 4], &[1, 0])?
            .setting("from", words(&["item", "channel"]))
            .setting("to", words(&["column", "row"])),
        case("channels as columns", &[2, 3, 4], &[0, 1, 2])?.word("from", "channel").word("to", "column"),
        case("columns as a new axis", &[2, 3, 4, 5], &[0, 1, 2, 3])?.word("from", "column").word("to", "bin"),
        case("items as a new axis", &[2, 3, 4], &[0, 2, 1])?.word("from", "item").word("to", "bin"),
    ])
}

fn transposed() -> Result<Vec<Sample>> {
    let batch: &[&str] = &["batch", "row", "column"];
    Ok(vec![case("a table", &[3, 5], &[1, 0])?, case("a batch", &[2, 3, 4], &[0, 2, 1])?.named("x", batch)])
}
