//! Where drawn tiles lie on disk: `$RORD_CACHE`, else `$XDG_CACHE_HOME/rord`, else `~/.cache/rord`; where that cannot be
//! written, a folder for this process alone.
//!
//! Each drawing of a file has a folder of its own, named by its key, with a manifest and tiles. Nothing there is
//! needed: what is missing or broken is drawn anew, so any of it may be removed at any time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::tile::UNFINISHED;

/// The folder of all drawings of this version within the cache.
const DRAWINGS: &str = "drawings-1";
/// What the folder of a process is called in the system's temporary folder.
const ALONE: &str = "rord-drawings-";
/// Leftovers older than this belong to nobody any more.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// The folder for caches of this user; `None` where the environment names none.
pub fn default_folder() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("RORD_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("rord")))
        .or_else(|| named("HOME").map(|home| home.join(".cache").join("rord")))
}

/// Where nothing can be written: both places, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}; {}: {}", first.0.display(), first.1, second.0.display(), second.1)]
pub struct NoPlace {
    /// The cache and the reason of the system.
    pub first: (PathBuf, String),
    /// The temporary folder and the reason of the system.
    pub second: (PathBuf, String),
}

/// The folders of a process.
#[derive(Debug)]
pub struct Folder {
    cache: Option<PathBuf>,
    temporary: PathBuf,
    alone: Mutex<Option<Alone>>,
}

/// A folder for this process alone, and why it is used.
#[derive(Clone, Debug)]
struct Alone {
    path: PathBuf,
    why: (PathBuf, String),
}

impl Folder {
    /// Files go to `cache`, or where that cannot be written to a folder of this process in `temporary`.
    pub fn new(cache: Option<PathBuf>, temporary: PathBuf) -> Self {
        sweep(&temporary, &|name| name.starts_with(ALONE), SystemTime::now());
        Self { cache: cache.map(|cache| cache.join(DRAWINGS)), temporary, alone: Mutex::default() }
    }

    fn alone(&self) -> Option<Alone> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the cache is not written, if so: the folder and the reason of the system.
    pub fn warning(&self) -> Option<(PathBuf, String)> {
        self.alone().map(|alone| alone.why)
    }

    /// What `read` makes of the file `name` of a drawing, in the first folder that has it.
    pub fn read<T>(&self, drawing: &str, name: &str, read: impl Fn(&Path) -> Option<T>) -> Option<T> {
        let folders = self.cache.clone().into_iter().chain(self.alone().map(|alone| alone.path));
        folders.map(|folder| folder.join(drawing).join(name)).find_map(|path| read(&path))
    }

    /// Writes the file `name` of a drawing.
    pub fn write(&self, drawing: &str, name: &str, content: &[u8]) -> Result<(), NoPlace> {
        let into = |folder: &Path| {
            let path = folder.join(drawing).join(name);
            super::tile::put(&path, content).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    std::fs::create_dir_all(folder.join(drawing))?;
                    super::tile::put(&path, content)
                }
                _ => Err(error),
            })
        };
        if let Some(alone) = self.alone() {
            return into(&alone.path)
                .map_err(|error| NoPlace { first: alone.why, second: (alone.path, rord_files::plain(&error)) });
        }
        let why = match &self.cache {
            Some(cache) => match into(cache) {
                Ok(()) => return Ok(()),
                Err(error) => (cache.clone(), rord_files::plain(&error)),
            },
            None => ("~".into(), "the environment names no folder: HOME is not set".into()),
        };
        let path = self.begin_alone(&why);
        into(&path).map_err(|error| NoPlace { first: why, second: (path, rord_files::plain(&error)) })
    }

    /// From now on all is written to a folder of this process alone.
    fn begin_alone(&self, why: &(PathBuf, String)) -> PathBuf {
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let here = std::ptr::from_ref(self) as usize;
        let path = self.temporary.join(format!("{ALONE}{}-{here:x}", std::process::id()));
        alone.get_or_insert(Alone { path, why: why.clone() }).path.clone()
    }

    /// Notes that a drawing was used now, and removes what writers left in it.
    pub fn used(&self, drawing: &str, manifest: &str) {
        let Some(folder) = self.cache.as_ref().map(|cache| cache.join(drawing)) else { return };
        // A cache that cannot be written keeps its times.
        let file = std::fs::File::options().append(true).open(folder.join(manifest));
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
        sweep(&folder, &|name| name.ends_with(UNFINISHED), SystemTime::now());
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(alone) = self.alone() {
            // What cannot be removed now is removed as a leftover later.
            let _ = std::fs::remove_dir_all(alone.path);
        }
    }
}

