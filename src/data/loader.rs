//! Makes batches on threads of its own, ahead of the training loop, in a fixed order.
//!
//! Which thread makes a batch cannot be seen in it: a batch is a function of its number. Dropping a loader stops its
//! threads and waits for them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::DataError;
use super::batches::{Batch, Batches};
use super::pairs::Split;

/// How often a caller that waits looks whether it should go on waiting.
const LOOK: Duration = Duration::from_millis(50);

/// What can go wrong in a loader, as facts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoaderError {
    /// A thread panicked while it made an item.
    #[error("item {step}: {message}")]
    Panicked {
        /// The item's number.
        step: u64,
        /// The message of the panic.
        message: String,
    },
    /// The data cannot be read any more.
    #[error("item {step}: {error}")]
    Data {
        /// The item's number.
        step: u64,
        /// Why.
        error: DataError,
    },
    /// The operating system gave no thread.
    #[error("no thread: {reason}")]
    NoThread {
        /// Its reason.
        reason: String,
    },
}

/// The batches of one split, from a given step on: an iterator, endless for training, [`Batches::validation_batches`]
/// long for validation. After an error it ends.
pub struct Loader(Ahead<Made>);

/// A batch with its number, or why there is none.
type Made = Result<Batch, LoaderError>;

impl Loader {
    /// Makes up to `ahead` batches in advance on `threads` threads (at least one each), beginning with batch number
    /// `first`.
    pub fn new(
        source: Arc<dyn Batches>,
        split: Split,
        first: u64,
        ahead: usize,
        threads: usize,
    ) -> Result<Self, LoaderError> {
        let end = match split {
            Split::Train => u64::MAX,
            Split::Validation => source.validation_batches(),
        };
        let make = move |step| source.batch_at(split, step).map_err(|error| LoaderError::Data { step, error });
        Ahead::new(make, first..end, ahead, threads).map(Self)
    }
}

impl Loader {
    /// The next batch; `None` at the end, and soon after `stop` is set.
    pub fn next_unless(&mut self, stop: &AtomicBool) -> Option<Result<Batch, LoaderError>> {
        let made = self.0.next_unless(stop)?.and_then(|made| made);
        if made.is_err() {
            self.0.shared.stop();
        }
        Some(made)
    }

    /// Stops the threads without waiting for what they are making.
    pub fn detach(self) {
        self.0.detach();
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_unless(&AtomicBool::new(false))
    }
}

/// Items of a range of numbers, made on threads up to `ahead` in advance and handed out in order.
pub struct Ahead<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<T> {
    desk: Mutex<Desk<T>>,
    /// Something was made, or there is room to make more.
    changed: Condvar,
    ahead: u64,
}

struct Desk<T> {
    /// What is made and not yet handed out.
    made: BTreeMap<u64, Result<T, LoaderError>>,
    /// The next number to make.
    next: u64,
    /// The next number to hand out.
    wanted: u64,
    end: u64,
    stopped: bool,
}

