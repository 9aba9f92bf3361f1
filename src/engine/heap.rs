//! Where the allocator would put tensors if it never gave memory back: what a step's values really take, gaps among them.
//!
//! It is a model of `rord_kernels::allocator::large`: a block takes the smallest gap that it fits, in slices of 64 KiB. A slice that was
//! ever taken stays with the process. Smaller blocks are only counted.

use rord_kernels::allocator::large::LEAST;

/// Bytes of a slice.
const SLICE: usize = 64 << 10;

/// Bytes from which on blocks are only counted, so that the map does not grow without bounds for what cannot be had.
const COUNTED: usize = 64 << 30;

/// Something that was allocated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    bytes: usize,
    /// Its slices, if it has slices of its own.
    at: Option<(usize, usize)>,
}

impl Block {
    /// Its bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Memory, as slices that are in use or have been.
#[derive(Default)]
pub struct Heap {
    used: Vec<bool>,
    /// Bytes of all blocks, and of those without slices.
    live: usize,
    small: usize,
    most_small: usize,
    most_live: usize,
}

impl Heap {
    /// A new block.
    pub fn make(&mut self, bytes: usize) -> Block {
        self.live = self.live.saturating_add(bytes);
        self.most_live = self.most_live.max(self.live);
        if bytes < LEAST || self.live > COUNTED {
            self.small = self.small.saturating_add(bytes);
            self.most_small = self.most_small.max(self.small);
            return Block { bytes, at: None };
        }
        let count = bytes.div_ceil(SLICE);
        let from = self.place(count);
        let end = from + count;
        self.used.resize(self.used.len().max(end), false);
        self.used.get_mut(from..end).into_iter().for_each(|s| s.fill(true));
        Block { bytes, at: Some((from, end)) }
    }

    /// The smallest gap that fits, or what is free at the end.
    fn place(&self, count: usize) -> usize {
        let mut gaps = Vec::new();
        let mut from = 0;
        for run in self.used.chunk_by(|a, b| a == b) {
            if run.first() == Some(&false) {
                gaps.push((run.len(), from));
            }
            from += run.len();
        }
        let at_end = gaps.last().filter(|(len, at)| at + len == from).map_or(from, |(_, at)| *at);
        gaps.into_iter().filter(|(len, _)| *len >= count).min().map_or(at_end, |(_, at)| at)
    }

    /// Frees a block.
    pub fn free(&mut self, block: Block) {
        self.live = self.live.saturating_sub(block.bytes);
        match block.at {
            Some((from, end)) => self.used.get_mut(from..end).into_iter().for_each(|s| s.fill(false)),
            None => self.small = self.small.saturating_sub(block.bytes),
        }
    }

    /// The most bytes that blocks have had at a time.
    pub fn most_live(&self) -> usize {
        self.most_live
    }

    /// Bytes that the process has had in all.
    pub fn most(&self) -> usize {
        self.used.len().saturating_mul(SLICE).saturating_add(self.most_small).max(self.most_live)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_used_again_by_what_fits() {
        let mut heap = Heap::default();
        let first = heap.make(200 * SLICE);
        let _second = heap.make(200 * SLICE);
        assert_eq!(heap.most(), 400 * SLICE);
        heap.free(first);
        heap.make(100 * SLICE);
        heap.make(99 * SLICE + 1);
        assert_eq!(heap.most(), 400 * SLICE, "both went into the gap");
        heap.make(70 * SLICE);
        assert_eq!(heap.most(), 470 * SLICE);
    }

    #[test]
    fn the_smallest_gap_is_taken_and_what_is_free_at_the_end_grows() {
        let mut heap = Heap::default();
        let large = heap.make(150 * SLICE);
        let _kept = heap.make(100 * SLICE);
        let small = heap.make(120 * SLICE);
        let _kept = heap.make(100 * SLICE);
        let last = heap.make(130 * SLICE);
        [large, small, last].into_iter().for_each(|block| heap.free(block));
        assert_eq!(heap.make(120 * SLICE).at, Some((250, 370)));
        assert_eq!(heap.make(160 * SLICE).at, Some((470, 630)));
        assert_eq!(heap.make(SLICE).at, None, "what is small is counted");
    }

    #[test]
    fn what_no_machine_has_is_counted_and_not_mapped() {
        let mut heap = Heap::default();
        let block = heap.make(usize::MAX / 2);
        assert!(block.at.is_none() && heap.most() >= usize::MAX / 2);
        heap.free(block);
        assert_eq!(heap.live, 0);
    }
}
