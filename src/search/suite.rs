//! `eval --suite find`: crops of layouts that a network never saw, drawn and moved otherwise, looked for in the layouts.
//!
//! A query is a square of pixels, turned by any angle and mirrored in half of the cases. Its places, turns and drawings
//! depend on a seed and its number alone, so every network, and every other way to find, gets exactly the same queries.

use std::f64::consts::TAU;

use rord_data::patch::{Cut, Grid, Region};
use rord_data::picture::Picture;
use rord_data::render::Look;
use rord_matching::moves::Move;
use rord_matching::search::corners_apart;
use rord_random::Stream;

use crate::chip::{Answer, Chip, Options, Progress};
use crate::drawn::{Drawn, Held};
use crate::network::{Network, SearchError};
use crate::query::Query;

/// How queries differ from the layout that they are looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Case {
    /// Drawn alike.
    Same,
    /// Light is dark and dark is light.
    Inverted,
    /// Other grey values of the layers.
    Intensities,
    /// The same, and 0.8 to 1.25 times as large.
    Scaled,
    /// All edges moved by 1 px, inwards or outwards.
    Etched,
    /// One layer alone, in the layout drawn of that layer.
    LayerAlone,
    /// One layer alone, in the full drawing.
    LayerInAll,
}

impl Case {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] =
        [Self::Same, Self::Inverted, Self::Intensities, Self::Scaled, Self::Etched, Self::LayerAlone, Self::LayerInAll];

    /// Its name, in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Inverted => "inverted",
            Self::Intensities => "intensities",
            Self::Scaled => "scaled",
            Self::Etched => "etched",
            Self::LayerAlone => "layer",
            Self::LayerInAll => "layer-in-all",
        }
    }
}

/// A crop, and where it is from.
pub struct Crop {
    /// Its pixels.
    pub pixels: Held,
    /// Which picture it is from.
    pub picture: usize,
    /// From its pixels to the picture's.
    pub truth: Move,
    /// The layer that alone is drawn, where one is.
    pub layer: Option<usize>,
}

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suite {
    /// Pixels of a query's side.
    pub side: usize,
    /// The seed of all draws.
    pub seed: u64,
}

/// Tries for a crop with something to see.
const TRIES: usize = 40;

impl Suite {
    /// Crop number `index` of a case; `None` where no picture holds one.
    pub fn crop(&self, pictures: &[Picture], case: Case, index: u64) -> Option<Crop> {
        let key = Case::ALL.iter().position(|c| *c == case).unwrap_or(0) as u64;
        let mut stream = Stream::new(self.seed, &[u64::from_le_bytes(*b"findcrop"), key, index]);
        let mut best: Option<(f32, Crop)> = None;
        for _ in 0..TRIES {
            let crop = self.draw(pictures, case, &mut stream)?;
            let variation = deviation(&crop.pixels.values);
            if best.as_ref().is_none_or(|(most, _)| variation > *most) {
                best = Some((variation, crop));
            }
            if variation >= 0.1 {
                break;
            }
        }
        best.map(|(_, crop)| crop)
    }

    /// Crops 0 to `n` of a case.
    pub fn crops(&self, pictures: &[Picture], case: Case, n: u64) -> Vec<Crop> {
        (0..n).filter_map(|index| self.crop(pictures, case, index)).collect()
    }

