//! A library whose cells place each other in no circle: what it would be when flattened is known before anything is made,
//! and its flat polygons are visited one by one.
//!
//! ```
//! use rord_layouts::{Hierarchy, Library};
//! let hierarchy = Hierarchy::new(Library::default()).unwrap();
//! assert!(hierarchy.tops().is_empty());
//! ```

mod bounds;
mod copies;
mod extent;
mod index;
mod instances;
mod view;

use std::collections::BTreeMap;

use crate::layer::LayerKey;
use crate::library::{Cell, CellId, Library, Repetition, Shapes};
use crate::polygons::{Bounds, Point};
use extent::Extent;
use index::LayerIndex;

pub use view::{Seen, View};

/// Bytes that a cell takes beside its shapes and placements: its place in lists, and in the view of it.
pub(crate) const PER_CELL: u64 = 400;
/// Bytes that the index of a layer takes.
pub(crate) const PER_LAYER: u64 = size_of::<LayerIndex>() as u64;
/// Bytes that a polygon takes while its layer is sorted.
pub(crate) const PER_SORTED: u64 = size_of::<(Extent, u32)>() as u64 + 16;

/// How deep cells may be nested; bounds the recursion.
pub const MAX_DEPTH: usize = 256;

/// The cell in which KLayout keeps notes of its own.
const CONTEXT: &str = "$$$CONTEXT_INFO$$$";

/// Why a hierarchy cannot be flattened: facts without advice.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // each field is what the sentence above its variant names it
pub enum HierarchyError {
    /// Cells that contain themselves, in order; the last places the first.
    #[error("cells contain themselves: {}", cells.join(" > "))]
    Cycle { cells: Vec<String> },
    /// Cells nested deeper than is followed.
    #[error("cells nested {depth} deep, more than {limit}")]
    TooDeep { depth: usize, limit: usize },
    /// A flattened coordinate outside 32 bits; `cell` has the shape.
    #[error("cell `{cell}` reaches beyond 32-bit coordinates")]
    OutOfRange { cell: String },
    /// Flattening would visit more polygons or vertices than are allowed.
    #[error("{polygons} flat polygons of {points} vertices, more than {polygon_limit} of {point_limit}")]
    TooManyPolygons { polygons: u64, points: u64, polygon_limit: u64, point_limit: u64 },
    /// A cell is placed more often than is listed.
    #[error("cell `{cell}` is placed {times} times, more than {limit}")]
    TooManyInstances { cell: String, times: u64, limit: u64 },
}

/// How much may be visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flat polygons.
    pub polygons: u64,
    /// Their vertices.
    pub points: u64,
}

impl Limits {
    /// What is visited of a file, which takes some minutes; memory does not depend on it.
    pub const FILE: Self = Self { polygons: 2_000_000_000, points: 20_000_000_000 };
}

/// A library in no circles, see the head of this file.
#[derive(Debug)]
pub struct Hierarchy {
    library: Library,
    /// The cells, each behind all that it places.
    order: Vec<CellId>,
    /// Of each cell, of each of its layers.
    index: Vec<Vec<LayerIndex>>,
}

impl Hierarchy {
    /// Sorts the shapes of the library for windows. Errors: cycles, too deep a nesting.
    pub fn new(mut library: Library) -> Result<Self, HierarchyError> {
        let order = order(&library.cells)?;
        let mut index: Vec<Vec<LayerIndex>> = Vec::with_capacity(library.cells.len());
        for cell in &mut library.cells {
            index.push(cell.layers.iter_mut().map(|(_, shapes)| LayerIndex::new(shapes)).collect());
        }
        let mut hierarchy = Self { library, order, index };
        hierarchy.sort_placements();
        Ok(hierarchy)
    }

    /// The cells and the unit.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// One cell; `None` where there is no such cell.
    pub fn cell(&self, id: CellId) -> Option<&Cell> {
        self.library.cells.get(id.0 as usize)
    }

    /// The cell of that name.
    pub fn named(&self, name: &str) -> Option<CellId> {
        self.ids().find(|&id| self.cell(id).is_some_and(|cell| cell.name == name))
    }

