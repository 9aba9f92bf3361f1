//! A layout as its file has it: cells that hold shapes and place other cells.

use crate::layer::LayerKey;
use crate::polygons::{Point, Polygons};

/// The index of a cell in [`Library::cells`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId(pub u32);

/// All cells of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Library {
    /// Micrometers in one database unit.
    pub unit: f64,
    /// The cells in the order of the file.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Its name; bytes that are not UTF-8 are read as Latin-1.
    pub name: String,
    /// Its own shapes, layer by layer, in rising order of the layers.
    pub layers: Vec<(LayerKey, Shapes)>,
    /// The cells that it places.
    pub placements: Vec<Placement>,
}

/// What a cell has on one layer. Their order says nothing: a layer is the union of its shapes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shapes {
    /// Rectangles with sides along the axes: `[x0, y0, x1, y1]` with x0 < x1 and y0 < y1.
    pub rectangles: Vec<[i32; 4]>,
    /// Any other polygons.
    pub polygons: Polygons,
    /// Polygons (rectangles too) that come more than once.
    pub repeated: Vec<(Vec<Point>, Repetition)>,
    /// Paths that have no outline in whole database units, or whose width is not magnified with their cell.
    pub wires: Vec<Wire>,
}

/// A path kept by its middle line, so that its outline is rounded only once, where it comes to lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    /// Its middle line.
    pub spine: Vec<Point>,
    /// Half its width, in database units.
    pub half: f64,
    /// How it ends, at its first and its last point.
    pub caps: [crate::path::Cap; 2],
    /// Whether its width grows with its cell; in GDSII one with a negative width does not.
    pub magnified: bool,
    /// Where its copies lie.
    pub repetition: Repetition,
}

/// A cell placed in another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// Which cell.
    pub cell: CellId,
    /// How the first copy lies.
    pub transform: Transform,
    /// Where the copies lie, from the first one.
    pub repetition: Repetition,
}

/// x' = a·x + b·y + tx, y' = c·x + d·y + ty. Exact for turns by right angles without magnification: all values are then
/// whole numbers below 2⁵³.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    /// a, b, c, d.
    pub matrix: [f64; 4],
    /// tx, ty.
    pub shift: [f64; 2],
}

/// Copies of a shape or of a placed cell: each an offset from the first, in the coordinates of the cell that holds it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Repetition {
    /// One copy.
    #[default]
    Once,
    /// `counts[0] × counts[1]` copies, at i·steps[0] + j·steps[1]. In GDSII steps may be fractions of a database unit.
    Grid {
        /// Copies in each direction, at least 1.
        counts: [u32; 2],
        /// From one copy to the next in each direction.
        steps: [[f64; 2]; 2],
    },
    /// A copy at each of these offsets, of which the first is (0, 0).
    Places(Vec<[i64; 2]>),
}
