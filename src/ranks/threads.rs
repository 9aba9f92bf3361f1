//! Ranks that are threads of one process: for tests of what ranks compute, without an engine.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Lane, Lost, Ranks, Wire};

/// How long a call waits before it looks around.
const LOOK: Duration = Duration::from_millis(1);

/// Where the ranks put their words.
#[derive(Default)]
struct Table {
    lanes: [Round; 2],
    failed: Option<Lost>,
}

/// A turn of one lane: the words of those that are there already, and the words of the turn before until all have taken them.
#[derive(Default)]
struct Round {
    given: Vec<Option<Vec<u32>>>,
    whole: Arc<Vec<Vec<u32>>>,
    turn: u64,
}

struct Hub {
    table: Mutex<Table>,
    changed: Condvar,
    size: usize,
}

struct Thread {
    rank: usize,
    hub: Arc<Hub>,
}

impl Thread {
    /// Puts words on the table and waits for those of all.
    fn meet(&self, lane: Lane, own: &[u32], meanwhile: &dyn Fn()) -> Result<Arc<Vec<Vec<u32>>>, Lost> {
        let at = usize::from(lane == Lane::Beside);
        let mut table = self.hub.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(round) = table.lanes.get_mut(at) else { return Err(Lost::Closed) };
        round.given.resize(self.hub.size, None);
        if let Some(slot) = round.given.get_mut(self.rank) {
            *slot = Some(own.to_vec());
        }
        let turn = round.turn;
        if round.given.iter().all(Option::is_some) {
            round.whole = Arc::new(round.given.drain(..).flatten().collect());
            round.turn += 1;
            self.hub.changed.notify_all();
        }
        loop {
            if let Some(round) = table.lanes.get(at).filter(|round| round.turn != turn) {
                return Ok(round.whole.clone());
            }
            if let Some(lost) = &table.failed {
                return Err(lost.clone());
            }
            let waited = self.hub.changed.wait_timeout(table, LOOK).unwrap_or_else(PoisonError::into_inner);
            drop(waited);
            meanwhile();
            table = self.hub.table.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Wire for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.hub.size
    }

    fn place(&self) -> usize {
        self.rank
    }

    fn gather(&self, lane: Lane, own: &[u32], each: &[usize], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost> {
        let all = self.meet(lane, own, meanwhile)?;
        match all.iter().zip(each).find(|(words, expected)| words.len() != **expected) {
            Some((words, expected)) => Err(Lost::Length { came: words.len(), expected: *expected }),
            None => Ok(all.concat()),
        }
    }

    fn exchange(&self, lane: Lane, own: &[u32], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost> {
        let all = self.meet(lane, own, meanwhile)?;
        let part = own.len() / self.hub.size.max(1);
        let of = |words: &Vec<u32>| words.get(self.rank * part..(self.rank + 1) * part).map(<[u32]>::to_vec);
        let parts: Option<Vec<Vec<u32>>> = all.iter().map(of).collect();
        parts.map(|parts| parts.concat()).ok_or(Lost::Length { came: 0, expected: part })
    }

    fn tell(&self, why: &str) {
        let mut table = self.hub.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.failed.get_or_insert(Lost::Failed { rank: self.rank, why: why.into() });
        self.hub.changed.notify_all();
    }

    fn heard(&self) -> Option<Lost> {
        let table = self.hub.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.failed.clone().filter(|lost| !matches!(lost, Lost::Failed { rank, .. } if *rank == self.rank))
    }
}

/// So many ranks of one process, each for a thread of its own.
pub fn ranks(size: usize) -> Result<Vec<Ranks>, String> {
    let hub = Arc::new(Hub { table: Mutex::default(), changed: Condvar::new(), size });
    let one = |rank| {
        let hub = hub.clone();
        Ranks::begin(move || Ok(Thread { rank, hub }), |_| ())
    };
    (0..size).map(one).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    /// Runs `f` on every rank.
    fn on_all<T: Send>(size: usize, f: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
        let all = ranks(size).unwrap();
        std::thread::scope(|scope| {
            let threads: Vec<_> = all.iter().map(|ranks| scope.spawn(|| f(ranks))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        })
    }

    #[test]
    fn sums_are_those_in_the_order_of_ranks_and_the_same_everywhere() {
        // Of a million, a half and a millionth less each way the order matters in f32.
        let own =
            |rank: usize, n: usize| (0..n).map(|i| ((rank * 7919 + i * 31) % 1013) as f32 * 0.37 - 150.0).collect();
        for (size, n) in [(1, 5), (2, 5), (3, 10_000), (5, 4097)] {
            let mut expected = vec![0.0f64; n];
            for rank in 0..size {
                let own: Vec<f32> = own(rank, n);
                expected.iter_mut().zip(own).for_each(|(sum, x)| *sum += f64::from(x));
            }
            let expected: Vec<f32> = expected.into_iter().map(|x| x as f32).collect();
            let found = on_all(size, |ranks| ranks.sum_short(own(ranks.rank(), n)).unwrap());
            assert!(found.iter().all(|sums| *sums == expected), "{size} {n}");
        }
    }

    #[test]
    fn numbers_and_texts_are_gathered_in_rank_order() {
        let found = on_all(3, |ranks| {
            let own: Vec<f64> = vec![ranks.rank() as f64; ranks.rank()];
            (ranks.gather(&own, &[0, 1, 2]).unwrap(), ranks.texts(&"ä".repeat(ranks.rank())).unwrap())
        });
        assert!(found.iter().all(|f| f.0 == [1.0, 2.0, 2.0] && f.1 == ["", "ä", "ää"]));
    }

    #[test]
    fn what_is_waited_for_passes_what_goes_on_beside() {
        let found = on_all(2, |ranks| {
            // Rank 1 begins its long sum only after both have had the short one.
            let long = |ranks: &Ranks| ranks.begin_sum(vec![1.0; 100_000]).wait().unwrap();
            match ranks.rank() {
                0 => {
                    let beside = ranks.begin_sum(vec![1.0; 100_000]);
                    let short = ranks.sum(vec![1.0]).unwrap();
                    (short, beside.wait().unwrap().len())
                }
                _ => {
                    let short = ranks.sum(vec![2.0]).unwrap();
                    (short, long(ranks).len())
                }
            }
        });
        assert_eq!(found, vec![(vec![3.0], 100_000); 2]);
    }

    #[test]
    fn a_rank_that_fails_frees_those_that_wait() {
        let found = on_all(3, |ranks| match ranks.rank() {
            1 => {
                ranks.tell("no memory");
                None
            }
            _ => ranks.sum(vec![1.0]).err(),
        });
        let lost = Some(Lost::Failed { rank: 1, why: "no memory".into() });
        assert_eq!(found, [lost.clone(), None, lost]);
    }
}
