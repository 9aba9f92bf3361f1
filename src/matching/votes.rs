#![allow(clippy::indexing_slicing)] // indices come from the lists they point into
//! Moves that many pairs of places vote for, two pairs at a time.
//!
//! Two pairs fix a similarity. Where it has a scale and a turn that are looked for, it votes for the place to which it takes
//! the middle of the first picture, and for its turn. Wrong pairs agree seldom and nowhere in particular, right ones always:
//! three right pairs in a thousand are seen. Source: Ballard, *Generalizing the Hough transform*, 1981; votes of pairs as in
//! Lowe, 2004, section 7.3.

use std::f64::consts::PI;

use crate::moves::{Move, Pair};

/// Which similarities are voted for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ballot {
    /// Whether they mirror.
    pub mirrored: bool,
    /// The least and the greatest scale.
    pub scale: (f64, f64),
    /// The middle of the turns, in radians from x towards y.
    pub turn: f64,
    /// How far from it turns lie at most.
    pub half: f64,
    /// Width and height of the first picture in pixels.
    pub size: [usize; 2],
}

/// A move, and the weight of the votes for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposal {
    /// From the first picture to the second.
    pub by: Move,
    /// The sum of the products of the two pairs' weights over all votes.
    pub weight: f64,
}

/// Sides of a bin of places in pixels, and of one of turns in radians.
const BIN: f64 = 12.0;
const TURN: f64 = PI / 18.0;
/// Pairs of which the first places are nearer than this many pixels tell nothing of a turn.
const APART: f64 = 20.0;
/// Two pairs that are looked at, at most, or so: pictures of a single pattern have no end of them.
const TWOS: usize = 12_000_000;

/// The `most` moves with the most votes, the first first. Each pair has a weight, as how alike its descriptors are.
pub fn proposals(pairs: &[(Pair, f64)], ballot: &Ballot, most: usize) -> Vec<Proposal> {
    let mut votes = votes(pairs, ballot);
    votes.sort_unstable_by_key(|vote| (vote.bin, vote.pairs));
    let mut bins: Vec<(f64, &[Vote])> =
        votes.chunk_by(|a, b| a.bin == b.bin).map(|bin| (bin.iter().map(|v| v.weight).sum(), bin)).collect();
    // Of equal weights the bin that comes first stays first.
    bins.sort_by(|a, b| b.0.total_cmp(&a.0));
    bins.truncate(most);
    let fitted = |(weight, bin): (f64, &[Vote])| {
        let mut members: Vec<u32> = bin.iter().flat_map(|vote| vote.pairs).collect();
        members.sort_unstable();
        members.dedup();
        let members: Vec<(Pair, f64)> = members.into_iter().map(|member| pairs[member as usize]).collect();
        Some(Proposal { by: Move::fit_similarity(&members, ballot.mirrored)?, weight })
    };
    bins.into_iter().filter_map(fitted).collect()
}

/// Two pairs and the bin of the move that they fix: column, row and turn.
struct Vote {
    bin: [i32; 3],
    pairs: [u32; 2],
    weight: f64,
}

