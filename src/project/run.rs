//! What a person names where a pipeline is expected: its file, or the folder of a run, which has one with its parameters.
//!
//! `rord-run runs/a` repeats the run: the text that it kept, with the parameters that it had.

use std::path::{Path, PathBuf};

use rord_lang::check::Given;
use rord_lang::report::{Report, runtime};
use rord_lang::source::{SourceKind, Sources};
use rord_lang::typed::Origin;
use rord_record::{PARAMS, PIPELINE, RECORD, Record, RecordError, RunFolder};

/// A pipeline's file, and the run that kept it, if one did.
pub struct Named {
    /// The file.
    pub file: PathBuf,
    /// The run.
    pub run: Option<Run>,
}

/// A run whose folder, or whose text, was named.
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// Its record.
    pub record: Record,
    /// True where the text was named and not the folder, so that the parameters may surprise.
    pub by_file: bool,
}

impl Named {
    /// What `path` names. A folder without a record is no run; reading it as a file gives the report.
    pub fn new(path: &Path) -> Result<Named, Report> {
        let folder = path.is_dir();
        let of_run = if folder { Some(path) } else { path.parent().filter(|_| path.ends_with(PIPELINE)) };
        let there = |of: &Path, name: &str| of.join(name).is_file();
        let Some(of_run) = of_run.filter(|of| there(of, RECORD) && (folder || there(of, PARAMS))) else {
            return Ok(Named { file: path.to_path_buf(), run: None });
        };
        // `runs/a/` and `runs/a` are one.
        let of_run: PathBuf = of_run.components().collect();
        if let Some(name) = [PIPELINE, PARAMS].into_iter().find(|name| !there(&of_run, name)) {
            let title = format!("{} cannot be repeated: its folder has no {name}", of_run.display());
            let help = "a run keeps its text and its parameters; name the pipeline, and give what was changed by --set";
            return Err(runtime::failed("R0817", &title, help));
        }
        let record = RunFolder::open(&of_run).read_record().map_err(|e| {
            if let RecordError::Newer { .. } = &e {
                return runtime::failed("R0817", &e.to_string(), "use that version of rord, or a later one");
            }
            let help = format!("a run has its record in {RECORD}; if the folder is not a run, rename this file");
            runtime::failed("R0817", &e.to_string(), &help)
        })?;
        let file = of_run.join(PIPELINE);
        Ok(Named { file, run: Some(Run { folder: of_run, record, by_file: !folder }) })
    }
}

impl Run {
    /// The parameters that it kept, each with the run as its origin.
    pub fn params(&self, sources: &mut Sources) -> Result<Vec<Given>, Vec<Report>> {
        let file = super::files::read(&self.params_file(), SourceKind::Params, sources).map_err(|r| vec![r])?;
        let (given, reports) = super::params::read(file, &Origin::Run(self.name()), sources);
        if reports.is_empty() { Ok(given) } else { Err(reports) }
    }

    /// Its text.
    pub fn file(&self) -> PathBuf {
        self.folder.join(PIPELINE)
    }

    /// The file with its parameters.
    pub fn params_file(&self) -> PathBuf {
        self.folder.join(PARAMS)
    }

    /// How messages name it.
    pub fn name(&self) -> String {
        self.folder.display().to_string()
    }
}
