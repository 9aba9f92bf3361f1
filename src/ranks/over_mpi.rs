//! Ranks that are processes of MPI: `mpirun -n 4 rord-run FILE`, `srun rord-run FILE`.
//!
//! Calls do not block: they are tested again and again, with a rest between that grows, so that a rank that waits leaves its core to
//! those that compute.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::request::{Request, Scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Destination, Source};

use super::{Lane, Lost, Ranks, Wire};

/// The tag of what a rank that fails tells the others.
const FAILS: i32 = 71;
/// The tag by which a rank says that it lives.
const LIVES: i32 = 72;
/// How often it does.
const PULSE: Duration = Duration::from_secs(1);
/// After so many words of its own without one from another a rank takes that one for dead. They are counted and not timed: a machine that
/// stood still for a while was not silent.
const SILENCE: u32 = 10;
/// A text that fits into a message which is sent at once, whoever waits for it.
const SHORT: usize = 3000;
/// So many tests come one after the other before the first rest.
const EAGER: u32 = 200;

struct Mpi {
    /// The processes of other ranks on this machine.
    near: Vec<(usize, u32)>,
    /// Whom it says that it lives to, whom it listens to, and when it did so last.
    pulse: RefCell<Pulse>,
    lanes: [SimpleCommunicator; 2],
    world: SimpleCommunicator,
    /// Last: it ends MPI.
    _universe: Universe,
}

struct Pulse {
    sent: Instant,
    /// Words that were sent since one was heard.
    unheard: u32,
    looked: Instant,
}

/// How often it is looked whether the processes on this machine are there.
const LOOK: Duration = Duration::from_millis(200);

