//! `distance`: how far apart two lists of vectors are, pair by pair: `distance(at, there)`.

use candle_core::{D, Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::op::Op;
use rord_kernels::distance::{Pairs, euclidean, euclidean_backward};
use rord_kernels::map;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "distance",
    entry: Entry {
        signature: "distance(a: Vectors[B, N, C], b: Vectors[B, N, C], p: Rate = 2, \
                    squared: Flag = false) -> Dist[batch B, item N]",
        manual: MANUAL,
        of_places: Some("place_distance"),
        lints: LintFacts { range: |r| r.distance("a", "b"), ..LintFacts::distance("a", "b") },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Distance),
    samples,
};

const MANUAL: &str = "\
How far apart the vectors of two lists are, pair by pair.

    d = ‖a - b + 1e-6‖_p        squared = true:  d = Σ (a - b)²

`a` and `b` are (…, C); the result is (…). `p` is at least 1. The gradient is finite for equal vectors. With
`squared = true` there is no 1e-6 and `p` plays no part. Of places, `distance(p, q)` is in pixels and without the 1e-6:
`place_distance`.

Errors: shapes that differ; p below 1.

Source: `torch.nn.functional.pairwise_distance(a, b, p, eps = 1e-6)`.

```rord
input a: Vectors[B, N, 128]
input b: Vectors[B, N, 128]
let d = distance(a, b)
```
";

/// The distance of vectors along the last axis.
pub struct Distance;

/// Added to every component of the difference, as torch does: it keeps the slope of the root finite for equal vectors.
pub const EPS: f64 = 1e-6;

fn sign(x: &Tensor) -> Result<Tensor> {
    x.gt(0.0)?.to_dtype(x.dtype())? - x.lt(0.0)?.to_dtype(x.dtype())?
}

/// Where `x` is 0, 1 instead.
fn nonzero(x: &Tensor) -> Result<Tensor> {
    x.eq(0.0)?.where_cond(&x.ones_like()?, x)
}

/// The exponent of the norm; none for the squared distance.
pub(crate) fn exponent(call: &Call) -> Result<Option<f64>> {
    if call.flag("squared")? {
        return Ok(None);
    }
    let p = call.number("p")?;
    if p >= 1.0 { Ok(Some(p)) } else { Err(candle_core::Error::msg("a norm's p is at least 1")) }
}

/// The difference and the exponent.
fn parts(call: &Call) -> Result<(Tensor, Option<f64>)> {
    let (difference, p) = ((call.tensor("a")? - call.tensor("b")?)?, exponent(call)?);
    Ok((if p.is_some() { (difference + EPS)? } else { difference }, p))
}

/// ‖d‖_p along the last axis, or ‖d‖².
pub(crate) fn norm(d: &Tensor, p: Option<f64>) -> Result<Tensor> {
    match p {
        None => d.sqr()?.sum(D::Minus1),
        Some(2.0) => d.sqr()?.sum(D::Minus1)?.sqrt(),
        Some(1.0) => d.abs()?.sum(D::Minus1),
        Some(p) => {
            // Relative to the largest component, whose power is then 1: no p overflows.
            let size = d.abs()?;
            let top = nonzero(&size.max_keepdim(D::Minus1)?)?;
            let sum = size.broadcast_div(&top)?.powf(p)?.sum(D::Minus1)?;
            sum.powf(1.0 / p)? * top.squeeze(D::Minus1)?
        }
    }
}

/// The slope of [`norm`] in every component; 0 where all of them are.
pub(crate) fn norm_slope(d: &Tensor, norm: &Tensor, p: Option<f64>) -> Result<Tensor> {
    match p {
        None => d * 2.0,
        Some(1.0) => sign(d),
        Some(p) => {
            let norm = nonzero(norm)?.unsqueeze(D::Minus1)?;
            let part = d.broadcast_div(&norm)?;
            if p == 2.0 { Ok(part) } else { part.abs()?.powf(p - 1.0)? * sign(d)? }
        }
    }
}

/// What the kernels need; `None` where they do not have it.
fn pairs<T: Element>(call: &Call) -> Result<Option<Pairs<T>>> {
    let (a, b, squared) = (call.tensor("a")?, call.tensor("b")?, call.flag("squared")?);
    let size = a.dims().last().copied().unwrap_or(0);
    let known = a.shape() == b.shape() && size > 0 && (squared || call.number("p")? == 2.0);
    Ok(known.then_some(Pairs { size, shift: T::of(if squared { 0.0 } else { EPS }), squared }))
}

impl Paths for Distance {
    fn lower(&self, call: &Call) -> Result<Output> {
        let (d, p) = parts(call)?;
        Ok(norm(&d, p)?.into())
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (d, p) = parts(call)?;
        let grad = grad.unsqueeze(D::Minus1)?;
        let a = norm_slope(&d, &output.value, p)?.broadcast_mul(&grad)?;
        let mut out = Gradients::new();
        if call.wants("b") {
            out.push(("b", a.neg()?));
        }
        if call.wants("a") {
            out.push(("a", a));
        }
        Ok(out)
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let Some(g) = pairs::<T>(call)? else { return self.lower(call) };
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let value = read::<T, _, 2>([a, b], |[a, b]| euclidean(&g, a, b))?.map_err(wrong)?;
        let (shape, _) = a.dims().split_at(a.rank().saturating_sub(1));
        Ok(tensor(value, shape)?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let Some(g) = pairs::<T>(call)? else { return self.lower_backward(call, output, grad) };
        let (a, b) = (call.tensor("a")?, call.tensor("b")?);
        let tensors = [a, b, &output.value, grad];
        let slope = read::<T, _, 4>(tensors, |[a, b, values, grad]| euclidean_backward(&g, (a, b), values, grad))?;
        let slope = slope.map_err(wrong)?;
        let mut out = Gradients::new();
        if call.wants("b") {
            out.push(("b", tensor(map::one(&slope, |x: T| -x), b.shape())?));
        }
        if call.wants("a") {
            out.push(("a", tensor(slope, a.shape())?));
        }
        Ok(out)
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], p: f64, squared: bool| {
        let (value, _) = shape.split_at(shape.len().saturating_sub(1));
        let sample = Sample::new(name, value).random("a", shape, -1.0, 1.0)?.random("b", shape, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.number("p", p).flag("squared", squared).to(&["a", "b"]))
    };
    let same = |name, squared: bool, at: f64| {
        let sample = Sample::new(name, &[1, 2]).filled("a", &[1, 2, 3], at)?.filled("b", &[1, 2, 3], at)?;
        Ok::<_, candle_core::Error>(sample.number("p", 2.0).flag("squared", squared).to(&["a", "b"]).kinked())
    };
    Ok(vec![
        case("euclidean", &[2, 5, 7], 2.0, false)?,
        case("one vector", &[1, 1, 9], 2.0, false)?,
        case("city block", &[1, 4, 3], 1.0, false)?,
        case("cubic", &[2, 2, 3], 3.0, false)?,
        case("steep", &[1, 2, 3], 40.0, false)?,
        case("squared", &[1, 4, 3], 2.0, true)?,
        same("identical", false, 0.7)?,
        same("identical, squared", true, 0.7)?,
        same("zero", false, 0.0)?,
        Sample::new("apart by exactly minus eps", &[1, 1])
            .filled("a", &[1, 1, 2], 0.0)?
            .filled("b", &[1, 1, 2], EPS)?
            .number("p", 2.0)
            .flag("squared", false)
            .to(&["a", "b"])
            .kinked(),
    ])
}
