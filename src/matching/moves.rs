#![allow(clippy::indexing_slicing)] // matrices of a fixed size
//! Similarities, affine moves and homographies, fitted to pairs of places.

use crate::linear::{least_eigenvector, solve};

/// A pair of places: in the first picture and in the second.
pub type Pair = ([f64; 2], [f64; 2]);

/// A 3 × 3 matrix that takes a place (x, y, 1) of one picture to another's, up to a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move(pub [[f64; 3]; 3]);

impl Move {
    /// Leaves everything where it is.
    pub const IDENTITY: Self = Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    /// Turns by `turn` radians from x towards y, scales and moves by `shift`; a mirrored one first exchanges y for -y.
    pub fn similarity(turn: f64, scale: f64, mirrored: bool, shift: [f64; 2]) -> Self {
        let (s, c) = (turn.sin() * scale, turn.cos() * scale);
        let m = if mirrored { -1.0 } else { 1.0 };
        Self([[c, -s * m, shift[0]], [s, c * m, shift[1]], [0.0, 0.0, 1.0]])
    }

    /// Where it takes a place. Not a number where that is at infinity.
    pub fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [a, b, w] = self.0.map(|[p, q, r]| p * x + q * y + r);
        if w > -1e-12 && w < 1e-12 { [f64::NAN; 2] } else { [a / w, b / w] }
    }

    /// First `first`, then this.
    pub fn after(&self, first: &Self) -> Self {
        let of = |i: usize, j: usize| (0..3).map(|k| self.0[i][k] * first.0[k][j]).sum();
        Self(std::array::from_fn(|i| std::array::from_fn(|j| of(i, j))))
    }

    /// The way back; `None` where there is none.
    pub fn inverse(&self) -> Option<Self> {
        let columns: Vec<[f64; 3]> = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
            .into_iter()
            .map(|unit| solve(self.0, unit))
            .collect::<Option<_>>()?;
        Some(Self(std::array::from_fn(|i| std::array::from_fn(|j| columns[j][i]))))
    }

    /// How much larger areas become near a place; below 0 where it mirrors.
    pub fn growth(&self, at: [f64; 2]) -> f64 {
        let [[a, b], [c, d]] = self.linear(at);
        a * d - b * c
    }

    /// Its derivative at a place.
    pub fn linear(&self, [x, y]: [f64; 2]) -> [[f64; 2]; 2] {
        let m = &self.0;
        let [p, q, w] = m.map(|[a, b, c]| a * x + b * y + c);
        let row = |top: f64, row: usize| [0, 1].map(|k: usize| (m[row][k] * w - top * m[2][k]) / (w * w));
        [row(p, 0), row(q, 1)]
    }

    /// The angle, in radians from x towards y, the scale and whether it mirrors, of a similarity.
    pub fn parts(&self) -> (f64, f64, bool) {
        let [[a, _], [c, _]] = self.linear([0.0, 0.0]);
        let growth = self.growth([0.0, 0.0]);
        (c.atan2(a), growth.abs().sqrt(), growth < 0.0)
    }

    /// The similarity that takes the first place to the second in both pairs exactly, mirrored or not.
    pub fn through([(p, p2), (q, q2)]: [Pair; 2], mirrored: bool) -> Option<Self> {
        let m = if mirrored { -1.0 } else { 1.0 };
        let (from, to) = ([q[0] - p[0], m * (q[1] - p[1])], [q2[0] - p2[0], q2[1] - p2[1]]);
        let square = from[0] * from[0] + from[1] * from[1];
        if square.is_nan() || square < 1e-12 {
            return None;
        }
        let c = (from[0] * to[0] + from[1] * to[1]) / square;
        let s = (from[0] * to[1] - from[1] * to[0]) / square;
        let shift = [p2[0] - (c * p[0] - s * m * p[1]), p2[1] - (s * p[0] + c * m * p[1])];
        Some(Self([[c, -s * m, shift[0]], [s, c * m, shift[1]], [0.0, 0.0, 1.0]]))
    }

    /// The similarity, mirrored or not, of least squared distances, each pair with its weight. Source: Umeyama, 1991, for
    /// two dimensions. `None` for less than two different places.
    pub fn fit_similarity(pairs: &[(Pair, f64)], mirrored: bool) -> Option<Self> {
        let m = if mirrored { -1.0 } else { 1.0 };
        let weight: f64 = pairs.iter().map(|(_, w)| w).sum();
        let mean = |of: &dyn Fn(&Pair) -> f64| pairs.iter().map(|(p, w)| w * of(p)).sum::<f64>() / weight;
        let from = [mean(&|p| p.0[0]), mean(&|p| p.0[1])];
        let to = [mean(&|p| p.1[0]), mean(&|p| p.1[1])];
        let (mut c, mut s, mut square) = (0.0, 0.0, 0.0);
        for ((a, b), w) in pairs {
            let (x, y) = (a[0] - from[0], m * (a[1] - from[1]));
            let (u, v) = (b[0] - to[0], b[1] - to[1]);
            c += w * (x * u + y * v);
            s += w * (x * v - y * u);
            square += w * (x * x + y * y);
        }
        if square.is_nan() || square < 1e-12 {
            return None;
        }
        let (c, s) = (c / square, s / square);
        let shift = [to[0] - (c * from[0] - s * m * from[1]), to[1] - (s * from[0] + c * m * from[1])];
        let fitted = Self([[c, -s * m, shift[0]], [s, c * m, shift[1]], [0.0, 0.0, 1.0]]);
        fitted.is_finite().then_some(fitted)
    }

    /// The affine move of least squared distances, each pair with its weight, from the normal equations about the mean.
    /// `None` for less than three different places, or places in a line.
    pub fn fit_affine(pairs: &[(Pair, f64)]) -> Option<Self> {
        let weight: f64 = pairs.iter().map(|(_, w)| w).sum();
        let mean = |of: &dyn Fn(&Pair) -> f64| pairs.iter().map(|(p, w)| w * of(p)).sum::<f64>() / weight;
        let from = [mean(&|p| p.0[0]), mean(&|p| p.0[1])];
        let to = [mean(&|p| p.1[0]), mean(&|p| p.1[1])];
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        let mut with = [[0.0; 2]; 2];
        for ((a, b), w) in pairs {
            let (x, y) = (a[0] - from[0], a[1] - from[1]);
            (xx, xy, yy) = (xx + w * x * x, xy + w * x * y, yy + w * y * y);
            for (row, sum) in with.iter_mut().enumerate() {
                let t = b[row] - to[row];
                *sum = [sum[0] + w * x * t, sum[1] + w * y * t];
            }
        }
        let spread = xx * yy - xy * xy;
        // In a line it is nothing but rounding.
        if spread.is_nan() || spread <= 1e-9 * (xx + yy) * (xx + yy) {
            return None;
        }
        let row = |k: usize| {
            let [x, y] = with[k];
            let (a, b) = ((x * yy - y * xy) / spread, (y * xx - x * xy) / spread);
            [a, b, to[k] - a * from[0] - b * from[1]]
        };
        let fitted = Self([row(0), row(1), [0.0, 0.0, 1.0]]);
        fitted.is_finite().then_some(fitted)
    }

    /// The least and the greatest factor by which it stretches lengths near a place: its derivative's singular values.
    pub fn stretches(&self, at: [f64; 2]) -> (f64, f64) {
        let [[a, b], [c, d]] = self.linear(at);
        let (sum, growth) = (a * a + b * b + c * c + d * d, a * d - b * c);
        let root = (sum * sum - 4.0 * growth * growth).max(0.0).sqrt();
        (((sum - root) / 2.0).max(0.0).sqrt(), ((sum + root) / 2.0).sqrt())
    }

    /// The homography of the direct linear transform, with both sides' places moved and scaled to mean 0 and mean distance
    /// √2 before. A pair's weight multiplies its squared residuals, as in kornia's `find_homography_dlt`. Source: Hartley and
    /// Zisserman, *Multiple View Geometry*, algorithm 4.2. `None` for less than four pairs, or places in a line.
    pub fn fit_homography(pairs: &[(Pair, f64)]) -> Option<Self> {
        if pairs.len() < 4 {
            return None;
        }
        let from = normalizer(pairs.iter().map(|(p, _)| p.0))?;
        let to = normalizer(pairs.iter().map(|(p, _)| p.1))?;
        let mut square = [[0.0; 9]; 9];
        for ((a, b), w) in pairs {
            let ([x, y], [u, v]) = (from.apply(*a), to.apply(*b));
            for row in [[-x, -y, -1.0, 0.0, 0.0, 0.0, u * x, u * y, u], [0.0, 0.0, 0.0, -x, -y, -1.0, v * x, v * y, v]]
            {
                for i in 0..9 {
                    for j in 0..9 {
                        square[i][j] += w * row[i] * row[j];
                    }
                }
            }
        }
        let h = least_eigenvector(square);
        let h = Self([[h[0], h[1], h[2]], [h[3], h[4], h[5]], [h[6], h[7], h[8]]]);
        let moved = to.inverse()?.after(&h.after(&from));
        let last = moved.0[2][2];
        let scale = if last.abs() > 1e-12 { 1.0 / last } else { 1.0 };
        let moved = Self(moved.0.map(|row| row.map(|x| x * scale)));
        (moved.is_finite() && moved.inverse().is_some()).then_some(moved)
    }

    /// True where all its numbers are finite.
    pub fn is_finite(&self) -> bool {
        self.0.iter().flatten().all(|x| x.is_finite())
    }
}

