//! Vectors of `f32` as wide as the machine has them, chosen when the program runs.
//!
//! A kernel is written once as a [`Task`], generic over [`Lanes`]; [`run`] compiles it for AVX-512, for AVX2 with FMA
//! and for any machine, and calls the widest one that this machine executes. The environment variable `RORD_SIMD`
//! (`avx512`, `avx2`, `portable`) asks for a narrower one, for tests and for doubts about results.

#![allow(unsafe_code)]
// Everything here is unsafe for one of two reasons, which hold for the whole folder and are not repeated at each call:
// a function of `Lanes` may be called only where the machine executes its instructions, which `run` sees to; and a
// pointer must be valid for the numbers that a function documents as touched, which the kernel that computes the
// pointer states.
#![allow(clippy::missing_safety_doc)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
mod portable;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The number of the instructions in use in [`Simd::ALL`]; none of them before they are chosen.
static CHOSEN: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Whether every machine is to compute the same bits.
static SAME_BITS: AtomicBool = AtomicBool::new(false);

/// What a record has in place of instructions where every machine computes the same bits.
pub const REPRODUCIBLE: &str = "reproducible";

/// The environment variable that asks for instructions.
pub const VARIABLE: &str = "RORD_SIMD";

/// A vector of `f32`. No call may be made but under [`run`]; pointers need no alignment.
pub trait Lanes: Copy {
    /// Numbers in a vector.
    const N: usize;
    /// Whether `a.mul_add(b, c)` is one instruction here; elsewhere it is a call, and many times slower than two.
    const FUSED: bool;
    /// Rows of accumulators, two vectors each, that fit in the registers beside what a product reads.
    const ROWS: usize;

    /// `x` in every lane.
    unsafe fn splat(x: f32) -> Self;
    /// The `N` numbers at `p`.
    unsafe fn load(p: *const f32) -> Self;
    /// The `n < N` numbers at `p`, then zeros.
    unsafe fn load_part(p: *const f32, n: usize) -> Self;
    /// Writes `N` numbers to `p`.
    unsafe fn store(self, p: *mut f32);
    /// Writes the first `n < N` numbers to `p`.
    unsafe fn store_part(self, p: *mut f32, n: usize);
    /// `self + b`
    unsafe fn add(self, b: Self) -> Self;
    /// `self - b`
    unsafe fn sub(self, b: Self) -> Self;
    /// `self · b`
    unsafe fn mul(self, b: Self) -> Self;
    /// `a · b + self`
    unsafe fn plus(self, a: Self, b: Self) -> Self;
    /// `self - a · b`
    unsafe fn minus(self, a: Self, b: Self) -> Self;
    /// `self` where it is above 0 or not a number, else 0.
    unsafe fn rectified(self) -> Self;
    /// `self` where `by` is above 0 or not a number, else 0.
    unsafe fn where_positive(self, by: Self) -> Self;
    /// Of the best so far with what is kept of it, and of another with what would be kept of that: lane by lane the other where it is
    /// larger or not a number.
    unsafe fn larger(best: [Self; 2], other: [Self; 2]) -> [Self; 2];
    /// `self` where the byte of that lane, of `N` at `cells`, is `cell`, else 0.
    unsafe fn where_cell(self, cells: *const u8, cell: u8) -> Self;
    /// The largest of four in every lane, rectified, and at `cells` for each of the `N` lanes the number of the first
    /// that is as large, or 4 where none is above 0. Of what is not a number the first counts as the largest.
    unsafe fn largest(of: [Self; 4], cells: *mut u8) -> Self;
    /// The sum of the lanes, in a fixed order.
    unsafe fn total(self) -> f32;
}

/// The `n` numbers at `p`: a vector, or what there is of one.
#[inline(always)]
pub(crate) unsafe fn take<L: Lanes>(p: *const f32, n: usize) -> L {
    unsafe { if n == L::N { L::load(p) } else { L::load_part(p, n) } }
}

/// Writes the first `n` numbers to `p`.
#[inline(always)]
pub(crate) unsafe fn put<L: Lanes>(x: L, p: *mut f32, n: usize) {
    unsafe { if n == L::N { x.store(p) } else { x.store_part(p, n) } }
}

