//! `sort`, `top` and `cumsum`: the numbers along one axis in order, the greatest of them, and their running sum.

use candle_core::{DType, Device, Result, Tensor};

use crate::axes::one_axis;
use crate::compute::folding::at;
use crate::compute::samples::{Sample, numbers};
use crate::compute::slices::{constant, read, tensor};
use crate::compute::{Call, Compute, Gradients, Output};
use crate::max_pool::saved;
use crate::op::Op;
use rord_kernels::rank;
use rord_lang::report::numbers as sizes;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// The numbers in order.
pub static SORT: Op = Op {
    name: "sort",
    entry: Entry {
        lints: LintFacts::CHOICE,
        signature: "sort(x: Values, over: Axes, descending: Flag = false) -> Values",
        manual: "\
The numbers along an axis in order.

    y₁ ≤ y₂ ≤ …        the other way round with descending = true

The axis stays, and so do all others. Equal numbers keep their order. The gradient of each number goes to where it came
from.

Source: `torch.sort(x, dim, stable = True).values`.

```rord
input d: Dist[N, M]
let ordered = sort(d, over = column)
```
",
        rule: |a| {
            crate::rules::same_type(a);
            one_axis(a);
        },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Order),
    samples: sorted,
};

/// The greatest numbers.
pub static TOP: Op = Op {
    name: "top",
    entry: Entry {
        lints: LintFacts::CHOICE,
        signature: "top(x: Values, n: Count, over: Axes) -> Values",
        manual: "\
The greatest numbers along an axis, the greatest first.

    y₁ ≥ y₂ ≥ … ≥ y_n

The axis stays, with the size `n`, which is at most the size it had. Of equal numbers the first are taken. The gradient
of each number goes to where it came from. For the least ones:  `-top(-x, n, over = …)`.

Source: `torch.topk(x, n, dim).values`.

```rord
input s: Values[N, M]
let hardest = mean(top(s, 3, over = column))
```
",
        rule: top,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Order),
    samples: greatest,
};

/// The running sum.
pub static CUMSUM: Op = Op {
    name: "cumsum",
    entry: Entry {
        signature: "cumsum(x: Values, over: Axes) -> Values",
        manual: "\
The running sum along an axis.

    y_i = x_1 + … + x_i

The axis stays.

Source: `torch.cumsum(x, dim)`.

```rord
input x: Feat[B, 8, H, W]@f
let y = cumsum(x, over = column)
```
",
        rule: |a| {
            crate::rules::real_of(a);
            one_axis(a);
        },
        lints: LintFacts::SUM,
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&CumSum),
    samples: summed,
};

fn top(a: &mut Application<'_>) {
    crate::rules::same_type(a);
    if !crate::rules::positive(a, "n") {
        return;
    }
    let Some(at) = one_axis(a).and_then(|axis| a.result.position(&axis)) else { return };
    let n = a.size("n");
    let whole = a.result.dims.get(at).and_then(|d| d.value(a.sizes)).and_then(|v| v.ok());
    if let (Some(n), Some(whole)) = (n.as_number(), whole)
        && n > whole
    {
        let span = a.arg("n").map_or(a.span, |n| n.span);
        let label = format!("there are {whole}");
        a.reports.push(sizes::rule(
            span,
            "`top` is to take more numbers than there are",
            &label,
            "take at most as many",
        ));
    }
    a.set_dim(at, n);
}

/// The axis of a call.
pub(crate) fn axis(call: &Call, x: &Tensor) -> Result<usize> {
    let at = crate::compute::folding::positions(call, x.rank())?;
    at.first().copied().ok_or_else(|| candle_core::Error::msg("no axis is named"))
}

/// The numbers of `x` with this axis last, and back.
pub(crate) fn last(x: &Tensor, axis: usize) -> Result<Tensor> {
    x.transpose(axis, x.rank() - 1)?.contiguous()
}

