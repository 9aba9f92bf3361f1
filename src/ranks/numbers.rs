//! Numbers as words and back, and sums over ranks that are formed in the order of the ranks.

use super::{Lane, Lost, Wire};

/// Sums of fewer words than this are formed by every rank of all numbers; longer ones in parts, each rank one part, which takes two
/// turns but moves less.
const SMALL: usize = 4096;

/// A number as words.
pub trait Number: Copy + Send + 'static {
    /// Words of one.
    const WORDS: usize;
    /// Appends its words.
    fn write(self, words: &mut Vec<u32>);
    /// The number of these words.
    fn read(words: &[u32]) -> Self;
    /// As f64.
    fn wide(self) -> f64;
    /// Rounded from f64.
    fn of(x: f64) -> Self;
}

impl Number for f32 {
    const WORDS: usize = 1;
    fn write(self, words: &mut Vec<u32>) {
        words.push(self.to_bits());
    }
    fn read(words: &[u32]) -> Self {
        words.first().map_or(f32::NAN, |bits| f32::from_bits(*bits))
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
    fn write(self, words: &mut Vec<u32>) {
        let bits = self.to_bits();
        words.extend([bits as u32, (bits >> 32) as u32]);
    }
    fn read(words: &[u32]) -> Self {
        match words {
            [low, high] => f64::from_bits(u64::from(*low) | u64::from(*high) << 32),
            _ => f64::NAN,
        }
    }
    fn wide(self) -> f64 {
        self
    }
    fn of(x: f64) -> Self {
        x
    }
}

/// Numbers as words.
pub fn words<T: Number>(numbers: &[T]) -> Vec<u32> {
    let mut words = Vec::with_capacity(numbers.len() * T::WORDS);
    numbers.iter().for_each(|x| x.write(&mut words));
    words
}

/// Words as numbers.
pub fn numbers<T: Number>(words: &[u32]) -> Vec<T> {
    words.chunks_exact(T::WORDS).map(T::read).collect()
}

/// The sum over all ranks of each number. It is formed in f64 from rank 0 on, and rounded once.
pub fn sum<T: Number>(wire: &dyn Wire, lane: Lane, own: &[T], meanwhile: &dyn Fn()) -> Result<Vec<T>, Lost> {
    let ranks = wire.size().max(1);
    if own.len() < SMALL {
        let all: Vec<T> = numbers(&wire.gather(lane, &words(own), &vec![own.len() * T::WORDS; ranks], meanwhile)?);
        return in_order(&all, own.len());
    }
    // Each rank adds up one part of all.
    let part = own.len().div_ceil(ranks);
    let mut sent = words(own);
    sent.resize(part * ranks * T::WORDS, 0);
    let parts: Vec<T> = numbers(&wire.exchange(lane, &sent, meanwhile)?);
    let added = words(&in_order(&parts, part)?);
    let all = wire.gather(lane, &added, &vec![part * T::WORDS; ranks], meanwhile)?;
    let mut all: Vec<T> = numbers(&all);
    all.truncate(own.len());
    Ok(all)
}

/// The sums of as many rows of `length` numbers as there are.
fn in_order<T: Number>(rows: &[T], length: usize) -> Result<Vec<T>, Lost> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let mut sums = vec![0.0f64; length];
    for row in rows.chunks_exact(length) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.wide());
    }
    Ok(sums.into_iter().map(T::of).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_their_words() {
        let wide = [0.1, -1e300, f64::INFINITY, -0.0];
        assert_eq!(numbers::<f64>(&words(&wide)), wide);
        let short = [0.1f32, -1e30, f32::NEG_INFINITY, -0.0];
        assert_eq!(numbers::<f32>(&words(&short)), short);
    }
}
