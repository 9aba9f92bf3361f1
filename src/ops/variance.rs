//! `variance` and `std`: how far the numbers of a value lie apart: `std(z, over = item)`.

use candle_core::{Result, Tensor};

use crate::axes::{real, reduction};
use crate::compute::folding::{Folded, Folding, Folds, at, mask};
use crate::compute::samples::Sample;
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::{Torch, tuple};
use crate::export::{Form, Use};
use crate::max_pool::saved;
use crate::op::Op;
use rord_lang::constant::Constant;
use rord_lang::range::Range;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

macro_rules! spread_of {
    ($name:literal, $what:literal, $formula:literal, $note:literal, $torch:literal, $root:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!(
                    $name,
                    "(x: Values, mask: Prob = none, per: Axes = none, over: Axes = none, unbiased: Flag = false) -> Loss"
                ),
                manual: concat!("\
", $what, " of the numbers of a value: of all, or along some of its axes.

    ", $formula, "        m = Σ x / n

`over` says which axes go, `per` which stay; without either the result is one number. `unbiased = true` divides by
n - 1, at least 1. Under a `mask` every number counts by its weight, and n is the sum of the weights; where it hides
everything the result is 0.", $note, "

Source: `torch.", $torch, "(x, dim, correction = 0)`; `correction = 1` is `unbiased = true`.

```rord
input z: Vectors[N, 64]
let spread = ", $name, "(z, over = item)
```
"),
                rule: |a| reduction(a, "x", real),
                lints: LintFacts { range: |_| Range::POSITIVE, ..LintFacts::NONE },
                graph: GraphFacts::APART,
                ..Entry::PLAIN
            },
            compute: Some(&Folded(Spread::<$root>)),
            samples,
        }
    };
}

/// The mean square of the differences from the mean.
pub static VARIANCE: Op =
    spread_of!("variance", "The mean square of the differences from the mean", "y = Σ (x - m)² / n", "", "var", false);
/// The root of it.
pub static STD: Op = spread_of!(
    "std",
    "The standard deviation",
    "y = √(Σ (x - m)² / n)",
    " The slope where all are equal is 0.",
    "std",
    true
);

/// The variance, or its root.
struct Spread<const ROOT: bool>;

impl<const ROOT: bool> Folds for Spread<ROOT> {
    fn value(&self, call: &Call, fast: bool) -> Result<Output> {
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        let less = if call.flag("unbiased")? { 1.0 } else { 0.0 };
        let (mean, sum, divisor) = match mask(call, x)? {
            Some(mask) => {
                let weight = folding.sum(&mask)?;
                let seen = weight.gt(0.0)?;
                let weight = seen.where_cond(&weight, &weight.ones_like()?)?;
                let mean = (folding.sum(&(x * &mask)?)? / &weight)?;
                let rest = (x - folding.widened(&mean)?)?;
                let divisor = if less > 0.0 { (&weight - less)?.maximum(1.0)? } else { weight };
                (mean, folding.sum(&(rest.sqr()? * mask)?)?, divisor)
            }
            None => {
                let n = folding.folded().max(1) as f64;
                let mean = (folding.sum(x)? / n)?;
                let sum = folding.sum_with(x, &mean, |x, m| (x - m) * (x - m), |x, m| (x - m)?.sqr())?;
                let divisor = (sum.zeros_like()? + (n - less).max(1.0))?;
                (mean, sum, divisor)
            }
        };
        let variance = (sum / &divisor)?;
        let value = if ROOT { variance.sqrt()? } else { variance };
        Ok(Output { value, saved: vec![mean, divisor] })
    }

    fn gradients(&self, call: &Call, output: &Output, grad: &Tensor, fast: bool) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        let (mean, divisor) = (saved(output, 0)?, saved(output, 1)?);
        let mut factor = ((grad * 2.0)? / divisor)?;
        if ROOT {
            let some = output.value.gt(0.0)?;
            let safe = some.where_cond(&output.value, &output.value.ones_like()?)?;
            factor = some.where_cond(&((factor * 0.5)? / safe)?, &grad.zeros_like()?)?;
        }
        let f = |[x, _]: [f64; 2], [m, g]: [f64; 2]| (x - m) * g;
        let out = folding.spread([x, x], [mean, &factor], f, |[x, _], [m, g]| (x - m)? * g)?;
        let out = match mask(call, x)? {
            Some(mask) => (out * mask)?,
            None => out,
        };
        Ok(vec![("x", out)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        call.without("mask")?;
        if call.flag("unbiased")? {
            return Err("has no such form where it is unbiased".into());
        }
        let (x, axes) = (call.name("x")?.to_string(), call.along("x")?);
        let mean = out.reduce("ReduceMean", &x, &axes, true);
        let rest = out.plain("Sub", &[&x, &mean]);
        let square = out.plain("Mul", &[&rest, &rest]);
        let variance = out.reduce("ReduceMean", &square, &axes, false);
        Ok(if ROOT { out.plain("Sqrt", &[&variance]) } else { variance })
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        call.without("mask")?;
        let correction = i64::from(call.flag("unbiased")?);
        let (x, dim) = (call.name("x")?, tuple(&call.along("x")?));
        Ok(format!("{x}.{}(dim={dim}, correction={correction})", if ROOT { "std" } else { "var" }))
    }
}

/// Cases of both.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], value: &[usize], words: &[&str], axes: &[usize], unbiased: bool| {
        let words = words.iter().map(|w| Constant::Word((*w).into())).collect();
        let sample = Sample::new(name, value).random("x", shape, -1.0, 1.0)?.flag("unbiased", unbiased).to(&["x"]);
        Ok::<_, candle_core::Error>(sample.setting("over", Constant::List(words)).setting("axes", at(axes)))
    };
    Ok(vec![
        Sample::new("all", &[]).random("x", &[3, 5], -1.0, 1.0)?.flag("unbiased", false).to(&["x"]),
        case("over items", &[7, 3], &[3], &["item"], &[0], true)?,
        case("over channels", &[2, 5, 3, 4], &[2, 3, 4], &["channel"], &[1], false)?,
        case("over the batch and places", &[2, 5, 3, 4], &[5], &["batch", "place"], &[0, 2, 3], true)?,
        case("masked", &[2, 3, 4, 5], &[2, 3], &["place"], &[2, 3], false)?.random("mask", &[2, 1, 4, 5], 0.1, 1.0)?,
        case("hidden", &[2, 1, 2, 2], &[2, 1], &["place"], &[2, 3], true)?.filled("mask", &[2, 1, 2, 2], 0.0)?.kinked(),
        Sample::new("constant", &[]).filled("x", &[4], 0.5)?.flag("unbiased", true).to(&["x"]).kinked(),
    ])
}