/// For each line along the last axis: the places of its numbers, in order.
pub(crate) fn places(x: &Tensor, descending: bool, keep: usize) -> Result<Tensor> {
    let n = x.dim(x.rank() - 1)?;
    let out = match x.dtype() {
        DType::F32 => {
            let x = x.to_device(&Device::Cpu)?;
            read::<f32, _, 1>([&x], |[x]| rank::places(x, n, descending, keep))?
        }
        _ => rank::places(&numbers(x)?, n, descending, keep),
    };
    let mut shape = x.dims().to_vec();
    if let Some(slot) = shape.last_mut() {
        *slot = keep;
    }
    tensor(out, shape)?.to_device(x.device())
}

/// The numbers in order, or the first of them.
struct Order;

impl Compute for Order {
    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let axis = axis(call, x)?;
        let lines = last(x, axis)?;
        let n = lines.dim(lines.rank() - 1)?;
        let (descending, keep) = match call.settings.get("n") {
            Some(_) => (true, call.count("n")?.min(n)),
            None => (call.flag("descending")?, n),
        };
        let order = places(&lines, descending, keep)?;
        let value = lines.gather(&order, lines.rank() - 1)?;
        Ok(Output { value: last(&value, axis)?, saved: vec![order] })
    }

    fn backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let x = call.tensor("x")?;
        let (axis, rank) = (axis(call, x)?, x.rank());
        let zeros = last(&x.zeros_like()?, axis)?;
        let out = zeros.scatter_add(saved(output, 0)?, &last(grad, axis)?, rank - 1)?;
        Ok(vec![("x", last(&out, axis)?)])
    }
}

/// The running sum.
struct CumSum;

impl CumSum {
    /// The running sum of every line, from its end where `back`.
    fn run(x: &Tensor, axis: usize, back: bool) -> Result<Tensor> {
        let lines = last(x, axis)?;
        let (n, shape) = (lines.dim(lines.rank() - 1)?, lines.shape().clone());
        let sums = match (x.dtype(), x.device()) {
            (DType::F32, Device::Cpu) => tensor(read::<f32, _, 1>([&lines], |[x]| rank::running(x, n, back))?, shape)?,
            _ => constant(rank::running(&numbers(&lines)?, n, back), shape, x)?,
        };
        last(&sums, axis)
    }
}

impl Compute for CumSum {
    fn backward_reads(&self, _: &str) -> bool {
        true
    }

    fn forward(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        Ok(Self::run(x, axis(call, x)?, false)?.into())
    }

    fn backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", Self::run(grad, axis(call, grad)?, true)?)])
    }
}

/// A case along one axis.
fn case(name: &'static str, shape: &[usize], value: &[usize], word: &str, axis: usize) -> Result<Sample> {
    let sample = Sample::new(name, value).random("x", shape, -1.0, 1.0)?.to(&["x"]);
    Ok(sample.word("over", word).setting("axes", at(&[axis])))
}

fn sorted() -> Result<Vec<Sample>> {
    Ok(vec![
        case("components", &[3, 7], &[3, 7], "channel", 1)?.flag("descending", false),
        case("channels, the greatest first", &[2, 5, 2, 3], &[2, 5, 2, 3], "channel", 1)?.flag("descending", true),
        case("items", &[6, 2], &[6, 2], "item", 0)?.flag("descending", false),
    ])
}

fn greatest() -> Result<Vec<Sample>> {
    Ok(vec![
        case("components", &[3, 7], &[3, 2], "channel", 1)?.number("n", 2.0),
        case("columns", &[2, 2, 3, 5], &[2, 2, 3, 4], "column", 3)?.number("n", 4.0),
        case("items", &[6, 2], &[1, 2], "item", 0)?.number("n", 1.0),
    ])
}

fn summed() -> Result<Vec<Sample>> {
    Ok(vec![case("components", &[3, 7], &[3, 7], "channel", 1)?, case("rows", &[2, 2, 5, 3], &[2, 2, 5, 3], "row", 2)?])
}
