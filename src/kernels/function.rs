//! Functions of formulas, number by number: the exponential, logarithm, root, size, the rectifier without a corner and the logistic function, with
//! their slopes.
//!
//! In `f32` they are within 3e-7 of the exact number, relative to it, over the whole range.

use crate::curve::{Curve, exp32, exp32_whole, gradient_of, log1p32, log32, size, value_of};
use crate::simd::Lanes;
use crate::{Float, Mismatch};

/// A function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// eˣ
    Exp,
    /// The natural logarithm of what is held above this.
    Log(f64),
    /// √max(x, 0)
    Sqrt,
    /// |x|
    Abs,
    /// log(1 + eˣ)
    Softplus,
    /// The sine of an angle in radians.
    Sin,
    /// The cosine of an angle in radians.
    Cos,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
}

/// Calls `$f` with the function as a type.
macro_rules! with_curve {
    ($function:expr, |$curve:ident| $f:expr) => {
        match $function {
            Function::Exp => {
                let $curve = Exp;
                $f
            }
            Function::Log(least) => {
                let $curve = Log(least);
                $f
            }
            Function::Sqrt => {
                let $curve = Sqrt;
                $f
            }
            Function::Abs => {
                let $curve = Abs;
                $f
            }
            Function::Softplus => {
                let $curve = Softplus;
                $f
            }
            Function::Sin => {
                let $curve = Sin;
                $f
            }
            Function::Cos => {
                let $curve = Cos;
                $f
            }
            Function::Sigmoid => {
                let $curve = Sigmoid;
                $f
            }
        }
    };
}

impl Function {
    /// True where the slope is told from the function's value, not from what it is of.
    pub fn slope_by_value(self) -> bool {
        matches!(self, Function::Exp | Function::Sqrt | Function::Sigmoid)
    }
}

/// The function at every number.
pub fn value<T: Float>(function: Function, x: &[T]) -> Vec<T> {
    with_curve!(function, |curve| value_of(curve, x))
}

/// The gradient of the numbers `of` (of their values where [`Function::slope_by_value`] says so), given that of the values.
pub fn gradient<T: Float>(function: Function, of: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    with_curve!(function, |curve| gradient_of(curve, of, grad))
}

#[derive(Clone, Copy)]
struct Exp;
#[derive(Clone, Copy)]
struct Log(f64);
#[derive(Clone, Copy)]
struct Sqrt;
#[derive(Clone, Copy)]
struct Abs;
#[derive(Clone, Copy)]
struct Softplus;
#[derive(Clone, Copy)]
struct Sin;
#[derive(Clone, Copy)]
struct Cos;
#[derive(Clone, Copy)]
struct Sigmoid;

impl Curve for Exp {
    fn value(self, x: f64) -> f64 {
        x.exp()
    }
    fn slope(self, y: f64) -> f64 {
        y
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        exp32_whole::<L>(x)
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, y: f32) -> f32 {
        y
    }
}

impl Curve for Log {
    fn value(self, x: f64) -> f64 {
        (if x < self.0 { self.0 } else { x }).ln()
    }
    fn slope(self, x: f64) -> f64 {
        if x < self.0 { 0.0 } else { 1.0 / x }
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        let least = self.0 as f32;
        log32::<L>(if x < least { least } else { x })
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        if x < self.0 as f32 { 0.0 } else { 1.0 / x }
    }
}

impl Curve for Sqrt {
    fn value(self, x: f64) -> f64 {
        if x <= 0.0 { 0.0 } else { x.sqrt() }
    }
    fn slope(self, y: f64) -> f64 {
        if y <= 0.0 { 0.0 } else { 0.5 / y }
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        (if x <= 0.0 { 0.0 } else { x }).sqrt()
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, y: f32) -> f32 {
        if y <= 0.0 { 0.0 } else { 0.5 / y }
    }
}

