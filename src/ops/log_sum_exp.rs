//! `log_sum_exp`: the logarithm of summed exponentials along axes: `log_sum_exp(s) - diagonal(s)`,
//! `log_sum_exp(x, over = channel)`.

use candle_core::{Result, Tensor};

use crate::axes::{POSITIONS, real, reduction};
use crate::compute::folding::{Folded, Folding, Folds, at, mask};
use crate::compute::samples::Sample;
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::{self, Onnx};
use crate::export::torch::{self, Torch};
use crate::export::{Form, Use};
use crate::op::Op;
use rord_kernels::soft::Made;
use rord_lang::axis::Axis;
use rord_lang::constant::Constant;
use rord_lang::report::shapes;
use rord_lang::types::{Kind, Type};
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "log_sum_exp",
    entry: Entry {
        signature: "log_sum_exp(x: Values, mask: Prob = none, per: Axes = none, over: Axes = none) -> Loss",
        manual: MANUAL,
        rule,
        lints: LintFacts { rises: &["x"], ..LintFacts::NONE },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Folded(LogSumExp)),
    samples,
};

const MANUAL: &str = "\
The logarithm of summed exponentials along some axes: a greatest number without a corner.

    y = log Σ exp(x)        under a mask: log Σ mask·exp(x)

`over` says which axes go, `per` which stay. Of a table (row, column) without either, the columns go, and the result is
a list with an item for each row: `log_sum_exp(s) - diagonal(s)` is the cross-entropy of choosing i in row i. It is
computed relative to the greatest number, so it does not overflow. Where a `mask` hides everything the result is the
logarithm of 1e-12, as `log(0)` is, and has no gradient.

Source: `torch.logsumexp(x, dim)`.

```rord
input a: Vectors[N, 128]
input b: Vectors[N, 128]
let s = similarities(a, b)
loss choice = mean(log_sum_exp(s) - diagonal(s))
loss level  = mean(s - log_sum_exp(s, over = column))
```
";

fn rule(a: &mut Application<'_>) {
    if a.has("over") || a.has("per") {
        reduction(a, "x", real);
        return;
    }
    let Some(x) = a.ty("x").cloned() else { return };
    if x.is_open() {
        a.result = Type::plain(Kind::Values);
        return;
    }
    let (Some(column), Some(_)) = (x.position(&Axis::Column), x.position(&Axis::Row)) else {
        let span = a.arg("x").map_or(a.span, |x| x.span);
        let help = "say which axes go:  over = channel,  or which stay:  per = batch";
        a.reports.push(shapes::rule(span, "`log_sum_exp` does not say along which axes", &x.to_string(), help));
        return;
    };
    if x.size(&Axis::Channel).is_some() || x.size(&Axis::Item).is_some() {
        let span = a.arg("x").map_or(a.span, |x| x.span);
        let help = "say which axes go:  over = channel,  or which stay:  per = batch";
        a.reports.push(shapes::rule(span, "`log_sum_exp` does not say along which axes", &x.to_string(), help));
        return;
    }
    crate::axes::mask(a, "x");
    a.settings.push((POSITIONS, Constant::List(vec![Constant::Number(column as f64)])));
    let row = |axis: &Axis| if *axis == Axis::Row { Axis::Item } else { axis.clone() };
    let mut left: Vec<_> =
        x.shape().filter(|(axis, _)| **axis != Axis::Column).map(|(axis, d)| (row(axis), d.clone())).collect();
    left.sort_by(|a, b| a.0.cmp(&b.0));
    a.result = Type { kind: Kind::Values, ..x.with_axes(left) };
}

/// The logarithm of a sum of exponentials.
pub struct LogSumExp;

/// The least sum that a logarithm is taken of, where a mask hides everything.
const LEAST: f64 = 1e-12;

