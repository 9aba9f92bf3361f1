//! `min` and `max`: one of two values, number by number, or the least and greatest along axes:
//! `min(row_min(d), col_min(d))`, `max(x, over = channel)`.

use candle_core::{Result, Tensor};

use crate::axes::{picked, reduction};
use crate::compute::elementwise::{Arithmetic, gathered_product, gradients, met, operands};
use crate::compute::folding::{Folded, Folding, Folds, at, mask};
use crate::compute::samples::Sample;
use crate::compute::{Call, Gradients, Output};
use crate::export::onnx::{self, Onnx};
use crate::export::torch::{self, Torch};
use crate::export::{Form, Use};
use crate::op::Op;
use rord_kernels::Float;
use rord_lang::constant::Constant;
use rord_lang::range::Range;
use rord_lang::report::numbers;
use rord_lang::vocabulary::{Application, Entry, GraphFacts, LintFacts};

macro_rules! extreme {
    ($name:literal, $word:literal, $most:literal, $greater:literal) => {
        Op {
            name: $name,
            entry: Entry {
                signature: concat!(
                    $name,
                    "(a: Values, b: Values = none, mask: Prob = none, per: Axes = none, over: Axes = none) -> Loss"
                ),
                manual: concat!("\
The ", $word, " of two values, number by number; or the ", $most, " number of one value, along some of its axes.

    y = ", $name, "(a, b)        y = ", $name, "(a, over = channel)

Two values meet as in `a + b`: by the names of their axes, in one frame; either may be one number. The gradient goes to the number that is taken;
of two equal ones to each by half.

Of one value `over` says which axes go, `per` which stay; without either the result is one number. The gradient goes to
the ", $most, " number, and of several equal ones to each an equal part. Numbers where a `mask` is 0 do not take part;
where all are hidden the result is 0 and has no gradient.

Errors: axes of one name with different sizes, frames that differ.

Source: `torch.", $name, "imum(a, b)`; `torch.a", $name, "(a, dim)`.

```rord
input d: Dist[N, N]
let one_each = ", $name, "(row_min(d), col_min(d))
let nearest  = ", $name, "(d, over = column)
```
"),
                rule,
                numbers: &["a", "b"],
                lints: LintFacts {
                    rises: &["a", "b"],
                    keeps_zero: true,
                    margin: $greater,
                    range: |r| {
                        // Of one value along some axes, and 0 where a mask hides everything.
                        if !r.given("b") {
                            return r.of("a").with_zero();
                        }
                        let (a, b) = (r.of("a"), r.of("b"));
                        let end: fn(f64, f64) -> f64 = if $greater { f64::max } else { f64::min };
                        Range::new(end(a.low, b.low), end(a.high, b.high))
                    },
                    ..LintFacts::NONE
                },
                graph: GraphFacts::APART,
                ..Entry::PLAIN
            },
            compute: Some(&Folded(Extreme::<$greater>)),
            samples,
        }
    };
}

/// The lesser.
pub static MIN: Op = extreme!("min", "lesser", "least", false);
/// The greater.
pub static MAX: Op = extreme!("max", "greater", "greatest", true);

fn rule(a: &mut Application<'_>) {
    if !a.has("b") {
        reduction(a, "a", picked);
        return;
    }
    for name in ["mask", "per", "over"] {
        if a.has(name) {
            let span = a.arg(name).map_or(a.span, |x| x.span);
            let title = format!("`{name}` of `{}` is for one value", a.name);
            let help = format!("take the {} of the two first:  {}({}(a, b), {name} = …)", a.name, a.name, a.name);
            a.reports.push(numbers::rule(span, &title, "two values are given", &help));
            return;
        }
    }
    crate::rules::alike(a);
}

/// The greater or lesser of two numbers; what is no number is.
struct Picked<const GREATER: bool>;

/// How much of the first of them is taken: 1, or a half where both are equal.
struct Taken<const GREATER: bool>;

/// What is left for the second.
struct Left<const GREATER: bool>;

impl<const GREATER: bool> Arithmetic for Picked<GREATER> {
    #[allow(clippy::eq_op)]
    fn of<T: Float>(a: T, b: T) -> T {
        let second = if GREATER { b > a } else { b < a };
        if second || b != b { b } else { a }
    }
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        if GREATER { a.maximum(b) } else { a.minimum(b) }
    }
}

