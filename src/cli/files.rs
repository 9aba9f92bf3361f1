//! Files for the checker: pipelines and what they import, read from disk.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::lang::check::{ImportError, Importer};
use crate::lang::report::{Report, runtime, syntax};
use crate::lang::source::{FileId, Sources, Span};

/// Reads imports from disk, from the folder of the pipeline and below.
pub struct DiskImporter {
    root: PathBuf,
}

impl DiskImporter {
    /// Imports for the pipeline at `file`.
    pub fn new(file: &Path) -> Self {
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { root: folder.to_path_buf() }
    }
}

impl Importer for DiskImporter {
    fn import(&self, path: &str, from: &str) -> Result<(String, String), ImportError> {
        let folder = Path::new(from).parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let target = folder.join(path);
        let resolved = target.canonicalize().map_err(|e| ImportError::Unreadable(reason(&target, &e)))?;
        let root = self.root.canonicalize().map_err(|e| ImportError::Unreadable(reason(&self.root, &e)))?;
        if !resolved.starts_with(&root) {
            return Err(ImportError::Outside(self.root.display().to_string()));
        }
        // The name is one for one file, however it was reached.
        let name = resolved.strip_prefix(&root).map(|p| self.root.join(p)).unwrap_or(target.clone());
        let bytes = bytes(&resolved).map_err(|e| ImportError::Unreadable(reason(&target, &e)))?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| ImportError::Unreadable(format!("{} is not UTF-8 text", target.display())))?;
        Ok((name.display().to_string(), text))
    }
}

fn reason(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no {}", path.display()),
        _ => format!("{}: {error}", path.display()),
    }
}

/// The most bytes of a text that are read: a pipeline is a few kilobytes.
pub const MOST_BYTES: u64 = 1 << 20;

/// The content of a file. What is too large is refused before it is in memory, be it endless as `/dev/zero`; and a named pipe is not
/// waited for, though what a shell hands over under `/dev/fd` is one, too.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    #[cfg(unix)]
    if let (Ok(found), false) = (std::fs::metadata(path), path.starts_with("/dev") || path.starts_with("/proc"))
        && std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type())
    {
        return Err(std::io::Error::other("it is a named pipe"));
    }
    at_most(std::fs::File::open(path)?)
}

/// All bytes, or an error where they are too many.
pub fn at_most(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is larger than a megabyte"));
    }
    Ok(bytes)
}

/// Reads a text file into the sources.
pub fn read(path: &Path, sources: &mut Sources) -> Result<FileId, Report> {
    let shown = path.display().to_string();
    let bytes = bytes(path).map_err(|e| {
        let help = match e.kind() {
            std::io::ErrorKind::NotFound => nearby(path),
            std::io::ErrorKind::FileTooLarge => "a pipeline is a few kilobytes: is this the right file?".to_string(),
            std::io::ErrorKind::PermissionDenied => "check the file's permissions".to_string(),
            _ if path.is_dir() => "this is a folder; name the file in it".to_string(),
            _ => String::new(),
        };
        runtime::failed("R0817", &format!("cannot read {shown}: {}", plain(&e)), &help)
    })?;
    text(shown, bytes, sources)
}

/// Puts what was read into the sources, if it is text.
pub fn text(shown: String, bytes: Vec<u8>, sources: &mut Sources) -> Result<FileId, Report> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(sources.add(shown, text)),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            // What can be read is shown; the report points at the first byte that cannot.
            let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
            let file = sources.add(shown, text);
            let start = at as u32;
            Err(syntax::not_text(Span { file, start, end: start + 3 }, at))
        }
    }
}

/// The system's words without its number.
pub fn plain(e: &std::io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// A file of a similar name beside one that is not there.
fn nearby(path: &Path) -> String {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return format!("there is no folder {}", folder.display());
    };
    let names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    match crate::lang::report::closest(&wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {}?", folder.join(near).display()),
        None => "check the path".into(),
    }
}
