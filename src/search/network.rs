//! A network as a search uses it: a map of scores and a map of descriptors.

use std::path::PathBuf;

use candle_core::Tensor;

use rord_engine::predict::{Export, Picture, Predictor, by_cells};
use rord_engine::refusals::Stop;
use rord_lang::types::Kind;

/// What a map of scores is called.
const SCORE: &str = "score";

/// Why a picture could not be searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The network cannot be run.
    #[error("the network cannot be run on such a picture")]
    Refused(Stop),
    /// The network makes no map of descriptors.
    #[error("the network exports no descriptors")]
    NoDescriptors,
    /// A map that does not fit its picture.
    #[error("`{name}` is {shape:?} for a picture of {width} × {height} px")]
    BadMap {
        /// The export.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The picture's width.
        width: usize,
        /// The picture's height.
        height: usize,
    },
    /// The picture has other channels than the network takes.
    #[error("a picture of {found} channels, for a network that takes {wanted}")]
    Channels {
        /// What it has.
        found: usize,
        /// What the network takes.
        wanted: usize,
    },
    /// The network takes pictures of one size alone.
    #[error("a picture of {} × {} px, for a network that takes {} × {} px", found[0], found[1], side(wanted[0]), side(wanted[1]))]
    Fixed {
        /// Width and height that it takes, where they are fixed.
        wanted: [Option<usize>; 2],
        /// Width and height of the picture.
        found: [usize; 2],
    },
    /// What is no map cannot be put together from tiles.
    #[error("`{name}` is no map, so the whole picture has to be fed at once: {most} pixels at most")]
    Whole {
        /// The export.
        name: String,
        /// The most pixels that are fed at once.
        most: usize,
    },
    /// A map that is too large to be held.
    #[error("`{name}` is {shape:?}, which is too large to be held")]
    TooLarge {
        /// The export.
        name: String,
        /// Channels, rows and columns.
        shape: Vec<usize>,
    },
    /// A folder of what was seen, or a file in it, that cannot be written.
    #[error("{} cannot be written: {why}", path.display())]
    Index {
        /// Which.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// The pixels cannot be read.
    #[error("{0}")]
    Pixels(String),
}

/// A side that is fixed, or any.
fn side(fixed: Option<usize>) -> String {
    fixed.map_or("any".into(), |n| n.to_string())
}

impl From<Stop> for SearchError {
    fn from(stop: Stop) -> Self {
        Self::Refused(stop)
    }
}

impl From<candle_core::Error> for SearchError {
    fn from(error: candle_core::Error) -> Self {
        Self::Refused(Stop::from(error))
    }
}

/// The maps of one picture, as the network makes them.
pub struct Raw {
    /// Scores: rows, columns, and row by row the numbers. Where the network has no detector, everywhere 1.
    pub scores: (usize, usize, Vec<f32>),
    /// Descriptors: channels, rows, columns, and the numbers, cell by cell. Of a detector alone they have no channels,
    /// and the rows and columns of the scores.
    pub descriptors: (usize, usize, usize, Vec<f32>),
}

/// A network with its weights, and which of its exports are what.
pub struct Network<'v> {
    predictor: Predictor<'v>,
    score: Option<usize>,
    descriptors: Option<usize>,
    turns: usize,
}

impl<'v> Network<'v> {
    /// Takes the first export that is a map of descriptors, and of those that are a `Prob` or a `Logit` the one called
    /// `score`, else the first.
    pub fn new(predictor: Predictor<'v>) -> Result<Self, SearchError> {
        let network = Self::any(predictor);
        if network.descriptors.is_none() { Err(SearchError::NoDescriptors) } else { Ok(network) }
    }

    /// As [`Network::new`], of a detector without descriptors, too.
    pub fn any(predictor: Predictor<'v>) -> Self {
        let exports = predictor.exports();
        let descriptors = exports.iter().position(|e| e.kind == Kind::Desc);
        let is_score = |e: &Export| matches!(e.kind, Kind::Prob | Kind::Logit);
        let score = exports.iter().position(|e| is_score(e) && e.name == SCORE);
        let score = score.or_else(|| exports.iter().position(is_score));
        let turns = descriptors.and_then(|at| exports.get(at)).map_or(1, |e| e.turns);
        Self { predictor, score, descriptors, turns }
    }

    /// True where it is for key points: it exports a map of descriptors, or one of scores that is called `score`.
    pub fn is_for_key_points(predictor: &Predictor<'_>) -> bool {
        let exports = predictor.exports();
        let scores = |e: &Export| e.name == SCORE && matches!(e.kind, Kind::Prob | Kind::Logit);
        exports.iter().any(|e| e.map && (e.kind == Kind::Desc || scores(e)))
    }

    /// False where its scores are everywhere 1 because it exports none.
    pub fn detects(&self) -> bool {
        self.score.is_some()
    }

    /// Channels of the pictures that it takes, where that is known.
    pub fn channels(&self) -> Option<usize> {
        self.predictor.channels()
    }

    /// Height and width of the pictures that it takes, where it takes no others.
    pub fn fixed(&self) -> [Option<usize>; 2] {
        self.predictor.fixed()
    }

    /// How many turns of a field the channels of its descriptors hold: 8, 4, or 1.
    pub fn turns(&self) -> usize {
        self.turns
    }

    /// Sides of pictures are multiples of this: no network that is met halves sizes more often.
    pub const UNIT: usize = 32;

    /// The maps of a picture.
    pub fn maps(&mut self, picture: &Picture<'_>) -> Result<Raw, SearchError> {
        if let Some(wanted) = self.predictor.channels().filter(|c| *c != picture.channels) {
            return Err(SearchError::Channels { found: picture.channels, wanted });
        }
        let outputs = self.predictor.run_watched(picture, &mut ())?;
        let described = self.descriptors.map(|at| self.map(&outputs, at, picture)).transpose()?;
        let cells = described.as_ref().map_or((1, 1), |(_, rows, columns, _)| (*rows, *columns));
        let scores = match self.score {
            Some(score) => {
                let (_, rows, columns, mut numbers) = self.map(&outputs, score, picture)?;
                if self.predictor.exports().get(score).is_some_and(|e| e.kind == Kind::Logit) {
                    numbers.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
                }
                (rows, columns, numbers)
            }
            None => (cells.0, cells.1, vec![1.0; cells.0 * cells.1]),
        };
        let descriptors = described.unwrap_or((0, scores.0, scores.1, Vec::new()));
        Ok(Raw { scores, descriptors })
    }

    /// Channels, rows and columns of an export, and its numbers cell by cell.
    fn map(
        &self,
        outputs: &[Tensor],
        at: usize,
        picture: &Picture<'_>,
    ) -> Result<(usize, usize, usize, Vec<f32>), SearchError> {
        let name = || self.predictor.exports().get(at).map(|e| e.name.clone()).unwrap_or_default();
        let bad = |shape: Vec<usize>| {
            let (width, height) = (picture.width, picture.height);
            SearchError::BadMap { name: name(), shape, width, height }
        };
        let tensor = outputs.get(at).ok_or_else(|| bad(Vec::new()))?;
        let &[1, channels, rows, columns] = tensor.dims() else { return Err(bad(tensor.dims().to_vec())) };
        if rows == 0 || columns == 0 || !picture.height.is_multiple_of(rows) || !picture.width.is_multiple_of(columns) {
            return Err(bad(tensor.dims().to_vec()));
        }
        Ok((channels, rows, columns, by_cells(tensor)?))
    }
}
