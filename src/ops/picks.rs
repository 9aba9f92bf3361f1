//! `argmax`, `argmin` and `take`: where the greatest numbers lie along an axis, and the numbers at given places of one:
//! `take(v, argmax(s, over = column), over = item)`.

use candle_core::{DType, Result, Tensor};

use crate::axes::one_axis;
use crate::compute::elementwise::gathered;
use crate::compute::folding::{at, positions};
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::axis::Axis;
use rord_lang::dim::Dim;
use rord_lang::meet::union;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

macro_rules! arg {
    ($name:literal, $most:literal, $greatest:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(x: Values, over: Axes) -> Values"),
                manual: concat!(
                    "\
Where the ",
                    $most,
                    " number lies along an axis: its number there, from 0.

    y = arg ",
                    $most,
                    " x

The axis goes. Of several equal ones the first counts. There is no gradient. `take` reads what lies there.

Source: `torch.",
                    $name,
                    "(x, dim)`.

```rord
input s: Values[N, M]
input v: Vectors[M, 64]
let partner = ",
                    $name,
                    "(s, over = column)
let theirs  = take(v, rename(partner, row, item), over = item)
```
"
                ),
                rule: arg,
                graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&Arg::<$greatest>),
            samples: args,
        }
    };
}

/// Where the greatest number lies.
pub static ARGMAX: Op = arg!("argmax", "greatest", true);
/// Where the least number lies.
pub static ARGMIN: Op = arg!("argmin", "least", false);

/// The numbers at given places of an axis.
pub static TAKE: Op = Op {
    name: "take",
    entry: Entry {
        signature: "take(x: Values, at: Values, over: Axes) -> Values",
        manual: "\
The numbers of a value at given places of one of its axes.

    y = x[…, at, …]

`at` holds numbers from 0, as `argmax` gives them. The axis `over` goes, and the axes of `at` come in its place: those that
`x` has, too, are read side by side, and the others are new. So of vectors (M, C) and a list `at` (N) the result is the
vectors (N, C), and of a table (row, column) and one number for each row it is one number for each row. The gradient goes to
the numbers that are read; none goes to `at`.

Errors: a number in `at` that is no place of the axis, which ends the run.

Source: `torch.take_along_dim(x, at, dim)`, `x.index_select(dim, at)`.

```rord
input v:  Vectors[M, 64]
input at: Values[N]
let picked = take(v, at, over = item)
```
",
        rule: take,
        lints: LintFacts { lends: &["at"], ..LintFacts::SAME },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Take),
    samples: taken,
};

fn arg(a: &mut Application<'_>) {
    let Some(x) = a.ty("x").cloned() else { return };
    let Some(axis) = one_axis(a) else { return };
    let left = x.shape().filter(|(name, _)| **name != axis).map(|(name, d)| (name.clone(), d.clone())).collect();
    a.result = Type { kind: Kind::Values, ..x.with_axes(left) };
    if a.result.axes.is_empty() {
        a.result = Type::plain(Kind::Loss);
    }
}

fn take(a: &mut Application<'_>) {
    let (Some(x), Some(at)) = (a.ty("x").cloned(), a.ty("at").cloned()) else { return };
    let Some(over) = one_axis(a) else { return };
    let (Some(p), Some(q)) = (a.arg("x"), a.arg("at")) else { return };
    let without = |t: &Type| -> Vec<(Axis, Dim)> {
        t.shape().filter(|(axis, _)| **axis != over).map(|(axis, d)| (axis.clone(), d.clone())).collect()
    };
    // Side by side but for the axis itself.
    let (mut rest, mut index) = (x.clone(), at.clone());
    (rest.axes, rest.dims) = without(&x).into_iter().unzip();
    (index.axes, index.dims) = without(&at).into_iter().unzip();
    let mut axes = match union(a.name, (&rest, p.span, &p.text), (&index, q.span, &q.text)) {
        Ok(axes) => axes,
        Err(report) => {
            a.reports.push(*report);
            return;
        }
    };
    let insert = |axes: &mut Vec<(Axis, Dim)>, size: Option<&Dim>| {
        if let Some(size) = size {
            axes.push((over.clone(), size.clone()));
            axes.sort_by(|a, b| a.0.cmp(&b.0));
        }
    };
    let mut whole = axes.clone();
    insert(&mut whole, x.size(&over));
    insert(&mut axes, at.size(&over));
    let whole: Vec<Axis> = whole.into_iter().map(|(axis, _)| axis).collect();
    let position = whole.iter().position(|axis| *axis == over).unwrap_or(0);
    a.settings.retain(|(name, _)| *name != crate::axes::POSITIONS);
    a.settings.push((crate::axes::POSITIONS, crate::compute::folding::at(&[position])));
    a.aligned.extend(["x", "at"].map(|name| (name, whole.clone())));
    crate::rules::real_of(a);
    let kind = a.result.kind;
    let kind = if x.kind.is(Kind::Prob) { x.kind } else { kind };
    let lost = kind == Kind::Vectors && axes.last().is_none_or(|(axis, _)| *axis != Axis::Channel);
    a.result = match axes.is_empty() {
        true => Type::plain(Kind::Loss),
        false => Type { kind: if lost { Kind::Values } else { kind }, ..x.with_axes(axes) }.natural(),
    };
}

