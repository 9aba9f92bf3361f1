//! Copies of a query in a picture, told by their pixels: what a network sees in a small cell depends on its neighbors.

use rord_matching::moves::Move;
use rord_matching::search::Found;
use rord_matching::template::{self, Copied, Grey};

/// From this score on the picture is drawn as the query is.
const ALIKE: f64 = 0.6;
/// From this likeness on the network is believed where it found a query that is drawn otherwise.
const FOUND: f64 = 0.5;
/// How far a scale may be from 1, and a turn in radians from a quarter, to be none.
const NONE: f64 = 0.01;

/// All copies, the likeliest first: of the query as it lies; where it does not lie so, as the network found it first; and where
/// it is drawn otherwise, of what the picture shows where the network found it.
pub fn copies(query: &Grey, picture: &Grey, first: Option<&Found>, least: f64) -> Vec<Found> {
    let sure = |copied: &[Copied]| copied.first().is_some_and(|one| one.score >= ALIKE);
    let mut copied = template::copies(query, picture, &Move::IDENTITY, least);
    if let Some(first) = first.filter(|_| !sure(&copied)) {
        if !is_upright(&first.by) {
            copied = template::copies(query, picture, &first.by, least);
        }
        if !sure(&copied) {
            let shown = (first.likeness >= FOUND).then(|| shown(query, picture, &first.by));
            copied = shown.map_or(Vec::new(), |shown| template::copies(&shown, picture, &first.by, least));
        }
    }
    // Neither key points nor edges were compared.
    copied.into_iter().map(|one| Found { by: one.by, inliers: 0, likeness: one.score, agreement: 0.0 }).collect()
}

/// Whether a move keeps sizes, and turns by quarters alone.
fn is_upright(by: &Move) -> bool {
    let (turn, scale, _) = by.parts();
    let quarters = turn / std::f64::consts::FRAC_PI_2;
    (quarters - quarters.round()).abs() < NONE && (scale - 1.0).abs() < NONE
}

/// What the picture shows in the place of the query; its own value where that lies outside.
fn shown(query: &Grey, picture: &Grey, by: &Move) -> Grey {
    let places = (0..query.height).flat_map(|y| (0..query.width).map(move |x| [x as f64, y as f64]));
    let values = query.values.iter().zip(places).map(|(own, p)| picture.sample(by.apply(p)).unwrap_or(*own)).collect();
    Grey { values, width: query.width, height: query.height }
}
