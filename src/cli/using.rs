//! What the verbs that use a trained network share: its weights, the pictures it is given, and a bar.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rord_data::files::{LAYOUTS, PICTURES, find};
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

use super::args::{ChipArgs, DrawnArgs, NetworkArgs};
use super::init;
use super::load::Loaded;

/// Before a network is used: signals are heard.
pub fn begin() -> Result<(), Report> {
    super::interrupt::watch_use()
}

/// The exit code of what used a network; it is false where a signal stopped it.
pub fn ended(whole: Result<bool, Vec<Report>>, loaded: &Loaded) -> u8 {
    match whole {
        Ok(true) => super::DONE,
        Ok(false) => super::interrupt::code(),
        Err(reports) => {
            super::print_reports(&reports, &loaded.sources);
            super::REFUSED
        }
    }
}

/// The network of a run, ready for pictures.
pub fn network<'v>(args: &NetworkArgs, loaded: &'v Loaded) -> Result<Network<'v>, Vec<Report>> {
    Network::new(predictor(args, loaded)?).map_err(refused)
}

/// What computes the exports of a run.
pub fn predictor<'v>(args: &NetworkArgs, loaded: &'v Loaded) -> Result<Predictor<'v>, Vec<Report>> {
    let weights = weights(loaded, args.weights.as_deref()).map_err(|r| vec![r])?;
    Predictor::new(&loaded.pipeline, &loaded.vocabulary, weights.as_deref(), 0).map_err(Stop::reports)
}

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
        SearchError::Fixed { .. } => {
            vec![runtime::failed("R0914", &error.to_string(), "cut or scale the picture to that size first")]
        }
        SearchError::Whole { .. } => {
            vec![runtime::failed("R0914", &error.to_string(), "give a smaller picture, or export a map")]
        }
        SearchError::TooLarge { .. } => {
            let help =
                "leave out --dense for key points, or give a part of the picture; --resolution draws layouts smaller";
            vec![runtime::failed("R0914", &error.to_string(), help)]
        }
        SearchError::Index { .. } => {
            let help = "--index takes a folder, which is made where it is not there; give another one, or make room";
            vec![runtime::failed("R0914", &error.to_string(), help)]
        }
        SearchError::BadMap { .. } | SearchError::Pixels(_) => {
            vec![runtime::failed("R0914", &error.to_string(), "give another picture, or another network")]
        }
    }
}

/// A chip as it was read.
pub struct Shown {
    /// What it is called: its file, and which of it where that holds several.
    pub name: String,
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

/// What pictures of a network's datasets are drawn from, where they are.
fn sources(loaded: &Loaded) -> impl Iterator<Item = Source> {
    let recipes = loaded.pipeline.datasets.iter().filter_map(|d| d.recipe.settings.recipe("layouts").ok());
    recipes.filter_map(|recipe| layouts_of(recipe).ok())
}

/// Whether a network was trained on layouts.
pub fn knows_layouts(loaded: &Loaded) -> bool {
    sources(loaded).any(|source| !matches!(source, Source::Images(_)))
}

/// How the layouts were drawn that a network was trained on.
pub fn trained(loaded: &Loaded) -> Option<Gds> {
    sources(loaded).find_map(|source| match source {
        Source::Gds(gds) => Some(gds),
        _ => None,
    })
}

/// The layers of layouts that a network was trained on.
pub fn layers(loaded: &Loaded) -> Vec<String> {
    trained(loaded).map(|gds| gds.layers).unwrap_or_default()
}

/// How pictures and layouts are read for a network.
pub struct Reader {
    layouts: Gds,
    /// Channels of a picture as the network takes it: 1 is grey, 3 of a picture are its colors, more of a layout its layers.
    pub channels: usize,
}

impl Reader {
    /// Layouts are drawn as the network was trained unless the command line says otherwise.
    pub fn new(args: &DrawnArgs, loaded: &Loaded, channels: usize) -> Self {
        let Gds { layers, names, resolution, .. } = trained(loaded).unwrap_or_default();
        let layouts = Gds {
            layers: if args.layers.is_empty() { layers } else { args.layers.clone() },
            names: args.names.clone().or(names),
            resolution: args.resolution.unwrap_or(resolution),
            top: args.top.clone(),
            ..Gds::default()
        };
        Self { layouts, channels }
    }

