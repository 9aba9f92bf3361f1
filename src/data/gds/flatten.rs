//! Resolves a GDSII hierarchy into flat polygons.
//!
//! Each cell's own shapes are read once; then placements are followed from the top. How much that will make is counted
//! before any of it is made, so a file of a few hundred bytes that means 2⁶⁰ polygons is refused at once.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use gds21::{GdsElement, GdsLibrary, GdsPath, GdsPoint, GdsStrans};

use super::super::layout::{Bounds, Layout, LayoutLayer, Polygons, default_weights};
use super::super::{DataError, LayerKey};
use super::Limits;
use super::path::{Cap, outline};

/// How deep cells may be nested; bounds the recursion.
const MAX_DEPTH: usize = 256;

/// x' = a·x + b·y + tx, y' = c·x + d·y + ty. Exact for turns by right angles: all values are then whole numbers below
/// 2⁵³.
#[derive(Clone, Copy)]
struct Transform {
    matrix: [f64; 4],
    shift: [f64; 2],
}

impl Transform {
    const IDENTITY: Self = Self { matrix: [1.0, 0.0, 0.0, 1.0], shift: [0.0, 0.0] };

    /// A reflection about the x axis, then a magnification and a turn counter-clockwise, in degrees.
    fn placement(reflected: bool, magnification: f64, angle: f64) -> Self {
        let quarters = angle / 90.0;
        let (sin, cos) = if quarters.fract() == 0.0 {
            match quarters.rem_euclid(4.0) as u8 {
                0 => (0.0, 1.0),
                1 => (1.0, 0.0),
                2 => (0.0, -1.0),
                _ => (-1.0, 0.0),
            }
        } else {
            angle.to_radians().sin_cos()
        };
        let (sin, cos) = (sin * magnification, cos * magnification);
        let flip = if reflected { -1.0 } else { 1.0 };
        Self { matrix: [cos, -sin * flip, sin, cos * flip], shift: [0.0, 0.0] }
    }

    fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [a, b, c, d] = self.matrix;
        [a * x + b * y + self.shift[0], c * x + d * y + self.shift[1]]
    }

    /// First `inner`, moved by `by`, then this.
    fn after(&self, inner: &Self, by: [f64; 2]) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.matrix, inner.matrix);
        Self { matrix: [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h], shift: self.apply(by) }
    }

    fn magnification(&self) -> f64 {
        let [a, b, c, d] = self.matrix;
        (a * d - b * c).abs().sqrt()
    }
}

/// A polygon of a cell.
enum Shape {
    Polygon(Vec<[f64; 2]>),
    /// A path whose width is not magnified with its cell (a negative width in the file).
    Wire {
        spine: Vec<[f64; 2]>,
        half: f64,
        caps: [Cap; 2],
    },
}

impl Shape {
    /// An upper bound of its vertices, and nearly always their number.
    fn points(&self) -> u64 {
        match self {
            Self::Polygon(points) => points.len() as u64,
            Self::Wire { spine, .. } => 4 * spine.len() as u64 + 132,
        }
    }
}

/// A cell placed `count` times in each of two directions.
struct Placement {
    cell: usize,
    transform: Transform,
    steps: [[f64; 2]; 2],
    count: [u64; 2],
}

struct Cell {
    name: String,
    shapes: Vec<(LayerKey, Shape)>,
    placements: Vec<Placement>,
}

/// The whole file, before flattening.
struct Hierarchy<'a> {
    path: &'a Path,
    cells: Vec<Cell>,
    /// The cells, each behind all that it places.
    order: Vec<usize>,
}

fn vector(point: &GdsPoint) -> [f64; 2] {
    [f64::from(point.x), f64::from(point.y)]
}

fn polygon(points: &[GdsPoint]) -> Option<Shape> {
    let mut points: Vec<[f64; 2]> = points.iter().map(vector).collect();
    if points.first() == points.last() {
        points.pop();
    }
    (points.len() >= 3).then_some(Shape::Polygon(points))
}

impl<'a> Hierarchy<'a> {
    fn new(path: &'a Path, library: GdsLibrary) -> Result<Self, DataError> {
        let file = || path.to_path_buf();
        let mut names = HashMap::new();
        for (index, cell) in library.structs.iter().enumerate() {
            if names.insert(cell.name.clone(), index).is_some() {
                return Err(DataError::DuplicateCell { path: file(), cell: cell.name.clone() });
            }
        }
        let mut cells = Vec::with_capacity(library.structs.len());
        for source in library.structs {
            let mut cell = Cell { name: source.name, shapes: vec![], placements: vec![] };
            for element in source.elems {
                cell.add(path, &names, element)?;
            }
            cells.push(cell);
        }
        if cells.is_empty() {
            return Err(DataError::NoCells { path: file() });
        }
        let mut hierarchy = Self { path, cells, order: vec![] };
        hierarchy.order = hierarchy.sorted()?;
        Ok(hierarchy)
    }

