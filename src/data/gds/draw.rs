//! Draws cells of a layout in rows of tiles, from the hierarchy.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use rord_layouts::hierarchy::Seen;
use rord_layouts::oasis::LayerName;
use rord_layouts::select::{ChoiceError, LayerChoice};
use rord_layouts::{Bounds, Hierarchy, LayerKey, Limits};

use super::file;
use crate::DataError;
use crate::picture::{SQUARE, Samples};
use crate::raster::Edges;
use crate::store::{Paint, Sink};

/// How large and what part of a cell is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Pixels per micrometer.
    pub resolution: f64,
    /// What is shown, in µm.
    pub window: Option<[f64; 4]>,
}

impl Scale {
    /// Width and height in pixels of what lies within `bounds`, rounded up to whole pixels to the right and below.
    pub fn pixels(&self, unit: f64, bounds: &Bounds) -> Result<(u64, u64), DataError> {
        let scale = self.resolution * unit;
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(DataError::BadResolution { value: self.resolution });
        }
        // The small part takes back what rounding added to a whole number.
        let pixels = |length: i64| (length as f64 * scale - 1e-6).ceil().max(1.0) as u64;
        Ok((pixels(bounds.width()), pixels(bounds.height())))
    }
}

/// A file of layouts, which is read when something has to be drawn.
pub struct Source {
    pub(super) path: PathBuf,
    pub(super) scale: Scale,
    content: [u8; 32],
    choice: LayerChoice,
    layout: Mutex<Option<Arc<Layout>>>,
}

/// A layout at hand.
pub struct Layout {
    pub hierarchy: Hierarchy,
    pub warnings: Vec<String>,
    /// Which layers are drawn, with the file's own names looked up.
    pub choice: LayerChoice,
    /// What the file calls its layers.
    pub names: Vec<LayerName>,
}

impl Source {
    /// The file at `path`, of that content.
    pub fn new(path: &Path, content: [u8; 32], choice: LayerChoice, scale: Scale) -> Self {
        Self { path: path.to_path_buf(), scale, content, choice, layout: Mutex::default() }
    }

    /// What draws a cell in pictures of `size`.
    pub fn painter(self: &Arc<Self>, top: &str, size: (usize, usize)) -> Arc<dyn Paint> {
        Arc::new(Drawer::new(self.clone(), top, size))
    }

    /// Lets the layout go.
    pub fn forget(&self) {
        *self.layout.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Passes on the layout, which is read if it is not there. Errors: also a file that has changed.
    pub fn with_layout<T>(&self, use_it: impl FnOnce(&Layout) -> Result<T, DataError>) -> Result<T, DataError> {
        use_it(self.layout()?.as_ref())
    }

    fn layout(&self) -> Result<Arc<Layout>, DataError> {
        let there = self.layout.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(layout) = there {
            return Ok(layout);
        }
        // Read without the lock: reading takes long, and reading twice does no harm.
        let read = rord_layouts::read(&self.path)?;
        if file::hash(&self.path)? != self.content {
            return Err(DataError::Changed { path: self.path.clone() });
        }
        let warnings = read.liberties.iter().map(ToString::to_string).collect();
        let failed = |error| DataError::Hierarchy { path: self.path.clone(), error };
        let hierarchy = Hierarchy::new(read.library).map_err(failed)?;
        let unknown = |error: ChoiceError| DataError::NoSuchName { path: self.path.clone(), reason: error.to_string() };
        let choice = self.choice.in_file(&read.layer_names).map_err(unknown)?;
        let layout = Arc::new(Layout { hierarchy, warnings, choice, names: read.layer_names });
        *self.layout.lock().unwrap_or_else(PoisonError::into_inner) = Some(layout.clone());
        Ok(layout)
    }
}

/// Draws one cell of a file.
pub struct Drawer {
    source: Arc<Source>,
    top: String,
    size: (usize, usize),
    plan: OnceLock<Plan>,
}

/// What is the same for all rows.
struct Plan {
    /// What of each cell is drawn.
    seen: Seen,
    bounds: Bounds,
    /// The layers of the picture that each layer of the file is.
    planes: BTreeMap<LayerKey, Vec<usize>>,
    layers: usize,
}

impl Drawer {
    /// Draws the cell called `top` in pictures of `size`.
    pub fn new(source: Arc<Source>, top: &str, size: (usize, usize)) -> Self {
        Self { source, top: top.into(), size, plan: OnceLock::new() }
    }

