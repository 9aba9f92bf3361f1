//! The flat polygons below one cell on some layers, window by window.

use std::borrow::Cow;

use super::copies::{copies, corners};
use super::extent::{Extent, round};
use super::index::{CHUNK, Chunks};
use super::{Hierarchy, HierarchyError, Limits, set};
use crate::layer::LayerKey;
use crate::library::{Cell, CellId, Repetition, Shapes, Transform, Wire};
use crate::path::outline;
use crate::polygons::{Bounds, Point};

/// What of a cell is visited.
#[derive(Clone, Debug)]
pub(super) struct CellView {
    /// Around all wanted polygons of it and below; empty where there are none.
    pub extent: Extent,
    /// How far wires that are not magnified reach beyond that, in units of the top cell.
    pub reach: f64,
    /// Whether the extent is exact under turns by right angles: all is placed so, at whole numbers.
    pub exact: bool,
    /// Which of its layers are wanted.
    pub layers: Vec<usize>,
    placements: Chunks,
}

/// The flat polygons of wanted layers below a cell, see [`Hierarchy::view`].
#[derive(Debug)]
pub struct View<'a> {
    pub(super) hierarchy: &'a Hierarchy,
    pub(super) top: CellId,
    pub(super) cells: Cow<'a, [CellView]>,
}

/// What a view knows, kept without the hierarchy: see [`Hierarchy::again`].
#[derive(Debug)]
pub struct Seen {
    top: CellId,
    cells: Vec<CellView>,
}

/// Where a walk is and what it does.
struct Walk<'a> {
    view: &'a View<'a>,
    sink: &'a mut dyn FnMut(LayerKey, &[Point]),
    points: Vec<Point>,
    /// Of repeated shapes only the copies that can lie outermost.
    outermost: bool,
}

impl Hierarchy {
    /// The flat polygons of wanted layers below `top`. Errors: more than `limits` allows.
    pub fn view(
        &self,
        top: CellId,
        wanted: &dyn Fn(LayerKey) -> bool,
        limits: Limits,
    ) -> Result<View<'_>, HierarchyError> {
        let (polygons, points) = self.size(top, wanted);
        if polygons > limits.polygons || points > limits.points {
            let (polygon_limit, point_limit) = (limits.polygons, limits.points);
            return Err(HierarchyError::TooManyPolygons { polygons, points, polygon_limit, point_limit });
        }
        let nothing =
            CellView { extent: Extent::EMPTY, reach: 0.0, exact: true, layers: vec![], placements: Chunks::default() };
        let mut view = View { hierarchy: self, top, cells: vec![nothing; self.library.cells.len()].into() };
        let times = self.times(top);
        for &id in self.order.iter().filter(|&&id| super::get(&times, id) > 0) {
            let Some(cell) = self.cell(id) else { continue };
            let seen = view.cell(id, cell, wanted);
            set(view.cells.to_mut(), id, seen);
        }
        Ok(view)
    }

    /// The view that was seen before, of this hierarchy or one of the same file.
    pub fn again<'a>(&'a self, seen: &'a Seen) -> View<'a> {
        View { hierarchy: self, top: seen.top, cells: Cow::Borrowed(&seen.cells) }
    }
}

