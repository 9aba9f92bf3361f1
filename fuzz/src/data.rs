//! The reading and drawing of GDSII without the rest of the engine, so that no tensor library has to be built for it.

#![allow(missing_docs)]

#[path = "../../src/data/error.rs"]
pub mod error;
#[path = "../../src/data/files.rs"]
pub mod files;
#[path = "../../src/data/gds/mod.rs"]
pub mod gds;
#[path = "../../src/data/layout.rs"]
pub mod layout;
#[path = "../../src/data/raster.rs"]
pub mod raster;

pub use error::DataError;
pub use layout::{LayerKey, Layout, Picture, PictureLayer};
