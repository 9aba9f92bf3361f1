//! Collects cells while a file is read.
//!
//! Cells are known by an id from their first mention on, placed or defined; [`Builder::finish`] puts them in the order
//! of their definitions and leaves out placements of cells that were never defined.

use std::collections::HashMap;
use std::mem::take;

use crate::ReadLibrary;
use crate::layer::LayerKey;
use crate::liberty::{Liberty, LibertyKind};
use crate::library::{Cell, CellId, Library, Placement, Repetition, Shapes, Transform, Wire};
use crate::path::{Cap, outline};
use crate::polygons::Point;
use crate::weight::Weight;

/// A cell while it is collected. Its id is where it lies in the list of drafts.
#[derive(Default)]
struct Draft {
    cell: Cell,
    /// Where it was first mentioned: the placing cell and the byte.
    met: (Option<CellId>, u64),
    /// The how manyth definition of the file it is.
    defined: Option<u32>,
    /// The id of the same name that stands for this one.
    alias: Option<CellId>,
    placed: u64,
}

/// Collects cells while a file is read, see the head of this file. Shapes and placements go to the cell that was
/// defined last; before the first one they are dropped.
#[derive(Default)]
pub struct Builder {
    /// Where in the decompressed file the element lies that is being read; the reader keeps it up to date.
    pub at: u64,
    drafts: Vec<Draft>,
    names: HashMap<Box<[u8]>, CellId>,
    current: Option<CellId>,
    definitions: u32,
    /// Where in the current cell's list each layer is, and the layer asked for last.
    places: HashMap<LayerKey, usize>,
    last: Option<(LayerKey, usize)>,
    liberties: Vec<Liberty>,
    /// Where nothing is kept, what is counted instead.
    weight: Option<Weight>,
}

impl Builder {
    /// One that keeps no shapes and no placements, and counts what they would take.
    pub fn weighing() -> Self {
        Self { weight: Some(Weight::default()), ..Self::default() }
    }

    /// Bytes that the library would take; 0 where it is kept.
    pub fn weight(&self) -> u64 {
        self.weight.as_ref().map_or(0, Weight::bytes)
    }

    /// The cell of that name, which may be defined before or after, or never.
    pub fn cell(&mut self, name: &[u8]) -> CellId {
        if let Some(&id) = self.names.get(name) {
            return id;
        }
        let id = self.unnamed();
        self.name(id, name);
        id
    }

    /// A new cell whose name is not known yet: see [`Builder::name`]. Without a name it stays `""`.
    pub fn unnamed(&mut self) -> CellId {
        let id = CellId(u32::try_from(self.drafts.len()).unwrap_or(u32::MAX));
        self.drafts.push(Draft { met: (self.current, self.at), ..Draft::default() });
        id
    }

    /// Names a cell of [`Builder::unnamed`]. Where another one has that name already, both are the same cell.
    pub fn name(&mut self, id: CellId, name: &[u8]) {
        let first = *self.names.entry(name.into()).or_insert(id);
        let Some(draft) = self.drafts.get_mut(id.0 as usize) else { return };
        if first == id {
            draft.cell.name = text(name);
        } else {
            draft.alias = Some(first);
        }
    }

    /// The cell that has that name, if one has it yet.
    pub fn known(&self, name: &[u8]) -> Option<CellId> {
        self.names.get(name).copied()
    }

    /// Begins the definition of a cell; what follows is in it. False where it was defined before: what follows is then
    /// added to it.
    pub fn define(&mut self, id: CellId) -> bool {
        self.current = Some(id);
        self.last = None;
        self.weight.iter_mut().for_each(Weight::cell);
        let Some(draft) = self.drafts.get_mut(id.0 as usize) else { return false };
        self.places = draft.cell.layers.iter().enumerate().map(|(index, (key, _))| (*key, index)).collect();
        let new = draft.defined.is_none();
        draft.defined.get_or_insert(self.definitions);
        self.definitions = self.definitions.saturating_add(1);
        new
    }

    /// Begins the definition of a cell anew: what it held is dropped.
    pub fn redefine(&mut self, id: CellId) {
        if let Some(draft) = self.drafts.get_mut(id.0 as usize) {
            draft.cell.layers.clear();
            draft.cell.placements.clear();
        }
        self.define(id);
    }

    /// Ends the definition: what follows is in no cell.
    pub fn close(&mut self) {
        self.current = None;
        self.last = None;
    }

