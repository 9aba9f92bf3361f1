//! OASIS files (SEMI P39): every record, in strict and in other files, with compressed blocks and checksums.
//!
//! A file is read once, from its first byte to its last. Names may come after their use, so that the offsets of tables
//! are not needed. Shapes that are repeated stay repetitions: what a file takes in memory is in proportion to its bytes
//! ([`Limits`]), not to the number of copies. Texts, properties and extensions are passed over.

mod cells;
mod end;
mod fault;
mod limits;
mod modal;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod mutations;
mod names;
mod numbers;
mod points;
mod reader;
mod repetition;
mod shapes;
mod source;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
mod trapezoid;

use std::path::Path;

pub use limits::Limits;
pub use names::LayerName;

use crate::ReadLibrary;
use crate::builder::Builder;
use crate::error::ReadError;
use reader::Reader;

/// What every file begins with.
pub(crate) const MAGIC: &[u8] = b"%SEMI-OASIS\r\n";

/// True of bytes that begin as an OASIS file.
pub(crate) fn is_oasis(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads the bytes of an OASIS file; `path` is what errors call it.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<ReadLibrary, ReadError> {
    read_within(path, bytes, Limits::of(bytes.len()))
}

/// The same within limits of the caller.
pub fn read_within(path: &Path, bytes: &[u8], limits: Limits) -> Result<ReadLibrary, ReadError> {
    Reader::new(bytes, limits, Builder::default()).read(path)
}

/// Bytes that the library takes in memory, about, with those of the file, which are read as a whole; else as [`read`].
pub(crate) fn weigh(path: &Path, bytes: &[u8]) -> Result<u64, ReadError> {
    let library = Reader::new(bytes, Limits::of(bytes.len()), Builder::weighing()).weigh(path)?;
    Ok(library.saturating_add(bytes.len() as u64))
}
