//! One process at a time writes to a run's folder: it holds a lock on a file there.

use std::path::Path;

use rord_files::{Lock, LockError};

use super::RecordError;

/// The file that is locked. One that a killed process left means nothing.
pub const LOCK: &str = ".lock";

/// Takes the lock of a folder that exists. Where another process has it, the error names that.
pub fn lock(folder: &Path) -> Result<Lock, RecordError> {
    Lock::take(&folder.join(LOCK)).map_err(|error| match error {
        LockError::InUse { by, .. } => RecordError::InUse { path: folder.into(), by },
        LockError::File(error) => error.into(),
    })
}

/// True where another process has the lock of a folder. Nothing is written.
pub fn locked(folder: &Path) -> bool {
    Lock::taken(&folder.join(LOCK))
}