/// Moves and scales places to mean 0 and mean distance √2.
fn normalizer(places: impl ExactSizeIterator<Item = [f64; 2]> + Clone) -> Option<Move> {
    let count = places.len() as f64;
    let [x, y] = places.clone().fold([0.0, 0.0], |[x, y], p| [x + p[0] / count, y + p[1] / count]);
    let distance = places.map(|p| (p[0] - x).hypot(p[1] - y)).sum::<f64>() / count;
    if distance.is_nan() || distance < 1e-9 {
        return None;
    }
    let s = 2f64.sqrt() / distance;
    Some(Move([[s, 0.0, -s * x], [0.0, s, -s * y], [0.0, 0.0, 1.0]]))
}

/// The distance of two places.
pub fn apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rord_random::Stream;

    fn near(a: &Move, b: &Move) -> bool {
        [[0.0, 0.0], [100.0, 3.0], [-20.0, 70.0], [55.0, 55.0]].iter().all(|&p| apart(a.apply(p), b.apply(p)) < 1e-6)
    }

    fn places(n: usize) -> Vec<[f64; 2]> {
        let mut stream = Stream::new(3, &[]);
        (0..n).map(|_| [stream.range(-50.0, 150.0), stream.range(0.0, 90.0)]).collect()
    }

    #[test]
    fn a_similarity_is_found_from_two_pairs_and_from_many() {
        for mirrored in [false, true] {
            let truth = Move::similarity(2.1, 0.8, mirrored, [12.0, -7.0]);
            let (turn, scale, mirror) = truth.parts();
            assert!((turn - 2.1).abs() < 1e-12 && (scale - 0.8).abs() < 1e-12 && mirror == mirrored);
            let pairs: Vec<Pair> = places(30).into_iter().map(|p| (p, truth.apply(p))).collect();
            assert!(near(&Move::through([pairs[0], pairs[1]], mirrored).unwrap(), &truth));
            let weighted: Vec<(Pair, f64)> = pairs.iter().map(|&p| (p, 0.5)).collect();
            assert!(near(&Move::fit_similarity(&weighted, mirrored).unwrap(), &truth));
            assert!(near(&truth.inverse().unwrap().after(&truth), &Move::IDENTITY));
        }
        assert_eq!(Move::through([([1.0, 2.0], [0.0, 0.0]); 2], false), None);
    }

    #[test]
    fn the_fit_has_the_least_squares() {
        let truth = Move::similarity(-0.4, 1.2, false, [3.0, 4.0]);
        let mut stream = Stream::new(8, &[]);
        let mut noisy = |p: [f64; 2]| truth.apply(p).map(|x| x + stream.normal());
        let pairs: Vec<(Pair, f64)> = places(40).into_iter().map(|p| ((p, noisy(p)), 1.0)).collect();
        let cost = |m: &Move| pairs.iter().map(|((a, b), _)| apart(m.apply(*a), *b).powi(2)).sum::<f64>();
        let fitted = Move::fit_similarity(&pairs, false).unwrap();
        let (turn, scale, _) = fitted.parts();
        let [[_, _, x], [_, _, y], _] = fitted.0;
        for (dt, ds, dx, dy) in
            [(1e-3, 0.0, 0.0, 0.0), (0.0, 1e-3, 0.0, 0.0), (0.0, 0.0, 0.02, 0.0), (0.0, 0.0, 0.0, 0.02)]
        {
            for sign in [-1.0, 1.0] {
                let other =
                    Move::similarity(turn + sign * dt, scale + sign * ds, false, [x + sign * dx, y + sign * dy]);
                assert!(cost(&fitted) < cost(&other));
            }
        }
    }

    #[test]
    fn an_affine_move_is_found_from_three_pairs_and_from_many() {
        let truth = Move([[0.9, 0.4, 14.0], [-0.1, 1.3, 3.0], [0.0, 0.0, 1.0]]);
        for n in [3, 25] {
            let pairs: Vec<(Pair, f64)> = places(n).into_iter().map(|p| ((p, truth.apply(p)), 0.5)).collect();
            assert!(near(&Move::fit_affine(&pairs).unwrap(), &truth), "{n}");
        }
        let line: Vec<(Pair, f64)> = (0..9).map(|i| ([f64::from(i); 2], [f64::from(i); 2])).map(|p| (p, 1.0)).collect();
        assert_eq!(Move::fit_affine(&line), None);
        assert_eq!(Move::fit_affine(&[]), None);
        let turned = Move::similarity(0.7, 1.0, true, [0.0; 2]).after(&Move([
            [2.0, 0.0, 0.0],
            [0.0, 0.5, 0.0],
            [0.0, 0.0, 1.0],
        ]));
        let (low, high) = turned.stretches([3.0, 4.0]);
        assert!((low - 0.5).abs() < 1e-9 && (high - 2.0).abs() < 1e-9, "{low} {high}");
    }

    #[test]
    fn a_homography_is_found_from_four_pairs_and_from_many() {
        let truth = Move([[0.9, 0.2, 14.0], [-0.1, 1.1, 3.0], [4e-4, -7e-4, 1.0]]);
        for n in [4, 25] {
            let pairs: Vec<(Pair, f64)> = places(n).into_iter().map(|p| ((p, truth.apply(p)), 1.0)).collect();
            assert!(near(&Move::fit_homography(&pairs).unwrap(), &truth), "{n}");
        }
        let line: Vec<(Pair, f64)> = (0..9).map(|i| ([f64::from(i); 2], [f64::from(i); 2])).map(|p| (p, 1.0)).collect();
        assert_eq!(Move::fit_homography(&line), None);
    }

    #[test]
    fn the_derivative_is_the_limit_of_differences() {
        let m = Move([[0.9, 0.2, 14.0], [-0.1, 1.1, 3.0], [4e-4, -7e-4, 1.0]]);
        let (p, e) = ([30.0, 40.0], 1e-5);
        let along = |k: usize| {
            let mut q = p;
            q[k] += e;
            let (a, b) = (m.apply(p), m.apply(q));
            [(b[0] - a[0]) / e, (b[1] - a[1]) / e]
        };
        let [[a, b], [c, d]] = m.linear(p);
        assert!(apart([a, c], along(0)) < 1e-6 && apart([b, d], along(1)) < 1e-6);
    }
}
