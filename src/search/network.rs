//! A network as a search uses it: a map of scores and a map of descriptors.

use candle_core::{DType, Tensor};

use rord_engine::predict::{Picture, Predictor};
use rord_engine::refusals::Stop;
use rord_lang::types::Kind;

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
    /// The pixels cannot be read.
    #[error("{0}")]
    Pixels(String),
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
    /// Descriptors: channels, rows, columns, and the numbers, channel by channel.
    pub descriptors: (usize, usize, usize, Vec<f32>),
}

/// A network with its weights, and which of its exports are what.
pub struct Network<'v> {
    predictor: Predictor<'v>,
    score: Option<usize>,
    descriptors: usize,
    turns: usize,
}

impl<'v> Network<'v> {
    /// Takes the first export that is a map of descriptors, and the first that is a `Prob` or a `Logit`.
    pub fn new(predictor: Predictor<'v>) -> Result<Self, SearchError> {
        let exports = predictor.exports();
        let descriptors = exports.iter().position(|e| e.kind == Kind::Desc).ok_or(SearchError::NoDescriptors)?;
        let score = exports.iter().position(|e| matches!(e.kind, Kind::Prob | Kind::Logit));
        let turns = exports.get(descriptors).map_or(1, |e| e.turns);
        Ok(Self { predictor, score, descriptors, turns })
    }

    /// How many turns of a field the channels of its descriptors hold: 8, 4, or 1.
    pub fn turns(&self) -> usize {
        self.turns
    }

    /// Channels of the pictures that it takes, where that is known.
    pub fn channels(&self) -> Option<usize> {
        self.predictor.channels()
    }

    /// Sides of pictures are multiples of this: no network that is met halves sizes more often.
    pub const UNIT: usize = 32;

    /// The maps of a picture.
    pub fn maps(&mut self, picture: &Picture<'_>) -> Result<Raw, SearchError> {
        if let Some(wanted) = self.predictor.channels().filter(|c| *c != picture.channels) {
            return Err(SearchError::Channels { found: picture.channels, wanted });
        }
        let outputs = self.predictor.run(picture)?;
        let (channels, rows, columns, numbers) = self.map(&outputs, self.descriptors, picture)?;
        let descriptors = (channels, rows, columns, numbers);
        let scores = match self.score {
            Some(score) => {
                let (_, rows, columns, mut numbers) = self.map(&outputs, score, picture)?;
                if self.predictor.exports().get(score).is_some_and(|e| e.kind == Kind::Logit) {
                    numbers.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
                }
                (rows, columns, numbers)
            }
            None => (rows, columns, vec![1.0; rows * columns]),
        };
        Ok(Raw { scores, descriptors })
    }

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
        let numbers = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok((channels, rows, columns, numbers))
    }
}