fn votes(pairs: &[(Pair, f64)], ballot: &Ballot) -> Vec<Vote> {
    let middle = ballot.size.map(|side| (side as f64 - 1.0) / 2.0);
    let reach = (ballot.size[0] as f64).hypot(ballot.size[1] as f64) * ballot.scale.1;
    if !reach.is_finite() || reach < 1.0 {
        return Vec::new();
    }
    // Pairs by the square of the second picture that they lie in; partners lie in it or next to it.
    let square = |x: f64| (x / reach).floor() as i64;
    let mut order: Vec<([i64; 2], u32)> = pairs
        .iter()
        .enumerate()
        .filter(|(_, ((a, b), w))| a.iter().chain(b).all(|x| x.is_finite()) && w.is_finite())
        .map(|(i, ((_, b), _))| ([square(b[1]), square(b[0])], i as u32))
        .collect();
    order.sort_unstable();
    let in_row = |row: i64, from: i64, to: i64| {
        let first = order.partition_point(|(at, _)| *at < [row, from]);
        let end = order.partition_point(|(at, _)| *at <= [row, to]);
        &order[first..end.max(first)]
    };
    let near = |[row, column]: [i64; 2]| [row - 1, row, row + 1].map(|row| in_row(row, column - 1, column + 1));
    let twos: usize = order.iter().map(|(at, _)| near(*at).iter().map(|row| row.len()).sum::<usize>()).sum();
    let every = (twos / 2).div_ceil(TWOS).max(1) as u32;
    let (low, high) = (ballot.scale.0 * ballot.scale.0, ballot.scale.1 * ballot.scale.1);
    // A direction against the middle of the turns.
    let (sin, cos) = ballot.turn.sin_cos();
    let turned_back = |x: f64, y: f64| [x * cos + y * sin, y * cos - x * sin];
    let least = ballot.half.min(PI).cos();
    let mut votes = Vec::new();
    for (at, i) in &order {
        let ((p, p2), weight) = pairs[*i as usize];
        for row in near(*at) {
            for (_, j) in row.iter().filter(|(_, j)| j > i && i.wrapping_add(*j).is_multiple_of(every)) {
                let ((q, q2), other) = pairs[*j as usize];
                let (from, to) = ([q[0] - p[0], q[1] - p[1]], [q2[0] - p2[0], q2[1] - p2[1]]);
                let square = |[x, y]: [f64; 2]| x * x + y * y;
                let (here, there) = (square(from), square(to));
                if here < APART * APART || there < here * low || there > here * high {
                    continue;
                }
                let Some(by) = Move::through([(p, p2), (q, q2)], ballot.mirrored) else { continue };
                let [along, across] = turned_back(by.0[0][0], by.0[1][0]);
                // Most are turned too far, which is known without the angle.
                if along < least * (along * along + across * across).sqrt() {
                    continue;
                }
                let turn = across.atan2(along);
                let [x, y] = by.apply(middle);
                let bin = [x / BIN, y / BIN, turn / TURN].map(|at| at.floor() as i32);
                votes.push(Vote { bin, pairs: [*i, *j], weight: weight * other });
            }
        }
    }
    votes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::search::corners_apart;
    use rord_random::Stream;

    /// Eight right pairs among two thousand are enough, mirrored or not.
    #[test]
    fn few_right_pairs_among_many_are_seen() {
        for (seed, mirrored) in [(1, false), (2, true), (3, false), (4, true)] {
            let mut stream = Stream::new(seed, &[]);
            let truth = Move::similarity(0.4, 1.1, mirrored, [900.0, 700.0]);
            let mut pairs: Vec<(Pair, f64)> = Vec::new();
            for k in 0..2000 {
                let here = [stream.range(0.0, 128.0), stream.range(0.0, 128.0)];
                let there = if k % 250 == 0 {
                    let [x, y] = truth.apply(here);
                    [x + stream.range(-1.0, 1.0), y + stream.range(-1.0, 1.0)]
                } else {
                    [stream.range(0.0, 1600.0), stream.range(0.0, 1600.0)]
                };
                pairs.push(((here, there), 0.7));
            }
            let ballot = Ballot { mirrored, scale: (0.75, 1.35), turn: 0.0, half: 1.0, size: [128; 2] };
            let found = proposals(&pairs, &ballot, 20);
            assert_eq!(found, proposals(&pairs, &ballot, 20));
            assert!(found.windows(2).all(|two| two[0].weight >= two[1].weight));
            let off: Vec<f64> = found.iter().map(|f| corners_apart(&f.by, &truth, [128; 2])).collect();
            assert!(off.iter().any(|off| *off < 12.0), "{off:?}");
            // The other kind of similarity is found by nobody.
            let other = Ballot { mirrored: !mirrored, ..ballot };
            assert!(proposals(&pairs, &other, 5).iter().all(|f| corners_apart(&f.by, &truth, [128; 2]) > 20.0));
        }
    }

    #[test]
    fn what_fits_nothing_is_left_out() {
        let ballot = Ballot { mirrored: false, scale: (0.75, 1.35), turn: 0.0, half: 1.0, size: [64; 2] };
        let pair = |x: f64, y: f64| (([x, 0.0], [y, 0.0]), 1.0);
        assert!(proposals(&[], &ballot, 5).is_empty());
        assert!(proposals(&[pair(0.0, 0.0), pair(30.0, f64::NAN)], &ballot, 5).is_empty());
        // Twice as large, and turned half around.
        assert!(proposals(&[pair(0.0, 0.0), pair(30.0, 60.0)], &ballot, 5).is_empty());
        assert!(proposals(&[pair(0.0, 0.0), pair(30.0, -30.0)], &ballot, 5).is_empty());
        assert_eq!(proposals(&[pair(0.0, 5.0), pair(30.0, 35.0)], &ballot, 5).len(), 1);
    }
}
