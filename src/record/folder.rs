//! A run's folder: `runs/2026-11-23-125216-rord/`.
//!
//! Its record is written anew at every change, always as a whole: a killed run leaves the last complete one.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::date::stamp;
use super::lock::LOCK;
use super::record::{Record, Written};
use rord_files::{Action, FileError, is_temporary, read, write_atomic};

/// The most bytes of a record that are read; it has a few kilobytes.
const MOST_BYTES: u64 = 4 << 20;

/// What to do about a folder that is taken: whatever is in it stays.
pub const OTHER_FOLDER: &str = "name another folder with --out; this one stays as it is";

/// The record of a run.
pub const RECORD: &str = "run.yaml";
/// The text that is run.
pub const PIPELINE: &str = "pipeline.rord";
/// Every parameter of the run, as `--params` takes them.
pub const PARAMS: &str = "params.yaml";

/// The files of the run's data with their hashes, as `b3sum` writes and checks them.
pub const DATA: &str = "data.b3";

/// The version of what a run's folder holds. One that is later is not read.
pub const FORMAT: u32 = 1;

/// A folder that holds one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
    id: String,
}

/// Why a run's folder could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder that was asked for already holds something.
    #[error("{} is not empty: it holds `{first}`", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// The first of its entries, in alphabetical order.
        first: String,
    },
    /// Another process writes to the folder.
    #[error("{} is in use by {by}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, in words.
        by: String,
    },
    /// The path that was asked for is a file.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The system refused to make a folder, or to read or write a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The run is of a later version.
    #[error("{} is of rord {rord}, which is later than this version, {}", path.display(), env!("CARGO_PKG_VERSION"))]
    Newer {
        /// The run's record.
        path: PathBuf,
        /// The version.
        rord: String,
    },
    /// A file of the run is not what it should be.
    #[error("{} is not a file of a run: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the place.
        reason: String,
    },
}

impl RunFolder {
    /// Makes the folder of a new run: `out`, which must be empty or absent, or else a new `root/<date>-<time>-<name>`.
    ///
    /// The date is UTC; a second run of the same second gets `-2`. What is not a letter, a digit or `_` in the
    /// pipeline's name becomes `-`.
    pub fn create(out: Option<&Path>, root: &Path, pipeline: &str, now: SystemTime) -> Result<Self, RecordError> {
        let made = |path: &Path| FileError::at(Action::MakeFolder, path);
        if let Some(out) = out {
            Self::free(out)?;
            std::fs::create_dir_all(out).map_err(made(out))?;
            return Ok(Self::open(out));
        }
        std::fs::create_dir_all(root).map_err(made(root))?;
        let base = format!("{}-{}", stamp(now, "-", "-", ""), readable(pipeline));
        let mut path = root.join(&base);
        for suffix in 2u64.. {
            // Making the folder is the test: two runs that start together cannot both succeed.
            match std::fs::create_dir(&path) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = root.join(format!("{base}-{suffix}"))
                }
                Err(error) => return Err(made(&path)(error).into()),
            }
        }
        Ok(Self::open(&path))
    }

    /// Whether a new run may be written to a folder: it is empty or absent.
    pub fn free(out: &Path) -> Result<(), RecordError> {
        if !out.exists() {
            return Ok(());
        }
        if !out.is_dir() {
            return Err(RecordError::NotAFolder { path: out.into() });
        }
        let listed = FileError::at(Action::List, out);
        let entries: Result<Vec<_>, _> = std::fs::read_dir(out).map_err(&listed)?.collect();
        let names = entries.map_err(&listed)?.into_iter().map(|e| e.file_name().to_string_lossy().into_owned());
        match names.filter(|name| !is_left(name)).min() {
            Some(first) => Err(RecordError::NotEmpty { path: out.into(), first }),
            None => Ok(()),
        }
    }

    /// The folder of a run that is already there. Nothing is read or checked.
    pub fn open(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { path: path.into(), id: name.unwrap_or_else(|| path.display().to_string()) }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name: that of its folder.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A file of the run: `last.safetensors`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes what writers left that were killed. Only who has the folder's lock may do this.
    pub fn sweep(&self) {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_temporary)) {
            // One that cannot be removed is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }

    /// Writes a text that repeats the run: `pipeline.rord`, what it imports, `params.yaml`. `name` is its path in the folder.
    pub fn write_text(&self, name: &Path, text: &str) -> Result<(), RecordError> {
        let path = self.path.join(name);
        let folder = path.parent().unwrap_or(&self.path);
        std::fs::create_dir_all(folder).map_err(FileError::at(Action::MakeFolder, folder))?;
        Ok(write_atomic(&path, text.as_bytes())?)
    }

    /// Writes `run.yaml`.
    pub fn write_record(&self, record: &Record) -> Result<(), RecordError> {
        let path = self.file(RECORD);
        let malformed =
            |reason: serde_yaml::Error| RecordError::Malformed { path: path.clone(), reason: reason.to_string() };
        let text = record.to_yaml().map_err(malformed)?;
        Ok(write_atomic(&path, text.as_bytes())?)
    }

    /// Reads `run.yaml`.
    pub fn read_record(&self) -> Result<Record, RecordError> {
        let path = self.file(RECORD);
        let bytes = read(&path, MOST_BYTES)?;
        // First of all which version it is of: a later one may have entries of another kind.
        let of: Option<Written> = serde_yaml::from_slice(&bytes).ok();
        if let Some(of) = of.filter(Written::is_later) {
            return Err(RecordError::Newer { path, rord: of.rord });
        }
        serde_yaml::from_slice(&bytes).map_err(|error| RecordError::Malformed { path, reason: error.to_string() })
    }
}

