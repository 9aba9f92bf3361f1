//! Random numbers that depend on what draws them and on nothing else.
//!
//! Every draw comes from a [`Stream`] named by a seed and a key (which split, which sample, which place of the source).
//! The order of evaluation, the number of threads and a resumed run therefore cannot change a result, and two keys
//! never share a stream.
//!
//! ```
//! use rord_random::Stream;
//! let mut a = Stream::new(7, &[1, 2]);
//! let mut b = Stream::new(7, &[1, 2]);
//! assert_eq!(a.uniform(), b.uniform());
//! ```

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A named source of random numbers: ChaCha8, keyed by a hash of the seed and the key.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `seed` and `key`. Keys of different lengths name different streams.
    pub fn new(seed: u64, key: &[u64]) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(b"rord stream 1");
        hash.update(&seed.to_le_bytes());
        for part in key {
            hash.update(&part.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(*hash.finalize().as_bytes()))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// As many 32 bits, in the order in which [`Stream::bits`] gives them, the lower half of each draw first.
    pub fn halves(&mut self, to: &mut [u32]) {
        let mut bytes = [0; 256];
        for to in to.chunks_mut(bytes.len() / 4) {
            let Some(bytes) = bytes.get_mut(..to.len().next_multiple_of(2) * 4) else { continue };
            self.0.fill_bytes(bytes);
            to.iter_mut().zip(bytes.as_chunks().0).for_each(|(to, from)| *to = u32::from_le_bytes(*from));
        }
    }

    /// A number in [0, 1), from the upper 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in [low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A whole number in 0..n; 0 where `n` is 0. The bias of at most n/2⁶⁴ is far below what any test can see.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// A standard normal number (Box and Muller's transform; one of its two values is dropped to keep draws countable).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_different_streams() {
        let first = |key: &[u64]| Stream::new(0, key).bits();
        assert_ne!(first(&[1]), first(&[2]));
        assert_ne!(first(&[1]), first(&[1, 0]));
        assert_ne!(Stream::new(1, &[1]).bits(), first(&[1]));
    }

    #[test]
    fn halves_are_those_of_whole_draws() {
        for n in [0, 1, 7, 64, 131] {
            let (mut whole, mut halves, mut to) = (Stream::new(5, &[2]), Stream::new(5, &[2]), vec![0; n]);
            halves.halves(&mut to);
            let draws: Vec<u32> = (0..n.div_ceil(2))
                .flat_map(|_| [whole.bits()].map(|x| [x as u32, (x >> 32) as u32]).concat())
                .collect();
            assert_eq!(to, draws.into_iter().take(n).collect::<Vec<u32>>());
            assert_eq!(halves.bits(), whole.bits(), "{n}");
        }
    }

    #[test]
    fn draws_stay_in_range_and_have_the_right_moments() {
        let mut stream = Stream::new(3, &[]);
        let (mut mean, mut square) = (0.0, 0.0);
        for _ in 0..20_000 {
            assert!(stream.below(7) < 7);
            assert!((2.0..3.0).contains(&stream.range(2.0, 3.0)));
            let x = stream.normal();
            mean += x / 20_000.0;
            square += x * x / 20_000.0;
        }
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "mean {mean}, square {square}");
        assert_eq!(stream.below(0), 0);
    }
}
