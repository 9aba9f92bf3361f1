//! Where a query lies in a picture.
//!
//! A query is looked for in several views: turned and mirrored, as pictures or by exchanging the channels of descriptors
//! that know how they turn. In each view the nearest neighbors vote for moves, two pairs at a time, so that a few right ones
//! among many wrong ones are enough; all moves are ranked by how alike the maps of descriptors are under them. Where few pairs
//! agree on the best, the whole picture is looked at, cell by cell. What is left is settled by the edges of both drawings.

use std::f64::consts::PI;

use rayon::prelude::*;

use crate::climb::climb;
use crate::dense::Dense;
use crate::edges::{Edges, Outline};
use crate::everywhere::{Range, everywhere};
use crate::features::Features;
use crate::guided::guided;
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
    /// Its edges.
    pub edges: Edges,
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
    /// A query is looked for everywhere where fewer pairs of key points than this agree on the best move.
    pub agreed: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { scale: (0.75, 1.35), within: 4.0, moves: 3, margin: 8.0, neighbors: 8, agreed: 60 }
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
    /// How well the query's edges lie on the picture's: 1 for the same drawing, around 0 for unrelated ones.
    pub agreement: f64,
}

/// Half the angle of turns that one view stands for, with room to spare between two of them.
const HALF: f64 = 55.0 / 180.0 * PI;
/// Cells of a query that are compared for a first ranking.
pub(crate) const CELLS: usize = 600;

/// Moves of a view by its key points' neighbors.
type Proposing<'a> = dyn Fn(&View, &[(Pair, f64)]) -> Vec<Found> + Sync + 'a;

/// The moves under which the query lies in the picture, the likeliest first, at most `most`. Of moves that nearly agree at
/// the query's corners only the best is kept. `size` is the query's, in pixels.
pub fn find(
    views: &[View],
    outline: &Outline,
    target: &Target,
    size: [usize; 2],
    search: &Search,
    most: usize,
) -> Vec<Found> {
    let pairs: Vec<Vec<(Pair, f64)>> = views.par_iter().map(|view| neighbors(view, target, search)).collect();
    let in_views = |moves: &Proposing<'_>| -> Vec<(usize, Found)> {
        let found = views.par_iter().zip(&pairs).enumerate();
        let found = found.map(|(index, (view, pairs))| {
            moves(view, pairs).into_iter().map(|found| (index, found)).collect::<Vec<_>>()
        });
        found.collect::<Vec<_>>().into_iter().flatten().collect()
    };
    let mut found = in_views(&|view, pairs| moves_of(view, target, pairs, search));
    rank(&mut found);
    if found.first().is_none_or(|(_, best)| best.inliers < search.agreed) {
        found.extend(in_views(&|view, pairs| moves_from_everywhere(view, target, pairs, search)));
        rank(&mut found);
    }
    let kept = first_apart(found, |(_, found)| &found.by, most, 4.0 * search.within, size);
    let polished = |(index, found): &(usize, Found)| match views.get(*index) {
        Some(view) => (*index, polished(view, outline, target, found, search)),
        None => (*index, found.clone()),
    };
    let mut kept: Vec<(usize, Found)> = kept.par_iter().map(polished).collect();
    rank(&mut kept);
    kept.into_iter().map(|(_, found)| found).collect()
}

/// The move shifted, turned and scaled to where the descriptors are most alike: key points lie within a cell or so, and what
/// is left of a turn is largest at the corners. From there to where the edges agree best, which is known to a fraction of a
/// pixel, unless that is another place to the descriptors.
fn polished(view: &View, outline: &Outline, target: &Target, found: &Found, search: &Search) -> Found {
    /// By how much descriptors may be less alike where edges agree best.
    const LESS: f64 = 0.03;
    /// From this agreement on edges are believed.
    const AGREE: f64 = 0.25;
    let Some(to_query) = view.from_query.inverse() else { return found.clone() };
    let likeness = |by: &Move| view.dense.likeness(&target.dense, by, search.margin, 4 * CELLS);
    let begin = found.by.after(&to_query);
    let (by, alike) = climb(&likeness, &begin, view.dense.size, &[4.0, 2.0, 1.0, 0.5, 0.25, 0.12]);
    let by = by.after(&view.from_query);
    let (settled, most) = outline.settled(&target.edges, &by, view.dense.size);
    let believed = most >= AGREE && likeness(&settled.after(&to_query)) >= alike - LESS;
    let (by, agreement) = if believed { (settled, most) } else { (by, outline.agreement(&target.edges, &by)) };
    let likeness = view.dense.likeness(&target.dense, &by.after(&to_query), search.margin, CELLS);
    Found { by, inliers: found.inliers, likeness: likeness.max(found.likeness), agreement }
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

/// The first of a list, at most `most`, of which no two take a picture's corners to within `apart` pixels of each other.
pub(crate) fn first_apart<T>(
    list: impl IntoIterator<Item = T>,
    by: impl Fn(&T) -> &Move,
    most: usize,
    apart: f64,
    size: [usize; 2],
) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for one in list {
        if kept.len() >= most {
            break;
        }
        if kept.iter().all(|other| corners_apart(by(&one), by(other), size) > apart) {
            kept.push(one);
        }
    }
    kept
}

