//! A dataset's recipe, carried out: pictures or tensors loaded, batches as tensors.

mod held;
mod recipes;

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::timed::Clock;
use recipes::pair_recipe;
use rord_data::batches::{Batch, Batches, Field, PairBatches, RecipeAt};
use rord_data::datasets::{self, Offered, Part};
use rord_data::file_pairs::FilePairs;
use rord_data::images::Images;
use rord_data::listed;
use rord_data::loaded::{FileFacts, UnfitFile};
use rord_data::pairs::{Detect, PairRecipe, PairSource, Split};
use rord_data::several::Several;
use rord_data::store::Store;
use rord_data::tensors::{Misfit, TensorRecipe, Tensors, TensorsError};
use rord_data::{DataError, Loaded, Source};
use rord_lang::constant::{Constant, Recipe, Settings, Unreadable};
use rord_lang::typed::Dataset;
use rord_random::Stream;

pub use held::{Held, held, pictures};
pub use recipes::{layouts_of, texts};

/// Why a dataset could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The data itself.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting that the checker should have refused.
    #[error(transparent)]
    Setting(#[from] Unreadable),
    /// A file of tensors does not fit what the pipeline declares: every misfit.
    #[error("the file does not fit the pipeline")]
    Misfits(Vec<Misfit>),
    /// Every patch that was looked at has nearly one value.
    #[error("all of {samples} patches have nearly one value")]
    Flat {
        /// Patches that were looked at.
        samples: u64,
    },
    /// A recipe that this build does not carry out.
    #[error("`{0}` is not carried out by this build")]
    Unknown(String),
}

impl From<TensorsError> for SourceError {
    fn from(error: TensorsError) -> Self {
        match error {
            TensorsError::Data(error) => Self::Data(error),
            TensorsError::Misfits(misfits) => Self::Misfits(misfits),
        }
    }
}

/// The data of a run.
pub struct DataSource {
    /// Makes batches.
    pub batches: Arc<dyn Batches>,
    /// The sizes that the data alone sets, by symbol.
    pub sizes: HashMap<u32, i64>,
    /// What makes pairs, where they are cut from layouts.
    pub pairs: Option<Arc<PairSource>>,
    /// What is known of each file of layouts.
    pub files: Vec<FileFacts>,
    /// Files that were passed over.
    pub skipped: Vec<UnfitFile>,
    /// What a person should know before a run.
    pub warnings: Vec<Warning>,
}

/// Something that a person should know before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub about: About,
    /// A sentence without its full stop.
    pub text: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A file that was passed over; the list of these has it too.
    Skipped,
    /// A file that is used.
    File,
    /// All of the data.
    Data,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Patches that are looked at before a run.
const LOOKED_AT: u64 = 64;

