//! Blocks of four megabytes and more beside each other in one range of addresses, whatever their sizes: tensors.
//!
//! Allocators for all purposes keep large blocks in chunks of a power of two and put something before each. A tensor whose size is a
//! power of two itself, as most are, then leaves a gap of half a chunk and more. Here a block takes the smallest gap that it fits, gaps
//! that touch are one, and nothing lies between blocks. What nobody took for a while goes back to the system.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Blocks from this size on, in bytes.
pub const LEAST: usize = 4 << 20;

/// Bytes that sizes are rounded up to.
const PIECE: usize = 64 << 10;

/// Pieces that are made usable at a time: a huge page of the system, of which it makes one where it can. Kernels that read and write many
/// places of a map at once are slower by up to a tenth without.
const HUGE: usize = (2 << 20) / PIECE;

/// Bytes of addresses, which cost nothing before they are used. Where that is not enough, or not to be had, the other allocator serves.
const RESERVED: usize = 256 << 30;

/// Milliseconds for which a gap keeps its memory.
static KEPT: AtomicU64 = AtomicU64::new(20_000);

/// How often it is looked for such gaps.
const LOOK: Duration = Duration::from_secs(1);

/// Sets for how many milliseconds memory that was freed stays with the process.
pub fn keep_for(milliseconds: u64) {
    KEPT.store(milliseconds, Ordering::Relaxed);
}

/// Another allocator, whose large blocks are kept here.
pub struct Large<A> {
    other: A,
    /// The first address, once there is one.
    base: AtomicUsize,
    held: Mutex<Held>,
}

/// What is known of the range. Its parts are counted in pieces.
struct Held {
    state: State,
    /// The end of what was ever handed out.
    end: usize,
    /// The end of what can be used.
    committed: usize,
    /// What is free before it, in the order of addresses; no two touch.
    gaps: Vec<Gap>,
    looked: Option<Instant>,
}

#[derive(PartialEq)]
enum State {
    Unknown,
    Open,
    /// This system gives no such range.
    Closed,
}

/// Pieces that are free.
#[derive(Clone, Copy, Debug)]
struct Gap {
    from: usize,
    count: usize,
    since: Instant,
    /// False where it holds zeros, and no memory of the system.
    used: bool,
    /// Of its last pieces so many that nobody took since then, though what lies before them was taken and freed.
    cold: usize,
    cold_since: Instant,
}

/// The most gaps that there can be: a block lies between two. Room for them is there from the beginning, so that nothing is allocated
/// while the lock is held.
const GAPS: usize = RESERVED / (LEAST + PIECE) + 1;
const _: () = assert!(GAPS * size_of::<Gap>() < LEAST, "the list of gaps must come from the other allocator");

impl Gap {
    fn end(&self) -> usize {
        self.from + self.count
    }

    /// Its first pieces are taken.
    fn shorten(&mut self, count: usize) {
        self.from += count;
        self.count -= count;
        self.cold = self.cold.min(self.count);
    }
}

impl Held {
    /// Takes pieces: where they begin, and whether they hold zeros. `commit` makes pieces beyond the end usable, or not.
    fn take(&mut self, count: usize, commit: impl FnOnce(usize, usize) -> bool) -> Option<(usize, bool)> {
        // Of gaps of one size the one that was freed last: the cache may still hold it.
        let fitting = self.gaps.iter_mut().enumerate().filter(|(_, gap)| gap.count >= count);
        if let Some((index, gap)) = fitting.min_by_key(|(_, gap)| (gap.count, std::cmp::Reverse(gap.since))) {
            let found = (gap.from, !gap.used);
            gap.shorten(count);
            if gap.count == 0 {
                self.gaps.remove(index);
            }
            return Some(found);
        }
        // What is free at the end is made longer.
        let last = self.gaps.last().filter(|gap| gap.end() == self.end).copied();
        let from = last.map_or(self.end, |gap| gap.from);
        let end = from.checked_add(count).filter(|end| end.checked_mul(PIECE).is_some_and(|n| n <= RESERVED))?;
        let usable = end.next_multiple_of(HUGE);
        if usable > self.committed && !commit(self.committed, usable - self.committed) {
            return None;
        }
        self.committed = self.committed.max(usable);
        if last.is_some() {
            self.gaps.pop();
        }
        self.end = end;
        Some((from, last.is_none_or(|gap| !gap.used)))
    }

