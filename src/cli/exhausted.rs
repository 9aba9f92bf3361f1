//! What is done where the system gives no memory or no threads: a report, and an exit code that says so.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rord_kernels::allocator::report_by;
use rord_lang::report::{Report, runtime};

use super::interrupt;
use rord_engine::machine;
use rord_engine::refusals::size;
use rord_record::terminal;

/// From here on the process ends with a report where there is no memory.
pub fn watch() {
    report_by(no_memory);
    // A thread that was started may find no room for what the standard library keeps beside its stack; that is a panic there.
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        terminal::abandon();
        let said = info.payload();
        let said = said.downcast_ref::<String>().map(String::as_str).or_else(|| said.downcast_ref::<&str>().copied());
        if said.is_some_and(|text| text.contains("alternative stack")) {
            super::print_reports(&[no_thread("cannot allocate memory")], &Default::default());
            end(super::REFUSED);
        }
        others(info);
    }));
}

/// The report for a thread that the system does not give.
fn no_thread(reason: &str) -> Report {
    let help = "fewer take less:  --threads 1;  `ulimit -u` and the limits of a container say how many there may be";
    runtime::failed("R0911", &format!("the system gives no thread: {reason}"), help)
}

/// True where all that this process is for is one run.
static SPARES: AtomicBool = AtomicBool::new(false);

/// The folder of the run that has ended, and the exit code for how it did.
static OVER: Mutex<Option<(PathBuf, u8)>> = Mutex::new(None);

/// From here on what comes after a run that ended well is spared: where memory gives out in it, the process ends as the run did.
pub fn spare() {
    SPARES.store(true, Ordering::Relaxed);
}

/// The run in a folder has ended so, and nothing that goes wrong from here on changes that.
pub fn over(folder: &Path, code: u8) {
    if SPARES.load(Ordering::Relaxed) {
        *OVER.lock().unwrap_or_else(PoisonError::into_inner) = Some((folder.into(), code));
    }
}

/// The report for a process that got no memory, and the end of it. The run at hand has failed.
fn no_memory(bytes: usize, again: bool) -> ! {
    if let Ok(over) = OVER.try_lock()
        && let Some((folder, code)) = &*over
    {
        if !again {
            terminal::abandon();
            let (asked, folder) = (size(bytes), folder.display());
            eprintln!("warning: memory gave out after the run had ended: {asked} were asked for");
            eprintln!("its page may be missing; `rord-run report {folder}` writes it");
        }
        end(*code)
    }
    if !again {
        terminal::abandon();
        let run = interrupt::failed();
        let title = format!("the system gives no more memory: {} were asked for", size(bytes));
        let go_on = run.map(|how| format!("\n{how}")).unwrap_or_default();
        let less =
            "lower `batch` or `patch`, or what a metric takes; `ulimit -v` and the limits of a container count, too";
        super::print_reports(&[runtime::failed("R0936", &title, &format!("{less}{go_on}"))], &Default::default());
    }
    end(super::REFUSED)
}

/// Ends the process at once: nothing else is to ask for memory.
#[cfg(unix)]
fn end(code: u8) -> ! {
    signal_hook::low_level::exit(i32::from(code))
}

#[cfg(not(unix))]
fn end(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

/// Starts the threads that everything is computed on: so many, or one a core. Once in a process, before anything is computed.
pub fn threads(count: Option<usize>) -> Result<(), Report> {
    if count == Some(0) {
        return Err(zero());
    }
    let built = rayon::ThreadPoolBuilder::new().num_threads(count.unwrap_or(0)).build_global();
    built.map(|()| machine::started(rayon::current_num_threads())).map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), |e| e.to_string());
        no_thread(&reason.split(" (os error").next().unwrap_or(&reason).to_lowercase())
    })
}

/// The report for a number of threads that nothing runs on.
fn zero() -> Report {
    runtime::failed("R0911", "cannot run on 0 threads", "give a positive number, as in --threads 2")
}
