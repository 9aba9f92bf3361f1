//! Recipes of data as the values that carry them out: `gds("chips/*.gds")`, `rotations(0deg..360deg)`, `[noise(0.02)]`.

use std::path::PathBuf;

use super::{Made, SourceError};
use rord_data::gds::Gds;
use rord_data::geometry::{Geometry, Perspective};
use rord_data::images::Images;
use rord_data::pairs::{Detect, PairRecipe};
use rord_data::photo::Photo;
use rord_data::render::Render;
use rord_data::synth::Synth;
use rord_data::{Source, Unfit};
use rord_lang::constant::{Constant, Recipe, Settings, Unreadable};

/// How pairs are made by these settings.
pub(super) fn pair_recipe(settings: &Settings, Made { batch, seed, corners }: Made) -> Result<PairRecipe, SourceError> {
    // One view alone has no geometry, and one of a fixed size calls it that.
    let moves = settings.recipe("geometry").ok();
    Ok(PairRecipe {
        patch: settings.count("patch").or_else(|_| settings.count("size"))?,
        zoom: settings.range("zoom")?,
        geometry: moves.map(geometry).transpose()?.unwrap_or(Geometry::Identity),
        photo: photos(settings)?,
        render: settings.recipe("render").ok().map(render).transpose()?,
        steps: settings.count("steps")?,
        batch,
        train: settings.number("train")?,
        seed,
        moved: moves.is_some(),
        corners,
        channels: settings.count("channels").unwrap_or(1),
        detect: if settings.text("corners") == Ok("picture") { Detect::Picture } else { Detect::Drawn },
        target: settings.text("target").ok().map(str::to_string),
    })
}

/// What a recipe of layouts names.
pub fn layouts_of(recipe: &Recipe) -> Result<Source, SourceError> {
    let s = &recipe.settings;
    Ok(match recipe.op.as_str() {
        "synth" => Source::Synth(Synth {
            tiles: s.count("tiles")?,
            seed: s.count("seed")? as u64,
            size: s.number("size")?,
            resolution: s.number("resolution")?,
        }),
        "gds" => {
            let window: Vec<f64> = s.list("window")?.iter().filter_map(Constant::number).collect();
            let four = Unreadable { name: "window".into(), wanted: "four numbers" };
            let window = match window.as_slice() {
                [] => None,
                four_of_them => Some(*four_of_them.first_chunk().filter(|_| window.len() == 4).ok_or(four)?),
            };
            Source::Gds(Gds {
                files: texts(s, "files"),
                validation: texts(s, "validation"),
                layers: strings(s.list("layers")?),
                resolution: s.number("resolution")?,
                top: s.text("top").ok().map(str::to_string),
                names: s.text("names").ok().map(PathBuf::from),
                window,
                unfit: unfit(s),
            })
        }
        "images" => Source::Images(Images {
            files: texts(s, "files"),
            validation: texts(s, "validation"),
            range: s.range("range").ok(),
            resize: s.number("resize")?,
            color: false,
            unfit: unfit(s),
        }),
        other => return Err(SourceError::Unknown(other.into())),
    })
}

/// What to do about files that cannot be used.
fn unfit(settings: &Settings) -> Unfit {
    if settings.text("unfit") == Ok("skip") { Unfit::Skip } else { Unfit::Refuse }
}

/// A text, or those of a list.
pub fn texts(settings: &Settings, name: &str) -> Vec<String> {
    settings.list(name).map(strings).unwrap_or_default()
}

/// The texts among the items of a list.
fn strings(items: &[Constant]) -> Vec<String> {
    items.iter().filter_map(|item| if let Constant::Text(text) = item { Some(text.clone()) } else { None }).collect()
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
        "perspective" => Geometry::Perspective(Perspective {
            corners: s.number("corners")?,
            degrees: s.range("degrees")?,
            scale: s.range("scale")?,
            shift: s.number("shift")?,
            mirror: s.flag("mirror")?,
        }),
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
        differ: s.number("differ")?,
        together: s.number("together")?,
        single: s.number("single")?,
    })
}
