//! Generates standard-cell layouts: a process and its library of cells from the seed, then tiles placed and routed from
//! it.
//!
//! All tiles of one seed are parts of chips in one process: same library, same rules. Another seed is another process.
//! A tile depends on the seed and its number alone, so tile 3 is the same whether 4 or 400 are asked for.
//!
//! ```
//! use rord_data::synth::Synth;
//! let layout = Synth { size: 12.8, ..Synth::default() }.layouts().unwrap().remove(0);
//! assert!(layout.layers.iter().any(|layer| layer.name == "via" && !layer.polygons.is_empty()));
//! ```

mod cells;
mod place;
mod route;
mod stored;

use rayon::prelude::*;

use super::layout::{Bounds, Layout, LayoutLayer, Polygons};
use super::store::Store;
use super::{DataError, LayerKey, Picture, raster};
use cells::Cell;
use rord_random::Stream;

/// The recipe `synth(…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Synth {
    /// How many tiles.
    pub tiles: usize,
    /// Names the process, its library and the tiles.
    pub seed: u64,
    /// Side of a tile in micrometers, from 2 to 2000.
    pub size: f64,
    /// Pixels per micrometer, from 0.1 to 1000. At the default of 10 the thinnest wire is 1.4 px wide.
    pub resolution: f64,
}

impl Default for Synth {
    /// One tile of 51.2 µm at 10 px/µm: 512 × 512 px, about 19 rows of cells.
    fn default() -> Self {
        Self { tiles: 1, seed: 0, size: 51.2, resolution: 10.0 }
    }
}

/// A layer of the generated process. The cuts between two metals are drawn over the upper one, darker, as dimples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Diffusion,
    Poly,
    Local,
    Contact,
    Metal1,
    LocalVia,
    Metal2,
    Via,
    Metal3,
    Via2,
    Metal4,
    Via3,
}

/// Name, number, datatype and grey value of each [`Layer`], in drawing order. No two are the
/// same, and layers that cover each other differ by at least 0.06.
const LAYERS: [(&str, u32, u32, f32); 12] = [
    ("diff", 65, 20, 0.28),
    ("poly", 66, 20, 0.42),
    ("li", 67, 20, 0.56),
    ("contact", 66, 44, 0.14),
    ("m1", 68, 20, 0.70),
    ("mcon", 67, 44, 0.35),
    ("m2", 69, 20, 0.84),
    ("via", 68, 44, 0.49),
    ("m3", 70, 20, 0.94),
    ("via2", 69, 44, 0.63),
    ("m4", 71, 20, 1.00),
    ("via3", 70, 44, 0.77),
];

/// What a key of a random stream begins with, so that no two purposes share one.
#[derive(Clone, Copy)]
enum Purpose {
    Process,
    Cell,
    Place,
    Route,
}

/// Lengths of the process in nm, all multiples of 5, the manufacturing grid.
#[derive(Clone, Debug)]
struct Process {
    /// Distance of gates, and of vertical metal 2 tracks.
    site: i32,
    /// Distance of horizontal metal 1 tracks.
    pitch: i32,
    /// Tracks in the height of a cell.
    tracks: usize,
    /// Gate length.
    gate: i32,
    /// Widths of local interconnect, metals 1 and 2, metal 3, and the rails.
    local: i32,
    wire: i32,
    wide: i32,
    rail: i32,
    /// Sides of contacts and vias.
    cut: i32,
    /// Width of the power straps and their distance.
    strap: i32,
    strap_pitch: i32,
}

impl Process {
    fn new(seed: u64) -> Self {
        let stream = &mut Stream::new(seed, &[Purpose::Process as u64]);
        let mut pick = |values: &[i32]| values.get(stream.below(values.len())).copied().unwrap_or(0);
        let site = pick(&[480, 500, 520, 540]);
        Self {
            site,
            pitch: pick(&[330, 340, 350]),
            tracks: pick(&[8, 8, 9]) as usize,
            gate: pick(&[140, 150, 160]),
            local: site / 2 - 100,
            wire: pick(&[140, 150]),
            wide: pick(&[280, 300]),
            rail: pick(&[440, 480]),
            cut: pick(&[150, 160]),
            strap: pick(&[1200, 1600]),
            strap_pitch: pick(&[22_000, 27_000, 36_000]),
        }
    }

    /// A cell's height.
    fn height(&self) -> i32 {
        self.pitch * self.tracks as i32
    }

    /// Where half column `h` is.
    fn x(&self, h: i32) -> i32 {
        h * (self.site / 2)
    }
}

