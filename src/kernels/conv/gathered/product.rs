//! The product at the heart of all three passes: sums of numbers that lie at given places, times lines of a matrix.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone
#![allow(clippy::indexing_slicing, clippy::needless_range_loop)] // arrays of constant size

#[cfg(target_arch = "x86_64")]
use super::half;
use crate::simd::{Lanes, Simd, Task, put, run, take};

/// What a sum begins with.
#[derive(Clone, Copy)]
pub enum Begin {
    /// Nothing.
    Zero,
    /// A number for each column.
    Bias(*const f32),
    /// What is there.
    There,
}

/// How factors are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    /// Numbers as they are.
    Single,
    /// Words of two numbers, rounded to bfloat16, whose products are both added: the machine must do that.
    Rounded,
}

impl Factors {
    /// Numbers in a word.
    pub fn numbers(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Rounded => 2,
        }
    }
}

/// What is done with two factors.
pub trait Multiply<L> {
    /// `sum` + a · b
    ///
    /// # Safety
    /// The machine executes what it is compiled for.
    unsafe fn plus(sum: L, a: L, b: L) -> L;
}

/// As they are.
struct Plain;

impl<L: Lanes> Multiply<L> for Plain {
    #[inline(always)]
    unsafe fn plus(sum: L, a: L, b: L) -> L {
        unsafe { sum.plus(a, b) }
    }
}

/// For each line (x, to), row i and column c:  to[i·to_step + c] = begin + Σₖ x[i·step + at[k]] · m[k, c].
///
/// Columns lie in panels of 2N: line k of panel p begins at `m + p·panel_step + k·m_step`. Of rounded factors two lie in the place of
/// one, those of k and of the next.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    /// Where numbers are read.
    pub x: *const f32,
    /// From a row to the next.
    pub step: usize,
    /// Rows of each line.
    pub rows: usize,
    /// The places of a row's numbers.
    pub at: &'a [usize],
    /// The matrix.
    pub m: *const f32,
    pub m_step: usize,
    pub panel_step: usize,
    /// Columns of it.
    pub columns: usize,
    /// Where sums go.
    pub to: *mut f32,
    pub to_step: usize,
    pub begin: Begin,
    pub factors: Factors,
    /// Where each line begins in `x` and in `to`.
    pub lines: &'a [(usize, usize)],
}

impl Task for Product<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        unsafe { self.by::<Plain, L>() }
    }
}

/// Rows that are summed at a time: as many of those that fit the registers as leave the fewest over.
fn fewest(most: usize, rows: usize) -> usize {
    let all: &[usize] = match most {
        // Of more than 8 the compiler keeps the sums in memory, which takes three times as long.
        14 => &[8, 7, 6, 5, 4],
        6 => &[6, 5, 4],
        _ => &[4],
    };
    // Each block reads its lines of the matrix anew.
    let cost = |r: &usize| rows.div_ceil(*r) * (*r + 1);
    all.iter().copied().filter(|r| *r <= rows).min_by_key(cost).unwrap_or(1)
}

impl Product<'_> {
    /// Does it.
    ///
    /// # Safety
    /// The pointers are valid for what [`Product`] describes.
    pub unsafe fn run(self, simd: Simd) {
        match self.factors {
            // SAFETY: words are made where the machine multiplies them; the pointers are the caller's, as for numbers.
            #[cfg(target_arch = "x86_64")]
            Factors::Rounded if Simd::Avx512.multiplies_bf16() => unsafe { half::vectors::run(self) },
            _ => run(simd, self),
        }
    }

    #[inline(always)]
    pub(super) unsafe fn by<F: Multiply<L>, L: Lanes>(self) {
        unsafe {
            match (L::ROWS, fewest(L::ROWS, self.rows)) {
                (14, 8) => self.all::<F, L, 8>(),
                (14, 7) => self.all::<F, L, 7>(),
                (6 | 14, 6) => self.all::<F, L, 6>(),
                (6 | 14, 5) => self.all::<F, L, 5>(),
                (_, 4) => self.all::<F, L, 4>(),
                _ => self.all::<F, L, 1>(),
            }
        }
    }

    #[inline(always)]
    unsafe fn all<F: Multiply<L>, L: Lanes, const R: usize>(&self) {
        for panel in 0..self.columns.div_ceil(2 * L::N) {
            let left = self.columns - panel * 2 * L::N;
            for line in self.lines {
                for first in (0..self.rows).step_by(R) {
                    // The last block reaches back over rows that are there already: what it read beyond the end might not be there.
                    let from = first.min(self.rows - R);
                    let place = (panel, *line, from, first - from);
                    unsafe {
                        if left >= 2 * L::N {
                            self.block::<F, L, R, 2>(place, 0, L::N);
                        } else {
                            self.block::<F, L, R, 1>(place, 0, left.min(L::N));
                            if left > L::N {
                                self.block::<F, L, R, 1>(place, L::N, left - L::N);
                            }
                        }
                    }
                }
            }
        }
    }

    /// `V` vectors of `n` columns, from `column` of the panel on, of `R` rows, of which the first `skip` are not written.
    #[inline(always)]
    unsafe fn block<F: Multiply<L>, L: Lanes, const R: usize, const V: usize>(
        &self,
        (panel, line, row, skip): (usize, (usize, usize), usize, usize),
        column: usize,
        n: usize,
    ) {
        unsafe {
            let x = self.x.wrapping_add(line.0 + row * self.step);
            let m = self.m.wrapping_add(panel * self.panel_step + column);
            let to = self.to.add(line.1 + row * self.to_step + panel * 2 * L::N + column);
            let mut sums = [[L::splat(0.0); V]; R];
            match self.begin {
                Begin::Zero => {}
                Begin::Bias(bias) => {
                    let mut first = [L::splat(0.0); V];
                    for (v, first) in first.iter_mut().enumerate() {
                        *first = take(bias.add(panel * 2 * L::N + column + v * L::N), n);
                    }
                    sums = [first; R];
                }
                Begin::There => {
                    for (i, sums) in sums.iter_mut().enumerate() {
                        for (v, sum) in sums.iter_mut().enumerate() {
                            *sum = take(to.add(i * self.to_step + v * L::N), n);
                        }
                    }
                }
            }
            let step = self.step;
            for (k, at) in self.at.iter().enumerate() {
                let (p, m) = (x.add(*at), m.add(k * self.m_step));
                let mut line = [L::splat(0.0); V];
                for v in 0..V {
                    line[v] = take(m.add(v * L::N), n);
                }
                for i in 0..R {
                    let a = L::splat(*p.add(i * step));
                    sums[i][0] = F::plus(sums[i][0], a, line[0]);
                    if V > 1 {
                        sums[i][V - 1] = F::plus(sums[i][V - 1], a, line[V - 1]);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate().skip(skip) {
                for (v, sum) in sums.iter().enumerate() {
                    put(*sum, to.add(i * self.to_step + v * L::N), n);
                }
            }
        }
    }
}
