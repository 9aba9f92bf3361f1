//! Draws pictures row of tiles by row of tiles, so that memory holds one row of packed squares at a time.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::packed::{join, pack_rows};
use super::tile::TILE;
use crate::DataError;
use crate::picture::{SQUARE, Samples};

/// Takes the samples of a layer in at most 128 rows, whole ones: the layer, the first row (a multiple of 128), and the
/// samples. In any order, from any thread.
pub type Sink<'a> = &'a (dyn Fn(usize, usize, Samples) + Sync);

/// What can draw a picture in parts, and draws the same every time.
pub trait Paint: Send + Sync {
    /// Draws all layers in `rows`, which begin at a multiple of 512 and are at most as many. A layer that is not passed
    /// on has nothing there.
    fn paint(&self, rows: Range<usize>, sink: Sink<'_>) -> Result<(), DataError>;
}

/// The size of a picture and how many layers it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Layers.
    pub layers: usize,
}

impl Shape {
    /// Columns and rows of tiles.
    pub fn tiles(&self) -> (usize, usize) {
        (self.width.div_ceil(SQUARE * TILE), self.height.div_ceil(SQUARE * TILE))
    }

    /// Columns and rows of squares.
    pub fn squares(&self) -> (usize, usize) {
        (self.width.div_ceil(SQUARE), self.height.div_ceil(SQUARE))
    }

    /// Width and height of a square.
    pub fn square(&self, column: usize, row: usize) -> (usize, usize) {
        let side = |at: usize, all: usize| all.saturating_sub(at * SQUARE).min(SQUARE);
        (side(column, self.width), side(row, self.height))
    }

    /// The columns and rows of squares of a tile.
    pub fn of_tile(&self, column: usize, row: usize) -> (Range<usize>, Range<usize>) {
        let span = |at: usize, all: usize| at * TILE..((at + 1) * TILE).min(all);
        let (across, down) = self.squares();
        (span(column, across), span(row, down))
    }
}

/// A row of packed tiles.
pub struct TileRow {
    /// The squares of each tile, row by row.
    pub tiles: Vec<Vec<Vec<u8>>>,
    /// The sum of each layer's samples, in 16 bits.
    pub sums: Vec<u128>,
}

/// Draws row `row` of tiles.
pub fn tile_row(painter: &dyn Paint, shape: Shape, row: usize) -> Result<TileRow, DataError> {
    let first = row * SQUARE * TILE;
    let rows = first..(first + SQUARE * TILE).min(shape.height);
    // Packed blocks by row of squares and layer, each from left to right.
    let down = rows.len().div_ceil(SQUARE);
    let drawn = Mutex::new((vec![Vec::new(); down * shape.layers], vec![0u128; shape.layers]));
    painter.paint(rows, &|layer, y, samples| {
        let (blocks, sum) = (pack_rows(&samples, shape.width), sum(&samples));
        let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(slot), true) = (drawn.0.get_mut((y - first) / SQUARE * shape.layers + layer), layer < shape.layers)
        {
            *slot = blocks;
        }
        drawn.1.get_mut(layer).into_iter().for_each(|all| *all += sum);
    })?;
    let (blocks, sums) = drawn.into_inner().unwrap_or_else(PoisonError::into_inner);
    let nothing = || vec![0u8];
    let square = |column: usize, row: usize| {
        let (width, height) = shape.square(column, row);
        let start = (row - first / SQUARE) * shape.layers;
        let layers = blocks.get(start..start + shape.layers).unwrap_or_default();
        join(width, height, layers.iter().map(|row: &Vec<Vec<u8>>| row.get(column).cloned().unwrap_or_else(nothing)))
    };
    let tile = |tile: usize| {
        let (columns, rows) = shape.of_tile(tile, row);
        rows.flat_map(|row| columns.clone().map(move |column| (column, row))).map(|(c, r)| square(c, r)).collect()
    };
    Ok(TileRow { tiles: (0..shape.tiles().0).map(tile).collect(), sums })
}

fn sum(samples: &Samples) -> u128 {
    let wide = match samples {
        Samples::Eight(values) => 257 * values.iter().map(|&v| u64::from(v)).sum::<u64>(),
        Samples::Sixteen(values) => values.iter().map(|&v| u64::from(v)).sum(),
    };
    u128::from(wide)
}
