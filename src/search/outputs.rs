//! What a network exports for a picture of any size, as it is: maps put together from tiles, everything else from the
//! whole picture.

use candle_core::{DType, Tensor};

use rord_engine::predict::{Picture, Predictor};
use rord_lang::types::Kind;

use crate::maps::Pixels;
use crate::network::SearchError;
use crate::tiles::{Tile, tiles};

/// An exported value.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its sizes without the batch: channels, rows, columns of a map.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f32>,
}

/// The most numbers of a value that are put together: 1 GiB.
const MOST: usize = 1 << 28;

/// Every export, in their order. A map that comes in cells of n pixels has as many cells as it takes to cover the
/// picture. `progress` is as in [`crate::detect::features`].
///
/// Errors: of a picture that is not fed whole, a value that is no map; a map of more than 2²⁸ numbers.
pub fn outputs(
    predictor: &mut Predictor<'_>,
    pixels: &dyn Pixels,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Vec<Output>>, SearchError> {
    let size = pixels.size();
    if let Some(wanted) = predictor.channels().filter(|c| *c != pixels.channels()) {
        return Err(SearchError::Channels { found: pixels.channels(), wanted });
    }
    let exports = names(predictor);
    let mut all: Vec<Output> = Vec::new();
    let (mut done, pixels_in_all) = (0, size[0] as u64 * size[1] as u64);
    for tile in tiles(size, predictor.fixed())? {
        let (width, height) = (tile.window.width, tile.window.height);
        let values = pixels.read(tile.window).map_err(SearchError::Pixels)?;
        let tensors = predictor.run(&Picture { values: &values, channels: pixels.channels(), height, width })?;
        add(&mut all, &tensors, &exports, &tile, size)?;
        done += tile.core.width as u64 * tile.core.height as u64;
        if !progress(done, pixels_in_all) {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

/// The most pixels of pictures that are fed at once.
pub const TOGETHER: usize = 1 << 18;

/// As [`outputs`], of pictures of one size, all of them fed at once: what is made of small ones so takes a fraction of the time.
///
/// Errors: as of [`outputs`]; pictures of several sizes.
pub fn outputs_together(
    predictor: &mut Predictor<'_>,
    pictures: &[&dyn Pixels],
) -> Result<Vec<Vec<Output>>, SearchError> {
    let Some(first) = pictures.first() else { return Ok(Vec::new()) };
    let size = first.size();
    if let Some(other) = pictures.iter().find(|p| p.size() != size) {
        return Err(SearchError::Fixed { wanted: size.map(Some), found: other.size() });
    }
    if let Some(wanted) = predictor.channels().filter(|c| *c != first.channels()) {
        return Err(SearchError::Channels { found: first.channels(), wanted });
    }
    let Some(tile) = tiles(size, predictor.fixed())?.next() else { return Ok(Vec::new()) };
    let mut values = Vec::new();
    for pixels in pictures {
        values.extend(pixels.read(tile.window).map_err(SearchError::Pixels)?);
    }
    let (width, height) = (tile.window.width, tile.window.height);
    let fed = Picture { values: &values, channels: first.channels(), height, width };
    let tensors = predictor.run_several(pictures.len(), &fed)?;
    let exports = names(predictor);
    let one = |at: usize| {
        let own: Vec<Tensor> = tensors.iter().map(|t| t.narrow(0, at, 1)).collect::<candle_core::Result<_>>()?;
        let mut all = Vec::new();
        add(&mut all, &own, &exports, &tile, size)?;
        Ok(all)
    };
    (0..pictures.len()).map(one).collect()
}

/// What is exported.
fn names(predictor: &Predictor<'_>) -> Vec<(String, Kind)> {
    predictor.exports().iter().map(|e| (e.name.clone(), e.kind)).collect()
}

/// Adds what comes of a tile of a picture of `size`.
fn add(
    all: &mut Vec<Output>,
    tensors: &[Tensor],
    exports: &[(String, Kind)],
    tile: &Tile,
    size: [usize; 2],
) -> Result<(), SearchError> {
    let (width, height) = (tile.window.width, tile.window.height);
    for (index, (tensor, (name, kind))) in tensors.iter().zip(exports).enumerate() {
        let whole = tile.core.width == size[0] && tile.core.height == size[1];
        let part = Part { dims: tensor.dims(), tile };
        let Some([channels, rows, columns]) = part.map() else {
            if !whole {
                return Err(SearchError::Whole { name: name.clone(), most: crate::tiles::WHOLE });
            }
            let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            let shape = tensor.dims().get(1..).unwrap_or_default().to_vec();
            all.push(Output { name: name.clone(), kind: *kind, shape, values });
            continue;
        };
        let step = [width / columns, height / rows];
        if all.len() <= index {
            let shape = vec![channels, size[1].div_ceil(step[1]), size[0].div_ceil(step[0])];
            let numbers = shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side));
            let Some(numbers) = numbers.filter(|n| *n <= MOST) else {
                return Err(SearchError::TooLarge { name: name.clone(), shape });
            };
            all.push(Output { name: name.clone(), kind: *kind, shape, values: vec![0.0; numbers] });
        }
        let numbers: Vec<f32> = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        if let Some(out) = all.get_mut(index) {
            part.put(&numbers, [rows, columns], step, out);
        }
    }
    Ok(())
}

/// What a tile has of a map.
struct Part<'a> {
    dims: &'a [usize],
    tile: &'a Tile,
}

impl Part<'_> {
    /// Channels, rows and columns, where it lies over the tile in whole cells.
    fn map(&self) -> Option<[usize; 3]> {
        let &[1, channels, rows, columns] = self.dims else { return None };
        let (width, height) = (self.tile.window.width, self.tile.window.height);
        let whole = rows > 0 && columns > 0 && height.is_multiple_of(rows) && width.is_multiple_of(columns);
        whole.then_some([channels, rows, columns])
    }

    /// Copies the tile's own cells, plane by plane.
    fn put(&self, numbers: &[f32], [rows, columns]: [usize; 2], step: [usize; 2], out: &mut Output) {
        let &[_, high, wide] = out.shape.as_slice() else { return };
        let Tile { window, core } = self.tile;
        let first = [(core.x as usize) / step[0], (core.y as usize) / step[1]];
        let skipped = [(core.x - window.x) as usize / step[0], (core.y - window.y) as usize / step[1]];
        let count = [core.width.div_ceil(step[0]).min(wide - first[0].min(wide)), core.height.div_ceil(step[1])];
        for (plane, to) in numbers.chunks_exact(rows * columns).zip(out.values.chunks_exact_mut((high * wide).max(1))) {
            for row in 0..count[1].min(high.saturating_sub(first[1])) {
                let from = (skipped[1] + row) * columns + skipped[0];
                let at = (first[1] + row) * wide + first[0];
                let line = plane.get(from..from + count[0]);
                if let (Some(line), Some(to)) = (line, to.get_mut(at..at + count[0])) {
                    to.copy_from_slice(line);
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::tiles::tiles;

    #[test]
    fn tiles_of_a_map_make_the_whole() {
        // Cells of 4 px that hold their own place; 1501 × 1202 px.
        let size = [1501, 1202];
        let shape = vec![2, 301, 376];
        let mut out = Output { name: "m".into(), kind: Kind::Prob, shape, values: vec![-1.0; 2 * 301 * 376] };
        for tile in tiles(size, [None; 2]).unwrap() {
            let (rows, columns) = (tile.window.height / 4, tile.window.width / 4);
            let (x, y) = (tile.window.x / 4, tile.window.y / 4);
            let place = |c: i64, r: i64, k: i64| ((y + k) * 1000 + x + r + 500_000 * c) as f32;
            let numbers: Vec<f32> = (0..2 * rows * columns)
                .map(|i| place((i / rows / columns) as i64, (i % columns) as i64, (i / columns % rows) as i64))
                .collect();
            let dims = [1, 2, rows, columns];
            let part = Part { dims: &dims, tile: &tile };
            assert_eq!(part.map(), Some([2, rows, columns]));
            part.put(&numbers, [rows, columns], [4, 4], &mut out);
        }
        for c in 0..2 {
            for row in 0..301 {
                for column in 0..376 {
                    let expected = (row * 1000 + column + 500_000 * c) as f32;
                    assert_eq!(out.values[(c * 301 + row) * 376 + column], expected, "{c} {row} {column}");
                }
            }
        }
    }
}
