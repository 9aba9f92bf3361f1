//! Where an allocator that never gives memory back would put tensors: what a step's values really take, gaps among
//! them.
//!
//! It is a rough model of mimalloc: memory comes in chunks of 512 slices of 64 KiB, and a block takes the first free
//! slices that fit. One larger than a chunk begins with a chunk. A slice that was ever taken stays with the process.

/// Bytes of a slice.
const SLICE: usize = 64 << 10;

/// Slices of a chunk.
const CHUNK: usize = 512;

/// What a block has beside its numbers.
const HEADER: usize = 4 << 10;

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
    touched: Vec<bool>,
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
        if bytes < SLICE || self.live > COUNTED {
            self.small = self.small.saturating_add(bytes);
            self.most_small = self.most_small.max(self.small);
            return Block { bytes, at: None };
        }
        let count = (bytes + HEADER).div_ceil(SLICE);
        let from = self.place(count);
        let end = from + count;
        if self.used.len() < end {
            self.used.resize(end.next_multiple_of(CHUNK), false);
            self.touched.resize(self.used.len(), false);
        }
        for slices in [&mut self.used, &mut self.touched] {
            slices.get_mut(from..end).into_iter().for_each(|s| s.fill(true));
        }
        Block { bytes, at: Some((from, end)) }
    }

    /// The first slices that are free: within one chunk, or from the beginning of one.
    fn place(&self, count: usize) -> usize {
        let free = |at: usize| self.used.get(at) != Some(&true);
        let mut chunk = 0;
        loop {
            let mut at = chunk;
            let last = if count > CHUNK { chunk } else { chunk + CHUNK - count };
            while at <= last {
                match (at..at + count).rev().find(|i| !free(*i)) {
                    None => return at,
                    Some(taken) => at = taken + 1,
                }
            }
            chunk += CHUNK;
        }
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
        let slices = self.touched.iter().filter(|t| **t).count();
        slices.saturating_mul(SLICE).saturating_add(self.most_small).max(self.most_live)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_used_again_by_what_fits() {
        let mut heap = Heap::default();
        let first = heap.make(10 * SLICE - HEADER);
        let _second = heap.make(10 * SLICE - HEADER);
        assert_eq!(heap.most(), 20 * SLICE);
        heap.free(first);
        heap.make(4 * SLICE - HEADER);
        heap.make(6 * SLICE - HEADER);
        assert_eq!(heap.most(), 20 * SLICE, "both went into the gap");
        heap.make(SLICE);
        assert_eq!(heap.most(), 22 * SLICE, "a slice and its header are two");
    }

    #[test]
    fn a_block_stays_within_a_chunk_or_begins_with_one() {
        let mut heap = Heap::default();
        heap.make(300 * SLICE - HEADER);
        assert_eq!(heap.make(300 * SLICE - HEADER).at, Some((CHUNK, CHUNK + 300)));
        assert_eq!(heap.make(600 * SLICE - HEADER).at, Some((2 * CHUNK, 2 * CHUNK + 600)));
        assert_eq!(heap.make(200 * SLICE - HEADER).at, Some((300, 500)));
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
