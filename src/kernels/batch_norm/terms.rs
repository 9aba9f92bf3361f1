//! What each pass does with a place of a piece.
#![allow(unsafe_code)]

use super::columns::Term;
use crate::simd::{Lanes, put, take};

/// Numbers that are read.
#[derive(Clone, Copy)]
pub(super) struct Read(pub *const f32);

/// Numbers that are written.
#[derive(Clone, Copy)]
pub(super) struct Write(pub *mut f32);

impl Read {
    #[inline(always)]
    unsafe fn take<L: Lanes>(self, at: usize, n: usize) -> L {
        unsafe { take(self.0.add(at), n) }
    }
}

/// x, summed.
pub(super) struct Plain(pub Read);

impl Term<0, 1> for Plain {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, _: [L; 0], at: usize, n: usize) -> [L; 1] {
        unsafe { [self.0.take(at, n)] }
    }
}

/// What x is apart from the mean, and its square, summed.
pub(super) struct Apart(pub Read);

impl Term<1, 2> for Apart {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, [mean]: [L; 1], at: usize, n: usize) -> [L; 2] {
        unsafe {
            let apart = self.0.take::<L>(at, n).sub(mean);
            [apart, apart.mul(apart)]
        }
    }
}

/// y = (x - mean)·scale + shift, rectified or not, written.
pub(super) struct Value {
    pub x: Read,
    pub out: Write,
    pub rectified: bool,
}

impl Term<3, 0> for Value {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, [mean, scale, shift]: [L; 3], at: usize, n: usize) -> [L; 0] {
        unsafe {
            let y = shift.plus(self.x.take::<L>(at, n).sub(mean), scale);
            let y = if self.rectified { y.rectified() } else { y };
            put(y, self.out.0.add(at), n);
        }
        []
    }
}

/// The gradient that passed the rectifier, and x - mean.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub x: Read,
    pub grad: Read,
    pub rectified: bool,
}

impl Passed {
    #[inline(always)]
    unsafe fn of<L: Lanes>(&self, [mean, scale, shift]: [L; 3], at: usize, n: usize) -> (L, L) {
        unsafe {
            let apart = self.x.take::<L>(at, n).sub(mean);
            let grad = self.grad.take::<L>(at, n);
            (if self.rectified { grad.where_positive(shift.plus(apart, scale)) } else { grad }, apart)
        }
    }
}

/// Σ g and Σ g·(x - mean).
pub(super) struct Sums(pub Passed);

impl Term<3, 2> for Sums {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, known: [L; 3], at: usize, n: usize) -> [L; 2] {
        unsafe {
            let (grad, apart) = self.0.of(known, at, n);
            [grad, grad.mul(apart)]
        }
    }
}

/// a·g + b·(x - mean) + c, written.
pub(super) struct Gradient {
    pub passed: Passed,
    pub out: Write,
}

impl Term<6, 0> for Gradient {
    #[inline(always)]
    unsafe fn at<L: Lanes>(&self, [mean, scale, shift, a, b, c]: [L; 6], at: usize, n: usize) -> [L; 0] {
        unsafe {
            let (grad, apart) = self.passed.of([mean, scale, shift], at, n);
            put(c.plus(a, grad).plus(b, apart), self.out.0.add(at), n);
        }
        []
    }
}
