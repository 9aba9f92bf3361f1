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
pub mod detect;
pub mod drawing;
pub mod error;
pub mod file_pairs;
pub mod files;
pub mod gate;
pub mod gds;
pub mod geometry;
pub mod images;
pub mod layout;
pub mod listed;
pub mod loaded;
pub mod loader;
pub mod pairs;
pub mod patch;
pub mod photo;
pub mod picture;
pub mod project;
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
            Self::Images(images) => images.load(store),
        }
    }
}

/// Changes a few bytes: other values, parts cut out, put in twice, or cut off.
#[cfg(test)]
#[allow(clippy::indexing_slicing)]
fn mutate(bytes: &mut Vec<u8>, stream: &mut rord_random::Stream) {
    for _ in 0..=stream.below(6) {
        let (at, n) = (stream.below(bytes.len()), bytes.len());
        if n == 0 {
            return;
        }
        match stream.below(6) {
            0 => bytes[at] ^= 1 << stream.below(8),
            1 => bytes[at] = stream.bits() as u8,
            2 => bytes[at] = [0, 0xff, 0x7f, 0x80][stream.below(4)],
            3 => drop(bytes.drain(at..(at + 1 + stream.below(8)).min(n))),
            4 => {
                let part = bytes[at..(at + 1 + stream.below(16)).min(n)].to_vec();
                let to = stream.below(n);
                bytes.splice(to..to, part);
            }
            _ if stream.below(8) == 0 => bytes.truncate(at),
            _ => {
                let number = (stream.bits() as u32 >> stream.below(32)).to_le_bytes();
                for (k, byte) in number.into_iter().enumerate().take(n - at) {
                    bytes[at + k] = byte;
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "../../tests/skip.rs"]
#[allow(clippy::panic)]
mod skip;
