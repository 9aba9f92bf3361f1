//! A layout or an image in pixels, layer by layer, of which windows are read.
//!
//! A [`Picture`] knows its size and its layers; the samples lie in a [`Pixels`], which hands out squares of 128 × 128
//! px with all their layers: from memory ([`Held`]), or from the store of drawn tiles.
//!
//! ```
//! use rord_data::picture::{Picture, PictureLayer, Samples};
//! let layer = |name: &str, weight, samples: &[u8]| {
//!     (PictureLayer { name: name.into(), weight }, Samples::Eight(samples.into()))
//! };
//! let layers = vec![layer("m1", 0.5, &[255, 255]), layer("m2", 1.0, &[0, 255])];
//! let picture = Picture::held("two pixels", 2, 1, layers);
//! assert_eq!(picture.draw(), [0.5, 1.0]);
//! ```

mod square;
mod view;

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::DataError;
pub use square::{Block, Held, SQUARE, Samples, Square, cut};
pub use view::{Run, View};

/// A layer of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureLayer {
    /// What a pipeline calls it: `via` in generated layouts, `68/44` in a file of layouts.
    pub name: String,
    /// Its default grey value in 0..=1, see [`Picture::draw`].
    pub weight: f32,
}

/// Where the samples of a picture come from.
pub trait Pixels: Send + Sync {
    /// The square in that column and row of squares, with all layers; those at the right and lower border are smaller.
    fn square(&self, column: usize, row: usize) -> Result<Arc<Square>, DataError>;
}

/// What a picture is made of, for the split and for what is shown of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The file's own name, without folders; of what is no file, the picture's name.
    pub file: String,
    /// A hash of the file's content; of what is no file, of all that it depends on.
    pub content: [u8; 32],
}

impl Origin {
    /// Of something that depends on its name alone.
    pub fn named(name: &str) -> Self {
        Self { file: name.into(), content: *blake3::hash(name.as_bytes()).as_bytes() }
    }

    /// False where it depends on its name alone.
    pub fn is_file(&self) -> bool {
        *blake3::hash(self.file.as_bytes()).as_bytes() != self.content
    }
}

/// A layout in pixels, layer by layer in drawing order. A grey image is a picture of one layer with weight 1.
#[derive(Clone)]
pub struct Picture {
    /// The name of its layout or the path of its file.
    pub name: String,
    /// Pixels in a row.
    pub width: usize,
    /// Rows; row 0 is the top (the largest y of the layout).
    pub height: usize,
    /// The layers, the lowest first.
    pub layers: Vec<PictureLayer>,
    /// What it is made of.
    pub origin: Origin,
    pixels: Arc<dyn Pixels>,
    trouble: Arc<OnceLock<DataError>>,
}

impl Picture {
    /// A picture whose samples lie elsewhere.
    pub fn new(
        name: impl Into<String>,
        (width, height): (usize, usize),
        layers: Vec<PictureLayer>,
        pixels: Arc<dyn Pixels>,
    ) -> Self {
        let name = name.into();
        let origin = Origin::named(&name);
        Self { name, width, height, layers, origin, pixels, trouble: Arc::default() }
    }

    /// A picture held in memory: each layer with `height` rows of `width` samples, the top row first. What a layer
    /// lacks is not covered.
    pub fn held(name: impl Into<String>, width: usize, height: usize, layers: Vec<(PictureLayer, Samples)>) -> Self {
        let (layers, samples): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
        let held = Held::new(width, height, &samples);
        Self::new(name, (width, height), layers, Arc::new(held))
    }

