//! What a page of a TIFF file says of itself before any of its numbers are read.

use std::io::{Read, Seek};
use std::path::Path;

use tiff::decoder::{ChunkType, Decoder};
use tiff::tags::{PhotometricInterpretation, Tag};
use tiff::{ColorType, TiffError};

use super::palette::Greys;
use super::{of_error, unsupported};
use crate::DataError;
use crate::images::plain::too_large;
use crate::images::raw::Colors;

/// How a page is stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    pub width: usize,
    pub height: usize,
    pub bits: u8,
    /// Numbers of a pixel.
    pub samples: usize,
    /// Whether each of them has chunks of its own.
    pub apart: bool,
    pub colors: Colors,
    pub alpha: bool,
    /// Whether numbers are looked up in a palette.
    pub palette: bool,
    /// The largest number, where that is not what the type has.
    pub white: Option<f64>,
    /// How the camera was held, by EXIF.
    pub orientation: u8,
    /// Width and height of strips or tiles.
    pub chunk: (usize, usize),
    /// Whether numbers lie in the file as they are, one row after the other.
    pub plain: bool,
}

impl Stored {
    /// Bytes of so many of its rows, when they are read.
    pub fn bytes(&self, rows: usize) -> u64 {
        let each = match self.bits {
            0..=8 => 1,
            9..=16 => 2,
            _ => 4,
        };
        (self.width as u64).saturating_mul(rows as u64).saturating_mul(self.samples as u64).saturating_mul(each)
    }

    /// The page at which the decoder is, of a file of so many bytes. Errors: what is not read, or more than `limit` bytes.
    pub fn of<R: Read + Seek>(
        path: &Path,
        decoder: &mut Decoder<Greys<R>>,
        length: u64,
        limit: u64,
    ) -> Result<Self, DataError> {
        let fail = |error: TiffError| of_error(path, error);
        let unsupported = |what: String| unsupported(path, &what);
        let (width, height) = decoder.dimensions().map_err(fail)?;
        let color = decoder.colortype().map_err(fail)?;
        let (bits, samples) = (color.bit_depth(), usize::from(color.num_samples()));
        let (colors, alpha) = match color {
            ColorType::Gray(_) | ColorType::Palette(_) => (Colors::Grey, false),
            ColorType::GrayA(_) => (Colors::Grey, true),
            // The decoder turns the colors of JPEG in TIFF into red, green and blue.
            ColorType::RGB(_) | ColorType::YCbCr(_) => (Colors::Rgb, false),
            ColorType::RGBA(_) => (Colors::Rgb, true),
            ColorType::CMYK(_) => (Colors::Cmyk, false),
            ColorType::CMYKA(_) => (Colors::Cmyk, true),
            ColorType::Lab(_) => return Err(unsupported("a TIFF picture in Lab colors".into())),
            ColorType::Multiband { num_samples, .. } => {
                return Err(unsupported(format!("a TIFF picture of {num_samples} bands")));
            }
            _ => return Err(unsupported("a TIFF picture of unknown colors".into())),
        };
        let mut tag =
            |tag: Tag, default: u32| -> u32 { decoder.find_tag_unsigned(tag).ok().flatten().unwrap_or(default) };
        let apart = tag(Tag::PlanarConfiguration, 1) == 2 && samples > 1;
        let compression = tag(Tag::Compression, 1);
        let photometric = tag(Tag::PhotometricInterpretation, 1);
        let orientation = u8::try_from(tag(Tag::Orientation, 1)).unwrap_or(1);
        if photometric == u32::from(PhotometricInterpretation::YCbCr.to_u16()) && compression != 7 {
            return Err(unsupported("a TIFF picture in YCbCr colors without JPEG".into()));
        }
        let format = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).ok().flatten();
        let format = format.and_then(|all| all.first().copied()).unwrap_or(1);
        let there = decoder.ifd_pointer();
        let palette = there.is_some_and(|at| decoder.inner().pages.contains(&at.0));
        let palette = palette || matches!(color, ColorType::Palette(_));
        let (chunk_width, chunk_height) = decoder.chunk_dimensions();
        let tiled = decoder.get_chunk_type() == ChunkType::Tile;
        let stored = Self {
            width: width as usize,
            height: height as usize,
            bits,
            samples,
            apart,
            colors: if palette { Colors::Rgb } else { colors },
            alpha,
            palette,
            white: (!palette && bits < 16 && bits != 8).then(|| f64::from((1u32 << bits) - 1)),
            orientation,
            chunk: (chunk_width.max(1) as usize, chunk_height.max(1) as usize),
            plain: compression == 1
                && matches!(photometric, 1 | 2)
                && !apart
                && matches!((bits, format), (8 | 16, 1) | (32, 3))
                && chunk_width >= width
                && chunk_height >= height,
        };
        // Deflate and LZW pack zeros by less than 1,400 to 1; a fax of a white page takes a bit for each row.
        let tightest = if (2..=4).contains(&compression) { 500_000 } else { 3000 };
        let broken = |what: &str, wide: u32, high: u32| {
            let reason = format!("{what} of {wide} × {high} px in {length} bytes");
            Err(DataError::BadImage { path: path.to_path_buf(), reason })
        };
        if width == 0 || height == 0 || stored.bytes(stored.height) / tightest > length {
            return broken("a picture", width, height);
        }
        // Tiles may be larger than their picture, and are unpacked whole.
        let tile = Self { width: stored.chunk.0, ..stored }.bytes(stored.chunk.1);
        if tiled && tile / tightest > length {
            return broken("a tile", chunk_width, chunk_height);
        }
        if tiled && tile > limit {
            return Err(too_large(path, u64::from(chunk_width), u64::from(chunk_height)));
        }
        if stored.bytes(stored.height) > limit {
            return Err(too_large(path, u64::from(width), u64::from(height)));
        }
        Ok(stored)
    }
}
