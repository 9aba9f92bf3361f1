#![allow(clippy::indexing_slicing)] // loops over maps whose sizes are set here
//! Moves found by looking everywhere: each of a query's places tells of every cell of a picture how likely it is its own, and
//! for every turn and scale these maps are shifted onto each other and added.
//!
//! Nearest neighbors see the few cells of the picture that are most alike. Where a query is drawn very differently the right
//! cells are often not among them, yet they are more alike than most: over all places together that is enough.

use std::cmp::Reverse;

use rord_kernels::gemm::{Matrix, multiply};
use rord_kernels::simd::{Closure, Simd, run};

use crate::dense::Dense;
use crate::moves::Move;
use crate::search::first_apart;

/// Which moves are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Whether they mirror.
    pub mirrored: bool,
    /// The least and the greatest scale.
    pub scale: (f64, f64),
    /// The middle of the turns, in radians from x towards y.
    pub turn: f64,
    /// How far from it turns lie at most.
    pub half: f64,
    /// Pixels of the query's edge that are not looked at.
    pub margin: f64,
}

/// Places of a query along each side.
const PLACES: usize = 8;
/// Side of a pooled cell in pixels, at least.
const POOLED: f64 = 8.0;
/// The greatest number of a likelihood map: the sum over all places stays below 2¹⁶.
const GREATEST: f32 = 255.0;
/// The temperature of likelihoods: descriptors are trained with a softmax at this one.
const TEMPERATURE: f32 = 0.07;
/// How far in pixels a turn or a scale between two steps takes the query's corners from where they should be.
const OFF: f64 = 5.0;

/// The `most` likeliest moves, the likeliest first. None where the maps have nothing in common.
pub fn everywhere(query: &Dense, picture: &Dense, range: &Range, most: usize) -> Vec<Move> {
    let places = places(query, range.margin);
    if places.is_empty() || query.channels != picture.channels || picture.values.is_empty() || most == 0 {
        return Vec::new();
    }
    let maps = Likelihoods::new(query, picture, &places);
    let middle = query.size.map(|side| (side as f64 - 1.0) / 2.0);
    let reach = (query.size[0] as f64).hypot(query.size[1] as f64) / 2.0;
    let mut best: Vec<(u16, [f64; 2], [usize; 2])> = Vec::new();
    let mut least = 0;
    let mut sum = vec![0u16; maps.size[0] * maps.size[1]];
    let step = 2.0 * OFF / reach.max(1.0);
    for turn in steps(range.turn - range.half, range.turn + range.half, step) {
        for scale in steps(range.scale.0.ln(), range.scale.1.ln(), step) {
            let linear = Move::similarity(turn, scale.exp(), range.mirrored, [0.0, 0.0]);
            let offset = |place: &[f64; 2]| linear.apply([place[0] - middle[0], place[1] - middle[1]]);
            let offsets: Vec<[f64; 2]> = places.iter().map(offset).collect();
            maps.together(&offsets, &mut sum);
            for (at, value) in peaks(&sum, maps.size, most, least) {
                best.push((value, [turn, scale], at));
            }
            // What cannot be among the best is forgotten now and then.
            if best.len() > 16 * most {
                order(&mut best);
                best.truncate(4 * most);
                least = best.last().map_or(0, |last| last.0);
            }
        }
    }
    order(&mut best);
    let moves = best.into_iter().map(|(_, [turn, scale], at)| {
        let linear = Move::similarity(turn, scale.exp(), range.mirrored, [0.0, 0.0]);
        let ([x, y], [u, v]) = (maps.middle(at), linear.apply(middle));
        Move::similarity(turn, scale.exp(), range.mirrored, [x - u, y - v])
    });
    first_apart(moves, |by| by, most, 3.0 * OFF, query.size)
}

/// The likeliest first; of equal ones the first of the sweep.
fn order(best: &mut [(u16, [f64; 2], [usize; 2])]) {
    best.sort_by_key(|one| Reverse(one.0));
}

/// Numbers from `low` to `high`, evenly, at most `step` apart.
fn steps(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let count = ((high - low) / step.max(1e-3)).ceil().clamp(1.0, 1000.0) as usize;
    (0..count).map(move |k| low + (high - low) * (k as f64 + 0.5) / count as f64)
}

/// Middles of the query's cells, evenly chosen, `margin` pixels from its edge where it has so many.
fn places(query: &Dense, margin: f64) -> Vec<[f64; 2]> {
    let along = |cells: usize, step: f64| -> Vec<usize> {
        let cut = ((margin / step.max(1e-9)).ceil() as usize).min(cells.saturating_sub(1) / 2);
        let (first, count) = (cut, cells.saturating_sub(2 * cut));
        let few = PLACES.min(count);
        (0..few).map(|k| first + (2 * k + 1) * count / (2 * few)).collect()
    };
    let [x, y] = query.step();
    let (rows, columns) = (along(query.height, y), along(query.width, x));
    rows.iter().flat_map(|row| columns.iter().map(|column| query.middle(*row, *column))).collect()
}

