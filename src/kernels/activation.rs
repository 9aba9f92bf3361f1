//! Activations of networks, number by number: `gelu`, `silu`, `tanh` and a leaky rectifier, with their slopes.
//!
//! In `f32` a curve is within 1e-6 of the exact number, relative to the larger of it and 1.

use crate::curve::{Curve, exp32, gradient_of, size, value_of, within};
use crate::simd::Lanes;
use crate::{Float, Mismatch};

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x above 0, else x times this.
    Leaky(f64),
    /// x · Φ(x), Φ being the normal distribution's.
    Gelu,
    /// x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
    GeluTanh,
    /// x / (1 + e⁻ˣ).
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

/// Calls `$f` with the curve as a type.
macro_rules! with_curve {
    ($activation:expr, |$curve:ident| $f:expr) => {
        match $activation {
            Activation::Leaky(slope) => {
                let $curve = Leaky(slope);
                $f
            }
            Activation::Gelu => {
                let $curve = Gelu;
                $f
            }
            Activation::GeluTanh => {
                let $curve = GeluTanh;
                $f
            }
            Activation::Silu => {
                let $curve = Silu;
                $f
            }
            Activation::Tanh => {
                let $curve = Tanh;
                $f
            }
        }
    };
}

/// The curve at every number.
pub fn value<T: Float>(activation: Activation, x: &[T]) -> Vec<T> {
    with_curve!(activation, |curve| value_of(curve, x))
}

/// The gradient of the numbers `x`, given that of their values.
pub fn gradient<T: Float>(activation: Activation, x: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    with_curve!(activation, |curve| gradient_of(curve, x, grad))
}

#[derive(Clone, Copy)]
struct Leaky(f64);
#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct GeluTanh;
#[derive(Clone, Copy)]
struct Silu;
#[derive(Clone, Copy)]
struct Tanh;

impl Curve for Leaky {
    fn value(self, x: f64) -> f64 {
        if x <= 0.0 { x * self.0 } else { x }
    }
    fn slope(self, x: f64) -> f64 {
        if x <= 0.0 { self.0 } else { 1.0 }
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        if x <= 0.0 { x * self.0 as f32 } else { x }
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        if x <= 0.0 { self.0 as f32 } else { 1.0 }
    }
}

/// 1/√(2π)
const NORMAL: f64 = 0.398_942_280_401_432_7;

impl Curve for Gelu {
    fn value(self, x: f64) -> f64 {
        x * normal(x)
    }
    fn slope(self, x: f64) -> f64 {
        normal(x) + x * NORMAL * (-0.5 * x * x).exp()
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        x * normal32::<L>(x).0
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        let (area, bell) = normal32::<L>(x);
        area + x * NORMAL as f32 * bell
    }
}

/// √(2/π), and the factor of the cube.
const BEND: (f64, f64) = (0.797_884_560_802_865_4, 0.044_715);

impl Curve for GeluTanh {
    fn value(self, x: f64) -> f64 {
        0.5 * x * (1.0 + (BEND.0 * (x + BEND.1 * x * x * x)).tanh())
    }
    fn slope(self, x: f64) -> f64 {
        let t = (BEND.0 * (x + BEND.1 * x * x * x)).tanh();
        0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * BEND.0 * (1.0 + 3.0 * BEND.1 * x * x)
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        0.5 * x * (1.0 + tanh32::<L>(bent(x)))
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        // Far from 0 the curve is straight, and its bend would be 0 times infinity.
        let near = within(x, -20.0, 20.0);
        let t = tanh32::<L>(bent(near));
        let bend = (1.0 - t * t) * BEND.0 as f32 * (1.0 + 3.0 * BEND.1 as f32 * near * near);
        0.5 * (1.0 + t) + 0.5 * near * bend
    }
}

#[inline(always)]
fn bent(x: f32) -> f32 {
    BEND.0 as f32 * (x + BEND.1 as f32 * x * x * x)
}

