//! Chip layouts: GDSII and OASIS files read with their hierarchy, and flattened piece by piece.

pub mod layer;
pub mod library;
pub mod path;
pub mod polygons;

pub use layer::LayerKey;
pub use library::{Cell, CellId, Library, Placement, Repetition, Shapes, Transform, Wire};
pub use polygons::{Bounds, Point, Polygons};
