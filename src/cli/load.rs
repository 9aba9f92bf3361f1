//! The pipeline that a command names, with the operations of this program; reports are printed here.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::FileArgs;
use rord_lang::check::Tensors;
use rord_lang::report::{Report, any_error, runtime};
use rord_project::load;
pub use rord_project::load::{Loaded, Refused};
use rord_project::outside::Given;
use rord_project::run::Named;
use rord_record::RECORD;

/// Reads and checks the pipeline or the run that a command names.
pub fn load(args: &FileArgs) -> Result<Loaded, Refused> {
    load_given(args.path(), &args.changes.given())
}

/// As [`load`], with the tensors that a caller supplies for the pipeline's inputs.
pub fn load_with(args: &FileArgs, tensors: Tensors) -> Result<Loaded, Refused> {
    load::load(rord_ops::vocabulary(), args.path(), &args.changes.given(), Some(tensors)).map(announced)
}

/// As [`load`], with what is given apart from the file.
pub fn load_given(path: &Path, given: &Given<'_>) -> Result<Loaded, Refused> {
    load::load(rord_ops::vocabulary(), path, given, None).map(announced)
}

/// Notes where the parameters come from if only the text of a run was named: its user may expect the defaults.
fn announced(loaded: Loaded) -> Loaded {
    if let Some(run) = loaded.run.as_ref().filter(|run| run.by_file) {
        let (file, params) = (run.file(), run.params_file());
        let note =
            format!("{} is the text of a run: its parameters are those in {}\n", file.display(), params.display());
        // A closed pipe ends nothing.
        let _ = std::io::stderr().write_all(note.as_bytes());
    }
    loaded
}

/// As [`load_given`], of a text that was read before.
pub fn load_text(path: &Path, text: &str, given: &Given<'_>) -> Result<Loaded, Refused> {
    load::load_text(rord_ops::vocabulary(), path, text, given, None)
}

/// As [`load_given`]. Where there is an error, all reports are printed and there is nothing to go on with; where there is none, none is.
pub fn load_sound(path: &Path, given: &Given<'_>) -> Option<Loaded> {
    sound(load_given(path, given))
}

/// What was read; where there is an error, all reports are printed and there is nothing to go on with.
pub fn sound(read: Result<Loaded, Refused>) -> Option<Loaded> {
    let (reports, sources) = match read {
        Ok(loaded) if !any_error(&loaded.reports) => return Some(loaded),
        Ok(loaded) => (loaded.reports, loaded.sources),
        Err(found) => found,
    };
    super::print_reports(&reports, &sources);
    None
}

/// As [`load`], with all reports printed; `None` where there was an error.
pub fn load_or_report(args: &FileArgs) -> Option<Loaded> {
    match load(args) {
        Ok(loaded) => (!super::print_reports(&loaded.reports, &loaded.sources)).then_some(loaded),
        Err((reports, sources)) => {
            super::print_reports(&reports, &sources);
            None
        }
    }
}

/// Refuses a path that is no run's folder; `help` says what to name.
pub fn a_run(path: &Path, help: &str) -> Result<(), Report> {
    if path.join(RECORD).is_file() {
        return Ok(());
    }
    let title = format!("{} is not the folder of a run: it has no {RECORD}", path.display());
    Err(runtime::failed("R0817", &title, help))
}

/// What to do where a verb of one run got none.
pub const NAME_A_RUN: &str = "name the folder that a run was written to, as in  runs/a";

/// What a run keeps is what it ran.
pub fn not_a_run(path: &Path) -> Result<(), Report> {
    match Named::new(path)?.run {
        Some(run) => Err(runtime::failed(
            "R0914",
            &format!("{} is what a run was made from, and stays as it is", run.file().display()),
            "copy it to change it",
        )),
        None => Ok(()),
    }
}

/// The text that a path names: its own, or that of the run whose folder it is.
pub fn text_of(path: &Path) -> PathBuf {
    // A run that cannot be read is refused where it is read.
    Named::new(path).map_or_else(|_| path.to_path_buf(), |named| named.file)
}