    /// Takes the pieces that follow a block's `end`, if they are free: the block grows.
    fn extend(&mut self, end: usize, count: usize) -> bool {
        let Some(index) = self.gaps.iter().position(|gap| gap.from == end && gap.count >= count) else { return false };
        if let Some(gap) = self.gaps.get_mut(index) {
            gap.shorten(count);
            if gap.count == 0 {
                self.gaps.remove(index);
            }
        }
        true
    }

    /// Takes pieces back.
    fn give(&mut self, from: usize, count: usize, since: Instant) {
        let mut gap = Gap { from, count, since, used: true, cold: 0, cold_since: since };
        let mut at = self.gaps.partition_point(|other| other.from < from);
        if let Some(after) = self.gaps.get(at).filter(|after| after.from == gap.end()) {
            gap.count += after.count;
            (gap.cold, gap.cold_since) =
                if after.cold > 0 { (after.cold, after.cold_since) } else { (after.count, after.since) };
            self.gaps.remove(at);
        }
        if let Some(before) = at.checked_sub(1).and_then(|i| self.gaps.get(i)).filter(|before| before.end() == gap.from)
        {
            gap = Gap { from: before.from, count: before.count + gap.count, ..gap };
            at -= 1;
            self.gaps.remove(at);
        }
        self.gaps.insert(at, gap);
    }

    /// Gives the memory of old gaps back to the system by `release`.
    fn purge(&mut self, now: Instant, kept: Duration, release: impl Fn(usize, usize) -> bool) {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK.min(kept)) {
            return;
        }
        self.looked = Some(now);
        for gap in self.gaps.iter_mut().filter(|gap| gap.used) {
            if now.duration_since(gap.since) >= kept {
                gap.used = !release(gap.from, gap.count);
                gap.cold = 0;
            } else if gap.cold > 0 && now.duration_since(gap.cold_since) >= kept {
                release(gap.end() - gap.cold, gap.cold);
                gap.cold = 0;
            }
        }
    }

    /// What is free at the end and holds no memory is only reserved again: it counts for the limits of the process no more.
    fn shrink(&mut self, withdraw: impl Fn(usize, usize) -> bool) {
        let Some(last) = self.gaps.last().filter(|gap| !gap.used && gap.end() == self.end) else { return };
        let usable = last.from.next_multiple_of(HUGE);
        if usable < self.committed && withdraw(usable, self.committed - usable) {
            self.end = last.from;
            self.committed = usable;
            self.gaps.pop();
        }
    }
}

impl<A> Large<A> {
    /// Over another allocator.
    pub const fn new(other: A) -> Self {
        let held = Held { state: State::Unknown, end: 0, committed: 0, gaps: Vec::new(), looked: None };
        Self { other, base: AtomicUsize::new(0), held: Mutex::new(held) }
    }

    /// The piece at which a block begins, if it lies here.
    #[inline]
    fn piece(&self, ptr: *mut u8) -> Option<usize> {
        let base = self.base.load(Ordering::Relaxed);
        let from = ptr.addr().wrapping_sub(base);
        (base != 0 && from < RESERVED).then_some(from / PIECE)
    }