impl View<'_> {
    /// What it knows.
    pub fn seen(self) -> Seen {
        Seen { top: self.top, cells: self.cells.into_owned() }
    }

    /// What is visited of a cell, when that of all it places is known.
    fn cell(&self, id: CellId, cell: &Cell, wanted: &dyn Fn(LayerKey) -> bool) -> CellView {
        let (mut extent, mut reach, mut exact) = (Extent::EMPTY, 0f64, true);
        let is_wanted = |&k: &usize| cell.layers.get(k).is_some_and(|(key, _)| wanted(*key));
        let layers: Vec<usize> = (0..cell.layers.len()).filter(is_wanted).collect();
        let index = self.hierarchy.index.get(id.0 as usize);
        for layer in layers.iter().filter_map(|&k| index?.get(k)) {
            extent = layer.extent.iter().fold(extent, |a, b| a.join(b));
            reach = reach.max(layer.reach);
        }
        let mut around = Vec::with_capacity(cell.placements.len().div_ceil(CHUNK));
        for chunk in cell.placements.chunks(CHUNK) {
            let mut sum = Extent::EMPTY;
            for placement in chunk {
                let Some(child) = self.cells.get(placement.cell.0 as usize) else { continue };
                if child.extent.is_empty() {
                    continue;
                }
                let copies = Extent::of_copies(&placement.repetition);
                let whole = |value: &f64| value.fract() == 0.0;
                exact &= child.exact && placement.transform.keeps_axes();
                exact &= placement.transform.shift.iter().all(whole);
                if let Repetition::Grid { steps, .. } = &placement.repetition {
                    exact &= steps.iter().flatten().all(whole);
                }
                reach = reach.max(child.reach);
                sum = sum.join(&child.extent.placed(&placement.transform).spread(&copies));
            }
            extent = extent.join(&sum);
            around.push(sum);
        }
        CellView { extent, reach, exact, layers, placements: Chunks::new(around) }
    }

    /// Calls `sink` with every polygon whose bounds touch the window, or with all without one. Their order does not
    /// depend on the window. Errors: coordinates beyond 32 bits.
    pub fn visit(
        &self,
        window: Option<Bounds>,
        sink: &mut dyn FnMut(LayerKey, &[Point]),
    ) -> Result<(), HierarchyError> {
        let window = window.map(Extent::from);
        let mut walk = Walk { view: self, sink, points: vec![], outermost: false };
        walk.cell(self.top, &Transform::IDENTITY, window.as_ref())
    }

    /// Calls `sink` with a cell's own polygons, as `transform` places it; of repeated ones with those that can lie
    /// outermost.
    pub(super) fn outermost(
        &self,
        id: CellId,
        transform: &Transform,
        sink: &mut dyn FnMut(LayerKey, &[Point]),
    ) -> Result<(), HierarchyError> {
        Walk { view: self, sink, points: vec![], outermost: true }.own(id, transform, None)
    }
}

