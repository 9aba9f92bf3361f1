//! Which files a pattern or folder means, always in the same order.
//!
//! `data/tiles` is every file of a fitting name in that folder and in those below it, `data/*.gds.gz` what matches, and
//! `data/one.gds` itself, whatever it is called.

use std::path::{Path, PathBuf};

use super::DataError;

/// The files of `pattern`, sorted by path: a file, a folder with files that end in one of `endings` (in lower case,
/// compared without regard to case), or a glob pattern. There is at least one; links to folders are not followed.
pub fn find(pattern: &str, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let path = Path::new(pattern);
    let mut files = if path.is_file() {
        vec![path.to_path_buf()]
    } else if path.is_dir() {
        let files = walk(path, endings)?;
        if files.is_empty() {
            let endings = endings.iter().map(ToString::to_string).collect();
            return Err(DataError::EmptyFolder { path: path.to_path_buf(), endings });
        }
        files
    } else if pattern.contains(['*', '?', '[']) {
        matching(pattern)?
    } else {
        // What is there and no regular file is refused as such.
        rord_files::open(path)?;
        Vec::new()
    };
    files.sort();
    files.dedup();
    Ok(files)
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, DataError> {
    let paths = glob::glob(pattern).map_err(|error| DataError::BadPattern {
        pattern: pattern.into(),
        at: error.pos,
        reason: error.msg.into(),
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| unreadable(error.path(), error.error()))?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() { Err(DataError::NoMatch { pattern: pattern.into() }) } else { Ok(files) }
}

fn walk(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(|error| unreadable(&folder, &error))?);
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if kind.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) && path.is_file() {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// The error of the operating system about `path`.
pub fn unreadable(path: &Path, error: &std::io::Error) -> DataError {
    DataError::Unreadable { path: path.to_path_buf(), reason: rord_files::plain(error) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_patterns_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("b")).unwrap();
        for name in ["b/2.GDS", "c.gds", "a.gds.gz", "note.txt"] {
            std::fs::write(root.join(name), "x").unwrap();
        }
        let at = |name: &str| root.join(name).to_str().unwrap().to_string();
        let found = |pattern: &str| -> Result<Vec<String>, DataError> {
            let files = find(&at(pattern), &[".gds", ".gds.gz"])?;
            Ok(files.iter().map(|f| f.strip_prefix(root).unwrap().to_str().unwrap().to_string()).collect())
        };
        assert_eq!(found(""), Ok(vec!["a.gds.gz".into(), "b/2.GDS".into(), "c.gds".into()]));
        assert_eq!(found("*.gds"), Ok(vec!["c.gds".into()]));
        assert_eq!(found("note.txt"), Ok(vec!["note.txt".into()]));
        assert_eq!(found("gone"), Err(DataError::NotFound { path: root.join("gone") }));
        assert_eq!(found("*.oas"), Err(DataError::NoMatch { pattern: at("*.oas") }));
        assert!(matches!(found("***"), Err(DataError::BadPattern { .. })));
        std::fs::create_dir(root.join("empty")).unwrap();
        assert!(matches!(found("empty"), Err(DataError::EmptyFolder { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn a_device_is_no_file_to_read() {
        let refused = DataError::Unreadable { path: "/dev/zero".into(), reason: "it is not a regular file".into() };
        assert_eq!(find("/dev/zero", &[".gds"]), Err(refused.clone()));
        assert_eq!(crate::images::read(Path::new("/dev/zero")), Err(refused.clone()));
        assert_eq!(crate::gds::hash(Path::new("/dev/zero")), Err(refused));
    }
}
