//! Functions of one number, applied to every number of a value: a value and a slope for each.

use candle_core::{DType, Device, Result, Tensor};

use crate::compute::layout::{order, read, tensor};
use crate::compute::pixelwise::log1p;
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Onnx;
use crate::export::torch::{self, Torch};
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::disturbed;
use crate::sigmoid::sigmoid;
use rord_kernels::function::{self, Function};
use rord_lang::range::Range;
use rord_lang::types::Kind;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

/// A function `$name` with further parameters `$more`.
macro_rules! function {
    ($name:literal $more:literal, $what:literal, $formula:literal, $note:literal, $source:literal, $rule:expr,
     $graph:expr, $unary:expr, $samples:expr) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!($name, "(x: Values", $more, ") -> Values"),
                manual: concat!(
                    "\
",
                    $what,
                    ".

    ",
                    $formula,
                    "

Any shape; the result has the same.",
                    $note,
                    "

Source: ",
                    $source,
                    ".

```rord
input d: Dist[N, M]
let y = ",
                    $name,
                    "(d)
```
"
                ),
                rule: $rule,
                graph: $graph,
                ..Entry::PLAIN
            },
            compute: Some(&$unary),
            samples: || $samples,
        }
    };
}

/// e to the power of every number.
pub static EXP: Op = function!(
    "exp" "",
    "E to the power of every number",
    "y = eˣ",
    " Above 88 it is infinite in f32: see `log_sum_exp` for sums.",
    "`torch.exp`",
    disturbed,
    GraphFacts::APART,
    Unary { onnx: (None, "Exp"), torch: "torch.exp", value: |_, x| x.exp(), slope: |_, _, y| Ok(y.clone()), kernel: |_| Ok(Function::Exp) },
    samples(-2.0..2.0, &[-1e4, 0.0, 80.0])
)
.with_lints(LintFacts { rises: &["x"], range: |r| r.of("x").rising(f64::exp), ..LintFacts::NONE });

/// The natural logarithm.
pub static LOG: Op = function!(
    "log" ", eps: Rate = 1e-12",
    "The natural logarithm of every number, held away from 0",
    "y = ln(max(x, eps))",
    " Below `eps` the slope is 0, so nothing becomes infinite.",
    "`torch.log(x.clamp(min = eps))`",
    signed,
    GraphFacts::APART,
    Unary {
        onnx: (Some(|call| call.number("eps")), "Log"),
        torch: "torch.log",
        value: |call, x| x.maximum(call.number("eps")?)?.log(),
        slope: |call, x, _| {
            let eps = call.number("eps")?;
            x.maximum(eps)?.recip()? * x.ge(eps)?.to_dtype(x.dtype())?
        },
        kernel: |call| Ok(Function::Log(call.number("eps")?)),
    },
    Ok(samples(0.2..2.0, &[-1.0, 0.0, 1e-12, 1e30])?.into_iter().map(|s| s.number("eps", 1e-12)).collect())
)
.with_lints(LintFacts {
    rises: &["x"],
    logarithm: true,
    range: |r| r.of("x").rising(|x| x.max(r.of("eps").low.max(0.0)).ln()),
    ..LintFacts::NONE
});

/// The square root.
pub static SQRT: Op = function!(
    "sqrt" "",
    "The square root of every number, with a slope that is finite at 0",
    "y = √max(x, 0)        slope 1/(2y), and 0 where y = 0",
    "",
    "`torch.sqrt(x)`, whose slope at 0 is infinite",
    disturbed,
    GraphFacts::APART,
    Unary {
        onnx: (Some(|_| Ok(0.0)), "Sqrt"),
        torch: "torch.sqrt",
        value: |_, x| x.maximum(0.0)?.sqrt(),
        slope: |_, _, y| {
            let some = y.gt(0.0)?;
            let safe = some.where_cond(y, &y.ones_like()?)?;
            (safe.recip()? * 0.5)? * some.to_dtype(y.dtype())?
        },
        kernel: |_| Ok(Function::Sqrt),
    },
    samples(0.2..2.0, &[-1.0, 0.0, 1e-20, 1e30])
)
.with_lints(LintFacts {
    keeps_positive: false,
    range: |r| r.of("x").rising(|x| x.max(0.0).sqrt()),
    ..LintFacts::RECTIFIER
});

/// The size of a number.
pub static ABS: Op = function!(
    "abs" "",
    "Every number without its sign",
    "y = |x|",
    " The slope at exactly 0 is 0.",
    "`torch.abs`",
    disturbed,
    GraphFacts::APART,
    Unary {
        onnx: (None, "Abs"),
        torch: "torch.abs",
        value: |_, x| x.abs(),
        slope: |_, x, _| x.gt(0.0)?.to_dtype(x.dtype())? - x.lt(0.0)?.to_dtype(x.dtype())?,
        kernel: |_| Ok(Function::Abs),
    },
    samples(-2.0..2.0, &[0.0, -0.0, -1e30])
)
.with_lints(LintFacts { drops_sign: true, keeps_positive: true, range: |r| r.of("x").size(), ..LintFacts::NONE });

