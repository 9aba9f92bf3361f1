//! Which places of two pictures are the same, and the move that leads from one to the other.

use rayon::prelude::*;
use rord_matching::dense::permuted;
use rord_matching::features::{Features, Select};
use rord_matching::moves::{Move, Pair};
use rord_matching::neighbors::{Match, mutual};
use rord_matching::ransac::{Agreement, Kind, Settings, ransac, sharpened};

use rord_kernels::turns::motion;

use crate::detect::features;
use crate::maps::Pixels;
use crate::network::{Network, SearchError};
use crate::query::channel_order;
use crate::turned::Turned;

/// The moves that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// A turn, a scale and a shift.
    Similarity,
    /// Any that keeps lines parallel.
    Affine,
    /// Any that keeps lines straight.
    Homography,
}

/// How pictures are matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Key points of each picture, and where they lie.
    pub select: Select,
    /// The moves that are looked for.
    pub moves: Moves,
    /// How far from the move a match may lie, in pixels of the second picture.
    pub within: f64,
    /// Match the first picture as it lies, and in none of its other quarter turns and mirrors.
    pub upright: bool,
}

impl Default for Options {
    fn default() -> Self {
        let select = Select { keep: 2048, apart: 2.0, border: 2.0, least: 0.0 };
        Self { select, moves: Moves::Similarity, within: 4.0, upright: false }
    }
}

/// Two places that are each other's nearest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// In the first picture, in pixels.
    pub a: [f64; 2],
    /// In the second.
    pub b: [f64; 2],
    /// The inner product of their descriptors.
    pub similarity: f32,
}

/// What two pictures have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matched {
    /// All matches: those that agree with the move, then the others, each the most similar first.
    pub pairs: Vec<Paired>,
    /// How many agree with the move.
    pub inliers: usize,
    /// From the first picture's pixels to the second's; `None` where no move is one that enough matches agree with.
    pub by: Option<Move>,
    /// Key points of each.
    pub points: [usize; 2],
}

/// The first picture in one of its turns: its key points in its own pixels, descriptors as they would be in that turn, and
/// the move that leads there.
struct Turn {
    features: Features,
    there: Move,
}

