//! `invariant`: what a field says whatever the turn: `x |> conv(16, 3, symmetry = d4) |> relu |> invariant |> conv(1, 1)`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{self, Order};
use crate::compute::memory::{Memory, bytes};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, read, tensor, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::max_pool::saved;
use crate::op::Op;
use rord_kernels::turns::{largest, mean, spread};
use rord_lang::constant::Settings;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts, Shapes};

/// The operation.
pub static OP: Op = Op {
    name: "invariant",
    entry: Entry {
        signature: "invariant(x: Field[B, T, C, H, W]@f, by: Word = mean) -> Feat[B, C, H, W]@f",
        manual: MANUAL,
        words: &[("by", &["mean", "max"])],
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        lints: LintFacts::SAME,
        ..Entry::PLAIN
    },
    compute: Some(&Invariant),
    samples,
};

const MANUAL: &str = "\
A field without its turns: a map that moves as the picture does, and is otherwise the same.

    y[b, c, p, q] = Σ over t of x[b, t, c, p, q] / T        or the largest of them, `by = max`

`x` is a field (B, T, C, H, W); the result is (B, C, H, W). Where the picture is turned by a symmetry of the group, the turns of
its field are exchanged, of which neither mean nor maximum knows. Of equal maxima the first turn gets the gradient.

Source: Cohen and Welling, Group Equivariant Convolutional Networks, 2016; `x.mean(1)` and `x.amax(1)` of (B, T, C, H, W).

```rord
model net(x: Image[B, 1, H, W]@f) {
  out det: Prob[B, 1, H, W]@f =
    x |> conv(8, 3, symmetry = d4) |> relu |> conv(8, 3) |> invariant |> conv(1, 1) |> sigmoid
}
```
";

/// The mean or maximum over turns.
pub struct Invariant;

/// True for the maximum.
fn largest_of(call: &Call) -> Result<bool> {
    match call.text("by")? {
        "mean" => Ok(false),
        "max" => Ok(true),
        other => Err(candle_core::Error::msg(format!("`by = {other}` is none of mean, max"))),
    }
}

/// The chosen turns, in the order of a map.
fn chosen(output: &Output) -> Result<Tensor> {
    saved(output, 0)?.permute((0, 3, 1, 2))?.contiguous()
}

impl Paths for Invariant {
    const EITHER_ORDER: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn memory(&self, shapes: &Shapes<'_>, _: &[&str]) -> Memory {
        let saved = if shapes.settings.text("by") == Ok("max") { bytes(&shapes.result) } else { 0 };
        Memory { saved, ..Memory::default() }
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        if !largest_of(call)? {
            return Ok(x.mean(1)?.into());
        }
        let value = x.max(1)?;
        // What is not a number is the largest, as in torch.
        let value = x.ne(x)?.max(1)?.where_cond(&(value.ones_like()? * f64::NAN)?, &value)?;
        let at = x.argmax(1)?.permute((0, 2, 3, 1))?.contiguous()?;
        Ok(Output { value, saved: vec![at] })
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let turns = call.tensor("x")?.dim(1)?;
        let slope = match largest_of(call)? {
            false => (0..turns).map(|_| grad * (1.0 / turns as f64)).collect::<Result<Vec<_>>>()?,
            true => {
                let at = chosen(output)?;
                let one = |t: usize| at.eq(t as u32)?.where_cond(grad, &grad.zeros_like()?);
                (0..turns).map(one).collect::<Result<Vec<_>>>()?
            }
        };
        Ok(vec![("x", Tensor::stack(&slope, 1)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let (b, turns, c, h, w) = x.dims5()?;
        let shape = [b, c, h, w];
        if !largest_of(call)? {
            let value = layout::read::<T, _, 1>(Order::Last, [x], |[x]| mean(x, turns, c))?;
            return Ok(layout::tensor(Order::Last, value.map_err(wrong)?, &shape)?.into());
        }
        let (value, at) = layout::read::<T, _, 1>(Order::Last, [x], |[x]| largest(x, turns, c))?.map_err(wrong)?;
        Ok(Output { value: layout::tensor(Order::Last, value, &shape)?, saved: vec![tensor(at, (b, h, w, c))?] })
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let x = call.tensor("x")?;
        let (turns, c) = (x.dim(1)?, x.dim(2)?);
        let out = layout::read::<T, _, 1>(Order::Last, [grad], |[grad]| match largest_of(call)? {
            false => Ok(spread(grad, None, turns, c)),
            true => read::<u32, _, 1>([saved(output, 0)?], |[at]| spread(grad, Some(at), turns, c)),
        })?;
        Ok(vec![("x", layout::tensor(Order::Last, out?.map_err(wrong)?, x.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (x, most) = (call.name("x")?, call.text("by")? == "max");
        Ok(out.reduce(if most { "ReduceMax" } else { "ReduceMean" }, x, &[1], false))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let method = if call.text("by")? == "max" { "amax" } else { "mean" };
        Ok(format!("{}.{method}(dim=1)", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    let case = |name, x: [usize; 5], by| {
        let sample = Sample::new(name, &[x[0], x[2], x[3], x[4]]).random("x", &x, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(sample.word("by", by).to(&["x"]))
    };
    Ok(vec![
        case("mean", [2, 8, 3, 4, 5], "mean")?,
        case("max", [2, 4, 3, 4, 5], "max")?,
        case("one channel", [1, 8, 1, 3, 2], "max")?,
    ])
}
