#![allow(clippy::indexing_slicing)] // indices come from the lists they point into
//! The move that most pairs of places agree on: RANSAC, with distances counted as in MSAC and refits of the best.
//!
//! Sources: Fischler and Bolles, 1981; Torr and Zisserman, MLESAC, 2000 (the cost); Chum, Matas and Kittler, *Locally
//! Optimized RANSAC*, 2003. Draws are keyed by a seed, so the same pairs give the same move everywhere.

use rord_random::Stream;

use crate::moves::{Move, Pair, apart};

/// Which moves are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A turn, a scale within these bounds and a shift, mirrored or not; the turn within `half` radians of `turn`.
    Similarity {
        /// Whether it mirrors.
        mirrored: bool,
        /// The least and the greatest scale.
        scale: (f64, f64),
        /// The middle of the turns that are looked at, in radians from x towards y.
        turn: f64,
        /// How far from it they lie at most; π is all.
        half: f64,
    },
    /// Any affine move that does not mirror and stretches no length by less or more than this.
    Affine {
        /// The least and the greatest factor.
        scale: (f64, f64),
    },
    /// Any homography that mirrors nowhere among the pairs.
    Homography,
}

/// How it is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How far a pair may lie from the move, in pixels of the second picture.
    pub within: f64,
    /// How many draws are made at most.
    pub draws: usize,
    /// How sure it may stop early, as 0.999.
    pub sure: f64,
    /// The seed of the draws.
    pub seed: u64,
}

/// A move and the pairs that agree with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// From the first picture to the second.
    pub by: Move,
    /// Which pairs, in rising order.
    pub inliers: Vec<usize>,
    /// The sum over pairs of 1 - (distance/within)², not below 0.
    pub support: f64,
}

/// The best of what was drawn; `None` where no draw has more pairs than it was drawn from.
pub fn ransac(pairs: &[Pair], kind: &Kind, settings: &Settings) -> Option<Agreement> {
    let drawn = kind.draws();
    if pairs.len() < drawn || settings.within.is_nan() || settings.within <= 0.0 {
        return None;
    }
    let mut stream = Stream::new(settings.seed, &[pairs.len() as u64]);
    let mut best: Option<Agreement> = None;
    let (mut draw, mut wanted) = (0, settings.draws);
    while draw < wanted {
        draw += 1;
        let Some(by) = kind.sample(pairs, &mut stream).and_then(|sample| kind.fit(&sample)) else { continue };
        let support = support(pairs, &by, settings.within);
        if best.as_ref().is_some_and(|best| support <= best.support) {
            continue;
        }
        let refined = refine(pairs, kind, by, settings.within);
        if best.as_ref().is_none_or(|best| refined.support > best.support) {
            let share = refined.inliers.len() as f64 / pairs.len() as f64;
            let miss = (1.0 - share.powi(drawn as i32)).max(1e-12);
            let enough = ((1.0 - settings.sure).max(1e-12).ln() / miss.ln()).ceil();
            wanted = settings.draws.min(if enough.is_finite() { (enough as usize).max(50) } else { settings.draws });
            best = Some(refined);
        }
    }
    best.filter(|best| best.inliers.len() > drawn)
}

/// The move fitted again to the pairs that agree ever more closely, down to a quarter of `within`, as long as half of them
/// stay: wrong pairs that happened to lie near draw it less.
pub fn sharpened(pairs: &[Pair], kind: &Kind, found: Agreement, within: f64) -> Agreement {
    let least = (found.inliers.len() / 2).max(kind.draws() + 1);
    let mut by = found.by;
    for closer in [within / 2.0, within / 4.0] {
        let next = refine(pairs, kind, by, closer);
        if next.inliers.len() < least {
            break;
        }
        by = next.by;
    }
    let close = |i: &usize| closeness(&by, pairs[*i].0, pairs[*i].1, within) > 0.0;
    let inliers: Vec<usize> = (0..pairs.len()).filter(close).collect();
    if inliers.len() < found.inliers.len() * 3 / 4 {
        return found;
    }
    Agreement { by, inliers, support: support(pairs, &by, within) }
}

fn support(pairs: &[Pair], by: &Move, within: f64) -> f64 {
    pairs.iter().map(|(a, b)| closeness(by, *a, *b, within)).sum()
}

