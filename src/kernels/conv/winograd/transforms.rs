//! The matrices of F(4 × 4, 3 × 3), at the points 0, 1, -1, 2, -2 and ∞, each applied to one row or column of a tile.
#![allow(unsafe_code)] // see `crate::kernels::simd`: called under `simd::run` alone

use crate::kernels::simd::Lanes;

/// Bᵀ d: six numbers of the input.
#[inline(always)]
pub unsafe fn input<L: Lanes>(d: [L; 6]) -> [L; 6] {
    unsafe {
        let (two, four, five) = (L::splat(2.0), L::splat(4.0), L::splat(5.0));
        let (a, b) = (d[4].minus(four, d[2]), d[3].minus(four, d[1]));
        let (c, e) = (d[4].sub(d[2]), d[3].sub(d[1]));
        [
            d[4].minus(five, d[2]).plus(four, d[0]),
            a.add(b),
            a.sub(b),
            c.plus(two, e),
            c.minus(two, e),
            d[5].minus(five, d[3]).plus(four, d[1]),
        ]
    }
}

/// Aᵀ m: four numbers of the result.
#[inline(always)]
pub unsafe fn result<L: Lanes>(m: [L; 6]) -> [L; 4] {
    unsafe {
        let (s, d) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (p, q) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(s.add(p)), d.plus(L::splat(2.0), q), s.plus(L::splat(4.0), p), m[5].add(d.plus(L::splat(8.0), q))]
    }
}

/// A g: four numbers of the result's gradient.
#[inline(always)]
pub unsafe fn gradient<L: Lanes>(g: [L; 4]) -> [L; 6] {
    unsafe {
        let (two, four) = (L::splat(2.0), L::splat(4.0));
        let (even, odd) = (g[0].add(g[2]), g[1].add(g[3]));
        let (even2, odd2) = (g[0].plus(four, g[2]), two.mul(g[1].plus(four, g[3])));
        [g[0], even.add(odd), even.sub(odd), even2.add(odd2), even2.sub(odd2), g[3]]
    }
}

/// G w: three numbers of a kernel.
#[inline(always)]
pub unsafe fn kernel<L: Lanes>(w: [L; 3]) -> [L; 6] {
    unsafe {
        let (sixth, twelfth) = (L::splat(-1.0 / 6.0), L::splat(1.0 / 12.0));
        let ends = w[0].add(w[2]);
        // w[0]/24 + w[2]/6, and w[1]/12 to both sides of it
        let far = L::splat(1.0 / 24.0).mul(w[0].plus(L::splat(4.0), w[2]));
        [
            L::splat(0.25).mul(w[0]),
            sixth.mul(ends.add(w[1])),
            sixth.mul(ends.sub(w[1])),
            far.plus(twelfth, w[1]),
            far.minus(twelfth, w[1]),
            w[2],
        ]
    }
}

/// Gᵀ u: three numbers of a kernel's gradient.
#[inline(always)]
pub unsafe fn kernel_gradient<L: Lanes>(u: [L; 6]) -> [L; 3] {
    unsafe {
        let sixth = L::splat(1.0 / 6.0);
        let (s, d) = (u[1].add(u[2]), u[2].sub(u[1]));
        let (p, q) = (u[3].add(u[4]), u[3].sub(u[4]));
        let near = sixth.mul(s);
        [
            L::splat(1.0 / 24.0).mul(p.plus(L::splat(6.0), u[0])).sub(near),
            sixth.mul(d).plus(L::splat(1.0 / 12.0), q),
            sixth.mul(p).sub(near).add(u[5]),
        ]
    }
}
