//! `shrink`: the brightest of each block of cells: `shrink(corners, by = 4)`.

use candle_core::{Result, Tensor};

use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::max_pool::attributes;
use crate::max_pool::{self, saved, windows};
use crate::op::Op;
use crate::rules::{divide_rows_and_columns, positive};
use rord_kernels::pool::Windows;
use rord_lang::dim::Dim;
use rord_lang::report::shapes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The operation.
pub static OP: Op = Op {
    name: "shrink",
    entry: Entry {
        signature: "shrink(x: Map[B, C, H, W]@f, by: Count) -> Map[B, C, _, _]@f",
        manual: MANUAL,
        lints: LintFacts::CHOICE,
        rule,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Shrink),
    samples,
};

const MANUAL: &str = "\
Makes a map of labels smaller: the largest number of each block of by × by cells.

`x` is (B, C, H, W); the result is (B, C, H/by, W/by). Unlike an average, this keeps a mark of a single cell at its full
height. Of equal maxima the first, by rows, gets the gradient.

Errors: a side that `by` does not divide; `by` of 0.

Source: `torch.nn.MaxPool2d(by)`.

```rord
input corners: Label[B, 1, H, W]@f
let truth = shrink(corners, by = 4)
```
";

fn rule(a: &mut Application<'_>) {
    a.keep_kind("x");
    a.result.unit = false;
    if positive(a, "by")
        && let Some(by) = a.count("by")
    {
        for axis in [2, 3] {
            let size = a.dims("x").get(axis).and_then(Dim::as_number);
            if size.is_some_and(|n| n % by != 0) {
                let label = format!("{by} does not divide {}", size.unwrap_or(0));
                a.reports.push(shapes::rule(
                    a.span,
                    "`by` must divide rows and columns",
                    &label,
                    "cells may not be cut",
                ));
                return;
            }
        }
        divide_rows_and_columns(a, by);
    }
}

/// The maximum over blocks.
pub struct Shrink;

impl Shrink {
    fn windows(call: &Call) -> Result<Windows> {
        let by = call.count("by")?;
        let g = windows(call.tensor("x")?, by, by)?;
        if g.height % by != 0 || g.width % by != 0 {
            return Err(candle_core::Error::msg("`by` does not divide the map's sides"));
        }
        Ok(g)
    }
}

impl Paths for Shrink {
    fn lower(&self, call: &Call) -> Result<Output> {
        max_pool::lower(call.tensor("x")?, &Self::windows(call)?)
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", max_pool::lower_backward(call.tensor("x")?, saved(output, 0)?, grad)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        max_pool::fast::<T>(call.tensor("x")?, &Self::windows(call)?)
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let (x, g) = (call.tensor("x")?, Self::windows(call)?);
        Ok(vec![("x", max_pool::fast_backward::<T>(x, &g, saved(output, 0)?, grad)?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let by = call.count("by")?;
        Ok(out.op("MaxPool", &[call.name("x")?], attributes(by, by, 0)))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("F.max_pool2d({}, {})", call.name("x")?, call.count("by")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("by two", &[2, 1, 2, 3]).random("x", &[2, 1, 4, 6], 0.0, 1.0)?.number("by", 2.0).to(&["x"]),
        Sample::new("to one cell", &[1, 1, 1, 1]).random("x", &[1, 1, 3, 3], 0.0, 1.0)?.number("by", 3.0).to(&["x"]),
        Sample::new("by one", &[1, 1, 2, 3]).random("x", &[1, 1, 2, 3], 0.0, 1.0)?.number("by", 1.0).to(&["x"]),
    ])
}
