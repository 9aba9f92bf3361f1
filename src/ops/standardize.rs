//! `standardize`: every image to mean 0 and deviation 1: `x |> standardize`.

use candle_core::{Result, Tensor};

use crate::axes::POSITIONS;
use crate::axes::along;
use crate::compute::folding::{at, words};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output, scaling};
use crate::export::onnx::Onnx;
use crate::export::torch::{Torch, tuple};
use crate::export::{Form, Use};
use crate::max_pool::saved;
use crate::op::Op;
use rord_kernels::normalize::{Scale, TINY, center, center_backward};
use rord_lang::report::kinds;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts};

/// The operation.
pub static OP: Op = Op {
    name: "standardize",
    entry: Entry {
        signature: "standardize(x: Values, eps: Rate = 1e-6, over: Axes = none) -> Values",
        manual: MANUAL,
        rule,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Standardize),
    samples,
};

const MANUAL: &str = "\
Takes each image to mean 0 and standard deviation 1, over all its channels and cells.

    y = (x - mean(x)) / (deviation(x) + 1e-6)      the deviation's mean square is divided by the number of cells

`x` is a map (B, C, H, W), and so is the result. With `over` it is anything, and mean and deviation are those along the
axes that it names: `standardize(z, over = item)` is the first half of Barlow Twins. Where all are equal it gives zeros.

Source: the input normalization of HardNet (Mishchuk et al. 2017), whose deviation divides by one cell fewer.

```rord
input x: Image[B, 1, 32, 32]@f
let y = standardize(x)
```
";

fn rule(a: &mut Application<'_>) {
    if a.has("over") {
        crate::rules::real_of(a);
        along(a, "x");
        return;
    }
    if let Some(x) = a.arg("x").filter(|x| !x.ty.kind.is(Kind::Map) || x.ty.axes != Kind::Map.axes(4)) {
        let (hint, found) = ("say along which axes:  over = item", x.ty.to_string());
        let report = kinds::wrong_kind(a.name, "x", x.span, &x.text, Kind::Map, &found, Some(hint));
        a.reports.push(report);
        return;
    }
    a.keep_type("x");
    crate::rules::real(a);
    // What is left of an image is what a network goes on from.
    if a.ty("x").is_some_and(|x| x.kind == Kind::Image) {
        a.result.kind = Kind::Feat;
    }
}

/// Standardization of each image.
pub struct Standardize;

/// Added to the deviation.
pub const EPS: f64 = 1e-6;

/// Images as rows.
fn rows(x: &Tensor) -> Result<(usize, usize)> {
    let images = x.dim(0)?;
    Ok((images, x.elem_count() / images.max(1)))
}

/// The axes of a call that is written out: all but the first where none is named.
fn axes(call: &Use) -> std::result::Result<Vec<i64>, String> {
    let all = call.along("x")?;
    Ok(if call.settings.get(POSITIONS).is_some() { all } else { all.into_iter().filter(|axis| *axis > 0).collect() })
}

impl Paths for Standardize {
    fn lower(&self, call: &Call) -> Result<Output> {
        if scaling::named(call) {
            return scaling::standard(call, EPS, false);
        }
        let x = call.tensor("x")?;
        let row = x.reshape(rows(x)?)?;
        let rest = row.broadcast_sub(&row.mean_keepdim(1)?)?;
        let factor = (rest.sqr()?.mean_keepdim(1)?.sqrt()? + EPS)?.recip()?;
        Ok(Output { value: rest.broadcast_mul(&factor)?.reshape(x.shape())?, saved: vec![factor] })
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if scaling::named(call) {
            return scaling::standard_backward(call, output, grad, EPS, false);
        }
        let shape = grad.shape();
        let (factor, grad, value) = (saved(output, 0)?, grad.reshape(rows(grad)?)?, output.value.reshape(rows(grad)?)?);
        let deviation = (factor.recip()? - EPS)?;
        let some = deviation.gt(TINY)?;
        let divisor = some.where_cond(&(factor * &deviation)?, &deviation.ones_like()?)?;
        let along = ((&grad * &value)?.mean_keepdim(1)? / divisor)?;
        let along = some.where_cond(&along, &along.zeros_like()?)?;
        let rest = (grad.broadcast_sub(&grad.mean_keepdim(1)?)? - value.broadcast_mul(&along)?)?;
        Ok(vec![("x", rest.broadcast_mul(factor)?.reshape(shape)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        if scaling::named(call) {
            return scaling::standard(call, EPS, true);
        }
        let x = call.tensor("x")?;
        let (images, size) = rows(x)?;
        let (value, factor) = read::<T, _, 1>([x], |[x]| center(x, size, Scale::OutsideRoot(EPS)))?.map_err(wrong)?;
        Ok(Output { value: tensor(value, x.shape())?, saved: vec![tensor(factor, (images, 1))?] })
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        if scaling::named(call) {
            return scaling::standard_backward(call, output, grad, EPS, true);
        }
        let (_, size) = rows(grad)?;
        let out = read::<T, _, 3>([&output.value, saved(output, 0)?, grad], |[value, factor, grad]| {
            center_backward(value, factor, grad, size, Scale::OutsideRoot(EPS))
        })?;
        Ok(vec![("x", tensor(out.map_err(wrong)?, grad.shape())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, axes) = (call.name("x")?.to_string(), axes(call)?);
        let (rest, variance) = out.centered(&x, &axes);
        let (deviation, eps) = (out.plain("Sqrt", &[&variance]), out.number(EPS));
        let deviation = out.plain("Add", &[&deviation, &eps]);
        Ok(out.plain("Div", &[&rest, &deviation]))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (x, dim) = (call.name("x")?, tuple(&axes(call)?));
        let deviation = format!("{x}.std(dim={dim}, correction=0, keepdim=True)");
        Ok(format!("({x} - {x}.mean(dim={dim}, keepdim=True)) / ({deviation} + {EPS:?})"))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[3, 1, 5, 7]).random("x", &[3, 1, 5, 7], -2.0, 3.0)?.to(&["x"]),
        Sample::new("one image", &[1, 2, 3, 4]).random("x", &[1, 2, 3, 4], 0.0, 1.0)?.to(&["x"]),
        Sample::new("over channels and places", &[2, 3, 5, 4])
            .random("x", &[2, 3, 5, 4], -2.0, 2.0)?
            .setting("over", words(&["channel", "place"]))
            .setting("axes", at(&[1, 2, 3]))
            .to(&["x"]),
        Sample::new("constant", &[2, 1, 3, 3]).filled("x", &[2, 1, 3, 3], 1.0)?.to(&["x"]).kinked(),
    ])
}
