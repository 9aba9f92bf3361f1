//! One task in parts: the caller does them one by one, and helpers from the pool join in while there are any left.
//!
//! Rayon's iterators hand a call from outside to the pool as a whole: the caller sleeps until all is done, and to wake two
//! threads takes longer than to add up a hundred thousand numbers. Here the caller begins at once, at the front; helpers take
//! parts from the back, so that a thread meets in the next call what it wrote in this one; and a helper that wakes too late
//! finds the door closed, and is not waited for. Below a size it is not even called. Who does a part changes no number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;

use super::shared::Shared;

/// What a part costs is counted in numbers that are read, changed a little and written; for so many, calling one more helper pays.
const WORTH: usize = 1 << 17;

/// What powers and logarithms cost, a number.
pub(crate) const CURVE: usize = 8;

/// Turns that the caller waits before it goes to sleep.
const TURNS: usize = 1 << 14;

/// Calls `part` once with every number below `count`, in no order; `cost` is that of all of them.
pub(crate) fn each(count: usize, cost: usize, part: impl Fn(usize) + Sync) {
    // The pool is asked last: it is made by whoever asks first.
    let most = (cost / WORTH).min(count.saturating_sub(1));
    let helpers = if most == 0 { 0 } else { most.min(rayon::current_num_threads().saturating_sub(1)) };
    if helpers == 0 {
        return (0..count).for_each(part);
    }
    let part: &(dyn Fn(usize) + Sync) = &part;
    let part: *const (dyn Fn(usize) + Sync + '_) = part;
    // SAFETY: a longer life only in name: who reads the pointer is inside, and `Closing` waits for all who are.
    #[allow(unsafe_code)]
    let part =
        unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync)>(part) };
    let door = Arc::new(Door {
        part,
        count,
        claimed: AtomicUsize::new(0),
        back: AtomicUsize::new(count),
        inside: AtomicUsize::new(0),
        caller: std::thread::current(),
    });
    for _ in 0..helpers {
        let door = Arc::clone(&door);
        rayon::spawn(move || door.help());
    }
    let closing = Closing(&door);
    let mut front = 0;
    while door.claims() {
        // SAFETY: the closure is borrowed above for as long as this function runs.
        #[allow(unsafe_code)]
        unsafe {
            (*door.part)(front);
        }
        front += 1;
    }
    drop(closing);
}

/// Calls `part` with every chunk of `size` numbers, the last one shorter, and where it begins; `cost` is that of a number.
pub(crate) fn chunks<T: Send>(out: &mut [T], size: usize, cost: usize, part: impl Fn(usize, &mut [T]) + Sync) {
    let (total, size) = (out.len(), size.max(1));
    let out = Shared::new(out);
    each(total.div_ceil(size), total * cost, |i| {
        let at = i * size;
        // SAFETY: a part of its own for every number, which is called once.
        #[allow(unsafe_code)]
        part(at, unsafe { out.part(at, size.min(total - at)) });
    });
}

/// Where helpers come in.
struct Door {
    /// Valid for those inside.
    part: *const (dyn Fn(usize) + Sync),
    count: usize,
    /// How many parts were asked for; from the caller's end and the other one as many as are counted, so that the two never meet.
    claimed: AtomicUsize,
    /// The part that was last taken from the back.
    back: AtomicUsize,
    /// How many helpers are inside, and whether the door is closed.
    inside: AtomicUsize,
    caller: Thread,
}

/// Set in [`Door::inside`] once nobody may come in.
const CLOSED: usize = 1 << (usize::BITS - 1);

// SAFETY: what the pointer leads to is `Sync`, and is reached only by those inside, while the caller lends it; the rest is
// shared by itself.
#[allow(unsafe_code)]
unsafe impl Send for Door {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Door {}

impl Door {
    /// Whether there is one more part.
    fn claims(&self) -> bool {
        self.claimed.fetch_add(1, Ordering::Relaxed) < self.count
    }

    /// What a helper does.
    fn help(&self) {
        let open = self.inside.fetch_add(1, Ordering::Acquire) & CLOSED == 0;
        let leaving = Leaving(self);
        if open {
            while self.claims() {
                let at = self.back.fetch_sub(1, Ordering::Relaxed) - 1;
                // SAFETY: the door was open when this helper was counted in, and the caller waits until it is counted out.
                #[allow(unsafe_code)]
                unsafe {
                    (*self.part)(at);
                }
            }
        }
        drop(leaving);
    }
}

/// Counts a helper out, whatever ends its work.
struct Leaving<'a>(&'a Door);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::Release) == CLOSED | 1 {
            self.0.caller.unpark();
        }
    }
}

/// Closes the door and waits for those inside, whatever ends the caller's work.
struct Closing<'a>(&'a Door);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let inside = &self.0.inside;
        inside.fetch_or(CLOSED, Ordering::AcqRel);
        let mut turns = 0;
        while inside.load(Ordering::Acquire) != CLOSED {
            turns += 1;
            if turns < TURNS { std::hint::spin_loop() } else { std::thread::park() }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once_by_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for count in [0usize, 1, 2, 3, 64, 1000] {
                // From outside of the pool, from within, and from within many at once.
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                let go = || {
                    each(count, usize::MAX, |i| {
                        done[i].fetch_add(1, Ordering::Relaxed);
                    })
                };
                go();
                pool.install(go);
                pool.install(|| rayon::join(go, go));
                assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 4), "{threads} {count}");
            }
        }
    }

    #[test]
    fn chunks_cover_a_slice() {
        for (len, size) in [(0, 3), (7, 3), (9, 3), (100_000, 1), (5, 100)] {
            let mut out = vec![0usize; len];
            chunks(&mut out, size, WORTH, |at, out| out.iter_mut().enumerate().for_each(|(i, x)| *x += at + i + 1));
            assert!(out.iter().enumerate().all(|(i, x)| *x == i + 1), "{len} {size}");
        }
    }

    #[test]
    fn helpers_help() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let (here, begin) = (AtomicUsize::new(0), std::time::Instant::now());
        // Three parts that wait for each other.
        let wait = |_| {
            here.fetch_add(1, Ordering::Relaxed);
            while here.load(Ordering::Relaxed) < 3 {
                assert!(begin.elapsed().as_secs() < 20, "one thread does everything");
                std::thread::yield_now();
            }
        };
        pool.install(|| each(3, usize::MAX, wait));
    }
}
