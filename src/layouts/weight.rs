//! What a library takes in memory while it is read and sorted, counted as its elements come and without keeping them.

use std::collections::HashMap;
use std::mem::size_of;

use crate::hierarchy;
use crate::layer::LayerKey;
use crate::library::{Cell, Placement, Repetition, Shapes, Wire};
use crate::polygons::Point;

/// Counts bytes.
#[derive(Default)]
pub struct Weight {
    /// What stays.
    resting: u64,
    /// What the layers of the current cell take for a moment: a list is copied where it grows, and polygons where they are sorted.
    passing: HashMap<LayerKey, u64>,
    /// What its placements take for a moment.
    placing: u64,
    /// The most of these.
    most: u64,
}

/// Bytes of a list of so many items.
fn list<T>(items: usize) -> u64 {
    (items as u64).saturating_mul(size_of::<T>() as u64)
}

/// Bytes of where copies lie, beside the value itself.
fn places(repetition: &Repetition) -> u64 {
    if let Repetition::Places(places) = repetition { list::<[i64; 2]>(places.len()) } else { 0 }
}

impl Weight {
    /// Another cell begins.
    pub fn cell(&mut self) {
        self.passing.clear();
        self.placing = 0;
        self.resting += 2 * list::<Cell>(1) + hierarchy::PER_CELL;
    }

    /// A shape of so many points.
    pub fn shape(&mut self, key: LayerKey, points: usize, rectangle: bool, repetition: &Repetition) {
        let points = list::<Point>(points);
        let (rests, passes) = match repetition {
            Repetition::Once if rectangle => (list::<[i32; 4]>(1), list::<[i32; 4]>(1)),
            Repetition::Once => (points + list::<usize>(1), points + list::<usize>(1) + hierarchy::PER_SORTED),
            copies => {
                let own = list::<(Vec<Point>, Repetition)>(1);
                (own + points + places(copies), own)
            }
        };
        self.add(key, rests, passes);
    }

    /// A path that is kept as one.
    pub fn wire(&mut self, key: LayerKey, points: usize, repetition: &Repetition) {
        self.add(key, list::<Wire>(1) + list::<Point>(points) + places(repetition), list::<Wire>(1));
    }

    fn add(&mut self, key: LayerKey, rests: u64, passes: u64) {
        let new = || list::<(LayerKey, Shapes)>(2) + hierarchy::PER_LAYER;
        let passing = self.passing.entry(key).or_insert_with(|| {
            self.resting += new();
            0
        });
        *passing += passes;
        self.most = self.most.max(*passing);
        self.resting += rests;
    }

    /// A cell placed in the current one.
    pub fn placement(&mut self, repetition: &Repetition) {
        self.placing += list::<Placement>(1);
        self.most = self.most.max(self.placing);
        self.resting += list::<Placement>(1) + places(repetition);
    }

    /// All of it where there is most; sizes of allocations go by classes.
    pub fn bytes(&self) -> u64 {
        self.resting.saturating_add(self.resting / 8).saturating_add(self.most)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::polygons::Polygons;
    use crate::{read, weigh};

    /// What the lists of a library hold.
    fn held(library: &Library) -> u64 {
        let shapes = |s: &Shapes| {
            let polygons = list::<Point>(s.polygons.points().len()) + list::<usize>(s.polygons.len());
            let repeated = s.repeated.iter().map(|(points, copies)| list::<Point>(points.len()) + places(copies));
            list::<[i32; 4]>(s.rectangles.len()) + polygons + repeated.sum::<u64>()
        };
        let cell = |c: &Cell| {
            let placed = c.placements.iter().map(|p| list::<Placement>(1) + places(&p.repetition)).sum::<u64>();
            placed + c.layers.iter().map(|(_, s)| shapes(s)).sum::<u64>()
        };
        library.cells.iter().map(cell).sum()
    }

    #[test]
    fn what_is_counted_is_a_little_more_than_what_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let (mut squares, mut corners) = (Polygons::default(), Polygons::default());
        for k in 0..50_000 {
            let (x, y) = (k % 250 * 90, k / 250 * 70);
            squares.push_rectangle([x, y, x + 40, y + 20]);
            corners.push([[x, y], [x + 50, y], [x + 50, y + 10], [x + 10, y + 10], [x + 10, y + 60], [x, y + 60]]);
        }
        let key = |layer| LayerKey { layer, datatype: 20 };
        for layers in [vec![(key(66), &squares)], vec![(key(66), &squares), (key(67), &corners)]] {
            let path = folder.path().join("a.gds");
            std::fs::write(&path, crate::gds::write::flat("top", 1e-3, layers).unwrap()).unwrap();
            let (held, counted) = (held(&read(&path).unwrap().library), weigh(&path).unwrap());
            assert!((held..4 * held).contains(&counted), "{held} bytes are held, {counted} were counted");
        }
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/oasis");
        let mut seen = 0;
        for path in std::fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path()) {
            let Ok(library) = read(&path) else { continue };
            let (held, counted) = (held(&library.library), weigh(&path).unwrap());
            assert!(counted >= held, "{}: {held} bytes are held, {counted} were counted", path.display());
            seen += 1;
        }
        assert!(seen > 3, "{seen}");
    }
}
