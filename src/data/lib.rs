//! Where training pairs come from: layouts are generated or read, drawn as coverage pictures, and cut into patches.
//!
//! ```
//! use rord_data::{Source, store::Store, synth::Synth};
//! let loaded = Source::Synth(Synth { tiles: 1, ..Synth::default() }).load(&Store::default()).unwrap();
//! let pictures = loaded.fit().unwrap();
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
pub mod loaded;
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
pub mod store;
pub mod synth;
pub mod tensors;

pub use error::DataError;
pub use layout::{LayerKey, Layout};
pub use loaded::{Loaded, Unfit};
pub use picture::{Picture, PictureLayer};

/// Where pictures come from: the recipes `synth(…)`, `gds(…)` and `images(…)`.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Generated layouts.
    Synth(synth::Synth),
    /// GDSII and OASIS files.
    Gds(gds::Gds),
    /// PNG and JPEG files.
    Images(images::Images),
}

impl Source {
    /// All its pictures in a fixed order (files by path), which with their content depends neither on the number of
    /// threads nor on the machine nor on what `store` holds. Files that cannot be used are listed in what is returned.
    pub fn load(&self, store: &store::Store) -> Result<Loaded, DataError> {
        match self {
            Self::Synth(synth) => synth.load(store).map(Loaded::made),
            Self::Gds(gds) => gds.load(store),
            Self::Images(images) => images.load().map(Loaded::made),
        }
    }
}

#[cfg(test)]
#[path = "../../tests/skip.rs"]
#[allow(clippy::panic)]
mod skip;
