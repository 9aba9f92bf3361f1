//! The matrices of F(4 × 4, 3 × 3), each applied to one row or column of a tile.
//!
//! The points are 0, ±3/4, ±3/2 and ∞ rather than the usual 0, ±1, ±2 and ∞. All numbers but those of G stay exact in
//! binary, no step is added, and rounding errors are halved on average and four times smaller at their largest: over
//! 128 channels 9.6e-7 and 8.6e-6 of the result's root mean square, where nine plain products a channel, summed one by
//! one, have 4.3e-7 and 3.9e-6, and the usual points 1.9e-6 and 4.0e-5. See B. Barabasz et al., *Error Analysis and
//! Improving the Accuracy of Winograd Convolution for Deep Neural Networks*, ACM TOMS 2020,
//! <https://arxiv.org/abs/1803.10986>, for why points matter.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone

use crate::simd::Lanes;

/// The points ±P and ±Q.
const P: f32 = 0.75;
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;
const P3: f32 = P * P * P;
const Q3: f32 = Q * Q * Q;
/// Products of a point's differences with all others: what divides G's rows.
const AT_ZERO: f32 = P2 * Q2;
const AT_P: f32 = 2.0 * P2 * (P2 - Q2);
const AT_Q: f32 = 2.0 * Q2 * (Q2 - P2);

/// Bᵀ d: six numbers of the input.
#[inline(always)]
pub unsafe fn input<L: Lanes>(d: [L; 6]) -> [L; 6] {
    unsafe {
        let (p, q, p2, q2) = (L::splat(P), L::splat(Q), L::splat(P2), L::splat(Q2));
        let (sum, product) = (L::splat(P2 + Q2), L::splat(P2 * Q2));
        let (even, odd) = (d[4].minus(q2, d[2]), d[3].minus(q2, d[1]));
        let (even2, odd2) = (d[4].minus(p2, d[2]), d[3].minus(p2, d[1]));
        [
            d[4].minus(sum, d[2]).plus(product, d[0]),
            even.plus(p, odd),
            even.minus(p, odd),
            even2.plus(q, odd2),
            even2.minus(q, odd2),
            d[5].minus(sum, d[3]).plus(product, d[1]),
        ]
    }
}

/// Aᵀ m: four numbers of the result.
#[inline(always)]
pub unsafe fn result<L: Lanes>(m: [L; 6]) -> [L; 4] {
    unsafe {
        let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (sum2, difference2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(sum.add(sum2)),
            L::splat(P).mul(difference).plus(L::splat(Q), difference2),
            L::splat(P2).mul(sum).plus(L::splat(Q2), sum2),
            m[5].plus(L::splat(P3), difference).plus(L::splat(Q3), difference2),
        ]
    }
}

/// A g: four numbers of the result's gradient.
#[inline(always)]
pub unsafe fn gradient<L: Lanes>(g: [L; 4]) -> [L; 6] {
    unsafe {
        let (even, odd) = (g[0].plus(L::splat(P2), g[2]), L::splat(P).mul(g[1]).plus(L::splat(P3), g[3]));
        let (even2, odd2) = (g[0].plus(L::splat(Q2), g[2]), L::splat(Q).mul(g[1]).plus(L::splat(Q3), g[3]));
        [g[0], even.add(odd), even.sub(odd), even2.add(odd2), even2.sub(odd2), g[3]]
    }
}

/// G w: three numbers of a kernel.
#[inline(always)]
pub unsafe fn kernel<L: Lanes>(w: [L; 3]) -> [L; 6] {
    unsafe {
        let (even, odd) = (w[0].plus(L::splat(P2), w[2]), L::splat(P).mul(w[1]));
        let (even2, odd2) = (w[0].plus(L::splat(Q2), w[2]), L::splat(Q).mul(w[1]));
        let (p, q) = (L::splat(1.0 / AT_P), L::splat(1.0 / AT_Q));
        [
            L::splat(1.0 / AT_ZERO).mul(w[0]),
            p.mul(even.add(odd)),
            p.mul(even.sub(odd)),
            q.mul(even2.add(odd2)),
            q.mul(even2.sub(odd2)),
            w[2],
        ]
    }
}

/// Gᵀ u: three numbers of a kernel's gradient.
#[inline(always)]
pub unsafe fn kernel_gradient<L: Lanes>(u: [L; 6]) -> [L; 3] {
    unsafe {
        let (p, q) = (L::splat(1.0 / AT_P), L::splat(1.0 / AT_Q));
        let (sum, difference) = (p.mul(u[1].add(u[2])), p.mul(u[1].sub(u[2])));
        let (sum2, difference2) = (q.mul(u[3].add(u[4])), q.mul(u[3].sub(u[4])));
        [
            sum.add(sum2).plus(L::splat(1.0 / AT_ZERO), u[0]),
            L::splat(P).mul(difference).plus(L::splat(Q), difference2),
            u[5].plus(L::splat(P2), sum).plus(L::splat(Q2), sum2),
        ]
    }
}