/// Matches two pictures. Where the network is equivariant, the first is looked at in all its turns by exchanging
/// descriptors; else it is turned. The turn with the move that most agrees is the answer. `progress` is that of
/// [`features`], of the second picture and then of each turn; `None` where it asked to stop.
pub fn matched(
    network: &mut Network<'_>,
    a: &dyn Pixels,
    b: &dyn Pixels,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Matched>, SearchError> {
    let Some(theirs) = features(network, b, &options.select, progress)? else { return Ok(None) };
    let Some(turns) = turns(network, a, options, progress)? else { return Ok(None) };
    let mut best: Option<(f64, Matched)> = None;
    let answers: Vec<_> = turns.par_iter().map(|turn| in_turn(turn, &theirs, options)).collect();
    for (agreed, found) in answers {
        let support = agreed.map_or(0.0, |agreed| agreed.support);
        if best.as_ref().is_none_or(|(most, _)| support > *most) {
            best = Some((support, found));
        }
    }
    Ok(Some(best.map(|(_, found)| found).unwrap_or_default()))
}

/// The places of two pictures that are each other's nearest. Of an equivariant network, whose descriptors a turn exchanges, those of
/// the exchange in which they are most alike in all.
pub fn nearest_of(turns: usize, a: &Features, b: &Features) -> Vec<Match> {
    let exchanges = if matches!(turns, 4 | 8) { turns } else { 1 };
    let found = (0..exchanges).map(|exchange| {
        let ours = permuted(&a.descriptors, &channel_order(exchange, exchanges, a.channels));
        let found = mutual(&ours, &b.descriptors, a.channels);
        (found.iter().map(|m| f64::from(m.similarity)).sum::<f64>(), found)
    });
    found.max_by(|(x, _), (y, _)| x.total_cmp(y)).map(|(_, found)| found).unwrap_or_default()
}

/// The first picture in every turn that is matched.
fn turns(
    network: &mut Network<'_>,
    pixels: &dyn Pixels,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Vec<Turn>>, SearchError> {
    let (symmetries, exchanges): (Vec<usize>, usize) = match network.turns() {
        _ if options.upright => (vec![0], 1),
        8 => (vec![0], 8),
        4 => (vec![0, 4], 4),
        _ => ((0..8).collect(), 1),
    };
    let mut turns = Vec::new();
    for symmetry in symmetries {
        let turned = Turned { pixels, symmetry };
        let Some(mut features) = features(network, &turned, &options.select, progress)? else { return Ok(None) };
        let there = turned.picture_to_turned();
        let back = there.inverse().unwrap_or(Move::IDENTITY);
        features.points.places.iter_mut().for_each(|place| *place = back.apply(*place));
        for exchange in 0..exchanges {
            let order = channel_order(exchange, exchanges, features.channels);
            let descriptors = permuted(&features.descriptors, &order);
            let [a, b, c, d] = motion(exchange).map(f64::from);
            let moved = Move([[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]]);
            turns.push(Turn { features: Features { descriptors, ..features.clone() }, there: moved.after(&there) });
        }
    }
    if let (true, Some(Turn { features, there })) = (options.upright, turns.first()) {
        // Descriptors that turns and mirrors leave as they are match a mirrored picture as it lies.
        let mirror = Move([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]);
        let mirrored = Turn { features: features.clone(), there: mirror.after(there) };
        turns.push(mirrored);
    }
    Ok(Some(turns))
}

fn in_turn(turn: &Turn, theirs: &Features, options: &Options) -> (Option<Agreement>, Matched) {
    let ours = &turn.features;
    let points = [ours.len(), theirs.len()];
    if ours.channels != theirs.channels {
        return (None, Matched { points, ..Matched::default() });
    }
    let found = mutual(&ours.descriptors, &theirs.descriptors, ours.channels);
    let place = |features: &Features, at: usize| features.points.places.get(at).copied();
    let mut pairs: Vec<Paired> = found
        .iter()
        .filter_map(|m| Some(Paired { a: place(ours, m.a)?, b: place(theirs, m.b)?, similarity: m.similarity }))
        .collect();
    // In the turn's own pixels no move mirrors.
    let placed: Vec<Pair> = pairs.iter().map(|p| (turn.there.apply(p.a), p.b)).collect();
    let (kind, draws, least) = match options.moves {
        Moves::Similarity => {
            (Kind::Similarity { mirrored: false, scale: SCALES, turn: 0.0, half: std::f64::consts::TAU }, 4000, 8)
        }
        Moves::Affine => (Kind::Affine { scale: SCALES }, 8000, 10),
        Moves::Homography => (Kind::Homography, 12_000, 12),
    };
    let settings = Settings { within: options.within, draws, sure: 0.9999, seed: 0 };
    let agreed = ransac(&placed, &kind, &settings).filter(|agreed| agreed.inliers.len() >= least);
    let agreed = agreed.map(|found| sharpened(&placed, &kind, found, options.within));
    let agrees = |at: usize| agreed.as_ref().is_some_and(|found| found.inliers.binary_search(&at).is_ok());
    let mut order: Vec<(bool, Paired)> = pairs.drain(..).enumerate().map(|(at, pair)| (!agrees(at), pair)).collect();
    order.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.similarity.total_cmp(&a.1.similarity)));
    let by = agreed.as_ref().map(|found| found.by.after(&turn.there));
    let inliers = agreed.as_ref().map_or(0, |found| found.inliers.len());
    let pairs = order.into_iter().map(|(_, pair)| pair).collect();
    (agreed, Matched { pairs, inliers, by: by.map(scaled), points })
}

