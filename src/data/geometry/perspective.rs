//! Homographies: the corners of the patch move on their own, then all of it is scaled, turned and shifted.
//!
//! Moved corners are how DeTone, Malisiewicz and Rabinovich draw homographies ("Deep Image Homography Estimation", 2016: by
//! up to 32 px of 128, which is `corners = 0.25`); scale, turn and shift behind them are those of SuperPoint's homographic
//! adaptation (DeTone et al., 2018). Both views are read from the layout itself, so no part of the second is empty.

use super::{Linear, mirrored, product, rotation};
use rord_random::Stream;

/// A 3×3 matrix, row by row: takes a column (x, y, 1) in normalized coordinates, where the patch is -1 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography(pub [[f64; 3]; 3]);

/// The corners of the patch in normalized coordinates, in a circle.
pub const CORNERS: [[f64; 2]; 4] = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];

impl Homography {
    /// A linear map about the middle.
    pub fn linear([[a, b], [c, d]]: Linear) -> Self {
        Self([[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]])
    }

    /// The map that takes the corners of the patch to these places; `None` where they are no corners of a convex
    /// quadrilateral. Source: Heckbert, "Fundamentals of Texture Mapping and Image Warping" (1989), for the unit square.
    pub fn of_corners(to: [[f64; 2]; 4]) -> Option<Self> {
        let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = to;
        let (sx, sy) = (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3);
        let (dx1, dy1, dx2, dy2) = (x1 - x2, y1 - y2, x3 - x2, y3 - y2);
        let det = dx1 * dy2 - dx2 * dy1;
        let (g, h) = ((sx * dy2 - dx2 * sy) / det, (dx1 * sy - sx * dy1) / det);
        let unit =
            Self([[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]]);
        // The unit square is half of the patch about its middle.
        let whole = unit.after(&Self([[0.5, 0.0, 0.5], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])).normal()?;
        let convex = CORNERS.iter().all(|corner| whole.weight(*corner) > 0.0) && whole.determinant() != 0.0;
        convex.then_some(whole)
    }

    /// First `first`, then this.
    pub fn after(&self, first: &Self) -> Self {
        let (a, b) = (&self.0, &first.0);
        let [b0, b1, b2] = b;
        Self(a.map(|[x, y, z]| {
            std::array::from_fn(|k| {
                let at = |row: &[f64; 3]| row.get(k).copied().unwrap_or_default();
                x * at(b0) + y * at(b1) + z * at(b2)
            })
        }))
    }

    /// Where a point is taken.
    pub fn takes(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [a, b, _] = self.0.map(|[a, b, c]| a * x + b * y + c);
        let w = self.weight([x, y]);
        [a / w, b / w]
    }

    /// What a point's coordinates are divided by: above 0 on the side of the horizon that is seen.
    pub fn weight(&self, [x, y]: [f64; 2]) -> f64 {
        let [_, _, [g, h, i]] = self.0;
        g * x + h * y + i
    }

    /// How x and y of the place that a point is taken to change with x and y of the point, row by row.
    pub fn derivative(&self, [x, y]: [f64; 2]) -> Linear {
        let [[a, b, _], [d, e, _], [g, h, _]] = self.0;
        let ([u, v], w) = (self.takes([x, y]), self.weight([x, y]));
        [[(a - u * g) / w, (b - u * h) / w], [(d - v * g) / w, (e - v * h) / w]]
    }

    /// Row by row.
    pub fn flat(&self) -> [f32; 9] {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0.map(|row| row.map(|x| x as f32));
        [a, b, c, d, e, f, g, h, i]
    }

    /// The determinant.
    pub fn determinant(&self) -> f64 {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0;
        a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    }

    /// The map back, with a last element of 1; `None` where there is none, or the middle is taken to infinity.
    pub fn inverse(&self) -> Option<Self> {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0;
        let adjugate = [
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ];
        (self.determinant() != 0.0).then_some(Self(adjugate)).and_then(|map| map.normal())
    }

    /// The same map with a last element of 1; `None` where that is 0 or a number is not finite.
    pub fn normal(&self) -> Option<Self> {
        let [_, _, [_, _, last]] = self.0;
        let map = Self(self.0.map(|row| row.map(|x| x / last)));
        map.0.iter().flatten().all(|x| x.is_finite()).then_some(map)
    }
}

/// Which homographies are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perspective {
    /// By how much of the patch's side a corner moves at most, along each axis and in either direction; below 0.5.
    pub corners: f64,
    /// Lowest and highest angle, in degrees.
    pub degrees: (f64, f64),
    /// The least and the greatest factor of all lengths, above 0.
    pub scale: (f64, f64),
    /// By how much of the patch's side all of it moves at most, along each axis.
    pub shift: f64,
    /// Whether half of the moves are mirrored.
    pub mirror: bool,
}

impl Perspective {
    /// How much larger one end of the patch may become than the other.
    const TILT: f64 = 4.0;

    /// Draws a move. Corners that would turn the patch inside out, or tilt it out of sight, move less.
    pub fn draw(&self, stream: &mut Stream) -> Homography {
        // Normalized coordinates count halves of a side.
        let reach = 2.0 * self.corners;
        let moves: [[f64; 2]; 4] = std::array::from_fn(|_| std::array::from_fn(|_| stream.range(-reach, reach)));
        let turn = rotation(stream.range(self.degrees.0, self.degrees.1));
        let scale = stream.range(self.scale.0.ln(), self.scale.1.ln()).exp();
        let shift: [f64; 2] = std::array::from_fn(|_| stream.range(-2.0 * self.shift, 2.0 * self.shift));
        let mirror = mirrored(self.mirror && stream.chance(0.5));
        let turned = product(turn.map(|row| row.map(|x| x * scale)), mirror);
        let [[a, b], [c, d]] = turned;
        let [x, y] = shift;
        let similar = Homography([[a, b, x], [c, d, y], [0.0, 0.0, 1.0]]);
        similar.after(&self.bent(moves))
    }

