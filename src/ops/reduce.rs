//! `mean` and `sum`: all numbers of a value as one, or those of each sample: `mean(hinge(x))`,
//! `sum(p * t, per = batch)`.

use candle_core::{Result, Tensor};

use crate::compute::pixelwise::spread;
use crate::compute::samples::Sample;
use crate::compute::{Call, Compute, Gradients, Output};
use crate::max_pool::saved;
use crate::op::Op;
use rord_lang::vocabulary::{Entry, LintFacts};

macro_rules! reduction {
    ($name:literal, $manual:expr, $compute:expr) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(x: Values, mask: Prob = none, per: Word = none) -> Loss"),
                manual: $manual,
                rule: crate::rules::to_one_number,
                words: &[("per", &["batch"])],
                lints: LintFacts { grows_with: Some("x"), ..LintFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&$compute),
            samples,
        }
    };
}

/// The average.
pub static MEAN: Op = reduction!(
    "mean",
    "\
The average of all numbers of a value, or of each sample of it.

    mean(x) = Σ x / count        mean(x, mask) = Σ mask·x / max(1, Σ mask)

`x` has any shape; the result is one number, or (B) with `per = batch`. A `mask` (B, 1, H, W) weighs all channels alike
and counts once for each. Where it hides everything the mean is 0.

Source: `torch.mean`.

```rord
input x: Feat[B, 8, H, W]@f
let level = mean(x, per = batch)
```
",
    Mean
);

/// The sum.
pub static SUM: Op = reduction!(
    "sum",
    "\
Adds up all numbers of a value, or of each sample of it.

    sum(x, mask) = Σ mask·x

`x` has any shape; the result is one number, or (B) with `per = batch`. A `mask` (B, 1, H, W) weighs all channels alike.

Source: `torch.sum`.

```rord
input p: Prob[B, 1, H, W]@f
let area = sum(p, per = batch)
```
",
    Sum
);

struct Mean;

impl Compute for Mean {
    fn forward(&self, call: &Call) -> Result<Output> {
        let (sum, count) = reduced(call)?;
        Ok(Output { value: (sum / &count)?, saved: vec![count] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        spread_backward(call, &(grad / saved(output, 0)?)?)
    }
}

struct Sum;

impl Compute for Sum {
    fn forward(&self, call: &Call) -> Result<Output> {
        Ok(reduced(call)?.0.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        spread_backward(call, grad)
    }
}

/// True where the first axis is kept: `per = batch`.
fn per_batch(call: &Call) -> Result<bool> {
    if call.settings.get("per").is_none() {
        return Ok(false);
    }
    match call.text("per")? {
        "batch" => Ok(true),
        "none" => Ok(false),
        other => Err(candle_core::Error::msg(format!("`per = {other}` is none of none, batch"))),
    }
}

/// All numbers added up, or those of each sample.
fn total(x: &Tensor, per_batch: bool) -> Result<Tensor> {
    if per_batch { x.reshape((x.dim(0)?, ()))?.sum(1) } else { x.sum_all() }
}

/// The sum of `x` times the mask, and what a mean divides it by.
fn reduced(call: &Call) -> Result<(Tensor, Tensor)> {
    let (x, per) = (call.tensor("x")?, per_batch(call)?);
    Ok(match spread(call.maybe("mask"), x)? {
        Some(mask) => (total(&(x * &mask)?, per)?, total(&mask, per)?.maximum(1.0)?),
        None => {
            let sum = total(x, per)?;
            let count = x.elem_count() / if per { x.dim(0)?.max(1) } else { 1 };
            let count = (sum.zeros_like()? + count.max(1) as f64)?;
            (sum, count)
        }
    })
}

/// The gradient of the sum, `grad`, given to every number that was added.
fn spread_backward(call: &Call, grad: &Tensor) -> Result<Gradients> {
    if !call.wants("x") {
        return Ok(Gradients::new());
    }
    let x = call.tensor("x")?;
    let grad = if per_batch(call)? {
        let ones: Vec<usize> = x.dims().iter().enumerate().map(|(i, n)| if i == 0 { *n } else { 1 }).collect();
        grad.reshape(ones)?
    } else {
        grad.clone()
    };
    let grad = grad.broadcast_as(x.shape())?;
    let out = match spread(call.maybe("mask"), x)? {
        Some(mask) => (grad * mask)?,
        None => grad.contiguous()?,
    };
    Ok(vec![("x", out)])
}

/// Cases of both operations.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize], value: &[usize]| {
        Sample::new(name, value).random("x", shape, -1.0, 1.0).map(|s| s.to(&["x"]))
    };
    Ok(vec![
        case("map", &[2, 3, 5, 7], &[])?,
        case("vectors", &[3, 4], &[])?,
        case("vectors per sample", &[3, 4], &[3])?.word("per", "batch"),
        case("batch of one", &[1, 2, 3], &[1])?.word("per", "batch"),
        case("already one each", &[4], &[4])?.word("per", "batch"),
        case("masked", &[2, 3, 4, 5], &[])?.random("mask", &[2, 1, 4, 5], 0.0, 1.0)?,
        case("masked per sample", &[2, 3, 2, 2], &[2])?.word("per", "batch").given(
            "mask",
            &[2, 1, 2, 2],
            vec![0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0],
        )?,
    ])
}