    fn address(&self, piece: usize) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.base.load(Ordering::Relaxed) + piece * PIECE)
    }

    /// What is free and used; nothing that is done with it panics.
    fn held<R>(&self, f: impl FnOnce(&mut Held) -> R) -> R {
        f(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A block, and whether it holds zeros; nothing where it is small, or there is no range.
    fn block(&self, layout: Layout) -> Option<(*mut u8, bool)> {
        if layout.size() < LEAST || layout.align() > PIECE {
            return None;
        }
        let (piece, zeros) = self.held(|held| {
            if held.state == State::Unknown {
                let base = system::reserve(RESERVED, HUGE * PIECE);
                let base = base.filter(|_| held.gaps.try_reserve_exact(GAPS).is_ok());
                held.state = if base.is_some() { State::Open } else { State::Closed };
                self.base.store(base.unwrap_or(0), Ordering::Relaxed);
            }
            if held.state == State::Closed {
                return None;
            }
            held.take(layout.size().div_ceil(PIECE), |from, count| system::commit(self.address(from), count * PIECE))
        })?;
        Some((self.address(piece), zeros))
    }

    fn free(&self, from: usize, count: usize) {
        let now = Instant::now();
        let kept = Duration::from_millis(KEPT.load(Ordering::Relaxed));
        self.held(|held| {
            held.give(from, count, now);
            held.purge(now, kept, |from, count| system::release(self.address(from), count * PIECE));
            held.shrink(|from, count| system::withdraw(self.address(from), count * PIECE));
        });
    }
}

// SAFETY: blocks are pieces that nobody else has, or the other allocator's; each goes back to where it came from.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Large<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.block(layout) {
            Some((block, _)) => block,
            None => unsafe { self.other.alloc(layout) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match self.block(layout) {
            Some((block, true)) => block,
            Some((block, false)) => unsafe {
                block.write_bytes(0, layout.size());
                block
            },
            None => unsafe { self.other.alloc_zeroed(layout) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        match self.piece(ptr) {
            Some(piece) => self.free(piece, layout.size().div_ceil(PIECE)),
            None => unsafe { self.other.dealloc(ptr, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        let piece = self.piece(ptr);
        if piece.is_none() && new < LEAST {
            return unsafe { self.other.realloc(ptr, layout, new) };
        }
        let (before, after) = (layout.size().div_ceil(PIECE), new.div_ceil(PIECE));
        if let Some(piece) = piece.filter(|_| new >= LEAST) {
            if after < before {
                self.free(piece + after, before - after);
            }
            if after <= before || self.held(|held| held.extend(piece + before, after - before)) {
                return ptr;
            }
        }
        // SAFETY: the caller's layout with another size, which it promises to be one.
        let to = unsafe { self.alloc(Layout::from_size_align_unchecked(new, layout.align())) };
        if !to.is_null() {
            unsafe {
                to.copy_from_nonoverlapping(ptr, layout.size().min(new));
                self.dealloc(ptr, layout);
            }
        }
        to
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::c_void;
    use std::ptr::null_mut;

    use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect};

    /// Addresses without memory; the first one, a multiple of `align`.
    pub fn reserve(bytes: usize, align: usize) -> Option<usize> {
        // A limit on addresses is for all of the process: then the other allocator serves.
        if rustix::process::getrlimit(rustix::process::Resource::As).current.is_some() {
            return None;
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the system chooses the place.
        let found = unsafe { mmap_anonymous(null_mut(), bytes + align, ProtFlags::empty(), flags) };
        let base = found.ok()?.expose_provenance().next_multiple_of(align);
        // Where the system makes no huge pages, others will do.
        // SAFETY: within what was reserved.
        let _ = unsafe { madvise(std::ptr::with_exposed_provenance_mut(base), bytes, Advice::LinuxHugepage) };
        Some(base)
    }

    /// Lets addresses be used, with zeros in them.
    pub fn commit(at: *mut u8, bytes: usize) -> bool {
        // SAFETY: within what was reserved.
        unsafe { mprotect(at.cast::<c_void>(), bytes, MprotectFlags::READ | MprotectFlags::WRITE) }.is_ok()
    }

    /// Addresses that cannot be used any more until they are committed again.
    pub fn withdraw(at: *mut u8, bytes: usize) -> bool {
        // SAFETY: pieces that are free.
        unsafe { mprotect(at.cast::<c_void>(), bytes, MprotectFlags::empty()) }.is_ok()
    }

    /// Gives memory back; zeros are there if it is used again.
    pub fn release(at: *mut u8, bytes: usize) -> bool {
        // SAFETY: pieces that are free.
        unsafe { madvise(at.cast::<c_void>(), bytes, Advice::LinuxDontNeed) }.is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub fn reserve(_: usize, _: usize) -> Option<usize> {
        None
    }

    pub fn commit(_: *mut u8, _: usize) -> bool {
        false
    }

    pub fn release(_: *mut u8, _: usize) -> bool {
        false
    }

    pub fn withdraw(_: *mut u8, _: usize) -> bool {
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use std::alloc::System;

    use rord_random::Stream;

    use super::*;

    fn held() -> Held {
        Held { state: State::Open, end: 0, committed: 0, gaps: Vec::new(), looked: None }
    }

    #[test]
    fn a_block_takes_the_smallest_gap_that_it_fits_and_gaps_that_touch_are_one() {
        let (mut held, now) = (held(), Instant::now());
        let from: Vec<usize> = [4, 1, 3, 1].iter().map(|n| held.take(*n, |_, _| true).unwrap().0).collect();
        assert_eq!(from, [0, 4, 5, 8]);
        held.give(0, 4, now);
        held.give(5, 3, now);
        assert_eq!(held.take(2, |_, _| panic!("there is room")).unwrap(), (5, false));
        held.give(4, 1, now);
        let left: Vec<(usize, usize)> = held.gaps.iter().map(|gap| (gap.from, gap.count)).collect();
        assert_eq!(left, [(0, 5), (7, 1)]);
        assert!(held.extend(7, 1) && !held.extend(8, 1));
        assert_eq!(held.end, 9);
    }

    #[test]
    fn what_is_free_at_the_end_is_made_longer_and_what_the_system_refuses_is_not_taken() {
        let mut held = held();
        held.take(2, |_, _| true).unwrap();
        held.give(0, 2, Instant::now());
        assert!(held.take(40, |_, _| false).is_none());
        assert_eq!((held.end, held.gaps.len()), (2, 1));
        assert_eq!(held.take(40, |from, count| (from, count) == (32, 32)).unwrap(), (0, false));
        assert!(held.gaps.is_empty());
        assert!(held.take(usize::MAX, |_, _| true).is_none());
    }

    #[test]
    fn memory_that_nobody_took_for_a_while_goes_back_once() {
        let (mut held, now) = (held(), Instant::now());
        held.take(3, |_, _| true).unwrap();
        held.give(0, 3, now);
        let released = std::cell::Cell::new(0);
        let mut purge = |seconds| {
            held.purge(now + Duration::from_secs(seconds), Duration::from_secs(20), |_, count| {
                released.set(released.get() + count);
                true
            });
        };
        purge(19);
        assert_eq!(released.get(), 0);
        purge(21);
        purge(60);
        assert_eq!(released.get(), 3);
        assert_eq!(held.take(3, |_, _| true).unwrap(), (0, true), "it holds zeros again");
    }

    /// Blocks with a number of their own in each, of which some are freed, made larger or smaller.
    #[test]
    fn no_block_ever_lies_in_another() {
        let heap = Large::new(System);
        let mut random = Stream::new(1, &[]);
        let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let layout = |random: &mut Stream| Layout::from_size_align(1 + random.below(6 * LEAST), 64).unwrap();
        // The first and the last number, and one of each page.
        let places = |size: usize| (0..size).step_by(4096).chain([size - 1]);
        for k in 0..3000usize {
            let number = (k % 255 + 1) as u8;
            match random.below(5) {
                0 | 1 => {
                    let layout = layout(&mut random);
                    let zeroed = random.chance(0.5);
                    // SAFETY: the layout is not empty; all that is written lies in the block.
                    unsafe {
                        let block = if zeroed { heap.alloc_zeroed(layout) } else { heap.alloc(layout) };
                        assert!(!block.is_null() && block.addr() % 64 == 0);
                        let zeros = places(layout.size()).all(|at| *block.add(at) == 0);
                        assert!(zeros || !zeroed, "zeros were asked for");
                        places(layout.size()).for_each(|at| *block.add(at) = number);
                        blocks.push((block, layout, number));
                    }
                }
                2 if !blocks.is_empty() => {
                    let index = random.below(blocks.len());
                    let (block, old, number) = blocks[index];
                    let new = layout(&mut random);
                    // SAFETY: as above.
                    unsafe {
                        let block = heap.realloc(block, old, new.size());
                        let kept = old.size().min(new.size());
                        assert!((0..kept).step_by(4096).all(|at| *block.add(at) == number));
                        places(new.size()).for_each(|at| *block.add(at) = number);
                        blocks[index] = (block, new, number);
                    }
                }
                _ if !blocks.is_empty() => {
                    let (block, layout, number) = blocks.swap_remove(random.below(blocks.len()));
                    // SAFETY: as above.
                    unsafe {
                        assert!(places(layout.size()).all(|at| *block.add(at) == number), "block {number}");
                        heap.dealloc(block, layout);
                    }
                }
                _ => {}
            }
        }
        for (block, layout, number) in blocks {
            // SAFETY: as above.
            unsafe {
                assert!(places(layout.size()).all(|at| *block.add(at) == number));
                heap.dealloc(block, layout);
            }
        }
        let whole = heap.held(|held| held.gaps.iter().map(|gap| gap.count).sum::<usize>() == held.end);
        assert!(whole && heap.held(|held| held.gaps.len()) <= 1, "all is one gap in the end");
    }
}