impl<const GREATER: bool> Arithmetic for Taken<GREATER> {
    fn of<T: Float>(a: T, b: T) -> T {
        let (first, no_less) = if GREATER { (a > b, a >= b) } else { (a < b, a <= b) };
        let half = |on: bool| if on { T::of(0.5) } else { T::ZERO };
        half(first) + half(no_less)
    }
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (low, high) = if GREATER { (b, a) } else { (a, b) };
        (low.lt(high)?.to_dtype(a.dtype())? + low.le(high)?.to_dtype(a.dtype())?)? * 0.5
    }
}

impl<const GREATER: bool> Arithmetic for Left<GREATER> {
    fn of<T: Float>(a: T, b: T) -> T {
        T::ONE - Taken::<GREATER>::of(a, b)
    }
    fn plain(a: &Tensor, b: &Tensor) -> Result<Tensor> {
        Taken::<GREATER>::plain(a, b)?.affine(-1.0, 1.0)
    }
}

/// The greater or lesser of two numbers, or the greatest or least along axes.
struct Extreme<const GREATER: bool>;

/// What stands where a mask hides: never the one that is taken while there is another.
const FAR: f64 = 1e30;

impl<const GREATER: bool> Extreme<GREATER> {
    /// The numbers that take part, and what is left of them.
    fn seen(call: &Call, x: &Tensor) -> Result<Tensor> {
        let far = if GREATER { -FAR } else { FAR };
        match mask(call, x)? {
            Some(mask) => mask.gt(0.0)?.where_cond(x, &(x.zeros_like()? + far)?),
            None => Ok(x.clone()),
        }
    }
}

impl<const GREATER: bool> Folds for Extreme<GREATER> {
    fn value(&self, call: &Call, fast: bool) -> Result<Output> {
        let a = call.tensor("a")?;
        if call.maybe("b").is_some() {
            if fast {
                return Ok(met::<Picked<GREATER>>(a, call.tensor("b")?)?.into());
            }
            let (a, b) = operands(call)?;
            return Ok(if GREATER { a.maximum(&b)? } else { a.minimum(&b)? }.into());
        }
        let folding = Folding::new(call, a, fast)?;
        let value = folding.extreme(&Self::seen(call, a)?, GREATER)?;
        if call.maybe("mask").is_none() {
            return Ok(value.into());
        }
        let any = if GREATER { value.gt(-0.5 * FAR)? } else { value.lt(0.5 * FAR)? };
        Ok(any.where_cond(&value, &value.zeros_like()?)?.into())
    }

    fn gradients(&self, call: &Call, output: &Output, grad: &Tensor, fast: bool) -> Result<Gradients> {
        let a = call.tensor("a")?;
        if call.maybe("b").is_some() {
            if fast {
                let b = call.tensor("b")?;
                return gradients(
                    call,
                    |shape| gathered_product(grad, &met::<Taken<GREATER>>(a, b)?, shape),
                    |shape| gathered_product(grad, &met::<Left<GREATER>>(a, b)?, shape),
                );
            }
            let (a, b) = operands(call)?;
            let taken = Taken::<GREATER>::plain(&a, &b)?;
            return gradients(
                call,
                |a| gathered_product(grad, &taken, a),
                |b| gathered_product(grad, &taken.affine(-1.0, 1.0)?, b),
            );
        }
        if !call.wants("a") {
            return Ok(Gradients::new());
        }
        let folding = Folding::new(call, a, fast)?;
        let x = Self::seen(call, a)?;
        let equal = |x: &Tensor, v: &Tensor| x.eq(v)?.to_dtype(x.dtype());
        let count = folding.sum_with(&x, &output.value, |x, v| f64::from(u8::from(x == v)), |x, v| equal(x, v))?;
        let share = (grad / count.maximum(1.0)?)?;
        let f = |[x, _]: [f64; 2], [v, g]: [f64; 2]| if x == v { g } else { 0.0 };
        let out = folding.spread([&x, &x], [&output.value, &share], f, |[x, _], [v, g]| equal(x, v)? * g)?;
        Ok(vec![("a", out)])
    }

