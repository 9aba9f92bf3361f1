//! Signals that end a run: SIGINT (Ctrl-C), SIGTERM, SIGHUP, and SIGUSR1, which Slurm sends ahead of the end of a job. The first ends
//! the run after its step, the second ends the process. The run's record reports either, and the exit code is 128 and the signal.
//!
//! Before a run has its folder nothing is kept, so that a signal need not wait for data that is being loaded. In a validation the state
//! is saved already, so that it need not wait for a batch either.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::train::INTERRUPTED;
use super::{exhausted, together};
use rord_engine::train::STATE;
use rord_lang::report::{Report, runtime};
use rord_record::progress::go_on;
use rord_record::terminal;
use rord_record::{Finished, Live, Observer, RecordError, Started, Status};

/// Set by the first signal: the run ends after its step, and its weights and its state are kept.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// The exit code that the first signal asks for.
static CODE: AtomicU8 = AtomicU8::new(INTERRUPTED);

/// The record of the run at hand.
static RUNNING: Mutex<Option<Live>> = Mutex::new(None);

/// Signals that come within this time are one: `timeout -s INT` signals a process and then its group.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// How long a run may take to notice by itself: one that has no folder yet, or that validates.
const NOTICE: Duration = Duration::from_millis(400);

/// The exit code of a run that a signal ended: 128 and the signal.
pub fn code() -> u8 {
    CODE.load(Ordering::Relaxed)
}

/// True once a signal asked to stop.
pub fn stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Begins to watch for signals that end a run. Once in a process.
pub fn watch() -> Result<(), Report> {
    hear(notice, leave)
}

/// As [`watch`], for what uses a network and keeps no record: the first signal ends it after the picture or the batch at hand.
pub fn watch_use() -> Result<(), Report> {
    let first = || say("stopping; a second signal (Ctrl-C) stops at once");
    hear(first, || end(""))
}

/// Passes every signal on to these processes, which end by themselves.
pub fn pass_on(processes: Vec<u32>) -> Result<(), Report> {
    listen(move |signal| {
        CODE.store(128u8.wrapping_add(signal), Ordering::Relaxed);
        processes.iter().for_each(|process| send(*process, signal));
    })
    .map_err(unheard)
}

/// Sends a signal to a process that this one has started and not waited for. One that has ended is left alone.
#[cfg(unix)]
fn send(process: u32, signal: u8) {
    use rustix::process::{Pid, Signal, kill_process};
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    if let (Some(process), Some(signal)) = (process, Signal::from_named_raw(i32::from(signal))) {
        let _ = kill_process(process, signal);
    }
}

/// Elsewhere Ctrl-C reaches all processes of a console.
#[cfg(not(unix))]
fn send(_: u32, _: u8) {}

/// The report on signals that cannot be watched for.
fn unheard(reason: String) -> Report {
    let help = "another part of the process handles these signals already";
    runtime::failed("R0910", &format!("cannot watch for signals: {reason}"), help)
}

/// Calls `first` at the first signal and `second` at the next.
fn hear(first: fn(), second: fn()) -> Result<(), Report> {
    let mut heard: Option<Instant> = None;
    listen(move |signal| {
        if !STOP.swap(true, Ordering::Relaxed) {
            CODE.store(128u8.wrapping_add(signal), Ordering::Relaxed);
        }
        match heard {
            Some(at) if at.elapsed() <= SAME_SIGNAL => {}
            Some(_) => second(),
            None => {
                first();
                heard = Some(Instant::now());
            }
        }
    })
    .map_err(unheard)
}

/// Calls `heard` with the number of each signal, on a thread of its own.
#[cfg(unix)]
fn listen(mut heard: impl FnMut(u8) + Send + 'static) -> Result<(), String> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    let wanted = [SIGINT, SIGTERM, SIGUSR1].into_iter().chain((!hangup_is_ignored()).then_some(SIGHUP));
    let mut signals = signal_hook::iterator::Signals::new(wanted).map_err(|e| e.to_string())?;
    let hear = move || signals.forever().for_each(|signal| heard(u8::try_from(signal).unwrap_or(0)));
    std::thread::Builder::new().name("signals".into()).spawn(hear).map(|_| ()).map_err(|e| e.to_string())
}

/// True under `nohup`: who starts a process so wants it to go on when the terminal is gone.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

#[cfg(not(unix))]
fn listen(mut heard: impl FnMut(u8) + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(move || heard(2)).map_err(|e| e.to_string())
}

fn running() -> MutexGuard<'static, Option<Live>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first signal.
fn notice() {
    // The first of several processes speaks, and all end with it.
    if !together::leads() {
        return;
    }
    if running().is_none() {
        // A run that begins in this moment is ended as any other.
        std::thread::sleep(NOTICE);
    }
    if running().is_none() {
        end("stopped before the first step; nothing was written");
    }
    say("stopping after this step; a second signal (Ctrl-C) stops at once");
    // On a thread of its own: a second signal is not kept waiting.
    let rest = move || {
        std::thread::sleep(NOTICE);
        // A run that has ended meanwhile is nobody's.
        let Some(live) = running().clone() else { return };
        live.leave(|left| match left {
            Ok(()) => end(&format!("stopped in the validation\n{}", go_on(live.path()))),
            Err(error) => end(&error),
        });
    };
    // Without a thread the run ends after its batch.
    let _ = std::thread::Builder::new().name("leave".into()).spawn(rest);
}

/// The second signal: the step is not waited for, but the record is.
fn leave() {
    if let Some(live) = running().as_ref() {
        match live.close(Status::Interrupted) {
            // It has ended meanwhile.
            Ok(false) => {}
            Ok(true) => end(&format!("stopped at once; {}", go_on(live.path()))),
            Err(error) => end(&error.to_string()),
        }
    }
    end("")
}

/// A line to standard error, above what is drawn there, and in place of the `^C` that a terminal has shown.
fn say(line: &str) {
    match terminal::bottom() {
        Some(bottom) => bottom.above(|| eprintln!("\r{line}\x1b[K")),
        None => eprintln!("{line}"),
    }
}

/// Ends the process with a last line; nothing is drawn below it.
fn end(line: &str) -> ! {
    if !line.is_empty() {
        say(line);
    }
    terminal::leave();
    std::process::exit(i32::from(code()));
}

/// Writes into the record of the run at hand that it failed, where nothing else is at work on it; how it goes on, where it does. Waits
/// for nothing.
pub fn failed() -> Option<String> {
    let live = RUNNING.try_lock().ok()?.clone()?;
    live.try_fail();
    live.folder().file(STATE).exists().then(|| go_on(live.path()))
}

/// Keeps the record of the run at hand, so that a signal can close it. The first of all observers: what ends the process while others
/// write can then close it.
pub struct Interruptible;

impl Observer for Interruptible {
    fn name(&self) -> &'static str {
        "interrupt"
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        *running() = Some(run.record.clone());
        Ok(())
    }
}

/// Lets go of the record of a run that has ended. The last of all observers: until then all the others have to write can fail it.
pub struct Over;

impl Observer for Over {
    fn name(&self) -> &'static str {
        "over"
    }

    fn finished(&mut self, end: &Finished<'_>) -> Result<(), RecordError> {
        match end.status {
            Status::Finished => exhausted::over(end.folder, super::DONE),
            Status::Interrupted => exhausted::over(end.folder, code()),
            Status::Running | Status::Failed => {}
        }
        *running() = None;
        Ok(())
    }
}