impl Walk<'_> {
    /// A cell and all below, as `transform` places it. Without a window all of it is inside.
    fn cell(&mut self, id: CellId, transform: &Transform, window: Option<&Extent>) -> Result<(), HierarchyError> {
        let view = self.view;
        let (Some(cell), Some(seen)) = (view.hierarchy.cell(id), view.cells.get(id.0 as usize)) else { return Ok(()) };
        // Beyond the window, or wholly in it?
        let around = seen.extent.placed(transform).grown(seen.reach);
        let window = match window {
            _ if seen.extent.is_empty() => return Ok(()),
            Some(window) if !around.touches(window) => return Ok(()),
            Some(window) if around.within(window) => None,
            window => window,
        };
        let near = |extent: &Extent| {
            let touches = |window| extent.placed(transform).grown(seen.reach).touches(window);
            !extent.is_empty() && window.is_none_or(touches)
        };
        self.own(id, transform, window)?;
        for chunk in seen.placements.near(near) {
            for placement in part(&cell.placements, chunk) {
                let Some(child) = view.cells.get(placement.cell.0 as usize) else { continue };
                if child.extent.is_empty() {
                    continue;
                }
                let first = transform.after(&placement.transform, placement.transform.shift);
                let first = child.extent.placed(&first).grown(child.reach);
                let origin = placement.transform.shift;
                copies(&placement.repetition, origin, transform, &first, window, &mut |at| {
                    self.cell(placement.cell, &transform.after(&placement.transform, at), window)
                })?;
            }
        }
        Ok(())
    }

    /// A cell's own shapes.
    fn own(&mut self, id: CellId, transform: &Transform, window: Option<&Extent>) -> Result<(), HierarchyError> {
        let (view, k) = (self.view, id.0 as usize);
        let (Some(cell), Some(seen), Some(indices)) =
            (view.hierarchy.cell(id), view.cells.get(k), view.hierarchy.index.get(k))
        else {
            return Ok(());
        };
        for &layer in &seen.layers {
            if let (Some((key, shapes)), Some(index)) = (cell.layers.get(layer), indices.get(layer)) {
                self.shapes(*key, shapes, index, transform, window)
                    .map_err(|Beyond| HierarchyError::OutOfRange { cell: cell.name.clone() })?;
            }
        }
        Ok(())
    }

    /// A cell's own shapes on one layer.
    fn shapes(
        &mut self,
        key: LayerKey,
        shapes: &Shapes,
        index: &super::LayerIndex,
        transform: &Transform,
        window: Option<&Extent>,
    ) -> Result<(), Beyond> {
        let near =
            |extent: &Extent| window.is_none_or(|window| extent.placed(transform).grown(index.reach).touches(window));
        for chunk in index.rectangles.near(near) {
            for &[x0, y0, x1, y1] in part(&shapes.rectangles, chunk) {
                self.rectangle(key, [x0, y0, x1, y1].map(f64::from), transform, window)?;
            }
        }
        for chunk in index.polygons.near(near) {
            for k in chunk * CHUNK..((chunk + 1) * CHUNK).min(shapes.polygons.len()) {
                let points = shapes.polygons.get(k).iter();
                self.polygon(key, points.map(|point| point.map(f64::from)), transform, window)?;
            }
        }
        for chunk in index.repeated.near(near) {
            for (points, repetition) in part(&shapes.repeated, chunk) {
                let first = Extent::of_points(points).placed(transform).grown(0.0);
                copies(&self.copies_of(repetition, transform), [0.0; 2], transform, &first, window, &mut |[x, y]| {
                    let points = points.iter().map(|&[px, py]| [f64::from(px) + x, f64::from(py) + y]);
                    self.polygon(key, points, transform, window)
                })?;
            }
        }
        for chunk in index.wires.near(near) {
            for wire in part(&shapes.wires, chunk) {
                self.wire(key, wire, transform, window)?;
            }
        }
        Ok(())
    }

    fn copies_of<'r>(&self, repetition: &'r Repetition, transform: &Transform) -> Cow<'r, Repetition> {
        if self.outermost { Cow::Owned(corners(repetition, transform)) } else { Cow::Borrowed(repetition) }
    }

    fn wire(
        &mut self,
        key: LayerKey,
        wire: &Wire,
        transform: &Transform,
        window: Option<&Extent>,
    ) -> Result<(), Beyond> {
        let spine: Vec<[f64; 2]> = wire.spine.iter().map(|point| point.map(f64::from)).collect();
        let half = if wire.magnified { wire.half } else { wire.half / transform.magnification() };
        let line = outline(&spine, half, wire.caps);
        let first = Extent::of(line.iter().copied()).placed(transform).grown(0.0);
        copies(&self.copies_of(&wire.repetition, transform), [0.0; 2], transform, &first, window, &mut |[x, y]| {
            self.polygon(key, line.iter().map(|&[px, py]| [px + x, py + y]), transform, window)
        })
    }

    /// One rectangle: as [`Walk::polygon`] of its corners, of which two are enough where sides stay along the axes.
    fn rectangle(
        &mut self,
        key: LayerKey,
        [x0, y0, x1, y1]: [f64; 4],
        transform: &Transform,
        window: Option<&Extent>,
    ) -> Result<(), Beyond> {
        if !transform.keeps_axes() {
            return self.polygon(key, [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].into_iter(), transform, window);
        }
        let corner = |point| {
            let [x, y] = transform.apply(point);
            Ok([round(x).ok_or(Beyond)?, round(y).ok_or(Beyond)?])
        };
        let ([ax, ay], [bx, by]) = (corner([x0, y0])?, corner([x1, y1])?);
        let [second, fourth] = if transform.matrix[0] == 0.0 { [[ax, by], [bx, ay]] } else { [[bx, ay], [ax, by]] };
        let points = [[ax, ay], second, [bx, by], fourth];
        if window.is_none_or(|window| {
            Extent::of_points(&[[ax.min(bx), ay.min(by)], [ax.max(bx), ay.max(by)]]).touches(window)
        }) {
            (self.sink)(key, &points);
        }
        Ok(())
    }

    /// One polygon, rounded once, where it comes to lie.
    fn polygon(
        &mut self,
        key: LayerKey,
        points: impl Iterator<Item = [f64; 2]>,
        transform: &Transform,
        window: Option<&Extent>,
    ) -> Result<(), Beyond> {
        self.points.clear();
        for point in points {
            let [x, y] = transform.apply(point);
            self.points.push([round(x).ok_or(Beyond)?, round(y).ok_or(Beyond)?]);
        }
        if window.is_none_or(|window| Extent::of_points(&self.points).touches(window)) {
            (self.sink)(key, &self.points);
        }
        Ok(())
    }
}

/// A coordinate is beyond 32 bits.
struct Beyond;

/// The items of one chunk.
fn part<T>(items: &[T], chunk: usize) -> &[T] {
    items.get(chunk * CHUNK..((chunk + 1) * CHUNK).min(items.len())).unwrap_or_default()
}
