//! Four numbers in plain Rust, which compilers turn into the vectors that every machine of an architecture has.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // arrays of four

use super::Lanes;

/// Four numbers.
#[derive(Clone, Copy)]
pub struct Four([f32; 4]);

impl Four {
    #[inline(always)]
    fn both(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl Lanes for Four {
    const N: usize = 4;
    const FUSED: bool = false;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Self(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self {
        Self(std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        for (i, x) in self.0.iter().enumerate().take(n) {
            unsafe { *p.add(i) = *x };
        }
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self.both(b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        self.both(b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        self.both(b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn plus(self, a: Self, b: Self) -> Self {
        // Not mul_add: without an instruction for it that is a call.
        self.both(a.both(b, |a, b| a * b), |c, ab| c + ab)
    }
    #[inline(always)]
    unsafe fn minus(self, a: Self, b: Self) -> Self {
        self.both(a.both(b, |a, b| a * b), |c, ab| c - ab)
    }
    #[inline(always)]
    unsafe fn rectified(self) -> Self {
        Self(self.0.map(|x| if x <= 0.0 { 0.0 } else { x }))
    }
    #[inline(always)]
    unsafe fn where_positive(self, by: Self) -> Self {
        self.both(by, |x, by| if by <= 0.0 { 0.0 } else { x })
    }
    #[inline(always)]
    unsafe fn larger([best, at]: [Self; 2], [x, here]: [Self; 2]) -> [Self; 2] {
        let better: [bool; 4] = std::array::from_fn(|i| x.0[i] > best.0[i] || x.0[i].is_nan());
        let chosen = |a: Self, b: Self| Self(std::array::from_fn(|i| if better[i] { b.0[i] } else { a.0[i] }));
        [chosen(best, x), chosen(at, here)]
    }
    #[inline(always)]
    unsafe fn where_cell(self, cells: *const u8, cell: u8) -> Self {
        Self(std::array::from_fn(|i| if unsafe { *cells.add(i) } == cell { self.0[i] } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn largest(of: [Self; 4], cells: *mut u8) -> Self {
        let mut best = of[0];
        for lane in 0..4 {
            let mut cell = 0;
            for (number, v) in of.iter().enumerate().skip(1) {
                if v.0[lane] > best.0[lane] || v.0[lane].is_nan() && !best.0[lane].is_nan() {
                    (best.0[lane], cell) = (v.0[lane], number as u8);
                }
            }
            unsafe { *cells.add(lane) = if best.0[lane] <= 0.0 { 4 } else { cell } };
        }
        unsafe { best.rectified() }
    }
    #[inline(always)]
    unsafe fn total(self) -> f32 {
        (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
    }
}
