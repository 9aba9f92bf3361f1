#![allow(clippy::indexing_slicing)] // loops over tables whose sizes are set here
//! How pixels of a picture vary together by their distance, and drawings whitened by it.

use rayon::prelude::*;

use crate::dense::product;
use crate::template::Grey;

/// The mean of a picture's pixels, and the covariance of two pixels by how far they lie apart.
pub struct Covariance {
    /// The mean.
    pub mean: f64,
    /// For y of 0 to `reach[1]`, for x of `-reach[0]` to `reach[0]`.
    table: Vec<f64>,
    reach: [usize; 2],
}

/// Places of a picture that are looked at, about: with fewer the table of a large filter is no covariance.
const PLACES: usize = 400_000;
/// What is added to the covariance of a pixel with itself, as a share of it: of details that no two copies share. More is added
/// where that is not enough.
const OWN: [f64; 3] = [0.3, 1.0, 4.0];

impl Covariance {
    /// That of pixels at most `reach` apart along x and along y.
    pub fn of(picture: &Grey, reach: [usize; 2]) -> Self {
        let (width, height) = (picture.width, picture.height);
        let pixels = width * height;
        let mean = picture.values.iter().map(|v| f64::from(*v)).sum::<f64>() / pixels.max(1) as f64;
        let contrast: Vec<f32> = picture.values.iter().map(|v| v - mean as f32).collect();
        // Whole rows, so that products run along memory.
        let step = (pixels / PLACES).max(1) | 1;
        let across = 2 * reach[0] + 1;
        let entry = |index: usize| {
            let (dx, dy) = (index as i64 % across as i64 - reach[0] as i64, index / across);
            let shift = dx.unsigned_abs() as usize;
            if shift >= width || dy >= height {
                return 0.0;
            }
            let (left, right) = if dx < 0 { (shift, 0) } else { (0, shift) };
            let line = |y: usize, x: usize| &contrast[y * width + x..y * width + x + width - shift];
            let rows = (0..height - dy).step_by(step);
            let count = rows.len() * (width - shift);
            let sum: f64 = rows.map(|y| f64::from(product(line(y, left), line(y + dy, right)))).sum();
            sum / count.max(1) as f64
        };
        let table = (0..across * (reach[1] + 1)).into_par_iter().map(entry).collect();
        Self { mean, table, reach }
    }

    /// The row of the table for pixels `dy` rows apart, from `dx = -reach[0]` on, and whether x counts the other way.
    fn row(&self, dy: i64) -> (&[f64], bool) {
        let across = 2 * self.reach[0] + 1;
        let from = dy.unsigned_abs() as usize * across;
        (&self.table[from..from + across], dy < 0)
    }

    /// The covariance of one pixel with itself.
    fn own(&self) -> f64 {
        self.table[self.reach[0]]
    }

    /// The covariance times values that lie in rows of `width`, with `own` of a pixel's covariance with itself added.
    fn times(&self, values: &[f64], width: usize, own: f64) -> Vec<f64> {
        let middle = self.reach[0];
        let rows: Vec<&[f64]> = values.chunks_exact(width).collect();
        let out = (0..rows.len()).into_par_iter().flat_map_iter(|y| {
            let mut line = vec![0.0; width];
            for (other, row) in rows.iter().enumerate() {
                let (table, turned) = self.row(other as i64 - y as i64);
                for (x, sum) in line.iter_mut().enumerate() {
                    // From x to the pixels of the row: dx = 0 - x up to width - 1 - x.
                    *sum += match turned {
                        false => dot(&table[middle - x..], row),
                        true => row.iter().zip(table[..middle + x + 1].iter().rev()).map(|(a, b)| a * b).sum::<f64>(),
                    };
                }
            }
            line
        });
        let mut out: Vec<f64> = out.collect();
        out.iter_mut().zip(values).for_each(|(sum, v)| *sum += own * self.own() * v);
        out
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The weights whose product with the covariance are the values, by conjugate gradients; 0 where there is no value, and as if
/// these pixels were not there. `None` where nothing varies. Source: Hestenes and Stiefel, 1952.
pub fn whitened(values: &[Option<f64>], width: usize, covariance: &Covariance) -> Option<Vec<f64>> {
    let [reach_x, reach_y] = covariance.reach;
    let varies = covariance.own() > 1e-9;
    if width == 0 || width > reach_x + 1 || values.len() / width > reach_y + 1 || !varies {
        return None;
    }
    OWN.iter().find_map(|own| solved(values, width, covariance, *own))
}

/// `None` where the table with `own` added is not that of a covariance.
fn solved(values: &[Option<f64>], width: usize, covariance: &Covariance, own: f64) -> Option<Vec<f64>> {
    /// Rounds at most, the share of the values' length that is left when it is enough, and that may be left.
    const ROUNDS: usize = 60;
    const ENOUGH: f64 = 1e-3;
    const LEFT: f64 = 0.05;
    let masked = |mut product: Vec<f64>| {
        product.iter_mut().zip(values).filter(|(_, v)| v.is_none()).for_each(|(p, _)| *p = 0.0);
        product
    };
    let mut rest: Vec<f64> = values.iter().map(|v| v.unwrap_or_default()).collect();
    let mut weights = vec![0.0; rest.len()];
    let mut along = rest.clone();
    let mut length = dot(&rest, &rest);
    let (enough, left) = (ENOUGH * ENOUGH * length, LEFT * LEFT * length);
    for _ in 0..ROUNDS {
        if length <= enough {
            break;
        }
        let product = masked(covariance.times(&along, width, own));
        let bend = dot(&along, &product);
        if bend.is_nan() || bend <= 0.0 {
            return None;
        }
        let step = length / bend;
        weights.iter_mut().zip(&along).for_each(|(w, a)| *w += step * a);
        rest.iter_mut().zip(&product).for_each(|(r, p)| *r -= step * p);
        let next = dot(&rest, &rest);
        along.iter_mut().zip(&rest).for_each(|(a, r)| *a = r + next / length * *a);
        length = next;
    }
    (length <= left && weights.iter().all(|w| w.is_finite())).then_some(weights)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rord_random::Stream;

    #[test]
    fn whitening_undoes_the_covariance() {
        let mut stream = Stream::new(2, &[]);
        // Pixels that share what lies up to three to their left.
        let own: Vec<f32> = (0..90 * 80).map(|_| stream.range(0.0, 1.0) as f32).collect();
        let values = (0..90 * 80).map(|k| own[k..(k + 4).min(own.len())].iter().sum::<f32>()).collect();
        let picture = Grey { values, width: 90, height: 80 };
        let covariance = Covariance::of(&picture, [12, 9]);
        assert!(covariance.table[12 + 1] > 0.5 * covariance.own() && covariance.table[12 + 6] < 0.2 * covariance.own());
        let wanted: Vec<Option<f64>> = (0..9 * 7).map(|k| (k != 5).then_some((k * k % 11) as f64)).collect();
        let weights = whitened(&wanted, 9, &covariance).unwrap();
        let again = covariance.times(&weights, 9, OWN[0]);
        for ((found, wanted), weight) in again.iter().zip(&wanted).zip(&weights) {
            match wanted {
                Some(wanted) => assert!((found - wanted).abs() < 0.05, "{found} {wanted}"),
                None => assert_eq!(*weight, 0.0),
            }
        }
        let flat = Grey { values: vec![0.5; 400], width: 20, height: 20 };
        assert_eq!(whitened(&wanted, 9, &Covariance::of(&flat, [12, 9])), None);
    }
}
