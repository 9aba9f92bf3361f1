//! The talk of a rank with the others: a thread that makes all calls of the engine, so that a computation goes on beside it and can
//! stop waiting when another rank is gone.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::numbers::{Number, sum};
use super::spent::{Meter, Spent};
use super::{Lane, Lost, Wire};

/// How often one that waits looks whether it should go on waiting.
const LOOK: Duration = Duration::from_millis(20);

/// How long the thread rests between looks at a lane that has nothing to do.
const IDLE: Duration = Duration::from_millis(5);

/// Something the thread is to do; `done` gets the answer.
enum Task {
    Gather { own: Vec<u32>, each: Vec<usize> },
    Short(Vec<f32>),
    Wide(Vec<f64>),
}

/// What comes back.
type Answer = Result<Vec<u32>, Lost>;

enum Job {
    Do(Lane, Task, Sender<Answer>),
    Tell(String),
    End,
}

/// All ranks, as one of them sees them. Every rank makes the same calls in the same order.
pub struct Ranks {
    rank: usize,
    size: usize,
    place: usize,
    jobs: Mutex<Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// What went wrong first.
    trouble: Arc<OnceLock<Lost>>,
    /// Set once this rank takes leave.
    leaving: Arc<AtomicBool>,
    /// What the talk has cost.
    meter: Arc<Meter>,
    /// True while others than the thread move something beside the computation.
    aside: Arc<AtomicBool>,
}

/// An answer that is on its way.
pub struct Pending<'a, T> {
    ranks: &'a Ranks,
    lane: Lane,
    answer: Receiver<Answer>,
    of: PhantomData<T>,
}

impl<T: Number> Pending<'_, T> {
    /// Waits for it.
    pub fn wait(self) -> Result<Vec<T>, Lost> {
        Ok(T::numbers(self.ranks.wait(self.lane, &self.answer)?))
    }
}

impl Ranks {
    /// Begins to talk by the engine that `connect` makes on the thread that will make all its calls. `alarm` is called there, once, where
    /// something has gone wrong elsewhere; a computation hears of it when it next waits. Errors: no thread, or no engine; in words.
    pub fn begin<W: Wire>(
        connect: impl FnOnce() -> Result<W, String> + Send + 'static,
        alarm: impl Fn(&Lost) + Send + 'static,
    ) -> Result<Self, String> {
        let (jobs, tasks) = channel();
        let (said, hello) = channel();
        let (trouble, meter) = (Arc::new(OnceLock::new()), Arc::new(Meter::default()));
        let leaving = Arc::new(AtomicBool::new(false));
        let aside = Arc::new(AtomicBool::new(false));
        let (known, counts, leaves, others) = (trouble.clone(), meter.clone(), leaving.clone(), aside.clone());
        let run = move || match connect() {
            Err(why) => drop(said.send(Err(why))),
            Ok(wire) => {
                let _ = said.send(Ok((wire.rank(), wire.size(), wire.place())));
                let (open, ended, alarm) = (RefCell::default(), false.into(), Box::new(alarm));
                let busy = false.into();
                Desk { wire: &wire, tasks, open, known, meter: counts, busy, aside: others, ended, alarm, leaves }
                    .work();
            }
        };
        let thread = std::thread::Builder::new().name("ranks".into()).spawn(run).map_err(|e| e.to_string())?;
        let (rank, size, place) = hello.recv().map_err(|e| e.to_string())??;
        let (jobs, thread) = (Mutex::new(jobs), Mutex::new(Some(thread)));
        Ok(Self { rank, size, place, jobs, thread, trouble, leaving, meter, aside })
    }

    /// The number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Which of the processes on its machine this one is, from 0, in the order of their numbers.
    pub fn place(&self) -> usize {
        self.place
    }

    /// True for the one that writes and speaks.
    pub fn leads(&self) -> bool {
        self.rank == 0
    }

    /// What the talk has cost so far.
    pub fn spent(&self) -> Spent {
        self.meter.spent()
    }

    /// Counts what others than the ranks' own engine begin to move beside the computation (`true`), and that it is over.
    pub fn aside(&self, begins: bool) {
        self.aside.store(begins, Ordering::Relaxed);
    }