/// True for a file that nobody misses: the lock's, and what a killed writer left.
fn is_left(name: &str) -> bool {
    name == LOCK || is_temporary(name)
}

/// A pipeline's name as a part of a folder's name: at most 40 characters that every system takes.
pub fn readable(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().take(40).map(kept).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "run".into() } else { name.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::record::tests::record;
    use super::super::record::version;
    use super::*;
    use serde_yaml::Mapping;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_record_reads_back_and_a_broken_one_is_an_error_with_its_place() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(None, root.path(), "rord", at(0)).unwrap();
        assert!(matches!(folder.read_record(), Err(RecordError::File(_))));
        let written = Record { validation: Mapping::new(), ..record() };
        folder.write_record(&record()).unwrap();
        folder.write_record(&written).unwrap();
        assert_eq!(folder.read_record().unwrap(), written);
        folder.write_text(Path::new("pipeline.rord"), "rord 1\n").unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["pipeline.rord", "run.yaml"]);
        std::fs::write(folder.file("run.yaml"), "rord: 0.1.0\nstatus: asleep\n").unwrap();
        let Err(RecordError::Malformed { reason, .. }) = folder.read_record() else { panic!("read") };
        assert!(reason.contains("line 2"), "{reason}");
    }

    #[test]
    fn a_record_of_a_later_version_is_refused_whatever_it_holds() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(None, root.path(), "rord", at(0)).unwrap();
        let (own, later) = (env!("CARGO_PKG_VERSION"), FORMAT + 1);
        for text in [format!("rord: {own}\nformat: {later}\n"), "rord: 99.0.0\nstatus: asleep\n".to_string()] {
            std::fs::write(folder.file(RECORD), text).unwrap();
            assert!(matches!(folder.read_record(), Err(RecordError::Newer { .. })));
        }
        for (text, newer) in [("0.0.9", false), (own, false), ("0.1.0-rc.1", false), ("0.1.1", true), ("0.10", true)] {
            assert_eq!(version(text) > version(own), newer, "{text}");
        }
    }

    #[test]
    fn folders_are_named_by_date_and_pipeline_and_never_shared() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("deep/runs");
        let names: Vec<String> = ["rord", "rord", "rord", "../etc/Größe 2", ""]
            .iter()
            .map(|name| RunFolder::create(None, &runs, name, at(1_795_438_336)).unwrap().id().to_string())
            .collect();
        let date = "2026-11-23-125216";
        let expected = ["rord", "rord-2", "rord-3", "etc-Gr--e-2", "run"].map(|name| format!("{date}-{name}"));
        assert_eq!(names, expected);
        assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 5);
    }

    #[test]
    fn a_folder_that_was_asked_for_must_be_empty() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("a/b");
        let create = || RunFolder::create(Some(&out), Path::new("runs"), "rord", at(0));
        assert_eq!(create().unwrap().path(), out);
        assert_eq!(create().unwrap().id(), "b");
        std::fs::write(out.join("run.yaml"), "").unwrap();
        assert!(matches!(create(), Err(RecordError::NotEmpty { first, .. }) if first == "run.yaml"));
        let file = out.join("run.yaml");
        let refused = RunFolder::create(Some(&file), Path::new("runs"), "rord", at(0));
        assert!(matches!(refused, Err(RecordError::NotAFolder { .. })));
    }
}