/// The layers of a layout being made, and the window that will be shown of it.
struct Canvas {
    layers: Vec<Polygons>,
    window: Bounds,
}

impl Canvas {
    fn new(window: Bounds) -> Self {
        Self { layers: vec![Polygons::default(); LAYERS.len()], window }
    }

    /// Adds the rectangle from (x0, y0) to (x1, y1), unless none of it would be seen.
    fn add(&mut self, layer: Layer, [x0, y0, x1, y1]: [i32; 4]) {
        let Bounds { low, high } = self.window;
        if x1 <= low[0] || y1 <= low[1] || x0 >= high[0] || y0 >= high[1] {
            return;
        }
        if let Some(polygons) = self.layers.get_mut(layer as usize) {
            polygons.push_rectangle([x0, y0, x1, y1]);
        }
    }

    /// Adds the rectangle of that width and height around (x, y).
    fn add_around(&mut self, layer: Layer, [x, y]: [i32; 2], width: i32, height: i32) {
        self.add(layer, [x - width / 2, y - height / 2, x + width / 2, y + height / 2]);
    }
}

impl Synth {
    /// Bytes of all tiles' pictures: of every pixel the coverage by each layer.
    pub fn bytes(&self) -> usize {
        let side = (self.size * self.resolution).max(0.0).ceil() as usize;
        let pixels = side.saturating_mul(side).saturating_mul(self.tiles);
        pixels.saturating_mul(LAYERS.len())
    }

    /// Bytes that drawing takes on so many threads, beside the pictures: polygons of a layout, their sides, and the rows at hand.
    pub fn drawing(&self, threads: usize) -> usize {
        /// Bytes of the polygons and sides of a square micrometer, measured.
        const DENSITY: f64 = 1500.0;
        let side = (self.size * self.resolution).max(0.0);
        let rows = side * side.min(512.0) * LAYERS.len() as f64;
        let tile = self.size * self.size * DENSITY + rows;
        (tile * threads.min(self.tiles) as f64) as usize
    }

    /// The tiles as flat layouts, in database units of 1 nm. Errors: sizes and resolutions out of range.
    pub fn layouts(&self) -> Result<Vec<Layout>, DataError> {
        self.each(Ok)
    }

    /// The tiles, drawn: into memory where all of them find place there, else into the store. Errors: as
    /// [`Synth::layouts`], and pictures too large to draw.
    pub fn load(&self, store: &Store) -> Result<Vec<Picture>, DataError> {
        if self.bytes() > store.memory().limit() {
            return stored::load(self, store);
        }
        self.each(|layout| raster::rasterize(&layout, self.resolution))
    }

    /// What `made` makes of each tile, in their order.
    fn each<T: Send>(&self, made: impl Fn(Layout) -> Result<T, DataError> + Sync) -> Result<Vec<T>, DataError> {
        let limits = [("size", self.size, 2.0, 2000.0), ("resolution", self.resolution, 0.1, 1000.0)];
        for (setting, value, low, high) in limits {
            if !(low..=high).contains(&value) {
                return Err(DataError::BadSetting { setting, value, low, high });
            }
        }
        let process = Process::new(self.seed);
        let library = cells::library(&process, self.seed);
        let tile = |tile| made(self.tile(&process, &library, tile));
        let tiles: Vec<_> = (0..self.tiles).into_par_iter().map(tile).collect();
        tiles.into_iter().collect()
    }

    fn tile(&self, process: &Process, library: &[Cell], tile: usize) -> Layout {
        let stream = |purpose: Purpose| Stream::new(self.seed, &[purpose as u64, tile as u64]);
        let size = (self.size * 1000.0).round() as i32;
        let seen = &mut stream(Purpose::Place);
        // Rows and columns begin outside the window, so a tile is a part of a chip and not one with a border.
        let [x, y] = place::margin(process, seen);
        let bounds = Bounds { low: [x, y], high: [x + size, y + size] };
        let mut canvas = Canvas::new(bounds);
        let placed = place::place(process, library, seen, &mut canvas);
        route::route(process, &placed, &mut stream(Purpose::Route), &mut canvas);
        let layer = |(&(name, layer, datatype, weight), polygons): (&(&str, u32, u32, f32), Polygons)| LayoutLayer {
            key: LayerKey { layer, datatype },
            name: name.into(),
            weight,
            polygons,
        };
        Layout {
            name: format!("synth-{tile}"),
            layers: LAYERS.iter().zip(canvas.layers).map(layer).collect(),
            unit: 0.001,
            bounds,
        }
    }
}

#[cfg(test)]
mod tests;
