//! Numbers as words and back, and sums over ranks that are formed in the order of the ranks.

use super::{Lane, Lost, Wire};

/// Sums of fewer words than this are formed by every rank of all numbers; longer ones in parts, each rank one part, which takes two
/// turns but moves less.
const SMALL: usize = 4096;

/// So many sums are formed at a time: in f64 they stay in the fastest cache.
const BLOCK: usize = 2048;

/// A number as words.
pub trait Number: Copy + Send + 'static {
    /// Words of one.
    const WORDS: usize;
    /// Numbers as words, where they lie if that can be.
    fn words(numbers: Vec<Self>) -> Vec<u32>;
    /// Words as numbers, likewise.
    fn numbers(words: Vec<u32>) -> Vec<Self>;
    /// As f64.
    fn wide(self) -> f64;
    /// Rounded from f64.
    fn of(x: f64) -> Self;
}

impl Number for f32 {
    const WORDS: usize = 1;
    // Gradients of many megabytes pass here in every step: collected from the vector itself they stay in its memory.
    fn words(numbers: Vec<Self>) -> Vec<u32> {
        numbers.into_iter().map(f32::to_bits).collect()
    }
    fn numbers(words: Vec<u32>) -> Vec<Self> {
        words.into_iter().map(f32::from_bits).collect()
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn of(x: f64) -> Self {
        x as f32
    }
}

impl Number for f64 {
    const WORDS: usize = 2;
    fn words(numbers: Vec<Self>) -> Vec<u32> {
        numbers.iter().map(|x| x.to_bits()).flat_map(|bits| [bits as u32, (bits >> 32) as u32]).collect()
    }
    fn numbers(words: Vec<u32>) -> Vec<Self> {
        let number = |two: &[u32]| match two {
            [low, high] => f64::from_bits(u64::from(*low) | u64::from(*high) << 32),
            _ => f64::NAN,
        };
        words.chunks_exact(2).map(number).collect()
    }
    fn wide(self) -> f64 {
        self
    }
    fn of(x: f64) -> Self {
        x
    }
}

/// The sum over all ranks of each number. It is formed in f64 from rank 0 on, and rounded once.
pub fn sum<T: Number>(wire: &dyn Wire, lane: Lane, own: Vec<T>, meanwhile: &dyn Fn()) -> Result<Vec<T>, Lost> {
    let (ranks, length) = (wire.size().max(1), own.len());
    if length < SMALL {
        let all = wire.gather(lane, &T::words(own), &vec![length * T::WORDS; ranks], meanwhile)?;
        return Ok(in_order(&T::numbers(all), length));
    }
    // Each rank adds up one part of all.
    let part = length.div_ceil(ranks);
    let mut sent = T::words(own);
    sent.resize(part * ranks * T::WORDS, 0);
    let parts = T::numbers(wire.exchange(lane, &sent, meanwhile)?);
    let added = T::words(in_order(&parts, part));
    drop((sent, parts));
    let mut all = T::numbers(wire.gather(lane, &added, &vec![part * T::WORDS; ranks], meanwhile)?);
    all.truncate(length);
    Ok(all)
}

/// The sums of as many rows of `length` numbers as there are.
fn in_order<T: Number>(rows: &[T], length: usize) -> Vec<T> {
    let mut sums = Vec::with_capacity(length);
    for from in (0..length).step_by(BLOCK) {
        let block = from..(from + BLOCK).min(length);
        let mut wide = vec![0.0f64; block.len()];
        for row in rows.chunks_exact(length) {
            let own = row.get(block.clone()).unwrap_or_default();
            wide.iter_mut().zip(own).for_each(|(sum, x)| *sum += x.wide());
        }
        sums.extend(wide.into_iter().map(T::of));
    }
    sums
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_their_words() {
        let wide = [0.1, -1e300, f64::INFINITY, -0.0];
        assert_eq!(f64::numbers(f64::words(wide.to_vec())), wide);
        let short = [0.1f32, -1e30, f32::NEG_INFINITY, -0.0];
        assert_eq!(f32::numbers(f32::words(short.to_vec())), short);
    }

    #[test]
    fn sums_of_several_blocks_are_those_of_their_rows() {
        let length = 2 * BLOCK + 7;
        let number = |row: usize, at: usize| (at as f32).sin() * 10f32.powi(row as i32);
        let rows: Vec<f32> = (0..3).flat_map(|row| (0..length).map(move |at| number(row, at))).collect();
        let wide = |at: usize| (0..3).fold(0.0, |sum, row| sum + f64::from(number(row, at)));
        assert_eq!(in_order(&rows, length), (0..length).map(|at| wide(at) as f32).collect::<Vec<f32>>());
        assert!(in_order::<f32>(&[], 0).is_empty());
    }
}