impl<T> Shared<T> {
    /// No code that can panic runs while the lock is held, so a poisoned desk is still in order.
    fn desk(&self) -> MutexGuard<'_, Desk<T>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, desk: MutexGuard<'a, Desk<T>>) -> MutexGuard<'a, Desk<T>> {
        self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Shared::wait`], for a short time at most.
    fn wait_shortly<'a>(&self, desk: MutexGuard<'a, Desk<T>>) -> MutexGuard<'a, Desk<T>> {
        self.changed.wait_timeout(desk, LOOK).unwrap_or_else(PoisonError::into_inner).0
    }

    fn stop(&self) {
        self.desk().stopped = true;
        self.changed.notify_all();
    }

    fn work(&self, make: &impl Fn(u64) -> T) {
        let mut desk = self.desk();
        while !desk.stopped && desk.next < desk.end {
            if desk.next - desk.wanted >= self.ahead {
                desk = self.wait(desk);
                continue;
            }
            let step = desk.next;
            desk.next += 1;
            drop(desk);
            let item = catch_unwind(AssertUnwindSafe(|| make(step)))
                .map_err(|panic| LoaderError::Panicked { step, message: message(&*panic) });
            desk = self.desk();
            desk.made.insert(step, item);
            self.changed.notify_all();
        }
    }
}

/// The message of a panic, where it has one.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(|s| (*s).to_string()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "panicked".into())
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins to make the items numbered by `steps`.
    pub fn new(
        make: impl Fn(u64) -> T + Send + Sync + 'static,
        steps: std::ops::Range<u64>,
        ahead: usize,
        threads: usize,
    ) -> Result<Self, LoaderError> {
        let (next, end) = (steps.start, steps.end);
        let desk = Mutex::new(Desk { made: BTreeMap::new(), next, wanted: next, end, stopped: false });
        let shared = Arc::new(Shared { desk, changed: Condvar::new(), ahead: ahead.max(1) as u64 });
        // Built first, so that an early return stops the threads that already run.
        let mut this = Self { shared, threads: Vec::new() };
        let make = Arc::new(make);
        for k in 0..threads.max(1) {
            let (shared, make) = (this.shared.clone(), make.clone());
            let thread = Builder::new().name(format!("loader-{k}")).spawn(move || shared.work(&*make));
            this.threads.push(thread.map_err(|error| LoaderError::NoThread { reason: error.to_string() })?);
        }
        Ok(this)
    }
}

impl<T> Ahead<T> {
    /// The next item; `None` at the end, and soon after `stop` is set.
    pub fn next_unless(&mut self, stop: &AtomicBool) -> Option<Result<T, LoaderError>> {
        let mut desk = self.shared.desk();
        while !desk.stopped && desk.wanted < desk.end && !stop.load(Ordering::Relaxed) {
            let wanted = desk.wanted;
            let Some(item) = desk.made.remove(&wanted) else {
                desk = self.shared.wait_shortly(desk);
                continue;
            };
            desk.wanted += 1;
            drop(desk);
            if item.is_err() {
                self.shared.stop();
            } else {
                self.shared.changed.notify_all();
            }
            return Some(item);
        }
        None
    }

    /// Stops the threads without waiting for what they are making.
    pub fn detach(mut self) {
        self.shared.stop();
        self.threads.clear();
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = Result<T, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_unless(&AtomicBool::new(false))
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            // A thread's panics are caught where they happen.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::mpsc;
    use std::time::Duration;

    /// Runs `f` on a thread and fails if it takes 20 seconds: a deadlock shows as a failure.
    fn in_time(f: impl FnOnce() + Send + 'static) {
        let (done, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            f();
            let _ = done.send(());
        });
        let result = wait.recv_timeout(Duration::from_secs(20));
        assert!(result != Err(mpsc::RecvTimeoutError::Timeout), "hangs");
        thread.join().unwrap();
    }

    #[test]
    fn items_come_in_order_and_not_too_far_ahead() {
        in_time(|| {
            static HIGHEST: AtomicU64 = AtomicU64::new(0);
            let make = |step: u64| {
                HIGHEST.fetch_max(step, SeqCst);
                std::thread::sleep(Duration::from_micros(step * 7919 % 300));
                step
            };
            let mut ahead = Ahead::new(make, 5..200, 3, 4).unwrap();
            for step in 5..200 {
                assert_eq!(ahead.next(), Some(Ok(step)));
                assert!(HIGHEST.load(SeqCst) <= step + 3);
            }
            assert!(ahead.next().is_none() && ahead.next().is_none());
        });
    }

    #[test]
    fn dropping_early_stops_all_threads() {
        in_time(|| {
            for taken in [0, 1, 7] {
                for threads in [1, 3] {
                    let alive = Arc::new(());
                    let held = alive.clone();
                    let make = move |step: u64| (step, Arc::strong_count(&held)).0;
                    let mut ahead = Ahead::new(make, 0..u64::MAX, 4, threads).unwrap();
                    assert!((0..taken).all(|step| ahead.next() == Some(Ok(step))));
                    drop(ahead);
                    assert_eq!(Arc::strong_count(&alive), 1, "a thread still holds its work");
                }
            }
        });
    }

    #[test]
    fn a_caller_that_stops_waits_neither_for_an_item_nor_for_the_threads() {
        in_time(|| {
            static STOP: AtomicBool = AtomicBool::new(false);
            let begun = std::time::Instant::now();
            let slow = |step: u64| std::thread::sleep(Duration::from_secs(5 + step));
            let mut ahead = Ahead::new(slow, 0..9, 2, 1).unwrap();
            std::thread::spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                STOP.store(true, SeqCst);
            });
            assert!(ahead.next_unless(&STOP).is_none());
            ahead.detach();
            assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        });
    }

    #[test]
    fn a_panic_is_an_error_at_its_place_and_the_end() {
        in_time(|| {
            let make = |step: u64| if step == 6 { panic!("no item {step}") } else { step };
            let mut ahead = Ahead::new(make, 0..100, 4, 2).unwrap();
            assert!((0..6).all(|step| ahead.next() == Some(Ok(step))));
            assert_eq!(ahead.next(), Some(Err(LoaderError::Panicked { step: 6, message: "no item 6".into() })));
            assert_eq!(ahead.next(), None);
        });
    }
}