/// For each place of a query a map of how much likelier than any other a pooled cell of the picture is to hold it: the
/// logarithm of the ratio, 0 where it is less likely.
struct Likelihoods {
    /// One map after the other, row by row, in parts of the greatest value of all maps.
    values: Vec<u8>,
    /// Width and height in pooled cells.
    size: [usize; 2],
    /// Pixels in a pooled cell.
    step: [f64; 2],
}

impl Likelihoods {
    fn new(query: &Dense, picture: &Dense, places: &[[f64; 2]]) -> Self {
        let channels = query.channels;
        let mut descriptors = vec![0f32; places.len() * channels];
        for (place, out) in places.iter().zip(descriptors.chunks_exact_mut(channels)) {
            query.sample(*place, out);
        }
        let cells = picture.width * picture.height;
        let left = Matrix::rows(&descriptors, places.len(), channels, channels);
        let right = Matrix::rows(&picture.values, cells, channels, channels);
        let mut alike = vec![0f32; places.len() * cells];
        // The sizes were made above; of others nothing is found.
        let _ = multiply(&mut alike, cells, left, right.transposed(), false);
        let pool = picture.step().map(|step| ((POOLED / step.max(1e-9)).round() as usize).max(1));
        let size = [picture.width.div_ceil(pool[0]), picture.height.div_ceil(pool[1])];
        let step = [0, 1].map(|axis| picture.step()[axis] * pool[axis] as f64);
        let mut likelier = Vec::with_capacity(places.len() * size[0] * size[1]);
        for map in alike.chunks_exact(cells) {
            let level = level(map);
            let pooled = pooled(map, [picture.width, picture.height], pool, size);
            likelier.extend(pooled.into_iter().map(|alike| (alike / TEMPERATURE - level).max(0.0)));
        }
        let most = likelier.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        // What is not a number is 0.
        let values = likelier.into_iter().map(|value| (value / most * GREATEST).round() as u8).collect();
        Self { values, size, step }
    }

    /// The middle of a pooled cell in pixels.
    fn middle(&self, [column, row]: [usize; 2]) -> [f64; 2] {
        [(column as f64 + 0.5) * self.step[0] - 0.5, (row as f64 + 0.5) * self.step[1] - 0.5]
    }

    /// For every cell how likely the query's middle lies there: the sum of all places' maps, each shifted by what its place
    /// lies from the middle, in pixels.
    fn together(&self, offsets: &[[f64; 2]], sum: &mut [u16]) {
        let [width, height] = self.size;
        let cells = |offset: &[f64; 2]| [0, 1].map(|axis| (offset[axis] / self.step[axis]).round() as i64);
        let shifts: Vec<[i64; 2]> = offsets.iter().map(cells).collect();
        let maps = || self.values.chunks_exact(width * height).zip(&shifts);
        let add = || {
            for (row, sum) in sum.chunks_exact_mut(width).enumerate() {
                sum.fill(0);
                for (map, [right, down]) in maps() {
                    let from = row as i64 + down;
                    if !(0..height as i64).contains(&from) {
                        continue;
                    }
                    let line = &map[from as usize * width..(from as usize + 1) * width];
                    let first = (-right).clamp(0, width as i64) as usize;
                    let end = (width as i64 - right).clamp(first as i64, width as i64) as usize;
                    let begin = (first as i64 + right).clamp(0, width as i64) as usize;
                    for (sum, value) in sum[first..end].iter_mut().zip(&line[begin..]) {
                        *sum += u16::from(*value);
                    }
                }
            }
        };
        run(Simd::chosen(), Closure(add));
    }
}

/// The logarithm of the mean likelihood over a map, from every third cell.
fn level(map: &[f32]) -> f32 {
    let (mut sum, mut count) = (0f64, 0u32);
    for alike in map.iter().step_by(3) {
        sum += f64::from((alike / TEMPERATURE).exp());
        count += 1;
    }
    let mean = sum / f64::from(count.max(1));
    if mean.is_finite() && mean > 0.0 { mean.ln() as f32 } else { f32::MAX }
}

/// The greatest value within each pooled cell and half a cell around it.
fn pooled(map: &[f32], [width, height]: [usize; 2], [wide, high]: [usize; 2], size: [usize; 2]) -> Vec<f32> {
    let span = |at: usize, pool: usize, side: usize| {
        let more = pool.div_ceil(2).min(pool - 1).max(usize::from(pool > 1));
        (at * pool).saturating_sub(more)..((at + 1) * pool + more).min(side)
    };
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let mut out = Vec::with_capacity(size[0] * size[1]);
    let mut line = vec![f32::MIN; width];
    let pool = || {
        for at in 0..size[1] {
            // First down the columns, then along what is left of them.
            line.fill(f32::MIN);
            let rows = span(at, high, height);
            for row in map[rows.start * width..rows.end * width].chunks_exact(width) {
                line.iter_mut().zip(row).for_each(|(most, value)| *most = greater(*most, *value));
            }
            out.extend((0..size[0]).map(|at| line[span(at, wide, width)].iter().copied().fold(f32::MIN, greater)));
        }
    };
    run(Simd::chosen(), Closure(pool));
    out
}

