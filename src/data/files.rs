//! Which files a pattern, a folder or a list of them means, always in the same order.
//!
//! `data/tiles` is every file of a fitting name in that folder and in those below it, `data/*.gds.gz` what matches,
//! `~/chips/{a,b}.gds` two files below the home folder, and `data/one.gds` itself, whatever it is called.

mod braces;
mod foreign;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::DataError;

pub use foreign::foreign;

/// How files of layouts end.
pub const LAYOUTS: [&str; 9] =
    [".gds", ".gds.gz", ".gds2", ".gdsii", ".gdsii.gz", ".oas", ".oas.gz", ".oasis", ".oasis.gz"];
/// How pictures end.
pub const PICTURES: [&str; 11] =
    [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm"];
/// What packs files and is not read. A folder's files that end so behind a fitting name are named, not passed over.
const PACKED: [&str; 4] = [".bz2", ".xz", ".zst", ".zip"];
/// How files of tensors end.
pub const TENSORS: [&str; 2] = [".safetensors", ".npz"];

/// The files of `pattern`, sorted by path: a file, a folder with files that end in one of `endings` (in lower case,
/// compared without regard to case), or a glob pattern, with `~` and `{a,b}` as shells read them. There is at least one.
pub fn find(pattern: &str, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    find_all(&[pattern], endings)
}

/// The files of all of `patterns`, as [`find`] reads each, sorted by path. A file that several paths lead to is there
/// once, by the shortest of them. Links are followed, into each folder once. Errors: a pattern without a file.
pub fn find_all<S: AsRef<str>>(patterns: &[S], endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for pattern in patterns {
        files.append(&mut of_pattern(pattern.as_ref(), endings)?);
    }
    if files.is_empty() {
        return Err(DataError::NoMatch { pattern: "[]".into() });
    }
    // Of several paths to a file the one with the fewest steps.
    files.sort_by_cached_key(|path| (path.components().count(), path.clone()));
    let mut seen = HashSet::new();
    files.retain(|path| seen.insert(identity(path)));
    files.sort();
    Ok(files)
}

/// What a file is, however it is called: device and number where the system has them, so that hard links count as one
/// file, else its full path.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    #[cfg(unix)]
    Number(u64, u64),
    Path(PathBuf),
}

fn identity(path: &Path) -> Identity {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        return Identity::Number(found.dev(), found.ino());
    }
    Identity::Path(std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()))
}

fn of_pattern(pattern: &str, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    // A name that is there means itself, whatever letters it has.
    if Path::new(pattern).exists() {
        return one(pattern, endings);
    }
    let home = home(pattern)?;
    if Path::new(&home).exists() {
        return one(&home, endings);
    }
    let mut files = Vec::new();
    for text in braces::expand(&home).map_err(|reason| DataError::BadPattern {
        pattern: pattern.into(),
        at: 0,
        reason: reason.into(),
    })? {
        files.append(&mut one(&text, endings)?);
    }
    Ok(files)
}

/// `~` and `~/…` below the home folder.
fn home(pattern: &str) -> Result<String, DataError> {
    let rest = match pattern.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', std::path::MAIN_SEPARATOR]) => rest,
        _ => return Ok(pattern.into()),
    };
    let unknown = || DataError::BadPattern {
        pattern: pattern.into(),
        at: 0,
        reason: "the environment names no home folder".into(),
    };
    let folder = std::env::var("HOME").or_else(|_| std::env::var("USERPROFILE")).map_err(|_| unknown())?;
    if folder.is_empty() { Err(unknown()) } else { Ok(format!("{}{rest}", folder.trim_end_matches('/'))) }
}

/// A text without `~` and braces.
fn one(pattern: &str, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let path = Path::new(pattern);
    if path.is_file() {
        Ok(vec![path.to_path_buf()])
    } else if path.is_dir() {
        let files = walk(path, endings)?;
        if files.is_empty() {
            let endings = endings.iter().map(ToString::to_string).collect();
            return Err(DataError::EmptyFolder { path: path.to_path_buf(), endings });
        }
        Ok(files)
    } else if pattern.contains(['*', '?', '[']) && !path.exists() {
        matching(pattern)
    } else {
        // What is there and no regular file is refused as such.
        rord_files::open(path)?;
        Ok(Vec::new())
    }
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, DataError> {
    let wrong = |error: glob::PatternError| DataError::BadPattern {
        pattern: pattern.into(),
        at: error.pos,
        reason: error.msg.into(),
    };
    let files = match pattern.contains("**") {
        true => below(pattern, &glob::Pattern::new(pattern).map_err(wrong)?)?,
        false => {
            let mut files = Vec::new();
            for path in glob::glob(pattern).map_err(wrong)? {
                files.push(path.map_err(|error| unreadable(error.path(), error.error()))?);
            }
            files
        }
    };
    let files: Vec<_> = files.into_iter().filter(|path| path.is_file()).collect();
    if files.is_empty() { Err(DataError::NoMatch { pattern: pattern.into() }) } else { Ok(files) }
}

/// The files of a pattern with `**`, which the crate would follow through links without an end.
fn below(pattern: &str, compiled: &glob::Pattern) -> Result<Vec<PathBuf>, DataError> {
    let literal = |part: &&str| !part.contains(['*', '?', '[']);
    let mut base = pattern.split('/').take_while(literal).collect::<Vec<_>>().join("/");
    if pattern.starts_with('/') && base.is_empty() {
        base.push('/');
    }
    let folder = if base.is_empty() { Path::new(".") } else { Path::new(&base) };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let mut files = walk(folder, &[""])?;
    for path in &mut files {
        if let Ok(inner) = path.strip_prefix(".")
            && base.is_empty()
        {
            *path = inner.to_path_buf();
        }
    }
    files.retain(|path| compiled.matches_path_with(path, options));
    Ok(files)
}

/// Whether a file's name, in lower case, ends so; or packed, where what it holds does not lie beside it.
fn fits(path: &Path, name: &str, endings: &[&str]) -> bool {
    let ends = |name: &str| endings.iter().any(|ending| name.ends_with(ending));
    let unpacked = PACKED.iter().find_map(|packed| name.strip_suffix(packed));
    ends(name) || unpacked.is_some_and(|name| ends(name) && !path.with_extension("").exists())
}

fn walk(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let (mut files, mut folders, mut links) = (Vec::new(), vec![folder.to_path_buf()], Vec::new());
    let mut seen = HashSet::new();
    // Links are followed once there are no folders left, so that each folder is found where it lies.
    while let Some(folder) = folders.pop().or_else(|| links.pop()) {
        if !seen.insert(identity(&folder)) {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().to_lowercase();
            // Of links it is asked what they lead to; one that leads nowhere is neither.
            if path.is_dir() {
                let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                if link { &mut links } else { &mut folders }.push(path);
            } else if fits(&path, &name, endings) && path.is_file() {
                files.push(path);
            }
        }
        links.sort_by(|a, b| b.cmp(a));
    }
    Ok(files)
}

/// Checks that no file is on both sides, whichever paths lead to it.
pub fn apart(train: &[PathBuf], validation: &[PathBuf]) -> Result<(), DataError> {
    let trained: HashSet<Identity> = train.iter().map(|path| identity(path)).collect();
    match validation.iter().find(|path| trained.contains(&identity(path))) {
        Some(path) => Err(DataError::BothSides { path: path.clone() }),
        None => Ok(()),
    }
}

/// The error of the operating system about `path`.
pub fn unreadable(path: &Path, error: &std::io::Error) -> DataError {
    DataError::Unreadable { path: path.to_path_buf(), reason: rord_files::plain(error) }
}
