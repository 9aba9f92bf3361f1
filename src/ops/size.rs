//! `size`: how long an axis is, as a number: `sum(x) / size(x, batch)`.

use candle_core::Result;

use crate::axes::along;
use crate::compute::folding::{at, positions};
use crate::compute::samples::Sample;
use crate::compute::slices::constant;
use crate::compute::{Call, Compute, Output};
use crate::op::Op;
use rord_lang::dim::Dim;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "size",
    entry: Entry {
        signature: "size(x: Values, over: Axes) -> Loss",
        manual: "\
How long an axis is, as a number; of several axes the product.

    size(x, channel)        size(x, [row, column])

A size that is known before the run is a count, and may stand wherever a count is wanted: `top(d, size(d, column) - 1, over
= column)`. The batch is counted while running, as the last one may be smaller. There is no gradient.

Source: `x.size(dim)`.

```rord
input x: Feat[B, 8, H, W]@f
let each = sum(square(x), over = channel) / size(x, channel)
```
",
        rule,
        graph: GraphFacts { stops_gradient: true, ..GraphFacts::NONE },
        lints: LintFacts { lends: &["x"], ..LintFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Size),
    samples,
};

fn rule(a: &mut Application<'_>) {
    let Some(x) = a.ty("x").cloned() else { return };
    let Some(axes) = along(a, "x") else { return };
    let sizes: Option<Dim> =
        axes.iter().try_fold(Dim::number(1), |product, axis| x.size(axis).and_then(|d| product.mul(d)));
    a.count = sizes.filter(|d| !d.is_opaque());
}

/// The length of axes.
struct Size;

impl Compute for Size {
    fn either_order(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let n: usize = positions(call, x.rank())?.into_iter().filter_map(|at| x.dims().get(at)).product();
        Ok(constant(vec![n as f64], (), x)?.into())
    }
}

/// Cases.
fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("batch", &[])
            .random("x", &[3, 4, 2, 5], -1.0, 1.0)?
            .word("over", "batch")
            .setting("axes", at(&[0])),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::samples::finite_differences;

    #[test]
    fn shapes_and_gradients_are_right() {
        for sample in samples().unwrap() {
            assert!(finite_differences(&Size, &sample).unwrap() < 1e-6, "{}", sample.name);
        }
    }
}