/// The least and the greatest scale that a move may have.
const SCALES: (f64, f64) = (0.2, 5.0);

/// The same move with 1 as its last number, where it is not 0.
fn scaled(by: Move) -> Move {
    let last = by.0.last().and_then(|row| row.last()).copied().unwrap_or(1.0);
    if last.abs() > 1e-12 && last != 1.0 { Move(by.0.map(|row| row.map(|x| x / last))) } else { by }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use rord_matching::features::KeyPoints;
    use rord_matching::moves::apart;
    use rord_random::Stream;

    /// Key points anywhere with descriptors of 16 numbers, and the same ones moved, in another order.
    fn both(by: &Move, n: usize) -> (Features, Features) {
        let mut stream = Stream::new(5, &[]);
        let places: Vec<[f64; 2]> = (0..n).map(|_| [stream.range(0.0, 200.0), stream.range(0.0, 150.0)]).collect();
        let mut descriptors: Vec<f32> = (0..16 * n).map(|_| stream.normal() as f32).collect();
        for descriptor in descriptors.chunks_mut(16) {
            let length = descriptor.iter().map(|x| x * x).sum::<f32>().sqrt();
            descriptor.iter_mut().for_each(|x| *x /= length);
        }
        let features = |places: Vec<[f64; 2]>, descriptors: Vec<f32>| {
            let points = KeyPoints { scores: vec![1.0; places.len()], places };
            Features { points, descriptors, channels: 16 }
        };
        let moved = places.iter().rev().map(|p| by.apply(*p)).collect();
        let back = descriptors.chunks(16).rev().flatten().copied().collect();
        (features(places, descriptors), features(moved, back))
    }

    #[test]
    fn every_sort_of_move_is_found_in_the_turn_that_it_is_near_to() {
        let wide = Move([[1.0, 0.0, 0.0], [0.0, 0.7, 0.0], [0.0, 0.0, 1.0]]);
        let tilted = Move([[1.1, 0.1, 4.0], [-0.1, 0.9, 3.0], [4e-4, -3e-4, 1.0]]);
        for (moves, rest) in [
            (Moves::Similarity, Move::similarity(0.3, 1.2, false, [5.0, 6.0])),
            (Moves::Affine, wide.after(&Move::similarity(0.3, 1.2, false, [5.0, 6.0]))),
            (Moves::Homography, tilted),
        ] {
            for symmetry in [0, 3, 5] {
                let [a, b, c, d] = motion(symmetry).map(f64::from);
                let there = Move([[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]]);
                let truth = rest.after(&there);
                let (ours, theirs) = both(&truth, 60);
                let options = Options { moves, ..Options::default() };
                let (_, found) = in_turn(&Turn { features: ours, there }, &theirs, &options);
                assert_eq!((found.inliers, found.pairs.len()), (60, 60), "{moves:?} {symmetry}");
                let by = found.by.unwrap();
                assert!(apart(by.apply([100.0, 75.0]), truth.apply([100.0, 75.0])) < 0.01, "{moves:?} {symmetry}");
                assert!(found.pairs.windows(2).all(|w| w[0].similarity >= w[1].similarity));
            }
        }
    }

    #[test]
    fn nothing_in_common_is_no_move() {
        let (ours, _) = both(&Move::IDENTITY, 40);
        let mut theirs = ours.clone();
        let mut stream = Stream::new(9, &[]);
        theirs.points.places.iter_mut().for_each(|p| *p = [stream.range(0.0, 200.0), stream.range(0.0, 150.0)]);
        let turn = Turn { features: ours, there: Move::IDENTITY };
        let (_, found) = in_turn(&turn, &theirs, &Options::default());
        assert_eq!((found.by, found.inliers, found.pairs.len()), (None, 0, 40));
        let (_, none) = in_turn(&turn, &Features::default(), &Options::default());
        assert_eq!((none.pairs.len(), none.points), (0, [40, 0]));
    }
}
