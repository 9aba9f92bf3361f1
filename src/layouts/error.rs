//! Why a layout could not be read: facts without advice.

use std::path::{Path, PathBuf};

/// Why a layout could not be read. Bytes are counted in the decompressed file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // each field is what the sentence above its variant names it
pub enum ReadError {
    /// The operating system refused to read it.
    #[error("{path}: {reason}")]
    Unreadable { path: PathBuf, reason: String, not_found: bool },
    /// A file of no bytes.
    #[error("{path}: empty file")]
    EmptyFile { path: PathBuf },
    /// More bytes, after decompression, than are read.
    #[error("{path}: more than {limit} bytes")]
    FileTooLarge { path: PathBuf, limit: u64 },
    /// It begins as a gzip stream and is not one, or stops early.
    #[error("{path}: broken gzip stream: {reason}")]
    Gzip { path: PathBuf, reason: String },
    /// Neither GDSII nor OASIS. `looks` is what it begins as, if that is known.
    #[error("{path}: neither a GDSII nor an OASIS file{}", looks.map(|looks| format!(" but {looks}")).unwrap_or_default())]
    NotLayout { path: PathBuf, looks: Option<&'static str> },
    /// The file stops inside a record or a cell.
    #[error("{path}: ends at byte {at}, {}before the end of the library", within(cell))]
    Truncated { path: PathBuf, cell: Option<String>, at: u64 },
    /// What the format does not have there, and nothing reads.
    #[error("{path}: {}at byte {at}: {reason}", within(cell))]
    Malformed { path: PathBuf, cell: Option<String>, at: u64, reason: String },
    /// What the format allows and is not read.
    #[error("{path}: {}at byte {at}, not supported: {reason}", within(cell))]
    Unsupported { path: PathBuf, cell: Option<String>, at: u64, reason: String },
    /// The database unit is zero, negative or not a number.
    #[error("{path}: a database unit of {meters} m")]
    BadUnit { path: PathBuf, meters: f64 },
    /// A library without cells.
    #[error("{path}: no cells")]
    NoCells { path: PathBuf },
}

impl ReadError {
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let not_found = error.kind() == std::io::ErrorKind::NotFound;
        Self::Unreadable { path: path.to_path_buf(), reason: rord_files::plain(error), not_found }
    }
}

fn within(cell: &Option<String>) -> String {
    cell.as_ref().map(|cell| format!("in cell `{cell}`, ")).unwrap_or_default()
}