    /// Counts what was moved in that way: words given away, the time it was on its way, and the time that a computation waited for it.
    pub fn moved_aside(&self, words: usize, talked: Duration, waited: Duration) {
        self.meter.gives(Lane::Beside, words);
        self.meter.talked(Lane::Beside, talked, false);
        self.meter.waited(Lane::Beside, waited);
    }

    fn post(&self, job: Job) {
        // Without its thread every wait ends by itself.
        let _ = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).send(job);
    }

    fn ask<T>(&self, lane: Lane, task: Task) -> Pending<'_, T> {
        let (done, answer) = channel();
        self.post(Job::Do(lane, task, done));
        Pending { ranks: self, lane, answer, of: PhantomData }
    }

    fn wait(&self, lane: Lane, answer: &Receiver<Answer>) -> Answer {
        let begun = Instant::now();
        let result = loop {
            match answer.recv_timeout(LOOK) {
                Ok(result) => break result,
                Err(RecvTimeoutError::Disconnected) => {
                    break Err(self.trouble.get().cloned().unwrap_or(Lost::Closed));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(lost) = self.trouble.get() {
                break Err(lost.clone());
            }
        };
        self.meter.waited(lane, begun.elapsed());
        result
    }

    /// The numbers of all ranks, one rank after the other; rank k has `each[k]` of them.
    pub fn gather<T: Number>(&self, own: &[T], each: &[usize]) -> Result<Vec<T>, Lost> {
        let each = each.iter().map(|n| n * T::WORDS).collect();
        self.ask(Lane::Now, Task::Gather { own: T::words(own.to_vec()), each }).wait()
    }

    /// The sum over all ranks of each number; all have the same.
    pub fn sum(&self, own: Vec<f64>) -> Result<Vec<f64>, Lost> {
        self.ask(Lane::Now, Task::Wide(own)).wait()
    }

    /// As [`Ranks::sum`] of f32, for what is needed at once.
    pub fn sum_short(&self, own: Vec<f32>) -> Result<Vec<f32>, Lost> {
        self.ask(Lane::Now, Task::Short(own)).wait()
    }

    /// The same beside a computation: it begins now, and is waited for later.
    pub fn begin_sum(&self, own: Vec<f32>) -> Pending<'_, f32> {
        self.ask(Lane::Beside, Task::Short(own))
    }

    /// A text of each rank, in their order.
    pub fn texts(&self, own: &str) -> Result<Vec<String>, Lost> {
        let bytes = own.as_bytes();
        // A text's length comes first; then its bytes, four to a word.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let lengths: Vec<u32> =
            self.ask::<f32>(Lane::Now, Task::Gather { own: vec![length], each: vec![1; self.size] }).words()?;
        let word = |four: &[u8]| {
            let mut word = [0u8; 4];
            word.iter_mut().zip(four).for_each(|(to, from)| *to = *from);
            u32::from_le_bytes(word)
        };
        let own = bytes.chunks(4).map(word).collect();
        let each: Vec<usize> = lengths.iter().map(|n| (*n as usize).div_ceil(4)).collect();
        let all = self.ask::<f32>(Lane::Now, Task::Gather { own, each: each.clone() }).words()?;
        let (mut texts, mut rest) = (Vec::new(), all.as_slice());
        for (words, length) in each.iter().zip(&lengths) {
            let (own, more) = rest.split_at(rest.len().min(*words));
            let bytes: Vec<u8> = own.iter().flat_map(|w| w.to_le_bytes()).take(*length as usize).collect();
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
            rest = more;
        }
        Ok(texts)
    }

    /// True on all ranks where it is true on one.
    pub fn any(&self, own: bool) -> Result<bool, Lost> {
        Ok(self.gather(&[f32::from(u8::from(own))], &vec![1; self.size])?.iter().any(|x| *x != 0.0))
    }

    /// Tells all others that this rank fails, and why.
    pub fn tell(&self, why: &str) {
        self.post(Job::Tell(why.into()));
    }

    /// What went wrong first, if anything did.
    pub fn trouble(&self) -> Option<&Lost> {
        self.trouble.get()
    }

    /// Takes leave of the others; waits until all do. Not where something went wrong: then nobody answers.
    pub fn end(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        // From here on nobody is missed.
        let _ = self.any(false);
        self.post(Job::End);
        if self.trouble.get().is_none()
            && let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            let _ = thread.join();
        }
    }
}