/// The place of the greatest or the least number.
struct Arg<const GREATEST: bool>;

impl<const GREATEST: bool> Compute for Arg<GREATEST> {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?.contiguous()?;
        let axis = positions(call, x.rank())?.first().copied().unwrap_or(0);
        let found = if GREATEST { x.argmax(axis)? } else { x.argmin(axis)? };
        Ok(found.to_dtype(x.dtype())?.into())
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, axis) = (call.name("x")?, call.one_axis("x")?);
        let attributes = vec![("axis", Int(axis)), ("keepdims", Int(0))];
        let found = out.op(if GREATEST { "ArgMax" } else { "ArgMin" }, &[x], attributes);
        Ok(out.op("Cast", &[&found], vec![("to", Int(1))]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let method = if GREATEST { "argmax" } else { "argmin" };
        Ok(format!("{}.{method}(dim={}).float()", call.name("x")?, call.one_axis("x")?))
    }
}

/// The numbers at given places.
struct Take;

impl Take {
    /// `x` and the places, both as wide as they meet but along the axis itself.
    fn wide(call: &Call) -> Result<(Tensor, Tensor, usize)> {
        let (x, at) = (call.tensor("x")?, call.tensor("at")?);
        let axis = positions(call, x.rank())?.first().copied().unwrap_or(0);
        let shape = |own: &Tensor| -> Vec<usize> {
            let sizes = x.dims().iter().zip(at.dims()).zip(own.dims()).enumerate();
            sizes.map(|(i, ((a, b), own))| if i == axis { *own } else { *a.max(b) }).collect()
        };
        let (wide_x, wide_at) = (x.broadcast_as(shape(x))?.contiguous()?, at.broadcast_as(shape(at))?.contiguous()?);
        let size = x.dim(axis)? as f64;
        let outside = (wide_at.lt(0.0)? + wide_at.ge(size)?)?.to_dtype(DType::F32)?.sum_all()?;
        if outside.to_scalar::<f32>()? > 0.0 {
            return Err(candle_core::Error::msg(format!("`take` is to read beyond the {size} places of the axis")));
        }
        Ok((wide_x, wide_at.to_dtype(DType::U32)?, axis))
    }
}

impl Compute for Take {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (x, at, axis) = Self::wide(call)?;
        Ok(x.gather(&at, axis)?.reshape(call.shape)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let (x, at, axis) = Self::wide(call)?;
        let out = x.zeros_like()?.scatter_add(&at, &grad.reshape(at.shape())?.contiguous()?, axis)?;
        Ok(vec![("x", gathered(&out, call.tensor("x")?.shape())?)])
    }
}

fn args() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], value: &[usize], word: &str, axis: usize| {
        let sample = Sample::new(name, value).random("x", shape, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.word("over", word).setting("axes", at(&[axis])))
    };
    Ok(vec![
        case("channels", &[2, 5, 3, 4], &[2, 3, 4], "channel", 1)?,
        case("components", &[3, 7], &[3], "channel", 1)?,
    ])
}

fn taken() -> Result<Vec<Sample>> {
    let case = |name, x: &[usize], places: (&[usize], Vec<f64>), value: &[usize], word: &str, axis: usize| {
        let sample = Sample::new(name, value).random("x", x, -1.0, 1.0)?.given("at", places.0, places.1)?;
        Ok::<_, candle_core::Error>(sample.word("over", word).setting("axes", at(&[axis])).to(&["x"]))
    };
    Ok(vec![
        case("items", &[4, 3], (&[5, 1], vec![0.0, 3.0, 3.0, 1.0, 0.0]), &[5, 3], "item", 0)?.named("at", &["item"]),
        case("one of each row", &[3, 4], (&[3, 1], vec![1.0, 0.0, 3.0]), &[3], "column", 1)?
            .named("x", &["row", "column"])
            .named("at", &["row"]),
    ])
}