/// A rectifier without a corner.
pub static SOFTPLUS: Op = function!(
    "softplus" "",
    "A rectifier without a corner",
    "y = log(1 + eˣ) = max(x, 0) + log1p(e^-|x|)",
    " It does not overflow.",
    "`torch.nn.functional.softplus`",
    disturbed,
    GraphFacts { per_sample: true, ..GraphFacts::NONE },
    Unary {
        onnx: (None, "Softplus"),
        torch: "F.softplus",
        value: |_, x| x.relu()? + log1p(&x.abs()?.neg()?.exp()?)?,
        slope: |_, x, _| sigmoid(x),
        kernel: |_| Ok(Function::Softplus),
    },
    samples(-4.0..4.0, &[-1e4, 0.0, 1e4])
)
.with_lints(LintFacts {
    rises: &["x"],
    range: |r| r.of("x").rising(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
    ..LintFacts::NONE
});

/// What swings between -1 and 1.
const WAVE: LintFacts = LintFacts { range: |_| Range::new(-1.0, 1.0), ..LintFacts::NONE };

/// The sine.
pub static SIN: Op = function!(
    "sin" "",
    "The sine of every number, an angle in radians",
    "y = sin x",
    "",
    "`torch.sin`",
    signed,
    GraphFacts::APART,
    Unary { onnx: (None, "Sin"), torch: "torch.sin", value: |_, x| x.sin(), slope: |_, x, _| x.cos(), kernel: |_| Ok(Function::Sin) },
    samples(-4.0..4.0, &[0.0, 1e3, -1e3])
)
.with_lints(WAVE);

/// The cosine.
pub static COS: Op = function!(
    "cos" "",
    "The cosine of every number, an angle in radians",
    "y = cos x",
    "",
    "`torch.cos`",
    signed,
    GraphFacts::APART,
    Unary { onnx: (None, "Cos"), torch: "torch.cos", value: |_, x| x.cos(), slope: |_, x, _| x.sin()?.neg(), kernel: |_| Ok(Function::Cos) },
    samples(-4.0..4.0, &[0.0, 1e3, -1e3])
)
.with_lints(WAVE);

/// A function of every number of a tensor in the CPU's memory, in the order in which it lies.
fn by_kernel<T: Element>(kernel: Function, x: &Tensor) -> Result<Tensor> {
    let order = order(x);
    tensor(order, read::<T, _, 1>(order, [x], |[x]| function::value(kernel, x))?, x.dims())
}

/// log(1 + eˣ) of every number of a tensor, by a kernel where there is one.
pub(crate) fn softplus(x: &Tensor) -> Result<Tensor> {
    match (x.device(), x.dtype()) {
        (Device::Cpu, DType::F32) => by_kernel::<f32>(Function::Softplus, x),
        (Device::Cpu, DType::F64) => by_kernel::<f64>(Function::Softplus, x),
        _ => x.relu()? + log1p(&x.abs()?.neg()?.exp()?)?,
    }
}

/// A logarithm or a sine of a distance may be negative.
fn signed(a: &mut Application<'_>) {
    disturbed(a);
    if a.result.kind == Kind::Dist {
        a.result.kind = Kind::Values;
    }
}

/// The least number that a function is applied to.
type Least = fn(&Use) -> std::result::Result<f64, String>;

/// A function of one number, applied to every number of `x`.
struct Unary {
    /// Its operator in ONNX, of a number that is first held above the second: `(None, "Exp")`.
    onnx: (Option<Least>, &'static str),
    /// Its name in PyTorch.
    torch: &'static str,
    /// Its values.
    value: fn(&Call, &Tensor) -> Result<Tensor>,
    /// Its slopes, of the numbers and their values.
    slope: fn(&Call, &Tensor, &Tensor) -> Result<Tensor>,
    /// The kernel of both.
    kernel: fn(&Call) -> Result<Function>,
}

impl Paths for Unary {
    const EITHER_ORDER: bool = true;

    fn lower(&self, call: &Call) -> Result<Output> {
        Ok((self.value)(call, call.tensor("x")?)?.into())
    }

    fn lower_backward(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", (grad * (self.slope)(call, call.tensor("x")?, &output.value)?)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        Ok(by_kernel::<T>((self.kernel)(call)?, call.tensor("x")?)?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, output: &Output, grad: &Tensor) -> Result<Gradients> {
        let kernel = (self.kernel)(call)?;
        let of = if kernel.slope_by_value() { &output.value } else { call.tensor("x")? };
        let order = order(of);
        let out = read::<T, _, 2>(order, [of, grad], |[of, grad]| function::gradient(kernel, of, grad))?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, grad.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let (least, op) = self.onnx;
        let least = least.map(|least| least(call)).transpose()?;
        Ok(out.each(call.name("x")?, |out, x| match least {
            None => out.plain(op, &[x]),
            Some(least) => {
                let least = out.number(least);
                let held = out.plain("Max", &[x, &least]);
                out.plain(op, &[&held])
            }
        }))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let (x, name) = (call.name("x")?, self.torch);
        Ok(match self.onnx.0 {
            None => format!("{name}({x})"),
            Some(least) => format!("{name}({x}.clamp(min={}))", torch::number(least(call)?)),
        })
    }
}

/// Cases of a function that is smooth within a range, and a last one with the numbers where it is not, or overflows.
fn samples(smooth: std::ops::Range<f64>, edge: &[f64]) -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| {
        Sample::new(name, shape).random("x", shape, smooth.start, smooth.end).map(|s| s.to(&["x"]))
    };
    let edge = Sample::new("at the edge", &[edge.len()]).given("x", &[edge.len()], edge.to_vec())?;
    Ok(vec![case("map", &[2, 3, 5, 7])?, case("vectors", &[3, 4])?, case("one each", &[5])?, edge.to(&["x"]).kinked()])
}