    fn onnx(&self, call: &Use, out: &mut Onnx) -> Form {
        match call.maybe("b") {
            Some(b) => Ok(out.plain(if GREATER { "Max" } else { "Min" }, &[call.name("a")?, &b.name])),
            None => onnx::reduction(call, out, "a", if GREATER { "ReduceMax" } else { "ReduceMin" }),
        }
    }

    fn torch(&self, call: &Use, _: &mut Torch) -> Form {
        let Some(b) = call.maybe("b") else {
            return torch::reduction(call, "a", if GREATER { "amax" } else { "amin" });
        };
        let (a, method) = (call.argument("a")?, if GREATER { "maximum" } else { "minimum" });
        let number = |name: &str| name.parse::<f64>().is_ok();
        Ok(match (number(&a.name), number(&b.name)) {
            (false, true) => format!("{}.clamp({}={})", a.name, if GREATER { "min" } else { "max" }, b.name),
            (true, false) => format!("{}.clamp({}={})", b.name, if GREATER { "min" } else { "max" }, a.name),
            _ => format!("torch.{method}({}, {})", a.name, b.name),
        })
    }
}

/// Cases of both.
fn samples() -> Result<Vec<Sample>> {
    let case = |name, shape: &[usize]| {
        let s = Sample::new(name, shape).random("a", shape, -1.0, 1.0)?.random("b", shape, -1.0, 1.0)?;
        Ok::<_, candle_core::Error>(s.to(&["a", "b"]))
    };
    let along = |name, shape: &[usize], value: &[usize], words: &[&str], axes: &[usize]| {
        let words = words.iter().map(|w| Constant::Word((*w).into())).collect();
        let sample = Sample::new(name, value).random("a", shape, -1.0, 1.0)?.to(&["a"]);
        Ok::<_, candle_core::Error>(sample.setting("over", Constant::List(words)).setting("axes", at(axes)))
    };
    Ok(vec![
        case("maps", &[2, 3, 5, 7])?,
        case("vectors", &[3, 4])?,
        case("one each", &[5])?,
        Sample::new("equal", &[3]).filled("a", &[3], 0.5)?.filled("b", &[3], 0.5)?.to(&["a", "b"]).kinked(),
        Sample::new("and a number", &[3, 4])
            .random("a", &[3, 4], -1.0, 1.0)?
            .given("b", &[], vec![0.2])?
            .to(&["a", "b"]),
        Sample::new("all", &[]).random("a", &[3, 5], -1.0, 1.0)?.to(&["a"]),
        along("over channels", &[2, 5, 3, 4], &[2, 3, 4], &["channel"], &[1])?,
        along("over places", &[2, 3, 5, 7], &[2, 3], &["place"], &[2, 3])?,
        along("over the batch", &[3, 2, 4], &[2, 4], &["batch"], &[0])?,
        along("masked", &[2, 3, 4, 5], &[2, 3], &["place"], &[2, 3])?.given(
            "mask",
            &[2, 1, 4, 5],
            (0..40).map(|i| f64::from(u8::from(i % 3 == 0 && i < 20))).collect(),
        )?,
        Sample::new("ties", &[2])
            .given("a", &[2, 3], vec![1.0, 1.0, 0.0, 0.5, 0.5, 0.5])?
            .word("over", "channel")
            .setting("axes", at(&[1]))
            .to(&["a"])
            .kinked(),
    ])
}
