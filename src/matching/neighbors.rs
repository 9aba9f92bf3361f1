#![allow(clippy::indexing_slicing)] // loops over blocks whose sizes are set here
//! Nearest neighbors among unit vectors: matrix products in blocks, of which only the best are kept.

use rayon::prelude::*;
use rord_kernels::gemm::{Matrix, multiply};

/// Rows and columns of a block: its product stays in a core's cache.
const BLOCK: [usize; 2] = [256, 512];

/// A key point of the first list and one of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The place in the first list.
    pub a: usize,
    /// The place in the second list.
    pub b: usize,
    /// The inner product of their descriptors.
    pub similarity: f32,
    /// By how much it exceeds that of the first's next best.
    pub lead: f32,
}

/// The best of a line, its place, and the next best.
#[derive(Clone, Copy)]
struct Best {
    similarity: f32,
    at: usize,
    next: f32,
}

impl Best {
    const NONE: Self = Self { similarity: f32::NEG_INFINITY, at: usize::MAX, next: f32::NEG_INFINITY };

    /// Of equal ones the first seen stays. What is no number is never the best.
    fn see(&mut self, similarity: f32, at: usize) {
        if similarity > self.similarity {
            *self = Self { similarity, at, next: self.similarity };
        } else if similarity > self.next {
            self.next = similarity;
        }
    }

    /// `other` was seen later.
    fn join(&mut self, other: Self) {
        if other.similarity > self.similarity {
            *self = Self { next: self.similarity.max(other.next), ..other };
        } else {
            self.next = self.next.max(other.similarity);
        }
    }
}

/// The pairs of which each is the other's nearest, in the order of `a`: rows of `channels` numbers on both sides. Ties go
/// to the first. Empty where the lengths do not fit.
pub fn mutual(a: &[f32], b: &[f32], channels: usize) -> Vec<Match> {
    let (rows, columns) = nearest(a, b, channels);
    let both = rows.iter().enumerate().filter(|(i, best)| columns.get(best.at).is_some_and(|back| back.at == *i));
    both.map(|(i, best)| Match { a: i, b: best.at, similarity: best.similarity, lead: best.similarity - best.next })
        .collect()
}

/// The best of every row of the table of all inner products, and of every column.
fn nearest(a: &[f32], b: &[f32], channels: usize) -> (Vec<Best>, Vec<Best>) {
    if channels == 0 || !a.len().is_multiple_of(channels) || !b.len().is_multiple_of(channels) {
        return (Vec::new(), Vec::new());
    }
    let (rows, columns) = (a.len() / channels, b.len() / channels);
    let [high, wide] = BLOCK;
    // One task for each band of columns: its columns' best are whole, its rows' best are joined in the order of bands.
    let bands: Vec<(Vec<Best>, Vec<Best>)> = (0..columns.div_ceil(wide))
        .into_par_iter()
        .map(|band| {
            let first = band * wide;
            let count = wide.min(columns - first);
            let right = Matrix::rows(&b[first * channels..(first + count) * channels], count, channels, channels);
            let mut best_rows = vec![Best::NONE; rows];
            let mut best_columns = vec![Best::NONE; count];
            let mut product = vec![0f32; high.min(rows) * count];
            for start in (0..rows).step_by(high) {
                let tall = high.min(rows - start);
                let left = Matrix::rows(&a[start * channels..(start + tall) * channels], tall, channels, channels);
                // The sizes were checked above.
                let _ = multiply(&mut product[..tall * count], count, left, right.transposed(), false);
                for (i, line) in product[..tall * count].chunks_exact(count).enumerate() {
                    let row = &mut best_rows[start + i];
                    for (j, similarity) in line.iter().enumerate() {
                        row.see(*similarity, first + j);
                        best_columns[j].see(*similarity, start + i);
                    }
                }
            }
            (best_rows, best_columns)
        })
        .collect();
    let mut best_rows = vec![Best::NONE; rows];
    let mut best_columns = Vec::with_capacity(columns);
    for (band_rows, band_columns) in bands {
        best_rows.iter_mut().zip(band_rows).for_each(|(best, band)| best.join(band));
        best_columns.extend(band_columns);
    }
    (best_rows, best_columns)
}

