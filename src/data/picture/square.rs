//! Samples in squares of 128 × 128 px: the unit in which pictures are kept, packed and read.
#![allow(clippy::indexing_slicing)] // hot loops over rows whose lengths are made here

use std::ops::Range;
use std::sync::Arc;

use super::{Pixels, Run};
use crate::DataError;

/// Pixels along the side of a square.
pub const SQUARE: usize = 128;

/// Samples of one layer, in 8 bits (coverage) or 16 bits; the greatest value is 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// 0 is nothing, 255 is 1.
    Eight(Vec<u8>),
    /// 0 is nothing, 65535 is 1.
    Sixteen(Vec<u16>),
}

impl Samples {
    /// So many zeros.
    pub fn zeros(count: usize, sixteen: bool) -> Self {
        if sixteen { Self::Sixteen(vec![0; count]) } else { Self::Eight(vec![0; count]) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Eight(values) => values.len(),
            Self::Sixteen(values) => values.len(),
        }
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples as numbers in 0..=1.
    pub fn shares(&self) -> Box<dyn Iterator<Item = f32> + '_> {
        match self {
            Self::Eight(values) => Box::new(values.iter().map(|&c| f32::from(c) / 255.0)),
            Self::Sixteen(values) => Box::new(values.iter().map(|&c| f32::from(c) / 65_535.0)),
        }
    }

    /// The samples in 8 bits, rounded.
    pub fn eight(&self) -> std::borrow::Cow<'_, [u8]> {
        match self {
            Self::Eight(values) => values.into(),
            Self::Sixteen(values) => values.iter().map(|&c| narrow(c)).collect(),
        }
    }

    /// Writes a run at index `at`; what reaches beyond the end, or has more bits than there is room for, is cut.
    pub fn put(&mut self, at: usize, run: Run<'_>) {
        match self {
            Self::Eight(values) => match run {
                Run::Flat(value, count) => values[at..at + count].fill(narrow(value)),
                Run::Eight(run) => values[at..at + run.len()].copy_from_slice(run),
                Run::Sixteen(run) => values[at..].iter_mut().zip(run).for_each(|(to, &c)| *to = narrow(c)),
            },
            Self::Sixteen(values) => match run {
                Run::Flat(value, count) => values[at..at + count].fill(value),
                Run::Eight(run) => values[at..].iter_mut().zip(run).for_each(|(to, &c)| *to = wide(c)),
                Run::Sixteen(run) => values[at..at + run.len()].copy_from_slice(run),
            },
        }
    }
}

/// 16 bits in 8, rounded.
fn narrow(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

fn wide(value: u8) -> u16 {
    u16::from(value) * 257
}

/// One layer of a square.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// All samples have this value, in 16 bits.
    Flat(u16),
    /// Rows of samples.
    Eight(Box<[u8]>),
    /// Rows of samples.
    Sixteen(Box<[u16]>),
}

impl Block {
    /// Takes the samples in, as one value where they are all alike. There is at least one.
    pub fn of(samples: Samples) -> Self {
        match samples {
            Samples::Eight(values) => match values.first() {
                Some(&first) if values.iter().all(|v| *v == first) => Self::Flat(wide(first)),
                _ => Self::Eight(values.into()),
            },
            Samples::Sixteen(values) => match values.first() {
                // What 8 bits hold too could not be told from them.
                Some(&first) if first % 257 == 0 && values.iter().all(|v| *v == first) => Self::Flat(first),
                _ => Self::Sixteen(values.into()),
            },
        }
    }

    /// Bytes of its samples.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Flat(_) => 0,
            Self::Eight(values) => values.len(),
            Self::Sixteen(values) => 2 * values.len(),
        }
    }
}

/// All layers of at most 128 × 128 px.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Square {
    /// Pixels in a row.
    pub width: usize,
    /// The layers, the lowest first.
    pub blocks: Vec<Block>,
}

impl Square {
    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| block.bytes() + size_of::<Block>());
        blocks.sum::<usize>() + size_of::<Self>()
    }
}

/// A picture in memory.
#[derive(Clone, Debug)]
pub struct Held {
    across: usize,
    squares: Vec<Arc<Square>>,
}

impl Held {
    /// Cuts layers, each of `height` rows of `width` samples, into squares.
    pub fn new(width: usize, height: usize, layers: &[Samples]) -> Self {
        let (across, down) = (width.div_ceil(SQUARE), height.div_ceil(SQUARE));
        let square = |k: usize| Arc::new(cut(width, height, layers, k % across * SQUARE, k / across * SQUARE));
        Self { across, squares: (0..across * down).map(square).collect() }
    }

    /// A picture of these squares, `across` in a row.
    pub fn of(across: usize, squares: Vec<Square>) -> Self {
        Self { across, squares: squares.into_iter().map(Arc::new).collect() }
    }
}

/// The square from (x, y) on.
pub fn cut(width: usize, height: usize, layers: &[Samples], x: usize, y: usize) -> Square {
    let (right, bottom) = ((x + SQUARE).min(width), (y + SQUARE).min(height));
    let block = |samples: &Samples| {
        if samples.len() < width * height {
            return Block::Flat(0);
        }
        Block::of(match samples {
            Samples::Eight(v) => Samples::Eight(window(v, width, x..right, y..bottom)),
            Samples::Sixteen(v) => Samples::Sixteen(window(v, width, x..right, y..bottom)),
        })
    };
    Square { width: right - x, blocks: layers.iter().map(block).collect() }
}

/// The samples of a window of rows of `width`, row by row.
fn window<T: Copy>(samples: &[T], width: usize, columns: Range<usize>, rows: Range<usize>) -> Vec<T> {
    let mut out = Vec::with_capacity(columns.len() * rows.len());
    for row in rows {
        out.extend_from_slice(&samples[row * width + columns.start..row * width + columns.end]);
    }
    out
}

impl Pixels for Held {
    fn square(&self, column: usize, row: usize) -> Result<Arc<Square>, DataError> {
        Ok(self.squares.get(row * self.across + column).cloned().unwrap_or_default())
    }
}
