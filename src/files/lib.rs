//! Files as rord reads and writes them: bounded when read, whole or not at all when written, and errors that name the path.
//!
//! ```
//! let folder = tempfile::tempdir().unwrap();
//! let path = folder.path().join("run.yaml");
//! rord_files::write_atomic(&path, b"status: running\n").unwrap();
//! assert_eq!(rord_files::read(&path, 1 << 20).unwrap(), b"status: running\n");
//! assert_eq!(rord_files::read(&path, 4).unwrap_err().to_string(), format!("cannot read {}: it is larger than 4 bytes", path.display()));
//! ```

mod error;
mod lock;
pub mod protobuf;
mod read;
mod write;

pub use error::{Action, FileError, plain};
pub use lock::{Lock, LockError};
pub use read::{at_most, bounded, open, read, whole};
pub use write::{is_temporary, replace, write_atomic};