impl Folds for LogSumExp {
    fn value(&self, call: &Call, fast: bool) -> Result<Output> {
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        let mask = mask(call, x)?;
        if folding.is_fast() {
            let [most, sum] = folding.exponentials(x, mask.as_ref())?;
            let sum = if mask.is_some() { sum.maximum(LEAST)? } else { sum };
            return Ok((sum.log()? + most)?.into());
        }
        let Some(mask) = mask else {
            let most = folding.extreme(x, true)?;
            let sum = folding.sum_with(x, &most, |x, m| (x - m).exp(), |x, m| (x - m)?.exp())?;
            return Ok((sum.log()? + most)?.into());
        };
        let seen = mask.gt(0.0)?;
        let most = folding.extreme(&seen.where_cond(x, &(x.zeros_like()? - 1e30)?)?, true)?;
        let any = most.gt(-5e29)?;
        let most = any.where_cond(&most, &most.zeros_like()?)?;
        // What is hidden may be large; it is taken as 0 before its weight is.
        let rest = seen.where_cond(&(x - folding.widened(&most)?)?, &x.zeros_like()?)?;
        let sum = folding.sum(&(rest.exp()? * mask)?)?;
        Ok((sum.maximum(LEAST)?.log()? + most)?.into())
    }

    fn gradients(&self, call: &Call, output: &Output, grad: &Tensor, fast: bool) -> Result<Gradients> {
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        let mask = mask(call, x)?;
        if folding.is_fast() {
            let (made, y) = mask.as_ref().map_or((Made::Power, x), |mask| (Made::Weighed, mask));
            return Ok(vec![("x", folding.made(made, [x, y], [&output.value, grad])?)]);
        }
        let Some(mask) = mask else {
            let f = |[x, _]: [f64; 2], [v, g]: [f64; 2]| (x - v).exp() * g;
            let out = folding.spread([x, x], [&output.value, grad], f, |[x, _], [v, g]| (x - v)?.exp()? * g)?;
            return Ok(vec![("x", out)]);
        };
        let f = |[x, m]: [f64; 2], [v, g]: [f64; 2]| if m > 0.0 { m * (x - v).exp() * g } else { 0.0 };
        let out = folding.spread([x, &mask], [&output.value, grad], f, |[x, m], [v, g]| {
            let seen = m.gt(0.0)?;
            let rest = seen.where_cond(&(x - v)?, &x.zeros_like()?)?;
            (rest.exp()? * m)? * g
        })?;
        Ok(vec![("x", out)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        onnx::reduction(call, out, "x", "ReduceLogSumExp")
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        torch::reduction(call, "x", "logsumexp")
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let along = |name, shape: &[usize], value: &[usize], word: &str, axes: &[usize]| {
        let sample = Sample::new(name, value).random("x", shape, -3.0, 3.0)?.to(&["x"]);
        Ok::<_, candle_core::Error>(sample.word("over", word).setting("axes", at(axes)))
    };
    Ok(vec![
        along("over components", &[5, 7], &[5], "channel", &[1])?,
        along("over channels", &[2, 5, 3, 4], &[2, 3, 4], "channel", &[1])?,
        along("over places", &[2, 3, 4, 5], &[2, 3], "place", &[2, 3])?,
        along("masked", &[2, 3, 4, 5], &[2, 3], "place", &[2, 3])?.given(
            "mask",
            &[2, 1, 4, 5],
            (0..40).map(|i| if i % 3 == 0 && i < 30 { 0.25 * f64::from(i % 5) } else { 0.0 }).collect(),
        )?,
        Sample::new("one", &[1])
            .random("x", &[1, 1], -3.0, 3.0)?
            .word("over", "channel")
            .setting("axes", at(&[1]))
            .to(&["x"]),
        Sample::new("far", &[2])
            .given("x", &[2, 2], vec![1e4, -1e4, 3e4, 3e4])?
            .word("over", "channel")
            .setting("axes", at(&[1]))
            .to(&["x"])
            .kinked(),
    ])
}