/// Removes what is older than a day and called so.
fn sweep(folder: &Path, called: &dyn Fn(&str) -> bool, now: SystemTime) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let old = |entry: &std::fs::DirEntry| {
            let written = entry.metadata().and_then(|m| m.modified()).ok()?;
            now.duration_since(written).ok().filter(|age| *age > OLD)
        };
        if called(&entry.file_name().to_string_lossy()) && old(&entry).is_some() {
            let path = entry.path();
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
    }
}

/// A drawing of a file in the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Its folder's name.
    pub key: String,
    /// The file it was drawn from, as it was called then; `None` where its manifest is not there or not whole.
    pub file: Option<String>,
    /// Pictures in it.
    pub pictures: usize,
    /// Bytes on disk.
    pub bytes: u64,
    /// When a run last used it.
    pub used: SystemTime,
}

/// All drawings in the cache `folder`, those used last first. A folder that is not there has none.
pub fn list(folder: &Path) -> io::Result<Vec<Drawing>> {
    let mut drawings = Vec::new();
    let entries = match std::fs::read_dir(folder.join(DRAWINGS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(drawings),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let (mut bytes, mut used) = (0, SystemTime::UNIX_EPOCH);
        for file in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            let Ok(metadata) = file.metadata() else { continue };
            bytes += metadata.len();
            used = used.max(metadata.modified().unwrap_or(used));
        }
        let manifest = super::manifest::Manifest::read(&path.join(super::manifest::NAME));
        let pictures = manifest.as_ref().map_or(0, |manifest| manifest.pictures.len());
        let key = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        drawings.push(Drawing { key, file: manifest.map(|m| m.file), pictures, bytes, used });
    }
    drawings.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.key.cmp(&b.key)));
    Ok(drawings)
}

/// Removes the drawings in the cache `folder` that were last used before `before` (all without it), and returns them.
/// A run that uses one draws it anew.
pub fn clear(folder: &Path, before: Option<SystemTime>) -> io::Result<Vec<Drawing>> {
    let mut drawings = list(folder)?;
    drawings.retain(|drawing| before.is_none_or(|before| drawing.used < before));
    for drawing in &drawings {
        match std::fs::remove_dir_all(folder.join(DRAWINGS).join(&drawing.key)) {
            // Another process was there first.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(drawings)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cache_does_not_take_goes_to_a_folder_that_is_removed_at_the_end() {
        let root = tempfile::tempdir().unwrap();
        let (blocked, temporary) = (root.path().join("file"), root.path().join("tmp"));
        std::fs::create_dir(&temporary).unwrap();
        std::fs::write(&blocked, "no folder").unwrap();
        let folder = Folder::new(Some(blocked.clone()), temporary.clone());
        folder.write("a", "1.tile", b"one").unwrap();
        assert!(folder.warning().unwrap().0.starts_with(&blocked));
        let read = |folder: &Folder| folder.read("a", "1.tile", |path| std::fs::read(path).ok());
        assert_eq!(read(&folder), Some(b"one".to_vec()));
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 1);
        drop(folder);
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
        let nowhere = Folder::new(Some(blocked.clone()), blocked.clone());
        let error = nowhere.write("a", "1.tile", b"one").unwrap_err();
        assert!(error.first.0.starts_with(&blocked) && error.second.0.starts_with(&blocked));
    }

    #[test]
    fn drawings_are_listed_and_cleared_by_age_and_leftovers_go() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(root.path().to_path_buf()), root.path().join("tmp"));
        folder.write("old", "0-0-0.tile", &[1; 10]).unwrap();
        folder.write("new", "0-0-0.tile", &[1; 20]).unwrap();
        let at = |name: &str| root.path().join(DRAWINGS).join(name);
        let age = |path: PathBuf| {
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - 3 * OLD).unwrap();
        };
        age(at("old/0-0-0.tile"));
        let listed = list(root.path()).unwrap();
        assert_eq!(listed.iter().map(|d| (d.key.as_str(), d.bytes)).collect::<Vec<_>>(), [("new", 20), ("old", 10)]);
        for name in ["new/1.tile.5-1.part", "new/2.tile.5-2.part"] {
            std::fs::write(at(name), "half").unwrap();
        }
        age(at("new/1.tile.5-1.part"));
        folder.used("new", "0-0-0.tile");
        assert!(!at("new/1.tile.5-1.part").exists() && at("new/2.tile.5-2.part").exists());
        let cleared = clear(root.path(), Some(SystemTime::now() - OLD)).unwrap();
        assert_eq!((cleared.len(), cleared[0].key.as_str(), at("old").exists()), (1, "old", false));
        assert_eq!(clear(root.path(), None).unwrap().len(), 1);
        assert_eq!(list(root.path()).unwrap(), []);
        assert_eq!(list(&root.path().join("gone")).unwrap(), []);
    }
}
