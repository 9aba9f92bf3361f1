//! `rescale`: an image at a fraction of its size, and the move into its frame:
//! `let { image as small, map } = rescale(image, by = 1/2)`.

use candle_core::{Result, Tensor};

use crate::avg_pool::AvgPool;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::max_pool::attributes;
use crate::op::Op;
use rord_lang::constant::{Constant, Settings};
use rord_lang::report::numbers;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts, RuleArg};

/// The operation: a record of the two below.
pub static OP: Op = Op::recipe(
    "rescale",
    Entry {
        signature: "rescale(image: Image[B, C, H, W]@f, by: Rate) -> Image[B, C, _, _]@g",
        manual: MANUAL,
        record: &[("image", "rescale_image"), ("map", "rescale_map")],
        ..Entry::PLAIN
    },
);

/// The smaller image.
pub static IMAGE: Op = Op {
    name: "rescale_image",
    entry: Entry {
        signature: "rescale_image(image: Image[B, C, H, W]@f, by: Rate) -> Image[B, C, _, _]@g",
        manual: MANUAL,
        rule: image_rule,
        operator: true,
        new_frame: Some(("g", smaller)),
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&RescaleImage),
    samples,
};

/// The move into its frame.
pub static MAP: Op = Op {
    name: "rescale_map",
    entry: Entry {
        signature: "rescale_map(image: Image[B, C, H, W]@f, by: Rate) -> Homography[B]@f->g",
        manual: MANUAL,
        operator: true,
        new_frame: Some(("g", smaller)),
        lints: LintFacts { onto: true, ..LintFacts::NONE },
        graph: GraphFacts { apart: true, stops_gradient: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&RescaleMap),
    samples: map_samples,
};

const MANUAL: &str = "\
An image at a fraction of its size, in a frame of its own, and the homography that leads there.

`by` is 1/2, 1/3, …: every pixel of the result is the mean of a square of pixels, and the sizes must divide. Coordinates
are normalized, so the same place has the same coordinates in both frames: `map` takes each to itself, and only says
that the frame is another one.

```rord
input image: Image[B, 1, 64, 64]@orig
let { image as small, map as down } = rescale(image, by = 1/2)
let again                           = warp(small, inv(down), like = image)
```
";

/// The side of the square that becomes a pixel.
fn side(by: f64) -> Option<i64> {
    let side = 1.0 / by;
    ((side - side.round()).abs() < 1e-9 && (1.0..1e6).contains(&side)).then_some(side.round() as i64)
}

/// `@orig/2` for half of `@orig`.
fn smaller(args: &[RuleArg]) -> Option<String> {
    let frame = args.iter().find(|a| a.name == "image")?.ty.frame.clone()?;
    let by = args.iter().find(|a| a.name == "by")?.constant.as_ref().and_then(|c| c.number());
    match by.and_then(side) {
        Some(side) => Some(format!("{}/{side}", frame.0)),
        None => Some(format!("{}/?", frame.0)),
    }
}

fn image_rule(a: &mut Application<'_>) {
    a.result.kind = Kind::Image;
    let Some(by) = a.number("by") else { return };
    let Some(side) = side(by) else {
        let span = a.arg("by").map_or(a.span, |x| x.span);
        let help = "as in  rescale(image, by = 1/2)";
        a.reports.push(numbers::rule(span, "`by` is one over a whole number", &format!("{by}"), help));
        return;
    };
    let dims = a.dims("image");
    for axis in [2, 3] {
        if let Some(dim) = dims.get(axis) {
            let divided = a.divide(dim, side);
            a.set_dim(axis, divided);
        }
    }
}

/// The mean of every square.
pub struct RescaleImage;

/// The identity.
pub struct RescaleMap;

/// The same call of `avg_pool`.
fn pooled<T>(call: &Call, run: impl FnOnce(&Call) -> Result<T>) -> Result<T> {
    let by = call.number("by")?;
    let side = side(by).ok_or_else(|| candle_core::Error::msg("`by` is no fraction of one"))?;
    let side = Constant::Number(side as f64);
    let settings = Settings(vec![("k".into(), side.clone()), ("stride".into(), side)]);
    let inputs = [("x", call.tensor("image")?.clone())];
    run(&Call { inputs: &inputs, settings: &settings, wants: &["x"], ..*call })
}

impl Compute for RescaleImage {
    fn forward(&self, call: &Call) -> Result<Output> {
        pooled(call, |call| AvgPool.forward(call))
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let grads = pooled(call, |call| AvgPool.backward(call, output, grad))?;
        Ok(grads.into_iter().map(|(_, g)| ("image", g)).collect())
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let by = side(call.number("by")?).ok_or("has no such form at this scale")?;
        Ok(out.op("AveragePool", &[call.name("image")?], attributes(by, by, 0)))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let by = side(call.number("by")?).ok_or("has no such form at this scale")?;
        Ok(format!("F.avg_pool2d({}, {by})", call.name("image")?))
    }
}

impl Compute for RescaleMap {
    fn forward(&self, call: &Call) -> Result<Output> {
        let image = call.tensor("image")?;
        let identity = Tensor::eye(3, image.dtype(), image.device())?;
        Ok(identity.unsqueeze(0)?.repeat((image.dim(0)?, 1, 1))?.contiguous()?.into())
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], of: &[usize], by| -> Result<Sample> {
        Ok(Sample::new(name, shape).random("image", of, -1.0, 1.0)?.number("by", by).to(&["image"]))
    };
    Ok(vec![case("half", &[2, 1, 3, 5], &[2, 1, 6, 10], 0.5)?, case("third", &[1, 2, 2, 1], &[1, 2, 6, 3], 1.0 / 3.0)?])
}

/// Cases.
pub fn map_samples() -> Result<Vec<Sample>> {
    let case = Sample::new("half", &[2, 3, 3]).random("image", &[2, 1, 4, 4], -1.0, 1.0)?.number("by", 0.5);
    Ok(vec![case])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::compute::samples::{finite_differences, numbers};

    #[test]
    fn gradients_equal_differences_and_the_map_is_the_identity() {
        for sample in samples().unwrap() {
            let error = finite_differences(&RescaleImage, &sample).unwrap();
            assert!(error < 1e-6, "{}: {error}", sample.name);
        }
        for sample in map_samples().unwrap() {
            let value = sample.forward(&RescaleMap).unwrap().value;
            let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
            assert_eq!(numbers(&value).unwrap(), [identity, identity].concat());
        }
    }
}
