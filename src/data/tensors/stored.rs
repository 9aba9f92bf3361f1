//! Where the numbers of a tensor lie, and how those of a few samples are read without the rest.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::numbers::Number;

/// What bytes are read from: an open file, or one that is opened for each reading, so that a thousand files do not take a
/// thousand of what the system lends to a process.
#[derive(Clone, Debug)]
pub struct Bytes {
    /// What errors call it.
    pub path: PathBuf,
    /// The open file.
    pub open: Option<Arc<File>>,
}

impl Bytes {
    /// Fills `buffer` with the bytes from `at` on.
    pub fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        match &self.open {
            Some(file) => read_at(file, buffer, at),
            None => read_at(&File::open(&self.path)?, buffer, at),
        }
    }

    /// The same bytes, without holding the file open.
    pub fn closed(path: &Path) -> Self {
        Self { path: path.to_path_buf(), open: None }
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = buffer.get_mut(n..).unwrap_or_default();
                at += n as u64;
            }
        }
    }
    Ok(())
}

/// A tensor in a file, the last axis fastest.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The file.
    pub bytes: Bytes,
    /// Where in the file it begins.
    pub start: u64,
    /// Its numbers.
    pub number: Number,
    /// Whether the high byte of a number comes first.
    pub big: bool,
    /// Its sizes, samples first.
    pub shape: Vec<usize>,
}

impl Stored {
    /// Samples.
    pub fn samples(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Numbers of a sample.
    pub fn cells(&self) -> usize {
        self.shape.get(1..).unwrap_or_default().iter().product()
    }

    /// Adds the numbers of samples `from..from + count` to `out`; `raw` is memory to read into.
    pub fn read(&self, from: usize, count: usize, raw: &mut Vec<u8>, out: &mut Vec<f32>) -> io::Result<()> {
        let sample = self.cells() * self.number.bytes();
        raw.resize(count * sample, 0);
        self.bytes.read(raw, self.start + (from * sample) as u64)?;
        self.number.decode(raw, self.big, out);
        Ok(())
    }
}
