//! One function of one number with its slope, at every number of a slice.
//!
//! In `f32` a curve is made of polynomials without a branch, which the compiler turns into vectors as wide as
//! [`simd`](crate::simd) chooses; in `f64` it is as exact as the library's functions.

use std::mem::MaybeUninit;

use crate::fresh::made;
use crate::simd::{Lanes, Simd, Task, run};
use crate::{Float, Mismatch, length, map, parts};

/// Numbers that one task takes.
const BLOCK: usize = 1 << 13;

/// The curve at every number.
pub(crate) fn value_of<T: Float>(curve: impl Curve, x: &[T]) -> Vec<T> {
    if let Some(x) = T::single(x) {
        // SAFETY: the blocks cover all numbers, and each writes all of its own.
        #[allow(unsafe_code)]
        let out = unsafe {
            made(x.len(), |out| {
                parts::chunks(out, BLOCK, parts::CURVE, |at, out| {
                    let x = x.get(at..at + out.len()).unwrap_or_default();
                    run(Simd::chosen(), Values { curve, x, out });
                });
            })
        };
        return T::of_single(out).unwrap_or_default();
    }
    map::one(x, |x| T::of(curve.value(x.wide())))
}

/// Its slope at every number of `x`, times the number of `grad` there.
pub(crate) fn gradient_of<T: Float>(curve: impl Curve, x: &[T], grad: &[T]) -> Result<Vec<T>, Mismatch> {
    length("gradient", grad, x.len())?;
    if let (Some(x), Some(grad)) = (T::single(x), T::single(grad)) {
        // SAFETY: as above; `grad` is as long as `x`.
        #[allow(unsafe_code)]
        let out = unsafe {
            made(x.len(), |out| {
                parts::chunks(out, BLOCK, parts::CURVE, |at, out| {
                    let range = at..at + out.len();
                    let (x, grad) = (x.get(range.clone()).unwrap_or_default(), grad.get(range).unwrap_or_default());
                    run(Simd::chosen(), Slopes { curve, x, grad, out });
                });
            })
        };
        return Ok(T::of_single(out).unwrap_or_default());
    }
    map::two(x, grad, |x, grad| T::of(curve.slope(x.wide())) * grad)
}

/// A block of values.
struct Values<'a, C> {
    curve: C,
    x: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
}

impl<C: Curve> Task for Values<'_, C> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for (out, x) in self.out.iter_mut().zip(self.x) {
            out.write(self.curve.value32::<L>(*x));
        }
    }
}

/// A block of gradients.
struct Slopes<'a, C> {
    curve: C,
    x: &'a [f32],
    grad: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
}

impl<C: Curve> Task for Slopes<'_, C> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        for (out, (x, grad)) in self.out.iter_mut().zip(self.x.iter().zip(self.grad)) {
            out.write(self.curve.slope32::<L>(*x) * *grad);
        }
    }
}

/// A function of one number. What is not a number stays none.
pub(crate) trait Curve: Copy + Sync {
    /// Its value.
    fn value(self, x: f64) -> f64;
    /// Its slope.
    fn slope(self, x: f64) -> f64;
    /// Its value, without a branch.
    fn value32<L: Lanes>(self, x: f32) -> f32;
    /// Its slope, without a branch.
    fn slope32<L: Lanes>(self, x: f32) -> f32;
}

/// |x|
#[inline(always)]
pub(crate) fn size(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0x7fff_ffff)
}

/// `x` or the nearest end; what is not a number stays none.
#[inline(always)]
pub(crate) fn within(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// Added and taken off again, this rounds to a whole number, which then is in the low bits of the sum.
const SHIFT: f32 = 12_582_912.0;

/// a·b + c, rounded once where the machine does that in one instruction.
#[inline(always)]
pub(crate) fn plus<L: Lanes>(a: f32, b: f32, c: f32) -> f32 {
    if L::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The polynomial with these coefficients, that of the highest power first, at `x`.
#[inline(always)]
pub(crate) fn polynomial<L: Lanes, const N: usize>(x: f32, of: [f32; N]) -> f32 {
    of.into_iter().reduce(|sum, next| plus::<L>(sum, x, next)).unwrap_or_default()
}

/// Cephes' expf; beyond the range of `f32` its smallest normal number, or near its largest.
#[inline(always)]
pub(crate) fn exp32<L: Lanes>(x: f32) -> f32 {
    let (p, bits) = exp32_parts::<L>(within(x, -87.0, 88.0));
    p * f32::from_bits((bits << 23).wrapping_add(0x3f80_0000))
}

/// eˣ as p·2ⁿ: p, and the bits of n + [`SHIFT`].
#[inline(always)]
fn exp32_parts<L: Lanes>(x: f32) -> (f32, u32) {
    let shifted = plus::<L>(x, std::f32::consts::LOG2_E, SHIFT);
    let n = shifted - SHIFT;
    let r = plus::<L>(n, 2.121_944_4e-4, plus::<L>(n, -0.693_359_4, x));
    let p = polynomial::<L, 6>(r, [1.987_569_2e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
    (plus::<L>(p, r * r, r) + 1.0, shifted.to_bits())
}

/// e to the power of `x` over the whole range of `f32`: 0 and infinity where they belong, and numbers below the normal ones.
#[inline(always)]
pub(crate) fn exp32_whole<L: Lanes>(x: f32) -> f32 {
    let x = within(x, -104.0, 89.0);
    let (p, bits) = exp32_parts::<L>(x);
    // 2ⁿ as the product of two, since n may lie beyond the exponents of normal numbers.
    let n = bits.wrapping_sub(SHIFT.to_bits()) as i32;
    let two_to = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    let half = n >> 1;
    p * two_to(half) * two_to(n - half)
}

/// Cephes' logf for x ≥ 0: -infinity at 0, infinity of infinity.
// The coefficients as published.
#[allow(clippy::excessive_precision)]
#[inline(always)]
pub(crate) fn log32<L: Lanes>(x: f32) -> f32 {
    // Numbers below the normal ones are brought among them.
    let small = x < f32::MIN_POSITIVE;
    let near = if small { x * 8_388_608.0 } else { x };
    let bits = near.to_bits();
    // The mantissa within √½ and √2, and its power of 2.
    let shifted = bits.wrapping_sub(0x3f35_04f3) as i32;
    let power = (shifted >> 23) as f32 - if small { 23.0 } else { 0.0 };
    let m = f32::from_bits(bits.wrapping_sub((shifted as u32) & 0xff80_0000)) - 1.0;
    let z = m * m;
    let first = [7.037_683_6e-2, -1.151_461_03e-1, 1.167_699_87e-1, -1.242_014_08e-1, 1.424_932_28e-1];
    let then = [-1.666_805_77e-1, 2.000_071_48e-1, -2.499_999_4e-1, 3.333_333_1e-1];
    let p = then.into_iter().fold(polynomial::<L, 5>(m, first), |sum, next| plus::<L>(sum, m, next)) * m * z;
    let y = m + (plus::<L>(power, -2.121_944_4e-4, p) - 0.5 * z);
    let y = plus::<L>(power, 0.693_359_375, y);
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    // Infinity and what is no number stay.
    if x < f32::INFINITY { y } else { x }
}

/// log(1 + z) for z within 0 and 1, right to the last digits where z is small: 2·artanh(z / (2 + z)) as a series.
#[inline(always)]
pub(crate) fn log1p32<L: Lanes>(z: f32) -> f32 {
    let s = z / (2.0 + z);
    let of = [1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
    2.0 * s * polynomial::<L, 8>(s * s, of)
}