/// 1 where the move meets the second place, falling to 0 at `within` pixels.
fn closeness(by: &Move, a: [f64; 2], b: [f64; 2], within: f64) -> f64 {
    let off = apart(by.apply(a), b) / within;
    if off < 1.0 { 1.0 - off * off } else { 0.0 }
}

/// Fits to the pairs that agree, as long as that finds more support.
fn refine(pairs: &[Pair], kind: &Kind, by: Move, within: f64) -> Agreement {
    let agreeing = |by: Move| {
        let close = |i: &usize| closeness(&by, pairs[*i].0, pairs[*i].1, within) > 0.0;
        Agreement { by, inliers: (0..pairs.len()).filter(close).collect(), support: support(pairs, &by, within) }
    };
    let mut best = agreeing(by);
    for _ in 0..4 {
        let weighted: Vec<(Pair, f64)> =
            best.inliers.iter().map(|&i| (pairs[i], closeness(&best.by, pairs[i].0, pairs[i].1, within))).collect();
        let Some(by) = kind.fit(&weighted) else { break };
        let next = agreeing(by);
        if next.support <= best.support {
            break;
        }
        best = next;
    }
    best
}

impl Kind {
    /// Pairs in a draw.
    fn draws(&self) -> usize {
        match self {
            Self::Similarity { .. } => 2,
            Self::Affine { .. } => 3,
            Self::Homography => 4,
        }
    }

    /// Different pairs, none of them near another.
    fn sample(&self, pairs: &[Pair], stream: &mut Stream) -> Option<Vec<(Pair, f64)>> {
        let mut sample: Vec<(Pair, f64)> = Vec::with_capacity(4);
        for _ in 0..self.draws() {
            let pair = pairs[stream.below(pairs.len())];
            if sample.iter().any(|(p, _)| apart(p.0, pair.0) < 4.0 || apart(p.1, pair.1) < 4.0) {
                return None;
            }
            sample.push((pair, 1.0));
        }
        Some(sample)
    }