impl DataSource {
    /// Loads all datasets of a run; each step takes a batch of every one. An error comes with the number of its dataset.
    pub fn load_all(
        datasets: &[Dataset],
        sizes: &HashMap<u32, i64>,
        batch: usize,
        seed: u64,
        timed: Option<&Arc<Clock>>,
    ) -> Result<Self, (usize, SourceError)> {
        if let [one] = datasets {
            return Self::load(one, sizes, batch, seed, timed).and_then(Self::seen).map_err(|error| (0, error));
        }
        let (mut parts, mut known) = (Vec::new(), sizes.clone());
        let (mut files, mut skipped, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for (index, dataset) in datasets.iter().enumerate() {
            // Two datasets of the same layouts are to show different places.
            let seed = if index == 0 { seed } else { seed_of(seed, &dataset.name) };
            let part = Self::load(dataset, &known, batch, seed, timed).and_then(Self::seen);
            let part = part.map_err(|error| (index, error))?;
            files.extend(part.files);
            skipped.extend(part.skipped);
            let named = |warning: Warning| Warning { text: format!("{}: {warning}", dataset.name), ..warning };
            warnings.extend(part.warnings.into_iter().map(named));
            known.extend(part.sizes);
            parts.push((dataset.name.clone(), part.batches));
        }
        let batches = Arc::new(Several::new(parts));
        Ok(Self { batches, sizes: known, pairs: None, files, skipped, warnings })
    }

    /// Refuses layouts of which all training patches have nearly one value, and warns where many have.
    fn seen(mut self) -> Result<Self, SourceError> {
        let Some(pairs) = &self.pairs else { return Ok(self) };
        let flat = pairs.flat(Split::Train, LOOKED_AT);
        if flat == LOOKED_AT {
            return Err(SourceError::Flat { samples: LOOKED_AT });
        }
        if 3 * flat > LOOKED_AT {
            let text = format!("{flat} of {LOOKED_AT} patches have nearly one value");
            self.warnings.push(Warning { about: About::Data, text });
        }
        Ok(self)
    }

    /// Loads what the recipe names, as far as its fields need it. `sizes` are those that the pipeline sets.
    /// `timed` are the numbers that change in training batches; without them those are what they end with, as in
    /// validation.
    pub fn load(
        dataset: &Dataset,
        sizes: &HashMap<u32, i64>,
        batch: usize,
        seed: u64,
        timed: Option<&Arc<Clock>>,
    ) -> Result<Self, SourceError> {
        let settings = &dataset.recipe.settings;
        match dataset.recipe.op.as_str() {
            "tensors" => {
                let recipe = TensorRecipe {
                    files: texts(settings, "file"),
                    validation: texts(settings, "validation"),
                    shuffle: settings.flag("shuffle")?,
                    train: settings.number("train")?,
                    batch,
                    seed,
                };
                let mut sizes = sizes.clone();
                let tensors = Tensors::load(recipe, &dataset.fields, &mut sizes)?;
                let (files, skipped, warnings) = (vec![], vec![], vec![]);
                Ok(Self { batches: Arc::new(tensors), sizes, pairs: None, files, skipped, warnings })
            }
            op @ "file_pairs" => {
                let fields = offered(op, dataset)?;
                let made = Made { batch, seed, corners: false };
                let (last, zoom) =
                    (pair_recipe(&settings.at(&|course| course.reach.last), made)?, widest(settings, made)?);
                let images =
                    Images { range: settings.range("range").ok(), color: last.channels == 3, ..Images::default() };
                let lists = listed::listed(&texts(settings, "list"), &texts(settings, "second"))?;
                let held = match texts(settings, "validation") {
                    none if none.is_empty() => Vec::new(),
                    lists => listed::listed(&lists, &[])?,
                };
                let pairs = FilePairs::new(
                    &lists,
                    &held,
                    &images,
                    &Store::of_process(),
                    PairRecipe { zoom, ..last.clone() },
                    fields,
                )?;
                let changing = changing(settings, made, &last, timed);
                let batches = Arc::new(pairs.changing(last, changing));
                let (files, skipped, warnings) = (vec![], vec![], vec![]);
                Ok(Self { batches, sizes: HashMap::new(), pairs: None, files, skipped, warnings })
            }
            op => {
                let fields = offered(op, dataset)?;
                let made = Made { batch, seed, corners: fields.iter().any(|f| f.part == Part::Corners) };
                let (source, known) = pairs(settings, made)?;
                let source = Arc::new(source);
                let recipe = changing(settings, made, source.recipe(), timed);
                let batches = PairBatches { source: Arc::clone(&source), fields, recipe };
                let Loaded { files, skipped, warnings, .. } = known;
                let warning = |about: About| move |text: String| Warning { about, text };
                let mut warnings: Vec<Warning> = warnings.into_iter().map(warning(About::Data)).collect();
                let of = |file: &FileFacts| {
                    let path = file.path.display().to_string();
                    file.warnings.iter().map(move |warning| format!("{path}: {warning}")).collect::<Vec<_>>()
                };
                warnings.extend(files.iter().flat_map(of).map(warning(About::File)));
                let passed = skipped.iter().map(|file| format!("passed over: {}", file.error));
                warnings.extend(passed.map(warning(About::Skipped)));
                let batches = Arc::new(batches);
                Ok(Self { batches, sizes: HashMap::new(), pairs: Some(source), files, skipped, warnings })
            }
        }
    }
}

/// The fields that a pipeline takes of a dataset of pairs.
fn offered(op: &str, dataset: &Dataset) -> Result<Vec<Offered>, SourceError> {
    let fields = datasets::fields(op).ok_or_else(|| SourceError::Unknown(op.into()))?;
    let named = |field: &&Offered| dataset.fields.iter().any(|(n, _)| n == field.name);
    Ok(fields.iter().filter(named).copied().collect())
}

/// How pairs are made at each training step, where a number of it changes.
fn changing(settings: &Settings, made: Made, last: &PairRecipe, timed: Option<&Arc<Clock>>) -> Option<RecipeAt> {
    let changes = settings.0.iter().any(|(_, value)| !value.courses().is_empty());
    timed.filter(|_| changes).map(|clock| {
        let (clock, settings, last) = (Arc::clone(clock), settings.clone(), last.clone());
        let at = move |step| {
            let now = settings.at(&|course| clock.number(course, step));
            // The same settings could be read before.
            pair_recipe(&now, made).unwrap_or_else(|_| last.clone())
        };
        Arc::new(at) as RecipeAt
    })
}

/// The seed of a further dataset: of the run's and its name.
fn seed_of(seed: u64, name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    let key = hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Stream::new(seed, &[u64::from_le_bytes(*b"datasets"), key]).bits()
}

/// What a recipe of pairs takes beside its settings.
#[derive(Clone, Copy)]
struct Made {
    batch: usize,
    seed: u64,
    corners: bool,
}

/// What makes pairs, and what is known of the files they are cut from (without the pictures): by the settings as they
/// end, which have to be in range all along.
fn pairs(settings: &Settings, made: Made) -> Result<(PairSource, Loaded), SourceError> {
    let mut layouts = layouts_of(settings.recipe("layouts")?)?;
    let last = pair_recipe(&settings.at(&|course| course.reach.last), made)?;
    if let Source::Images(images) = &mut layouts {
        images.color = last.channels == 3;
    }
    let zoom = widest(settings, made)?;
    let loaded = layouts.load(&Store::of_process())?;
    if let (Source::Images(_), Some(first)) = (&layouts, loaded.pictures.first())
        && last.corners
        && last.detect == Detect::Drawn
    {
        return Err(DataError::NoCorners { picture: first.name.clone() }.into());
    }
    let (source, known) = PairSource::of(loaded, PairRecipe { zoom, ..last.clone() })?;
    Ok((source.with_recipe(last), known))
}

/// The largest patches at their smallest, which pictures have to hold at every step.
fn widest(settings: &Settings, made: Made) -> Result<(f64, f64), SourceError> {
    let mut zoom = pair_recipe(&settings.at(&|course| course.reach.last), made)?.zoom;
    let all = Constant::Recipe(Recipe { op: String::new(), settings: settings.clone() });
    for settings in
        all.on_the_way().iter().filter_map(|c| if let Constant::Recipe(r) = c { Some(&r.settings) } else { None })
    {
        let recipe = pair_recipe(settings, made)?;
        recipe.check()?;
        zoom = if recipe.zoom.0 > zoom.0 { recipe.zoom } else { zoom };
    }
    Ok(zoom)
}

/// A batch as tensors by field name.
pub fn tensors(batch: &Batch, dtype: DType, device: &Device) -> candle_core::Result<HashMap<String, Tensor>> {
    let one = |field: &Field| {
        let tensor = Tensor::from_slice(&field.values, field.shape.as_slice(), device)?.to_dtype(dtype)?;
        Ok((field.name.clone(), tensor))
    };
    batch.fields.iter().map(one).collect()
}
