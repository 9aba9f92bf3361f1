//! `arrange`: numbers in the order of others: `arrange(truth, by = errors, over = item)`.

use candle_core::{Result, Tensor};

use crate::axes::one_axis;
use crate::compute::folding::at;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::max_pool::saved;
use crate::op::Op;
use crate::ranks::{axis, last, places};
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "arrange",
    entry: Entry {
        signature: "arrange(x: Values, by: Values, over: Axes, descending: Flag = false) -> Values",
        manual: MANUAL,
        rule,
        lints: LintFacts { lends: &["by"], ..LintFacts::SAME },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Arrange),
    samples,
};

const MANUAL: &str = "\
The numbers along an axis in the order of other numbers.

    y_i = x_σ(i)        by_σ(1) ≤ by_σ(2) ≤ …        the other way round with descending = true

`x` and `by` have the same axes, of the same sizes, and so has the result. Equal numbers of `by` keep their order.
`arrange(x, x, …)` is `sort`. The gradient of each number goes to where it came from in `x`; `by` has none.

Errors: axes that differ.

Source: `x.gather(dim, by.argsort(dim, stable = True))`.

```rord
input truth: Values[B, N]
input score: Values[B, N]
let found = cumsum(arrange(truth, by = score, over = column, descending = true), over = column)
```
";

fn rule(a: &mut Application<'_>) {
    crate::rules::same_type(a);
    if one_axis(a).is_none() {
        return;
    }
    let (Some(x), Some(by)) = (a.arg("x"), a.arg("by")) else { return };
    if x.ty.is_open() || by.ty.is_open() {
        return;
    }
    let same = x.ty.axes == by.ty.axes
        && x.ty.dims.iter().zip(&by.ty.dims).all(|(p, q)| p == q || p.is_opaque() || q.is_opaque());
    if !same {
        let report = shapes::operands(a.name, x.span, &x.ty, by.span, &by.ty);
        a.reports.push(report);
    }
}

/// Numbers in the order of others.
struct Arrange;

impl Compute for Arrange {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (x, by) = (call.tensor("x")?, call.tensor("by")?);
        let axis = axis(call, x)?;
        let lines = last(x, axis)?;
        let end = lines.rank() - 1;
        let order = places(&last(by, axis)?, call.flag("descending")?, lines.dim(end)?)?;
        Ok(Output { value: last(&lines.gather(&order, end)?, axis)?, saved: vec![order] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let x = call.tensor("x")?;
        if !call.wants("x") {
            return Ok(Gradients::new());
        }
        let axis = axis(call, x)?;
        let out = last(&x.zeros_like()?, axis)?.scatter_add(saved(output, 0)?, &last(grad, axis)?, x.rank() - 1)?;
        Ok(vec![("x", last(&out, axis)?)])
    }
}

/// Cases.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], word: &str, axis: usize, descending| {
        let sample = Sample::new(name, shape).random("x", shape, -1.0, 1.0)?.random("by", shape, -1.0, 1.0)?;
        let sample = sample.to(&["x"]).word("over", word).setting("axes", at(&[axis]));
        Ok::<_, candle_core::Error>(sample.flag("descending", descending))
    };
    Ok(vec![
        case("components", &[3, 7], "channel", 1, false)?,
        case("items, the greatest first", &[2, 6, 3], "item", 1, true)?,
    ])
}
