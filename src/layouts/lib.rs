//! Chip layouts: GDSII and OASIS files read with their hierarchy, and flattened piece by piece.

mod builder;
pub mod error;
pub mod gds;
pub mod hierarchy;
pub mod layer;
pub mod liberty;
pub mod library;
pub mod oasis;
pub mod path;
pub mod polygons;
pub mod read;
pub mod select;
mod transform;
mod weight;

// The properties that fuzzing checks name the crate as others do.
#[cfg(test)]
extern crate self as rord_layouts;
#[cfg(test)]
#[path = "../../tests/language/properties"]
#[allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]
mod properties {
    pub mod gds;
    pub mod oasis;

    pub use gds::{is_layout, windows};
}
#[cfg(test)]
#[path = "../../tests/skip.rs"]
#[allow(clippy::panic)]
mod skip;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod testing;

pub use error::ReadError;
pub use hierarchy::{Hierarchy, HierarchyError, Limits, View};
pub use layer::LayerKey;
pub use liberty::{Liberty, LibertyKind};
pub use library::{Cell, CellId, Library, Placement, Repetition, Shapes, Transform, Wire};
pub use polygons::{Bounds, Point, Polygons};
pub use read::{from_bytes, read, weigh};

/// What was read of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadLibrary {
    /// Its cells.
    pub library: Library,
    /// What the format does not allow and was read nevertheless, in the order in which each was first met; cells that are not there at last.
    pub liberties: Vec<Liberty>,
    /// The names that it gives to layers: those of an OASIS file's LAYERNAME records.
    pub layer_names: Vec<oasis::LayerName>,
}
