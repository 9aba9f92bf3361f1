//! Where training pairs come from: layouts are generated or read, drawn as coverage pictures, and cut into patches.
//!
//! ```
//! use rord_data::{Source, synth::Synth};
//! let pictures = Source::Synth(Synth { tiles: 1, ..Synth::default() }).load().unwrap();
//! assert_eq!((pictures[0].width, pictures[0].height), (512, 512));
//! ```

pub mod batches;
pub mod convolution;
pub mod corners;
pub mod datasets;
pub mod error;
pub mod files;
pub mod gds;
pub mod geometry;
pub mod images;
pub mod layout;
pub mod loader;
pub mod pairs;
pub mod patch;
pub mod photo;
pub mod picture;
pub mod raster;
pub mod render;
pub mod several;
pub mod sheet;
pub mod split;
pub mod synth;
pub mod tensors;

pub use error::DataError;
pub use layout::{LayerKey, Layout};
pub use picture::{Picture, PictureLayer};

/// Where pictures come from: the recipes `synth(…)`, `gds(…)` and `images(…)`.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Generated layouts.
    Synth(synth::Synth),
    /// GDSII files.
    Gds(gds::Gds),
    /// PNG and JPEG files.
    Images(images::Images),
}

impl Source {
    /// All its pictures in a fixed order (files by path), which with their content depends neither on the number of
    /// threads nor on the machine. Errors: the first in that order.
    pub fn load(&self) -> Result<Vec<Picture>, DataError> {
        match self {
            Self::Synth(synth) => synth.load(),
            Self::Gds(gds) => gds.load(),
            Self::Images(images) => images.load(),
        }
    }
}

#[cfg(test)]
#[path = "../../tests/skip.rs"]
#[allow(clippy::panic)]
mod skip;
