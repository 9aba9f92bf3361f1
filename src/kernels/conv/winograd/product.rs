//! Matrix products of transformed tiles, two vectors wide and as many rows high as there are registers.
#![allow(unsafe_code)] // see `crate::simd`: called under `simd::run` alone
#![allow(clippy::indexing_slicing)] // accumulators of constant size

use super::POINTS;
use super::ahead::Ahead;
use crate::simd::{Lanes, Task};

/// For each of the 36 points: (tiles × inputs) · (inputs × outputs).
pub struct Values<'a> {
    /// Tiles, as `read::Windows` writes them.
    pub tiles: *const f32,
    pub tiles_step: usize,
    /// Kernels: input c of output k at `(k / 2N)·inputs·2N + c·2N + k % 2N` of each point's, `kernels_step` apart.
    pub kernels: *const f32,
    pub kernels_step: usize,
    /// As `write::Results` reads them.
    pub to: *mut f32,
    pub to_step: usize,
    /// Tiles there is room for, a multiple of `Lanes::ROWS`, and those that count.
    pub room: usize,
    pub count: usize,
    pub inputs: usize,
    pub outputs: usize,
    /// Fetched meanwhile, a share with some rows of each panel.
    pub ahead: &'a mut Ahead,
}

impl Values<'_> {
    /// Shares that are fetched.
    pub fn calls(count: usize, outputs: usize, (lanes, rows): (usize, usize)) -> usize {
        POINTS * outputs.div_ceil(2 * lanes) * count.div_ceil(rows)
    }
}

impl Task for Values<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        unsafe {
            for point in 0..POINTS {
                for panel in 0..self.outputs.div_ceil(2 * L::N) {
                    let a = self.tiles.add(point * self.tiles_step);
                    let b = self.kernels.add(point * self.kernels_step + panel * self.inputs * 2 * L::N);
                    let to = self.to.add(point * self.to_step + panel * self.room * 2 * L::N);
                    let mut row = 0;
                    // The last rows compute with whatever lies behind the tiles that count; nobody reads what they
                    // give.
                    while row < self.count {
                        let (a, to) = (a.add(row * L::N), to.add(row * 2 * L::N));
                        // Of the last panel nobody reads a vector that no output fills.
                        match (L::ROWS, self.outputs - panel * 2 * L::N > L::N) {
                            (14, true) => rows::<L, 14, 2>(self.inputs, a, self.room * L::N, b, to),
                            (14, false) => rows::<L, 14, 1>(self.inputs, a, self.room * L::N, b, to),
                            (6, true) => rows::<L, 6, 2>(self.inputs, a, self.room * L::N, b, to),
                            (6, false) => rows::<L, 6, 1>(self.inputs, a, self.room * L::N, b, to),
                            (_, true) => rows::<L, 4, 2>(self.inputs, a, self.room * L::N, b, to),
                            (_, false) => rows::<L, 4, 1>(self.inputs, a, self.room * L::N, b, to),
                        }
                        row += L::ROWS;
                        self.ahead.fetch();
                    }
                }
            }
        }
    }
}

/// `R` rows of one product, `V` vectors wide; `apart` numbers lie between one vector of inputs and the next.
#[inline(always)]
unsafe fn rows<L: Lanes, const R: usize, const V: usize>(
    inputs: usize,
    a: *const f32,
    apart: usize,
    b: *const f32,
    to: *mut f32,
) {
    unsafe {
        let mut sums = [[L::splat(0.0); V]; R];
        let (mut a, mut b) = (a, b);
        for _ in 0..inputs / L::N {
            for q in 0..L::N {
                step::<L, R, V>(&mut sums, (a.add(q), L::N), b.add(q * 2 * L::N));
            }
            a = a.add(apart);
            b = b.add(2 * L::N * L::N);
        }
        for q in 0..inputs % L::N {
            step::<L, R, V>(&mut sums, (a.add(q), L::N), b.add(q * 2 * L::N));
        }
        for (i, sum) in sums.into_iter().enumerate() {
            sum[0].store(to.add(i * 2 * L::N));
            if V > 1 {
                sum[V - 1].store(to.add(i * 2 * L::N + L::N));
            }
        }
    }
}