impl Curve for Abs {
    fn value(self, x: f64) -> f64 {
        x.abs()
    }
    fn slope(self, x: f64) -> f64 {
        f64::from(u8::from(x > 0.0)) - f64::from(u8::from(x < 0.0))
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        size(x)
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        (if x > 0.0 { 1.0 } else { 0.0 }) - (if x < 0.0 { 1.0 } else { 0.0 })
    }
}

impl Curve for Softplus {
    fn value(self, x: f64) -> f64 {
        (if x <= 0.0 { 0.0 } else { x }) + (-x.abs()).exp().ln_1p()
    }
    fn slope(self, x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        (if x <= 0.0 { 0.0 } else { x }) + log1p32::<L>(exp32_whole::<L>(-size(x)))
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        1.0 / (1.0 + exp32::<L>(-x))
    }
}

impl Curve for Sin {
    fn value(self, x: f64) -> f64 {
        x.sin()
    }
    fn slope(self, x: f64) -> f64 {
        x.cos()
    }
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        f64::from(x).sin() as f32
    }
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        f64::from(x).cos() as f32
    }
}

impl Curve for Cos {
    fn value(self, x: f64) -> f64 {
        x.cos()
    }
    fn slope(self, x: f64) -> f64 {
        -x.sin()
    }
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        f64::from(x).cos() as f32
    }
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        -f64::from(x).sin() as f32
    }
}

impl Curve for Sigmoid {
    fn value(self, x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }
    fn slope(self, y: f64) -> f64 {
        y * (1.0 - y)
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        let power = exp32_whole::<L>(-size(x));
        (if x < 0.0 { power } else { 1.0 }) / (1.0 + power)
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, y: f32) -> f32 {
        y * (1.0 - y)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const ALL: [Function; 8] = [
        Function::Exp,
        Function::Log(1e-12),
        Function::Sqrt,
        Function::Abs,
        Function::Softplus,
        Function::Sin,
        Function::Cos,
        Function::Sigmoid,
    ];

    #[test]
    fn f32_is_near_f64_over_the_whole_range() {
        let near = (-40_000..=40_000).map(|i| i as f32 * 3e-3);
        let far = (-149..=127).map(|n| 2f32.powi(n) * 1.3);
        let edges = [f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, -1e4, 1e4, 88.7, 88.8, -87.5, -103.0, -105.0];
        let narrow: Vec<f32> = near.chain(far).chain(edges).collect();
        let wide: Vec<f64> = narrow.iter().map(|x| f64::from(*x)).collect();
        for f in ALL.into_iter().chain([Function::Log(0.0)]) {
            for ((x, a), b) in wide.iter().zip(value(f, &wide)).zip(value(f, &narrow)) {
                // Above the largest number of f32 there is infinity, and below the normal ones digits are lost.
                let rounded = a as f32;
                let (a, b) = (f64::from(rounded), f64::from(b));
                let close = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 3e-7 * a.abs().max(1e-38);
                assert!(close || matches!(f, Function::Sin | Function::Cos), "{f:?} at {x}: {a}, {b}");
            }
        }
    }

    #[test]
    fn slopes_agree_with_differences_and_what_is_no_number_stays_none() {
        for f in ALL {
            for x in [0.3, 1.9, 2.4f64] {
                let at = |x: f64| value(f, &[x])[0];
                let of = if f.slope_by_value() { at(x) } else { x };
                let slope = gradient(f, &[of], &[1.0]).unwrap()[0];
                assert!(((at(x + 1e-6) - at(x - 1e-6)) / 2e-6 - slope).abs() < 1e-8, "{f:?} at {x}");
                let narrow = gradient(f, &[of as f32], &[1.0f32]).unwrap()[0];
                assert!((f64::from(narrow) - slope).abs() < 1e-6, "{f:?} at {x}");
            }
            assert!(value(f, &[f32::NAN])[0].is_nan() && value(f, &[f64::NAN])[0].is_nan(), "{f:?}");
            assert!(gradient(f, &[1.0f32], &[]).is_err());
        }
    }
}
