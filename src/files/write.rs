//! Files are written beside their place, flushed to the disk and renamed, so that no reader and no crash sees half of one.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Action, FileError};

/// Writes a file as a whole: into a temporary file beside it, to the disk, then under its name. Where an error is returned, what was
/// there before is still there.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write(path, bytes, None).map_err(FileError::at(Action::Write, path))
}

/// Replaces the content of a file that exists: links are followed, permissions are kept, and a file that may not be written stays.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let replaced = || {
        let target = path.canonicalize()?;
        // Renaming needs only the folder's permissions; opening asks for the file's own.
        let permissions = std::fs::OpenOptions::new().write(true).open(&target)?.metadata()?.permissions();
        // An administrator may open a read-only file; it is read-only because somebody wants it so.
        if permissions.readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
        }
        write(&target, bytes, Some(permissions))
    };
    replaced().map_err(FileError::at(Action::Write, path))
}

fn write(path: &Path, bytes: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name =
        path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"))?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let temporary = path.with_file_name(temporary);
    let written = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.sync_all()?;
        drop(file);
        std::fs::rename(&temporary, path)?;
        sync_folder(path)
    };
    written().inspect_err(|_| {
        // The first error is the one to report; a leftover that cannot be removed is found by its name.
        let _ = std::fs::remove_file(&temporary);
    })
}

/// True for the name that a file has before it is whole. One that stays was left by a writer that was killed.
pub fn is_temporary(name: &str) -> bool {
    let Some(inner) = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp")) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbered = inner.rsplit_once('.').and_then(|(_, writer)| writer.split_once('-'));
    numbered.is_some_and(|(process, count)| digits(process) && digits(count))
}

/// A rename is on the disk once its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Some file systems do not flush folders; the file itself is whole there too.
    match File::open(folder)?.sync_all() {
        Err(e) if e.kind() != io::ErrorKind::InvalidInput => Err(e),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_leaves_what_was_there_and_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("inside"), "kept").unwrap();
        let error = write_atomic(&target, b"x").unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}: ", target.display())), "{error}");
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["taken"]);
        assert_eq!(std::fs::read_to_string(target.join("inside")).unwrap(), "kept");
        assert!(write_atomic(Path::new("/"), b"new").is_err());
        assert!(is_temporary(".run.yaml.4711-0.tmp"));
        for name in ["run.yaml", ".run.yaml.tmp", ".tmp", ".a.1-.tmp", "run.yaml.4711-0.tmp", ".a.b-1.tmp"] {
            assert!(!is_temporary(name), "{name}");
        }
        let path = folder.path().join("file");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    #[cfg(unix)]
    fn replacing_follows_links_keeps_permissions_and_respects_read_only_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        std::fs::set_permissions(&real, Permissions::from_mode(0o440)).unwrap();
        let error = replace(&link, b"newer").unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
    }
}
