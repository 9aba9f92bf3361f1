//! Where a query lies in a picture.
//!
//! A query is looked for in several views: turned and mirrored, as pictures or by exchanging the channels of descriptors
//! that know how they turn. In each view the nearest neighbors vote for moves, two pairs at a time, so that a few right ones
//! among many wrong ones are enough; all moves are ranked by how alike the maps of descriptors are under them, and the best
//! are fitted once more to all key points near where they should be.

use std::f64::consts::PI;

use rayon::prelude::*;

use crate::dense::Dense;
use crate::features::Features;
use crate::moves::{Move, Pair, apart};
use crate::neighbors::nearest_few;
use crate::votes::{Ballot, proposals};

/// A query in one of its turns.
#[derive(Clone, Debug)]
pub struct View {
    /// Its key points.
    pub features: Features,
    /// Its descriptors.
    pub dense: Dense,
    /// From the query's pixels to those of this view.
    pub from_query: Move,
    /// The turn from this view to the picture lies about here, in radians.
    pub turn: f64,
    /// Whether the move from this view to the picture mirrors.
    pub mirrored: bool,
}

/// What a query is looked for in.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Its key points.
    pub features: Features,
    /// Its descriptors.
    pub dense: Dense,
}

/// How it is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// The scales that are looked at.
    pub scale: (f64, f64),
    /// How far from its move a pair of key points may lie, in pixels.
    pub within: f64,
    /// How many moves are taken of each view.
    pub moves: usize,
    /// How many pixels of the query's edge are not compared: what a network sees there is not in the query.
    pub margin: f64,
    /// How many of the picture's key points may be a key point of the query's.
    pub neighbors: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { scale: (0.75, 1.35), within: 4.0, moves: 3, margin: 8.0, neighbors: 8 }
    }
}

/// A place where a query lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// From the query's pixels to the picture's.
    pub by: Move,
    /// Pairs of key points that agree with it.
    pub inliers: usize,
    /// How alike the descriptors are under it: their mean inner product, 1 for the same.
    pub likeness: f64,
}

/// Half the angle of turns that one view stands for, with room to spare between two of them.
const HALF: f64 = 55.0 / 180.0 * PI;
/// Cells of a query that are compared for a first ranking.
const CELLS: usize = 600;

/// The moves under which the query lies in the picture, the likeliest first, at most `most`. Of moves that nearly agree at
/// the query's corners only the best is kept. `size` is the query's, in pixels.
pub fn find(views: &[View], target: &Target, size: [usize; 2], search: &Search, most: usize) -> Vec<Found> {
    let found: Vec<Vec<(usize, Found)>> = views
        .par_iter()
        .enumerate()
        .map(|(index, view)| moves_of(view, target, search).into_iter().map(|found| (index, found)).collect())
        .collect();
    let mut found: Vec<(usize, Found)> = found.into_iter().flatten().collect();
    rank(&mut found);
    let mut kept: Vec<(usize, Found)> = Vec::new();
    for one in found {
        if kept.len() >= most {
            break;
        }
        if kept.iter().all(|(_, other)| corners_apart(&one.1.by, &other.by, size) > 4.0 * search.within) {
            kept.push(one);
        }
    }
    let polished = |(index, found): &(usize, Found)| match views.get(*index) {
        Some(view) => (*index, polished(view, target, found, search)),
        None => (*index, found.clone()),
    };
    let mut kept: Vec<(usize, Found)> = kept.par_iter().map(polished).collect();
    rank(&mut kept);
    kept.into_iter().map(|(_, found)| found).collect()
}

