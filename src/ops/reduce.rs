//! `mean` and `sum`: all numbers of a value as one, or those along some axes: `mean(hinge(x))`, `sum(p * t, per = batch)`,
//! `mean(x, over = channel)`.

use candle_core::{Result, Tensor};

use crate::axes::{self, added, averaged};
use crate::compute::folding::{Folded, Folding, Folds, at, mask};
use crate::compute::samples::Sample;
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::{Onnx, reduction};
use crate::export::torch::{self, Torch};
use crate::export::{Form, Use};
use crate::max_pool::saved;
use crate::op::Op;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

macro_rules! reduction {
    ($name:literal, $kind:expr, $manual:expr, $lints:expr, $compute:expr) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!(
                    $name,
                    "(x: Values, mask: Prob = none, per: Axes = none, over: Axes = none) -> Loss"
                ),
                manual: $manual,
                rule: |a| axes::reduction(a, "x", $kind),
                lints: $lints,
                graph: GraphFacts::APART,
                ..Entry::PLAIN
            },
            compute: Some(&Folded($compute)),
            samples,
        }
    };
}

/// The average.
pub static MEAN: Op = reduction!(
    "mean",
    averaged,
    "\
The average of the numbers of a value: of all, or along some of its axes.

    mean(x) = Σ x / count        mean(x, mask) = Σ mask·x / max(1, Σ mask)

`over` says which axes go: `over = channel`, `over = [row, column]`, `over = place` for both of these. `per` says which
stay: `per = batch`. Without either the result is one number. A `mask` has some of the axes of `x`, or one channel; it
weighs all channels alike and counts once for each. Where it hides everything the mean is 0.

Source: `torch.mean(x, dim)`.

```rord
input x: Feat[B, 8, H, W]@f
let level = mean(x, per = batch)
let rest  = x - mean(x, over = channel)
```
",
    LintFacts { adds_up: true, grows_with: Some("x"), ..LintFacts::CHOICE },
    Mean
);

/// The sum.
pub static SUM: Op = reduction!(
    "sum",
    added,
    "\
Adds up the numbers of a value: all, or along some of its axes.

    sum(x, mask) = Σ mask·x

`over` says which axes go: `over = channel`, `over = [row, column]`, `over = place` for both of these. `per` says which
stay: `per = batch`. Without either the result is one number. A `mask` has some of the axes of `x`, or one channel.

Source: `torch.sum(x, dim)`.

```rord
input p: Prob[B, 4, H, W]@f
let area = sum(p, per = [batch, channel])
```
",
    LintFacts { adds_up: true, grows_with: Some("x"), range: |r| r.of("x").added_up(), ..LintFacts::CHOICE },
    Sum
);

struct Mean;

impl Folds for Mean {
    fn value(&self, call: &Call, fast: bool) -> Result<Output> {
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        let (sum, count) = match mask(call, x)? {
            Some(mask) => (total(&folding, &(x * &mask)?)?, total(&folding, &mask)?.maximum(1.0)?),
            None => {
                let sum = total(&folding, x)?;
                let count = (sum.zeros_like()? + folding.folded().max(1) as f64)?;
                (sum, count)
            }
        };
        Ok(Output { value: (sum / &count)?, saved: vec![count] })
    }

    fn gradients(&self, call: &Call, output: &Output, grad: &Tensor, fast: bool) -> Result<Gradients> {
        given_back(call, &(grad / saved(output, 0)?)?, fast)
    }

    fn backward_reads(&self, name: &str) -> bool {
        name == "mask"
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        reduction(call, out, "x", "ReduceMean")
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        torch::reduction(call, "x", "mean")
    }
}

struct Sum;

impl Folds for Sum {
    fn value(&self, call: &Call, fast: bool) -> Result<Output> {
        let x = call.tensor("x")?;
        let folding = Folding::new(call, x, fast)?;
        Ok(match mask(call, x)? {
            Some(mask) => total(&folding, &(x * &mask)?)?,
            None => total(&folding, x)?,
        }
        .into())
    }

    fn gradients(&self, call: &Call, _: &Output, grad: &Tensor, fast: bool) -> Result<Gradients> {
        given_back(call, grad, fast)
    }

