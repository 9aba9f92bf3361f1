//! The products in bfloat16 with sums in `f32`, for machines with AVX-512 BF16: twice the products in an instruction,
//! half the memory for transformed tiles and kernels.
//!
//! Maps, weights and transforms stay `f32`; only what goes into the 36 matrix products is rounded, to 8 bits. Over 128
//! channels a value is off by 1.0e-2 of the result's root mean square, where a plain convolution of rounded numbers is
//! by 2.4e-3.
//!
//! Numbers that are multiplied and added in one instruction lie side by side: two inputs for a value, two tiles for a
//! weight's gradient. Otherwise the orders are those of `read.rs`, `weights.rs` and `product.rs`.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // tiles and accumulators of constant size

use std::arch::x86_64::*;
use std::ops::Range;

use super::read::{Tiles, Transform, Windows};
use super::{POINTS, product};
use crate::conv::gathered::half::rounded;
use crate::simd::Lanes;
use crate::simd::avx512::Sixteen;

/// Lanes of a vector of sums.
pub const N: usize = 16;
/// Rows of accumulators.
pub const ROWS: usize = Sixteen::ROWS;

/// One transformed tile of a vector of channels.
#[repr(C, align(64))]
struct Tile([f32; POINTS * N]);

impl Tile {
    const fn new() -> Self {
        Self([0.0; POINTS * N])
    }
}

/// The even tile of every vector of channels until the odd one comes, and one place for that.
struct Kept(Vec<Tile>);

impl Kept {
    fn new(vectors: usize) -> Self {
        Self((0..=vectors).map(|_| Tile::new()).collect())
    }

    /// Where a tile of a vector is put: the odd one before all even ones.
    #[inline(always)]
    fn place(first: *mut Tile, vector: usize, tile: usize) -> *mut f32 {
        first.wrapping_add(if tile % 2 == 1 { 0 } else { vector + 1 }).cast()
    }
}

/// As [`Windows`], but rounded, two inputs side by side by nature: `to` and `step` count bfloat16 numbers.
///
/// # Safety
/// The machine has AVX-512 BF16, and `w.to` is valid for what `Windows` writes, as 16-bit numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn windows(w: &Windows, to: *mut u16) {
    let mut tile = Tile::new();
    let from = tile.0.as_mut_ptr();
    let round = |block: usize, i: usize| unsafe {
        let to = to.add((block * w.0.room + i) * N);
        for point in 0..POINTS {
            let rounded = _mm512_cvtneps_pbh(_mm512_load_ps(from.add(point * N)));
            _mm256_storeu_si256(to.add(point * w.0.step).cast(), std::mem::transmute::<__m256bh, __m256i>(rounded));
        }
    };
    unsafe { w.each::<Sixteen>(|_, _| from, round) };
}

/// As [`Windows`], but rounded, two tiles side by side: point p of channel c of the i-th tile goes to
/// `to + p·step + (c / N)·room·N + (i / 2)·2N + (c % N)·2 + i % 2`. `room` is even; a tile without a partner has zeros
/// beside it.
///
/// # Safety
/// As [`windows`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn paired_windows(w: &Windows, to: *mut u16) {
    let mut kept = Kept::new(w.0.sizes.inputs.div_ceil(N));
    let (first, last) = (kept.0.as_mut_ptr(), w.0.tiles.1 - 1);
    let place = |block: usize, i: usize| Kept::place(first, block, i);
    let round = |block: usize, i: usize| unsafe {
        if i % 2 == 1 || i == last {
            pair(
                Kept::place(first, block, 0),
                Kept::place(first, block, 1),
                i % 2 == 1,
                to.add((block * w.0.room + i / 2 * 2) * N),
                w.0.step,
            );
        }
    };
    unsafe { w.each::<Sixteen>(place, round) };
}

/// As [`Tiles`], but rounded, two tiles side by side as in [`paired_windows`], in panels of 2N channels: channel c of
/// the i-th tile at `to + p·step + (c / 2N)·room·2N + (i / 2)·4N + (c % 2N)·2 + i % 2`.
///
/// # Safety
/// As [`windows`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn paired_tiles(t: &Tiles, to: *mut u16) {
    let mut kept = Kept::new(2 * t.frame.sizes.outputs.div_ceil(2 * N));
    let (first, last) = (kept.0.as_mut_ptr(), t.frame.tiles.1 - 1);
    let place = |block: usize, i: usize| Kept::place(first, block, i);
    let round = |block: usize, i: usize| unsafe {
        if i % 2 == 1 || i == last {
            let to = to.add(((block / 2) * t.frame.room + i / 2 * 2) * 2 * N + (block & 1) * 2 * N);
            pair(Kept::place(first, block, 0), Kept::place(first, block, 1), i % 2 == 1, to, t.frame.step);
        }
    };
    unsafe { t.each::<Sixteen>(place, round) };
}

/// Puts two tiles side by side, or zeros beside the first.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
unsafe fn pair(one: *const f32, other: *const f32, both: bool, to: *mut u16, step: usize) {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    unsafe {
        let order = _mm512_loadu_si512(ORDER.as_ptr().cast());
        for point in 0..POINTS {
            let lower = _mm512_load_ps(one.add(point * N));
            let upper = if both { _mm512_load_ps(other.add(point * N)) } else { _mm512_setzero_ps() };
            let rounded = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(upper, lower));
            _mm512_storeu_si512(to.add(point * step).cast(), _mm512_permutexvar_epi16(order, rounded));
        }
    }
}

