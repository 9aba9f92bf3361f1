//! A pass over `f32` numbers whose channels lie side by side, by vectors: what is known of a column and what is summed of it stay in
//! registers while the pass goes down.
//!
//! Cells of few channels would fill no registers, so several cells make one row, and what is known of a channel is repeated along it.
#![allow(unsafe_code)]
#![allow(clippy::indexing_slicing)] // Blocks end where a row ends, and rows where a piece ends.

use crate::simd::{Lanes, Simd, Task, put, run, take};

/// Numbers in a row at least, where channels are few.
const ROW: usize = 64;

/// Numbers of the longest row for which there is room on the stack.
const SPACE: usize = 256;

/// Vectors side by side in a block.
const SIDE: usize = 4;

/// What is done with the numbers at a place: `K` numbers are known of its column, and `S` are added to what is summed of it.
pub(super) trait Term<const K: usize, const S: usize> {
    /// Takes the `n` numbers from place `at` of the piece on, and gives what is added.
    ///
    /// # Safety
    /// There are that many numbers, and the machine executes the instructions of `L`.
    unsafe fn at<L: Lanes>(&self, known: [L; K], at: usize, n: usize) -> [L; S];
}

/// The sums of a piece of `len` numbers for each channel, `known` having a number for each channel.
pub(super) fn down<T: Term<K, S>, const K: usize, const S: usize>(
    term: &T,
    len: usize,
    channels: usize,
    known: [&[f32]; K],
) -> [Vec<f32>; S] {
    let row = channels * (ROW / channels.max(1)).clamp(1, (len / channels.max(1)).max(1));
    // Without asking for memory, but where channels are very many: a piece is done in a microsecond or two.
    if row <= SPACE {
        let (mut repeated, mut sums) = ([[0.0; SPACE]; K], [[0.0; SPACE]; S]);
        return summed(
            term,
            (len, channels, row),
            known,
            repeated.each_mut().map(|x| &mut x[..row]),
            sums.each_mut().map(|x| &mut x[..row]),
        );
    }
    let (mut repeated, mut sums) = ([(); K].map(|()| vec![0.0; row]), [(); S].map(|()| vec![0.0; row]));
    summed(
        term,
        (len, channels, row),
        known,
        repeated.each_mut().map(Vec::as_mut_slice),
        sums.each_mut().map(Vec::as_mut_slice),
    )
}

/// [`down`], with memory for a row of each number that is known and of each sum.
fn summed<T: Term<K, S>, const K: usize, const S: usize>(
    term: &T,
    (len, channels, row): (usize, usize, usize),
    known: [&[f32]; K],
    mut repeated: [&mut [f32]; K],
    mut sums: [&mut [f32]; S],
) -> [Vec<f32>; S] {
    for (to, of) in repeated.iter_mut().zip(known) {
        to.chunks_exact_mut(channels).for_each(|to| to.copy_from_slice(&of[..channels]));
    }
    let known = repeated.map(|known| &*known);
    let rows = len / row;
    run(Simd::chosen(), Down { term, from: 0, row, rows, known, sums: &mut sums });
    // What does not fill a row begins at a whole cell, too.
    let rest = Down { term, from: rows * row, row: len - rows * row, rows: 1, known, sums: &mut sums };
    run(Simd::chosen(), rest);
    sums.map(|wide| {
        let mut sums = vec![0.0; channels];
        for cell in wide.chunks_exact(channels) {
            sums.iter_mut().zip(cell).for_each(|(sum, x)| *sum += x);
        }
        sums
    })
}

/// Rows of a piece, from number `from` on.
struct Down<'a, 'm, T, const K: usize, const S: usize> {
    term: &'a T,
    from: usize,
    row: usize,
    rows: usize,
    known: [&'a [f32]; K],
    sums: &'a mut [&'m mut [f32]; S],
}

impl<T: Term<K, S>, const K: usize, const S: usize> Task for Down<'_, '_, T, K, S> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(mut self) {
        let mut column = 0;
        while column < self.row {
            let left = self.row - column;
            unsafe {
                if left >= SIDE * L::N {
                    self.block::<L, SIDE>(column, L::N);
                    column += SIDE * L::N;
                } else {
                    let n = left.min(L::N);
                    self.block::<L, 1>(column, n);
                    column += n;
                }
            }
        }
    }
}

impl<T: Term<K, S>, const K: usize, const S: usize> Down<'_, '_, T, K, S> {
    /// `V` vectors of `n` numbers from `column` on, down all rows.
    #[inline(always)]
    unsafe fn block<L: Lanes, const V: usize>(&mut self, column: usize, n: usize) {
        unsafe {
            let (mut known, mut sums) = ([[L::splat(0.0); K]; V], [[L::splat(0.0); S]; V]);
            for (v, known) in known.iter_mut().enumerate() {
                for (known, of) in known.iter_mut().zip(self.known) {
                    *known = take(of.as_ptr().wrapping_add(column + v * L::N), n);
                }
            }
            for row in 0..self.rows {
                let at = self.from + row * self.row + column;
                for (v, (known, sums)) in known.iter().zip(&mut sums).enumerate() {
                    for (sum, more) in sums.iter_mut().zip(self.term.at(*known, at + v * L::N, n)) {
                        *sum = sum.add(more);
                    }
                }
            }
            for (v, sums) in sums.iter().enumerate() {
                for (to, sum) in self.sums.iter_mut().zip(sums) {
                    let to = to.as_mut_ptr().wrapping_add(column + v * L::N);
                    put(take::<L>(to, n).add(*sum), to, n);
                }
            }
        }
    }
}