impl Pending<'_, f32> {
    fn words(self) -> Answer {
        self.ranks.wait(self.lane, &self.answer)
    }
}

impl Drop for Ranks {
    fn drop(&mut self) {
        self.post(Job::End);
    }
}

/// The other thread.
struct Desk<'a> {
    wire: &'a dyn Wire,
    tasks: Receiver<Job>,
    /// What waits for its turn.
    open: RefCell<Open>,
    known: Arc<OnceLock<Lost>>,
    meter: Arc<Meter>,
    /// True while something goes on beside.
    busy: std::cell::Cell<bool>,
    /// And while others move it.
    aside: Arc<AtomicBool>,
    ended: std::cell::Cell<bool>,
    alarm: Box<dyn Fn(&Lost)>,
    leaves: Arc<AtomicBool>,
}

#[derive(Default)]
struct Open {
    now: VecDeque<(Task, Sender<Answer>)>,
    beside: VecDeque<(Task, Sender<Answer>)>,
}

impl Desk<'_> {
    fn work(&self) {
        loop {
            if self.open.borrow().now.is_empty() && self.open.borrow().beside.is_empty() {
                if self.ended.get() {
                    return;
                }
                match self.tasks.recv_timeout(IDLE) {
                    Ok(job) => self.sort(job),
                    Err(RecvTimeoutError::Timeout) => self.listen(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            self.read();
            self.now();
            let next = self.open.borrow_mut().beside.pop_front();
            if let Some((task, done)) = next {
                // What a computation waits for is not kept waiting by what goes on beside it.
                let meanwhile = || {
                    self.read();
                    self.now();
                    self.listen();
                };
                let _ = done.send(self.answer(Lane::Beside, task, &meanwhile));
            }
        }
    }

    /// Takes in what was posted.
    fn read(&self) {
        while let Ok(job) = self.tasks.try_recv() {
            self.sort(job);
        }
    }

    fn sort(&self, job: Job) {
        match job {
            Job::Do(Lane::Now, task, done) => self.open.borrow_mut().now.push_back((task, done)),
            Job::Do(Lane::Beside, task, done) => self.open.borrow_mut().beside.push_back((task, done)),
            Job::Tell(why) => self.wire.tell(&why),
            Job::End => self.ended.set(true),
        }
    }

    /// Does all that is waited for.
    fn now(&self) {
        loop {
            let next = self.open.borrow_mut().now.pop_front();
            let Some((task, done)) = next else { return };
            let meanwhile = || {
                self.read();
                self.listen();
            };
            let _ = done.send(self.answer(Lane::Now, task, &meanwhile));
        }
    }

    fn listen(&self) {
        if self.known.get().is_none()
            && !self.leaves.load(Ordering::Relaxed)
            && let Some(lost) = self.wire.heard()
        {
            let _ = self.known.set(lost.clone());
            (self.alarm)(&lost);
        }
    }

    fn answer(&self, lane: Lane, task: Task, meanwhile: &dyn Fn()) -> Answer {
        let begun = Instant::now();
        let beside = lane == Lane::Beside;
        if beside {
            self.busy.set(true);
        }
        let answer = self.carried_out(lane, task, meanwhile);
        let meanwhile = self.busy.get() || self.aside.load(Ordering::Relaxed);
        self.meter.talked(lane, begun.elapsed(), !beside && meanwhile);
        if beside {
            self.busy.set(false);
        }
        answer
    }

    fn carried_out(&self, lane: Lane, task: Task, meanwhile: &dyn Fn()) -> Answer {
        let (wire, count) = (self.wire, |words: usize| self.meter.gives(lane, words));
        match task {
            Task::Gather { own, each } => {
                count(own.len());
                wire.gather(lane, &own, &each, meanwhile)
            }
            Task::Short(own) => {
                count(own.len());
                sum(wire, lane, own, meanwhile).map(Number::words)
            }
            Task::Wide(own) => {
                count(2 * own.len());
                sum(wire, lane, own, meanwhile).map(Number::words)
            }
        }
    }
}
