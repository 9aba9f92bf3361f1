//! What the verbs that use a trained network share: its weights, the pictures it is given, and a bar.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rord_data::files::PICTURES;
use rord_data::gds::Gds;
use rord_data::images::Images;
use rord_data::loaded::PictureFacts;
use rord_data::picture::Picture;
use rord_data::store::Store;
use rord_data::{DataError, Source};
use rord_engine::refusals::Stop;
use rord_lang::constant::Constant;
use rord_lang::report::{Report, runtime};
use rord_search::network::SearchError;

use super::args::ChipArgs;
use super::init;
use super::load::Loaded;

/// The weights of a run, or those that are named.
pub fn weights(loaded: &Loaded, named: Option<&Path>) -> Result<Option<PathBuf>, Report> {
    match (named, &loaded.run) {
        (Some(path), _) => init::weights(Some(path)),
        (None, Some(run)) => init::weights(Some(&run.folder)),
        (None, None) => {
            let help = "name the folder of a run in place of the pipeline, or give --weights FILE.safetensors";
            Err(runtime::failed("R0913", "a pipeline has no weights before it is trained", help))
        }
    }
}

/// The reports of what a search ran into.
pub fn refused(error: SearchError) -> Vec<Report> {
    match error {
        SearchError::Refused(stop) => Stop::reports(stop),
        SearchError::NoDescriptors => {
            let help = "export a map of descriptors:  export { score = sigmoid(score), desc }";
            vec![runtime::failed("R0741", &error.to_string(), help)]
        }
        SearchError::Channels { .. } => {
            vec![runtime::failed("R0914", &error.to_string(), "give pictures like those that it was trained on")]
        }
        SearchError::BadMap { .. } | SearchError::Pixels(_) => {
            vec![runtime::failed("R0914", &error.to_string(), "give another picture, or another network")]
        }
    }
}

/// A chip as it was read.
pub struct Shown {
    /// Its picture.
    pub picture: Picture,
    /// The file that it is from.
    pub file: PathBuf,
    /// The cell that is drawn; empty for pictures.
    pub top: String,
    /// Where the picture lies, in µm: its left and its upper edge, and pixels per µm. `None` of what has no length.
    pub place: Option<([f64; 2], f64)>,
    /// How it was read.
    pub recipe: Option<Gds>,
}

/// Reads layouts, drawn as the network was trained unless the command line says otherwise, and pictures.
pub fn chips(args: &ChipArgs, loaded: &Loaded) -> Result<Vec<Shown>, Vec<Report>> {
    let trained = loaded.pipeline.datasets.iter().filter_map(|d| d.recipe.settings.recipe("layouts").ok());
    let trained = trained.filter(|recipe| recipe.op == "gds").map(|recipe| &recipe.settings).next();
    let texts = |list: &[Constant]| list.iter().filter_map(text).collect::<Vec<String>>();
    let layers = match args.layers.is_empty() {
        true => trained.and_then(|s| s.list("layers").ok()).map(texts).unwrap_or_default(),
        false => args.layers.clone(),
    };
    let names = args.names.clone().or_else(|| trained.and_then(|s| s.text("names").ok()).map(PathBuf::from));
    let resolution = args.resolution.or_else(|| trained.and_then(|s| s.number("resolution").ok())).unwrap_or(10.0);
    let failed = |e: DataError| vec![runtime::failed("R0914", &e.to_string(), &e.help())];
    let store = Store::of_process();
    let mut shown = Vec::new();
    for file in &args.chips {
        let files = vec![file.display().to_string()];
        let ends = |endings: &[&str]| endings.iter().any(|e| files.iter().all(|f| f.to_lowercase().ends_with(e)));
        if ends(&PICTURES) {
            let read = Source::Images(Images { files, ..Images::default() }).load(&store).and_then(|l| l.fit());
            let pictures = read.map_err(failed)?;
            shown.extend(pictures.into_iter().map(|picture| Shown {
                picture,
                file: file.clone(),
                top: String::new(),
                place: None,
                recipe: None,
            }));
            continue;
        }
        let recipe = Gds {
            files,
            layers: layers.clone(),
            names: names.clone(),
            resolution,
            top: args.top.clone(),
            ..Gds::default()
        };
        let read = Source::Gds(recipe.clone()).load(&store).map_err(failed)?;
        let facts: Vec<PictureFacts> = read.files.iter().flat_map(|f| f.pictures.clone()).collect();
        for warning in read.warnings.iter().chain(read.files.iter().flat_map(|f| &f.warnings)) {
            eprintln!("warning: {}: {warning}", file.display());
        }
        for (index, picture) in read.fit().map_err(failed)?.into_iter().enumerate() {
            let facts = facts.iter().find(|f| f.picture == index);
            let place = facts.map(|f| ([f.corner_um.0, f.corner_um.1], resolution));
            let top = facts.map(|f| f.top.clone()).unwrap_or_default();
            shown.push(Shown { picture, file: file.clone(), top, place, recipe: Some(recipe.clone()) });
        }
    }
    Ok(shown)
}

fn text(constant: &Constant) -> Option<String> {
    match constant {
        Constant::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// How far a search is, in one line of a terminal that goes when it is done.
pub struct Bar {
    what: String,
    shown: bool,
    last: AtomicU64,
}

impl Bar {
    /// Begins at nothing.
    pub fn new(what: &str) -> Self {
        Self { what: what.into(), shown: std::io::stderr().is_terminal(), last: AtomicU64::new(u64::MAX) }
    }

    /// So many of all are done. Returns false once somebody asked to stop.
    pub fn at(&self, done: u64, all: u64) -> bool {
        let percent = 100 * done / all.max(1);
        if self.shown && self.last.swap(percent, Ordering::Relaxed) != percent {
            let _ = write!(std::io::stderr(), "\r{} {percent} %\x1b[K", self.what);
        }
        !super::interrupt::STOP.load(Ordering::Relaxed)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