    fn bent(&self, moves: [[f64; 2]; 4]) -> Homography {
        let mut share = 1.0;
        for _ in 0..20 {
            let to = std::array::from_fn(|k| {
                let at = |list: &[[f64; 2]; 4]| list.get(k).copied().unwrap_or_default();
                let ([x, y], [dx, dy]) = (at(&CORNERS), at(&moves));
                [x + share * dx, y + share * dy]
            });
            let fits = |map: &Homography| {
                // The area about a corner grows by det/w³.
                let areas = CORNERS.map(|corner| map.determinant() / map.weight(corner).powi(3));
                let (low, high) =
                    areas.iter().fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), a| (l.min(*a), h.max(*a)));
                low > 0.0 && high <= low * Self::TILT * Self::TILT
            };
            if let Some(map) = Homography::of_corners(to).filter(fits) {
                return map;
            }
            share *= 0.8;
        }
        Homography::linear([[1.0, 0.0], [0.0, 1.0]])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn near(a: [f64; 2], b: [f64; 2]) -> bool {
        (a[0] - b[0]).abs() + (a[1] - b[1]).abs() < 1e-9
    }

    #[test]
    fn corners_go_where_they_are_sent_and_back() {
        let to = [[-0.7, -1.2], [1.3, -0.8], [0.9, 0.8], [-1.1, 1.2]];
        let map = Homography::of_corners(to).unwrap();
        for (from, to) in CORNERS.into_iter().zip(to) {
            assert!(near(map.takes(from), to) && near(map.inverse().unwrap().takes(to), from));
        }
        // A parallelogram is an affine map, and what crosses itself is none.
        let affine = Homography::of_corners([[-1.0, -1.0], [1.0, -0.5], [1.5, 1.5], [-0.5, 1.0]]).unwrap();
        assert!(affine.0[2][0].abs() + affine.0[2][1].abs() < 1e-12);
        for crossed in
            [[[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]], [[0.9, 0.9], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]]
        {
            assert!(
                Homography::of_corners(crossed)
                    .is_none_or(|m| m.determinant() < 0.0 || CORNERS.iter().any(|c| m.weight(*c) <= 0.0))
            );
        }
    }

    #[test]
    fn the_derivative_is_that_of_differences() {
        let map = Homography([[1.1, 0.2, 0.1], [-0.1, 0.9, 0.2], [0.2, -0.15, 1.0]]);
        let h = 1e-6;
        for at in [[0.0, 0.0], [0.7, -0.4], [-1.0, 1.0]] {
            let [[xx, xy], [yx, yy]] = map.derivative(at);
            let change = |dx: f64, dy: f64| {
                let (a, b) = (map.takes([at[0] + dx, at[1] + dy]), map.takes([at[0] - dx, at[1] - dy]));
                [(a[0] - b[0]) / (2.0 * h), (a[1] - b[1]) / (2.0 * h)]
            };
            let (along_x, along_y) = (change(h, 0.0), change(0.0, h));
            assert!((along_x[0] - xx).abs() + (along_x[1] - yx).abs() < 1e-8);
            assert!((along_y[0] - xy).abs() + (along_y[1] - yy).abs() < 1e-8);
        }
    }

    #[test]
    fn corners_move_within_their_share_and_everything_stays_in_sight() {
        let plain = Perspective { corners: 0.2, degrees: (0.0, 0.0), scale: (1.0, 1.0), shift: 0.0, mirror: false };
        let mut stream = Stream::new(3, &[]);
        let mut widest: f64 = 0.0;
        for _ in 0..500 {
            let map = plain.draw(&mut stream);
            for corner in CORNERS {
                let [x, y] = map.takes(corner);
                let moved = (x - corner[0]).abs().max((y - corner[1]).abs());
                assert!(moved <= 0.4 + 1e-9 && map.weight(corner) > 0.0);
                widest = widest.max(moved);
            }
        }
        assert!(widest > 0.38, "{widest}");
        let wild = Perspective { corners: 0.49, degrees: (0.0, 360.0), scale: (0.5, 2.0), shift: 0.3, mirror: true };
        let mut flipped = 0;
        for _ in 0..500 {
            let map = wild.draw(&mut stream);
            flipped += usize::from(map.determinant() < 0.0);
            let back = map.inverse().unwrap();
            for corner in CORNERS {
                assert!(map.weight(corner) > 0.0 && near(back.takes(map.takes(corner)), corner));
            }
        }
        assert!((200..300).contains(&flipped), "{flipped} of 500 mirrored");
    }

    #[test]
    fn without_moves_it_is_the_identity_and_with_angles_a_turn() {
        let none = Perspective { corners: 0.0, degrees: (0.0, 0.0), scale: (1.0, 1.0), shift: 0.0, mirror: false };
        let still = none.draw(&mut Stream::new(0, &[]));
        let turned = Perspective { degrees: (90.0, 90.0), ..none }.draw(&mut Stream::new(0, &[]));
        for (row, (still, turned)) in still.0.iter().zip(turned.0).enumerate() {
            let quarter = [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
            for k in 0..3 {
                assert!(
                    (still[k] - f64::from(u8::from(row == k))).abs() < 1e-12
                        && (turned[k] - quarter[row][k]).abs() < 1e-12
                );
            }
        }
    }
}
