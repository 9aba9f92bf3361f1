//! Sixteen numbers in an AVX-512 register.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::Lanes;

/// Sixteen numbers.
#[derive(Clone, Copy)]
pub struct Sixteen(__m512);

impl Sixteen {
    /// `self` + a · b of words of two bfloat16 numbers: both products are added.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn plus_pairs(self, a: Self, b: Self) -> Self {
        let words = |x: Self| unsafe { std::mem::transmute::<__m512, __m512bh>(x.0) };
        Self(_mm512_dpbf16_ps(self.0, words(a), words(b)))
    }
}

/// A bit for each of the first `n < 16` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    (1u16 << n) - 1
}

impl Lanes for Sixteen {
    const N: usize = 16;
    const FUSED: bool = true;
    const ROWS: usize = 14;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Self(unsafe { _mm512_loadu_ps(p) })
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self {
        Self(unsafe { _mm512_maskz_loadu_ps(first(n), p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { _mm512_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        unsafe { _mm512_mask_storeu_ps(p, first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Self(unsafe { _mm512_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Self(unsafe { _mm512_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Self(unsafe { _mm512_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn plus(self, a: Self, b: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }
    #[inline(always)]
    unsafe fn minus(self, a: Self, b: Self) -> Self {
        Self(unsafe { _mm512_fnmadd_ps(a.0, b.0, self.0) })
    }
    #[inline(always)]
    unsafe fn rectified(self) -> Self {
        // The second operand is given where one is not a number.
        Self(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
    }
    #[inline(always)]
    unsafe fn where_positive(self, by: Self) -> Self {
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(by.0, _mm512_setzero_ps());
            Self(_mm512_maskz_mov_ps(positive, self.0))
        }
    }
    #[inline(always)]
    unsafe fn larger([best, at]: [Self; 2], [x, here]: [Self; 2]) -> [Self; 2] {
        unsafe {
            let lost = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x.0, x.0);
            let better = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x.0, best.0) | lost;
            [Self(_mm512_mask_mov_ps(best.0, better, x.0)), Self(_mm512_mask_mov_ps(at.0, better, here.0))]
        }
    }
    #[inline(always)]
    unsafe fn where_cell(self, cells: *const u8, cell: u8) -> Self {
        unsafe {
            let same = _mm_cmpeq_epi8_mask(_mm_loadu_si128(cells.cast()), _mm_set1_epi8(cell as i8));
            Self(_mm512_maskz_mov_ps(same, self.0))
        }
    }
    #[inline(always)]
    unsafe fn largest(of: [Self; 4], cells: *mut u8) -> Self {
        unsafe {
            let [a, b, c, d] = of;
            let (mut best, mut cell) = (a.0, _mm512_setzero_si512());
            for (number, v) in [(1, b), (2, c), (3, d)] {
                // Larger, or not a number where there was one so far.
                let lost = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v.0, v.0) & _mm512_cmp_ps_mask::<_CMP_ORD_Q>(best, best);
                let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(v.0, best) | lost;
                best = _mm512_mask_mov_ps(best, above, v.0);
                cell = _mm512_mask_mov_epi32(cell, above, _mm512_set1_epi32(number));
            }
            let dead = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(best, _mm512_setzero_ps());
            cell = _mm512_mask_mov_epi32(cell, dead, _mm512_set1_epi32(4));
            _mm_storeu_si128(cells.cast(), _mm512_cvtepi32_epi8(cell));
            Self(best).rectified()
        }
    }
    #[inline(always)]
    unsafe fn total(self) -> f32 {
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
}
