//! `softmax` and `log_softmax`: shares that add up to 1 along axes: `softmax(logits, over = channel)`.

use candle_core::{Result, Tensor};

use crate::axes::along;
use crate::compute::folding::{Folded, Folding, Folds, at};
use crate::compute::samples::Sample;
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::Int;
use crate::export::onnx::Onnx;
use crate::export::torch::{Torch, tuple};
use crate::export::{Form, Use};
use crate::op::Op;
use rord_lang::constant::Constant;
use rord_lang::range::Range;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

macro_rules! softmax {
    ($name:literal, $what:literal, $formula:literal, $note:literal, $log:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(x: Values, over: Axes) -> Values"),
                manual: concat!(
                    "\
",
                    $what,
                    "

    ",
                    $formula,
                    "        Σ along the axes of `over`

The axes stay. It is computed relative to the greatest number, so it does not overflow.",
                    $note,
                    "

Source: `torch.",
                    $name,
                    "(x, dim)`; of several axes, of all their numbers as one.

```rord
input logits: Logit[B, 65, H, W]@f
let y = ",
                    $name,
                    "(logits, over = channel)
```
"
                ),
                rule: if $log { logarithms } else { shares },
                lints: LintFacts {
                    logarithm: $log,
                    range: if $log { |_| Range::new(f64::NEG_INFINITY, 0.0) } else { |_| Range::UNIT },
                    ..LintFacts::NONE
                },
                graph: GraphFacts::APART,
                ..Entry::PLAIN
            },
            compute: Some(&Folded(Softmax::<$log>)),
            samples,
        }
    };
}

/// Shares.
pub static SOFTMAX: Op = softmax!(
    "softmax",
    "Numbers as shares of 1 along some axes: the larger the number, the larger its share.",
    "y = exp(x) / Σ exp(x)",
    " The result is a Prob.",
    false
);
/// Their logarithms.
pub static LOG_SOFTMAX: Op = softmax!(
    "log_softmax",
    "The logarithms of the shares that `softmax` gives, without a loss of digits.",
    "y = x - log Σ exp(x)",
    "",
    true
);

fn shares(a: &mut Application<'_>) {
    crate::rules::same_type(a);
    along(a, "x");
    if !a.result.is_open() {
        a.result.kind = Kind::Prob;
    }
}

fn logarithms(a: &mut Application<'_>) {
    crate::rules::real_of(a);
    along(a, "x");
}

/// Shares, or their logarithms.
struct Softmax<const LOG: bool>;

impl<const LOG: bool> Folds for Softmax<LOG> {
    fn value(&self, call: &Call, fast: bool) -> Result<Output> {
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        if folding.is_fast() {
            return Ok(folding.shares(x, LOG)?.into());
        }
        let most = folding.extreme(x, true)?;
        let sum = folding.sum_with(x, &most, |x, m| (x - m).exp(), |x, m| (x - m)?.exp())?;
        let value = if LOG {
            let f = |[x, _]: [f64; 2], [m, s]: [f64; 2]| x - m - s;
            folding.spread([x, x], [&most, &sum.log()?], f, |[x, _], [m, s]| (x - m)? - s)?
        } else {
            let f = |[x, _]: [f64; 2], [m, s]: [f64; 2]| (x - m).exp() / s;
            folding.spread([x, x], [&most, &sum], f, |[x, _], [m, s]| (x - m)?.exp()? / s)?
        };
        Ok(value.into())
    }

    fn gradients(&self, call: &Call, output: &Output, grad: &Tensor, fast: bool) -> Result<Gradients> {
        let y = &output.value;
        let folding = Folding::new(call, y, fast)?;
        if folding.is_fast() {
            return Ok(vec![("x", folding.shares_gradient(y, grad, LOG)?)]);
        }
        let out = if LOG {
            let sum = folding.sum(grad)?;
            let f = |[y, g]: [f64; 2], [s, _]: [f64; 2]| g - y.exp() * s;
            folding.spread([y, grad], [&sum, &sum], f, |[y, g], [s, _]| g - (y.exp()? * s)?)?
        } else {
            let sum = folding.dot(y, grad)?;
            let f = |[y, g]: [f64; 2], [s, _]: [f64; 2]| y * (g - s);
            folding.spread([y, grad], [&sum, &sum], f, |[y, g], [s, _]| y * (g - s)?)?
        };
        Ok(vec![("x", out)])
    }

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let axes = call.along("x")?;
        let x = call.name("x")?.to_string();
        if let [axis] = axes.as_slice() {
            return Ok(out.op(if LOG { "LogSoftmax" } else { "Softmax" }, &[&x], vec![("axis", Int(*axis))]));
        }
        let sum = out.reduce("ReduceLogSumExp", &x, &axes, true);
        let less = out.plain("Sub", &[&x, &sum]);
        Ok(if LOG { less } else { out.plain("Exp", &[&less]) })
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (x, axes) = (call.name("x")?, call.along("x")?);
        Ok(match (axes.as_slice(), LOG) {
            ([axis], true) => format!("{x}.log_softmax(dim={axis})"),
            ([axis], false) => format!("{x}.softmax(dim={axis})"),
            (_, true) => format!("{x} - {x}.logsumexp(dim={}, keepdim=True)", tuple(&axes)),
            (_, false) => format!("({x} - {x}.logsumexp(dim={}, keepdim=True)).exp()", tuple(&axes)),
        })
    }
}

/// Cases of both.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], words: &[&str], axes: &[usize]| {
        let words = words.iter().map(|w| Constant::Word((*w).into())).collect();
        let sample = Sample::new(name, shape).random("x", shape, -2.0, 2.0)?.to(&["x"]);
        Ok::<_, candle_core::Error>(sample.setting("over", Constant::List(words)).setting("axes", at(axes)))
    };
    Ok(vec![
        case("channels", &[2, 5, 3, 4], &["channel"], &[1])?,
        case("places", &[2, 3, 4, 5], &["row", "column"], &[2, 3])?,
        case("components", &[6, 17], &["channel"], &[1])?,
        case("the batch", &[3, 2, 2], &["batch"], &[0])?,
        Sample::new("far", &[2, 2])
            .given("x", &[2, 2], vec![1e4, -1e4, 3e4, 3e4])?
            .word("over", "channel")
            .setting("axes", at(&[1]))
            .to(&["x"])
            .kinked(),
    ])
}