    fn cell(&self, index: usize) -> Result<&Cell, DataError> {
        // Indices come from the table of names, so this cannot fail.
        self.cells.get(index).ok_or_else(|| DataError::NoCells { path: self.path.to_path_buf() })
    }

    /// Cells behind what they place, by a search in depth without recursion. Errors: a cycle, too deep a nesting.
    fn sorted(&self) -> Result<Vec<usize>, DataError> {
        let mut order = Vec::with_capacity(self.cells.len());
        // None: not seen; 0: on the path down; otherwise the depth of the hierarchy below and with it.
        let mut depths: Vec<Option<usize>> = vec![None; self.cells.len()];
        for root in 0..self.cells.len() {
            let mut path_down = vec![(root, 0)];
            while let Some((cell, next)) = path_down.pop() {
                if next == 0 {
                    match depths.get(cell) {
                        Some(None) => depths.iter_mut().skip(cell).take(1).for_each(|depth| *depth = Some(0)),
                        _ => continue,
                    }
                }
                let placements = &self.cell(cell)?.placements;
                if let Some(placement) = placements.get(next) {
                    path_down.push((cell, next + 1));
                    if depths.get(placement.cell) == Some(&Some(0)) {
                        let from = path_down.iter().position(|&(on_path, _)| on_path == placement.cell).unwrap_or(0);
                        let cells = path_down.iter().skip(from).map(|&(cell, _)| cell).chain([placement.cell]);
                        let cells = cells.map(|cell| Ok(self.cell(cell)?.name.clone()));
                        let (path, cells) = (self.path.to_path_buf(), cells.collect::<Result<_, DataError>>()?);
                        return Err(DataError::CellCycle { path, cells });
                    }
                    path_down.push((placement.cell, 0));
                    continue;
                }
                let below = placements.iter().filter_map(|p| depths.get(p.cell).copied().flatten()).max();
                let depth = below.unwrap_or(0) + 1;
                if depth > MAX_DEPTH {
                    return Err(DataError::TooDeep { path: self.path.to_path_buf(), depth, limit: MAX_DEPTH });
                }
                depths.iter_mut().skip(cell).take(1).for_each(|known| *known = Some(depth));
                order.push(cell);
            }
        }
        Ok(order)
    }

    /// For each cell the flat polygons and vertices on wanted layers, of itself and all below.
    fn sizes(&self, wanted: impl Fn(LayerKey) -> bool) -> Result<Vec<[u64; 2]>, DataError> {
        let mut sizes = vec![[0u64; 2]; self.cells.len()];
        for &index in &self.order {
            let cell = self.cell(index)?;
            let mut size = [0u64; 2];
            for (_, shape) in cell.shapes.iter().filter(|(key, _)| wanted(*key)) {
                size = [size[0] + 1, size[1] + shape.points()];
            }
            for placement in &cell.placements {
                let count = placement.count[0].saturating_mul(placement.count[1]);
                for (sum, below) in size.iter_mut().zip(sizes.get(placement.cell).copied().unwrap_or_default()) {
                    *sum = sum.saturating_add(below.saturating_mul(count));
                }
            }
            sizes.iter_mut().skip(index).take(1).for_each(|known| *known = size);
        }
        Ok(sizes)
    }

    /// The cell of that name, or of those that no other places the one with the most polygons (the first of equals).
    fn top(&self, name: Option<&str>) -> Result<usize, DataError> {
        let mut placed = vec![false; self.cells.len()];
        for placement in self.cells.iter().flat_map(|cell| &cell.placements) {
            placed.iter_mut().skip(placement.cell).take(1).for_each(|placed| *placed = true);
        }
        let tops = || self.cells.iter().zip(&placed).enumerate().filter(|(_, (_, placed))| !**placed);
        if let Some(name) = name {
            return self.cells.iter().position(|cell| cell.name == name).ok_or_else(|| {
                let tops = tops().map(|(_, (cell, _))| cell.name.clone()).collect();
                DataError::NoSuchCell { path: self.path.to_path_buf(), cell: name.into(), tops }
            });
        }
        let sizes = self.sizes(|_| true)?;
        let size = |index: usize| sizes.get(index).map_or(0, |size| size[0]);
        let best = tops().map(|(index, _)| index).reduce(|a, b| if size(b) > size(a) { b } else { a });
        best.ok_or_else(|| DataError::NoCells { path: self.path.to_path_buf() })
    }

