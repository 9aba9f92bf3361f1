//! Processes that were started together, by `mpirun` or `srun`, and train together: the first speaks and writes. What goes wrong in any of
//! them ends all within seconds, and is reported once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::{REFUSED, interrupt, print_reports};
use rord_engine::refusals::{self, Stop};
use rord_engine::train::resumable;
use rord_lang::report::{Report, plural, runtime};
use rord_ranks::{Lost, Ranks, Unconnected};
use rord_record::progress::go_on;
use rord_record::{Observer, RecordError, Started, terminal};

/// The processes, where there are several.
static RANKS: OnceLock<Arc<Ranks>> = OnceLock::new();

/// True once this process has reported an error.
static SAID: AtomicBool = AtomicBool::new(false);

/// The folder of the run at hand.
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// What a process that does not speak would have said last.
static UNSAID: Mutex<String> = Mutex::new(String::new());

/// True once the run has ended for a reason that all processes have found together.
static ALL_KNOW: AtomicBool = AtomicBool::new(false);

/// How long a process that learns of trouble leaves its own report to itself: what ends all of them at once each finds by itself, and
/// that report shows the place.
const OWN: Duration = Duration::from_millis(300);

/// After so long a process ends that was told that the first one would report.
const PATIENCE: Duration = Duration::from_secs(4);

/// After so long a process ends that knows what the first one is about to report, with a page and what is kept of the step.
const REPORTED: Duration = Duration::from_secs(60);

/// What `train` does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It begins.
    Train,
    /// It goes on with the run that --out holds.
    Resume,
    /// It is refused.
    Refused,
}

/// All processes of the run, where there are several.
pub fn ranks() -> Option<Arc<Ranks>> {
    RANKS.get().cloned()
}

/// True for a process by itself, and for the first of several.
pub fn leads() -> bool {
    RANKS.get().is_none_or(|ranks| ranks.leads())
}

/// Takes note of what is to be printed; true where this process prints.
pub fn says(text: &str, error: bool) -> bool {
    if RANKS.get().is_some_and(|ranks| ranks.trouble().is_some()) {
        // What was noticed first is reported by `alarm`.
        return false;
    }
    if leads() {
        SAID.fetch_or(error, Ordering::Relaxed);
        return true;
    }
    if error {
        *UNSAID.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }
    false
}

/// Keeps the folder of a run that has begun.
pub struct Began;

impl Observer for Began {
    fn name(&self) -> &'static str {
        "together"
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        *FOLDER.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.record.path().into());
        Ok(())
    }
}

/// What the first process says, in all of them.
pub fn first_says(next: Next) -> Next {
    const ALL: [Next; 3] = [Next::Train, Next::Resume, Next::Refused];
    let Some(ranks) = RANKS.get() else { return next };
    let own = ALL.iter().position(|n| *n == next).unwrap_or(0) as f64;
    let all = ranks.gather(&[own], &vec![1; ranks.size()]);
    let first = all.ok().and_then(|all| all.first().copied());
    first.and_then(|first| ALL.get(first as usize)).copied().unwrap_or(Next::Refused)
}

/// Calls a verb that trains: connected with the processes that were started together with this one, if there are any.
pub fn all(verb: impl FnOnce() -> u8) -> u8 {
    let launched = rord_ranks::launched();
    if launched < 2 {
        return verb();
    }
    match rord_ranks::connect(alarm) {
        Ok(ranks) if ranks.size() == launched => {
            let ranks = Arc::clone(RANKS.get_or_init(|| Arc::new(ranks)));
            leave(&ranks, verb())
        }
        Ok(ranks) => refused(strangers(launched, ranks.size())),
        Err(Unconnected::NotBuilt) => refused(not_built(launched)),
        Err(Unconnected::Failed(why)) => {
            refused(runtime::failed("R0937", &format!("the processes cannot be connected: {why}"), NOT_CONNECTED))
        }
    }
}

const NOT_CONNECTED: &str = "try the MPI itself first:  mpirun -n 2 hostname";

