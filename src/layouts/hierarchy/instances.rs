//! Where a cell lies below another one.

use super::copies::copies;
use super::extent::Extent;
use super::{Hierarchy, HierarchyError, get, set};
use crate::library::{CellId, Transform};

impl Hierarchy {
    /// How every copy of `cell` lies in `top`, in the order of the hierarchy; one, the identity, where both are the same
    /// cell. Errors: more than `limit` copies.
    pub fn instances(&self, top: CellId, cell: CellId, limit: u64) -> Result<Vec<Transform>, HierarchyError> {
        let times = get(&self.times(top), cell);
        if times > limit {
            let cell = self.cell(cell).map(|cell| cell.name.clone()).unwrap_or_default();
            return Err(HierarchyError::TooManyInstances { cell, times, limit });
        }
        // The cells that have `cell` below them, itself included.
        let mut above = vec![false; self.library.cells.len()];
        set(&mut above, cell, true);
        for &id in &self.order {
            let below = self.cell(id).into_iter().flat_map(|cell| &cell.placements);
            if below.map(|placement| placement.cell).any(|id| get(&above, id)) {
                set(&mut above, id, true);
            }
        }
        let mut found = Vec::new();
        self.find(top, cell, &Transform::IDENTITY, &above, &mut found);
        Ok(found)
    }

    fn find(&self, at: CellId, wanted: CellId, transform: &Transform, above: &[bool], found: &mut Vec<Transform>) {
        if at == wanted {
            found.push(*transform);
            return;
        }
        let placements = self.cell(at).into_iter().flat_map(|cell| &cell.placements);
        for placement in placements.filter(|placement| get(above, placement.cell)) {
            let origin = placement.transform.shift;
            let each = &mut |at| -> Result<(), std::convert::Infallible> {
                self.find(placement.cell, wanted, &transform.after(&placement.transform, at), above, found);
                Ok(())
            };
            let Ok(()) = copies(&placement.repetition, origin, transform, &Extent::EMPTY, None, each);
        }
    }
}