/// The move shifted, turned and scaled a little at a time to where the maps are most alike: key points lie within a cell or
/// so, and what is left of a turn is largest at the corners.
fn polished(view: &View, target: &Target, found: &Found, search: &Search) -> Found {
    /// Steps of a shift in pixels; steps of turn and scale move a corner as far.
    const STEPS: [f64; 6] = [4.0, 2.0, 1.0, 0.5, 0.25, 0.12];
    /// Rounds at a step, so that the search ends.
    const ROUNDS: usize = 8;
    let Some(to_query) = view.from_query.inverse() else { return found.clone() };
    let [width, height] = view.dense.size.map(|side| side as f64);
    let middle = [(width - 1.0) / 2.0, (height - 1.0) / 2.0];
    let reach = (width.hypot(height) / 2.0).max(1.0);
    let likeness = |by: &Move| view.dense.likeness(&target.dense, by, search.margin, 4 * CELLS);
    let mut best = found.by.after(&to_query);
    let mut most = likeness(&best);
    for step in STEPS {
        for _ in 0..ROUNDS {
            let before = most;
            for [x, y, turn, scale] in
                [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
            {
                for sign in [step, -step] {
                    let about = Move::similarity(sign * turn / reach, (sign * scale / reach).exp(), false, [0.0; 2]);
                    let there = about.apply(middle);
                    let back = Move::similarity(0.0, 1.0, false, [middle[0] - there[0], middle[1] - there[1]]);
                    let shift = Move::similarity(0.0, 1.0, false, [sign * x, sign * y]);
                    let next = shift.after(&best).after(&back.after(&about));
                    let now = likeness(&next);
                    if now > most {
                        (best, most) = (next, now);
                        break;
                    }
                }
            }
            if most <= before {
                break;
            }
        }
    }
    let likeness = view.dense.likeness(&target.dense, &best, search.margin, CELLS);
    Found { by: best.after(&view.from_query), inliers: found.inliers, likeness: likeness.max(found.likeness) }
}

/// Likeness decides; of equal ones the number of pairs.
fn rank(found: &mut [(usize, Found)]) {
    found.sort_by(|(_, a), (_, b)| b.likeness.total_cmp(&a.likeness).then(b.inliers.cmp(&a.inliers)));
}

/// The corners of a picture, clockwise from the upper left one: the outer ones of its outermost pixels.
pub fn corners([width, height]: [usize; 2]) -> [[f64; 2]; 4] {
    let (right, bottom) = (width as f64 - 0.5, height as f64 - 0.5);
    [[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]]
}

/// The largest distance between where two moves take the corners of a picture.
pub fn corners_apart(a: &Move, b: &Move, size: [usize; 2]) -> f64 {
    corners(size).iter().map(|&c| apart(a.apply(c), b.apply(c))).fold(0.0, f64::max)
}

/// The moves of a view that nearest neighbors vote for, the most alike ones, each fitted once more.
fn moves_of(view: &View, target: &Target, search: &Search) -> Vec<Found> {
    /// Moves with the most votes that are compared.
    const PROPOSED: usize = 96;
    /// Cells of the query that they are compared by.
    const FEW_CELLS: usize = 150;
    let (ours, theirs) = (&view.features, &target.features);
    if ours.channels != theirs.channels {
        return Vec::new();
    }
    let matches = nearest_few(&ours.descriptors, &theirs.descriptors, ours.channels, search.neighbors);
    let place = |m: &crate::neighbors::Match| {
        let pair = (*ours.points.places.get(m.a)?, *theirs.points.places.get(m.b)?);
        (m.similarity > 0.0).then_some((pair, f64::from(m.similarity)))
    };
    let pairs: Vec<(Pair, f64)> = matches.iter().filter_map(place).collect();
    let View { mirrored, turn, .. } = *view;
    let ballot = Ballot { mirrored, scale: search.scale, turn, half: HALF, size: view.dense.size };
    let likeness = |by: &Move, cells| view.dense.likeness(&target.dense, by, search.margin, cells);
    let mut proposed: Vec<(f64, Move)> = proposals(&pairs, &ballot, PROPOSED)
        .into_iter()
        .map(|proposal| {
            let agreeing = agreeing(&pairs, &proposal.by, 2.0 * search.within);
            let by = Move::fit_similarity(&agreeing, mirrored).unwrap_or(proposal.by);
            let (before, after) = (likeness(&proposal.by, FEW_CELLS), likeness(&by, FEW_CELLS));
            if after > before { (after, by) } else { (before, proposal.by) }
        })
        .collect();
    // Of equal ones the one with more votes stays first.
    proposed.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut kept: Vec<Move> = Vec::new();
    for (_, by) in proposed {
        if kept.len() >= search.moves {
            break;
        }
        if kept.iter().all(|other| corners_apart(&by, other, view.dense.size) > 2.0 * search.within) {
            kept.push(by);
        }
    }
    let found = kept.into_iter().map(|by| {
        let by = guided(view, target, mirrored, by, search.within);
        let mut agreed: Vec<[u64; 2]> =
            agreeing(&pairs, &by, search.within).iter().map(|((a, _), _)| a.map(f64::to_bits)).collect();
        // A key point counts once, however many of its neighbors agree.
        agreed.sort_unstable();
        agreed.dedup();
        Found { by: by.after(&view.from_query), inliers: agreed.len(), likeness: likeness(&by, CELLS) }
    });
    found.collect()
}

/// The pairs of which the move takes the first place to within some pixels of the second.
fn agreeing(pairs: &[(Pair, f64)], by: &Move, within: f64) -> Vec<(Pair, f64)> {
    let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) <= within * within;
    pairs.iter().filter(|((a, b), _)| near(by.apply(*a), *b)).copied().collect()
}