    /// The name of the cell that is being defined.
    pub fn current(&self) -> Option<String> {
        self.current.and_then(|id| self.drafts.get(id.0 as usize)).map(|draft| draft.cell.name.clone())
    }

    /// Counts a liberty; the first of each kind keeps its place.
    pub fn liberty(&mut self, what: &'static str) {
        let kind = LibertyKind::Read(what);
        match self.liberties.iter_mut().find(|liberty| liberty.kind == kind) {
            Some(liberty) => liberty.times += 1,
            None => self.liberties.push(Liberty { kind, times: 1, cell: self.current(), at: self.at }),
        }
    }

    /// The current cell's shapes on a layer.
    fn shapes(&mut self, key: LayerKey) -> Option<&mut Shapes> {
        let layers = &mut self.drafts.get_mut(self.current?.0 as usize)?.cell.layers;
        let index = match self.last {
            Some((last, index)) if last == key => index,
            _ => *self.places.entry(key).or_insert_with(|| {
                layers.push((key, Shapes::default()));
                layers.len() - 1
            }),
        };
        self.last = Some((key, index));
        layers.get_mut(index).map(|(_, shapes)| shapes)
    }

    /// Adds a polygon, in either direction; its last point may repeat the first. Those that cover nothing are dropped.
    pub fn polygon(&mut self, key: LayerKey, points: &[Point], repetition: Repetition) {
        let open = match points {
            [first, inner @ .., last] if first == last => points.get(..=inner.len()).unwrap_or(points),
            _ => points,
        };
        if let Some(rectangle) = rectangle(open) {
            return self.rectangle(key, rectangle, repetition);
        }
        if on_a_line(open) {
            return;
        }
        if let Some(weight) = &mut self.weight {
            return weight.shape(key, open.len(), false, &repetition);
        }
        let Some(shapes) = self.shapes(key) else { return };
        match repetition {
            Repetition::Once => shapes.polygons.push(open.iter().copied()),
            many => shapes.repeated.push((open.to_vec(), many)),
        }
    }

