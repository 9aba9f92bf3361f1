//! The two numbers a kernel computes with, `f32` and `f64`, behind one trait.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::simd::Lanes;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`.
pub trait Float:
    sealed::Sealed
    + Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The nearest number of this type.
    fn of(x: f64) -> Self;
    /// The same number as `f64`.
    fn wide(self) -> f64;
    /// The square root.
    fn root(self) -> Self;
    /// `e` to this power.
    fn exponential(self) -> Self;
    /// `e` to this power without a branch, as loops over vectors want it: in `f32` within a rounding or two of the exact
    /// number, and beyond the range of normal numbers its smallest, or near its largest.
    fn power<L: Lanes>(self) -> Self;
    /// The natural logarithm.
    fn logarithm(self) -> Self;
    /// The natural logarithm of what is not below 0, without a branch, as loops over vectors want it: in `f32` within 3e-7 of it.
    fn natural<L: Lanes>(self) -> Self;
    /// The largest whole number that is not above this one.
    fn whole(self) -> Self;
    /// The larger of two numbers; the other one where this is not a number.
    fn larger(self, other: Self) -> Self;
    /// The same slice, if these are `f32`: what the vector kernels are written for.
    fn single(x: &[Self]) -> Option<&[f32]>;
    /// The same numbers as this type, if it is `f32`.
    fn of_single(x: Vec<f32>) -> Option<Vec<Self>>;
}

impl Float for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    fn of(x: f64) -> Self {
        x as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn exponential(self) -> Self {
        self.exp()
    }
    #[inline(always)]
    fn power<L: Lanes>(self) -> Self {
        crate::curve::exp32::<L>(self)
    }
    fn logarithm(self) -> Self {
        self.ln()
    }
    #[inline(always)]
    fn natural<L: Lanes>(self) -> Self {
        crate::curve::log32::<L>(self)
    }
    fn whole(self) -> Self {
        self.floor()
    }
    fn larger(self, other: Self) -> Self {
        self.max(other)
    }
    fn single(x: &[Self]) -> Option<&[f32]> {
        Some(x)
    }
    fn of_single(x: Vec<f32>) -> Option<Vec<Self>> {
        Some(x)
    }
}

impl Float for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    fn of(x: f64) -> Self {
        x
    }
    fn wide(self) -> f64 {
        self
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn exponential(self) -> Self {
        self.exp()
    }
    fn power<L: Lanes>(self) -> Self {
        self.exp()
    }
    fn logarithm(self) -> Self {
        self.ln()
    }
    fn natural<L: Lanes>(self) -> Self {
        self.ln()
    }
    fn whole(self) -> Self {
        self.floor()
    }
    fn larger(self, other: Self) -> Self {
        self.max(other)
    }
    fn single(_: &[Self]) -> Option<&[f32]> {
        None
    }
    fn of_single(_: Vec<f32>) -> Option<Vec<Self>> {
        None
    }
}
