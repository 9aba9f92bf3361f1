//! For each vector of a list the nearest of another list, by one matrix product: ‖a - b‖² = ‖a‖² + ‖b‖² - 2·a·b.
#![allow(clippy::indexing_slicing)] // Lists are cut by the sizes that they are checked against on entry.

use rayon::prelude::*;

use super::gemm::{Matrix, multiply};
use super::normalize::sum;
use super::{Float, Mismatch, length};

/// The sizes of `batch` pairs of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lists {
    /// Pairs of lists.
    pub batch: usize,
    /// Vectors that look for one.
    pub anchors: usize,
    /// Vectors that are looked at.
    pub candidates: usize,
    /// Components of a vector.
    pub channels: usize,
}

/// Which candidates an anchor must not take: those less than `least` away from its own place.
#[derive(Clone, Copy, Debug)]
pub struct Apart<'a, T> {
    /// A place (x, y) for each anchor: (batch, anchors, 2).
    pub own: &'a [T],
    /// A place for each candidate: (batch, candidates, 2).
    pub places: &'a [T],
    /// What a difference in x and in y is multiplied by.
    pub scale: [T; 2],
    /// The least distance, in the units that `scale` makes.
    pub least: T,
}

/// The number of the candidate of `vectors` (batch, candidates, channels) nearest to each of `anchors` (batch, anchors,
/// channels), the first of several. Where all are too near to the anchor's own place, the farthest from that.
pub fn nearest<T: Float>(
    g: &Lists,
    anchors: &[T],
    vectors: &[T],
    apart: Option<Apart<T>>,
) -> Result<Vec<usize>, Mismatch> {
    if g.anchors == 0 || g.candidates == 0 || g.channels == 0 {
        return Err(Mismatch::Sizes("a choice needs an anchor, a candidate and a channel"));
    }
    length("anchors", anchors, g.batch * g.anchors * g.channels)?;
    length("vectors", vectors, g.batch * g.candidates * g.channels)?;
    if let Some(apart) = &apart {
        length("places of the anchors", apart.own, g.batch * g.anchors * 2)?;
        length("places of the candidates", apart.places, g.batch * g.candidates * 2)?;
    }
    let mut out = vec![0; g.batch * g.anchors];
    let lists = anchors.par_chunks(g.anchors * g.channels).zip(vectors.par_chunks(g.candidates * g.channels));
    out.par_chunks_mut(g.anchors).zip(lists).enumerate().try_for_each(|(image, (out, (anchors, vectors)))| {
        let mut cross = vec![T::ZERO; g.anchors * g.candidates];
        let a = Matrix::rows(anchors, g.anchors, g.channels, g.channels);
        let b = Matrix::rows(vectors, g.candidates, g.channels, g.channels).transposed();
        multiply(&mut cross, g.candidates, a, b, false)?;
        let square = |vector: &[T]| sum(vector, vector, |a, b| a * b);
        let theirs: Vec<T> = vectors.chunks_exact(g.channels).map(square).collect();
        let rows = cross.chunks_exact(g.candidates).zip(anchors.chunks_exact(g.channels));
        for (i, (out, (cross, anchor))) in out.iter_mut().zip(rows).enumerate() {
            let own = square(anchor);
            let gap = |j: usize| {
                apart.map(|apart| {
                    let (from, to) = (2 * (image * g.anchors + i), 2 * (image * g.candidates + j));
                    let side = |k: usize| {
                        let d = (apart.own[from + k] - apart.places[to + k]) * apart.scale[k];
                        d * d
                    };
                    // A place may be far outside, and squares must stay comparable.
                    let sum = side(0) + side(1);
                    if sum < T::of(FAR) { sum } else { T::of(FAR) }
                })
            };
            let (mut best, mut farthest) = (None, (0, -T::ONE));
            for (j, (cross, their)) in cross.iter().zip(&theirs).enumerate() {
                if let (Some(gap), Some(apart)) = (gap(j), &apart) {
                    if gap > farthest.1 {
                        farthest = (j, gap);
                    }
                    if gap < apart.least * apart.least {
                        continue;
                    }
                }
                let distance = (own + *their - (*cross + *cross)).larger(T::ZERO);
                if best.is_none_or(|(_, least)| distance < least) {
                    best = Some((j, distance));
                }
            }
            *out = best.unwrap_or(farthest).0;
        }
        Ok(())
    })?;
    Ok(out)
}

/// No squared distance between places counts as more.
const FAR: f64 = 1e30;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_taken_unless_it_is_too_close_to_the_own_place() {
        let g = Lists { batch: 1, anchors: 1, candidates: 3, channels: 2 };
        let (anchor, vectors) = ([1.0f32, 0.0], [0.0, 1.0, 0.9, 0.1, 0.5, 0.5]);
        assert_eq!(nearest(&g, &anchor, &vectors, None).unwrap(), [1]);
        let places = [0.9f32, 0.0, 0.1, 0.0, -0.5, 0.0];
        let apart = |least: f32| Some(Apart { own: &[0.0, 0.0], places: &places, scale: [10.0, 10.0], least });
        assert_eq!(nearest(&g, &anchor, &vectors, apart(2.0)).unwrap(), [2]);
        assert_eq!(nearest(&g, &anchor, &vectors, apart(100.0)).unwrap(), [0], "the farthest");
        assert!(nearest(&g, &anchor, &vectors[1..], None).is_err());
    }
}