/// Fits the move once more, to the most alike key points near where it takes ours; as it was where that is less alike.
fn guided(view: &View, target: &Target, mirrored: bool, by: Move, within: f64) -> Move {
    let likeness = |by: &Move| view.dense.likeness(&target.dense, by, 0.0, CELLS);
    let (mut best, mut most) = (by, likeness(&by));
    for radius in [2.0 * within, within] {
        let pairs = near_pairs(view, target, &best, radius);
        if pairs.len() < 4 {
            break;
        }
        let Some(next) = Move::fit_similarity(&pairs, mirrored) else { break };
        let now = likeness(&next);
        if now > most {
            (best, most) = (next, now);
        }
    }
    best
}

/// For each of our key points the most alike of theirs within `radius` of where the move takes it; alike by half at least.
fn near_pairs(view: &View, target: &Target, by: &Move, radius: f64) -> Vec<(Pair, f64)> {
    const ALIKE: f32 = 0.5;
    let (ours, theirs) = (&view.features, &target.features);
    let channels = ours.channels.max(1);
    let moved: Vec<[f64; 2]> = ours.points.places.iter().map(|p| by.apply(*p)).collect();
    let low = [0, 1].map(|k: usize| moved.iter().filter_map(|p| p.get(k)).fold(f64::MAX, |a, b| a.min(*b)) - radius);
    let high = [0, 1].map(|k: usize| moved.iter().filter_map(|p| p.get(k)).fold(f64::MIN, |a, b| a.max(*b)) + radius);
    let [low_x, low_y] = low;
    let [high_x, high_y] = high;
    let inside = |[x, y]: [f64; 2]| x >= low_x && x <= high_x && y >= low_y && y <= high_y;
    let near: Vec<([f64; 2], &[f32])> = theirs
        .points
        .places
        .iter()
        .zip(theirs.descriptors.chunks_exact(channels))
        .filter(|(p, _)| inside(**p))
        .map(|(p, d)| (*p, d))
        .collect();
    let mut pairs = Vec::new();
    for ((place, there), descriptor) in
        ours.points.places.iter().zip(&moved).zip(ours.descriptors.chunks_exact(channels))
    {
        let close = near.iter().filter(|(p, _)| apart(*p, *there) <= radius);
        let alike = close.map(|(p, d)| (*p, d.iter().zip(descriptor).map(|(a, b)| a * b).sum::<f32>()));
        let best = alike.fold(None, |best: Option<([f64; 2], f32)>, one| match best {
            Some(best) if best.1 >= one.1 => Some(best),
            _ => Some(one),
        });
        if let Some((to, similarity)) = best.filter(|(_, s)| *s >= ALIKE) {
            pairs.push(((*place, to), f64::from(similarity)));
        }
    }
    pairs
}
