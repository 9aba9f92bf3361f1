//! Numbers of several processes added up where they lie, on their devices, beside the computation.
//!
//! What moves them is behind [`Mover`]: NCCL between GPUs ([`crate::nccl`]), threads of one process in tests ([`threads`]). It moves numbers and
//! nothing else. Each rank gets one part of all, adds it up in f64 from rank 0 on and rounds once, and all gather the sums: what
//! `ranks/numbers.rs` does on the host, so all ranks have the same bits, and those that MPI gives.

pub mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Error, Result, Tensor};

use crate::launch::{Moment, moment};

/// How often one that waits looks whether the others are there.
const LOOK: Duration = Duration::from_millis(20);

/// What is known of the other ranks by other ways.
pub trait Company: Send + 'static {
    /// True once one of them is gone: nothing that waits for it will end.
    fn left(&self) -> bool;
    /// Sums begin to be on their way (`true`), or are over.
    fn moving(&self, _begins: bool) {}
}

/// Whether one that waits is to go on waiting.
pub type GoesOn<'a> = &'a dyn Fn() -> bool;

/// Moves numbers between the devices of ranks. All calls come from one thread, and every rank makes the same ones in the same order. What is
/// asked for is done in that order, and may still go on when a call returns. Where `goes_on` says no, a call that waits ends with an error.
pub trait Mover {
    /// Numbers of its own on the device.
    type Room;

    /// The number of this rank.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// Room for so many numbers, whatever they are.
    fn room(&mut self, count: usize) -> Result<Self::Room>;

    /// What follows waits until the computation has come to this point.
    fn follow(&mut self, since: &Moment) -> Result<()>;

    /// `own` is cut into parts of this length, one for each rank; the parts that the ranks have for this one, in their order.
    fn exchange(&mut self, own: &Tensor, parts: &mut Self::Room, part: usize, goes_on: GoesOn) -> Result<()>;

    /// Adds up one part of each rank: in f64, from rank 0 on, rounded once.
    fn add(&mut self, parts: &Self::Room, sums: &mut Self::Room, part: usize) -> Result<()>;

    /// The numbers of all ranks, one rank after the other, in place of those of `all`.
    fn gather(&mut self, own: &Self::Room, all: &Tensor, part: usize, goes_on: GoesOn) -> Result<()>;

    /// Waits until everything is done: how long it took from when it could begin.
    fn settled(&mut self, goes_on: GoesOn) -> Result<Duration>;

    /// Gives up what is on its way; no call follows.
    fn abandon(&mut self);

    /// Takes leave of the others; no call follows.
    fn leave(&mut self);
}

/// What is to be added up, and who is told.
struct Job {
    own: Tensor,
    since: Moment,
    done: Sender<Result<(Tensor, Duration)>>,
}

/// The devices of all ranks, as one of them sees them: a thread that adds up what it is given, beside the computation.
pub struct Across {
    size: usize,
    /// `None` once it is over.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Set once nobody waits for sums any more.
    over: Arc<AtomicBool>,
}

/// Sums that are on their way.
pub struct Sum {
    count: usize,
    answer: Receiver<Result<(Tensor, Duration)>>,
}

/// Sums of all ranks.
pub struct Added {
    /// The sums, one after the other as the tensors were, f32.
    pub numbers: Tensor,
    /// How long they were on their way.
    pub took: Duration,
    /// How long the computation waited for them.
    pub waited: Duration,
}

impl Across {
    /// Connects with the others by the mover that `connect` makes, on the thread that will make all its calls, and adds up a few numbers on
    /// `device`, so that what does not work is known before anything is computed. Errors: no connection, or sums that are wrong.
    pub fn begin<M: Mover>(
        connect: impl FnOnce(GoesOn) -> Result<M> + Send + 'static,
        company: impl Company,
        device: &Device,
    ) -> Result<Self> {
        let (jobs, tasks) = channel();
        let (said, hello) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let known = over.clone();
        let run = move || match connect(&|| !company.left()) {
            Err(error) => drop(said.send(Err(error))),
            Ok(mover) => {
                let _ = said.send(Ok((mover.rank(), mover.size())));
                work(mover, &tasks, &company, &known);
            }
        };
        let thread = std::thread::Builder::new().name("gpus".into()).spawn(run).map_err(Error::wrap)?;
        let (rank, size) = hello.recv().map_err(Error::wrap)??;
        let across = Self { size, jobs: Some(jobs), thread: Some(thread), over };
        across.tried(rank, device)?;
        Ok(across)
    }

