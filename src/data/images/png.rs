//! PNG pictures too large to be held, read row by row.

use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Decoder, DecodingError, Reader, Transformations};

use super::plain::too_large;
use super::raw::{Colors, Numbers, Raw};
use crate::DataError;

/// What the decoder may take beside a row.
const MOST: usize = 256 << 20;

/// A picture's rows, from the first to the last; for those before it begins again.
pub struct Rows {
    path: PathBuf,
    reader: Reader<BufReader<File>>,
    /// The row that comes next.
    at: usize,
    head: Raw,
}

impl Rows {
    /// The picture at `path`; `None` where its rows do not lie one after the other, or it has to be turned.
    pub fn open(path: &Path) -> Result<Option<Self>, DataError> {
        let fail = |error: DecodingError| of_error(path, error);
        let (file, _) = rord_files::open(path)?;
        let mut decoder = Decoder::new_with_limits(BufReader::new(file), png::Limits { bytes: MOST });
        decoder.set_ignore_text_chunk(true);
        // As the decoder of whole pictures: a palette becomes colors, and fewer than eight bits become eight.
        decoder.set_transformations(Transformations::EXPAND);
        let reader = decoder.read_info().map_err(fail)?;
        let info = reader.info();
        let (width, height) = (info.width as usize, info.height as usize);
        let exif = info.exif_metadata.as_deref();
        let orientation = exif.and_then(image::metadata::Orientation::from_exif_chunk).map_or(1, |o| o.to_exif());
        if info.animation_control().is_some_and(|animation| animation.num_frames > 1) {
            // Read as a whole it is refused.
            return Ok(None);
        }
        if info.interlaced || orientation != 1 || width == 0 || height == 0 {
            return Ok(None);
        }
        let (color, depth) = reader.output_color_type();
        let (colors, alpha) = match color {
            ColorType::Grayscale => (Colors::Grey, false),
            ColorType::GrayscaleAlpha => (Colors::Grey, true),
            ColorType::Rgb => (Colors::Rgb, false),
            ColorType::Rgba => (Colors::Rgb, true),
            ColorType::Indexed => return Ok(None),
        };
        let numbers = match depth {
            BitDepth::Eight => Numbers::Eight(Vec::new()),
            BitDepth::Sixteen => Numbers::Sixteen(Vec::new()),
            _ => return Ok(None),
        };
        let head = Raw { width, height, colors, alpha, numbers, white: None, orientation: 1, page: None };
        Ok(Some(Self { path: path.to_path_buf(), reader, at: 0, head }))
    }

    /// What it is, without its numbers.
    pub fn head(&self) -> &Raw {
        &self.head
    }

    /// Some rows, which are a picture of their own.
    pub fn read(&mut self, rows: Range<usize>) -> Result<Raw, DataError> {
        if self.at > rows.start
            && let Some(again) = Self::open(&self.path)?
        {
            *self = again;
        }
        let mut bytes = Vec::new();
        while self.at < rows.end {
            let row = self.reader.next_row().map_err(|error| of_error(&self.path, error))?;
            let Some(row) = row else {
                let reason = format!("a PNG picture that ends after {} of {} rows", self.at, self.head.height);
                return Err(DataError::BadImage { path: self.path.clone(), reason });
            };
            if self.at >= rows.start {
                bytes.extend_from_slice(row.data());
            }
            self.at += 1;
        }
        let numbers = match self.head.numbers {
            Numbers::Sixteen(_) => {
                Numbers::Sixteen(bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
            }
            _ => Numbers::Eight(bytes),
        };
        Ok(Raw { height: rows.len(), numbers, ..self.head.clone() })
    }
}

fn of_error(path: &Path, error: DecodingError) -> DataError {
    match error {
        DecodingError::LimitsExceeded => too_large(path, 0, 0),
        other => DataError::BadImage { path: path.to_path_buf(), reason: format!("a broken PNG picture: {other}") },
    }
}
