//! The bounds of flat polygons, without visiting most of them.

use super::copies::{copies, corners};
use super::extent::Extent;
use super::{Hierarchy, HierarchyError, Limits, View};
use crate::layer::LayerKey;
use crate::library::{CellId, Transform};
use crate::polygons::{Bounds, Point};

/// So many cells and vertices are looked at; where that is not enough, the extents of cells serve for the rest.
const MOST_STEPS: u64 = 10_000_000;

impl Hierarchy {
    /// The bounds of all flat polygons of wanted layers below `top`, `None` where there are none. Exact, but for
    /// hierarchies made to have no end, where they may be larger. Errors: as [`Hierarchy::visit`].
    pub fn bounds(&self, top: CellId, wanted: &dyn Fn(LayerKey) -> bool) -> Result<Option<Bounds>, HierarchyError> {
        let unlimited = Limits { polygons: u64::MAX, points: u64::MAX };
        self.view(top, wanted, unlimited)?.bounds()
    }
}

impl View<'_> {
    /// The bounds of all its polygons, see [`Hierarchy::bounds`].
    pub fn bounds(&self) -> Result<Option<Bounds>, HierarchyError> {
        let mut search = Search { view: self, found: None, steps: 0 };
        search.cell(self.top, &Transform::IDENTITY)?;
        Ok(search.found)
    }
}

struct Search<'a> {
    view: &'a View<'a>,
    found: Option<Bounds>,
    steps: u64,
}

impl Search<'_> {
    /// Widens what was found by a cell and all below it.
    fn cell(&mut self, id: CellId, transform: &Transform) -> Result<(), HierarchyError> {
        let view = self.view;
        let (Some(cell), Some(seen)) = (view.hierarchy.cell(id), view.cells.get(id.0 as usize)) else { return Ok(()) };
        if seen.extent.is_empty() {
            return Ok(());
        }
        let beyond = || HierarchyError::OutOfRange { cell: cell.name.clone() };
        let around = seen.extent.placed(transform);
        if self.found.is_some_and(|found| around.grown(seen.reach).within(&found.into())) {
            return Ok(());
        }
        self.steps += 1;
        if self.steps > MOST_STEPS {
            self.add(around.grown(seen.reach).rounded().ok_or_else(beyond)?);
            return Ok(());
        }
        if seen.exact && transform.keeps_axes() && transform.shift.iter().all(|value| value.fract() == 0.0) {
            self.add(around.rounded().ok_or_else(beyond)?);
            return Ok(());
        }
        self.shapes(id, transform)?;
        for placement in &cell.placements {
            let corners = corners(&placement.repetition, transform);
            let first = Extent::EMPTY;
            copies(&corners, placement.transform.shift, transform, &first, None, &mut |at| {
                self.cell(placement.cell, &transform.after(&placement.transform, at))
            })?;
        }
        Ok(())
    }

    /// Widens what was found by a cell's own shapes.
    fn shapes(&mut self, id: CellId, transform: &Transform) -> Result<(), HierarchyError> {
        let mut found = None;
        let mut steps = 0;
        let mut sink = |_: LayerKey, points: &[Point]| {
            steps += points.len() as u64;
            found =
                Bounds::of(points.iter().chain(found.iter().flat_map(|bounds: &Bounds| [&bounds.low, &bounds.high])));
        };
        self.view.outermost(id, transform, &mut sink)?;
        self.steps += steps;
        if let Some(found) = found {
            self.add(found);
        }
        Ok(())
    }

    fn add(&mut self, bounds: Bounds) {
        self.found = Some(match self.found {
            None => bounds,
            Some(Bounds { low, high }) => Bounds {
                low: [low[0].min(bounds.low[0]), low[1].min(bounds.low[1])],
                high: [high[0].max(bounds.high[0]), high[1].max(bounds.high[1])],
            },
        });
    }
}