    fn draw(&self, pictures: &[Picture], case: Case, stream: &mut Stream) -> Option<Crop> {
        let index = stream.below(pictures.len());
        let picture = pictures.get(index)?;
        let turn = stream.range(0.0, TAU);
        let mirrored = stream.chance(0.5);
        // So many picture pixels in one of the query.
        let zoom = if case == Case::Scaled { 1.0 / stream.range(0.8, 1.25) } else { 1.0 };
        let half = self.side as f64 * zoom * std::f64::consts::FRAC_1_SQRT_2 + 1.0;
        let mut along = |side: usize| {
            let (low, high) = (half.min(side as f64 / 2.0), (side as f64 - half).max(side as f64 / 2.0));
            stream.range(low, high)
        };
        let middle = [along(picture.width), along(picture.height)];
        let linear = Move::similarity(turn, 1.0, mirrored, [0.0, 0.0]);
        let [[a, b, _], [c, d, _], _] = linear.0;
        let grid = Grid::new(self.side, middle, zoom, [[a, b], [c, d]]);
        let layer = match case {
            Case::LayerAlone | Case::LayerInAll => {
                let inside = Cut::new(picture, Region::whole(picture), grid.reach());
                let present: Vec<usize> =
                    (0..picture.layers.len()).filter(|k| inside.layers.get(*k).is_some_and(Option::is_some)).collect();
                Some(*present.get(stream.below(present.len()))?)
            }
            _ => None,
        };
        let etch = if case == Case::Etched { if stream.chance(0.5) { 1.0 } else { -1.0 } } else { 0.0 };
        let cut = Cut::new(picture, Region::whole(picture), grid.reach().grown(2));
        let look = match (case, layer) {
            (Case::Intensities | Case::Scaled, _) => Look::with(picture, etch, |_| Some(stream.range(0.2, 1.0) as f32)),
            (_, Some(only)) => Look::with(picture, etch, |layer| (layer == only).then_some(1.0)),
            _ => Look::with(picture, etch, |layer| picture.layers.get(layer).map(|l| l.weight)),
        };
        let mut values = look.composite(&cut, zoom).sample(&grid);
        if case == Case::Inverted {
            values.iter_mut().for_each(|v| *v = 1.0 - *v);
        }
        // From a query's pixel center to the picture's.
        let shown = zoom * (self.side as f64 - 1.0) / 2.0;
        let shift = [middle[0] - 0.5 - shown * (a + b), middle[1] - 0.5 - shown * (c + d)];
        let truth = Move([[a * zoom, b * zoom, shift[0]], [c * zoom, d * zoom, shift[1]], [0.0, 0.0, 1.0]]);
        let pixels = Held { values, channels: 1, size: [self.side; 2] };
        Some(Crop { pixels, picture: index, truth, layer })
    }
}

/// What came of a query.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From its pixels to the picture's.
    pub truth: Move,
    /// The best answer.
    pub answer: Option<Answer>,
    /// How far the answer takes a corner of the query from its place, at most, in pixels.
    pub error: Option<f64>,
}

impl Suite {
    /// Looks for crops 0 to `n` of a case, each in the picture that it is from, and says what came of each in their order.
    /// `progress` is a chip's.
    pub fn run(
        &self,
        network: &mut Network<'_>,
        pictures: &[Picture],
        case: Case,
        n: u64,
        options: &Options,
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Outcome>, SearchError> {
        let crops = self.crops(pictures, case, n);
        let place = |crop: &Crop| (crop.picture, crop.layer.filter(|_| case == Case::LayerAlone));
        let mut places: Vec<(usize, Option<usize>)> = crops.iter().map(place).collect();
        places.sort_unstable();
        places.dedup();
        let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
        for at in places {
            let Some(picture) = pictures.get(at.0) else { continue };
            let here: Vec<(usize, &Crop)> = crops.iter().enumerate().filter(|(_, crop)| place(crop) == at).collect();
            let queries: Vec<Query> =
                here.iter().map(|(_, crop)| Query::new(network, &crop.pixels)).collect::<Result<_, _>>()?;
            let drawn = drawn(picture, at.1);
            let chip = Chip { pixels: &drawn, options: *options, index: None };
            let answers = chip.search(network, &queries, progress)?.answers;
            outcomes.extend(here.iter().zip(answers).map(|((i, crop), answers)| {
                let answer = answers.into_iter().next();
                let error = answer.as_ref().map(|a| corners_apart(&a.by, &crop.truth, [self.side; 2]));
                (*i, Outcome { truth: crop.truth, answer, error })
            }));
        }
        outcomes.sort_by_key(|(i, _)| *i);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

/// A picture as queries are looked for in it: drawn by default, or a layer alone.
pub fn drawn(picture: &Picture, layer: Option<usize>) -> Drawn<'_> {
    let drawn = Drawn::new(picture, 1);
    match layer {
        Some(only) => drawn.by(Look::with(picture, 0.0, |layer| (layer == only).then_some(1.0))),
        None => drawn,
    }
}

fn deviation(values: &[f32]) -> f32 {
    let n = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / n;
    (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n).sqrt()
}