/// What is compiled for each kind of vector. `run` must be `#[inline(always)]`, as must all it calls with `L`.
pub trait Task {
    /// What it gives.
    type Out;
    /// Does it.
    ///
    /// # Safety
    /// The machine executes the instructions of `L`.
    unsafe fn run<L: Lanes>(self) -> Self::Out;
}

/// A closure as a task: loops that the compiler makes vectors of.
pub struct Closure<F>(pub F);

impl<F: FnOnce() -> R, R> Task for Closure<F> {
    type Out = R;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> R {
        (self.0)()
    }
}

/// The instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Simd {
    /// What every machine of this architecture executes: 4 numbers.
    Portable,
    /// AVX2 and FMA: 8 numbers.
    Avx2,
    /// AVX-512 F, BW and VL: 16 numbers.
    Avx512,
}

impl Simd {
    /// All, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Its name, as in `RORD_SIMD`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// True where this machine executes it.
    pub fn runs_here(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && Self::Avx2.runs_here()
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// True where it is [`Simd::Avx512`] and this machine multiplies bfloat16 numbers with it.
    pub fn multiplies_bf16(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => self.runs_here() && is_x86_feature_detected!("avx512bf16"),
            _ => false,
        }
    }

    /// The one in use: the widest this machine executes, or the one `RORD_SIMD` names if it does.
    pub fn chosen() -> Self {
        if let Some(known) = Self::ALL.get(CHOSEN.load(Ordering::Relaxed)) {
            return *known;
        }
        let chosen = Self::asked().ok().flatten().unwrap_or_else(Self::widest);
        // They stand in their order in the list of all.
        CHOSEN.store(chosen as usize, Ordering::Relaxed);
        chosen
    }

    /// The name of the one in use, for records: [`REPRODUCIBLE`] after [`Simd::reproduce`].
    pub fn in_use() -> &'static str {
        if Self::reproduces() { REPRODUCIBLE } else { Self::chosen().name() }
    }

    /// From now on every machine computes the same bits: with the instructions that all have, and every sum in one order. To be
    /// called before anything is computed.
    pub fn reproduce() {
        SAME_BITS.store(true, Ordering::Relaxed);
        CHOSEN.store(Self::Portable as usize, Ordering::Relaxed);
    }

    /// Whether [`Simd::reproduce`] was called.
    pub fn reproduces() -> bool {
        SAME_BITS.load(Ordering::Relaxed)
    }

    /// The one that `RORD_SIMD` names, if it is set; an error with its text where this machine executes none of that
    /// name.
    pub fn asked() -> Result<Option<Self>, String> {
        let Some(text) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let named = Self::ALL.into_iter().find(|s| s.runs_here() && text == s.name());
        named.map(Some).ok_or_else(|| text.to_string_lossy().into_owned())
    }

    fn widest() -> Self {
        Self::ALL.into_iter().rev().find(|s| s.runs_here()).unwrap_or(Self::Portable)
    }

    /// Numbers in a vector, and rows of accumulators: [`Lanes::N`] and [`Lanes::ROWS`].
    pub fn shape(self) -> (usize, usize) {
        match if self.runs_here() { self } else { Self::Portable } {
            Self::Portable => (portable::Four::N, portable::Four::ROWS),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => (avx2::Eight::N, avx2::Eight::ROWS),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => (avx512::Sixteen::N, avx512::Sixteen::ROWS),
            #[cfg(not(target_arch = "x86_64"))]
            _ => (portable::Four::N, portable::Four::ROWS),
        }
    }
}

/// Does `task` with the instructions `simd`; with those that every machine has if this one does not execute them.
#[inline]
pub fn run<T: Task>(simd: Simd, task: T) -> T::Out {
    // SAFETY: each arm is taken only where the machine was asked for the instructions it is compiled with. Features are
    // looked up in a table that std fills once, so asking costs a load.
    unsafe {
        match simd {
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 if simd.runs_here() => with_avx512(task),
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 if simd.runs_here() => with_avx2(task),
            _ => task.run::<portable::Four>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma")]
unsafe fn with_avx512<T: Task>(task: T) -> T::Out {
    unsafe { task.run::<avx512::Sixteen>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn with_avx2<T: Task>(task: T) -> T::Out {
    unsafe { task.run::<avx2::Eight>() }
}

#[cfg(test)]
mod tests;
