//! Factors rounded to bfloat16, two in a word of 32 bits, for machines with AVX-512 BF16: twice the products in an instruction.
//!
//! What is multiplied and added in one instruction lies side by side: two channels of a cell for a value and an input's gradient, two
//! places of a line for a weight's gradient. A word lies where an `f32` would, and is moved as one.
#![allow(unsafe_code)]

use super::product::Factors;
use crate::conv::call::Products;
use crate::simd::Simd;

/// How factors are taken of which `side` lie side by side: rounded where that is wanted, the machine does it, and they come in pairs.
pub fn factors(products: Products, simd: Simd, side: usize) -> Factors {
    let rounded = products == Products::Rounded && simd.multiplies_bf16() && side.is_multiple_of(2);
    if rounded { Factors::Rounded } else { Factors::Single }
}

/// The nearest bfloat16 number, ties to even; what is not a number stays so. The largest finite numbers, from 3.396e38 on, become infinite.
/// Vectors make numbers below the normal ones 0.
pub fn rounded(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() { 0x7fc0 } else { ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16 }
}

/// A word of two numbers.
pub fn word(one: f32, other: f32) -> f32 {
    f32::from_bits(u32::from(rounded(one)) | u32::from(rounded(other)) << 16)
}

/// Words of neighbors: word i has numbers 2i and 2i + 1.
pub fn neighbors(from: &[f32], to: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if Simd::Avx512.multiplies_bf16() && from.len() == 2 * to.len() {
        // SAFETY: the machine and the lengths were looked at.
        return unsafe { vectors::neighbors(from, to) };
    }
    for (to, from) in to.iter_mut().zip(from.chunks_exact(2)) {
        if let [one, other] = from {
            *to = word(*one, *other);
        }
    }
}

/// Words of what lies beside each other in two lists: word i has both numbers i.
pub fn beside(one: &[f32], other: &[f32], to: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if Simd::Avx512.multiplies_bf16() && one.len() == to.len() && other.len() == to.len() {
        // SAFETY: as above.
        return unsafe { vectors::beside(one, other, to) };
    }
    to.iter_mut().zip(one.iter().zip(other)).for_each(|(to, (one, other))| *to = word(*one, *other));
}

#[cfg(target_arch = "x86_64")]
pub mod vectors {
    use std::arch::x86_64::*;

    use crate::conv::gathered::product::{Multiply, Product};
    use crate::simd::avx512::Sixteen;

    /// Lanes of a vector.
    const N: usize = 16;

    /// Words of two.
    struct Pairs;

    impl Multiply<Sixteen> for Pairs {
        #[inline(always)]
        unsafe fn plus(sum: Sixteen, a: Sixteen, b: Sixteen) -> Sixteen {
            unsafe { sum.plus_pairs(a, b) }
        }
    }

    /// Does the product of words.
    ///
    /// # Safety
    /// The machine has AVX-512 BF16, and the pointers are valid for what [`Product`] describes.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
    pub unsafe fn run(product: Product) {
        unsafe { product.by::<Pairs, Sixteen>() }
    }

    /// See [`super::neighbors`].
    ///
    /// # Safety
    /// The machine has AVX-512 BF16, and there are twice as many numbers as words.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
    pub unsafe fn neighbors(from: &[f32], to: &mut [f32]) {
        for (from, to) in from.chunks(2 * N).zip(to.chunks_mut(N)) {
            let (below, above) = (mask(from.len()), mask(from.len().saturating_sub(N)));
            unsafe {
                let lower = _mm512_maskz_loadu_ps(below, from.as_ptr());
                let upper = _mm512_maskz_loadu_ps(above, from.as_ptr().wrapping_add(N));
                let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(upper, lower));
                _mm512_mask_storeu_epi32(to.as_mut_ptr().cast(), mask(to.len()), both);
            }
        }
    }

    /// See [`super::beside`].
    ///
    /// # Safety
    /// The machine has AVX-512 BF16, and all three are as long.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
    pub unsafe fn beside(one: &[f32], other: &[f32], to: &mut [f32]) {
        /// One of each half, by turns.
        const ORDER: [u16; 2 * N] = {
            let mut order = [0; 2 * N];
            let mut i = 0;
            while i < 2 * N {
                order[i] = (i / 2 + i % 2 * N) as u16;
                i += 1;
            }
            order
        };
        unsafe {
            let order = _mm512_loadu_si512(ORDER.as_ptr().cast());
            for ((one, other), to) in one.chunks(N).zip(other.chunks(N)).zip(to.chunks_mut(N)) {
                let all = mask(to.len());
                let (lower, upper) =
                    (_mm512_maskz_loadu_ps(all, one.as_ptr()), _mm512_maskz_loadu_ps(all, other.as_ptr()));
                let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(upper, lower));
                _mm512_mask_storeu_epi32(to.as_mut_ptr().cast(), all, _mm512_permutexvar_epi16(order, both));
            }
        }
    }

    /// A bit for each of the first `n` lanes.
    fn mask(n: usize) -> __mmask16 {
        if n >= N { !0 } else { (1 << n) - 1 }
    }
}