    /// The cells whose names match a pattern, in the order of the file, see [`crate::select::matching`].
    pub fn matching(&self, pattern: &str) -> Vec<CellId> {
        let matches = |id: &CellId| self.cell(*id).is_some_and(|cell| crate::select::matching(pattern, &cell.name));
        self.ids().filter(matches).collect()
    }

    fn ids(&self) -> impl Iterator<Item = CellId> {
        (0..self.library.cells.len() as u32).map(CellId)
    }

    /// The cells that no other places, in the order of the file. Never the cell in which KLayout keeps its notes, nor
    /// what is placed there alone unless nothing else is left.
    pub fn tops(&self) -> Vec<CellId> {
        let is_context = |id: CellId| self.cell(id).is_some_and(|cell| cell.name == CONTEXT);
        let tops = |placing: &dyn Fn(CellId) -> bool| {
            let mut placed = vec![false; self.library.cells.len()];
            for id in self.ids().filter(|&id| placing(id)) {
                for placement in self.cell(id).iter().flat_map(|cell| &cell.placements) {
                    set(&mut placed, placement.cell, true);
                }
            }
            let top = |id: &CellId| !is_context(*id) && !placed.get(id.0 as usize).is_some_and(|&placed| placed);
            self.ids().filter(top).collect::<Vec<_>>()
        };
        let all = tops(&|_| true);
        if all.is_empty() { tops(&|id| !is_context(id)) } else { all }
    }

    /// How often each cell is placed below `top`, itself once.
    fn times(&self, top: CellId) -> Vec<u64> {
        let mut times = vec![0u64; self.library.cells.len()];
        set(&mut times, top, 1);
        for &id in self.order.iter().rev() {
            let own = get(&times, id);
            if own == 0 {
                continue;
            }
            for placement in self.cell(id).iter().flat_map(|cell| &cell.placements) {
                let more = own.saturating_mul(number(&placement.repetition));
                let sum = get(&times, placement.cell).saturating_add(more);
                set(&mut times, placement.cell, sum);
            }
        }
        times
    }

    /// How many flat polygons there are below `top`, by layer; at most `u64::MAX`.
    pub fn counts(&self, top: CellId) -> BTreeMap<LayerKey, u64> {
        let times = self.times(top);
        let mut counts = BTreeMap::new();
        for id in self.ids() {
            let own = get(&times, id);
            for (key, shapes) in self.cell(id).iter().flat_map(|cell| &cell.layers).filter(|_| own > 0) {
                let more = own.saturating_mul(size(shapes)[0]);
                let count: &mut u64 = counts.entry(*key).or_default();
                *count = count.saturating_add(more);
            }
        }
        counts
    }

    /// Flat polygons on wanted layers below `top`, and an upper bound of their vertices.
    pub fn size(&self, top: CellId, wanted: &dyn Fn(LayerKey) -> bool) -> (u64, u64) {
        let times = self.times(top);
        let (mut polygons, mut points) = (0u64, 0u64);
        for id in self.ids() {
            let own = get(&times, id);
            let layers = self.cell(id).into_iter().flat_map(|cell| &cell.layers);
            for (_, shapes) in layers.filter(|(key, _)| own > 0 && wanted(*key)) {
                let size = size(shapes);
                polygons = polygons.saturating_add(own.saturating_mul(size[0]));
                points = points.saturating_add(own.saturating_mul(size[1]));
            }
        }
        (polygons, points)
    }

    /// Every flat polygon of wanted layers below `top` whose bounds touch the window, or all without one. Their order
    /// does not depend on the window. For many windows make one [`View`]. Errors: more polygons than
    /// [`Limits::FILE`], coordinates beyond 32 bits.
    pub fn visit(
        &self,
        top: CellId,
        window: Option<Bounds>,
        wanted: &dyn Fn(LayerKey) -> bool,
        sink: &mut dyn FnMut(LayerKey, &[Point]),
    ) -> Result<(), HierarchyError> {
        self.view(top, wanted, Limits::FILE)?.visit(window, sink)
    }

