//! Ranks that are processes of MPI: `mpirun -n 4 rord-run FILE`, `srun rord-run FILE`.
//!
//! Messages do not block: they are tested again and again, with a rest between that grows, so that a rank that waits leaves its core to
//! those that compute.
//!
//! What is long goes in pieces that MPI sends without asking. Where it asks first, its grant stands in line behind what is already on the
//! way back, and two ranks that send each other megabytes over TCP take turns: half of the bandwidth.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::environment::Universe;
use mpi::request::{Request, Scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, Source};

use super::{Lane, Lost, Ranks, Wire};

/// The tag of what a rank that fails tells the others.
const FAILS: i32 = 71;
/// The tag by which a rank says that it lives.
const LIVES: i32 = 72;
/// The tag of all else.
const DATA: i32 = 70;
/// The words of a piece: 48 KB. Open MPI sends up to 64 KB over TCP without asking.
const PIECE: usize = 12_000;
/// So many words are given to MPI at a time, so that what a computation waits for stands behind few of them.
const WINDOW: usize = 8 * PIECE;
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

/// Leaves those out that are done; true where there were any. In order it stops at the first that is not: every test looks for news of all.
fn settle<'a, D: ?Sized, S: Scope<'a>>(open: &mut VecDeque<(Request<'a, D, S>, usize)>, in_order: bool) -> bool {
    let before = open.len();
    for _ in 0..before {
        let Some((request, words)) = open.pop_front() else { break };
        match request.test() {
            Ok(_) => {}
            Err(again) if in_order => {
                open.push_front((again, words));
                break;
            }
            Err(again) => open.push_back((again, words)),
        }
    }
    open.len() < before
}

/// The rests of one that waits.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    /// Rests; shortly where something has just come.
    fn rest(&mut self, moved: bool, meanwhile: &dyn Fn()) {
        self.0 = if moved { self.0.min(EAGER + 4) } else { self.0 }.saturating_add(1);
        match self.0 {
            // What is short is over by then.
            ..EAGER => std::thread::yield_now(),
            tests => {
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

    /// Sends each other rank a part and takes one from each; `all` has a place for every rank's. Own parts are not moved here.
    fn pass(&self, lane: Lane, own: &[&[u32]], all: Vec<&mut [u32]>, meanwhile: &dyn Fn()) {
        let (comm, size) = (self.lane(lane), self.size().max(1));
        let process = |rank: usize| comm.process_at_rank(i32::try_from(rank).unwrap_or(0));
        // Each begins with the next, so that not all send to one.
        let others: Vec<usize> = (1..size).map(|k| (self.rank() + k) % size).collect();
        mpi::request::scope(|scope| {
            let mut coming = VecDeque::new();
            for (rank, part) in all.into_iter().enumerate().filter(|(rank, _)| *rank != self.rank()) {
                for piece in part.chunks_mut(PIECE) {
                    let words = piece.len();
                    coming.push_back((process(rank).immediate_receive_into_with_tag(scope, piece, DATA), words));
                }
            }
            let pieces = |rank: &usize| own.get(*rank).map_or(0, |part| part.len().div_ceil(PIECE));
            let turns = 0..others.iter().map(pieces).max().unwrap_or(0);
            let mut left =
                turns.flat_map(|turn| others.iter().map(move |rank| (*rank, turn))).filter_map(|(rank, turn)| {
                    let piece = own.get(rank)?.chunks(PIECE).nth(turn)?;
                    Some((rank, piece))
                });
            let (mut going, mut patience, mut more) = (VecDeque::new(), Patience::default(), true);
            loop {
                while more && going.iter().map(|(_, words)| words).sum::<usize>() < WINDOW {
                    match left.next() {
                        Some((rank, piece)) => {
                            let request = process(rank).immediate_send_with_tag(scope, piece, DATA);
                            going.push_back((request, piece.len()));
                        }
                        None => more = false,
                    }
                }
                let moved = settle(&mut going, false) | settle(&mut coming, true);
                if !more && going.is_empty() && coming.is_empty() {
                    return;
                }
                patience.rest(moved, meanwhile);
            }
        });
    }

    fn lane(&self, lane: Lane) -> &SimpleCommunicator {
        let [now, beside] = &self.lanes;
        if lane == Lane::Now { now } else { beside }
    }
}

/// Places of these lengths, one after the other.
fn places(mut all: &mut [u32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [u32]> {
    let mut places = Vec::new();
    for length in lengths {
        let (place, rest) = all.split_at_mut(length.min(all.len()));
        places.push(place);
        all = rest;
    }
    places
}

impl Wire for Mpi {
    fn rank(&self) -> usize {
        usize::try_from(self.world.rank()).unwrap_or(0)
    }

    fn size(&self) -> usize {
        usize::try_from(self.world.size()).unwrap_or(1)
    }

    fn place(&self) -> usize {
        self.near.iter().filter(|(rank, _)| *rank < self.rank()).count()
    }

    fn gather(&self, lane: Lane, own: &[u32], each: &[usize], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost> {
        if let Some(expected) = each.get(self.rank()).filter(|expected| **expected != own.len()) {
            return Err(Lost::Length { came: own.len(), expected: *expected });
        }
        let mut all = vec![0u32; each.iter().sum()];
        let mut places = places(&mut all, each.iter().copied());
        places.get_mut(self.rank()).into_iter().for_each(|place| place.copy_from_slice(own));
        self.pass(lane, &vec![own; self.size()], places, meanwhile);
        Ok(all)
    }

    fn exchange(&self, lane: Lane, own: &[u32], meanwhile: &dyn Fn()) -> Result<Vec<u32>, Lost> {
        let part = own.len() / self.size().max(1);
        let parts: Vec<&[u32]> = own.chunks(part.max(1)).collect();
        let mut all = vec![0u32; own.len()];
        let mut places = places(&mut all, std::iter::repeat_n(part, self.size()));
        if let (Some(place), Some(own)) = (places.get_mut(self.rank()), parts.get(self.rank())) {
            place.copy_from_slice(own);
        }
        self.pass(lane, &parts, places, meanwhile);
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
