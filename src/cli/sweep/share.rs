//! How processes share a sweep: each claims a run before it trains it, by a lock that ends with the process.

use std::path::{Path, PathBuf};

use super::super::args::SweepArgs;
use rord_engine::refusals;
use rord_files::{Action, FileError, Lock, LockError};
use rord_lang::report::{Report, runtime};

/// The folder of a sweep's claims.
const CLAIMS: &str = ".claims";

/// Tells a process that `--jobs` has started how many there are, and how often each run had been tried by then: `2 0 0 1 0`.
pub const VARIABLE: &str = "RORD_SWEEP_JOB";

/// What a process has to do with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// It does the whole sweep. What failed before is tried again.
    Alone,
    /// One of those that a person or a cluster started: it takes what no other has, and leaves what failed.
    Worker,
    /// One of so many that `--jobs` started at a time. What had failed by then is tried again.
    Job { of: usize, tried: Vec<usize> },
}

impl Share {
    /// What the arguments, and the process that started this one, say.
    pub fn of(args: &SweepArgs) -> Self {
        let job = std::env::var(VARIABLE).ok().filter(|_| args.worker);
        let numbers = job.and_then(|text| text.split(' ').map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>());
        match numbers.as_deref().and_then(<[usize]>::split_first) {
            Some((of, tried)) => Self::Job { of: *of, tried: tried.into() },
            None if args.worker => Self::Worker,
            None => Self::Alone,
        }
    }
}

/// What came of a claim.
pub enum Claim {
    /// The run is this process's until the lock is dropped.
    Mine(Lock),
    /// Another process has it.
    Taken { by: String },
}

fn place(run: &Path) -> PathBuf {
    let name = run.file_name().unwrap_or_default();
    run.with_file_name(CLAIMS).join(name)
}

/// Claims a run of a sweep's folder.
pub fn claim(run: &Path, share: &Share) -> Result<Claim, Report> {
    let place = place(run);
    let claims = place.parent().unwrap_or(Path::new("."));
    let failed = |e: FileError| refusals::file(&e);
    std::fs::create_dir_all(claims).map_err(|e| failed(FileError::at(Action::MakeFolder, claims)(e)))?;
    match Lock::take(&place) {
        Ok(lock) if !lock.holds() && *share != Share::Alone => {
            let title =
                format!("the file system of {} has no locks: two processes could train one run", claims.display());
            Err(runtime::failed("R0914", &title, "name a folder on another one with --out, or leave --worker out"))
        }
        Ok(lock) => Ok(Claim::Mine(lock)),
        Err(LockError::InUse { by, .. }) => Ok(Claim::Taken { by }),
        Err(LockError::File(e)) => Err(failed(e)),
    }
}

/// True where another process has a run.
pub fn claimed(run: &Path) -> bool {
    Lock::taken(&place(run))
}
