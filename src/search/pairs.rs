//! `eval --suite pairs`: pairs of pictures with the homography between them, as in HPatches, matched by a network.
//!
//! Key points are the peaks of the scores, matches are mutual nearest neighbors. Descriptors of fields are exchanged in all
//! their turns, and the turn whose matches are most alike is taken; other networks see the pictures as they lie.

use rord_matching::agreement::{area_under_curve, corner_error, matching_accuracy, median, precision, repeatability};
use rord_matching::dense::permuted;
use rord_matching::features::{Features, Select};
use rord_matching::moves::{Move, Pair};
use rord_matching::neighbors::{Match, mutual};
use rord_matching::ransac::{Kind, Settings, ransac};

use rord_data::patch::Rect;

use crate::maps::{Maps, Pixels};
use crate::network::{Network, SearchError};
use crate::query::channel_order;

/// Limits of the mean matching accuracy and of repeatability, in pixels.
pub const LIMITS: [f64; 10] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
/// Limits of the area under the curve, in pixels.
pub const AREAS: [f64; 3] = [1.0, 3.0, 5.0];

/// How pictures are matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matching {
    /// Key points of a picture at most.
    pub points: usize,
    /// How far in pixels a match may lie from the homography that RANSAC finds.
    pub within: f64,
}

impl Default for Matching {
    fn default() -> Self {
        Self { points: 1024, within: 3.0 }
    }
}

/// A picture as a network sees it: its key points and their descriptors.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Width and height in pixels.
    pub size: [usize; 2],
    features: Features,
    turns: usize,
}

/// How far key points lie from each other and from the edge at least, in pixels.
const APART: f64 = 3.0;

impl Seen {
    /// Looks at a picture with a network.
    pub fn new(network: &mut Network<'_>, pixels: &dyn Pixels, matching: &Matching) -> Result<Self, SearchError> {
        let size = pixels.size();
        let window = Rect { x: 0, y: 0, width: size[0], height: size[1] };
        let maps = Maps::by_tiles(network, pixels, window, &mut |_| true)?;
        let select = Select { keep: matching.points, apart: APART, border: APART, least: 0.0 };
        Ok(Self { size, features: maps.features(size, &select), turns: network.turns() })
    }

    /// Mutual nearest neighbors of its key points among those of another picture.
    fn matches(&self, other: &Self) -> Vec<Match> {
        let (ours, theirs) = (&self.features, &other.features);
        let alike = |matches: &[Match]| matches.iter().map(|m| f64::from(m.similarity.max(0.0))).sum::<f64>();
        let mut best: (f64, Vec<Match>) = (f64::MIN, Vec::new());
        for turn in 0..self.turns.max(1) {
            let order = channel_order(turn, self.turns, ours.channels);
            let turned = permuted(&ours.descriptors, &order);
            let matches = mutual(&turned, &theirs.descriptors, ours.channels);
            let sum = alike(&matches);
            if sum > best.0 {
                best = (sum, matches);
            }
        }
        best.1
    }
}

/// What came of a pair of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The mean number of key points of its two pictures.
    pub points: f64,
    /// Matches.
    pub matches: usize,
    /// At each of [`LIMITS`].
    pub repeatability: Vec<f64>,
    /// The share of matches within each of [`LIMITS`].
    pub accuracy: Vec<f64>,
    /// The share of matches whose distance there and back is below 1 and 3 px.
    pub precision: Vec<f64>,
    /// How far in pixels the homography of all matches takes the corners from their places; infinite where there is none.
    pub dlt: f64,
    /// The same of the homography that RANSAC finds.
    pub ransac: f64,
}

/// Matches two pictures and measures what comes out.
pub fn measure(a: &Seen, b: &Seen, truth: &Move, matching: &Matching) -> Measured {
    let matches = a.matches(b);
    let (ours, theirs) = (&a.features.points.places, &b.features.points.places);
    let place = |m: &Match| Some((*ours.get(m.a)?, *theirs.get(m.b)?));
    let pairs: Vec<Pair> = matches.iter().filter_map(place).collect();
    let all: Vec<(Pair, f64)> = pairs.iter().map(|pair| (*pair, 1.0)).collect();
    let settings = Settings { within: matching.within, draws: 5000, sure: 0.9999, seed: 0 };
    let agreed = ransac(&pairs, &Kind::Homography, &settings);
    let again = |limit: &f64| repeatability([ours, theirs], truth, [a.size, b.size], *limit);
    Measured {
        points: (ours.len() + theirs.len()) as f64 / 2.0,
        matches: pairs.len(),
        repeatability: LIMITS.iter().map(again).collect(),
        accuracy: matching_accuracy(&pairs, truth, &LIMITS),
        precision: precision(&pairs, truth, &[1.0, 3.0]),
        dlt: corner_error(Move::fit_homography(&all).as_ref(), truth, a.size),
        ransac: corner_error(agreed.map(|a| a.by).as_ref(), truth, a.size),
    }
}

/// What is reported of many pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many.
    pub pairs: usize,
    /// Key points of a picture, the mean.
    pub points: f64,
    /// Matches of a pair, the mean.
    pub matches: f64,
    /// At each of [`LIMITS`], the mean.
    pub repeatability: Vec<f64>,
    /// The mean matching accuracy at each of [`LIMITS`].
    pub accuracy: Vec<f64>,
    /// The share of matches below 1 and 3 px, the median.
    pub precision: Vec<f64>,
    /// The area under the curve of homographies of all matches, up to each of [`AREAS`].
    pub dlt: Vec<f64>,
    /// The same of those that RANSAC finds.
    pub ransac: Vec<f64>,
}

impl Summary {
    /// Of all pairs.
    pub fn of(all: &[&Measured]) -> Self {
        let n = all.len().max(1) as f64;
        let mean = |of: &dyn Fn(&Measured) -> f64| all.iter().map(|m| of(m)).sum::<f64>() / n;
        let at = |values: &[f64], k: usize| values.get(k).copied().unwrap_or_default();
        let along = |of: &dyn Fn(&Measured) -> &[f64]| (0..LIMITS.len()).map(|k| mean(&|m| at(of(m), k))).collect();
        let middle = |k: usize| {
            let values: Vec<f64> = all.iter().map(|m| at(&m.precision, k)).collect();
            median(&values).unwrap_or_default()
        };
        let area = |of: &dyn Fn(&Measured) -> f64| {
            let errors: Vec<f64> = all.iter().map(|m| of(m)).collect();
            area_under_curve(&errors, &AREAS)
        };
        Self {
            pairs: all.len(),
            points: mean(&|m| m.points),
            matches: mean(&|m| m.matches as f64),
            repeatability: along(&|m| &m.repeatability),
            accuracy: along(&|m| &m.accuracy),
            precision: vec![middle(0), middle(1)],
            dlt: area(&|m| m.dlt),
            ransac: area(&|m| m.ransac),
        }
    }
}
