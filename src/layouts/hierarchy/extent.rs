//! Rectangles in fractions of database units, which tell what lies far from a window.

use crate::library::{Repetition, Transform};
use crate::polygons::{Bounds, Point};

type Vector = [f64; 2];

/// The smallest rectangle around some points; of none, one that [is empty](Extent::is_empty).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    pub low: Vector,
    pub high: Vector,
}

impl Extent {
    pub const EMPTY: Self = Self { low: [f64::INFINITY; 2], high: [f64::NEG_INFINITY; 2] };

    /// Around these points.
    pub fn of(points: impl IntoIterator<Item = Vector>) -> Self {
        points.into_iter().fold(Self::EMPTY, |sum, point| sum.join(&Self { low: point, high: point }))
    }

    /// Around these points.
    pub fn of_points(points: &[Point]) -> Self {
        Self::of(points.iter().map(|point| point.map(f64::from)))
    }

    /// Around the offsets of a repetition's copies.
    pub fn of_copies(repetition: &Repetition) -> Self {
        match repetition {
            Repetition::Once => Self::of([[0.0; 2]]),
            Repetition::Grid { counts, steps: [[a, b], [c, d]] } => {
                let [i, j] = counts.map(|count| f64::from(count.saturating_sub(1)));
                Self::of([[0.0, 0.0], [i * a, i * b], [j * c, j * d], [i * a + j * c, i * b + j * d]])
            }
            Repetition::Places(places) => Self::of(places.iter().map(|place| place.map(|value| value as f64))),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.low[0] > self.high[0]
    }

    /// Around both.
    pub fn join(&self, other: &Self) -> Self {
        Self {
            low: [self.low[0].min(other.low[0]), self.low[1].min(other.low[1])],
            high: [self.high[0].max(other.high[0]), self.high[1].max(other.high[1])],
        }
    }

    /// Around all copies of this, where `copies` is around their offsets.
    pub fn spread(&self, copies: &Self) -> Self {
        Self {
            low: [self.low[0] + copies.low[0], self.low[1] + copies.low[1]],
            high: [self.high[0] + copies.high[0], self.high[1] + copies.high[1]],
        }
    }

    /// Around this, as `transform` places it. Exact where that keeps the axes.
    pub fn placed(&self, transform: &Transform) -> Self {
        if self.is_empty() {
            return *self;
        }
        let ([x0, y0], [x1, y1]) = (self.low, self.high);
        Self::of([[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map(|corner| transform.apply(corner)))
    }

    /// Larger by `by` on each side, and by more than rounding can add.
    pub fn grown(&self, by: f64) -> Self {
        let far = |a: f64, b: f64| a.abs().max(b.abs());
        let largest = far(far(self.low[0], self.low[1]), far(self.high[0], self.high[1]));
        let by = by + 1.0 + 1e-9 * largest;
        Self { low: self.low.map(|value| value - by), high: self.high.map(|value| value + by) }
    }

    /// False where nothing of the one touches the other. Rectangles that are no numbers touch everything.
    pub fn touches(&self, other: &Self) -> bool {
        let apart = |k: usize| match k {
            0 => self.high[0] < other.low[0] || other.high[0] < self.low[0],
            _ => self.high[1] < other.low[1] || other.high[1] < self.low[1],
        };
        !apart(0) && !apart(1)
    }

    /// True where this lies in the other.
    pub fn within(&self, other: &Self) -> bool {
        self.low[0] >= other.low[0]
            && self.low[1] >= other.low[1]
            && self.high[0] <= other.high[0]
            && self.high[1] <= other.high[1]
    }

    /// Rounded as polygons are; `None` beyond 32 bits.
    pub fn rounded(&self) -> Option<Bounds> {
        let point = |[x, y]: Vector| Some([round(x)?, round(y)?]);
        Some(Bounds { low: point(self.low)?, high: point(self.high)? })
    }
}

impl From<Bounds> for Extent {
    fn from(bounds: Bounds) -> Self {
        Self { low: bounds.low.map(f64::from), high: bounds.high.map(f64::from) }
    }
}

/// To the nearest database unit, halves upwards; `None` beyond 32 bits.
pub fn round(value: f64) -> Option<i32> {
    let value = value + 0.5;
    // Without a call of the C library: plain x86-64 rounds no other way than towards 0.
    let whole = value as i64;
    let down = whole.saturating_sub(i64::from(whole as f64 > value));
    if value.is_nan() { None } else { i32::try_from(down).ok() }
}