/// True where a process has ended: it is no more, or only waits for its parent to take note.
fn ended(id: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{id}/stat")) {
        // The state comes after the name, which may hold anything.
        Ok(stat) => {
            stat.rsplit(')').next().is_some_and(|rest| matches!(rest.trim().as_bytes().first(), Some(b'Z' | b'X')))
        }
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// What tells machines, and namespaces of processes on them, apart.
fn machine() -> u64 {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").map(|path| path.display().to_string()).unwrap_or_default();
    // FNV-1a: two machines of a run that are taken for one would be a nuisance, no danger.
    boot.bytes()
        .chain(space.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Connects this process with those that it was started with. `alarm` is called where something has gone wrong in another.
pub fn connect(alarm: impl Fn(&Lost) + Send + 'static) -> Result<Ranks, String> {
    let begin = || {
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Funneled).ok_or("MPI has been started before")?;
        if threading < Threading::Funneled {
            return Err("this MPI allows no threads at all".to_string());
        }
        let world = universe.world();
        let lanes = [world.duplicate(), world.duplicate()];
        let now = Instant::now();
        let pulse = RefCell::new(Pulse { sent: now, unheard: 0, looked: now });
        let mut mpi = Mpi { near: Vec::new(), pulse, lanes, world, _universe: universe };
        mpi.near = mpi.neighbors().map_err(|lost| lost.to_string())?;
        Ok(mpi)
    };
    Ranks::begin(begin, alarm)
}

/// Tests a request until it is done.
fn finish<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>, meanwhile: &dyn Fn()) {
    let mut tests = 0u32;
    loop {
        match request.test() {
            Ok(_) => return,
            Err(again) => request = again,
        }
        tests = tests.saturating_add(1);
        match tests {
            // What is short is over by then.
            ..EAGER => std::thread::yield_now(),
            _ => {
                meanwhile();
                std::thread::sleep(Duration::from_micros(u64::from((tests - EAGER).min(20)) * 10));
            }
        }
    }
}

impl Mpi {
    /// The other ranks on this machine. Where there is no /proc nobody is known to be.
    fn neighbors(&self) -> Result<Vec<(usize, u32)>, Lost> {
        let (own, machine) = (std::process::id(), machine());
        let words = [machine as u32, (machine >> 32) as u32, own];
        let all = self.gather(Lane::Now, &words, &vec![words.len(); self.size()], &|| ())?;
        let near = |(rank, found): (usize, &[u32])| match found {
            [low, high, id] if [*low, *high] == [machine as u32, (machine >> 32) as u32] => Some((rank, *id)),
            _ => None,
        };
        let near = all.chunks_exact(words.len()).enumerate().filter_map(near);
        Ok(near.filter(|(rank, id)| *rank != self.rank() && !ended(*id)).collect())
    }

    fn lane(&self, lane: Lane) -> &SimpleCommunicator {
        let [now, beside] = &self.lanes;
        if lane == Lane::Now { now } else { beside }
    }
}

/// Lengths as MPI has them.
fn count(n: usize) -> Result<i32, Lost> {
    i32::try_from(n).map_err(|_| Lost::Length { came: n, expected: i32::MAX as usize })
}

impl Wire for Mpi {
    fn rank(&self) -> usize {
        usize::try_from(self.world.rank()).unwrap_or(0)
    }

    fn size(&self) -> usize {
        usize::try_from(self.world.size()).unwrap_or(1)
    }

    fn gather(&self, lane: Lane, own: &[u32], each: &[usize], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost> {
        let counts = each.iter().map(|n| count(*n)).collect::<Result<Vec<i32>, Lost>>()?;
        let next = |at: &mut i32, n: &i32| Some(std::mem::replace(at, at.saturating_add(*n)));
        let starts: Vec<i32> = counts.iter().scan(0i32, next).collect();
        let mut all = vec![0u32; each.iter().sum()];
        {
            let mut parts = PartitionMut::new(all.as_mut_slice(), counts, starts);
            mpi::request::scope(|scope| {
                let request = self.lane(lane).immediate_all_gather_varcount_into(scope, own, &mut parts);
                finish(request, meanwhile);
            });
        }
        Ok(all)
    }

    fn exchange(&self, lane: Lane, own: &[u32], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost> {
        let mut all = vec![0u32; own.len()];
        mpi::request::scope(|scope| {
            let request = self.lane(lane).immediate_all_to_all_into(scope, own, all.as_mut_slice());
            finish(request, meanwhile);
        });
        Ok(all)
    }

    fn tell(&self, why: &str) {
        let text: Vec<u8> = why.bytes().take(SHORT).collect();
        let others = (0..self.world.size()).filter(|rank| *rank != self.world.rank());
        others.for_each(|rank| self.world.process_at_rank(rank).send_with_tag(text.as_slice(), FAILS));
    }

    fn heard(&self) -> Option<Lost> {
        if let Some(status) = self.world.any_process().immediate_probe_with_tag(FAILS) {
            let rank = status.source_rank();
            let (text, _) = self.world.process_at_rank(rank).receive_vec_with_tag::<u8>(FAILS);
            let why = String::from_utf8_lossy(&text).into_owned();
            return Some(Lost::Failed { rank: usize::try_from(rank).unwrap_or(0), why });
        }
        if self.pulse.borrow().looked.elapsed() >= LOOK {
            self.pulse.borrow_mut().looked = Instant::now();
            if let Some((rank, id)) = self.near.iter().copied().find(|(_, id)| ended(*id)) {
                return Some(Lost::Gone { rank, id });
            }
        }
        let (own, size) = (self.world.rank(), self.world.size());
        let mut pulse = self.pulse.borrow_mut();
        if size < 2 {
            return None;
        }
        if pulse.sent.elapsed() >= PULSE {
            pulse.sent = Instant::now();
            pulse.unheard += 1;
            self.world.process_at_rank((own + 1) % size).send_with_tag(&0u8, LIVES);
        }
        let before = (own + size - 1) % size;
        let process = self.world.process_at_rank(before);
        while process.immediate_probe_with_tag(LIVES).is_some() {
            let _ = process.receive_with_tag::<u8>(LIVES);
            pulse.unheard = 0;
        }
        let seconds = u64::from(pulse.unheard) * PULSE.as_secs();
        (pulse.unheard > SILENCE).then(|| Lost::Silent { rank: usize::try_from(before).unwrap_or(0), seconds })
    }
}