/// Transformed kernels, rounded: input c of output k at `(k / 2N)·inputs'·2N + (c / 2)·4N + (k % 2N)·2 + c % 2` of each
/// point's, where inputs' is `inputs` filled up with zeros to a multiple of N. `from` is what `weights::transformed`
/// made.
pub fn kernels(from: &[f32], step: usize, inputs: usize) -> (Vec<u16>, usize) {
    use rayon::prelude::*;
    let filled = inputs.next_multiple_of(N);
    let panels = step / (inputs * 2 * N);
    let to_step = panels * filled * 2 * N;
    let mut to = vec![0u16; POINTS * to_step];
    to.par_chunks_mut(filled * 2 * N).enumerate().for_each(|(at, to)| {
        let (point, panel) = (at / panels, at % panels);
        let from = &from[point * step + panel * inputs * 2 * N..][..inputs * 2 * N];
        for (c, row) in from.chunks_exact(2 * N).enumerate() {
            let to = &mut to[c / 2 * 4 * N + c % 2..];
            for (to, x) in to.iter_mut().step_by(2).zip(row) {
                *to = rounded(*x);
            }
        }
    });
    (to, to_step)
}

/// As `product::Values`, of rounded tiles and kernels. `inputs` is a multiple of N.
///
/// # Safety
/// The machine has AVX-512 BF16, and the pointers are valid for what [`windows`], [`kernels`] and `write::Results`
/// describe.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn values(p: product::Values, tiles: *const u16, kernels: *const u16) {
    unsafe {
        for point in 0..POINTS {
            for panel in 0..p.outputs.div_ceil(2 * N) {
                let a = tiles.add(point * p.tiles_step);
                let b = kernels.add(point * p.kernels_step + panel * p.inputs * 2 * N);
                let to = p.to.add(point * p.to_step + panel * p.room * 2 * N);
                for row in (0..p.count).step_by(ROWS) {
                    rows(p.inputs, a.add(row * N), p.room * N, b, to.add(row * 2 * N));
                    p.ahead.fetch();
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
unsafe fn rows(inputs: usize, a: *const u16, apart: usize, b: *const u16, to: *mut f32) {
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut a, mut b) = (a, b);
        for _ in 0..inputs / N {
            for q in 0..N / 2 {
                let (x, y) = (two(b.add(q * 4 * N)), two(b.add(q * 4 * N + 2 * N)));
                for (i, sum) in sums.iter_mut().enumerate() {
                    let a = spread(a.add(i * N + 2 * q));
                    sum[0] = _mm512_dpbf16_ps(sum[0], a, x);
                    sum[1] = _mm512_dpbf16_ps(sum[1], a, y);
                }
            }
            a = a.add(apart);
            b = b.add(2 * N * N);
        }
        for (i, [x, y]) in sums.into_iter().enumerate() {
            _mm512_storeu_ps(to.add(i * 2 * N), x);
            _mm512_storeu_ps(to.add(i * 2 * N + N), y);
        }
    }
}

/// As `product::Kernels`, of rounded tiles two by two.
///
/// # Safety
/// The machine has AVX-512 BF16, and the pointers are valid for what [`paired_windows`], [`paired_tiles`] and
/// `weights::gradient` describe.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")]
pub unsafe fn sums(p: product::Kernels, windows: *const u16, grads: *const u16) {
    const R: usize = 8;
    let blocks = p.inputs.div_ceil(N);
    let points: Range<usize> = p.points.clone();
    unsafe {
        for point in points {
            for panel in 0..p.outputs.div_ceil(2 * N) {
                let b = grads.add(point * p.grads_step + panel * p.room * 2 * N);
                for block in 0..2 * blocks {
                    let a = windows.add(point * p.windows_step + block / 2 * p.room * N + block % 2 * 2 * R);
                    let mut sums = [[_mm512_setzero_ps(); 2]; R];
                    for tile in 0..p.count.div_ceil(2) {
                        let (x, y) = (two(b.add(tile * 4 * N)), two(b.add(tile * 4 * N + 2 * N)));
                        for (i, sum) in sums.iter_mut().enumerate() {
                            let a = spread(a.add((tile * N + i) * 2));
                            sum[0] = _mm512_dpbf16_ps(sum[0], a, x);
                            sum[1] = _mm512_dpbf16_ps(sum[1], a, y);
                        }
                    }
                    let to = p.to.add(point * p.to_step + (panel * 2 * blocks + block) * 2 * N * R);
                    for (at, v) in sums.into_iter().flatten().enumerate() {
                        let to = to.add(at * N);
                        let v = if p.add { _mm512_add_ps(v, _mm512_loadu_ps(to)) } else { v };
                        _mm512_storeu_ps(to, v);
                    }
                    if block % 2 == 1 {
                        p.ahead.fetch();
                    }
                }
            }
        }
    }
}

/// 32 rounded numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn two(p: *const u16) -> __m512bh {
    unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(p.cast())) }
}

/// Two rounded numbers in all 16 places.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn spread(p: *const u16) -> __m512bh {
    unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(p.cast::<i32>().read_unaligned())) }
}