/// The report of a build that trains in one process.
fn not_built(launched: usize) -> Report {
    let title = format!("{launched} processes were started together, and this build of rord trains in one");
    let help = "build it with MPI:  cargo build --release --features mpi\n\
                (on Debian it takes  apt install libopenmpi-dev openmpi-bin libclang-dev), or start one process";
    runtime::failed("R0937", &title, help)
}

/// The report of processes that MPI does not bring together.
fn strangers(launched: usize, seen: usize) -> Report {
    let title = format!("{} were started together, and MPI sees {seen}", plural(launched, "process"));
    let help = "start them by the mpirun of the MPI that rord was built with, or let srun speak its language:  srun --mpi=pmix …";
    runtime::failed("R0937", &title, help)
}

/// Prints a report that every process finds, in one of them.
fn refused(report: Report) -> u8 {
    if rord_ranks::first() {
        print_reports(&[report], &Default::default());
    }
    REFUSED
}

/// Takes note of why the run has ended in a process that does not speak: of a number that is not finite all have learned in the same place, and
/// the first reports it.
pub fn ended(stop: &Stop) {
    ALL_KNOW.store(matches!(stop, Stop::NotFinite(_)), Ordering::Relaxed);
}

/// Takes leave of the others. What went wrong here is told to them, and they end.
fn leave(ranks: &Ranks, code: u8) -> u8 {
    if code != REFUSED && ranks.trouble().is_none() {
        ranks.end();
        return code;
    }
    let unsaid = UNSAID.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if ranks.trouble().is_some() || ALL_KNOW.load(Ordering::Relaxed) {
        // `alarm` ends the process, where another one has told why.
        std::thread::sleep(if ranks.trouble().is_some() { PATIENCE } else { REPORTED });
        return REFUSED;
    }
    // From here on the others speak of it, and not this one of them.
    SAID.store(true, Ordering::Relaxed);
    ranks.tell(&unsaid);
    // The one that speaks is gone as soon as it has spoken; the others leave that to it.
    std::thread::sleep(if ranks.leads() { OWN } else { PATIENCE });
    code
}

/// Is called, beside the computation, where another process is gone: reports it and ends this one.
fn alarm(lost: &Lost) {
    std::thread::sleep(OWN);
    let gone = match lost {
        Lost::Failed { rank, .. } | Lost::Gone { rank, .. } | Lost::Silent { rank, .. } => Some(*rank),
        Lost::Length { .. } | Lost::Closed => None,
    };
    let Some(ranks) = RANKS.get() else { end() };
    // Where the first is the one that is gone, the second speaks.
    let silent = matches!(lost, Lost::Gone { rank: 0, .. } | Lost::Silent { rank: 0, .. });
    let speaks = ranks.rank() == usize::from(silent);
    if speaks && !SAID.swap(true, Ordering::Relaxed) {
        terminal::abandon();
        let mut report = match lost {
            Lost::Failed { rank, .. } => {
                let title = format!("process {rank} of {} has ended with an error", ranks.size());
                runtime::failed("R0938", &title, "its report is above")
            }
            lost => refusals::lost(lost),
        };
        if let Lost::Failed { why, .. } = lost {
            eprintln!("{}", why.trim_end());
        }
        interrupt::failed();
        let folder = FOLDER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let how = match folder.filter(|folder| resumable(folder)) {
            Some(folder) => {
                format!("{}\nany number of processes can, from the state that was saved last", go_on(&folder))
            }
            None => "no state was saved yet: start the run again".into(),
        };
        let help = report.help.take().unwrap_or_default();
        report.help = Some(format!("{help}\n{how}"));
        let text = rord_lang::report::render::draw(&report, &Default::default(), super::style());
        eprintln!("{text}");
    }
    if gone != Some(0) && !speaks {
        // The launcher must not take this one's end for the cause.
        std::thread::sleep(PATIENCE);
    }
    end()
}

/// Ends this process. One whose GPU waits for numbers of a process that is gone must not wait for its GPU: nothing is tidied up there.
fn end() -> ! {
    #[cfg(unix)]
    if rord_device::built() {
        signal_hook::low_level::exit(i32::from(REFUSED))
    }
    std::process::exit(i32::from(REFUSED))
}
