//! For each vector of a list the nearest of another list, by one matrix product: ‖a - b‖² = ‖a‖² + ‖b‖² - 2·a·b.
#![allow(clippy::indexing_slicing)] // Lists are cut by the sizes that they are checked against on entry.

use rayon::prelude::*;

use super::all_distances::finish;
use super::gemm::{Matrix, multiply};
use super::normalize::sum;
use super::simd::{Lanes, Simd, Task, run};
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
        let places = apart.map(|apart| {
            let of = apart.places.iter().skip(2 * image * g.candidates).take(2 * g.candidates);
            let side = |k: usize| of.clone().skip(k).step_by(2).copied().collect::<Vec<T>>();
            (apart, [side(0), side(1)])
        });
        let rows = cross.chunks_exact_mut(g.candidates).zip(anchors.chunks_exact(g.channels));
        for (i, (out, (cross, anchor))) in out.iter_mut().zip(rows).enumerate() {
            let near = places.as_ref().map(|(apart, places)| {
                let own = &apart.own[2 * (image * g.anchors + i)..];
                Near { own: [own[0], own[1]], places: [&places[0], &places[1]], scale: apart.scale, least: apart.least }
            });
            *out = run(Simd::chosen(), Row { own: square(anchor), cross, theirs: &theirs, near });
        }
        Ok(())
    })?;
    Ok(out)
}

/// The candidates' places, as an anchor sees them.
#[derive(Clone, Copy)]
struct Near<'a, T> {
    own: [T; 2],
    /// x and y of all.
    places: [&'a [T]; 2],
    scale: [T; 2],
    least: T,
}

impl<T: Float> Near<'_, T> {
    /// The squared distances of the places from the anchor's own.
    #[inline(always)]
    fn gaps(&self) -> impl Iterator<Item = T> {
        let Self { own, places: [xs, ys], scale, .. } = *self;
        xs.iter().zip(ys).map(move |(x, y)| {
            let (x, y) = ((own[0] - *x) * scale[0], (own[1] - *y) * scale[1]);
            // A place may be far outside, and squares must stay comparable.
            let sum = x * x + y * y;
            if sum < T::of(FAR) { sum } else { T::of(FAR) }
        })
    }
}

/// No squared distance between places counts as more.
const FAR: f64 = 1e30;

/// The choice of an anchor, given its products with all candidates and the squares of these.
struct Row<'a, T> {
    own: T,
    /// The products, in whose place the distances are put.
    cross: &'a mut [T],
    theirs: &'a [T],
    near: Option<Near<'a, T>>,
}

impl<T: Float> Task for Row<'_, T> {
    type Out = usize;

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) -> usize {
        let Self { own, cross: to, theirs, near } = self;
        finish(to, own, theirs, |square| square);
        let Some(near) = near else { return first_least(to) };
        let (bound, never) = (near.least * near.least, T::of(f64::INFINITY));
        let mut any = false;
        for (to, gap) in to.iter_mut().zip(near.gaps()) {
            any |= gap >= bound;
            *to = if gap < bound { never } else { *to };
        }
        if !any {
            let farthest = near.gaps().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
            return farthest.map_or(0, |(place, _)| place);
        }
        let chosen = first_least(to);
        // Nothing is less than what stands for those that are too near: the first that is not.
        let first = || near.gaps().position(|gap| gap >= bound);
        if to[chosen] < never { chosen } else { first().unwrap_or(chosen) }
    }
}

/// The first place of the least number.
#[inline(always)]
fn first_least<T: Float>(of: &[T]) -> usize {
    // Lanes of their own, so that a comparison need not wait for the last.
    let (first, mut least) = (of[0], [of[0]; 16]);
    for part in of.chunks(least.len()) {
        for (least, x) in least.iter_mut().zip(part) {
            *least = if *x < *least { *x } else { *least };
        }
    }
    let least = least.into_iter().fold(first, |a, b| if b < a { b } else { a });
    of.iter().position(|x| *x == least).unwrap_or(0)
}

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

    #[test]
    fn among_many_the_choice_is_that_of_a_search_one_by_one() {
        let g = Lists { batch: 3, anchors: 9, candidates: 53, channels: 4 };
        // Whole numbers, so that many are equally near and all sums are exact.
        let mut state = 7u32;
        let mut drawn = |n: usize| -> Vec<f32> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 28) as f32
            };
            (0..n).map(|_| next()).collect()
        };
        let (anchors, vectors) = (drawn(3 * 9 * 4), drawn(3 * 53 * 4));
        let (own, places) = (drawn(3 * 9 * 2), drawn(3 * 53 * 2));
        let square = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        for least in [None, Some(0.0f32), Some(6.0), Some(14.0), Some(100.0)] {
            let apart = least.map(|least| Apart { own: &own, places: &places, scale: [1.0, 1.0], least });
            let expected: Vec<usize> = (0..27)
                .map(|i| {
                    let of = |j: usize| {
                        let j = i / 9 * 53 + j;
                        let distance = square(&anchors[4 * i..][..4], &vectors[4 * j..][..4]);
                        (distance, square(&own[2 * i..][..2], &places[2 * j..][..2]))
                    };
                    let far = |j: &usize| least.is_none_or(|least| of(*j).1 >= least * least);
                    let first = |a: usize, b: usize, key: &dyn Fn(usize) -> f32| if key(b) < key(a) { b } else { a };
                    let nearest = (0..53).filter(far).reduce(|a, b| first(a, b, &|j| of(j).0));
                    nearest.unwrap_or_else(|| (0..53).reduce(|a, b| first(a, b, &|j| -of(j).1)).unwrap())
                })
                .collect();
            assert_eq!(nearest(&g, &anchors, &vectors, apart).unwrap(), expected, "{least:?}");
        }
    }
}
