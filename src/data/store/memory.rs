//! What is kept in memory of all pictures of the process, under a limit in bytes: what was used last stays.
//!
//! Of seven eighths of it, half is for squares as they are read, half for packed ones, of which ten to thirty times as
//! many find place. Both lie in shards with a lock each, so that threads rarely wait for each other.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use crate::picture::Square;

/// The limit where none is given.
pub const DEFAULT: usize = 512 << 20;

/// Which square: of which picture, its column and its row.
pub type Key = (u64, u32, u32);

/// Squares in memory.
pub struct Memory {
    limit: usize,
    open: Recent<Arc<Square>>,
    packed: Recent<Arc<[u8]>>,
}

impl Memory {
    /// Room for `limit` bytes.
    pub fn new(limit: usize) -> Self {
        // An eighth is for what threads have at hand, and for what the allocator takes beside.
        let half = limit / 16 * 7;
        Self { limit, open: Recent::new(half), packed: Recent::new(half) }
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What is held now, in bytes.
    pub fn bytes(&self) -> usize {
        self.open.bytes() + self.packed.bytes()
    }

    /// The square, if it is there.
    pub fn open(&self, key: Key) -> Option<Arc<Square>> {
        self.open.get(key)
    }

    /// Keeps a square.
    pub fn keep_open(&self, key: Key, square: &Arc<Square>) {
        self.open.put(key, square, square.bytes());
    }

    /// The packed square, if it is there.
    pub fn packed(&self, key: Key) -> Option<Arc<[u8]>> {
        self.packed.get(key)
    }

    /// Keeps a packed square.
    pub fn keep_packed(&self, key: Key, packed: &Arc<[u8]>) {
        self.packed.put(key, packed, packed.len());
    }
}

/// Locks that are waited for rarely with this many threads.
const SHARDS: usize = 16;
/// What an entry takes beside its value.
const ENTRY: usize = 128;

struct Recent<T> {
    shards: Vec<Mutex<Shard<T>>>,
    hasher: RandomState,
}

struct Shard<T> {
    limit: usize,
    bytes: usize,
    clock: u64,
    entries: HashMap<Key, (T, usize, u64)>,
    /// Keys by when they were used.
    order: BTreeMap<u64, Key>,
}

impl<T: Clone> Recent<T> {
    fn new(limit: usize) -> Self {
        let shard = |_| {
            let (entries, order) = (HashMap::new(), BTreeMap::new());
            Mutex::new(Shard { limit: limit / SHARDS, bytes: 0, clock: 0, entries, order })
        };
        Self { shards: (0..SHARDS).map(shard).collect(), hasher: RandomState::new() }
    }

    fn shard<R>(&self, key: Key, f: impl FnOnce(&mut Shard<T>) -> R) -> Option<R> {
        let shard = self.shards.get(self.hasher.hash_one(key) as usize % SHARDS)?;
        // Nothing panics while the lock is held, so a poisoned shard is still in order.
        Some(f(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn get(&self, key: Key) -> Option<T> {
        self.shard(key, |shard| shard.get(key)).flatten()
    }

    fn put(&self, key: Key, value: &T, bytes: usize) {
        self.shard(key, |shard| shard.put(key, value.clone(), bytes + ENTRY));
    }

    fn bytes(&self) -> usize {
        self.shards.iter().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner).bytes).sum()
    }
}

impl<T: Clone> Shard<T> {
    fn get(&mut self, key: Key) -> Option<T> {
        self.clock += 1;
        let (value, _, used) = self.entries.get_mut(&key)?;
        self.order.remove(used);
        *used = self.clock;
        self.order.insert(self.clock, key);
        Some(value.clone())
    }

    fn put(&mut self, key: Key, value: T, bytes: usize) {
        if bytes > self.limit || self.entries.contains_key(&key) {
            return;
        }
        self.clock += 1;
        self.bytes += bytes;
        self.entries.insert(key, (value, bytes, self.clock));
        self.order.insert(self.clock, key);
        while self.bytes > self.limit {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.bytes -= self.entries.remove(&oldest).map_or(0, |(_, bytes, _)| bytes);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays_within_the_limit() {
        let limit = 2 * SHARDS * (10 * (ENTRY + 100));
        let memory = Memory::new(limit);
        let value: Arc<[u8]> = vec![7; 100].into();
        for k in 0..10_000 {
            memory.keep_packed((1, k, 0), &value);
            assert!(memory.packed((1, 0, 0)).is_some() && memory.bytes() <= limit / 2, "square {k}");
        }
        let held = (0..10_000).filter(|&k| memory.packed((1, k, 0)).is_some()).count();
        assert!((100..=160).contains(&held), "{held}");
        assert!(memory.packed((1, 5, 0)).is_none() && memory.packed((2, 0, 0)).is_none());
        memory.keep_packed((3, 0, 0), &vec![0; limit].into());
        assert!(memory.packed((3, 0, 0)).is_none(), "what is larger than all passes through");
    }
}