    /// Puts placements in an order in which near ones are near, as [`LayerIndex::new`] does with shapes.
    fn sort_placements(&mut self) {
        let mut extents = vec![Extent::EMPTY; self.library.cells.len()];
        for position in 0..self.order.len() {
            let Some(&id) = self.order.get(position) else { continue };
            let own = self.index.get(id.0 as usize).into_iter().flatten().filter_map(|index| index.extent);
            let mut extent = own.fold(Extent::EMPTY, |a, b| a.join(&b));
            let Some(cell) = self.library.cells.get_mut(id.0 as usize) else { continue };
            let around = |placement: &crate::library::Placement| {
                let child = extents.get(placement.cell.0 as usize).copied().unwrap_or(Extent::EMPTY);
                child.placed(&placement.transform).spread(&Extent::of_copies(&placement.repetition))
            };
            let below = index::chunks(&mut cell.placements, around);
            extent = below.iter().fold(extent, |a, b| a.join(b));
            set(&mut extents, id, extent);
        }
    }
}

/// How many copies a repetition has.
fn number(repetition: &Repetition) -> u64 {
    match repetition {
        Repetition::Once => 1,
        Repetition::Grid { counts, .. } => u64::from(counts[0]).saturating_mul(counts[1].into()),
        Repetition::Places(places) => places.len() as u64,
    }
}

/// How many polygons some shapes are, and an upper bound of their vertices (nearly always their number).
fn size(shapes: &Shapes) -> [u64; 2] {
    let plain =
        [shapes.rectangles.len() + shapes.polygons.len(), 4 * shapes.rectangles.len() + shapes.polygons.points().len()];
    let mut sum = plain.map(|number| number as u64);
    let repeated = shapes.repeated.iter().map(|(points, repetition)| (points.len() as u64, number(repetition)));
    // A round end has up to 66 points, a corner up to four.
    let wires = shapes.wires.iter().map(|wire| (4 * wire.spine.len() as u64 + 132, number(&wire.repetition)));
    for (points, times) in repeated.chain(wires) {
        sum = [sum[0].saturating_add(times), sum[1].saturating_add(points.saturating_mul(times))];
    }
    sum
}

fn get<T: Copy + Default>(list: &[T], id: CellId) -> T {
    list.get(id.0 as usize).copied().unwrap_or_default()
}

fn set<T>(list: &mut [T], id: CellId, value: T) {
    if let Some(place) = list.get_mut(id.0 as usize) {
        *place = value;
    }
}

/// Cells behind what they place, by a search in depth without recursion.
fn order(cells: &[Cell]) -> Result<Vec<CellId>, HierarchyError> {
    let placements = |id: CellId| cells.get(id.0 as usize).map_or(&[][..], |cell| &cell.placements);
    let name = |id: CellId| cells.get(id.0 as usize).map(|cell| cell.name.clone()).unwrap_or_default();
    let mut order = Vec::with_capacity(cells.len());
    // None: not seen; 0: on the path down; otherwise the depth of the hierarchy below and with it.
    let mut depths: Vec<Option<usize>> = vec![None; cells.len()];
    for root in 0..cells.len() as u32 {
        let mut path_down = vec![(CellId(root), 0)];
        while let Some((id, next)) = path_down.pop() {
            if next == 0 {
                if get(&depths, id).is_some() {
                    continue;
                }
                set(&mut depths, id, Some(0));
            }
            if let Some(placement) = placements(id).get(next) {
                path_down.push((id, next + 1));
                if get(&depths, placement.cell) == Some(0) {
                    let circle = path_down.iter().map(|&(on_path, _)| on_path).skip_while(|&id| id != placement.cell);
                    return Err(HierarchyError::Cycle { cells: circle.chain([placement.cell]).map(name).collect() });
                }
                path_down.push((placement.cell, 0));
                continue;
            }
            let below = placements(id).iter().filter_map(|placement| get(&depths, placement.cell)).max();
            let depth = below.unwrap_or(0) + 1;
            if depth > MAX_DEPTH {
                return Err(HierarchyError::TooDeep { depth, limit: MAX_DEPTH });
            }
            set(&mut depths, id, Some(depth));
            order.push(id);
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests;
