//! Every place where a query lies: cells of a chip repeat, and nearest neighbors see one of many copies only.
//!
//! Copies lie in the 8 symmetries of the square to one another, so one move that was found gives turn, scale and mirror of
//! all up to these. For each of them the query's surest key points vote for shifts: a cell of the chip that is like the
//! descriptor of a point votes for the place where the query would then lie. Peaks of the mean vote are instances.

use rayon::prelude::*;

use crate::dense::{Dense, product};
use crate::moves::Move;
use crate::search::{Found, View};

/// How instances are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instances {
    /// How many key points of the query vote at most.
    pub voters: usize,
    /// The least likeness of an instance to that of the best.
    pub share: f64,
    /// The least score of a copy that is told by its pixels, see [`crate::template::copies`].
    pub least: f64,
    /// How many pixels of the query's edge are not compared.
    pub margin: f64,
}

impl Default for Instances {
    fn default() -> Self {
        Self { voters: 64, share: 0.5, least: 0.43, margin: 8.0 }
    }
}

/// All instances of a query of `size` pixels, the likeliest first, among them `first`. `views` are the query's, each with
/// the linear part of the move that is looked for: `linear[v]` belongs to `views[v]`.
pub fn instances(
    views: &[(&View, Move)],
    chip: &Dense,
    first: &Found,
    size: [usize; 2],
    settings: &Instances,
) -> Vec<Found> {
    let least = settings.share * first.likeness;
    let votes: Vec<Vec<Found>> =
        views.par_iter().map(|(view, linear)| of_view(view, linear, chip, size, least, settings)).collect();
    let mut found: Vec<Found> = votes.into_iter().flatten().chain([first.clone()]).collect();
    found.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        // Two instances do not lie on each other: their middles are at least half the query's shorter side apart.
        let least = size[0].min(size[1]) as f64 / 2.0;
        if kept.iter().all(|other| middles_apart(&one, other, size) > least) {
            kept.push(one);
        }
    }
    kept
}

fn middles_apart(a: &Found, b: &Found, [width, height]: [usize; 2]) -> f64 {
    let middle = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
    crate::moves::apart(a.by.apply(middle), b.by.apply(middle))
}

/// A point of the query, as it votes.
struct Voter<'a> {
    /// From the query's middle to the point, as it lies in the chip, in cells.
    offset: [f64; 2],
    descriptor: &'a [f32],
}

fn of_view(view: &View, linear: &Move, chip: &Dense, size: [usize; 2], least: f64, settings: &Instances) -> Vec<Found> {
    let channels = chip.channels;
    if channels == 0 || view.features.channels != channels || chip.values.is_empty() {
        return Vec::new();
    }
    let middle = [(size[0] as f64 - 1.0) / 2.0, (size[1] as f64 - 1.0) / 2.0];
    let in_view = view.from_query.apply(middle);
    let [step_x, step_y] = chip.step();
    let centre = linear.apply(in_view);
    let inside = |p: &[f64; 2]| {
        let [w, h] = view.dense.size;
        let m = settings.margin - 0.5;
        p[0] >= m && p[1] >= m && p[0] <= w as f64 - 1.0 - m && p[1] <= h as f64 - 1.0 - m
    };
    let points = view.features.points.places.iter().zip(view.features.descriptors.chunks_exact(channels));
    let stride = view.features.len().div_ceil(settings.voters.max(1)).max(1);
    let voters: Vec<Voter<'_>> = points
        .filter(|(p, _)| inside(p))
        .step_by(stride)
        .map(|(p, descriptor)| {
            let at = linear.apply(*p);
            Voter { offset: [(at[0] - centre[0]) / step_x, (at[1] - centre[1]) / step_y], descriptor }
        })
        .collect();
    if voters.is_empty() {
        return Vec::new();
    }
    let votes = vote(&voters, chip);
    let mut found = Vec::new();
    for (row, column) in peaks(&votes, chip.height, chip.width, (0.6 * least) as f32) {
        let place = chip.middle(row, column);
        let shift = Move::similarity(0.0, 1.0, false, [place[0] - centre[0], place[1] - centre[1]]);
        let by = polished(view, chip, shift.after(linear), step_x.min(step_y), settings.margin);
        let likeness = view.dense.likeness(chip, &by, settings.margin, 600);
        if likeness >= least {
            found.push(Found { by: by.after(&view.from_query), inliers: voters.len(), likeness, agreement: 0.0 });
        }
    }
    found
}

/// For each cell of the chip the mean over voters of how like its descriptor is to what lies at its offset.
fn vote(voters: &[Voter<'_>], chip: &Dense) -> Vec<f32> {
    let mut votes = vec![0f32; chip.height * chip.width];
    let scale = 1.0 / voters.len() as f32;
    votes.par_chunks_mut(chip.width.max(1)).enumerate().for_each(|(row, line)| {
        for voter in voters {
            let y = row as f64 + voter.offset[1].round();
            if y < 0.0 || y >= chip.height as f64 {
                continue;
            }
            let shift = voter.offset[0].round() as i64;
            for (column, sum) in line.iter_mut().enumerate() {
                let x = column as i64 + shift;
                if x < 0 || x >= chip.width as i64 {
                    continue;
                }
                let there = chip.cell(y as usize, x as usize);
                *sum += product(there, voter.descriptor) * scale;
            }
        }
    });
    votes
}

/// Cells of at least `least` that no neighbor exceeds; of equal ones the first.
fn peaks(votes: &[f32], height: usize, width: usize, least: f32) -> Vec<(usize, usize)> {
    let at = |row: usize, column: usize| votes.get(row * width + column).copied().unwrap_or(f32::MIN);
    let is_peak = |row: usize, column: usize| {
        let value = at(row, column);
        let near = (row.saturating_sub(1)..(row + 2).min(height))
            .flat_map(|r| (column.saturating_sub(1)..(column + 2).min(width)).map(move |c| (r, c)));
        value >= least
            && near.filter(|n| *n != (row, column)).all(|(r, c)| {
                let other = at(r, c);
                other < value || other == value && (r, c) > (row, column)
            })
    };
    (0..height).flat_map(|r| (0..width).map(move |c| (r, c))).filter(|(r, c)| is_peak(*r, *c)).collect()
}

/// The move, shifted by parts of a cell to where it is most alike.
fn polished(view: &View, chip: &Dense, by: Move, cell: f64, margin: f64) -> Move {
    let likeness = |by: &Move| view.dense.likeness(chip, by, margin, 150);
    let (mut best, mut most, mut reach) = (by, likeness(&by), cell / 2.0);
    while reach > 0.2 {
        let mut moved = false;
        for shift in [[reach, 0.0], [-reach, 0.0], [0.0, reach], [0.0, -reach]] {
            let next = Move::similarity(0.0, 1.0, false, shift).after(&best);
            let now = likeness(&next);
            if now > most {
                (best, most, moved) = (next, now, true);
            }
        }
        if !moved {
            reach /= 2.0;
        }
    }
    best
}
