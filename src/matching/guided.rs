//! A move fitted once more, to key points near where it takes those of a view.

use crate::dense::product;
use crate::moves::{Move, Pair, apart};
use crate::search::{CELLS, Target, View};

/// Fits the move once more, to the most alike key points near where it takes ours; as it was where that is less alike.
pub fn guided(view: &View, target: &Target, mirrored: bool, by: Move, within: f64) -> Move {
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
    let mut near: Vec<([f64; 2], &[f32])> = theirs
        .points
        .places
        .iter()
        .zip(theirs.descriptors.chunks_exact(channels))
        .filter(|(p, _)| inside(**p))
        .map(|(p, d)| (*p, d))
        .collect();
    // By rows, so that few have to be looked at.
    near.sort_by(|([_, a], _), ([_, b], _)| a.total_cmp(b));
    let mut pairs = Vec::new();
    for ((place, there), descriptor) in
        ours.points.places.iter().zip(&moved).zip(ours.descriptors.chunks_exact(channels))
    {
        let [x, y] = *there;
        let first = near.partition_point(|([_, v], _)| *v < y - radius);
        let rows = near.iter().skip(first).take_while(|([_, v], _)| *v <= y + radius);
        let close = rows.filter(|(p, _)| (p[0] - x).abs() <= radius && apart(*p, *there) <= radius);
        let alike = close.map(|(p, d)| (*p, product(d, descriptor)));
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
