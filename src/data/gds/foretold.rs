//! What reading layouts takes in memory, known before they are read: nothing of those that are drawn already.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::{AT_ONCE, Gds, file};
use crate::DataError;
use crate::files::{LAYOUTS, find_all};
use crate::store::Store;

/// Files that are estimated to take no more are not looked into.
const SMALL: u64 = 16 << 20;

/// What drawing a layout takes beside its library: strips of all its layers, and the edges that reach into them.
const DRAWING: u64 = 24 << 20;

/// What reading takes where it takes most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Bytes of all files that are read at once.
    pub bytes: u64,
    /// The file that takes most of them.
    pub file: Option<PathBuf>,
}

impl Gds {
    /// What reading takes on so many threads. `enough` bytes are not counted any closer than by the sizes of the files; beyond that
    /// layouts are read through, and nothing of them is kept. Files that cannot be read take nothing: loading says why.
    pub fn reading(&self, store: &Store, threads: usize, enough: u64) -> Reading {
        let named = |patterns: &[String]| find_all(patterns, &LAYOUTS).unwrap_or_default();
        let mut files = named(&self.files);
        files.extend(named(&self.validation));
        let sizes = |path: &PathBuf| (file::cost(path), path.clone());
        let rough: Vec<(u64, PathBuf)> = files.iter().map(sizes).collect();
        let found = at_once(rough.clone(), threads);
        if found.bytes <= enough {
            return found;
        }
        let closer = |(rough, path): (u64, PathBuf)| match rough > SMALL {
            true => (self.takes(&path, store), path),
            false => (rough, path),
        };
        at_once(rough.into_iter().map(closer).collect(), threads)
    }

    /// What reading one file takes.
    fn takes(&self, path: &Path, store: &Store) -> u64 {
        let Some(stamp) = Stamp::of(path) else { return 0 };
        let known = |known: &mut HashMap<PathBuf, Known>| known.get(path).filter(|known| known.stamp == stamp).copied();
        let before = with_known(known);
        let Some(content) = before.map(|known| known.content).or_else(|| file::hash(path).ok()) else { return 0 };
        let mut now = before.unwrap_or(Known { stamp, content, takes: None });
        let drawn = self.is_drawn(path, content, store);
        if !drawn && now.takes.is_none() {
            now.takes = Some(rord_layouts::weigh(path).map_or(0, |bytes| bytes.saturating_add(DRAWING)));
        }
        with_known(|known| known.insert(path.to_path_buf(), now));
        if drawn { 0 } else { now.takes.unwrap_or(0) }
    }

    fn is_drawn(&self, path: &Path, content: [u8; 32], store: &Store) -> bool {
        let drawn = || Ok::<_, DataError>(store.is_drawn(&self.key(&self.choice()?.0, content)));
        path.exists() && drawn().unwrap_or(false)
    }
}

/// The most that files take of which some are read at the same time.
fn at_once(mut files: Vec<(u64, PathBuf)>, threads: usize) -> Reading {
    files.sort_by(|a, b| b.cmp(a));
    let largest = files.first().map_or(0, |(bytes, _)| *bytes);
    let together = files.iter().take(threads.max(1)).map(|(bytes, _)| *bytes).fold(0, u64::saturating_add);
    // Of small ones only as many are read at once as fit in what is set aside for that.
    let bytes = together.min(largest.max(AT_ONCE));
    Reading { bytes, file: files.into_iter().next().map(|(_, path)| path).filter(|_| bytes > 0) }
}

/// By what a file is known to be the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: SystemTime,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { length: metadata.len(), changed: metadata.modified().ok()? })
    }
}

/// What this process has found out of a file.
#[derive(Clone, Copy)]
struct Known {
    stamp: Stamp,
    content: [u8; 32],
    takes: Option<u64>,
}

/// Files are asked for several times before a run, and are looked into once.
static KNOWN: Mutex<Option<HashMap<PathBuf, Known>>> = Mutex::new(None);

fn with_known<T>(use_it: impl FnOnce(&mut HashMap<PathBuf, Known>) -> T) -> T {
    use_it(KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}
