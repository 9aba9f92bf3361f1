//! Locks among processes: the system lets go of one when its process ends, however that is. The file that is locked means nothing by itself:
//! a killed process leaves it behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Action, FileError, read};

/// A lock that could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by {by}", path.display())]
    InUse {
        /// The file that is locked.
        path: PathBuf,
        /// The process, in words.
        by: String,
    },
    /// The file could not be made.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The most bytes that are read of what another process says of itself.
const MOST_BYTES: u64 = 1 << 10;

/// How often a lock is tried whose file is being removed by another process.
const TRIES: usize = 100;

/// What this process alone has, for as long as this value lives: a file is locked.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// `None` on a file system that has no locks.
    file: Option<File>,
}

impl Lock {
    /// Locks a file, which is made for it in a folder that exists.
    ///
    /// # Errors
    /// Another process has it; the file cannot be made.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = FileError::at(Action::Write, path);
        for _ in 0..TRIES {
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let mut file = opened.map_err(&failed)?;
            match file.try_lock() {
                // The process that had it may have removed the file meanwhile.
                Ok(()) if !is_at(&file, path) => continue,
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::InUse { path: path.into(), by: holder(path) });
                }
                // Not every file system has locks.
                Err(TryLockError::Error(_)) => return Ok(Self { path: path.into(), file: None }),
            }
            // What is written is for those who come later, and nothing depends on it.
            let _ = file.set_len(0).and_then(|()| file.write_all(own().as_bytes()));
            return Ok(Self { path: path.into(), file: Some(file) });
        }
        Err(LockError::InUse { path: path.into(), by: "other processes".into() })
    }

    /// True where the file system knows locks, so that no other process has this one.
    pub fn holds(&self) -> bool {
        self.file.is_some()
    }

    /// True where another process has locked a file. Nothing is written.
    pub fn taken(path: &Path) -> bool {
        let file = File::open(path);
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked: nobody else has this file then. One that stays does no harm.
        let _ = std::fs::remove_file(&self.path);
        self.file = None;
    }
}

/// True where an open file is the one under its name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |found: std::fs::Metadata| (found.dev(), found.ino());
    file.metadata().ok().map(number) == std::fs::metadata(path).ok().map(number)
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// This process, for others: `process 4711 on node7`.
fn own() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let on = if host.trim().is_empty() { String::new() } else { format!(" on {}", host.trim()) };
    format!("process {}{on}\n", std::process::id())
}

/// What the process that holds the lock says of itself.
fn holder(path: &Path) -> String {
    let bytes = read(path, MOST_BYTES).unwrap_or_default();
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).collect();
    if text.is_empty() { "another process".into() } else { text }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_owner_until_that_one_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!Lock::taken(&path));
        let first = Lock::take(&path).unwrap();
        assert!(Lock::taken(&path) && first.holds());
        let error = Lock::take(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("is in use by process {}", std::process::id())), "{error}");
        drop(first);
        assert!(!Lock::taken(&path) && !path.exists());
        // A file that a killed process left is nobody's.
        std::fs::write(&path, "process 1").unwrap();
        drop(Lock::take(&path).unwrap());
        assert!(matches!(Lock::take(&folder.path().join("absent/lock")), Err(LockError::File(_))));
    }
}
