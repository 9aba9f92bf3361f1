//! How a cell lies in the one that places it.

use crate::library::Transform;

type Vector = [f64; 2];

impl Transform {
    /// Leaves everything where it is.
    pub const IDENTITY: Self = Self { matrix: [1.0, 0.0, 0.0, 1.0], shift: [0.0, 0.0] };

    /// A reflection about the x axis, then a magnification and a turn counter-clockwise in degrees, then a shift.
    /// Turns by right angles are exact.
    pub fn placement(reflected: bool, magnification: f64, angle: f64, shift: Vector) -> Self {
        let quarters = angle / 90.0;
        let (sin, cos) = if quarters.fract() == 0.0 {
            match quarters.rem_euclid(4.0) as u8 {
                0 => (0.0, 1.0),
                1 => (1.0, 0.0),
                2 => (0.0, -1.0),
                _ => (-1.0, 0.0),
            }
        } else {
            angle.to_radians().sin_cos()
        };
        let (sin, cos) = (sin * magnification, cos * magnification);
        let flip = if reflected { -1.0 } else { 1.0 };
        Self { matrix: [cos, -sin * flip, sin, cos * flip], shift }
    }

    /// Where a point comes to lie.
    pub fn apply(&self, point: Vector) -> Vector {
        let [x, y] = self.turn(point);
        [x + self.shift[0], y + self.shift[1]]
    }

    /// As [`Transform::apply`], of the distance between two points: without the shift.
    pub fn turn(&self, [x, y]: Vector) -> Vector {
        let [a, b, c, d] = self.matrix;
        [a * x + b * y, c * x + d * y]
    }

    /// First `inner`, with `at` in place of its shift, then this.
    pub fn after(&self, inner: &Self, at: Vector) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.matrix, inner.matrix);
        Self { matrix: [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h], shift: self.apply(at) }
    }

    /// By how much lengths grow.
    pub fn magnification(&self) -> f64 {
        let [a, b, c, d] = self.matrix;
        (a * d - b * c).abs().sqrt()
    }

    /// True of a turn by right angles, with or without a reflection, that magnifies nothing.
    pub fn keeps_axes(&self) -> bool {
        let [a, b, c, d] = self.matrix.map(f64::abs);
        [a, b, c, d] == [1.0, 0.0, 0.0, 1.0] || [a, b, c, d] == [0.0, 1.0, 1.0, 0.0]
    }
}
