//! The places of numbers in order, line by line, and running sums.
//!
//! Smaller numbers come first, 0 and -0 alike, and what is no number at an end, as `f64::total_cmp` has it. Of equal ones the
//! first comes first, either way round.
#![allow(clippy::indexing_slicing)] // Lines are cut to the length that they are read to.

use rayon::prelude::*;

use crate::{Float, parts};

/// Numbers that one task orders at least.
const BLOCK: usize = 1 << 13;

/// For each line of `n` numbers: the places of the first `keep` of them in order, from 0.
pub fn places<T: Float>(x: &[T], n: usize, descending: bool, keep: usize) -> Vec<u32> {
    let (n, keep) = (n.max(1), keep.min(n));
    let mut out = vec![0u32; x.len() / n * keep];
    if keep == 0 {
        return out;
    }
    let lines = (BLOCK / n).max(1);
    let single = T::single(x);
    out.par_chunks_mut(keep * lines).enumerate().for_each(|(i, out)| {
        let from = i * lines * n;
        match single {
            // Number and place in one: as quick to compare as a number.
            Some(x) => {
                let mut keys: Vec<u64> = Vec::with_capacity(n);
                for (out, line) in out.chunks_mut(keep).zip(x.get(from..).unwrap_or_default().chunks(n)) {
                    keys.clear();
                    keys.extend(line.iter().zip(0u64..).map(|(x, at)| u64::from(key32(*x, descending)) << 32 | at));
                    first(&mut keys, keep);
                    out.iter_mut().zip(&keys).for_each(|(out, key)| *out = *key as u32);
                }
            }
            None => {
                let mut keys: Vec<(u64, u32)> = Vec::with_capacity(n);
                for (out, line) in out.chunks_mut(keep).zip(x.get(from..).unwrap_or_default().chunks(n)) {
                    keys.clear();
                    keys.extend(line.iter().zip(0u32..).map(|(x, at)| (key64(x.wide(), descending), at)));
                    first(&mut keys, keep);
                    out.iter_mut().zip(&keys).for_each(|(out, key)| *out = key.1);
                }
            }
        }
    });
    out
}

/// Puts the `keep` least in order to the front.
fn first<K: Ord>(keys: &mut [K], keep: usize) {
    if keep < keys.len() {
        keys.select_nth_unstable(keep - 1);
    }
    if let Some(front) = keys.get_mut(..keep) {
        front.sort_unstable();
    }
}

/// A whole number that orders as the number does.
fn key32(x: f32, descending: bool) -> u32 {
    // -0 as 0.
    let bits = if x == 0.0 { 0 } else { x.to_bits() };
    let key = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    if descending { !key } else { key }
}

fn key64(x: f64, descending: bool) -> u64 {
    let bits = if x == 0.0 { 0 } else { x.to_bits() };
    let key = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    if descending { !key } else { key }
}

/// The running sum of every line of `n` numbers, from its end where `back`. It is kept in `f64`.
pub fn running<T: Float>(x: &[T], n: usize, back: bool) -> Vec<T> {
    let n = n.max(1);
    let mut out = vec![T::ZERO; x.len()];
    let part = n * (BLOCK / n).max(ABREAST);
    parts::chunks(&mut out, part, 2, |at, out| {
        let x = x.get(at..at + out.len()).unwrap_or_default();
        for (out, x) in out.chunks_mut(ABREAST * n).zip(x.chunks(ABREAST * n)) {
            // A sum waits for the one before it; those of several lines do not wait for each other.
            match (out.len() == ABREAST * n, back) {
                (true, false) => abreast(out, x, n, 0..n),
                (true, true) => abreast(out, x, n, (0..n).rev()),
                (false, false) => out.chunks_mut(n).zip(x.chunks(n)).for_each(|(out, x)| one(out.iter_mut().zip(x))),
                (false, true) => {
                    out.chunks_mut(n).zip(x.chunks(n)).for_each(|(out, x)| one(out.iter_mut().zip(x).rev()))
                }
            }
        }
    });
    out
}

/// Lines whose sums run at once.
const ABREAST: usize = 4;

/// The running sums of so many lines, place by place.
fn abreast<T: Float>(out: &mut [T], x: &[T], n: usize, places: impl Iterator<Item = usize>) {
    let mut outs = out.chunks_exact_mut(n);
    let mut xs = x.chunks_exact(n);
    let (mut outs, xs): ([&mut [T]; ABREAST], [&[T]; ABREAST]) = (
        std::array::from_fn(|_| outs.next().unwrap_or_default()),
        std::array::from_fn(|_| xs.next().unwrap_or_default()),
    );
    let mut sums = [0.0; ABREAST];
    for at in places {
        for ((out, x), sum) in outs.iter_mut().zip(&xs).zip(&mut sums) {
            *sum += x[at].wide();
            out[at] = T::of(*sum);
        }
    }
}

/// The running sum of one line.
fn one<'a, T: Float>(line: impl Iterator<Item = (&'a mut T, &'a T)>) {
    let mut sum = 0.0;
    for (out, x) in line {
        sum += x.wide();
        *out = T::of(sum);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_a_stable_sort() {
        let (n, lines) = (37, 400);
        let odd = [f64::NAN, -f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e-40];
        let x: Vec<f64> = (0..n * lines)
            .map(|i| if i % 11 == 0 { odd[i / 11 % 7] } else { ((i * 7919) % 23) as f64 - 11.0 })
            .collect();
        let narrow: Vec<f32> = x.iter().map(|x| *x as f32).collect();
        let compare = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b));
        for (descending, keep) in [(false, n), (true, n), (false, 5), (true, 1), (true, 0)] {
            let wanted: Vec<u32> = x
                .chunks(n)
                .flat_map(|line| {
                    let mut order: Vec<u32> = (0..n as u32).collect();
                    order.sort_by(|a, b| {
                        let (a, b) = (line[*a as usize], line[*b as usize]);
                        if descending { compare(b, a) } else { compare(a, b) }
                    });
                    order.truncate(keep);
                    order
                })
                .collect();
            assert_eq!(places(&x, n, descending, keep), wanted, "{descending} {keep}");
            assert_eq!(places(&narrow, n, descending, keep), wanted, "{descending} {keep}, f32");
        }
        assert!(places::<f32>(&[], 0, false, 0).is_empty());
    }

    #[test]
    fn sums_run_from_either_end() {
        assert_eq!(running(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, false), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
        assert_eq!(running(&[1.0f32, 2.0, 3.0, 4.0], 2, true), [3.0, 2.0, 7.0, 4.0]);
    }
}
