//! A dataset's recipe, carried out: pictures loaded, pairs made, batches as tensors.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::data::gds::Gds;
use crate::data::geometry::Geometry;
use crate::data::images::Images;
use crate::data::loader::Batch;
use crate::data::pairs::{PairRecipe, PairSource};
use crate::data::photo::Photo;
use crate::data::render::Render;
use crate::data::synth::Synth;
use crate::data::{DataError, Source};
use crate::lang::constant::{Constant, Recipe, Settings, Unreadable};
use crate::lang::typed::Dataset;

/// Why a dataset could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The data itself.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting that the checker should have refused.
    #[error(transparent)]
    Setting(#[from] Unreadable),
    /// A recipe that nothing here carries out.
    #[error("`{0}` is not carried out by this build")]
    Unknown(String),
}

/// The data of a run.
pub struct DataSource {
    /// Makes pairs.
    pub pairs: Arc<PairSource>,
}

impl DataSource {
    /// Loads what the recipe names. `wanted` are the fields that the pipeline reads.
    pub fn load(dataset: &Dataset, batch: usize, seed: u64, wanted: &[&str]) -> Result<Self, SourceError> {
        let settings = &dataset.recipe.settings;
        let moved = match dataset.recipe.op.as_str() {
            "layout_pairs" => true,
            "layout_images" => false,
            other => return Err(SourceError::Unknown(other.into())),
        };
        let recipe = PairRecipe {
            patch: settings.count("patch")?,
            zoom: settings.range("zoom")?,
            geometry: if moved { geometry(settings.recipe("geometry")?)? } else { Geometry::Identity },
            photo: photos(settings)?,
            render: settings.recipe("render").ok().map(render).transpose()?,
            steps: settings.count("steps")?,
            batch,
            train: settings.number("train")?,
            seed,
            moved,
            corners: wanted.contains(&"corners"),
        };
        recipe.check()?;
        let pictures = layouts(settings.recipe("layouts")?)?.load()?;
        Ok(Self { pairs: Arc::new(PairSource::new(pictures, recipe)?) })
    }
}

fn layouts(recipe: &Recipe) -> Result<Source, SourceError> {
    let s = &recipe.settings;
    Ok(match recipe.op.as_str() {
        "synth" => Source::Synth(Synth {
            tiles: s.count("tiles")?,
            seed: s.count("seed")? as u64,
            size: s.number("size")?,
            resolution: s.number("resolution")?,
        }),
        "gds" => {
            let mut layers = Vec::new();
            for layer in s.list("layers")? {
                if let Constant::Text(text) = layer {
                    let unreadable = Unreadable { name: "layers".into(), wanted: "a list of \"layer/datatype\"" };
                    layers.push(text.parse().map_err(|_| unreadable)?);
                }
            }
            Source::Gds(Gds {
                files: s.text("files")?.to_string(),
                layers,
                resolution: s.number("resolution")?,
                top: s.text("top").ok().map(str::to_string),
            })
        }
        "images" => Source::Images(Images { files: s.text("files")?.to_string() }),
        other => return Err(SourceError::Unknown(other.into())),
    })
}

fn geometry(recipe: &Recipe) -> Result<Geometry, SourceError> {
    let s = &recipe.settings;
    Ok(match recipe.op.as_str() {
        "same_view" => Geometry::Identity,
        "square_symmetries" => Geometry::SquareSymmetries,
        "rotations" => Geometry::Rotations { degrees: s.range("degrees")?, mirror: s.flag("mirror")? },
        "affine" => Geometry::Affine {
            degrees: s.range("degrees")?,
            stretch: s.range("stretch")?,
            shear: s.range("shear")?,
            mirror: s.flag("mirror")?,
        },
        other => return Err(SourceError::Unknown(other.into())),
    })
}

fn photos(settings: &Settings) -> Result<Vec<Photo>, SourceError> {
    let mut photos = Vec::new();
    for item in settings.list("photo")? {
        let Constant::Recipe(recipe) = item else { continue };
        let range = |name| recipe.settings.range(name);
        photos.push(match recipe.op.as_str() {
            "brightness" => range("by").map(|(a, b)| Photo::Brightness(a, b))?,
            "contrast" => range("by").map(|(a, b)| Photo::Contrast(a, b))?,
            "gamma" => range("by").map(|(a, b)| Photo::Gamma(a, b))?,
            "blur" => range("sigma").map(|(a, b)| Photo::Blur(a, b))?,
            "noise" => Photo::Noise(recipe.settings.number("sigma")?),
            other => return Err(SourceError::Unknown(other.into())),
        });
    }
    Ok(photos)
}

fn render(recipe: &Recipe) -> Result<Render, SourceError> {
    let s = &recipe.settings;
    Ok(Render {
        weights: s.range("weights")?,
        drop: s.number("drop")?,
        etch: s.range("etch")?,
        invert: s.number("invert")?,
    })
}

/// A batch as tensors by field name; fields that the recipe leaves out are absent.
pub fn tensors(batch: &Batch, n: usize, dtype: DType, device: &Device) -> candle_core::Result<HashMap<String, Tensor>> {
    let size = batch.size;
    let mut fields = HashMap::new();
    let mut add = |name: &str, numbers: &[f32], shape: &[usize]| -> candle_core::Result<()> {
        if !numbers.is_empty() {
            let tensor = Tensor::from_slice(numbers, shape, device)?.to_dtype(dtype)?;
            fields.insert(name.to_string(), tensor);
        }
        Ok(())
    };
    add("image", &batch.image, &[size, 1, n, n])?;
    add("image_r", &batch.image_r, &[size, 1, n, n])?;
    add("H", &batch.h, &[size, 3, 3])?;
    add("corners", &batch.corners, &[size, 1, n, n])?;
    Ok(fields)
}
