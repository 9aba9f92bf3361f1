//! Goes once over all numbers of a field before the run: each is finite and what its kind allows, and homographies lead
//! from a view to about the same place.

use super::misfit::Misfit;
use super::stored::Stored;
use rord_lang::types::Kind;

/// As many bytes as are read at a time.
const BLOCK: usize = 1 << 20;
/// How far from the middle, in halves of the view, still counts as near the view.
const NEAR: f64 = 3.0;

/// What is seen of the numbers of a field in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// The greatest number, at least 0.
    pub greatest: f32,
}

/// Looks at all numbers of `stored`, a field of this name and kind.
pub fn scan(field: &str, kind: Kind, stored: &Stored) -> Result<Seen, Misfit> {
    let field = || field.to_string();
    let holds: fn(f32) -> bool = match kind {
        Kind::Mask => |x| x == 0.0 || x == 1.0,
        kind if kind.is(Kind::Prob) => |x| (0.0..=1.0).contains(&x),
        Kind::Dist => |x| x >= 0.0,
        _ => |_| true,
    };
    let cells = stored.cells().max(1);
    let at_once = (BLOCK / (cells * stored.number.bytes())).max(1);
    let (mut raw, mut values, mut seen) = (Vec::new(), Vec::new(), Seen::default());
    let (mut infinite, mut outside, mut far, mut singular) =
        (Faults::new(), Faults::new(), Faults::new(), Faults::new());
    let mut from = 0;
    while from < stored.samples() {
        let count = at_once.min(stored.samples() - from);
        values.clear();
        stored.read(from, count, &mut raw, &mut values).map_err(|error| Misfit::Unreadable {
            field: field(),
            reason: format!("{}: {}", stored.bytes.path.display(), rord_files::plain(&error)),
        })?;
        for (k, value) in values.iter().enumerate() {
            let sample = || from + k / cells;
            if !value.is_finite() {
                infinite.add(sample(), *value);
            } else if !holds(*value) {
                outside.add(sample(), *value);
            }
            seen.greatest = seen.greatest.max(*value);
        }
        if kind == Kind::Homography {
            for (k, h) in values.as_chunks::<9>().0.iter().enumerate() {
                match Homography(h.map(f64::from)) {
                    h if h.determinant() == 0.0 => singular.add(from + k, [0.0; 2]),
                    h if !h.is_near() => far.add(from + k, h.takes([0.0; 2]).map(|x| x as f32)),
                    _ => {}
                }
            }
        }
        from += count;
    }
    if let Some((sample, _)) = infinite.first {
        return Err(Misfit::NotFinite { field: field(), sample, count: infinite.count });
    }
    if let Some((sample, value)) = outside.first {
        return Err(Misfit::OutOfRange { field: field(), kind, sample, value, count: outside.count });
    }
    if let Some((sample, _)) = singular.first {
        return Err(Misfit::Singular { field: field(), sample, count: singular.count });
    }
    if let Some((sample, to)) = far.first {
        return Err(Misfit::Far { field: field(), sample, to, count: far.count });
    }
    Ok(seen)
}

/// How many samples or numbers have a fault, and the first of them.
struct Faults<T> {
    count: usize,
    first: Option<(usize, T)>,
}

impl<T> Faults<T> {
    fn new() -> Self {
        Self { count: 0, first: None }
    }

    fn add(&mut self, sample: usize, what: T) {
        self.count += 1;
        self.first.get_or_insert((sample, what));
    }
}

/// A homography, row by row.
struct Homography([f64; 9]);

impl Homography {
    /// Where a point is taken.
    fn takes(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        let w = g * x + h * y + i;
        [(a * x + b * y + c) / w, (d * x + e * y + f) / w]
    }

    /// 0 where rounding to f32 leaves nothing of it.
    fn determinant(&self) -> f64 {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        let terms = [a * e * i, -a * f * h, -b * d * i, b * f * g, c * d * h, -c * e * g];
        let (sum, size) = (terms.iter().sum::<f64>(), terms.iter().map(|t| t.abs()).sum::<f64>());
        if sum.abs() <= 1e-7 * size { 0.0 } else { sum }
    }

    /// Whether it takes a corner, the middle of a side, or the middle of the view to a place near the view.
    fn is_near(&self) -> bool {
        let ends = [-1.0, 0.0, 1.0];
        ends.iter().any(|y| ends.iter().any(|x| self.takes([*x, *y]).iter().all(|q| q.abs() <= NEAR)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homographies_in_pixels_are_told_from_normalized_ones() {
        let turn = |c: f64, s: f64, x: f64, y: f64| Homography([c, s, x, -s, c, y, 0.0, 0.0, 1.0]);
        assert!(turn(1.0, 0.0, 0.0, 0.0).is_near() && turn(0.6, 0.8, 0.5, -1.5).is_near());
        // Four times as large about a place of the view, and a strong perspective.
        assert!(turn(4.0, 0.0, 3.0, 3.0).is_near());
        assert!(Homography([1.0, 0.1, 0.2, 0.0, 1.2, 0.1, 0.4, -0.3, 1.0]).is_near());
        // A quarter turn of 64 px, and a shift by 12.5 px.
        assert!(!turn(0.0, 1.0, 0.0, 63.0).is_near() && !turn(1.0, 0.0, 12.5, 0.0).is_near());
        assert_eq!(Homography([1.0; 9]).determinant(), 0.0);
        assert_eq!(turn(0.6, 0.8, 5.0, 1.0).determinant(), 1.0);
    }
}
