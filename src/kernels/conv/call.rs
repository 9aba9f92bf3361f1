//! What a convolution is asked for, and what it returns: the types that all its algorithms share.

use crate::batch_norm::{self, Lines, Map};
use crate::{Float, Mismatch};

/// What a convolution reads: a map (batch, height, width, inputs), or what lines make of its channels.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a, T> {
    /// The map.
    pub numbers: &'a [T],
    /// What is done to each number before it is read; what pads the map stays 0.
    pub lines: Option<&'a Lines<T>>,
}

impl<'a, T> From<&'a [T]> for Seen<'a, T> {
    fn from(numbers: &'a [T]) -> Self {
        Self { numbers, lines: None }
    }
}

impl<'a, T> From<&'a Vec<T>> for Seen<'a, T> {
    fn from(numbers: &'a Vec<T>) -> Self {
        Self { numbers, lines: None }
    }
}

impl<T: Float> Seen<'_, T> {
    /// The numbers after the lines, written out.
    pub(super) fn made(&self, channels: usize) -> Result<Option<Vec<T>>, Mismatch> {
        let Some(lines) = self.lines else { return Ok(None) };
        if self.numbers.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let map = Map { images: 1, channels, cells: self.numbers.len() / channels.max(1), last: true };
        batch_norm::value(&map, self.numbers, lines).map(Some)
    }
}

/// What is done with a convolution's value before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// max(0, ·).
    Relu,
    /// max(0, ·), then the maximum of each 2 × 2 window every 2 cells; an incomplete last window is dropped.
    ReluPool,
}

/// How the factors of products are taken, where `f32` numbers are convolved and channels mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    /// As they are.
    Single,
    /// Rounded to bfloat16, where the machine multiplies such numbers; as they are elsewhere. Sums are in `f32`.
    Rounded,
}

/// The cell number of a window whose maximum is not above 0: no gradient goes there.
pub const DEAD: u8 = 4;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub struct Value<T> {
    /// (batch, h, w, outputs), where h and w are halved, rounded down, if the value is pooled.
    pub numbers: Vec<T>,
    /// With [`After::ReluPool`], for every number the first cell of its window that is as large (0 to 3, by rows), or
    /// [`DEAD`]; otherwise empty.
    pub cells: Vec<u8>,
}

/// What backward needs of forward.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a, T> {
    /// What was done with the value.
    pub after: After,
    /// [`Value::numbers`].
    pub value: &'a [T],
    /// [`Value::cells`].
    pub cells: &'a [u8],
}

/// Which gradients are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input.
    pub x: bool,
    /// That of the weight.
    pub weight: bool,
    /// That of the bias.
    pub bias: bool,
}

/// The gradients that were wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradients<T> {
    /// (batch, height, width, inputs).
    pub x: Option<Vec<T>>,
    /// (outputs, inputs / groups, kernel, kernel).
    pub weight: Option<Vec<T>>,
    /// (outputs).
    pub bias: Option<Vec<T>>,
}
