//! `as_vectors` and `as_map`: a map as a list of vectors, one for each place of `coords`, and back.

use candle_core::{Result, Tensor};

use crate::compute::layout;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::onnx::Size;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::cells_of;
use rord_lang::axis::Axis;
use rord_lang::constant::Settings;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// A map as a list.
pub static CELLS: Op = Op {
    name: "as_vectors",
    entry: Entry {
        signature: "as_vectors(x: Map[B, C, h, w]@f) -> Vectors[B, _, C]",
        manual: "\
The vectors of a map as a list, row by row: one for each place of `coords`.

`x` is (B, C, h, w); the result is (B, h·w, C). Vector i·w + j is that of row i and column j. `as_map` is the way back.

Source: `x.flatten(2).transpose(1, 2)`.

```rord
input desc: Desc[B, 128, H, W]@f
let list = as_vectors(desc)
```
",
        rule: |a| {
            let cells = cells_of(a, "x");
            a.set_dim(1, cells);
            a.result.unit = a.ty("x").is_some_and(|x| x.unit);
        },
        lints: LintFacts { averages: Some("x"), ..LintFacts::SAME },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Cells),
    samples: cells_samples,
};

/// A list as a map.
pub static AS_MAP: Op = Op {
    name: "as_map",
    entry: Entry {
        signature: "as_map(x: Values, like: Map[B, _, h, w]@f) -> Map[B, _, h, w]@f",
        manual: "\
What was computed for each place of `coords`, as a map.

`x` is (B, h·w), which makes a map of one channel, or (B, h·w, C). A mask of places becomes a mask. `like` (B, _, h, w) gives the sizes and the frame;
the result is (B, C, h, w). `as_vectors` is the way back.

Errors: another number of places than `like` has cells.

Source: `x.transpose(1, 2).unflatten(2, (h, w))`.

```rord
input det: Prob[B, 1, H, W]@orig
input H:   Homography[B]@orig->moved
let shown = as_map(seen(move(coords(like = det), H)), like = det)
```
",
        rule: map_rule,
        lints: LintFacts { lends: &["like"], ..LintFacts::SAME },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&AsMap),
    samples: map_samples,
};

fn map_rule(a: &mut Application<'_>) {
    let Some(x) = a.arg("x") else { return };
    let (span, ty) = (x.span, x.ty.clone());
    let cells = cells_of(a, "like");
    let batch = a.dims("like").into_iter().next();
    let same = |found: &Dim, wanted: &Dim| found == wanted || found.is_opaque() || wanted.is_opaque();
    let channels = match (ty.axes.as_slice(), ty.dims.as_slice()) {
        ([Axis::Batch, Axis::Item], _) => Some(Dim::number(1)),
        ([Axis::Batch, Axis::Item, Axis::Channel], [_, _, channels]) => Some(channels.clone()),
        _ => None,
    };
    let fits = ty.dims.first().zip(batch.as_ref()).is_some_and(|(b, like)| same(b, like))
        && ty.dims.get(1).is_some_and(|n| same(n, &cells));
    match channels.filter(|_| fits) {
        Some(channels) => {
            a.set_dim(1, channels);
            if ty.kind.is(Kind::Prob) {
                a.result.kind = ty.kind;
            }
        }
        None => {
            let like = a.ty("like").map(ToString::to_string).unwrap_or_default();
            let title = "`as_map` needs one value, or one vector, for each cell of `like`";
            let label = format!("{ty}, and `like` is {like}");
            let help = "compute it at  coords(like = …)  of the same map, so that it is (B, h·w) or (B, h·w, C)";
            a.reports.push(shapes::rule(span, title, &label, help));
        }
    }
}

struct Cells;

impl Compute for Cells {
    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn either_order(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(layout::last(call.tensor("x")?)?.flatten(1, 2)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (b, c, h, w) = call.tensor("x")?.dims4()?;
        Ok(vec![("x", layout::from_last(&grad.contiguous()?.reshape((b, h, w, c))?)?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let cells = out.reshaped(call.name("x")?, &[Size::Of(0, 2), Size::Known(-1)]);
        Ok(out.transposed(&cells, &[0, 2, 1]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("{}.flatten(2).transpose(1, 2)", call.name("x")?))
    }
}

struct AsMap;

impl Compute for AsMap {
    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn either_order(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let (x, like) = (call.tensor("x")?, call.tensor("like")?);
        let (batch, _, height, width) = like.dims4()?;
        let x = if x.rank() == 2 { x.unsqueeze(2)? } else { x.clone() };
        let (b, count, channels) = x.dims3()?;
        if b != batch || count != height * width {
            let what = format!("{count} values are no map of {height} × {width} cells");
            return Err(candle_core::Error::msg(what));
        }
        let lines = x.contiguous()?.reshape((batch, height, width, channels))?;
        Ok(layout::from_last(&lines)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        Ok(vec![("x", layout::last(grad)?.reshape(call.tensor("x")?.shape())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, like) = (call.argument("x")?, call.name("like")?);
        let mut name = x.name.clone();
        if crate::export::rank(x.ty) == 2 {
            let axes = out.ints(&[2]);
            name = out.plain("Unsqueeze", &[&name, &axes]);
        }
        let lines = out.transposed(&name, &[0, 2, 1]);
        let channels = out.op("Shape", &[&lines], vec![("start", Int(0)), ("end", Int(2))]);
        let places = out.op("Shape", &[like], vec![("start", Int(2)), ("end", Int(4))]);
        let shape = out.op("Concat", &[&channels, &places], vec![("axis", Int(0))]);
        Ok(out.plain("Reshape", &[&lines, &shape]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (x, like) = (call.argument("x")?, call.name("like")?);
        let wide = if crate::export::rank(x.ty) == 2 { ".unsqueeze(2)" } else { "" };
        Ok(format!("{}{wide}.transpose(1, 2).unflatten(2, {like}.shape[2:])", x.name))
    }
}

fn cells_samples() -> Result<Vec<Sample>> {
    let case = |name, [b, c, h, w]: [usize; 4]| {
        Sample::new(name, &[b, h * w, c]).random("x", &[b, c, h, w], -1.0, 1.0).map(|s| s.to(&["x"]))
    };
    Ok(vec![case("odd", [2, 3, 5, 7])?, case("one", [1, 1, 1, 1])?])
}

fn map_samples() -> Result<Vec<Sample>> {
    let like = [2, 1, 5, 7];
    Ok(vec![
        Sample::new("vectors", &[2, 3, 5, 7])
            .random("x", &[2, 35, 3], -1.0, 1.0)?
            .random("like", &like, 0.0, 1.0)?
            .to(&["x"]),
        Sample::new("a number each", &[2, 1, 5, 7])
            .random("x", &[2, 35], -1.0, 1.0)?
            .named("x", &["batch", "item"])
            .random("like", &like, 0.0, 1.0)?
            .to(&["x"]),
    ])
}