/// One number of every row, `apart` from each other, times a line.
#[inline(always)]
unsafe fn step<L: Lanes, const R: usize, const V: usize>(
    sums: &mut [[L; V]; R],
    (a, apart): (*const f32, usize),
    b: *const f32,
) {
    unsafe {
        // The second is not read where there is but one.
        let line = [L::load(b), L::load(b.add(L::N * (V - 1)))];
        for (i, sum) in sums.iter_mut().enumerate() {
            let a = L::splat(*a.add(i * apart));
            // A loop over the two would keep the sums in memory.
            sum[0] = sum[0].plus(a, line[0]);
            if V > 1 {
                sum[V - 1] = sum[V - 1].plus(a, line[1]);
            }
        }
    }
}

/// For some of the 36 points: (inputs × tiles) · (tiles × outputs), added to what is there or put in its place.
pub struct Kernels<'a> {
    /// Windows, as `read::Windows` writes them.
    pub windows: *const f32,
    pub windows_step: usize,
    /// Gradients, as `read::Tiles` writes them.
    pub grads: *const f32,
    pub grads_step: usize,
    /// Tiles there is room for in both, and those that count.
    pub room: usize,
    pub count: usize,
    /// Input c of output k at `(k / 2N)·inputs'·2N + c·2N + k % 2N` of each point's, `to_step` apart; inputs' is filled
    /// up to a multiple of N.
    pub to: *mut f32,
    pub to_step: usize,
    pub add: bool,
    pub inputs: usize,
    pub outputs: usize,
    pub points: std::ops::Range<usize>,
    /// Fetched meanwhile, a share for each vector of inputs and panel of outputs.
    pub ahead: &'a mut Ahead,
}

impl Kernels<'_> {
    /// Shares that are fetched, for channels that fill vectors of inputs and panels of outputs.
    pub fn calls((inputs, outputs): (usize, usize), lanes: usize) -> usize {
        POINTS * (inputs / lanes) * (outputs / (2 * lanes))
    }
}

impl Task for Kernels<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let blocks = self.inputs.div_ceil(L::N);
        unsafe {
            for point in self.points.clone() {
                for panel in 0..self.outputs.div_ceil(2 * L::N) {
                    let b = self.grads.add(point * self.grads_step + panel * self.room * 2 * L::N);
                    for block in 0..blocks {
                        let a = self.windows.add(point * self.windows_step + block * self.room * L::N);
                        let to = self.to.add(point * self.to_step + (panel * blocks + block) * 2 * L::N * L::N);
                        if self.outputs - panel * 2 * L::N > L::N {
                            inputs::<L, 2>(self.count, a, b, to, self.add);
                        } else {
                            inputs::<L, 1>(self.count, a, b, to, self.add);
                        }
                        self.ahead.fetch();
                    }
                }
            }
        }
    }
}

/// A vector of inputs, `V` vectors of outputs, summed over the tiles.
#[inline(always)]
unsafe fn inputs<L: Lanes, const V: usize>(count: usize, a: *const f32, b: *const f32, to: *mut f32, add: bool) {
    unsafe {
        match L::N {
            16 => {
                sums::<L, 8, V>(count, a, b, to, add);
                sums::<L, 8, V>(count, a.add(8), b, to.add(8 * 2 * L::N), add);
            }
            8 => {
                sums::<L, 4, V>(count, a, b, to, add);
                sums::<L, 4, V>(count, a.add(4), b, to.add(4 * 2 * L::N), add);
            }
            _ => sums::<L, 4, V>(count, a, b, to, add),
        }
    }
}

/// `R` inputs, summed over the tiles. What a second vector would have summed is 0.
#[inline(always)]
unsafe fn sums<L: Lanes, const R: usize, const V: usize>(
    count: usize,
    a: *const f32,
    b: *const f32,
    to: *mut f32,
    add: bool,
) {
    unsafe {
        let mut sums = [[L::splat(0.0); V]; R];
        for tile in 0..count {
            step::<L, R, V>(&mut sums, (a.add(tile * L::N), 1), b.add(tile * 2 * L::N));
        }
        if V == 1 && !add {
            (0..R).for_each(|i| L::splat(0.0).store(to.add(i * 2 * L::N + L::N)));
        }
        for (i, sum) in sums.into_iter().enumerate() {
            for (j, v) in sum.into_iter().enumerate() {
                let to = to.add(i * 2 * L::N + j * L::N);
                if add { L::load(to).add(v).store(to) } else { v.store(to) }
            }
        }
    }
}
