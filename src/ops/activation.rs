//! The activations of newer networks: `x |> conv(64, 3) |> gelu`. `relu` and `softplus` have files of their own.

use candle_core::{Result, Tensor};

use crate::compute::layout::{order, read, tensor};
use crate::compute::samples::Sample;
use crate::compute::slices::{Element, Paths, wrong};
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::Attribute::Float;
use crate::export::onnx::Onnx;
use crate::export::torch::Torch;
use crate::export::{Form, Use};
use crate::op::Op;
use crate::rules::disturbed;
use crate::sigmoid::sigmoid;
use rord_kernels::activation::{self, Activation};
use rord_lang::constant::Settings;
use rord_lang::range::Range;
use rord_lang::vocabulary::{Entry, GraphFacts, LintFacts};

/// An activation `$name` with further parameters `$more`.
macro_rules! activation {
    ($name:literal $more:literal, $words:expr, $what:literal, $formula:literal, $note:literal, $source:literal,
     $curve:expr, $form:expr, $samples:expr) => {
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
input x: Feat[B, 8, H, W]@f
let y = ",
                    $name,
                    "(x)
```
"
                ),
                rule: disturbed,
                words: $words,
                graph: GraphFacts { per_sample: true, ..GraphFacts::NONE },
                ..Entry::PLAIN
            },
            compute: Some(&Curve { kind: $curve, form: $form }),
            samples: $samples,
        }
    };
}

/// A rectifier that lets some of the negative side through.
pub static LEAKY_RELU: Op = activation!(
    "leaky_relu" ", slope: Weight = 0.01",
    &[],
    "Keeps what is positive and lets a part of the rest through",
    "y = x  where x > 0,  slope·x  elsewhere",
    " The slope at exactly 0 is `slope`.",
    "`torch.nn.functional.leaky_relu(x, slope)`",
    |call| Ok(Activation::Leaky(call.number("slope")?)),
    |call| Ok(Activation::Leaky(call.number("slope")?)),
    || Ok(samples(true)?.into_iter().map(|s| s.number("slope", 0.2)).collect())
)
.with_lints(LintFacts {
    rises: &["x"],
    keeps_zero: true,
    keeps_positive: true,
    range: |r| {
        let slope = r.of("slope").low;
        r.of("x").rising(|x| if x > 0.0 { x } else { slope * x })
    },
    ..LintFacts::NONE
});

/// The Gaussian error linear unit.
pub static GELU: Op = activation!(
    "gelu" ", form: Word = exact",
    &[("form", &["exact", "tanh"])],
    "Weighs every number by the share of a normal distribution below it",
    "y = x·Φ(x) = x/2·(1 + erf(x/√2))",
    " `form = tanh` is the older approximation x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))), for networks that were \
     trained with it; it is up to 5e-4 away.",
    "Hendrycks and Gimpel, Gaussian Error Linear Units, 2016; `torch.nn.functional.gelu(x, approximate = …)`",
    |call| match call.text("form")? {
        "exact" => Ok(Activation::Gelu),
        "tanh" => Ok(Activation::GeluTanh),
        other => Err(candle_core::Error::msg(format!("`form = {other}` is none of exact, tanh"))),
    },
    |call| Ok(if call.text("form")? == "tanh" { Activation::GeluTanh } else { Activation::Gelu }),
    || {
        let exact = samples(false)?.into_iter().map(|s| s.word("form", "exact"));
        Ok(exact.chain(samples(false)?.into_iter().map(|s| s.word("form", "tanh"))).collect())
    }
)
.with_lints(LintFacts { range: |r| Range::new(-0.171, r.of("x").high.max(0.0)), ..LintFacts::NONE });

/// The sigmoid linear unit, or swish.
pub static SILU: Op = activation!(
    "silu" "",
    &[],
    "Weighs every number by its own sigmoid; also called swish",
    "y = x / (1 + exp(-x))",
    "",
    "`torch.nn.functional.silu`",
    |_| Ok(Activation::Silu),
    |_| Ok(Activation::Silu),
    || samples(false)
)
.with_lints(LintFacts { range: |r| Range::new(-0.279, r.of("x").high.max(0.0)), ..LintFacts::NONE });

/// The hyperbolic tangent.
pub static TANH: Op = activation!(
    "tanh" "",
    &[],
    "The hyperbolic tangent: every number drawn into (-1, 1)",
    "y = (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)",
    "",
    "`torch.tanh`",
    |_| Ok(Activation::Tanh),
    |_| Ok(Activation::Tanh),
    || samples(false)
)
.with_lints(LintFacts { rises: &["x"], keeps_zero: true, range: |r| r.of("x").rising(f64::tanh), ..LintFacts::NONE });

/// An activation: which one, by the call's settings.
struct Curve {
    kind: fn(&Call) -> Result<Activation>,
    /// The same of a call that is written out.
    form: fn(&Use) -> std::result::Result<Activation, String>,
}

/// 1/√(2π), and √(2/π) with the factor of the cube.
const NORMAL: f64 = 0.398_942_280_401_432_7;
const BEND: (f64, f64) = (0.797_884_560_802_865_4, 0.044_715);

/// √(2/π)·(x + 0.044715·x³)
fn bent(x: &Tensor) -> Result<Tensor> {
    (x + ((x.sqr()? * x)? * BEND.1)?)? * BEND.0
}

/// The slopes, by Candle's operations.
fn slopes(of: Activation, x: &Tensor) -> Result<Tensor> {
    match of {
        Activation::Leaky(slope) => {
            let below = x.le(0.0)?;
            below.where_cond(&(x.ones_like()? * slope)?, &x.ones_like()?)
        }
        Activation::Gelu => {
            let bell = ((x.sqr()? * -0.5)?.exp()? * NORMAL)?;
            let area = (((x * std::f64::consts::FRAC_1_SQRT_2)?.erf()? + 1.0)? * 0.5)?;
            area + (x * bell)?
        }
        Activation::GeluTanh => {
            let t = bent(x)?.tanh()?;
            let slope = ((x.sqr()? * (3.0 * BEND.1 * BEND.0))? + BEND.0)?;
            let bend = ((t.sqr()?.neg()? + 1.0)? * (x * slope)?)?;
            ((t + 1.0)? + bend)? * 0.5
        }
        Activation::Silu => {
            let s = sigmoid(x)?;
            let rest = ((x * (s.neg()? + 1.0)?)? + 1.0)?;
            s * rest
        }
        Activation::Tanh => x.tanh()?.sqr()?.neg()? + 1.0,
    }
}

/// x/2·(1 + area)
fn halved(out: &mut Onnx, x: &str, area: &str) -> String {
    let (one, half) = (out.number(1.0), out.number(0.5));
    let above = out.plain("Add", &[area, &one]);
    let whole = out.plain("Mul", &[x, &above]);
    out.plain("Mul", &[&whole, &half])
}

impl Paths for Curve {
    const EITHER_ORDER: bool = true;

    fn backward_reads_value(&self, _: &Settings) -> bool {
        false
    }

    fn lower(&self, call: &Call) -> Result<Output> {
        let x = call.tensor("x")?;
        let value = match (self.kind)(call)? {
            Activation::Leaky(slope) => x.le(0.0)?.where_cond(&(x * slope)?, x)?,
            Activation::Gelu => ((x * (x * std::f64::consts::FRAC_1_SQRT_2)?.erf()?)? + x)?.affine(0.5, 0.0)?,
            Activation::GeluTanh => ((x * bent(x)?.tanh()?)? + x)?.affine(0.5, 0.0)?,
            Activation::Silu => (x * sigmoid(x)?)?,
            Activation::Tanh => x.tanh()?,
        };
        Ok(value.into())
    }

    fn lower_backward(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        Ok(vec![("x", (grad * slopes((self.kind)(call)?, call.tensor("x")?)?)?)])
    }

    fn fast<T: Element>(&self, call: &Call) -> Result<Output> {
        let (x, kind) = (call.tensor("x")?, (self.kind)(call)?);
        let order = order(x);
        let value = read::<T, _, 1>(order, [x], |[x]| activation::value(kind, x))?;
        Ok(tensor(order, value, x.dims())?.into())
    }

    fn fast_backward<T: Element>(&self, call: &Call, _: &Output, grad: &Tensor) -> Result<Gradients> {
        let (x, kind) = (call.tensor("x")?, (self.kind)(call)?);
        let order = order(x);
        let out = read::<T, _, 2>(order, [x, grad], |[x, grad]| activation::gradient(kind, x, grad))?;
        Ok(vec![("x", tensor(order, out.map_err(wrong)?, grad.dims())?)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        let kind = (self.form)(call)?;
        Ok(out.each(call.name("x")?, |out, x| match kind {
            Activation::Leaky(slope) => out.op("LeakyRelu", &[x], vec![("alpha", Float(slope as f32))]),
            Activation::Tanh => out.plain("Tanh", &[x]),
            Activation::Silu => {
                let share = out.plain("Sigmoid", &[x]);
                out.plain("Mul", &[x, &share])
            }
            Activation::Gelu => {
                let root = out.number(std::f64::consts::FRAC_1_SQRT_2);
                let scaled = out.plain("Mul", &[x, &root]);
                let area = out.plain("Erf", &[&scaled]);
                halved(out, x, &area)
            }
            Activation::GeluTanh => {
                let (cube, factor) = (out.number(BEND.1), out.number(BEND.0));
                let square = out.plain("Mul", &[x, x]);
                let bent = out.plain("Mul", &[&square, x]);
                let bent = out.plain("Mul", &[&bent, &cube]);
                let bent = out.plain("Add", &[x, &bent]);
                let bent = out.plain("Mul", &[&bent, &factor]);
                let area = out.plain("Tanh", &[&bent]);
                halved(out, x, &area)
            }
        }))
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let x = call.name("x")?;
        Ok(match (self.form)(call)? {
            Activation::Leaky(slope) => format!("F.leaky_relu({x}, {slope:?})"),
            Activation::Gelu => format!("F.gelu({x})"),
            Activation::GeluTanh => format!("F.gelu({x}, approximate=\"tanh\")"),
            Activation::Silu => format!("F.silu({x})"),
            Activation::Tanh => format!("torch.tanh({x})"),
        })
    }
}

/// Cases; a curve with a corner is not compared with differences at it.
fn samples(corner: bool) -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| Sample::new(name, shape).random("x", shape, -4.0, 4.0).map(|s| s.to(&["x"]));
    let far = Sample::new("far from 0", &[5]).given("x", &[5], vec![-1e4, -30.0, 0.0, 30.0, 1e4])?.to(&["x"]);
    Ok(vec![case("map", &[2, 3, 5, 7])?, case("vectors", &[3, 4])?, if corner { far.kinked() } else { far }])
}