impl Curve for Silu {
    fn value(self, x: f64) -> f64 {
        x / (1.0 + (-x).exp())
    }
    fn slope(self, x: f64) -> f64 {
        let s = 1.0 / (1.0 + (-x).exp());
        s * (1.0 + x * (1.0 - s))
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        x / (1.0 + exp32::<L>(-x))
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        let s = 1.0 / (1.0 + exp32::<L>(-x));
        s * (1.0 + x * (1.0 - s))
    }
}

impl Curve for Tanh {
    fn value(self, x: f64) -> f64 {
        x.tanh()
    }
    fn slope(self, x: f64) -> f64 {
        let y = x.tanh();
        1.0 - y * y
    }
    #[inline(always)]
    fn value32<L: Lanes>(self, x: f32) -> f32 {
        tanh32::<L>(x)
    }
    #[inline(always)]
    fn slope32<L: Lanes>(self, x: f32) -> f32 {
        // 1 - tanh² without the difference of two numbers near 1.
        let e = exp32::<L>(-2.0 * size(x));
        4.0 * e / ((1.0 + e) * (1.0 + e))
    }
}

/// Φ(x), the share of a normal distribution below x.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// Φ(x) and exp(-x²/2). Abramowitz and Stegun, 7.1.26: erfc to 1.5e-7.
#[inline(always)]
fn normal32<L: Lanes>(x: f32) -> (f32, f32) {
    let z = size(x) * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let bell = exp32::<L>(-z * z);
    let tail = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let half = 0.5 * tail * bell;
    (if x <= 0.0 { half } else { 1.0 - half }, bell)
}

/// Cephes' tanhf: a polynomial near 0, and the exponential beyond.
// The coefficients as published.
#[allow(clippy::excessive_precision)]
#[inline(always)]
fn tanh32<L: Lanes>(x: f32) -> f32 {
    let z = x * x;
    let p = (((-5.704_988_7e-3 * z + 2.063_908_9e-2) * z - 5.373_971_6e-2) * z + 1.333_144_2e-1) * z - 3.333_328e-1;
    let near = x + x * z * p;
    let e = exp32::<L>(-2.0 * size(x));
    let far = (1.0 - e) / (1.0 + e);
    let far = if x < 0.0 { -far } else { far };
    if size(x) < 0.625 { near } else { far }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const ALL: [Activation; 5] =
        [Activation::Leaky(0.1), Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Tanh];

    #[test]
    fn f32_is_near_f64_everywhere() {
        let wide: Vec<f64> = (-40_000..=40_000).map(|i| f64::from(i as f32 * 5e-4)).chain([-1e4, 1e4, 0.0]).collect();
        let narrow: Vec<f32> = wide.iter().map(|x| *x as f32).collect();
        let ones = (vec![1.0f64; wide.len()], vec![1.0f32; wide.len()]);
        for f in ALL {
            let slopes = (gradient(f, &wide, &ones.0).unwrap(), gradient(f, &narrow, &ones.1).unwrap());
            for (what, a, b) in [("value", value(f, &wide), value(f, &narrow)), ("slope", slopes.0, slopes.1)] {
                for ((x, a), b) in wide.iter().zip(&a).zip(&b) {
                    let error = (a - f64::from(*b)).abs() / a.abs().max(1.0);
                    assert!(error < 2e-6, "{f:?}, {what} at {x}: {a}, {b}");
                }
            }
        }
    }

    #[test]
    fn slopes_agree_with_differences_and_what_is_no_number_stays_none() {
        for f in ALL {
            for x in [-3.0, -0.7, 0.3, 1.9f64] {
                let at = |x: f64| value(f, &[x])[0];
                let slope = gradient(f, &[x], &[1.0]).unwrap()[0];
                assert!(((at(x + 1e-6) - at(x - 1e-6)) / 2e-6 - slope).abs() < 1e-8, "{f:?} at {x}");
            }
            assert!(value(f, &[f32::NAN])[0].is_nan() && value(f, &[f64::NAN])[0].is_nan(), "{f:?}");
            assert!(gradient(f, &[1.0f32], &[]).is_err());
        }
    }
}