    /// The move of least squares among those that are looked for.
    fn fit(&self, pairs: &[(Pair, f64)]) -> Option<Move> {
        match *self {
            Self::Similarity { mirrored, scale: (low, high), turn, half } => {
                let by = match pairs {
                    [(p, _), (q, _)] => Move::through([*p, *q], mirrored)?,
                    _ => Move::fit_similarity(pairs, mirrored)?,
                };
                let (angle, scale, _) = by.parts();
                let off = (angle - turn).rem_euclid(std::f64::consts::TAU);
                let off = off.min(std::f64::consts::TAU - off);
                (scale >= low && scale <= high && off <= half).then_some(by)
            }
            Self::Affine { scale: (low, high) } => {
                let by = Move::fit_affine(pairs)?;
                let (least, most) = by.stretches([0.0; 2]);
                (least >= low && most <= high && by.growth([0.0; 2]) > 0.0).then_some(by)
            }
            Self::Homography => {
                let by = Move::fit_homography(pairs)?;
                let sign = |(pair, _): &(Pair, f64)| {
                    let [x, y] = pair.0;
                    by.0[2][0] * x + by.0[2][1] * y + by.0[2][2] > 1e-9 && by.growth(pair.0) > 0.0
                };
                pairs.iter().all(sign).then_some(by)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ANY: Kind = Kind::Similarity { mirrored: false, scale: (0.5, 2.0), turn: 0.0, half: 4.0 };
    const SETTINGS: Settings = Settings { within: 3.0, draws: 4000, sure: 0.999, seed: 0 };

    /// `good` pairs of a move with a deviation of half a pixel, then others anywhere.
    fn pairs(truth: &Move, good: usize, all: usize) -> Vec<Pair> {
        let mut stream = Stream::new(11, &[]);
        let mut place = |_| [stream.range(0.0, 128.0), stream.range(0.0, 128.0)];
        let from: Vec<[f64; 2]> = (0..all).map(&mut place).collect();
        let wrong: Vec<[f64; 2]> = (0..all).map(&mut place).collect();
        let mut noise = |p: [f64; 2]| p.map(|x| x + 0.5 * stream.normal());
        (0..all).map(|i| (from[i], if i < good { noise(truth.apply(from[i])) } else { wrong[i] })).collect()
    }

    #[test]
    fn a_similarity_is_found_among_nine_tenths_of_wrong_pairs() {
        let truth = Move::similarity(2.5, 1.1, false, [150.0, 40.0]);
        let found = ransac(&pairs(&truth, 20, 200), &ANY, &SETTINGS).unwrap();
        assert!(apart(found.by.apply([64.0, 64.0]), truth.apply([64.0, 64.0])) < 1.0);
        assert!(found.inliers.iter().filter(|i| **i < 20).count() >= 18, "{:?}", found.inliers);
        let mirrored = Kind::Similarity { mirrored: true, scale: (0.5, 2.0), turn: 0.0, half: 4.0 };
        let other = ransac(&pairs(&truth, 20, 200), &mirrored, &SETTINGS);
        assert!(other.is_none_or(|o| o.support < 0.5 * found.support));
        // Outside of the turns that are asked for there is nothing.
        let turned = Kind::Similarity { mirrored: false, scale: (0.5, 2.0), turn: 0.0, half: 0.9 };
        assert!(ransac(&pairs(&truth, 20, 200), &turned, &SETTINGS).is_none_or(|o| o.inliers.len() < 10));
    }

    #[test]
    fn an_affine_move_is_found_among_wrong_pairs_and_no_mirrored_one() {
        let truth = Move([[0.9, 0.3, 14.0], [-0.2, 1.2, 3.0], [0.0, 0.0, 1.0]]);
        let kind = Kind::Affine { scale: (0.2, 5.0) };
        let found = ransac(&pairs(&truth, 60, 180), &kind, &SETTINGS).unwrap();
        for corner in [[0.0, 0.0], [127.0, 0.0], [0.0, 127.0], [127.0, 127.0]] {
            assert!(apart(found.by.apply(corner), truth.apply(corner)) < 2.0);
        }
        let mirrored = Move([[-0.9, 0.3, 140.0], [0.2, 1.2, 3.0], [0.0, 0.0, 1.0]]);
        let other = ransac(&pairs(&mirrored, 60, 180), &kind, &SETTINGS);
        assert!(other.is_none_or(|o| o.support < 0.5 * found.support));
    }

    #[test]
    fn a_homography_is_found_among_wrong_pairs() {
        let truth = Move([[0.9, 0.2, 14.0], [-0.1, 1.1, 3.0], [4e-4, -7e-4, 1.0]]);
        let found = ransac(&pairs(&truth, 60, 150), &Kind::Homography, &SETTINGS).unwrap();
        for corner in [[0.0, 0.0], [127.0, 0.0], [0.0, 127.0], [127.0, 127.0]] {
            assert!(apart(found.by.apply(corner), truth.apply(corner)) < 2.0);
        }
    }

    #[test]
    fn wrong_pairs_that_lie_near_draw_a_sharpened_move_less() {
        let truth = Move::similarity(0.5, 1.0, false, [10.0, 20.0]);
        let mut stream = Stream::new(3, &[]);
        let exact: Vec<[f64; 2]> = (0..14).map(|_| [stream.range(0.0, 128.0), stream.range(0.0, 128.0)]).collect();
        let mut all: Vec<Pair> = exact.iter().map(|p| (*p, truth.apply(*p))).collect();
        // Off to one side by 2 to 3 pixels.
        all.extend((0..6).map(|i| {
            let p = [f64::from(i) * 20.0, 100.0 - f64::from(i) * 15.0];
            let [x, y] = truth.apply(p);
            (p, [x + 2.0 + f64::from(i % 2), y])
        }));
        let settings = Settings { within: 4.0, ..SETTINGS };
        let found = ransac(&all, &ANY, &settings).unwrap();
        let off = |by: &Move| apart(by.apply([0.0, 128.0]), truth.apply([0.0, 128.0]));
        let before = off(&found.by);
        let after = sharpened(&all, &ANY, found, 4.0);
        assert!(before > 0.3 && off(&after.by) < 0.05 && after.inliers.len() >= 14, "{before} {}", off(&after.by));
    }

    #[test]
    fn chance_gives_no_move_that_many_agree_on() {
        let found = ransac(&pairs(&Move::IDENTITY, 0, 60), &ANY, &SETTINGS);
        assert!(found.is_none_or(|found| found.inliers.len() < 7));
        assert_eq!(ransac(&[], &ANY, &SETTINGS), None);
        assert_eq!(ransac(&[([1.0; 2], [1.0; 2]); 9], &ANY, &SETTINGS), None);
    }
}
