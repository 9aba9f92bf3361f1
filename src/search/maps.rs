#![allow(clippy::indexing_slicing)] // copies between maps whose sizes are checked where they are made
//! The maps of a picture of any size, put together from tiles.
//!
//! A network sees zeros beyond the edge of what it is given. So tiles overlap, and what lies near a tile's edge is taken
//! from its neighbor; at the picture's own edge its outermost pixels are repeated.

use rord_data::patch::Rect;
use rord_engine::predict::Picture;
use rord_matching::dense::Dense;
use rord_matching::features::{Features, KeyPoints, Scores, Select};

use crate::network::{Network, SearchError};
use crate::tiles::even;

/// A picture that is read by windows.
pub trait Pixels {
    /// Width and height.
    fn size(&self) -> [usize; 2];
    /// Numbers in a pixel.
    fn channels(&self) -> usize;
    /// The window's values in 0..=1, (channels, height, width); beyond the picture its outermost pixels are repeated.
    /// Errors: in words.
    fn read(&self, window: Rect) -> Result<Vec<f32>, String>;
}

/// Scores and descriptors of a part of a picture. Its first pixel is (0, 0).
#[derive(Clone, Debug, Default)]
pub struct Maps {
    /// Descriptors.
    pub dense: Dense,
    /// Scores, row by row.
    pub scores: Vec<f32>,
    /// Rows and columns of the scores.
    pub cells: [usize; 2],
}

/// The largest sides of a tile's core and how far tiles reach beyond it, in pixels.
const CORE: usize = 1024;
pub(crate) const HALO: usize = 64;

impl Maps {
    /// The maps of a whole small picture, fed as it is but for its sides, which are filled up to multiples of
    /// [`Network::UNIT`] by repeating its outermost pixels.
    pub fn of(network: &mut Network<'_>, pixels: &dyn Pixels) -> Result<Self, SearchError> {
        let [width, height] = pixels.size().map(|side| side.next_multiple_of(Network::UNIT).max(Network::UNIT));
        let window = Rect { x: 0, y: 0, width, height };
        Self::over(network, pixels, window, [width, height], 0, &mut |_| true)
    }

    /// The maps of a window, by tiles. `progress` hears how many pixels were done and returns false to stop; then the
    /// rest of the maps is 0.
    pub fn by_tiles(
        network: &mut Network<'_>,
        pixels: &dyn Pixels,
        window: Rect,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Self, SearchError> {
        let side = |side: usize| side.next_multiple_of(Network::UNIT);
        let window = Rect { width: side(window.width), height: side(window.height), ..window };
        let core = [even(window.width, CORE), even(window.height, CORE)];
        Self::over(network, pixels, window, core, HALO, progress)
    }

    fn over(
        network: &mut Network<'_>,
        pixels: &dyn Pixels,
        window: Rect,
        [core_x, core_y]: [usize; 2],
        halo: usize,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Self, SearchError> {
        let mut maps = Self::default();
        let (width, height) = (core_x + 2 * halo, core_y + 2 * halo);
        for top in (0..window.height).step_by(core_y.max(1)) {
            for left in (0..window.width).step_by(core_x.max(1)) {
                let (x, y) = (window.x + left as i64 - halo as i64, window.y + top as i64 - halo as i64);
                let values = pixels.read(Rect { x, y, width, height }).map_err(SearchError::Pixels)?;
                let picture = Picture { values: &values, channels: pixels.channels(), height, width };
                let raw = network.maps(&picture)?;
                let (channels, rows, columns, descriptors) = &raw.descriptors;
                let step = [width / columns, height / rows];
                let (score_rows, score_columns, scores) = &raw.scores;
                let score_step = [width / score_columns, height / score_rows];
                if maps.scores.is_empty() {
                    maps.begin(window, *channels, step, score_step);
                }
                let tile = Tile { at: [left, top], core: [core_x, core_y], halo };
                let dense = &mut maps.dense;
                tile.put(descriptors, *channels, *columns, step, &mut dense.values, [dense.height, dense.width]);
                tile.put(scores, 1, *score_columns, score_step, &mut maps.scores, maps.cells);
                if !progress(core_x.min(window.width - left) * core_y.min(window.height - top)) {
                    return Ok(maps);
                }
            }
        }
        Ok(maps)
    }

    fn begin(&mut self, window: Rect, channels: usize, step: [usize; 2], score_step: [usize; 2]) {
        let cells = |step: [usize; 2]| [window.height.div_ceil(step[1]), window.width.div_ceil(step[0])];
        let [height, width] = cells(step);
        let size = [width * step[0], height * step[1]];
        self.dense = Dense { values: vec![0.0; height * width * channels], height, width, channels, size };
        self.cells = cells(score_step);
        self.scores = vec![0.0; self.cells[0] * self.cells[1]];
    }

    /// Key points of the first `size` pixels with their descriptors.
    pub fn features(&self, size: [usize; 2], select: &Select) -> Features {
        Features::sample(self.key_points(size, select), &self.dense)
    }

    /// Key points of the first `size` pixels.
    pub fn key_points(&self, size: [usize; 2], select: &Select) -> KeyPoints {
        let [height, width] = self.cells;
        let scores = Scores { values: &self.scores, height, width, size: self.dense.size };
        let mut points = scores.key_points(select);
        let inside =
            |p: &[f64; 2]| p[0] <= size[0] as f64 - 1.0 - select.border && p[1] <= size[1] as f64 - 1.0 - select.border;
        let kept: Vec<bool> = points.places.iter().map(inside).collect();
        let mut keep = kept.iter();
        points.places.retain(|_| keep.next().copied().unwrap_or(false));
        let mut keep = kept.iter();
        points.scores.retain(|_| keep.next().copied().unwrap_or(false));
        points
    }
}

/// Where a tile's core lies in a window, in pixels, and how far the tile reaches beyond it.
struct Tile {
    at: [usize; 2],
    core: [usize; 2],
    halo: usize,
}

impl Tile {
    /// Copies the core of a tile's map, cells of `step` pixels with `channels` numbers side by side, into the map of the window.
    fn put(
        &self,
        cells: &[f32],
        channels: usize,
        columns: usize,
        step: [usize; 2],
        out: &mut [f32],
        [height, width]: [usize; 2],
    ) {
        let [left, top] = [self.at[0] / step[0], self.at[1] / step[1]];
        let [skip_x, skip_y] = step.map(|step| self.halo / step);
        let count = (self.core[0] / step[0]).min(width.saturating_sub(left)) * channels;
        for row in 0..(self.core[1] / step[1]).min(height.saturating_sub(top)) {
            let from = ((row + skip_y) * columns + skip_x) * channels;
            let to = ((top + row) * width + left) * channels;
            out[to..to + count].copy_from_slice(&cells[from..from + count]);
        }
    }
}
