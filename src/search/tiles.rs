//! How pictures of any size are fed to a network: small ones whole, others by tiles that overlap.

use rord_data::patch::Rect;

use crate::network::{Network, SearchError};

/// What is fed at once, and what of it counts. Both are in the picture's pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// What is fed; it may reach beyond the picture, whose outermost pixels are repeated there.
    pub window: Rect,
    /// The part that the tile is there for; it lies in the picture.
    pub core: Rect,
}

/// A picture with at most so many pixels is fed whole.
pub const WHOLE: usize = 1 << 20;
/// The largest sides of a larger picture's tiles, and how far they reach beyond.
const CORE: usize = 960;
const HALO: usize = 32;

/// The side of equal parts, `most` at most, that a longer side is cut into: the last then reaches little beyond it, and the picture's edge is
/// not looked at in vain.
pub fn even(side: usize, most: usize) -> usize {
    side.div_ceil(side.div_ceil(most).max(1)).next_multiple_of(Network::UNIT).max(Network::UNIT)
}

impl Tile {
    /// Its first pixel's place in the picture.
    pub fn origin(&self) -> [f64; 2] {
        [self.window.x as f64, self.window.y as f64]
    }

    /// True for places that are the tile's own.
    pub fn owns(&self, [x, y]: [f64; 2]) -> bool {
        let Rect { x: left, y: top, width, height } = self.core;
        let inside = |at: f64, from: i64, side: usize| {
            let from = from as f64 - 0.5;
            at >= from && at < from + side as f64
        };
        inside(x, left, width) && inside(y, top, height)
    }
}

/// The tiles of a picture, row by row. `fixed` are the height and width that the network takes where it takes no others:
/// then the picture must have them.
pub fn tiles(
    [width, height]: [usize; 2],
    fixed: [Option<usize>; 2],
) -> Result<impl Iterator<Item = Tile> + Clone, SearchError> {
    let [rows, columns] = fixed;
    if rows.is_some_and(|n| n != height) || columns.is_some_and(|n| n != width) {
        return Err(SearchError::Fixed { wanted: [columns, rows], found: [width, height] });
    }
    let filled = |side: usize, fixed: Option<usize>| match fixed {
        Some(side) => side,
        None => side.next_multiple_of(Network::UNIT).max(Network::UNIT),
    };
    let whole = width.saturating_mul(height) <= WHOLE || rows.is_some() || columns.is_some();
    let step = if whole { [width.max(1), height.max(1)] } else { [even(width, CORE), even(height, CORE)] };
    let at = move |x: usize, y: usize| {
        let core = Rect { x: x as i64, y: y as i64, width: step[0].min(width - x), height: step[1].min(height - y) };
        let window = match whole {
            true => Rect { x: 0, y: 0, width: filled(width, columns), height: filled(height, rows) },
            false => Rect { width: step[0], height: step[1], ..core }.grown(HALO),
        };
        Tile { window, core }
    };
    let starts = (0..height).step_by(step[1]);
    Ok(starts.flat_map(move |y| (0..width).step_by(step[0]).map(move |x| at(x, y))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_one_tiles_own() {
        for size in [[1, 1], [100, 37], [1024, 1024], [1500, 900], [449, 9000]] {
            let all: Vec<Tile> = tiles(size, [None; 2]).unwrap().collect();
            let pixels: usize = all.iter().map(|t| t.core.width * t.core.height).sum();
            assert_eq!(pixels, size[0] * size[1], "{size:?}");
            for place in
                [[0.0, 0.0], [size[0] as f64 - 1.0, size[1] as f64 - 1.0], [(size[0] as f64 - 1.0) / 2.0, 0.49]]
            {
                assert_eq!(all.iter().filter(|t| t.owns(place)).count(), 1, "{size:?} {place:?}");
            }
            assert_eq!(all.len() == 1, size[0] * size[1] <= WHOLE);
            let unit = |side: usize| side.is_multiple_of(Network::UNIT);
            assert!(all.iter().all(|t| unit(t.window.width) && unit(t.window.height)));
        }
        // Three parts of 672 px, not two of 960 and a rest that is fed as much again.
        assert!(tiles([1920, 2016], [None; 2]).unwrap().all(|t| [t.core.width, t.core.height] == [960, 672]));
        assert_eq!([1, 32, 33, 960, 961, 2048].map(|side| even(side, 960)), [32, 32, 64, 960, 512, 704]);
        assert_eq!(tiles([28, 28], [Some(28); 2]).unwrap().count(), 1);
        assert!(tiles([28, 30], [Some(28); 2]).is_err());
        assert_eq!(tiles([0, 5], [None; 2]).unwrap().count(), 0);
    }
}
