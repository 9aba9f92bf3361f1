//! The record of a run that goes on, shared by the run and by what may have to end the process.
//!
//! Once it is closed nothing is written any more, so that the status of the one who closed it first remains.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rord_files::Lock;

use super::{Record, RecordError, RunFolder, Status, timestamp};

/// What is left to do where the process ends while a run rests.
pub type Leave = Box<dyn Fn() -> Result<(), String> + Send>;

/// An open record. Clones share it.
#[derive(Clone)]
pub struct Live {
    folder: RunFolder,
    kept: Arc<Mutex<Kept>>,
    /// Set while everything that the run goes on from is on the disk already.
    rest: Arc<Mutex<Option<Leave>>>,
    /// Nobody else writes to the folder meanwhile. A record that is kept aside writes nothing itself.
    lock: Option<Arc<Lock>>,
}

struct Kept {
    record: Record,
    closed: bool,
}

impl Live {
    /// Writes a record into its folder, which is locked, and keeps it open.
    pub fn open(folder: RunFolder, record: Record, lock: Lock) -> Result<Self, RecordError> {
        folder.write_record(&record)?;
        let kept = Arc::new(Mutex::new(Kept { record, closed: false }));
        Ok(Self { folder, kept, rest: Arc::default(), lock: Some(Arc::new(lock)) })
    }

    /// The record of a run that another process writes.
    pub fn aside(folder: RunFolder, record: Record) -> Self {
        Self { folder, kept: Arc::new(Mutex::new(Kept { record, closed: false })), rest: Arc::default(), lock: None }
    }

    /// True where this process writes the run's folder.
    pub fn writes(&self) -> bool {
        self.lock.is_some()
    }

    fn write(&self, record: &Record) -> Result<(), RecordError> {
        if self.writes() { self.folder.write_record(record) } else { Ok(()) }
    }

    /// From here on the process may end at any moment once `leave` is done; with `None` no more. Where it is just ending, this does
    /// not return.
    pub fn rest(&self, leave: Option<Leave>) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = leave;
    }

    /// Does what is left to do of a run that rests, closes its record as interrupted, and calls `exit`, which ends the process. Does
    /// nothing where the run does not rest.
    pub fn leave(&self, exit: impl FnOnce(Result<(), String>)) {
        // Held until the end: the run does not go on meanwhile.
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leave) = &*rest {
            let left = leave().and_then(|()| self.close(Status::Interrupted).map(|_| ()).map_err(|e| e.to_string()));
            exit(left);
        }
    }

    /// The record as it is.
    pub fn get(&self) -> Record {
        self.kept().record.clone()
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// A file of the run.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Changes the record and writes it, unless it is closed.
    pub fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), RecordError> {
        let mut kept = self.kept();
        if kept.closed {
            return Ok(());
        }
        change(&mut kept.record);
        self.write(&kept.record)
    }

    /// Writes how the run ended, and when, unless the record is closed already; true if it was open.
    pub fn close(&self, status: Status) -> Result<bool, RecordError> {
        let mut kept = self.kept();
        if kept.closed {
            return Ok(false);
        }
        self.end(&mut kept, status)?;
        Ok(true)
    }

    /// Writes that the run failed over how it ended, where that could not be written whole: its record may be there, and not what
    /// comes after it.
    pub fn fail(&self) {
        // The first error is the one to report.
        let _ = self.end(&mut self.kept(), Status::Failed);
    }

    /// As [`Live::fail`], where nobody else is at work on the record: a process that has no memory left waits for nothing.
    pub fn try_fail(&self) {
        if let Ok(mut kept) = self.kept.try_lock() {
            // What ended the process is what is reported.
            let _ = self.end(&mut kept, Status::Failed);
        }
    }

    fn end(&self, kept: &mut Kept, status: Status) -> Result<(), RecordError> {
        kept.closed = true;
        kept.record.status = status;
        kept.record.finished = Some(timestamp(SystemTime::now()));
        self.write(&kept.record)
    }

    /// A thread that panicked in between has left a whole record.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_close_a_record_has_the_last_word() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(None, root.path(), "rord", SystemTime::UNIX_EPOCH).unwrap();
        let lock = super::super::lock(folder.path()).unwrap();
        let live = Live::open(folder.clone(), super::super::record::tests::record(), lock).unwrap();
        live.change(|r| r.status = Status::Running).unwrap();
        let other = live.clone();
        other.change(|r| r.epochs_done = 7).unwrap();
        assert_eq!((live.get().epochs_done, folder.read_record().unwrap().status), (7, Status::Running));
        assert!(other.close(Status::Interrupted).unwrap());
        live.change(|r| r.epochs_done = 8).unwrap();
        assert!(!live.close(Status::Failed).unwrap());
        let written = folder.read_record().unwrap();
        assert_eq!((written.status, written.epochs_done), (Status::Interrupted, 7));
        assert!(written.finished.is_some());
    }

    #[test]
    fn only_a_run_that_rests_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(None, root.path(), "rord", SystemTime::UNIX_EPOCH).unwrap();
        let lock = super::super::lock(folder.path()).unwrap();
        let running = Record { status: Status::Running, ..super::super::record::tests::record() };
        let live = Live::open(folder.clone(), running, lock).unwrap();
        live.leave(|_| panic!("it does not rest"));
        live.rest(Some(Box::new(|| Ok(()))));
        let mut left = None;
        live.leave(|done| left = Some(done));
        assert_eq!((left, folder.read_record().unwrap().status), (Some(Ok(())), Status::Interrupted));
    }
}
