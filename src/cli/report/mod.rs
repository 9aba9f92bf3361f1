//! `rord-run report`: a page to look at of a run, or of several: one file, without network, readable without scripts.
//!
//! A run ends with one, `report.html` in its folder. Everything that comes from data is escaped, and the page allows no script but its own
//! and no address at all.

mod chart;
mod curves;
mod html;
mod maps;
mod one;
mod pictures;
mod several;
mod sha256;

use std::path::{Path, PathBuf};

use rord_engine::refusals;
use rord_engine::train::Summary;
use rord_files::write_atomic;
use rord_lang::constant::Constant;
use rord_lang::report::render::{Style, draw};
use rord_lang::report::{Report, any_error, runtime};
use rord_project::outside::Given;
use rord_record::{DATA, PIPELINE, Record, RecordError, RunFolder, Status, metrics};

use self::curves::Curves;
use self::html::{base64, escaped};
use crate::args::ReportArgs;
use crate::load::{Loaded, a_run, load_given};

/// The page in a run's folder.
pub const FILE: &str = "report.html";

/// The most bytes of a text that is shown.
const MOST_BYTES: u64 = 4 << 20;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A run as its folder has it.
struct Run {
    name: String,
    folder: PathBuf,
    record: Record,
    curves: Curves,
    text: String,
    /// The list of the data's files.
    data: String,
}

impl Run {
    fn read(path: &Path) -> Result<Self, Report> {
        let folder: PathBuf = path.components().collect();
        a_run(path, "name the folders that runs were written to, as in  runs/a")?;
        let record = RunFolder::open(&folder).read_record().map_err(|e| {
            let help = match &e {
                RecordError::Newer { .. } => "use that version of rord, or a later one",
                _ => "a run's files must stay as the run has written them",
            };
            runtime::failed("R0817", &e.to_string(), help)
        })?;
        let text = |name: &str| {
            let bytes = rord_files::read(&folder.join(name), MOST_BYTES).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(Self {
            name: folder.display().to_string(),
            curves: Curves::read(&folder.join(metrics::FILE)),
            text: text(PIPELINE),
            data: text(DATA),
            record,
            folder,
        })
    }

    /// Its name among several: the last part of its folder's.
    fn short(&self) -> String {
        self.folder.file_name().map_or_else(|| self.name.clone(), |n| n.to_string_lossy().into_owned())
    }

    /// Seconds from its beginning to its end, where it has ended.
    fn seconds(&self) -> Option<f64> {
        html::seconds_between(&self.record.started, self.record.finished.as_deref()?)
    }
}

/// Writes the page that is asked for.
pub fn run(args: &ReportArgs) -> u8 {
    match attempt(args) {
        Ok(path) => {
            crate::print(&format!("written to {}\n", path.display()));
            crate::DONE
        }
        Err(report) => {
            crate::print_reports(&[report], &Default::default());
            crate::REFUSED
        }
    }
}

fn attempt(args: &ReportArgs) -> Result<PathBuf, Report> {
    let runs: Vec<Run> = args.runs.iter().map(|path| Run::read(path)).collect::<Result<_, _>>()?;
    let (page, place) = match runs.as_slice() {
        [run] => {
            // What this version does not understand of an older text is left out, and the page says so.
            let read = match load_given(&run.folder, &Given::default()) {
                Ok(loaded) if !any_error(&loaded.reports) => Ok(loaded),
                Ok(loaded) => Err(loaded.reports),
                Err((reports, _)) => Err(reports),
            };
            let loaded = read.map_err(|reports| reports.first().map(|r| r.title.clone()).unwrap_or_default());
            let pictures = match &loaded {
                Ok(loaded) => pictures::section(loaded, &run.folder, None),
                Err(_) => Err("the text cannot be read".into()),
            };
            (one::page(run, loaded.as_ref().map_err(String::as_str), pictures), run.folder.join(FILE))
        }
        runs => (several::page(runs), PathBuf::from(FILE)),
    };
    let path = args.out.clone().unwrap_or(place);
    write_atomic(&path, page.as_bytes()).map_err(|e| refusals::file(&e))?;
    Ok(path)
}

/// Writes the page of a run that has just ended, where its text wants one, and says where it lies. What goes wrong is a warning: the run has
/// ended well.
pub fn at_end(summary: &Summary, loaded: &Loaded, say: bool) {
    let wanted = loaded.pipeline.setting("save", "report") == Some(Constant::Flag(true));
    let Some(folder) = summary.folder.as_deref().filter(|_| wanted) else { return };
    match write(summary, loaded, folder) {
        Ok(path) if say => crate::print(&format!("report in {}\n", path.display())),
        Ok(_) => {}
        Err(why) => eprintln!("warning: the run has no {FILE}: {why}"),
    }
}

/// Keeps the reports of what ended a run in its record, and writes its page where its text wants one.
pub fn at_error(folder: &Path, loaded: &Loaded, reports: &[Report]) {
    let plain = Style { width: 110, color: false, unicode: true };
    let error: String = reports.iter().map(|report| draw(report, &loaded.sources, plain)).collect();
    let run = RunFolder::open(folder);
    // What ended the run is what is reported: nothing that goes wrong here is.
    if let Some(record) = run.read_record().ok().filter(|record| record.status == Status::Failed) {
        let _ = run.write_record(&Record { error: Some(error.trim_end().into()), ..record });
    }
    if loaded.pipeline.setting("save", "report") == Some(Constant::Flag(true)) {
        let _ = page_of(folder, loaded, Err("the run has failed".into()));
    }
}

fn write(summary: &Summary, loaded: &Loaded, folder: &Path) -> Result<PathBuf, String> {
    page_of(folder, loaded, pictures::section(loaded, folder, summary.batches.as_ref()))
}

fn page_of(folder: &Path, loaded: &Loaded, pictures: Result<String, String>) -> Result<PathBuf, String> {
    let run = Run::read(folder).map_err(|report| report.title.clone())?;
    let path = folder.join(FILE);
    write_atomic(&path, one::page(&run, Ok(loaded), pictures).as_bytes()).map_err(|e| e.to_string())?;
    Ok(path)
}

/// A whole page around its content, which is HTML.
fn whole(title: &str, content: &str) -> String {
    let hash = base64(&sha256::sha256(SCRIPT.as_bytes()));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         <main>\n{content}<footer>Written by rord {}. The page is whole: it loads nothing.</footer>\n</main>\n<script>{SCRIPT}</script>\n</html>\n",
        escaped(title),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Links to the sections of a page.
fn contents(sections: &[(&str, &str)]) -> String {
    let link = |(id, name): &(&str, &str)| format!("<a href=\"#{id}\">{}</a>", escaped(name));
    format!("<nav>{}</nav>\n", sections.iter().map(link).collect::<String>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
