//! Works on many files at once, but only on as many as there is memory for.
//!
//! ```
//! let squares = rord_data::gate::in_parallel(&[1u64, 2, 3], |_| 40, 100, |n| n * n);
//! assert_eq!(squares, [1, 4, 9]);
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// What `work` makes of each item, in their order. At any time the `cost`s of those at work sum up to at most `budget`; an
/// item that costs more is worked on alone. On as many threads as the pool has, but not its own: those take up a second
/// item while they wait for parts of the first.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    cost: impl Fn(&T) -> u64 + Sync,
    budget: u64,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let gate = Gate { budget, used: Mutex::new(0), changed: Condvar::new() };
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            let through = gate.enter(cost(item));
            let result = work(item);
            drop(through);
            made.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(items.len()) {
            // Without a thread more this one does the work.
            let _ = std::thread::Builder::new().name("rord-files".into()).spawn_scoped(scope, worker);
        }
        worker();
    });
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_by_key(|(index, _)| *index);
    made.into_iter().map(|(_, result)| result).collect()
}

struct Gate {
    budget: u64,
    used: Mutex<u64>,
    changed: Condvar,
}

/// Room for one item, until it is dropped.
struct Through<'a> {
    gate: &'a Gate,
    cost: u64,
}

impl Gate {
    /// Waits until there is room.
    fn enter(&self, cost: u64) -> Through<'_> {
        let cost = cost.min(self.budget);
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |used: &mut u64| *used > self.budget - cost;
        let mut used = self.changed.wait_while(used, full).unwrap_or_else(PoisonError::into_inner);
        *used += cost;
        Through { gate: self, cost }
    }
}

impl Drop for Through<'_> {
    fn drop(&mut self) {
        *self.gate.used.lock().unwrap_or_else(PoisonError::into_inner) -= self.cost;
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn items_come_in_order_and_their_costs_stay_within_the_budget() {
        let costs: Vec<u64> = (0..200).map(|k| k * 37 % 60 + if k % 50 == 0 { 1000 } else { 0 }).collect();
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let work = |cost: &u64| {
            let cost = (*cost).min(100);
            most.fetch_max(now.fetch_add(cost, Ordering::SeqCst) + cost, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_micros(50));
            now.fetch_sub(cost, Ordering::SeqCst);
            cost
        };
        let made = in_parallel(&costs, |cost| *cost, 100, work);
        assert_eq!(made, costs.iter().map(|cost| (*cost).min(100)).collect::<Vec<_>>());
        assert!(most.into_inner() <= 100);
        assert!(in_parallel(&[0u8; 0], |_| 1, 0, |_| ()).is_empty());
    }
}
