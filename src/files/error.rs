//! What was tried on a file, on which path, and why it failed: `cannot write runs/a/run.yaml: no space left on device`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// Making a folder.
    MakeFolder,
    /// Listing a folder.
    List,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::MakeFolder => "make the folder",
            Self::List => "list the folder",
        })
    }
}

/// An operation on a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {}", path.display(), plain(source))]
pub struct FileError {
    /// What was tried.
    pub action: Action,
    /// On which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`: the same error with what was tried, and where.
    pub fn at(action: Action, path: &Path) -> impl Fn(io::Error) -> FileError + use<> {
        let path = path.to_path_buf();
        move |source| FileError { action, path: path.clone(), source }
    }

    /// What a user can do about it.
    pub fn help(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::NotFound if self.action == Action::Read => "check the path",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space, or name another folder",
            io::ErrorKind::PermissionDenied => "check the permissions of the file and of its folder",
            io::ErrorKind::ReadOnlyFilesystem => "this disk is mounted read-only; name another folder",
            _ if matches!(self.action, Action::Read | Action::List) => "check the path and the permissions",
            _ => "check the path, the space and the permissions",
        }
    }
}

/// The system's words without its number.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