/// The greatest values of a map above `least` that no neighbor exceeds, `most` of them.
fn peaks(sum: &[u16], [width, height]: [usize; 2], most: usize, mut least: u16) -> Vec<([usize; 2], u16)> {
    let mut found: Vec<([usize; 2], u16)> = Vec::new();
    let greatest: Vec<u16> = run(
        Simd::chosen(),
        Closure(|| sum.chunks_exact(width).map(|row| row.iter().copied().fold(0, u16::max)).collect()),
    );
    for row in 0..height {
        // Most rows have none.
        if greatest[row] <= least {
            continue;
        }
        for column in 0..width {
            let value = sum[row * width + column];
            if value <= least {
                continue;
            }
            let around = (row.saturating_sub(1)..(row + 2).min(height))
                .flat_map(|r| (column.saturating_sub(1)..(column + 2).min(width)).map(move |c| r * width + c));
            if around.into_iter().any(|at| sum[at] > value) {
                continue;
            }
            found.push(([column, row], value));
            if found.len() >= 8 * most {
                found.sort_by_key(|one| Reverse(one.1));
                found.truncate(most);
                least = found.last().map_or(0, |last| last.1);
            }
        }
    }
    found.sort_by_key(|one| Reverse(one.1));
    found.truncate(most);
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::search::corners_apart;
    use rord_random::Stream;

    const CHANNELS: usize = 64;

    fn noise(stream: &mut Stream, cells: usize) -> Vec<f32> {
        let mut values: Vec<f32> = (0..cells * CHANNELS).map(|_| stream.normal() as f32).collect();
        for cell in values.chunks_exact_mut(CHANNELS) {
            let length = cell.iter().map(|x| x * x).sum::<f32>().sqrt();
            cell.iter_mut().for_each(|x| *x /= length);
        }
        values
    }

    fn map(values: Vec<f32>, [width, height]: [usize; 2]) -> Dense {
        Dense { values, height, width, channels: CHANNELS, size: [4 * width, 4 * height] }
    }

    /// The query's descriptors lie in the picture, with as much noise, where a move takes them.
    #[test]
    fn what_every_place_knows_a_little_of_is_found() {
        for (seed, turn, mirrored, scale) in [(1, 0.4, false, 1.0), (2, -0.6, true, 1.2), (3, 0.0, false, 0.85)] {
            let mut stream = Stream::new(seed, &[]);
            let query = map(noise(&mut stream, 32 * 32), [32, 32]);
            let truth = Move::similarity(turn, scale, mirrored, [210.0, 260.0]);
            let back = truth.inverse().unwrap();
            let mut picture = map(noise(&mut stream, 120 * 100), [120, 100]);
            let mut descriptor = vec![0f32; CHANNELS];
            for row in 0..100 {
                for column in 0..120 {
                    let place = back.apply(picture.middle(row, column));
                    if query.holds(place) {
                        query.sample(place, &mut descriptor);
                        let at = (row * 120 + column) * CHANNELS;
                        picture.values[at..at + CHANNELS]
                            .iter_mut()
                            .zip(&descriptor)
                            .for_each(|(to, from)| *to = 0.7 * *to + from);
                    }
                }
            }
            let range = Range { mirrored, scale: (0.75, 1.35), turn: 0.0, half: 0.96, margin: 8.0 };
            let found = everywhere(&query, &picture, &range, 8);
            assert_eq!(found, everywhere(&query, &picture, &range, 8));
            let off = corners_apart(&found[0], &truth, query.size);
            assert!(off < 16.0, "{seed}: {off} px");
            let mirror = Range { mirrored: !mirrored, ..range };
            let wrong = everywhere(&query, &picture, &mirror, 8);
            assert!(wrong.iter().all(|by| corners_apart(by, &truth, query.size) > 16.0));
        }
    }

    #[test]
    fn maps_that_do_not_fit_have_no_moves() {
        let mut stream = Stream::new(1, &[]);
        let range = Range { mirrored: false, scale: (0.75, 1.35), turn: 0.0, half: 0.96, margin: 8.0 };
        let query = map(noise(&mut stream, 64), [8, 8]);
        assert!(everywhere(&query, &Dense::default(), &range, 8).is_empty());
        assert!(everywhere(&Dense::default(), &query, &range, 8).is_empty());
        assert!(everywhere(&query, &query, &range, 0).is_empty());
        // A single cell, and no numbers at all.
        assert!(everywhere(&map(noise(&mut stream, 1), [1, 1]), &query, &range, 8).len() <= 8);
        let nothing = map(vec![f32::NAN; 64 * CHANNELS], [8, 8]);
        assert!(everywhere(&query, &nothing, &range, 8).is_empty());
    }
}
