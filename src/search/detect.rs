//! Key points of a picture of any size with their descriptors, tile by tile: memory is bounded by a tile and by how many
//! are kept.

use rord_engine::predict::Picture;
use rord_matching::dense::Dense;
use rord_matching::features::{Features, KeyPoints, Scores, Select};

use crate::maps::Pixels;
use crate::network::{Network, Raw, SearchError};
use crate::tiles::{Tile, tiles};

/// The surest key points of a picture, the surest first. Of a network without a detector they are the middles of cells,
/// evenly chosen. `progress` hears how many pixels are done of how many and returns false to stop: then there are none.
pub fn features(
    network: &mut Network<'_>,
    pixels: &dyn Pixels,
    select: &Select,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Features>, SearchError> {
    let [width, height] = pixels.size();
    let all = width as u64 * height as u64;
    let (mut found, mut done) = (Features::default(), 0);
    for tile in tiles([width, height], network.fixed())? {
        let values = pixels.read(tile.window).map_err(SearchError::Pixels)?;
        let window = tile.window;
        let picture =
            Picture { values: &values, channels: pixels.channels(), height: window.height, width: window.width };
        let mut raw = network.maps(&picture)?;
        let dense = dense(&mut raw, &tile);
        let points = match network.detects() {
            true => peaks(&raw, &tile, [width, height], select),
            false => grid(&dense, &tile, [width, height], select),
        };
        join(&mut found, Features::sample(points, &dense), &tile);
        // Now and then, so that sorting costs little.
        if found.len() > select.keep.saturating_mul(4) {
            surest(&mut found, select.keep);
        }
        done += tile.core.width as u64 * tile.core.height as u64;
        if !progress(done, all) {
            return Ok(None);
        }
    }
    surest(&mut found, select.keep);
    Ok(Some(found))
}

/// The descriptors, which are taken out.
fn dense(raw: &mut Raw, tile: &Tile) -> Dense {
    let (channels, rows, columns, values) = &mut raw.descriptors;
    let size = [tile.window.width, tile.window.height];
    let none = Dense { values: Vec::new(), height: *rows, width: *columns, channels: 0, size };
    Dense::new(std::mem::take(values), *channels, [*rows, *columns], size).unwrap_or(none)
}

/// The tile's own peaks of the scores, in the tile's pixels.
fn peaks(raw: &Raw, tile: &Tile, size: [usize; 2], select: &Select) -> KeyPoints {
    let (height, width, values) = &raw.scores;
    let (height, width) = (*height, *width);
    let scores = Scores { values, height, width, size: [tile.window.width, tile.window.height] };
    let whole = [tile.window.width, tile.window.height] == size;
    let border = if whole { select.border } else { 0.0 };
    only_own(scores.maxima(&Select { keep: usize::MAX, border, ..*select }), tile, size, select.border)
}

/// The middles of every n-th cell, n such that about as many as are kept lie in the picture.
fn grid(dense: &Dense, tile: &Tile, size: [usize; 2], select: &Select) -> KeyPoints {
    let step = dense.step();
    let cells = (size[0] as f64 / step[0]) * (size[1] as f64 / step[1]);
    let stride = (cells / select.keep.max(1) as f64).sqrt().ceil().max(1.0) as i64;
    let chosen = |cell: usize, from: i64, step: f64| {
        (from.div_euclid((step as i64).max(1)) + cell as i64).rem_euclid(stride) == stride / 2
    };
    let mut points = KeyPoints::default();
    for row in (0..dense.height).filter(|row| chosen(*row, tile.window.y, step[1])) {
        for column in (0..dense.width).filter(|column| chosen(*column, tile.window.x, step[0])) {
            points.places.push(dense.middle(row, column));
            points.scores.push(1.0);
        }
    }
    only_own(points, tile, size, select.border)
}

/// Without those that are another tile's, and those nearer than `border` to the picture's edge.
fn only_own(points: KeyPoints, tile: &Tile, size: [usize; 2], border: f64) -> KeyPoints {
    let [left, top] = tile.origin();
    let [right, bottom] = size.map(|side| side as f64 - 1.0 - border);
    let own = |[x, y]: [f64; 2]| {
        let (x, y) = (x + left, y + top);
        tile.owns([x, y]) && x >= border && y >= border && x <= right && y <= bottom
    };
    let kept = points.places.into_iter().zip(points.scores).filter(|(place, _)| own(*place));
    let (places, scores) = kept.unzip();
    KeyPoints { places, scores }
}

/// Adds what a tile has, in the picture's pixels.
fn join(all: &mut Features, more: Features, tile: &Tile) {
    let [left, top] = tile.origin();
    all.channels = more.channels;
    all.points.places.extend(more.points.places.into_iter().map(|[x, y]| [x + left, y + top]));
    all.points.scores.extend(more.points.scores);
    all.descriptors.extend(more.descriptors);
}

/// The `keep` with the highest scores in their order; of equal ones the uppermost, then the leftmost first.
fn surest(all: &mut Features, keep: usize) {
    let channels = all.channels;
    let mut order: Vec<(f32, [f64; 2], usize)> =
        all.points.scores.iter().zip(&all.points.places).enumerate().map(|(i, (s, p))| (*s, *p, i)).collect();
    let by_place = |a: &[f64; 2], b: &[f64; 2]| a[1].total_cmp(&b[1]).then(a[0].total_cmp(&b[0]));
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| by_place(&a.1, &b.1)));
    order.truncate(keep);
    let mut descriptors = Vec::with_capacity(order.len() * channels);
    for (_, _, index) in &order {
        let row = all.descriptors.get(index * channels..(index + 1) * channels).unwrap_or_default();
        descriptors.extend_from_slice(row);
    }
    all.descriptors = descriptors;
    all.points.places = order.iter().map(|(_, place, _)| *place).collect();
    all.points.scores = order.iter().map(|(score, ..)| *score).collect();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rord_data::patch::Rect;

    #[test]
    fn the_surest_keep_their_descriptors() {
        let points = KeyPoints {
            places: vec![[1.0, 9.0], [2.0, 0.0], [0.0, 0.0], [5.0, 5.0]],
            scores: vec![0.5, 0.5, 0.5, 0.9],
        };
        let mut all = Features { points, descriptors: vec![1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5], channels: 2 };
        surest(&mut all, 3);
        assert_eq!(all.points.places, [[5.0, 5.0], [0.0, 0.0], [2.0, 0.0]]);
        assert_eq!(all.descriptors, [4.0, 4.5, 3.0, 3.5, 2.0, 2.5]);
    }

    #[test]
    fn a_grid_covers_the_picture_with_about_as_many_as_are_asked_for() {
        let select = Select { keep: 500, apart: 2.0, border: 2.0, least: 0.0 };
        let size = [1500, 1200];
        let mut all = Vec::new();
        for tile in tiles(size, [None; 2]).unwrap() {
            let Rect { width, height, .. } = tile.window;
            let dense =
                Dense { values: Vec::new(), height: height / 4, width: width / 4, channels: 0, size: [width, height] };
            let [left, top] = tile.origin();
            all.extend(grid(&dense, &tile, size, &select).places.into_iter().map(|[x, y]| [x + left, y + top]));
        }
        assert!((400..=500).contains(&all.len()), "{}", all.len());
        // Across tiles the grid goes on.
        let mut columns: Vec<i64> = all.iter().map(|[x, _]| (x * 10.0) as i64).collect();
        columns.sort_unstable();
        columns.dedup();
        let gaps: Vec<i64> = columns.iter().zip(columns.iter().skip(1)).map(|(a, b)| b - a).collect();
        assert!(gaps.iter().all(|gap| *gap == 600), "{gaps:?}");
    }
}
