//! What the verbs that use a trained network share: its weights, the pictures it is given, and a bar.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rord_data::files::PICTURES;
use rord_data::gds::Gds;
use rord_data::images::Images;
use rord_data::loaded::PictureFacts;
use rord_data::picture::Picture;
use rord_data::store::Store;
use rord_data::{DataError, Source};
use rord_engine::predict::Predictor;
use rord_engine::refusals::Stop;
use rord_engine::source::layouts_of;
use rord_lang::report::{Report, runtime};
use rord_matching::moves::Move;
use rord_record::terminal::Busy;
use rord_search::network::{Network, SearchError};

use super::args::{ChipArgs, NetworkArgs};
use super::init;
use super::load::Loaded;

/// The network of a run, ready for pictures.
pub fn network<'v>(args: &NetworkArgs, loaded: &'v Loaded) -> Result<Network<'v>, Vec<Report>> {
    let weights = weights(loaded, args.weights.as_deref()).map_err(|r| vec![r])?;
    let predictor =
        Predictor::new(&loaded.pipeline, &loaded.vocabulary, weights.as_deref(), 0).map_err(Stop::reports)?;
    Network::new(predictor).map_err(refused)
}

/// The weights of a run, or those that are named.
fn weights(loaded: &Loaded, named: Option<&Path>) -> Result<Option<PathBuf>, Report> {
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
    let recipes = loaded.pipeline.datasets.iter().filter_map(|d| d.recipe.settings.recipe("layouts").ok());
    let trained = recipes.filter_map(|recipe| layouts_of(recipe).ok()).find_map(|source| match source {
        Source::Gds(gds) => Some(gds),
        _ => None,
    });
    let Gds { layers, names, resolution, .. } = trained.unwrap_or_default();
    let layers = if args.layers.is_empty() { layers } else { args.layers.clone() };
    let names = args.names.clone().or(names);
    let resolution = args.resolution.unwrap_or(resolution);
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

/// From pixel centers of a picture to µm, where its left and its upper edge and pixels per µm are known.
pub fn to_um(([left, upper], resolution): ([f64; 2], f64)) -> Move {
    let step = 1.0 / resolution;
    Move([[step, 0.0, left + 0.5 * step], [0.0, -step, upper - 0.5 * step], [0.0, 0.0, 1.0]])
}

/// How far a search is, on the terminal's last line.
pub struct Bar {
    what: String,
    busy: Busy,
}

impl Bar {
    /// Begins at nothing.
    pub fn new(what: &str) -> Self {
        Self { what: what.into(), busy: Busy::new(what) }
    }

    /// So many of all are done. Returns false once somebody asked to stop.
    pub fn at(&self, done: u64, all: u64) -> bool {
        self.busy.now(&format!("{} {} %", self.what, 100 * done / all.max(1)));
        !super::interrupt::STOP.load(Ordering::Relaxed)
    }
}