    /// The pictures of a file: pages of a picture, cells of a layout that no other places.
    pub fn read(&self, file: &Path) -> Result<Vec<Shown>, Vec<Report>> {
        let failed = |e: DataError| vec![runtime::failed("R0914", &e.to_string(), &e.help())];
        let store = Store::of_process();
        let files = vec![file.display().to_string()];
        let mut shown: Vec<Shown> = if is_picture(file) {
            let images = Images { files, color: self.channels == 3, ..Images::default() };
            let read = Source::Images(images).load(&store).and_then(|l| l.fit());
            let (name, top) = (String::new(), String::new());
            let one = |picture| Shown {
                name: name.clone(),
                picture,
                file: file.into(),
                top: top.clone(),
                place: None,
                recipe: None,
            };
            read.map_err(failed)?.into_iter().map(one).collect()
        } else {
            let recipe = Gds { files, ..self.layouts.clone() };
            let read = Source::Gds(recipe.clone()).load(&store).map_err(not_drawn)?;
            let facts: Vec<PictureFacts> = read.files.iter().flat_map(|f| f.pictures.clone()).collect();
            for warning in read.warnings.iter().chain(read.files.iter().flat_map(|f| &f.warnings)) {
                eprintln!("warning: {}: {warning}", file.display());
            }
            let one = |(index, picture): (usize, Picture)| {
                let facts = facts.iter().find(|f| f.picture == index);
                let place = facts.map(|f| ([f.corner_um.0, f.corner_um.1], recipe.resolution));
                let top = facts.map(|f| f.top.clone()).unwrap_or_default();
                let name = String::new();
                Shown { name, picture, file: file.into(), top, place, recipe: Some(recipe.clone()) }
            };
            read.fit().map_err(not_drawn)?.into_iter().enumerate().map(one).collect()
        };
        let several = shown.len() > 1;
        for (index, one) in shown.iter_mut().enumerate() {
            let which = if one.top.is_empty() { (index + 1).to_string() } else { one.top.clone() };
            one.name = if several { format!("{} {which}", file.display()) } else { file.display().to_string() };
        }
        if let Some(other) = shown.iter().find(|one| one.picture.has_channels(self.channels, 0).is_err()) {
            let layers: Vec<&str> = other.picture.layers.iter().map(|layer| layer.name.as_str()).collect();
            let found = rord_lang::report::plural(layers.len(), "channel");
            let takes = self.channels;
            let title = format!("{} has {found} ({}), and the network takes {takes}", other.name, layers.join(", "));
            let help = "give pictures like those that it was trained on; of a layout --layers chooses the channels";
            return Err(vec![runtime::failed("R0914", &title, help)]);
        }
        Ok(shown)
    }
}

/// Why a layout is not drawn: it is one file, and the command line says what is drawn of it.
fn not_drawn(error: DataError) -> Vec<Report> {
    let error = match &error {
        DataError::Unfit { files, .. } => files.first().map_or(&error, |file| &file.error),
        error => error,
    };
    let help = match error {
        DataError::NoPolygons { wanted, present, .. } if !wanted.is_empty() && !present.is_empty() => {
            let some: Vec<&str> = present.iter().take(3).map(|(layer, _)| layer.as_str()).collect();
            format!("name those that stand here for the network's, such as  --layers {}", some.join(",")).into()
        }
        error => error.help(),
    };
    vec![runtime::failed("R0914", &error.to_string(), &help)]
}

fn is_picture(file: &Path) -> bool {
    let name = file.to_string_lossy().to_lowercase();
    PICTURES.iter().any(|ending| name.ends_with(ending))
}

/// The files that are meant by files, folders and patterns, in their order.
pub fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Vec<Report>> {
    let endings: Vec<&str> = PICTURES.iter().chain(&LAYOUTS).copied().collect();
    let mut all: Vec<PathBuf> = Vec::new();
    for path in named {
        let found = find(&path.to_string_lossy(), &endings);
        let found = found.map_err(|e| vec![runtime::failed("R0914", &e.to_string(), &e.help())])?;
        all.extend(found);
    }
    let mut seen = HashSet::new();
    all.retain(|file| seen.insert(file.clone()));
    Ok(all)
}

/// Reads layouts and pictures in grey.
pub fn chips(args: &ChipArgs, loaded: &Loaded) -> Result<Vec<Shown>, Vec<Report>> {
    let reader = Reader::new(&args.drawn, loaded, 1);
    let mut shown = Vec::new();
    for file in files(&args.chips)? {
        shown.extend(reader.read(&file)?);
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
        !super::interrupt::stopped()
    }
}