    fn plan(&self, Layout { hierarchy: layout, choice, .. }: &Layout) -> Result<&Plan, DataError> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let Source { path, scale, .. } = self.source.as_ref();
        let gone = || DataError::NoSuchCell { path: path.clone(), cell: self.top.clone(), tops: vec![] };
        let top = layout.named(&self.top).ok_or_else(gone)?;
        let present: Vec<LayerKey> =
            layout.counts(top).into_iter().filter(|(_, n)| *n > 0).map(|(key, _)| key).collect();
        let order = choice.order(&present);
        let mut planes: BTreeMap<LayerKey, Vec<usize>> = BTreeMap::new();
        order.iter().enumerate().for_each(|(plane, key)| planes.entry(*key).or_default().push(plane));
        let bounds = file::bounds(path, layout, top, &order, scale)?.ok_or_else(gone)?;
        let failed = |error| DataError::Hierarchy { path: path.clone(), error };
        let seen = layout.view(top, &|key| planes.contains_key(&key), Limits::FILE).map_err(failed)?.seen();
        Ok(self.plan.get_or_init(|| Plan { seen, bounds, planes, layers: order.len() }))
    }

    /// The edges of each layer that reach into `rows`.
    fn edges(&self, layout: &Layout, rows: &Range<usize>) -> Result<Vec<Edges>, DataError> {
        let Plan { seen, bounds, planes, layers } = self.plan(layout)?;
        let layout = &layout.hierarchy;
        let pixels = self.source.scale.resolution * layout.library().unit;
        let (left, upper) = (f64::from(bounds.low[0]), f64::from(bounds.high[1]));
        // A little more than the rows: what touches none of them leaves no edge.
        let y = |row: f64| (upper - row / pixels).clamp(f64::from(i32::MIN), f64::from(i32::MAX)) as i32;
        let (high, low) = (y(rows.start as f64 - 1.0).saturating_add(1), y(rows.end as f64 + 1.0).saturating_sub(1));
        let window = Bounds { low: [bounds.low[0], low], high: [bounds.high[0], high] };
        let span = (rows.start as f64, rows.end as f64);
        let failed = |error| DataError::Hierarchy { path: self.source.path.clone(), error };
        let mut edges: Vec<Edges> = (0..*layers).map(|_| Edges::default()).collect();
        let mut sink = |key: LayerKey, points: &[[i32; 2]]| {
            let pixel = |&[x, y]: &[i32; 2]| [(f64::from(x) - left) * pixels, (upper - f64::from(y)) * pixels];
            for &plane in planes.get(&key).into_iter().flatten() {
                if let Some(edges) = edges.get_mut(plane) {
                    edges.push(span, points.iter().map(pixel));
                }
            }
        };
        layout.again(seen).visit(Some(window), &mut sink).map_err(failed)?;
        Ok(edges)
    }
}

impl Paint for Drawer {
    fn paint(&self, rows: Range<usize>, sink: Sink<'_>) -> Result<(), DataError> {
        let layout = self.source.layout()?;
        self.plan(&layout)?;
        // Strip by strip: the edges of a whole row of tiles would take as much as the layout itself. Each thread has a strip at hand.
        let strips: Vec<usize> = rows.clone().step_by(SQUARE).collect();
        strips.into_par_iter().try_for_each(|y| {
            let strip = y..(y + SQUARE).min(rows.end);
            let edges = self.edges(&layout, &strip)?;
            edges.par_iter().enumerate().filter(|(_, edges)| !edges.is_empty()).for_each(|(plane, edges)| {
                sink(plane, y, Samples::Eight(edges.fill_rows(self.size.0, strip.clone())));
            });
            Ok(())
        })
    }
}
