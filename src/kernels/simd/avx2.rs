//! Eight numbers in an AVX2 register, with fused multiply and add.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::Lanes;

/// Eight numbers.
#[derive(Clone, Copy)]
pub struct Eight(__m256);

/// All bits in the first `n` lanes, none in the others.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}

impl Lanes for Eight {
    const N: usize = 8;
    const FUSED: bool = true;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self(unsafe { _mm256_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Self(unsafe { _mm256_loadu_ps(p) })
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self {
        Self(unsafe { _mm256_maskload_ps(p, first(n)) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { _mm256_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        unsafe { _mm256_maskstore_ps(p, first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Self(unsafe { _mm256_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Self(unsafe { _mm256_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        Self(unsafe { _mm256_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn plus(self, a: Self, b: Self) -> Self {
        Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }
    #[inline(always)]
    unsafe fn minus(self, a: Self, b: Self) -> Self {
        Self(unsafe { _mm256_fnmadd_ps(a.0, b.0, self.0) })
    }
    #[inline(always)]
    unsafe fn rectified(self) -> Self {
        // The second operand is given where one is not a number.
        Self(unsafe { _mm256_max_ps(_mm256_setzero_ps(), self.0) })
    }
    #[inline(always)]
    unsafe fn where_positive(self, by: Self) -> Self {
        Self(unsafe { _mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_NLE_UQ>(by.0, _mm256_setzero_ps())) })
    }
    #[inline(always)]
    unsafe fn larger([best, at]: [Self; 2], [x, here]: [Self; 2]) -> [Self; 2] {
        unsafe {
            let lost = _mm256_cmp_ps::<_CMP_UNORD_Q>(x.0, x.0);
            let better = _mm256_or_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x.0, best.0), lost);
            [Self(_mm256_blendv_ps(best.0, x.0, better)), Self(_mm256_blendv_ps(at.0, here.0, better))]
        }
    }
    #[inline(always)]
    unsafe fn where_cell(self, cells: *const u8, cell: u8) -> Self {
        unsafe {
            let wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(cells.cast()));
            let same = _mm256_cmpeq_epi32(wide, _mm256_set1_epi32(i32::from(cell)));
            Self(_mm256_and_ps(self.0, _mm256_castsi256_ps(same)))
        }
    }
    #[inline(always)]
    unsafe fn largest(of: [Self; 4], cells: *mut u8) -> Self {
        unsafe {
            let [a, b, c, d] = of;
            let (mut best, mut cell) = (a.0, _mm256_setzero_ps());
            for (number, v) in [(1, b), (2, c), (3, d)] {
                // Larger, or not a number where there was one so far.
                let lost = _mm256_andnot_ps(
                    _mm256_cmp_ps::<_CMP_UNORD_Q>(best, best),
                    _mm256_cmp_ps::<_CMP_UNORD_Q>(v.0, v.0),
                );
                let above = _mm256_or_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(v.0, best), lost);
                best = _mm256_blendv_ps(best, v.0, above);
                cell = _mm256_blendv_ps(cell, _mm256_castsi256_ps(_mm256_set1_epi32(number)), above);
            }
            let dead = _mm256_cmp_ps::<_CMP_LE_OQ>(best, _mm256_setzero_ps());
            cell = _mm256_blendv_ps(cell, _mm256_castsi256_ps(_mm256_set1_epi32(4)), dead);
            let cell = _mm256_castps_si256(cell);
            let half = _mm_packs_epi32(_mm256_castsi256_si128(cell), _mm256_extracti128_si256::<1>(cell));
            _mm_storel_epi64(cells.cast(), _mm_packus_epi16(half, half));
            Self(best).rectified()
        }
    }
    #[inline(always)]
    unsafe fn total(self) -> f32 {
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}
