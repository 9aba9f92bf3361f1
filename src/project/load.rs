//! A pipeline from the command line to a checked one: read, changed from outside, checked, reported.

use std::path::{Component, Path, PathBuf};

use super::files::{self, DiskImporter};
use super::outside::{self, Given};
use rord_lang::check::{Outside, Tensors, check};
use rord_lang::report::{Report, runtime};
use rord_lang::source::{FileId, Source, Sources, Span};
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

/// The operations a pipeline may use, and the texts they were read from.
pub type Language = (Vocabulary, Sources);

/// Reports, and the texts they point into.
pub type Refused = (Vec<Report>, Sources);

/// A checked pipeline with everything reports speak of.
pub struct Loaded {
    /// The pipeline; complete where `reports` hold no error.
    pub pipeline: Pipeline,
    /// The operations it was checked with.
    pub vocabulary: Vocabulary,
    /// All texts.
    pub sources: Sources,
    /// The pipeline's own text.
    pub file: FileId,
    /// What is to be said about it.
    pub reports: Vec<Report>,
}

impl Loaded {
    /// The imported files: where each lies, seen from the pipeline's folder, and its text.
    pub fn imports(&self) -> Vec<(PathBuf, String)> {
        let name = |file: FileId| self.sources.get(file).map(|s| Path::new(&s.name));
        let folder = name(self.file).and_then(Path::parent).unwrap_or(Path::new(""));
        let later = (self.file.0.saturating_add(1)..).map_while(|file| self.sources.get(FileId(file)));
        let one = |source: &Source| {
            let path = Path::new(&source.name);
            let inside =
                path.strip_prefix(folder).ok().filter(|p| p.components().all(|c| matches!(c, Component::Normal(_))));
            // What lies elsewhere has no place beside the pipeline.
            let outside = || Some(Path::new("imports").join(path.file_name()?));
            Some((inside.map(Path::to_path_buf).or_else(outside)?, source.text.to_string()))
        };
        later.filter(|s| s.name.ends_with(".rord")).filter_map(one).collect()
    }

    /// The end of the pipeline's text, where a report speaks of what is missing.
    pub fn end(&self) -> Span {
        let text = self.sources.get(self.file).map(|s| s.text.trim_end().len()).unwrap_or(0);
        let start = text.saturating_sub(1) as u32;
        Span { file: self.file, start, end: text as u32 }
    }
}

/// Reads and checks the pipeline at `path`, with what is changed from outside and the tensors that a caller supplies for its inputs.
/// `Err` holds reports that keep it from being checked at all.
pub fn load(language: Language, path: &Path, given: &Given<'_>, tensors: Option<Tensors>) -> Result<Loaded, Refused> {
    let (vocabulary, mut sources) = language;
    match files::read(path, &mut sources) {
        Ok(file) => check_read(path, file, vocabulary, sources, given, tensors),
        Err(report) => Err((vec![report], sources)),
    }
}

/// As [`load`], of a text as if it were the file at `path`.
pub fn load_text(language: Language, path: &Path, text: &str, given: &Given<'_>) -> Result<Loaded, Refused> {
    let (vocabulary, mut sources) = language;
    let file = sources.add(path.display().to_string(), text);
    check_read(path, file, vocabulary, sources, given, None)
}

/// The reports on a text as if it were the file at `path`.
pub fn check_text(language: Language, path: &Path, text: &str, given: &Given<'_>) -> (Vec<Report>, Sources) {
    match load_text(language, path, text, given) {
        Ok(loaded) => (loaded.reports, loaded.sources),
        Err(found) => found,
    }
}

fn check_read(
    path: &Path,
    file: FileId,
    vocabulary: Vocabulary,
    mut sources: Sources,
    given: &Given<'_>,
    tensors: Option<Tensors>,
) -> Result<Loaded, Refused> {
    if let Some(root) = given.import_root.filter(|root| !root.is_dir()) {
        let title = format!("--import-root {} is no folder", root.display());
        return Err((vec![runtime::failed("R0817", &title, "name the folder that imports may come from")], sources));
    }
    let outside = match outside::read(given, &mut sources) {
        Ok(outside) => Outside { tensors, ..outside },
        Err(reports) => return Err((reports, sources)),
    };
    let importer = DiskImporter::new(path, given.import_root);
    let (mut pipeline, reports) = check(&mut sources, file, &vocabulary, &importer, &outside);
    if pipeline.name.is_empty() {
        pipeline.name = path.file_stem().map_or("pipeline".into(), |s| s.to_string_lossy().into_owned());
    }
    Ok(Loaded { pipeline, vocabulary, sources, file, reports })
}