    /// Flat polygons below `top`, by layer.
    fn counts(&self, top: usize) -> Result<BTreeMap<LayerKey, u64>, DataError> {
        let mut times = vec![0u64; self.cells.len()];
        times.iter_mut().skip(top).take(1).for_each(|times| *times = 1);
        let mut counts = BTreeMap::new();
        for &index in self.order.iter().rev() {
            let own = times.get(index).copied().unwrap_or(0);
            if own == 0 {
                continue;
            }
            let cell = self.cell(index)?;
            for (key, _) in &cell.shapes {
                let count: &mut u64 = counts.entry(*key).or_default();
                *count = count.saturating_add(own);
            }
            for placement in &cell.placements {
                let more = own.saturating_mul(placement.count[0]).saturating_mul(placement.count[1]);
                times.iter_mut().skip(placement.cell).take(1).for_each(|times| *times = times.saturating_add(more));
            }
        }
        Ok(counts)
    }

    /// Adds all of a cell, as placed by `transform`, to the layers in `out`.
    fn place(
        &self,
        index: usize,
        transform: &Transform,
        sizes: &[[u64; 2]],
        out: &mut BTreeMap<LayerKey, Polygons>,
    ) -> Result<(), DataError> {
        let cell = self.cell(index)?;
        for (key, shape) in &cell.shapes {
            let Some(polygons) = out.get_mut(key) else { continue };
            let outlined;
            let points = match shape {
                Shape::Polygon(points) => points,
                Shape::Wire { spine, half, caps } => {
                    outlined = outline(spine, half / transform.magnification(), *caps);
                    &outlined
                }
            };
            let mut inside = true;
            polygons.push(points.iter().map(|&point| {
                transform.apply(point).map(|value| {
                    let value = (value + 0.5).floor();
                    inside &= value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX);
                    value as i32
                })
            }));
            if !inside {
                return Err(DataError::OutOfRange { path: self.path.to_path_buf(), cell: cell.name.clone() });
            }
        }
        for placement in &cell.placements {
            // What has no wanted polygon is not walked through, so the walk is no longer than its result.
            if sizes.get(placement.cell).is_none_or(|size| size[0] == 0) {
                continue;
            }
            let [columns, rows] = placement.count;
            for (i, j) in (0..columns).flat_map(|i| (0..rows).map(move |j| (i as f64, j as f64))) {
                let ([across, up], at) = (placement.steps, placement.transform.shift);
                let by = [at[0] + i * across[0] + j * up[0], at[1] + i * across[1] + j * up[1]];
                self.place(placement.cell, &transform.after(&placement.transform, by), sizes, out)?;
            }
        }
        Ok(())
    }
}

impl Cell {
    fn add(&mut self, path: &Path, names: &HashMap<String, usize>, element: GdsElement) -> Result<(), DataError> {
        match element {
            GdsElement::GdsBoundary(e) => {
                let key = LayerKey { layer: e.layer, datatype: e.datatype };
                self.shapes.extend(polygon(&e.xy).map(|shape| (key, shape)));
            }
            GdsElement::GdsBox(e) => {
                let key = LayerKey { layer: e.layer, datatype: e.boxtype };
                self.shapes.extend(polygon(&e.xy).map(|shape| (key, shape)));
            }
            GdsElement::GdsPath(e) => {
                let key = LayerKey { layer: e.layer, datatype: e.datatype };
                self.shapes.extend(self.wire(path, &e)?.map(|shape| (key, shape)));
            }
            GdsElement::GdsStructRef(e) => {
                self.place(path, names, &e.name, e.strans, vector(&e.xy), [[0.0; 2]; 2], [1, 1])?;
            }
            GdsElement::GdsArrayRef(e) => {
                let (Ok(columns @ 1..), Ok(rows @ 1..)) = (u16::try_from(e.cols), u16::try_from(e.rows)) else {
                    let (path, cell) = (path.to_path_buf(), self.name.clone());
                    return Err(DataError::BadArray { path, cell, columns: e.cols, rows: e.rows });
                };
                // The second and third point are one array width to the right and one height up of the first.
                let [origin, right, up] = [&e.xy[0], &e.xy[1], &e.xy[2]].map(vector);
                let step = |to: [f64; 2], n: u16| {
                    [0, 1].map(|k: usize| match k {
                        0 => (to[0] - origin[0]) / f64::from(n),
                        _ => (to[1] - origin[1]) / f64::from(n),
                    })
                };
                let steps = [step(right, columns), step(up, rows)];
                self.place(path, names, &e.name, e.strans, origin, steps, [columns.into(), rows.into()])?;
            }
            GdsElement::GdsTextElem(_) | GdsElement::GdsNode(_) => {}
        }
        Ok(())
    }

