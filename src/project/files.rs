//! Files for the checker: pipelines and what they import, read from disk.

use std::path::{Path, PathBuf};

use rord_files::{Action, FileError, bounded};
use rord_lang::check::{ImportError, Importer};
use rord_lang::report::{Report, runtime, syntax};
use rord_lang::source::{FileId, SourceKind, Sources, Span};

/// Texts in place of files, by the files' real paths: what an editor has open and has not written yet.
pub type Open<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Reads imports from disk, from the folder of the pipeline and below.
pub struct DiskImporter<'a> {
    /// The folder as it was written, for names in messages: empty for the one at hand.
    shown: PathBuf,
    root: PathBuf,
    open: Option<Open<'a>>,
}

impl<'a> DiskImporter<'a> {
    /// Imports for the pipeline at `file`, from `root` and below if one is named, else from its folder.
    pub fn new(file: &Path, root: Option<&Path>) -> Self {
        // A root of `.` calls files as the command line does: `pipelines/a.rord`.
        let root = root.map(|root| root.strip_prefix(".").unwrap_or(root));
        let shown = root.or(file.parent()).unwrap_or(Path::new("")).to_path_buf();
        let root = if shown.as_os_str().is_empty() { PathBuf::from(".") } else { shown.clone() };
        Self { shown, root, open: None }
    }

    /// The same, where some files are open and read from there.
    pub fn with_open(file: &Path, root: Option<&Path>, open: Open<'a>) -> Self {
        Self { open: Some(open), ..Self::new(file, root) }
    }

    fn is_open(&self, real: &Path) -> Option<String> {
        self.open.and_then(|open| open(real))
    }

    /// The file that an import in the file called `from` means: its real path, and its name in messages.
    pub fn resolve(&self, path: &str, from: &str) -> Result<(PathBuf, String), ImportError> {
        let folder = Path::new(from).parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let target = folder.join(path);
        let resolved = match target.canonicalize() {
            Ok(resolved) => resolved,
            // A file that was never written may be open all the same.
            Err(e) => real(&target)
                .filter(|p| self.is_open(p).is_some())
                .ok_or_else(|| ImportError::Unreadable(reason(&target, e)))?,
        };
        let root = self.root.canonicalize().map_err(|e| ImportError::Unreadable(reason(&self.root, e)))?;
        if !resolved.starts_with(&root) {
            return Err(ImportError::Outside(self.root.display().to_string()));
        }
        // The name is one for one file, however it was reached.
        let name = resolved.strip_prefix(&root).map(|p| self.shown.join(p)).unwrap_or(target);
        Ok((resolved, name.display().to_string()))
    }
}

impl Importer for DiskImporter<'_> {
    fn import(&self, path: &str, from: &str) -> Result<(String, String), ImportError> {
        let (resolved, name) = self.resolve(path, from)?;
        if let Some(text) = self.is_open(&resolved) {
            return Ok((name, text));
        }
        let bytes = bounded(&resolved, MOST_BYTES).map_err(|e| ImportError::Unreadable(reason(Path::new(&name), e)))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok((name, text)),
            Err(_) => Err(ImportError::Unreadable(format!("{name} is not UTF-8 text"))),
        }
    }
}

/// The real path of a file that may not be there yet; `None` where its folder is not there either.
pub fn real(path: &Path) -> Option<PathBuf> {
    if let Ok(found) = path.canonicalize() {
        return Some(found);
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

fn reason(path: &Path, error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no {}", path.display()),
        _ => FileError::at(Action::Read, path)(error).to_string(),
    }
}

/// The most bytes of a text that are read: a pipeline is a few kilobytes.
pub const MOST_BYTES: u64 = 1 << 20;

/// Reads a text file into the sources, as a text of a kind.
pub fn read(path: &Path, kind: SourceKind, sources: &mut Sources) -> Result<FileId, Report> {
    let shown = path.display().to_string();
    let bytes = rord_files::read(path, MOST_BYTES).map_err(|e| {
        let help = match e.source.kind() {
            std::io::ErrorKind::NotFound => nearby(path),
            std::io::ErrorKind::FileTooLarge => "a pipeline is a few kilobytes: is this the right file?".to_string(),
            _ if path.join("sweep.yaml").is_file() => "this is the folder of a sweep; name one of its runs".to_string(),
            _ if path.is_dir() => inside(path),
            _ => e.help().to_string(),
        };
        runtime::failed("R0817", &e.to_string(), &help)
    })?;
    text(kind, shown, bytes, sources)
}

/// Puts what was read into the sources, if it is text.
pub fn text(kind: SourceKind, shown: String, bytes: Vec<u8>, sources: &mut Sources) -> Result<FileId, Report> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(sources.add(kind, shown, text)),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            // What can be read is shown; the report points at the first byte that cannot.
            let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
            let file = sources.add(kind, shown, text);
            let start = at as u32;
            Err(syntax::not_text(Span { file, start, end: start + 3 }, at))
        }
    }
}

/// What to name instead of a folder: the first pipeline in it.
fn inside(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    match entries.filter(|p| p.extension().is_some_and(|e| e == "rord")).min() {
        Some(file) => format!("this is a folder; did you mean {}?", file.display()),
        None => "this is a folder; name the file in it".into(),
    }
}

/// A file of a similar name beside one that is not there.
fn nearby(path: &Path) -> String {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return format!("there is no folder {}", folder.display());
    };
    let pipeline = path.with_file_name(format!("{wanted}.rord"));
    if pipeline.is_file() {
        return format!("did you mean {}?", pipeline.display());
    }
    let names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    match rord_lang::report::closest(&wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {}?", folder.join(near).display()),
        None => "check the path".into(),
    }
}