    /// The same picture made of something else.
    pub fn from_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The number of the layer of that name.
    pub fn layer(&self, name: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.name == name)
    }

    /// Checks that a view of it can have so many channels: one for each layer but `hidden` of them, or one for all.
    pub fn has_channels(&self, channels: usize, hidden: usize) -> Result<(), DataError> {
        let found = self.layers.len().saturating_sub(hidden);
        if channels == 1 || channels == found {
            return Ok(());
        }
        let layers = self.layers.iter().map(|layer| layer.name.clone()).collect();
        Err(DataError::Channels { picture: self.name.clone(), found, wanted: channels, layers })
    }

    /// The first error that reading it met. What could not be read was shown as black, and must not be used.
    pub fn trouble(&self) -> Option<&DataError> {
        self.trouble.get()
    }

    /// The squares that hold columns `x.0..x.1` and rows `y.0..y.1`, which lie in the picture.
    pub fn view(&self, x: (usize, usize), y: (usize, usize)) -> View {
        View::new(self, x, y)
    }

    fn square(&self, column: usize, row: usize) -> Arc<Square> {
        self.pixels.square(column, row).unwrap_or_else(|error| {
            let _ = self.trouble.set(error);
            Arc::default()
        })
    }

    /// All samples of a layer: `height` rows of `width` values. For small pictures.
    pub fn samples(&self, layer: usize) -> Samples {
        let view = self.view((0, self.width), (0, self.height));
        let mut out = Samples::zeros(self.width * self.height, view.sixteen(layer));
        for y in 0..self.height {
            view.runs(layer, y, (0, self.width), |at, run| out.put(y * self.width + at, run));
        }
        out
    }

    /// The default drawing: from black, each layer in turn covers what lies below, `out = out·(1 - c) + weight·c` with
    /// its coverage c. `height · width` values in 0..=1, the top row first. For small pictures.
    pub fn draw(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.width * self.height];
        for (index, layer) in self.layers.iter().enumerate() {
            for (value, c) in out.iter_mut().zip(self.samples(index).shares()) {
                *value += (layer.weight - *value) * c;
            }
        }
        out
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} × {} px, {} layers)", self.name, self.width, self.height, self.layers.len())
    }
}

/// Sample by sample, wherever they lie.
impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        let head = |p: &Self| (p.name.clone(), p.width, p.height, p.layers.clone());
        head(self) == head(other) && (0..self.layers.len()).all(|k| self.samples(k) == other.samples(k))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn upper_layers_cover_lower_ones_by_their_coverage() {
        let layer = |weight, c: [u8; 3]| (PictureLayer { name: String::new(), weight }, Samples::Eight(c.into()));
        let layers = vec![layer(0.25, [255, 255, 0]), layer(1.0, [0, 51, 255])];
        let drawn = Picture::held("", 3, 1, layers).draw();
        for (value, expected) in drawn.iter().zip([0.25, 0.25 * 0.8 + 0.2, 1.0]) {
            assert!((value - expected).abs() < 1e-6, "{drawn:?}");
        }
    }

    #[test]
    fn samples_come_back_from_squares_of_any_number() {
        for (width, height) in [(1, 1), (127, 3), (128, 128), (300, 257)] {
            let eight: Vec<u8> = (0..width * height).map(|i| (i * 7 % 251) as u8).collect();
            let sixteen: Vec<u16> = (0..width * height).map(|i| (i * 77 % 65_521) as u16).collect();
            for samples in [Samples::Eight(eight), Samples::Sixteen(sixteen), Samples::zeros(width * height, false)] {
                let layer = PictureLayer { name: "m".into(), weight: 1.0 };
                let picture = Picture::held("p", width, height, vec![(layer, samples.clone())]);
                let back = picture.samples(0);
                assert!(back == samples || samples.shares().all(|c| c == 0.0), "{width} × {height}");
                assert!(back.shares().eq(samples.shares()));
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_remembered() {
        struct Broken;
        impl Pixels for Broken {
            fn square(&self, _: usize, _: usize) -> Result<Arc<Square>, DataError> {
                Err(DataError::NotFound { path: "gone".into() })
            }
        }
        let layers = vec![PictureLayer { name: "m".into(), weight: 1.0 }];
        let picture = Picture::new("p", (3, 2), layers, Arc::new(Broken));
        assert_eq!(picture.trouble(), None);
        assert_eq!(picture.draw(), [0.0; 6]);
        assert_eq!(picture.trouble(), Some(&DataError::NotFound { path: "gone".into() }));
    }
}