    /// Adds up numbers whose sums are known.
    fn tried(&self, rank: usize, device: &Device) -> Result<()> {
        let count = 2 * self.size + 1;
        let own: Vec<f32> = (0..count).map(|at| (at + 1) as f32 * (rank + 1) as f32).collect();
        let found = self.sum(&[Tensor::new(own.as_slice(), device)?])?.wait(&|| true)?.numbers.to_vec1::<f32>()?;
        let all = (self.size * (self.size + 1) / 2) as f32;
        match found.iter().enumerate().find(|(at, sum)| **sum != (at + 1) as f32 * all) {
            None => Ok(()),
            Some((at, sum)) => {
                let expected = (at + 1) as f32 * all;
                candle_core::bail!(
                    "the GPUs do not add up: number {at} of a trial came to {sum} in place of {expected}"
                )
            }
        }
    }

    /// Begins to add up tensors over all ranks, which give tensors of the same sizes. They are f32, of one axis each, on the rank's device.
    pub fn sum(&self, tensors: &[Tensor]) -> Result<Sum> {
        let count = tensors.iter().map(Tensor::elem_count).sum::<usize>();
        let more = count.next_multiple_of(self.size.max(1)) - count;
        let own = match tensors {
            // Sums come in place of it, and others may read it.
            [one] if more == 0 => one.copy()?,
            _ => {
                let device = tensors.first().map_or(&Device::Cpu, Tensor::device);
                let mut all = tensors.to_vec();
                if more > 0 {
                    all.push(Tensor::zeros(more, DType::F32, device)?);
                }
                Tensor::cat(&all, 0)?
            }
        };
        let (done, answer) = channel();
        let since = moment(own.device())?;
        // Without its thread every wait ends by itself.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(Job { own, since, done }));
        Ok(Sum { count, answer })
    }
}

impl Drop for Across {
    fn drop(&mut self) {
        // What is on its way now belongs to a step that has failed, and the others may never add to it.
        self.over.store(true, Ordering::Relaxed);
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Sum {
    /// Waits for the sums, as long as `goes_on` says so.
    pub fn wait(self, goes_on: GoesOn) -> Result<Added> {
        let begun = Instant::now();
        loop {
            match self.answer.recv_timeout(LOOK) {
                Ok(result) => {
                    let (all, took) = result?;
                    return Ok(Added { numbers: all.narrow(0, 0, self.count)?, took, waited: begun.elapsed() });
                }
                Err(RecvTimeoutError::Timeout) if goes_on() => {}
                Err(_) => return gone(),
            }
        }
    }
}

/// The error of what cannot go on for want of another rank.
pub(crate) fn gone<T>() -> Result<T> {
    candle_core::bail!("another process is gone, and what it was to add to the sums with it")
}

/// Rooms that are kept from sum to sum.
struct Rooms<R> {
    part: usize,
    parts: R,
    sums: R,
}

/// Adds up what comes, until nothing more can, or another rank is gone.
fn work<M: Mover>(mut mover: M, tasks: &Receiver<Job>, company: &impl Company, over: &AtomicBool) {
    let there = || !company.left();
    let goes_on = || there() && !over.load(Ordering::Relaxed);
    let mut rooms = None;
    loop {
        match tasks.recv_timeout(LOOK) {
            Ok(Job { own, since, done }) => {
                company.moving(true);
                let added = added(&mut mover, &mut rooms, &own, &since, &goes_on);
                company.moving(false);
                let failed = added.is_err();
                if failed {
                    mover.abandon();
                }
                let _ = done.send(added.map(|took| (own, took)));
                if failed {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) if there() => {}
            Err(RecvTimeoutError::Disconnected) if there() => return mover.leave(),
            Err(_) => return mover.abandon(),
        }
    }
}

/// Puts the sums over all ranks in place of `own`, whose length the ranks divide: how long it took.
fn added<M: Mover>(
    mover: &mut M,
    rooms: &mut Option<Rooms<M::Room>>,
    own: &Tensor,
    since: &Moment,
    goes_on: GoesOn,
) -> Result<Duration> {
    let size = mover.size().max(1);
    let part = own.elem_count() / size;
    if part == 0 {
        return Ok(Duration::ZERO);
    }
    let fits = rooms.as_ref().is_some_and(|rooms| rooms.part >= part);
    if !fits {
        *rooms = Some(Rooms { part, parts: mover.room(part * size)?, sums: mover.room(part)? });
    }
    let Some(Rooms { parts, sums, .. }) = rooms else { return gone() };
    mover.follow(since)?;
    mover.exchange(own, parts, part, goes_on)?;
    mover.add(parts, sums, part)?;
    mover.gather(sums, own, part, goes_on)?;
    mover.settled(goes_on)
}

#[cfg(test)]
mod tests;
