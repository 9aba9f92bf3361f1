//! `relu`: max(0, x), with slope 0 at 0: `x |> conv(32, 3) |> relu`; and `hinge`, the same function under the name it
//! has in a loss: `mean(hinge(d_pos - d_neg + margin))`.

use candle_core::{Result, Tensor};

use crate::compute::layout::{Order, first, from_last, last, of_type, order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use rord_device::maps;
use rord_kernels::map;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// The rectifier of a network.
pub static RELU: Op = Op {
    name: "relu",
    entry: Entry {
        signature: "relu(x: Values) -> Values",
        manual: MANUAL,
        rule: crate::rules::same_type,
        lints: LintFacts::RECTIFIER,
        graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
        ..Entry::PLAIN
    },
    compute: Some(&Relu),
    samples,
};

/// The corner of a margin loss.
pub static HINGE: Op = Op {
    name: "hinge",
    entry: Entry {
        signature: "hinge(x: Values) -> Values",
        manual: HINGE_MANUAL,
        rule: crate::rules::same_type,
        lints: LintFacts { margin: true, ..LintFacts::RECTIFIER },
        graph: GraphFacts::APART,
        ..Entry::PLAIN
    },
    compute: Some(&Relu),
    samples,
};

const MANUAL: &str = "\
Keeps what is positive and puts 0 for the rest.

    y = max(0, x)

Any shape; the result has the same. The slope at exactly 0 is 0.

Source: `torch.nn.functional.relu`.

```rord
input x: Feat[B, 8, H, W]@f
let y = relu(x)
```
";

const HINGE_MANUAL: &str = "\
What is missing to a margin: 0 once it is kept.

    y = max(0, x)

Any shape; the result has the same. The slope at exactly 0 is 0, so a triplet that just keeps its margin pulls no more.

Source: `torch.clamp(x, min = 0)`, but for its slope of 1 at exactly 0.

```rord
input near: Vectors[N, 1]
input far:  Vectors[N, 1]
let missing = hinge(near - far + 1.0)
```
";

/// The rectifier.
pub struct Relu;

impl Paths for Relu {
    const EITHER_ORDER: bool = true;
    const ROUNDED: bool = true;

    fn backward_reads(&self, _: &str) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        // Written so that what is not a number goes through, as in torch.
        Ok(x.le(0.0)?.where_cond(&x.zeros_like()?, x)?.into())
    }

    fn lower_backward(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", output.value.le(0.0)?.where_cond(&grad.zeros_like()?, grad)?)])
    }

    fn device(&self, call: &Call) -> Result<Option<Output>> {
        let x = call.tensor("x")?;
        // A map keeps its order.
        if order(x) == Order::Last && x.rank() == 4 {
            return Ok(Some(from_last(&maps::biased(&last(x)?, None, true)?)?.into()));
        }
        let x = x.contiguous()?;
        Ok(Some(maps::biased(&x.flatten_all()?, None, true)?.reshape(x.shape())?.into()))
    }

    fn device_backward(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Option<Gradients>> {
        let value = &output.value;
        let grad = &of_type(grad, value.dtype())?;
        if order(value) == Order::Last && value.rank() == 4 {
            return Ok(Some(vec![("x", from_last(&maps::relu_back(&last(grad)?, &last(value)?)?)?)]));
        }
        Ok(Some(vec![("x", maps::relu_back(&first(grad)?, &value.contiguous()?)?)]))
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let order = order(x);
        let value = read::<T, _, 1>(order, [x], |[x]| map::one(x, |x| if x <= T::ZERO { T::ZERO } else { x }))?;
        Ok(tensor(order, value, x.dims())?.into())
    }

    fn fast_backward<T: Element>(&self, _: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let slope = |y: T, g: T| if y <= T::ZERO { T::ZERO } else { g };
        let order = order(&output.value);
        let out = read::<T, _, 2>(order, [&output.value, grad], |[y, g]| map::two(y, g, slope))?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, grad.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let x = call.name("x")?;
        Ok(out.each(x, |out, x| out.plain("Relu", &[x])))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        Ok(format!("F.relu({})", call.name("x")?))
    }
}

/// Cases.
pub fn samples() -> Result<Vec<Sample>> {
    Ok(vec![
        Sample::new("odd", &[2, 3, 5, 7]).random("x", &[2, 3, 5, 7], -1.0, 1.0)?.to(&["x"]),
        Sample::new("vectors", &[3, 5]).random("x", &[3, 5], -1.0, 1.0)?.to(&["x"]),
        Sample::new("at zero", &[4]).given("x", &[4], vec![0.0, -0.0, 1e30, -1e30])?.to(&["x"]).kinked(),
    ])
}