    /// Adds a rectangle by two opposite corners. Those without an area are dropped.
    pub fn rectangle(&mut self, key: LayerKey, [x0, y0, x1, y1]: [i32; 4], repetition: Repetition) {
        let [x0, x1] = [x0.min(x1), x0.max(x1)];
        let [y0, y1] = [y0.min(y1), y0.max(y1)];
        if x0 == x1 || y0 == y1 {
            return;
        }
        if let Some(weight) = &mut self.weight {
            return weight.shape(key, 4, true, &repetition);
        }
        let Some(shapes) = self.shapes(key) else { return };
        match repetition {
            Repetition::Once => shapes.rectangles.push([x0, y0, x1, y1]),
            many => shapes.repeated.push((vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]], many)),
        }
    }

    /// Adds a path `2·half` wide. One of no width, or of one point without caps, covers nothing and is dropped.
    pub fn path(
        &mut self,
        key: LayerKey,
        spine: &[Point],
        half: f64,
        caps: [Cap; 2],
        repetition: Repetition,
        magnified: bool,
    ) {
        if magnified && !caps.contains(&Cap::Round) {
            let line: Vec<[f64; 2]> = spine.iter().map(|point| point.map(f64::from)).collect();
            let outline = outline(&line, half, caps);
            let whole = |value: f64| (value.fract() == 0.0 && value.abs() <= 2e9).then_some(value as i32);
            let points: Option<Vec<Point>> = outline.iter().map(|&[x, y]| Some([whole(x)?, whole(y)?])).collect();
            if let Some(points) = points {
                return self.polygon(key, &points, repetition);
            }
        }
        let mut spine = spine.to_vec();
        spine.dedup();
        let nothing = spine.len() < 2 && caps == [Cap::Flat(0.0); 2];
        if half.is_nan() || half <= 0.0 || spine.is_empty() || nothing {
            return;
        }
        if let Some(weight) = &mut self.weight {
            return weight.wire(key, spine.len(), &repetition);
        }
        let Some(shapes) = self.shapes(key) else { return };
        shapes.wires.push(Wire { spine, half, caps, magnified, repetition });
    }

    /// Places a cell in the current one.
    pub fn place(&mut self, cell: CellId, transform: Transform, repetition: Repetition) {
        if let Some(placed) = self.drafts.get_mut(cell.0 as usize) {
            placed.placed += 1;
        }
        if let Some(weight) = &mut self.weight {
            return weight.placement(&repetition);
        }
        let current = self.current.and_then(|id| self.drafts.get_mut(id.0 as usize));
        if let Some(draft) = current {
            draft.cell.placements.push(Placement { cell, transform, repetition });
        }
    }

    /// The library: `unit` is micrometers in one database unit.
    pub fn finish(mut self, unit: f64) -> ReadLibrary {
        self.merge_aliases();
        // A cell's place among those that are defined, in the order of their definitions.
        let mut order: Vec<(u32, usize)> =
            self.drafts.iter().enumerate().filter_map(|(id, draft)| Some((draft.defined?, id))).collect();
        order.sort_unstable();
        let mut places: Vec<Option<CellId>> = vec![None; self.drafts.len()];
        for (place, &(_, id)) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(id) {
                *slot = u32::try_from(place).ok().map(CellId);
            }
        }
        let aliases: Vec<Option<CellId>> = self.drafts.iter().map(|draft| draft.alias).collect();
        let place = |id: CellId| {
            let id = aliases.get(id.0 as usize).copied().flatten().unwrap_or(id);
            places.get(id.0 as usize).copied().flatten()
        };
        self.liberties.extend(self.missing());
        let mut cells = Vec::with_capacity(order.len());
        for (_, id) in order {
            let Some(draft) = self.drafts.get_mut(id) else { continue };
            let mut cell = take(&mut draft.cell);
            cell.placements.retain_mut(|placement| match place(placement.cell) {
                Some(id) => {
                    placement.cell = id;
                    true
                }
                None => false,
            });
            cell.layers.sort_unstable_by_key(|(key, _)| *key);
            cells.push(cell);
        }
        ReadLibrary { library: Library { unit, cells }, liberties: self.liberties, layer_names: vec![] }
    }

    /// Moves what was defined under an alias to the cell it stands for.
    fn merge_aliases(&mut self) {
        for id in 0..self.drafts.len() {
            let Some(draft) = self.drafts.get_mut(id) else { continue };
            let Some(alias) = draft.alias else { continue };
            let (cell, defined, placed) = (take(&mut draft.cell), draft.defined.take(), draft.placed);
            let Some(target) = self.drafts.get_mut(alias.0 as usize) else { continue };
            target.placed += placed;
            if defined.is_some() && target.defined.is_none() {
                target.defined = defined;
                target.cell.layers = cell.layers;
                target.cell.placements = cell.placements;
            }
        }
    }

    /// The cells that are placed and never defined.
    fn missing(&self) -> Option<Liberty> {
        let missing = || self.drafts.iter().filter(|d| d.placed > 0 && d.defined.is_none() && d.alias.is_none());
        let first = missing().min_by_key(|draft| draft.met.1)?;
        let names = missing().take(LibertyKind::MOST_NAMES).map(|draft| draft.cell.name.clone()).collect();
        let by = first.met.0.and_then(|id| self.drafts.get(id.0 as usize)).map(|draft| draft.cell.name.clone());
        Some(Liberty {
            kind: LibertyKind::MissingCells { names, cells: missing().count() as u64 },
            times: missing().map(|draft| draft.placed).sum(),
            cell: by,
            at: first.met.1,
        })
    }
}

/// A name's text: UTF-8, or Latin-1 where it is not that.
pub fn text(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| name.iter().copied().map(char::from).collect(), str::to_owned)
}

/// The rectangle with sides along the axes that four points make.
fn rectangle(points: &[Point]) -> Option<[i32; 4]> {
    let &[[x0, y0], b, [x1, y1], d] = points else { return None };
    ((b == [x1, y0] && d == [x0, y1]) || (b == [x0, y1] && d == [x1, y0])).then_some([x0, y0, x1, y1])
}

/// True where no three points span a triangle, so that the polygon covers nothing.
fn on_a_line(points: &[Point]) -> bool {
    let mut others = points.iter();
    let Some(&[x, y]) = others.next() else { return true };
    let from = |&[px, py]: &Point| [i128::from(px) - i128::from(x), i128::from(py) - i128::from(y)];
    let Some([ax, ay]) = others.by_ref().map(from).find(|&d| d != [0, 0]) else { return true };
    others.map(from).all(|[bx, by]| ax * by == ay * bx)
}
