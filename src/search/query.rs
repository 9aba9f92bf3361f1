#![allow(clippy::indexing_slicing)] // copies of pixels between pictures whose sizes are made here
//! A query in all its turns.

use rord_data::patch::Rect;
use rord_kernels::turns::{inverse, motion, product};
use rord_matching::dense::{Dense, permuted};
use rord_matching::edges::{Edges, Outline};
use rord_matching::features::{Features, Select};
use rord_matching::moves::Move;
use rord_matching::search::View;
use rord_matching::template::Grey;

use crate::maps::{Maps, Pixels};
use crate::network::{Network, SearchError};
use crate::turned::Turned;

/// What is looked for, as a network sees it.
#[derive(Clone, Debug)]
pub struct Query {
    /// Width and height in pixels.
    pub size: [usize; 2],
    /// Its pixels.
    pub(crate) grey: Grey,
    /// Its edges.
    pub(crate) outline: Outline,
    /// What the network was shown.
    shown: Vec<Shown>,
    /// How many exchanges of turns each stands for: 1, 4 or 8.
    exchanges: usize,
}

/// The query moved by a symmetry of the square, as the network sees it.
#[derive(Clone, Debug)]
struct Shown {
    features: Features,
    dense: Dense,
    from_query: Move,
}

/// Descriptors that a query has at most.
const CELLS: usize = 2500;
/// How far they lie from its edge, beyond which a network sees what is not in the query.
const BORDER: f64 = 4.0;

impl Query {
    /// Looks at a picture with a network. The 8 symmetries of the square are views of their own: of a field of all 8 by
    /// exchanging descriptors, of one of 4 turns by exchanging those of the picture and of its mirror image, else by
    /// turning the picture.
    pub fn new(network: &mut Network<'_>, pixels: &dyn Pixels) -> Result<Self, SearchError> {
        let (symmetries, exchanges): (Vec<usize>, usize) = match network.turns() {
            8 => (vec![0], 8),
            4 => (vec![0, 4], 4),
            _ => ((0..8).collect(), 1),
        };
        let mut shown = Vec::new();
        for symmetry in symmetries {
            let turned = Turned { pixels, symmetry };
            let maps = Maps::of(network, &turned)?;
            let dense = cropped(maps.dense.clone(), turned.size());
            // A query larger than this is looked for by its key points: its cells would be too many to match.
            let features = match dense.height * dense.width <= CELLS {
                true => Features::of_cells(&dense, BORDER),
                false => {
                    let select = Select { keep: CELLS, apart: 4.0, border: BORDER, least: 0.0 };
                    Features::sample(maps.key_points(turned.size(), &select), &dense)
                }
            };
            shown.push(Shown { features, dense, from_query: turned.picture_to_turned() });
        }
        let size @ [width, height] = pixels.size();
        let planes = pixels.read(Rect { x: 0, y: 0, width, height }).map_err(SearchError::Pixels)?;
        let grey = Grey::of_planes(&planes, size).unwrap_or_default();
        let outline = Edges::of(&grey).outline();
        Ok(Self { size, grey, outline, shown, exchanges })
    }

    /// All its views.
    pub fn views(&self) -> Vec<View> {
        let exchanges = (0..self.exchanges).flat_map(|exchange| self.shown.iter().map(move |shown| (exchange, shown)));
        exchanges.map(|(exchange, shown)| shown.exchanged(exchange, self.exchanges)).collect()
    }
}

impl Shown {
    fn exchanged(&self, exchange: usize, exchanges: usize) -> View {
        let order = channel_order(exchange, exchanges, self.features.channels);
        let descriptors = permuted(&self.features.descriptors, &order);
        let features = Features { descriptors, ..self.features.clone() };
        let dense = self.dense.permuted(&order);
        let [a, b, c, d] = motion(exchange).map(f64::from);
        View { features, dense, from_query: self.from_query, turn: c.atan2(a), mirrored: a * d - b * c < 0.0 }
    }
}

/// The channels of descriptors in the order they have when the picture is moved by a symmetry: block t is what was block
/// g⁻¹·t.
pub(crate) fn channel_order(symmetry: usize, turns: usize, channels: usize) -> Vec<usize> {
    let block = channels / turns.max(1);
    (0..turns)
        .flat_map(|t| (0..block).map(move |c| (t, c)))
        .map(|(t, c)| product(inverse(symmetry), t) * block + c)
        .collect()
}

/// Without the cells that were added to fill the picture up.
fn cropped(dense: Dense, size: [usize; 2]) -> Dense {
    let step = dense.step().map(|s| s as usize);
    let (width, height) = ((size[0] / step[0].max(1)).min(dense.width), (size[1] / step[1].max(1)).min(dense.height));
    if (width, height) == (dense.width, dense.height) || width == 0 || height == 0 {
        return dense;
    }
    let rows = (0..height).flat_map(|row| {
        let at = row * dense.width * dense.channels;
        dense.values[at..at + width * dense.channels].iter().copied()
    });
    let size = [width * step[0], height * step[1]];
    Dense { values: rows.collect(), height, width, channels: dense.channels, size }
}