    fn wire(&self, path: &Path, element: &GdsPath) -> Result<Option<Shape>, DataError> {
        let width = f64::from(element.width.unwrap_or(0));
        let half = width.abs() / 2.0;
        let flat = |extension: Option<i32>| Cap::Flat(f64::from(extension.unwrap_or(0)));
        let caps = match element.path_type.unwrap_or(0) {
            0 => [Cap::Flat(0.0); 2],
            1 => [Cap::Round; 2],
            2 => [Cap::Flat(half); 2],
            4 => [flat(element.begin_extn), flat(element.end_extn)],
            path_type => {
                let (path, cell) = (path.to_path_buf(), self.name.clone());
                return Err(DataError::BadPathType { path, cell, path_type });
            }
        };
        let spine: Vec<[f64; 2]> = element.xy.iter().map(vector).collect();
        let polygon = outline(&spine, half, caps);
        Ok(match polygon.is_empty() {
            true => None,
            false if width < 0.0 => Some(Shape::Wire { spine, half, caps }),
            false => Some(Shape::Polygon(polygon)),
        })
    }

    #[allow(clippy::too_many_arguments)] // the parts of one GDSII element
    fn place(
        &mut self,
        path: &Path,
        names: &HashMap<String, usize>,
        name: &str,
        strans: Option<GdsStrans>,
        at: [f64; 2],
        steps: [[f64; 2]; 2],
        count: [u64; 2],
    ) -> Result<(), DataError> {
        let (path, cell) = (|| path.to_path_buf(), || self.name.clone());
        let Some(&index) = names.get(name) else {
            return Err(DataError::MissingCell { path: path(), cell: cell(), missing: name.into() });
        };
        let strans = strans.unwrap_or_default();
        let (magnification, angle) = (strans.mag.unwrap_or(1.0), strans.angle.unwrap_or(0.0));
        if strans.abs_mag || strans.abs_angle {
            return Err(DataError::AbsolutePlacement { path: path(), cell: cell(), placed: name.into() });
        }
        if !(magnification > 0.0 && magnification.is_finite() && angle.is_finite()) {
            let (path, cell, placed) = (path(), cell(), name.into());
            return Err(DataError::BadPlacement { path, cell, placed, magnification, angle });
        }
        let mut transform = Transform::placement(strans.reflected, magnification, angle);
        transform.shift = at;
        self.placements.push(Placement { cell: index, transform, steps, count });
        Ok(())
    }
}

/// The flat layout of one library, see [`super::read`].
pub fn flatten(
    path: &Path,
    library: GdsLibrary,
    layers: &[LayerKey],
    top: Option<&str>,
    most: Limits,
) -> Result<Layout, DataError> {
    let meters = library.units.db_unit();
    if !(meters > 0.0 && meters.is_finite()) {
        return Err(DataError::BadUnit { path: path.to_path_buf(), meters });
    }
    let hierarchy = Hierarchy::new(path, library)?;
    let top = hierarchy.top(top)?;
    let present = hierarchy.counts(top)?;
    let order: Vec<LayerKey> = if layers.is_empty() { present.keys().copied().collect() } else { layers.to_vec() };
    if !order.iter().any(|key| present.contains_key(key)) {
        let (path, present) = (path.to_path_buf(), present.into_iter().collect());
        return Err(DataError::NoPolygons { path, wanted: layers.to_vec(), present });
    }
    let mut flat: BTreeMap<LayerKey, Polygons> = order.iter().map(|&key| (key, Polygons::default())).collect();
    let sizes = hierarchy.sizes(|key| flat.contains_key(&key))?;
    let [polygons, points] = sizes.get(top).copied().unwrap_or_default();
    if polygons > most.polygons || points > most.points {
        let (polygon_limit, point_limit) = (most.polygons, most.points);
        let path = path.to_path_buf();
        return Err(DataError::TooManyPolygons { path, polygons, points, polygon_limit, point_limit });
    }
    hierarchy.place(top, &Transform::IDENTITY, &sizes, &mut flat)?;
    let bounds = Bounds::of(flat.values().flat_map(|polygons| polygons.points()));
    let bounds = bounds.ok_or_else(|| DataError::NoCells { path: path.to_path_buf() })?;
    let layer = |(k, (&key, weight)): (usize, (&LayerKey, f32))| {
        // A layer named twice is drawn twice.
        let again = order.iter().skip(k + 1).any(|&later| later == key);
        let polygons = if again { flat.get(&key).cloned() } else { flat.remove(&key) };
        LayoutLayer { key, name: key.to_string(), weight, polygons: polygons.unwrap_or_default() }
    };
    let layers = order.iter().zip(default_weights(order.len())).enumerate().map(layer).collect();
    Ok(Layout { name: path.display().to_string(), layers, unit: meters * 1e6, bounds })
}
