//! How the second view of a pair is moved: one of the 8 symmetries of the square, a rotation, any linear map, or a
//! homography.
//!
//! Everything turns about the middle of the patch, so a linear move is a 2×2 matrix: the same in normalized coordinates as
//! in pixels counted from the middle `(n-1)/2`. Coordinates are (x, y) with y downwards; positive degrees turn
//! counter-clockwise as seen.
//!
//! ```
//! use rord_data::geometry::Symmetry;
//! let quarter = Symmetry::ALL[1];
//! assert_eq!(quarter.matrix(), [[0, 1], [-1, 0]]);
//! assert_eq!(quarter.permute(&['a', 'b', 'c', 'd'], 2), ['b', 'd', 'a', 'c']);
//! ```

use super::patch::Grid;
use super::project::{Projection, View};
use rord_random::Stream;

pub mod perspective;

pub use perspective::{Homography, Perspective};

/// A 2×2 matrix, row by row: takes (x, y) counted from the middle of the patch.
pub type Linear = [[f64; 2]; 2];

/// One of the 8 symmetries of the square: perhaps mirrored left to right, then 0 to 3 quarter turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Symmetry {
    mirrored: bool,
    quarters: u8,
}

impl Symmetry {
    /// All 8: the 4 turns, then the 4 mirrored ones.
    pub const ALL: [Self; 8] = {
        const fn turn(mirrored: bool, quarters: u8) -> Symmetry {
            Symmetry { mirrored, quarters }
        }
        let (t, f) = (true, false);
        [turn(f, 0), turn(f, 1), turn(f, 2), turn(f, 3), turn(t, 0), turn(t, 1), turn(t, 2), turn(t, 3)]
    };

    /// The matrix, original to moved. Its inverse is its transpose.
    pub const fn matrix(self) -> [[i8; 2]; 2] {
        let [[a, b], [c, d]] = match self.quarters {
            0 => [[1, 0], [0, 1]],
            1 => [[0, 1], [-1, 0]],
            2 => [[-1, 0], [0, -1]],
            _ => [[0, -1], [1, 0]],
        };
        if self.mirrored { [[-a, b], [-c, d]] } else { [[a, b], [c, d]] }
    }

    /// The moved image of an `n × n` image, row by row: a permutation of its pixels. Cells that `image` lacks are left
    /// out.
    pub fn permute<T: Copy>(self, image: &[T], n: usize) -> Vec<T> {
        let [[a, b], [c, d]] = self.matrix().map(|row| row.map(i64::from));
        let last = n as i64 - 1;
        let mut moved = Vec::with_capacity(image.len());
        for y in 0..n as i64 {
            for x in 0..n as i64 {
                // Doubled coordinates about the middle are whole numbers for odd and for even n.
                let (u, v) = (2 * x - last, 2 * y - last);
                let (from_x, from_y) = ((a * u + c * v + last) / 2, (b * u + d * v + last) / 2);
                moved.extend(usize::try_from(from_y * n as i64 + from_x).ok().and_then(|at| image.get(at)).copied());
            }
        }
        moved
    }
}

/// Which moves are drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Geometry {
    /// None: both views show the same place.
    Identity,
    /// The 8 symmetries of the square with equal chance, by permutation of pixels.
    SquareSymmetries,
    /// A turn by an angle from the range; with `mirror`, half of them mirrored left to right first.
    Rotations {
        /// Lowest and highest angle.
        degrees: (f64, f64),
        /// Whether half of the moves are mirrored.
        mirror: bool,
    },
    /// Mirrored perhaps, stretched along x and y (two draws), sheared along x, then turned.
    Affine {
        /// Lowest and highest angle.
        degrees: (f64, f64),
        /// Lowest and highest factor, above 0.
        stretch: (f64, f64),
        /// Lowest and highest shift of x for each unit of y.
        shear: (f64, f64),
        /// Whether half of the moves are mirrored.
        mirror: bool,
    },
    /// The corners of the patch moved on their own, and a similarity of all of it.
    Perspective(Perspective),
}

impl Geometry {
    /// Draws a move.
    pub fn draw(&self, stream: &mut Stream) -> Move {
        match *self {
            Self::Identity => Move::Symmetry(Symmetry { mirrored: false, quarters: 0 }),
            Self::SquareSymmetries => {
                let k = stream.below(8) as u8;
                Move::Symmetry(Symmetry { mirrored: k >= 4, quarters: k % 4 })
            }
            Self::Rotations { degrees, mirror } => {
                let turn = rotation(stream.range(degrees.0, degrees.1));
                Move::Linear(product(turn, mirrored(mirror && stream.chance(0.5))))
            }
            Self::Affine { degrees, stretch, shear, mirror } => {
                let turn = rotation(stream.range(degrees.0, degrees.1));
                let (sx, sy) = (stream.range(stretch.0, stretch.1), stream.range(stretch.0, stretch.1));
                let bend = [[sx, stream.range(shear.0, shear.1) * sy], [0.0, sy]];
                Move::Linear(product(product(turn, bend), mirrored(mirror && stream.chance(0.5))))
            }
            Self::Perspective(ref perspective) => Move::Projective(perspective.draw(stream)),
        }
    }
}

/// One move of the patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    /// An exact permutation of pixels.
    Symmetry(Symmetry),
    /// A linear map about the middle of the patch, original to moved, that is sampled.
    Linear(Linear),
    /// A homography in normalized coordinates, original to moved, that is sampled.
    Projective(Homography),
}

