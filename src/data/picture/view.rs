//! A part of a picture at hand: its squares, read row by row without a copy.
#![allow(clippy::indexing_slicing)] // hot loops over rows that lie in squares made for them

use std::sync::Arc;

use super::{Block, Picture, SQUARE, Square};

/// Samples beside each other in one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Run<'a> {
    /// So many samples of one value, in 16 bits.
    Flat(u16, usize),
    /// Samples in 8 bits.
    Eight(&'a [u8]),
    /// Samples in 16 bits.
    Sixteen(&'a [u16]),
}

/// The squares around a window of a picture.
pub struct View {
    /// The first column and row of squares, and how many are in a row.
    first: (usize, usize),
    across: usize,
    squares: Vec<Arc<Square>>,
}

impl View {
    /// The squares that hold columns `x.0..x.1` and rows `y.0..y.1`.
    pub(super) fn new(picture: &Picture, x: (usize, usize), y: (usize, usize)) -> Self {
        let span = |(from, until): (usize, usize), side: usize| {
            let until = until.min(side);
            (from / SQUARE, until.div_ceil(SQUARE).max(from / SQUARE))
        };
        let ((left, right), (top, bottom)) = (span(x, picture.width), span(y, picture.height));
        let across = right - left;
        let square = |k: usize| picture.square(left + k % across, top + k / across);
        Self { first: (left, top), across, squares: (0..across * (bottom - top)).map(square).collect() }
    }

    /// Whether a layer has more than 8 bits here.
    pub fn sixteen(&self, layer: usize) -> bool {
        self.squares.iter().any(|square| matches!(square.blocks.get(layer), Some(Block::Sixteen(_))))
    }

    /// Whether a layer has nothing here.
    pub fn empty(&self, layer: usize) -> bool {
        self.squares.iter().all(|square| matches!(square.blocks.get(layer), None | Some(Block::Flat(0))))
    }

    /// Passes the samples of a layer in row `y` from column `x.0` to `x.1`, which the view holds, to `each`, with the
    /// distance of the first of them from `x.0`. What has no sample is passed over.
    pub fn runs<'a>(&'a self, layer: usize, y: usize, x: (usize, usize), mut each: impl FnMut(usize, Run<'a>)) {
        let row = (y / SQUARE).wrapping_sub(self.first.1) * self.across;
        let mut at = x.0;
        while at < x.1 {
            let column = at / SQUARE;
            let until = x.1.min((column + 1) * SQUARE);
            let Some(square) = self.squares.get(row + column.wrapping_sub(self.first.0)) else { return };
            let start = y % SQUARE * square.width + at % SQUARE;
            let end = start + (until - at);
            match square.blocks.get(layer) {
                Some(Block::Flat(value)) => each(at - x.0, Run::Flat(*value, until - at)),
                Some(Block::Eight(values)) => each(at - x.0, Run::Eight(&values[start..end])),
                Some(Block::Sixteen(values)) => each(at - x.0, Run::Sixteen(&values[start..end])),
                None => {}
            }
            at = until;
        }
    }
}
