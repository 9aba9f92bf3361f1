//! How pairs are made, and which settings can be: `PairRecipe { patch: 64, ..PairRecipe::default() }`.

use crate::DataError;
use crate::geometry::{Geometry, Perspective};
use crate::photo::Photo;
use crate::render::Render;

/// How pairs are made from pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct PairRecipe {
    /// Pixels in a row of a patch, n.
    pub patch: usize,
    /// The least and the most picture pixels that a patch pixel shows along an axis. Where a picture is too small for
    /// the most, what fits is the most.
    pub zoom: (f64, f64),
    /// How the second view is moved.
    pub geometry: Geometry,
    /// What is done to each view, in order, with draws of its own.
    pub photo: Vec<Photo>,
    /// How each view is drawn on its own; `None` draws both with the picture's weights.
    pub render: Option<Render>,
    /// Training batches in an epoch.
    pub steps: usize,
    /// Pairs in a batch.
    pub batch: usize,
    /// The share of pictures (of a single picture: of its width) for training, above 0. At 1 nothing is left for
    /// validation.
    pub train: f64,
    /// Seed of the training pairs.
    pub seed: u64,
    /// Whether the second view is made. Without it `image_r` is empty and the rest is unchanged.
    pub moved: bool,
    /// Whether corners are found. Without it `corners` is empty and the rest is unchanged.
    pub corners: bool,
    /// Channels of a view: at 1 all layers are drawn over each other in grey, else each layer is a channel of its own.
    pub channels: usize,
    /// Where corners come from.
    pub detect: Detect,
    /// The layer that is not drawn but returned as `truth`.
    pub target: Option<String>,
}

/// Where corners come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detect {
    /// From the polygons of layouts; pictures from files have none.
    Drawn,
    /// From the grey values of the first view before `photo`, see [`detect::corners`](crate::detect::corners).
    Picture,
}

impl Default for PairRecipe {
    fn default() -> Self {
        Self {
            patch: 128,
            zoom: (1.0, 1.0),
            geometry: Geometry::SquareSymmetries,
            photo: Vec::new(),
            render: None,
            steps: 50,
            batch: 8,
            train: 0.8,
            seed: 0,
            moved: true,
            corners: true,
            channels: 1,
            detect: Detect::Drawn,
            target: None,
        }
    }
}

impl PairRecipe {
    /// Validation batches where `ratio` times as much is validated as trained on, at least one.
    pub fn validation_batches(&self, ratio: f64) -> u64 {
        ((self.steps as f64 * ratio - 1e-9).ceil() as u64).max(1)
    }

    /// Checks that all settings are in their ranges.
    pub fn check(&self) -> Result<(), DataError> {
        let one = |setting, value: f64, low: f64, high: f64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(DataError::BadSetting { setting, value, low, high }),
        };
        let range = |setting, (a, b): (f64, f64), low: f64, high: f64| {
            one(setting, a, low, high)?;
            one(setting, b, a, high)
        };
        one("channels", self.channels as f64, 1.0, 4096.0)?;
        one("patch", self.patch as f64, 1.0, 65_536.0)?;
        one("steps", self.steps as f64, 1.0, 1e12)?;
        one("batch", self.batch as f64, 1.0, 1e6)?;
        one("train", self.train, 1e-6, 1.0)?;
        range("zoom", self.zoom, 0.02, 50.0)?;
        match self.geometry {
            Geometry::Identity | Geometry::SquareSymmetries => {}
            Geometry::Rotations { degrees, .. } => range("degrees", degrees, -36_000.0, 36_000.0)?,
            Geometry::Affine { degrees, stretch, shear, .. } => {
                range("degrees", degrees, -36_000.0, 36_000.0)?;
                range("stretch", stretch, 0.1, 10.0)?;
                range("shear", shear, -5.0, 5.0)?;
            }
            Geometry::Perspective(Perspective { corners, degrees, scale, shift, .. }) => {
                one("corners", corners, 0.0, 0.49)?;
                range("degrees", degrees, -36_000.0, 36_000.0)?;
                range("scale", scale, 0.1, 10.0)?;
                one("shift", shift, 0.0, 2.0)?;
            }
        }
        for photo in &self.photo {
            match *photo {
                Photo::Brightness(low, high) => range("brightness", (low, high), 0.0, 100.0)?,
                Photo::Contrast(low, high) => range("contrast", (low, high), 0.0, 100.0)?,
                Photo::Noise(sigma) => one("noise", sigma, 0.0, 10.0)?,
                Photo::Blur(low, high) => range("blur", (low, high), 0.0, 100.0)?,
                Photo::Gamma(low, high) => range("gamma", (low, high), 0.01, 100.0)?,
            }
        }
        if let Some(render) = &self.render {
            range("weights", render.weights, 0.0, 1.0)?;
            one("drop", render.drop, 0.0, 1.0)?;
            range("etch", render.etch, -32.0, 32.0)?;
            one("invert", render.invert, 0.0, 1.0)?;
        }
        Ok(())
    }
}
