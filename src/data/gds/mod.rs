//! Layouts from GDSII and OASIS files: read with their hierarchy, drawn tile by tile into the store.
//!
//! ```no_run
//! use rord_data::{gds::Gds, store::Store};
//! // Metal 1 and 2 of sky130, at 10 pixels per micrometer.
//! let layers = vec!["68/20".into(), "69/20".into()];
//! let gds = Gds { files: vec!["tiles/*.gds.gz".into()], layers, ..Gds::default() };
//! let loaded = gds.load(&Store::default()).unwrap();
//! ```

mod draw;
mod file;
mod foretold;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rord_layouts::select::{LayerChoice, LayerNames};

use super::DataError;
use super::files::{LAYOUTS, apart, find_all};
use super::gate::in_parallel;
use super::layout::default_weights;
use super::loaded::{self, FileFacts, LayerFacts, Loaded, PictureFacts, Unfit, UnfitFile};
use super::picture::{Origin, PictureLayer};
use super::store::{DrawingKey, Manifest, Store};
use file::Drawn;
pub use file::hash;
pub use foretold::Reading;

/// The share of the area from which on a layer hides the others.
const EVERYWHERE: f64 = 0.95;

/// The bytes that layouts take at once while they are drawn.
const AT_ONCE: u64 = 256 << 20;

/// The recipe `gds(…)`: which files, which of their layers, how large.
#[derive(Clone, Debug, PartialEq)]
pub struct Gds {
    /// Files, folders or glob patterns.
    pub files: Vec<String>,
    /// The same for layouts that are validated on; empty where the split chooses.
    pub validation: Vec<String>,
    /// The layers in drawing order, the lowest first: numbers, ranges, exclusions and names, see [`LayerChoice`]. None:
    /// all that have polygons, by number, but those that cover nearly everything.
    pub layers: Vec<String>,
    /// A file with names of layers.
    pub names: Option<PathBuf>,
    /// Pixels per micrometer.
    pub resolution: f64,
    /// A pattern of the cells to draw; `None`: all that no other places.
    pub top: Option<String>,
    /// What is drawn of each cell, in µm: left, lower, right and upper end; `None`: all of it.
    pub window: Option<[f64; 4]>,
    /// What to do about files that cannot be used.
    pub unfit: Unfit,
}

impl Default for Gds {
    /// No file, at 10 pixels per micrometer.
    fn default() -> Self {
        Self {
            files: Vec::new(),
            validation: Vec::new(),
            layers: Vec::new(),
            names: None,
            resolution: 10.0,
            top: None,
            window: None,
            unfit: Unfit::Refuse,
        }
    }
}

impl Gds {
    /// Draws every file that is not drawn yet, and opens the pictures: in the order of the files' paths, those of a
    /// file in the order of its cells. Files that cannot be used are listed in what is returned. Errors: no file,
    /// settings out of range, names that cannot be read.
    pub fn load(&self, store: &Store) -> Result<Loaded, DataError> {
        if !(self.resolution > 0.0 && self.resolution.is_finite()) {
            return Err(DataError::BadResolution { value: self.resolution });
        }
        if let Some(window @ [x0, y0, x1, y1]) = self.window
            && !(window.iter().all(|v| v.is_finite()) && x0 < x1 && y0 < y1)
        {
            return Err(DataError::BadWindow { window });
        }
        let (choice, names) = self.choice()?;
        let mut files = find_all(&self.files, &LAYOUTS)?;
        let trained = files.len();
        if !self.validation.is_empty() {
            let held = find_all(&self.validation, &LAYOUTS)?;
            apart(&files, &held)?;
            files.extend(held);
        }
        let drawn =
            in_parallel(&files, |path| file::cost(path), AT_ONCE, |path| file::draw(self, &choice, path, store));
        let mut loaded = Loaded { unfit: self.unfit, ..Loaded::default() };
        let mut fit = Vec::new();
        for (index, (path, drawn)) in files.iter().zip(drawn).enumerate() {
            match drawn {
                Ok(drawn) => fit.push((drawn, index >= trained)),
                // Where nothing can be written no file is at fault.
                Err(error @ DataError::NoPlace { .. }) => return Err(error),
                Err(error) => loaded.skipped.push(UnfitFile { path: path.clone(), error: Box::new(error) }),
            }
        }
        let covering = covering(&choice, &names, &fit);
        for drawn in fit {
            self.open(drawn, &choice, &names, &covering, store, &mut loaded);
        }
        loaded.warnings.extend(covering.values().cloned());
        loaded.warnings.extend(store.warning());
        Ok(loaded)
    }

    /// By what a drawing of a file of that content is known.
    fn key(&self, choice: &LayerChoice, content: [u8; 32]) -> DrawingKey {
        let Self { resolution, top, window, .. } = self;
        DrawingKey::new(content, &format!("layout\n{choice:?}\n{resolution:?}\n{top:?}\n{window:?}"))
    }

