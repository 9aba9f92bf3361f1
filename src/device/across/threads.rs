//! Ranks that are threads of one process, with numbers on the CPU: for tests of what is added up, and in which order, without GPUs.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use candle_core::{Result, Tensor};

use super::{GoesOn, Mover, gone};
use crate::launch::Moment;

/// How long a call waits before it looks around.
const LOOK: Duration = Duration::from_millis(1);

/// The numbers of those that are there already, and those of the turn before, until all have taken them.
#[derive(Default)]
struct Table {
    given: Vec<Option<Vec<f32>>>,
    whole: Arc<Vec<Vec<f32>>>,
    turn: u64,
}

struct Hub {
    table: Mutex<Table>,
    changed: Condvar,
    size: usize,
}

/// One rank of as many threads.
pub struct Threads {
    rank: usize,
    hub: Arc<Hub>,
    begun: Option<Instant>,
}

/// So many ranks, each for a thread of its own.
pub fn movers(size: usize) -> Vec<Threads> {
    let hub = Arc::new(Hub { table: Mutex::default(), changed: Condvar::new(), size });
    (0..size).map(|rank| Threads { rank, hub: hub.clone(), begun: None }).collect()
}

impl Threads {
    /// Puts numbers on the table and waits for those of all.
    fn meet(&self, own: Vec<f32>, goes_on: GoesOn) -> Result<Arc<Vec<Vec<f32>>>> {
        let mut table = self.hub.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.given.resize(self.hub.size, None);
        if let Some(slot) = table.given.get_mut(self.rank) {
            *slot = Some(own);
        }
        let turn = table.turn;
        if table.given.iter().all(Option::is_some) {
            table.whole = Arc::new(table.given.drain(..).flatten().collect());
            table.turn += 1;
            self.hub.changed.notify_all();
        }
        while table.turn == turn {
            if !goes_on() {
                return gone();
            }
            table = self.hub.changed.wait_timeout(table, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(table.whole.clone())
    }
}

impl Mover for Threads {
    type Room = Vec<f32>;

    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.hub.size
    }

    fn room(&mut self, count: usize) -> Result<Vec<f32>> {
        // What is read before it is written is seen.
        Ok(vec![f32::NAN; count])
    }

    fn follow(&mut self, _: &Moment) -> Result<()> {
        self.begun = Some(Instant::now());
        Ok(())
    }

    fn exchange(&mut self, own: &Tensor, parts: &mut Vec<f32>, part: usize, goes_on: GoesOn) -> Result<()> {
        let all = self.meet(own.to_vec1()?, goes_on)?;
        let from = self.rank * part;
        for (to, given) in parts.chunks_mut(part).zip(&*all) {
            match given.get(from..from + part).filter(|_| given.len() == part * self.hub.size) {
                Some(given) => to.copy_from_slice(given),
                None => {
                    candle_core::bail!("a rank gave {} numbers, and this one {}", given.len(), part * self.hub.size)
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, parts: &Vec<f32>, sums: &mut Vec<f32>, part: usize) -> Result<()> {
        for (at, sum) in sums.iter_mut().take(part).enumerate() {
            let rows = parts.iter().skip(at).step_by(part).take(self.hub.size);
            *sum = rows.fold(0.0f64, |sum, x| sum + f64::from(*x)) as f32;
        }
        Ok(())
    }

    fn gather(&mut self, own: &Vec<f32>, all: &Tensor, part: usize, goes_on: GoesOn) -> Result<()> {
        let own = own.get(..part).unwrap_or_default().to_vec();
        let found = self.meet(own, goes_on)?.concat();
        let count = found.len();
        all.slice_set(&Tensor::from_vec(found, count, all.device())?, 0, 0)
    }

    fn settled(&mut self, _: GoesOn) -> Result<Duration> {
        Ok(self.begun.map(|begun| begun.elapsed()).unwrap_or_default())
    }

    fn abandon(&mut self) {}

    fn leave(&mut self) {}
}
