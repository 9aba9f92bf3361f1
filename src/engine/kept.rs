//! The weights that a run kept: where a file of weights is wanted, a run's folder means its best, else its last.

use std::path::{Path, PathBuf};

/// The files of a run that hold weights, the better first.
pub const KEPT: [&str; 2] = ["best.safetensors", "last.safetensors"];

/// The file of weights in a run's folder; `None` where it has none.
pub fn of_folder(folder: &Path) -> Option<PathBuf> {
    KEPT.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// The file that a path means: that in a folder, else the path itself, which is refused where it is read.
pub fn file(path: &Path) -> PathBuf {
    if path.is_dir() { of_folder(path).unwrap_or_else(|| path.to_path_buf()) } else { path.to_path_buf() }
}
