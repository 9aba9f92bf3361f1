//! From a path on the command line to a checked pipeline: read, changed from outside, checked.

use std::path::Path;

use super::files::{self, DiskImporter};
use super::outside::{self, Given};
use super::run::{Named, Run};
use rord_lang::check::{Outside, Tensors, check};
use rord_lang::report::{Report, runtime};
use rord_lang::source::{FileId, SourceKind, Sources, Span};
use rord_lang::typed::Pipeline;
use rord_lang::vocabulary::Vocabulary;

/// The operations a pipeline may use, and the texts they were read from.
pub type Language = (Vocabulary, Sources);

/// Reports, and the texts they point into.
pub type Refused = (Vec<Report>, Sources);

/// A checked pipeline with its texts and reports.
pub struct Loaded {
    /// The pipeline; complete where `reports` hold no error.
    pub pipeline: Pipeline,
    /// The operations it was checked with.
    pub vocabulary: Vocabulary,
    /// All texts that reports point into.
    pub sources: Sources,
    /// The pipeline's own text.
    pub file: FileId,
    /// The run that kept it, where one was named.
    pub run: Option<Run>,
    /// The reports on it.
    pub reports: Vec<Report>,
}

impl Loaded {
    /// The end of the pipeline's text, where a report points if something is missing.
    pub fn end(&self) -> Span {
        let text = self.sources.get(self.file).map(|s| s.text.trim_end().len()).unwrap_or(0);
        let start = text.saturating_sub(1) as u32;
        Span { file: self.file, start, end: text as u32 }
    }
}

/// Reads and checks the pipeline or the run at `path`, with what is changed from outside and the tensors that a caller
/// supplies for its inputs. `Err` holds the reports that keep it from being checked at all.
pub fn load(language: Language, path: &Path, given: &Given<'_>, tensors: Option<Tensors>) -> Result<Loaded, Refused> {
    let (vocabulary, mut sources) = language;
    let named = match Named::new(path) {
        Ok(named) => named,
        Err(report) => return Err((vec![report], sources)),
    };
    match files::read(&named.file, SourceKind::Main, &mut sources) {
        Ok(file) => check_read(named, file, vocabulary, sources, given, tensors),
        Err(report) => Err((vec![report], sources)),
    }
}

/// As [`load`], of a text as if it were the pipeline's at `path`.
pub fn load_text(
    language: Language,
    path: &Path,
    text: &str,
    given: &Given<'_>,
    tensors: Option<Tensors>,
) -> Result<Loaded, Refused> {
    let (vocabulary, mut sources) = language;
    let named = match Named::new(path) {
        Ok(named) => named,
        Err(report) => return Err((vec![report], sources)),
    };
    let file = sources.add(SourceKind::Main, named.file.display().to_string(), text);
    check_read(named, file, vocabulary, sources, given, tensors)
}

/// The reports on a text as if it were the pipeline's at `path`.
pub fn check_text(language: Language, path: &Path, text: &str, given: &Given<'_>) -> (Vec<Report>, Sources) {
    match load_text(language, path, text, given, None) {
        Ok(loaded) => (loaded.reports, loaded.sources),
        Err(found) => found,
    }
}

fn check_read(
    Named { file: path, run }: Named,
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
    let outside = outside::read(given, &mut sources).and_then(|outside| {
        let mut given = run.as_ref().map_or(Ok(vec![]), |run| run.params(&mut sources))?;
        given.extend(outside.given);
        Ok(Outside { tensors, given, ..outside })
    });
    let outside = match outside {
        Ok(outside) => outside,
        Err(reports) => return Err((reports, sources)),
    };
    let importer = DiskImporter::new(&path, given.import_root);
    let (mut pipeline, reports) = check(&mut sources, file, &vocabulary, &importer, &outside);
    if pipeline.name.is_empty() {
        let stem = path.file_stem().map_or("pipeline".into(), |s| s.to_string_lossy().into_owned());
        pipeline.name = run.as_ref().map_or(stem, |run| run.record.pipeline.clone());
    }
    Ok(Loaded { pipeline, vocabulary, sources, file, run, reports })
}