impl Move {
    /// Original to moved, in normalized coordinates.
    pub fn map(&self) -> Homography {
        match self {
            Self::Symmetry(symmetry) => Homography::linear(symmetry.matrix().map(|row| row.map(f64::from))),
            Self::Linear(matrix) => Homography::linear(*matrix),
            Self::Projective(homography) => *homography,
        }
    }

    /// Moved to original about the middle of the patch; `None` where it is no linear map.
    pub fn inverse(&self) -> Option<Linear> {
        let [[a, b], [c, d]] = match self {
            Self::Symmetry(symmetry) => symmetry.matrix().map(|row| row.map(f64::from)),
            Self::Linear(matrix) => *matrix,
            Self::Projective(_) => return None,
        };
        let det = a * d - b * c;
        Some([[d / det, -b / det], [-c / det, a / det]])
    }

    /// Where a patch lies in a picture that shows the original moved by this: `middle` is what the middle of the original
    /// shows, of `zoom` picture pixels in each of its own. An exact permutation lies where the original lies.
    pub fn view(&self, n: usize, middle: [f64; 2], zoom: f64) -> View {
        let here = Grid::new(n, middle, zoom, [[1.0, 0.0], [0.0, 1.0]]);
        match self {
            Self::Symmetry(_) => View::Grid(here),
            Self::Linear(_) => View::Grid(self.inverse().map_or(here, |back| Grid::new(n, middle, zoom, back))),
            Self::Projective(map) => match map.inverse() {
                Some(back) => View::Projection(Projection::new(n, middle, zoom, &back)),
                None => View::Grid(here),
            },
        }
    }

    /// The 3×3 matrix H in normalized coordinates, row by row: takes a column (x, y, 1) of the original to the moved
    /// view.
    pub fn homography(&self) -> [f32; 9] {
        self.map().flat()
    }
}

/// The turn by `degrees`, counter-clockwise as seen; exact at whole quarters.
fn rotation(degrees: f64) -> Linear {
    let quarters = (degrees / 90.0).round();
    let (sin, cos) = (degrees - 90.0 * quarters).to_radians().sin_cos();
    let (s, c) = match quarters.rem_euclid(4.0) as u8 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    };
    [[c, s], [-s, c]]
}

fn mirrored(yes: bool) -> Linear {
    [[if yes { -1.0 } else { 1.0 }, 0.0], [0.0, 1.0]]
}

fn product([[a, b], [c, d]]: Linear, [[e, f], [g, h]]: Linear) -> Linear {
    [[a * e + b * g, a * f + b * h], [c * e + d * g, c * f + d * h]]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn symmetries_are_orthogonal_signed_permutations_and_all_different() {
        for (k, symmetry) in Symmetry::ALL.into_iter().enumerate() {
            let [[a, b], [c, d]] = symmetry.matrix();
            assert!([a, b, c, d].iter().all(|x| (-1..=1).contains(x)));
            assert_eq!((a * a + c * c, b * b + d * d, a * b + c * d), (1, 1, 0));
            assert_eq!(a * d - b * c, if k < 4 { 1 } else { -1 });
            assert!(Symmetry::ALL[..k].iter().all(|other| other.matrix() != symmetry.matrix()));
        }
    }

    #[test]
    fn a_permuted_image_is_the_image_at_the_inverse_place() {
        for n in [1, 2, 5, 8] {
            let image: Vec<usize> = (0..n * n).collect();
            for symmetry in Symmetry::ALL {
                let moved = symmetry.permute(&image, n);
                let [[a, b], [c, d]] = Move::Symmetry(symmetry).inverse().unwrap();
                let middle = (n as f64 - 1.0) / 2.0;
                for (at, &found) in moved.iter().enumerate() {
                    let (u, v) = ((at % n) as f64 - middle, (at / n) as f64 - middle);
                    let (x, y) = (a * u + b * v + middle, c * u + d * v + middle);
                    assert!(x.fract() == 0.0 && y.fract() == 0.0);
                    assert_eq!(found, y as usize * n + x as usize, "{symmetry:?}, n {n}, cell {at}");
                }
            }
        }
    }

    #[test]
    fn quarter_turns_are_exact_and_compose() {
        for (k, symmetry) in Symmetry::ALL.into_iter().take(4).enumerate() {
            for whole in [-720.0, 0.0, 360.0] {
                let exact = symmetry.matrix().map(|row| row.map(f64::from));
                assert_eq!(rotation(whole + 90.0 * k as f64), exact);
            }
        }
        for degrees in [10.0, 44.0, 46.0, 135.1, 200.0, 299.0] {
            let (sin, cos) = f64::to_radians(degrees).sin_cos();
            let [[a, b], [c, d]] = rotation(degrees);
            let error = (a - cos).abs() + (b - sin).abs() + (c + sin).abs() + (d - cos).abs();
            assert!(error < 1e-14, "{degrees}: {error}");
        }
    }

    #[test]
    fn an_inverse_undoes_a_drawn_map() {
        let any = Geometry::Affine { degrees: (0.0, 360.0), stretch: (0.5, 2.0), shear: (-0.3, 0.3), mirror: true };
        let mut stream = Stream::new(1, &[]);
        let mut mirrored = 0;
        for _ in 0..50 {
            let drawn = any.draw(&mut stream);
            let Move::Linear(matrix) = drawn else { panic!() };
            let [[a, b], [c, d]] = product(matrix, drawn.inverse().unwrap());
            assert!((a - 1.0).abs() + b.abs() + c.abs() + (d - 1.0).abs() < 1e-12);
            let [[a, b], [c, d]] = matrix;
            mirrored += usize::from(a * d - b * c < 0.0);
        }
        assert!((10..40).contains(&mirrored), "{mirrored} of 50 mirrored");
    }
}