    fn backward_reads(&self, name: &str) -> bool {
        name == "mask"
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        reduction(call, out, "x", "ReduceSum")
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        torch::reduction(call, "x", "sum")
    }
}

/// The numbers that go, added up. Of a whole tensor Candle's sum is as good.
fn total(folding: &Folding, x: &Tensor) -> Result<Tensor> {
    if folding.left.is_empty() { x.sum_all() } else { folding.sum(x) }
}

/// The gradient of the sum, `grad`, given to every number that was added.
fn given_back(call: &Call, grad: &Tensor, fast: bool) -> Result<Gradients> {
    if !call.wants("x") {
        return Ok(Gradients::new());
    }
    let x = call.tensor("x")?;
    let folding = Folding::new(call, x, fast)?;
    let out = match mask(call, x)? {
        Some(mask) => {
            folding.spread([&mask, &mask], [grad, grad], |[m, _], [g, _]| m * g, |[mask, _], [grad, _]| mask * grad)?
        }
        None => folding.seen_wide(grad)?,
    };
    Ok(vec![("x", out)])
}

/// Cases of both operations.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], value: &[usize]| {
        Sample::new(name, value).random("x", shape, -1.0, 1.0).map(|s| s.to(&["x"]))
    };
    let over = |sample: Sample, word: &str, axes: &[usize]| {
        let words = word.split(' ').map(|w| rord_lang::constant::Constant::Word(w.into())).collect();
        sample.setting("over", rord_lang::constant::Constant::List(words)).setting("axes", at(axes))
    };
    Ok(vec![
        case("map", &[2, 3, 5, 7], &[])?,
        case("vectors", &[3, 4], &[])?,
        case("per sample", &[3, 4, 2, 1], &[3])?.word("per", "batch").setting("axes", at(&[1, 2, 3])),
        case("batch of one", &[1, 2, 3], &[1])?.word("per", "batch").setting("axes", at(&[1, 2])),
        over(case("over channels", &[2, 5, 3, 4], &[2, 3, 4])?, "channel", &[1]),
        over(case("over places", &[2, 5, 3, 4], &[2, 5])?, "row column", &[2, 3]),
        over(case("over the batch and rows", &[2, 5, 3, 4], &[5, 4])?, "batch row", &[0, 2]),
        over(case("over items", &[7, 3], &[3])?, "item", &[0]),
        case("masked", &[2, 3, 4, 5], &[])?.random("mask", &[2, 1, 4, 5], 0.0, 1.0)?,
        over(case("masked over places", &[2, 3, 4, 5], &[2, 3])?, "place", &[2, 3]).random(
            "mask",
            &[2, 1, 4, 5],
            0.0,
            1.0,
        )?,
        case("masked per sample", &[2, 3, 2, 2], &[2])?.word("per", "batch").setting("axes", at(&[1, 2, 3])).given(
            "mask",
            &[2, 1, 2, 2],
            vec![0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0],
        )?,
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::compute::Compute;
    use crate::compute::layout::repeated;
    use crate::compute::slices::tensor;
    use rord_lang::constant::Settings;

    #[test]
    fn a_gradient_of_a_sum_is_seen_wide_and_not_written() {
        let x = tensor(vec![1.0f32; 24], (2, 3, 4)).unwrap();
        let inputs = [("x", x)];
        for (axes, left) in [(vec![2], vec![2usize, 3]), (vec![1], vec![2, 4]), (vec![0, 2], vec![3])] {
            let settings = Settings(vec![(crate::axes::POSITIONS.into(), at(&axes))]);
            let call = Call {
                inputs: &inputs,
                settings: &settings,
                shape: &left,
                stream: [0; 3],
                training: true,
                wants: &["x"],
                share: None,
                apart: false,
            };
            for compute in [&Folded(Sum) as &dyn Compute, &Folded(Mean)] {
                let output = compute.forward(&call).unwrap();
                let gradients = compute.backward(&call, &output, &output.value).unwrap();
                assert_eq!((gradients[0].1.dims(), repeated(&gradients[0].1)), (&[2usize, 3, 4][..], axes.clone()));
            }
        }
    }
}