/// For each row of `a` the `most` rows of `b` with the greatest inner products, the greatest first; ties go to the first.
/// `lead` is over the next one in the list, 0 for the last. Empty where the lengths do not fit.
pub fn nearest_few(a: &[f32], b: &[f32], channels: usize, most: usize) -> Vec<Match> {
    if channels == 0 || most == 0 || !a.len().is_multiple_of(channels) || !b.len().is_multiple_of(channels) {
        return Vec::new();
    }
    let (rows, columns) = (a.len() / channels, b.len() / channels);
    let [high, wide] = BLOCK;
    let blocks: Vec<Vec<Match>> = (0..rows.div_ceil(high))
        .into_par_iter()
        .map(|block| {
            let start = block * high;
            let tall = high.min(rows - start);
            let left = Matrix::rows(&a[start * channels..(start + tall) * channels], tall, channels, channels);
            let mut lists: Vec<Vec<(f32, usize)>> = vec![Vec::with_capacity(most + 1); tall];
            let mut product = vec![0f32; tall * wide.min(columns)];
            for first in (0..columns).step_by(wide) {
                let count = wide.min(columns - first);
                let right = Matrix::rows(&b[first * channels..(first + count) * channels], count, channels, channels);
                // The sizes were checked above.
                let _ = multiply(&mut product[..tall * count], count, left, right.transposed(), false);
                for (list, line) in lists.iter_mut().zip(product[..tall * count].chunks_exact(count)) {
                    for (j, similarity) in line.iter().enumerate() {
                        let full = list.len() == most;
                        if similarity.is_nan() || full && list.last().is_some_and(|last| *similarity <= last.0) {
                            continue;
                        }
                        let at = list.partition_point(|kept| kept.0 >= *similarity);
                        list.insert(at, (*similarity, first + j));
                        list.truncate(most);
                    }
                }
            }
            let matches = |(i, list): (usize, Vec<(f32, usize)>)| {
                (0..list.len())
                    .map(|k| {
                        let (similarity, at) = list[k];
                        let next = list.get(k + 1).map_or(similarity, |next| next.0);
                        Match { a: start + i, b: at, similarity, lead: similarity - next }
                    })
                    .collect::<Vec<_>>()
            };
            lists.into_iter().enumerate().flat_map(matches).collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rord_random::Stream;

    fn vectors(n: usize, channels: usize, seed: u64) -> Vec<f32> {
        let mut stream = Stream::new(seed, &[]);
        (0..n * channels).map(|_| stream.normal() as f32).collect()
    }

    /// One pair at a time.
    fn plainly(a: &[f32], b: &[f32], c: usize) -> Vec<(usize, usize)> {
        let product =
            |i: usize, j: usize| (0..c).map(|k| f64::from(a[i * c + k]) * f64::from(b[j * c + k])).sum::<f64>();
        let best = |count: usize, of: &dyn Fn(usize) -> f64| {
            (0..count).fold((0, f64::MIN), |best, j| if of(j) > best.1 { (j, of(j)) } else { best }).0
        };
        let (n, m) = (a.len() / c, b.len() / c);
        let there: Vec<usize> = (0..n).map(|i| best(m, &|j| product(i, j))).collect();
        let back: Vec<usize> = (0..m).map(|j| best(n, &|i| product(i, j))).collect();
        (0..n).filter(|i| back[there[*i]] == *i).map(|i| (i, there[i])).collect()
    }

    #[test]
    fn blocks_find_what_one_pair_at_a_time_finds() {
        for (n, m, c) in [(1, 1, 3), (300, 7, 8), (7, 1100, 5), (600, 700, 16)] {
            let (a, b) = (vectors(n, c, 1), vectors(m, c, 2));
            let found: Vec<(usize, usize)> = mutual(&a, &b, c).iter().map(|m| (m.a, m.b)).collect();
            assert_eq!(found, plainly(&a, &b, c), "{n} {m} {c}");
        }
    }

    #[test]
    fn the_nearest_few_are_those_of_a_sorted_list() {
        for (n, m, c, most) in [(1, 1, 3, 4), (300, 7, 8, 3), (7, 1100, 5, 6), (260, 700, 16, 5)] {
            let (a, b) = (vectors(n, c, 1), vectors(m, c, 2));
            let found = nearest_few(&a, &b, c, most);
            assert_eq!(found.len(), n * most.min(m));
            for i in 0..n {
                let product = |j: usize| (0..c).map(|k| f64::from(a[i * c + k]) * f64::from(b[j * c + k])).sum::<f64>();
                let mut order: Vec<usize> = (0..m).collect();
                order.sort_by(|x, y| product(*y).total_cmp(&product(*x)));
                order.truncate(most);
                let here: Vec<usize> = found.iter().filter(|f| f.a == i).map(|f| f.b).collect();
                assert_eq!(here, order, "{n} {m} {c}");
            }
        }
        assert!(nearest_few(&[1.0], &[1.0, 2.0], 2, 3).is_empty() && nearest_few(&[1.0], &[], 1, 3).is_empty());
    }

    #[test]
    fn the_lead_is_over_the_next_best_and_nothing_fits_nothing() {
        let found = mutual(&[1.0, 0.0], &[0.5, 0.0, 0.75, 0.0, 0.25, 0.0], 2);
        assert_eq!(found, [Match { a: 0, b: 1, similarity: 0.75, lead: 0.25 }]);
        assert!(mutual(&[1.0], &[1.0, 2.0], 2).is_empty() && mutual(&[], &[1.0, 2.0], 2).is_empty());
        assert!(mutual(&[f32::NAN; 2], &[1.0, 2.0], 2).is_empty());
    }
}
