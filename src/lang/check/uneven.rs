//! Right pairs that are read between cells, against others that are cells: a mean of cells is smoother than a cell, and a network is
//! rewarded for noise that the mean takes off.

use std::collections::HashSet;

use super::Checker;
use super::lineage::Lineage;
use super::pulls::{Pair, Way};
use crate::axis::Axis;
use crate::report::lints;
use crate::typed::ValueId;

/// The maps that the numbers of a value are read from.
#[derive(Default)]
struct Read {
    /// At places between their cells.
    between: Vec<ValueId>,
    /// Cell by cell.
    cells: Vec<ValueId>,
}

impl Read {
    fn only_between(&self) -> bool {
        self.cells.is_empty() && !self.between.is_empty()
    }

    fn only_cells(&self) -> bool {
        self.between.is_empty() && !self.cells.is_empty()
    }
}

impl Checker<'_> {
    /// Losses that draw together what is read between the cells of a map, and drive it from the map's cells.
    pub(super) fn lint_uneven(&mut self, pairs: &[Pair], lineage: &Lineage) {
        // Of each side what it is read from, once.
        let read: Vec<(&Pair, [Read; 2])> =
            pairs.iter().map(|pair| (pair, [pair.of.0, pair.of.1].map(|side| self.read_from(side)))).collect();
        let right = read.iter().filter(|(pair, sides)| pair.attracts() && sides.iter().all(Read::only_between));
        let right: Vec<&(&Pair, [Read; 2])> = right.collect();
        let mut said = HashSet::new();
        for (others, sides) in &read {
            let parts = match sides {
                [a, b] if a.only_between() && b.only_cells() => b,
                [a, b] if a.only_cells() && b.only_between() => a,
                _ => continue,
            };
            if !others.table || !drives_apart(others) {
                continue;
            }
            let same = |a: &ValueId| parts.cells.iter().any(|b| lineage.same(*a, *b));
            let drawn = right.iter().find(|(_, sides)| sides.iter().any(|side| side.between.iter().any(same)));
            let (Some((drawn, _)), Some(map)) = (drawn, parts.cells.first()) else { continue };
            let place = |id: ValueId| self.value(id).map(|v| v.span);
            let (Some(right), Some(wrong), Some(loss)) =
                (place(drawn.made), place(others.made), self.loss_of(others.made))
            else {
                continue;
            };
            if said.insert(loss.span) {
                let report = lints::uneven(wrong, right, &self.written(*map));
                self.lint("uneven", loss.span, report);
            }
        }
    }

    /// What the numbers of a value are read from: the walk ends at maps, and at means of their cells.
    fn read_from(&self, from: ValueId) -> Read {
        let (mut read, mut seen, mut open) = (Read::default(), HashSet::new(), vec![from]);
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let between = self.apply_of(id).and_then(|apply| {
                let name = self.vocabulary.operation(apply.op)?.entry.lints.between?;
                apply.inputs.iter().find(|(n, _)| *n == name).map(|(_, map)| *map)
            });
            match between {
                Some(map) => read.between.push(map),
                _ if self.is_map(id) => read.cells.push(id),
                _ => open.extend(self.numbers_in(id)),
            }
        }
        read
    }

    /// True for vectors that lie in rows and columns.
    pub(super) fn is_map(&self, id: ValueId) -> bool {
        self.value(id).is_some_and(|v| [Axis::Channel, Axis::Row].iter().all(|axis| v.ty.axes.contains(axis)))
    }
}

/// True where a loss is led to drive some of what is compared apart.
fn drives_apart(pair: &Pair) -> bool {
    pair.ways.contains(if pair.likeness { &Way::Down } else { &Way::Up })
}
