//! `append`: one value after another along an axis: `append(a, b, over = item)`.

use candle_core::{Result, Tensor};

use crate::axes::one_axis_of;
use crate::compute::folding::at;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::ranks::axis;
use rord_lang::axis::Axis;
use rord_lang::constant::Settings;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "append",
    entry: Entry {
        signature: "append(a: Values, b: Values, over: Axes) -> Values",
        manual: MANUAL,
        rule,
        lints: LintFacts {
            rises: &["a", "b"],
            keeps_zero: true,
            range: |r| r.of("a").hull(r.of("b")),
            ..LintFacts::NONE
        },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Append),
    samples,
};

const MANUAL: &str = "\
Puts one value after another along an axis.

`a` and `b` have the same axes, of the same sizes but along the one that `over` names, in one frame; the result has a's
numbers first. Where `b` lacks that axis it counts as one more: a list is appended to a table as its last row. Channels
of maps are put together by `concat`.

Errors: axes or frames that differ.

Source: `torch.cat([a, b], dim)`.

```rord
input a: Vectors[N, 128]
input b: Vectors[M, 128]
let all = append(a, b, over = item)
let s   = similarities(all, all)
let one = append(s, mean(s, over = row), over = row)
```
";

fn rule(a: &mut Application<'_>) {
    let Some(axis) = one_axis_of(a, "a") else { return };
    let (Some(x), Some(y)) = (a.arg("a"), a.arg("b")) else { return };
    let ((x, x_span), (y, y_span)) = ((x.ty.clone(), x.span), (y.ty.clone(), y.span));
    if x.is_open() || y.is_open() {
        a.result = Type::plain(Kind::Values);
        return;
    }
    let same = |p: &Dim, q: &Dim| p == q || p.is_opaque() || q.is_opaque();
    let fits = x.shape().all(|(name, size)| *name == axis || y.size(name).is_some_and(|d| same(size, d)))
        && y.axes.iter().all(|name| x.size(name).is_some());
    let placed = |t: &Type| t.axes.iter().any(Axis::is_place);
    if !fits || x.frame != y.frame && placed(&x) && placed(&y) {
        a.reports.push(shapes::appended(a.name, axis.name(), (x_span, &x), (y_span, &y)));
        return;
    }
    a.aligned.push(("b", x.axes.clone()));
    let more = y.size(&axis).cloned().unwrap_or_else(|| Dim::number(1));
    let unknown = (a.unknown)("?");
    let sized = |(name, size): (&Axis, &Dim)| match *name == axis {
        true => (name.clone(), size.add(&more).unwrap_or_else(|| unknown.clone())),
        false => (name.clone(), size.clone()),
    };
    let axes: Vec<(Axis, Dim)> = x.shape().map(sized).collect();
    let kind = x.kind.join(y.kind).unwrap_or(Kind::Values);
    let unit = x.unit && y.unit;
    a.result = Type { kind, ..x.with_axes(axes) }.natural();
    a.result.unit = unit;
}

/// Joining along one axis.
struct Append;

impl Compute for Append {
    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        Ok(Tensor::cat(&[a, b], axis(call, a)?)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let axis = axis(call, grad)?;
        let (first, second) = (call.tensor("a")?.dim(axis)?, call.tensor("b")?.dim(axis)?);
        let mut out = Gradients::new();
        if call.wants("a") {
            out.push(("a", grad.narrow(axis, 0, first)?.contiguous()?));
        }
        if call.wants("b") {
            out.push(("b", grad.narrow(axis, first, second)?.contiguous()?));
        }
        Ok(out)
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let axis = call.one_axis("a")?;
        Ok(out.op("Concat", &[call.name("a")?, call.name("b")?], vec![("axis", Int(axis))]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let axis = call.one_axis("a")?;
        Ok(format!("torch.cat([{}, {}], dim={axis})", call.name("a")?, call.name("b")?))
    }
}

/// Cases.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, word: &str, axis, a: &[usize], b: &[usize], value: &[usize]| {
        let sample = Sample::new(name, value).random("a", a, -1.0, 1.0)?.random("b", b, -1.0, 1.0)?.to(&["a", "b"]);
        Ok::<_, candle_core::Error>(sample.word("over", word).setting("axes", at(&[axis])))
    };
    const TABLE: &[&str] = &["batch", "row", "column"];
    Ok(vec![
        case("items", "item", 0, &[3, 4], &[2, 4], &[5, 4])?,
        case("a column", "column", 2, &[2, 3, 5], &[2, 3, 1], &[2, 3, 6])?.named("a", TABLE).named("b", TABLE),
    ])
}
