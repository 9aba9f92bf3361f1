//! Windows of a map, one for each place: the whole map, its tiles, or the cells around given places.

use candle_core::{Result, Tensor};

use crate::compute::Call;
use crate::compute::memory::bytes;
use crate::compute::places::{middle, sizes};
use crate::compute::samples::numbers;
use crate::compute::slices::constant;
use rord_lang::vocabulary::Shapes;

/// The cells of `count` windows for each sample, all with room for as many.
pub struct Windows {
    /// (B, N, K): the cell of the flattened channels, rows and columns.
    cells: Tensor,
    /// (B, N, K): 0 for a cell of the map, and a number that no softmax sees for what lies outside.
    hidden: Tensor,
    /// (B, N, K): the normalized x of every cell's middle.
    pub x: Tensor,
    /// (B, N, K): the same of y.
    pub y: Tensor,
}

/// What is added to a score that is none.
const HIDDEN: f64 = -1e30;

/// The window around a place where the call does not say how wide it is.
const AROUND: usize = 5;

/// One sample's lists.
#[derive(Default)]
struct Lists {
    cells: Vec<u32>,
    hidden: Vec<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Lists {
    fn push(&mut self, cell: usize, [x, y]: [f64; 2], hidden: bool) -> Result<()> {
        self.cells.push(u32::try_from(cell).map_err(candle_core::Error::wrap)?);
        self.hidden.push(if hidden { HIDDEN } else { 0.0 });
        self.x.push(x);
        self.y.push(y);
        Ok(())
    }
}

impl Windows {
    /// The windows that `score`, `at` and `window` of a call ask for.
    pub fn of(call: &Call) -> Result<Windows> {
        let score = call.tensor("score")?;
        let (batch, channels, height, width) = score.dims4()?;
        let window = if call.settings.get("window").is_some() { call.count("window").ok() } else { None };
        let place = |row: usize, column: usize| [middle(column, width), middle(row, height)];
        let mut lists = Lists::default();
        let (samples, count) = match (call.maybe("at"), window) {
            (Some(at), window) => {
                let (_, count) = sizes(at)?;
                let reach = (window.unwrap_or(AROUND) / 2) as i64;
                let inside = |i: i64, n: usize| usize::try_from(i).ok().filter(|i| *i < n);
                for p in numbers(at)?.chunks_exact(2) {
                    let &[x, y] = p else { continue };
                    let nearest = |x: f64, n: usize| (0.5 * (x + 1.0) * n as f64).floor() as i64;
                    let (column, row) = (nearest(x, width), nearest(y, height));
                    let rows = row - reach..=row + reach;
                    let all = rows.flat_map(|r| (column - reach..=column + reach).map(move |c| (r, c)));
                    let all: Vec<_> = all.map(|(r, c)| inside(r, height).zip(inside(c, width))).collect();
                    // A place that sees nothing of the map stays where it is.
                    let none = all.iter().all(Option::is_none);
                    for cell in all {
                        match cell {
                            Some((r, c)) => lists.push(r * width + c, place(r, c), false)?,
                            None => lists.push(0, if none { [x, y] } else { [0.0, 0.0] }, !none)?,
                        }
                    }
                }
                (batch, count)
            }
            (None, Some(window)) => {
                let (rows, columns) = (height / window.max(1), width / window.max(1));
                for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r * window, c * window))) {
                    for (r, c) in (row..row + window).flat_map(|r| (column..column + window).map(move |c| (r, c))) {
                        lists.push(r * width + c, place(r, c), false)?;
                    }
                }
                (1, rows * columns)
            }
            (None, None) => {
                for cell in 0..channels * height * width {
                    lists.push(cell, place(cell / width % height, cell % width), false)?;
                }
                (1, channels)
            }
        };
        let size = lists.cells.len() / (samples * count).max(1);
        let table = |numbers: Vec<f64>| {
            constant(numbers, (samples, count, size), score)?.broadcast_as((batch, count, size))?.contiguous()
        };
        let cells = Tensor::from_vec(lists.cells, (samples, count, size), score.device())?;
        let cells = cells.broadcast_as((batch, count, size))?.contiguous()?;
        Ok(Windows { cells, hidden: table(lists.hidden)?, x: table(lists.x)?, y: table(lists.y)? })
    }

    /// The softmax of `score` / temperature over each window: (B, N, K).
    pub fn softmax(&self, call: &Call) -> Result<Tensor> {
        let (score, temperature) = (call.tensor("score")?, call.number("temperature")?);
        let (batch, count, size) = self.cells.dims3()?;
        let flat = score.contiguous()?.flatten_from(1)?;
        let read = flat.gather(&self.cells.reshape((batch, count * size))?, 1)?.reshape((batch, count, size))?;
        let scores = ((read / temperature)? + &self.hidden)?;
        let powers = scores.broadcast_sub(&scores.max_keepdim(2)?)?.exp()?;
        powers.broadcast_div(&powers.sum_keepdim(2)?)
    }

    /// The gradient of the score, from that of the scores of the windows divided by the temperature, (B, N, K).
    pub fn to_score(&self, call: &Call, grad: &Tensor) -> Result<Tensor> {
        let score = call.tensor("score")?;
        let (batch, count, size) = self.cells.dims3()?;
        let zeros = Tensor::zeros(score.shape(), grad.dtype(), grad.device())?.flatten_from(1)?;
        let grad = (grad / call.number("temperature")?)?.contiguous()?.reshape((batch, count * size))?;
        zeros.scatter_add(&self.cells.reshape((batch, count * size))?, &grad, 1)?.reshape(score.shape())
    }

    /// The weighted mean of the cells' places: x and y, (B, N, 1) each.
    pub fn mean(&self, weights: &Tensor) -> Result<[Tensor; 2]> {
        let along = |places: &Tensor| (weights * places)?.sum_keepdim(2);
        Ok([along(&self.x)?, along(&self.y)?])
    }

    /// The bytes of one of its tables, of numbers, for these shapes.
    pub fn bytes(shapes: &Shapes<'_>) -> usize {
        let window = shapes.settings.count("window").unwrap_or(AROUND);
        match shapes.of("at") {
            Some(at) => bytes(at).saturating_mul(window.saturating_mul(window)) / 2,
            None => shapes.of("score").map_or(0, bytes),
        }
    }
}