/// The key points of a view, each with its nearest neighbors in the picture and how alike they are.
fn neighbors(view: &View, target: &Target, search: &Search) -> Vec<(Pair, f64)> {
    let (ours, theirs) = (&view.features, &target.features);
    if ours.channels != theirs.channels {
        return Vec::new();
    }
    let matches = nearest_few(&ours.descriptors, &theirs.descriptors, ours.channels, search.neighbors);
    let place = |m: &crate::neighbors::Match| {
        let pair = (*ours.points.places.get(m.a)?, *theirs.points.places.get(m.b)?);
        (m.similarity > 0.0).then_some((pair, f64::from(m.similarity)))
    };
    matches.iter().filter_map(place).collect()
}

/// The moves of a view that nearest neighbors vote for, the most alike ones, each fitted once more.
fn moves_of(view: &View, target: &Target, pairs: &[(Pair, f64)], search: &Search) -> Vec<Found> {
    /// Moves with the most votes that are compared.
    const PROPOSED: usize = 96;
    /// Cells of the query that they are compared by.
    const FEW_CELLS: usize = 150;
    let View { mirrored, turn, .. } = *view;
    let ballot = Ballot { mirrored, scale: search.scale, turn, half: HALF, size: view.dense.size };
    let likeness = |by: &Move, cells| view.dense.likeness(&target.dense, by, search.margin, cells);
    let mut proposed: Vec<(f64, Move)> = proposals(pairs, &ballot, PROPOSED)
        .into_iter()
        .map(|proposal| {
            let agreeing = agreeing(pairs, &proposal.by, 2.0 * search.within);
            let by = Move::fit_similarity(&agreeing, mirrored).unwrap_or(proposal.by);
            let (before, after) = (likeness(&proposal.by, FEW_CELLS), likeness(&by, FEW_CELLS));
            if after > before { (after, by) } else { (before, proposal.by) }
        })
        .collect();
    // Of equal ones the one with more votes stays first.
    proposed.sort_by(|a, b| b.0.total_cmp(&a.0));
    let kept = first_apart(proposed, |(_, by)| by, search.moves, 2.0 * search.within, view.dense.size);
    kept.into_iter().map(|(_, by)| fitted(view, target, pairs, by, search)).collect()
}

/// The moves of a view that all cells together find, the most alike ones, each fitted once more.
fn moves_from_everywhere(view: &View, target: &Target, pairs: &[(Pair, f64)], search: &Search) -> Vec<Found> {
    /// Moves that are compared.
    const PROPOSED: usize = 24;
    let View { mirrored, turn, .. } = *view;
    let range = Range { mirrored, scale: search.scale, turn, half: HALF, margin: search.margin };
    let proposed = everywhere(&view.dense, &target.dense, &range, PROPOSED);
    let mut found: Vec<Found> = proposed
        .into_iter()
        .map(|by| {
            let by = guided(view, target, mirrored, by, 2.0 * search.within);
            fitted(view, target, pairs, by, search)
        })
        .collect();
    found.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
    found.truncate(search.moves);
    found
}

/// A move fitted once more to the key points near it, and how many of the pairs agree with it.
fn fitted(view: &View, target: &Target, pairs: &[(Pair, f64)], by: Move, search: &Search) -> Found {
    let by = guided(view, target, view.mirrored, by, search.within);
    let mut agreed: Vec<[u64; 2]> =
        agreeing(pairs, &by, search.within).iter().map(|((a, _), _)| a.map(f64::to_bits)).collect();
    // A key point counts once, however many of its neighbors agree.
    agreed.sort_unstable();
    agreed.dedup();
    let likeness = view.dense.likeness(&target.dense, &by, search.margin, CELLS);
    Found { by: by.after(&view.from_query), inliers: agreed.len(), likeness, agreement: 0.0 }
}

/// The pairs of which the move takes the first place to within some pixels of the second.
fn agreeing(pairs: &[(Pair, f64)], by: &Move, within: f64) -> Vec<(Pair, f64)> {
    let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) <= within * within;
    pairs.iter().filter(|((a, b), _)| near(by.apply(*a), *b)).copied().collect()
}
