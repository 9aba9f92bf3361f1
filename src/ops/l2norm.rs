//! `l2norm`: vectors of length 1: `x |> conv(128, 3) |> l2norm`.

use candle_core::{Result, Tensor};

use crate::axes::POSITIONS;
use crate::axes::along;
use crate::compute::folding::at;
use crate::compute::layout::{Order, order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{self, Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output, scaling};
use crate::export::onnx::Onnx;
use crate::export::torch::{Torch, tuple};
use crate::export::{Form, Use};
use crate::max_pool::saved;
use crate::op::Op;
use rord_kernels::normalize::{Vectors, unit, unit_backward};
use rord_lang::report::shapes;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "l2norm",
    entry: Entry {
        signature: "l2norm(x: Values, eps: Rate = 1e-12, over: Axes = none) -> Values",
        manual: MANUAL,
        rule,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&L2Norm),
    samples,
};

const MANUAL: &str = "\
Divides every vector by its length.

    y = x / max(‖x‖₂, 1e-12)

Of a map (B, C, H, W) the vectors run along C; of (N, C) and (B, N, C) along the last axis; with `over` along the axes
that it names, all of their numbers as one vector. The result has the same shape. The zero vector stays zero, and there the divisor is a constant, so the gradient is finite.

Source: `torch.nn.functional.normalize(x, eps = 1e-12)`.

```rord
input x: Feat[B, 128, H, W]@f
let y = l2norm(x)
```
";

/// Maps become unit descriptors, vectors unit vectors.
fn rule(a: &mut Application<'_>) {
    if a.has("over") {
        crate::rules::real_of(a);
        along(a, "x");
        return;
    }
    a.keep_type("x");
    if a.result.kind.is(Kind::Map) {
        a.result.kind = Kind::Desc;
        a.result.unit = true;
    } else if a.result.kind == Kind::Vectors {
        a.result.unit = true;
    } else {
        let span = a.arg("x").map_or(a.span, |x| x.span);
        let label = a.result.to_string();
        a.reports.push(shapes::rule(span, "`l2norm` normalizes vectors", &label, "it takes maps and Vectors"));
    }
}

/// Division of every vector by its length.
pub struct L2Norm;

/// The least divisor.
pub const EPS: f64 = 1e-12;

/// The axis that vectors run along, and the sizes.
fn vectors(x: &Tensor) -> Result<(usize, Vectors)> {
    let axis = match x.rank() {
        4 => 1,
        0 => return Err(candle_core::Error::msg("a single number is not a vector")),
        rank => rank - 1,
    };
    let product = |dims: &[usize]| dims.iter().product::<usize>();
    let (outer, rest) = x.dims().split_at(axis);
    let (count, inner) = rest.split_at(1);
    Ok((axis, Vectors { outer: product(outer), count: product(count), stride: product(inner) }))
}

/// The same where channels lie last: the components of a vector lie beside each other.
fn laid(g: Vectors, order: Order) -> Vectors {
    match order {
        Order::First => g,
        Order::Last => Vectors { outer: g.outer * g.stride, count: g.count, stride: 1 },
    }
}

/// The axes of the vectors of a call that is written out.
fn axes(call: &Use) -> std::result::Result<Vec<i64>, String> {
    match (call.settings.get(POSITIONS), crate::export::rank(call.argument("x")?.ty)) {
        (Some(_), _) => call.along("x"),
        (None, 4) => Ok(vec![1]),
        (None, rank) => Ok(vec![rank - 1]),
    }
}

impl Paths for L2Norm {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        if scaling::named(call) {
            return scaling::unit(call, EPS, false);
        }
        let x = call.tensor("x")?;
        let (axis, _) = vectors(x)?;
        let norm = x.sqr()?.sum_keepdim(axis)?.sqrt()?.maximum(EPS)?;
        Ok(Output { value: x.broadcast_div(&norm)?, saved: vec![norm] })
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if scaling::named(call) {
            return scaling::unit_backward(call, output, grad, EPS, false);
        }
        let (axis, _) = vectors(grad)?;
        let norm = saved(output, 0)?;
        let free = norm.gt(EPS)?.to_dtype(grad.dtype())?;
        let along = ((grad * &output.value)?.sum_keepdim(axis)? * free)?;
        let out = (grad - output.value.broadcast_mul(&along)?)?.broadcast_div(norm)?;
        Ok(vec![("x", out)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        if scaling::named(call) {
            return scaling::unit(call, EPS, true);
        }
        let x = call.tensor("x")?;
        let (axis, g) = vectors(x)?;
        let order = order(x);
        let (value, norms) = read::<T, _, 1>(order, [x], |[x]| unit(&laid(g, order), x, EPS))?.map_err(wrong)?;
        let shape: Vec<usize> = x.dims().iter().enumerate().map(|(i, n)| if i == axis { 1 } else { *n }).collect();
        Ok(Output { value: tensor(order, value, x.dims())?, saved: vec![slices::tensor(norms, shape)?] })
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if scaling::named(call) {
            return scaling::unit_backward(call, output, grad, EPS, true);
        }
        let (_, g) = vectors(grad)?;
        let order = order(&output.value);
        let tensors = [&output.value, saved(output, 0)?, grad];
        let out = read::<T, _, 3>(order, tensors, |[value, norms, grad]| {
            unit_backward(&laid(g, order), value, norms, grad, EPS)
        })?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, grad.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, axes) = (call.name("x")?.to_string(), axes(call)?);
        let length = out.reduce("ReduceL2", &x, &axes, true);
        let least = out.number(EPS);
        let length = out.plain("Max", &[&length, &least]);
        Ok(out.plain("Div", &[&x, &length]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (x, axes) = (call.name("x")?, axes(call)?);
        Ok(match axes.as_slice() {
            [axis] => format!("F.normalize({x}, dim={axis})"),
            _ => format!("{x} / {x}.square().sum(dim={}, keepdim=True).sqrt().clamp(min={EPS:?})", tuple(&axes)),
        })
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| Sample::new(name, shape).random("x", shape, -1.0, 1.0).map(|s| s.to(&["x"]));
    Ok(vec![
        case("map", &[2, 5, 3, 7])?,
        case("vectors", &[3, 19])?,
        case("batched vectors", &[2, 4, 6])?,
        case("one channel", &[1, 1, 2, 3])?,
        case("over items", &[7, 3])?.word("over", "item").setting("axes", at(&[0])),
        case("over places", &[2, 3, 4, 5])?.word("over", "place").setting("axes", at(&[2, 3])),
        Sample::new("zero vectors", &[2, 4]).filled("x", &[2, 4], 0.0)?.to(&["x"]).kinked(),
        Sample::new("zero map", &[1, 3, 2, 2]).filled("x", &[1, 3, 2, 2], 0.0)?.to(&["x"]).kinked(),
    ])
}
