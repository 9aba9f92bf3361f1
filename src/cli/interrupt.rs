//! Ctrl-C: the first ends the run after its step, the second ends the process. The run's record reports either.
//!
//! Before a run has its folder nothing is kept, so that Ctrl-C need not wait for data that is being loaded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::train::INTERRUPTED;
use rord_lang::report::{Report, runtime};
use rord_record::{Finished, Live, Observer, RecordError, Started, Status};

/// Set by Ctrl-C: the run ends after its step, and its weights are kept.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// The record of the run at hand.
static RUNNING: Mutex<Option<Live>> = Mutex::new(None);

/// Signals that come within this time are one: `timeout -s INT` signals a process and then its group.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// How long a run that has no folder yet may take to notice by itself.
const NOTICE: Duration = Duration::from_millis(400);

/// Begins to watch for Ctrl-C. Once in a process.
pub fn watch() -> Result<(), Report> {
    let mut first: Option<Instant> = None;
    let handler = move || {
        STOP.store(true, Ordering::Relaxed);
        match first {
            Some(at) if at.elapsed() <= SAME_SIGNAL => {}
            Some(_) => leave(),
            None => {
                notice();
                first = Some(Instant::now());
            }
        }
    };
    let help = "another part of the process handles this signal already";
    ctrlc::set_handler(handler).map_err(|e| runtime::failed("R0910", &format!("cannot watch for Ctrl-C: {e}"), help))
}

fn running() -> MutexGuard<'static, Option<Live>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first signal.
fn notice() {
    if running().is_none() {
        // A run that begins in this moment is ended as any other.
        std::thread::sleep(NOTICE);
    }
    if running().is_some() {
        eprintln!("\nstopping after this step; Ctrl-C again stops at once");
        return;
    }
    eprintln!("stopped before the first step; nothing was written");
    std::process::exit(i32::from(INTERRUPTED));
}

/// The second signal: the step is not waited for, but the record is.
fn leave() {
    if let Some(Err(error)) = running().as_ref().map(|live| live.close(Status::Interrupted)) {
        eprintln!("{error}");
    }
    std::process::exit(i32::from(INTERRUPTED));
}

/// Keeps the record of the run at hand, so that a signal can close it.
pub struct Interruptible;

impl Observer for Interruptible {
    fn name(&self) -> &'static str {
        "interrupt"
    }

    fn started(&mut self, run: &Started<'_>) -> Result<(), RecordError> {
        *running() = Some(run.record.clone());
        Ok(())
    }

    fn finished(&mut self, _: &Finished<'_>) -> Result<(), RecordError> {
        *running() = None;
        Ok(())
    }
}
