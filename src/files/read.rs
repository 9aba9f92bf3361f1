//! Files are read up to a limit that the caller sets, so that an endless one takes no memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::{Action, FileError};

/// The bytes of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    bounded(path, limit).map_err(FileError::at(Action::Read, path))
}

/// As [`read`], with the system's own error. A larger file is refused before it is in memory, even one without an end as `/dev/zero`.
/// A named pipe is not waited for, except under `/dev/fd` and `/proc`, where shells place what they pipe into a command.
pub fn bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    #[cfg(unix)]
    if let (Ok(found), false) = (std::fs::metadata(path), path.starts_with("/dev") || path.starts_with("/proc"))
        && std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type())
    {
        return Err(io::Error::other("it is a named pipe"));
    }
    at_most(File::open(path)?, limit)
}

/// The bytes of a regular file as a whole, however large; see [`open`].
pub fn whole(path: &Path) -> Result<Vec<u8>, FileError> {
    open(path)?;
    std::fs::read(path).map_err(FileError::at(Action::Read, path))
}

/// A regular file and its length. Devices, pipes and folders are refused before they are opened: they may have no end.
pub fn open(path: &Path) -> Result<(File, u64), FileError> {
    let opened = || {
        let found = std::fs::metadata(path)?;
        match found.is_file() {
            true => Ok((File::open(path)?, found.len())),
            false if found.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
            false => Err(io::Error::other("it is not a regular file")),
        }
    };
    opened().map_err(FileError::at(Action::Read, path))
}

/// All bytes of a reader, or an error of the kind [`io::ErrorKind::FileTooLarge`] where there are more than `limit`.
pub fn at_most(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {}", size(limit))));
    }
    Ok(bytes)
}

fn size(bytes: u64) -> String {
    match bytes {
        n if n >= 1 << 30 => format!("{} GB", n >> 30),
        n if n >= 1 << 20 => format!("{} MB", n >> 20),
        n if n >= 1 << 10 => format!("{} KB", n >> 10),
        n => format!("{n} bytes"),
    }
}