    /// The layers, as far as they can be known without the files, and the names that were given.
    fn choice(&self) -> Result<(LayerChoice, LayerNames), DataError> {
        let names = match &self.names {
            None => LayerNames::default(),
            Some(path) => {
                let text = rord_files::read(path, 1 << 26)?;
                let bad = |error: rord_layouts::select::NamesError| DataError::BadNames {
                    path: path.clone(),
                    reason: error.to_string(),
                };
                LayerNames::read(&String::from_utf8_lossy(&text)).map_err(bad)?
            }
        };
        let bad = |error: rord_layouts::select::ChoiceError| DataError::BadLayers { reason: error.to_string() };
        Ok((LayerChoice::open(&self.layers, &names).map_err(bad)?, names))
    }

    /// Opens the pictures of a file, which is perhaps one to validate on.
    fn open(
        &self,
        (drawn, validates): (Drawn, bool),
        choice: &LayerChoice,
        names: &LayerNames,
        covering: &BTreeMap<String, String>,
        store: &Store,
        loaded: &mut Loaded,
    ) {
        let Drawn { manifest, key, source, content, cached } = drawn;
        let path = source.path().to_path_buf();
        let mut facts = FileFacts { path: path.clone(), cached, ..FileFacts::default() };
        facts.tops.clone_from(&manifest.tops);
        facts.warnings.clone_from(&manifest.warnings);
        facts.names = called(&manifest, names);
        let several = manifest.pictures.len() > 1;
        for (number, picture) in manifest.pictures.iter().enumerate() {
            let hidden = |name: &str| choice.is_all() && covering.contains_key(name);
            let kept: Vec<(usize, String)> =
                picture.layers.iter().map(|l| l.name.clone()).enumerate().filter(|(_, name)| !hidden(name)).collect();
            let weights = default_weights(kept.len());
            let layer = |((plane, name), weight)| (plane, PictureLayer { name, weight });
            let layers: Vec<(usize, PictureLayer)> = kept.into_iter().zip(weights).map(layer).collect();
            if layers.is_empty() {
                facts.warnings.push(format!("cell {} has nothing but layers that are left out", picture.top));
                continue;
            }
            let name = match several {
                true => format!("{}: {}", path.display(), picture.top),
                false => path.display().to_string(),
            };
            let painter = source.painter(&picture.top, picture.size);
            let shape = file::shape(picture);
            let opened = store.open(name, &key, number as u32, shape, layers, painter);
            facts.pictures.push(PictureFacts {
                picture: loaded.pictures.len(),
                top: picture.top.clone(),
                size_um: picture.size_um,
                corner_um: picture.corner_um,
                present: picture.present.clone(),
                drawn: picture.layers.iter().map(|l| LayerFacts { name: l.name.clone(), share: l.share }).collect(),
            });
            let origin = Origin { file: file::own_name(&path), content };
            loaded.pictures.push(opened.from_origin(origin).validated(validates));
        }
        loaded.files.push(facts);
    }
}

/// What the layers of a file are called: by the names that were given, else by its own.
fn called(manifest: &Manifest, names: &LayerNames) -> BTreeMap<String, String> {
    let mut all = manifest.names.clone();
    for picture in &manifest.pictures {
        let numbers = picture.present.iter().map(|(number, _)| number);
        for number in numbers.chain(picture.layers.iter().map(|layer| &layer.name)) {
            if let Some(name) = number.parse().ok().and_then(|key| names.of(key)) {
                all.insert(number.clone(), name.to_owned());
            }
        }
    }
    all
}

/// The layers that cover nearly everything, over all pictures that have them, while there are others; each with a warning.
fn covering(choice: &LayerChoice, names: &LayerNames, files: &[(Drawn, bool)]) -> BTreeMap<String, String> {
    let mut shares: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for picture in files.iter().flat_map(|(file, _)| &file.manifest.pictures) {
        let area = picture.size.0 as f64 * picture.size.1 as f64;
        for layer in &picture.layers {
            let (covered, all) = shares.entry(&layer.name).or_default();
            (*covered, *all) = (*covered + layer.share * area, *all + area);
        }
    }
    let covers = |(covered, all): &(f64, f64)| *covered >= EVERYWHERE * all.max(1.0);
    if shares.values().all(covers) {
        return BTreeMap::new();
    }
    let done = if choice.is_all() { "it is left out; list it in `layers` to draw it" } else { "it hides the others" };
    let names: BTreeMap<String, String> = files.iter().flat_map(|(file, _)| called(&file.manifest, names)).collect();
    let covering = shares.iter().filter(|(_, share)| covers(share));
    let warning = |(name, (covered, all)): (&&str, &(f64, f64))| {
        let shown = loaded::called(&names, name);
        (name.to_string(), format!("layer {shown} covers {:.1} % of the area: {done}", 100.0 * covered / all))
    };
    covering.map(warning).collect()
}

/// Whether a text may be a layer's name in files that have names of layers.
pub fn may_be_name(text: &str) -> bool {
    text.contains(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Whether a text can be read as a layer, a range of layers or an exclusion, without names.
pub fn is_layer(text: &str) -> bool {
    LayerChoice::parse(&[text.to_string()], &LayerNames::default()).is_ok()
}

#[cfg(test)]
mod tests;
