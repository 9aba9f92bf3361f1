//! A picture moved by a symmetry of the square about its middle, read by windows as any other.

use rord_data::patch::Rect;
use rord_kernels::turns::motion;
use rord_matching::moves::Move;

use crate::maps::Pixels;

/// A picture in one of its eight turns.
pub(crate) struct Turned<'a> {
    /// The picture.
    pub pixels: &'a dyn Pixels,
    /// The symmetry's number, 0 to 7; 0 leaves it as it is, 4 mirrors it.
    pub symmetry: usize,
}

impl Turned<'_> {
    /// From the picture's pixels to those of the turned one.
    pub fn picture_to_turned(&self) -> Move {
        let [a, b, c, d] = motion(self.symmetry).map(f64::from);
        let [width, height] = self.pixels.size().map(|side| (side as f64 - 1.0) / 2.0);
        let [new_width, new_height] = self.size().map(|side| (side as f64 - 1.0) / 2.0);
        Move([[a, b, new_width - a * width - b * height], [c, d, new_height - c * width - d * height], [0.0, 0.0, 1.0]])
    }
}

impl Pixels for Turned<'_> {
    fn size(&self) -> [usize; 2] {
        let [width, height] = self.pixels.size();
        let [a, ..] = motion(self.symmetry);
        if a == 0 { [height, width] } else { [width, height] }
    }

    fn channels(&self) -> usize {
        self.pixels.channels()
    }

    fn read(&self, window: Rect) -> Result<Vec<f32>, String> {
        if self.symmetry == 0 || window.width == 0 || window.height == 0 {
            return self.pixels.read(window);
        }
        // A window of the turned picture is one of the picture: what lies beyond an edge there does so here.
        let back = self.picture_to_turned().inverse().unwrap_or(Move::IDENTITY);
        let place = |column: usize, row: usize| {
            let [x, y] = back.apply([(window.x + column as i64) as f64, (window.y + row as i64) as f64]);
            [x.round() as i64, y.round() as i64]
        };
        let [first, last] = [place(0, 0), place(window.width - 1, window.height - 1)];
        let [[left, top], [right, bottom]] =
            [[first[0].min(last[0]), first[1].min(last[1])], [first[0].max(last[0]), first[1].max(last[1])]];
        let (width, height) = ((right - left + 1) as usize, (bottom - top + 1) as usize);
        let values = self.pixels.read(Rect { x: left, y: top, width, height })?;
        let mut out = Vec::with_capacity(values.len());
        for plane in values.chunks_exact((width * height).max(1)) {
            for row in 0..window.height {
                for column in 0..window.width {
                    let [x, y] = place(column, row);
                    let at = (y - top) as usize * width + (x - left) as usize;
                    out.push(plane.get(at).copied().unwrap_or_default());
                }
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::drawn::Held;

    #[test]
    fn a_window_of_a_turned_picture_is_that_of_the_whole() {
        let (width, height) = (7, 5);
        let held = Held { values: (0..70).map(|i| i as f32).collect(), channels: 2, size: [width, height] };
        for symmetry in 0..8 {
            let turned = Turned { pixels: &held, symmetry };
            let to = turned.picture_to_turned();
            let [wide, high] = turned.size();
            let all = turned.read(Rect { x: 0, y: 0, width: wide, height: high }).unwrap();
            for y in 0..height {
                for x in 0..width {
                    let [u, v] = to.apply([x as f64, y as f64]).map(|at| at.round() as usize);
                    assert_eq!(all[35 + v * wide + u], (35 + y * width + x) as f32, "{symmetry}");
                }
            }
            // Beyond the edges the outermost pixels are repeated.
            let part = turned.read(Rect { x: -2, y: 1, width: 12, height: 9 }).unwrap();
            for row in 0..9 {
                for column in 0..12 {
                    let x = (column as i64 - 2).clamp(0, wide as i64 - 1) as usize;
                    let y = (row + 1).min(high - 1);
                    assert_eq!(part[row * 12 + column], all[y * wide + x], "{symmetry}");
                }
            }
        }
    }
}
