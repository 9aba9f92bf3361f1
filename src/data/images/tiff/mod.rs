//! TIFF: any page, in strips or tiles, the channels of a pixel together or each in planes of its own, 1 to 64 bits, whole
//! or float.

mod numbers;
mod page;
mod palette;
mod strips;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use tiff::TiffError;
use tiff::decoder::{Decoder, Limits};
use tiff::tags::Tag;

use super::LIMIT;
use super::plain::too_large;
use super::raw::{Numbers, Raw};
use crate::DataError;
use page::Stored;
use palette::Greys;
pub use strips::Rows;

/// As many pages of a file are read.
const PAGES: usize = 10_000;

/// The file at `path`, read where it lies.
pub type OnDisk = BufReader<File>;

/// A page that is a picture: neither a thumbnail, a smaller copy nor a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageAt {
    /// Its number in the file, from 0.
    pub index: usize,
    /// Bytes of all its numbers.
    pub bytes: u64,
}

fn decoder<R: Read + Seek>(path: &Path, file: R, most: u64) -> Result<Decoder<Greys<R>>, DataError> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most as usize;
    limits.intermediate_buffer_size = most as usize;
    limits.ifd_value_size = 64 << 20;
    let greys = Greys::new(file).map_err(|error| crate::files::unreadable(path, &error))?;
    Ok(Decoder::new(greys).map_err(|error| of_error(path, error))?.with_limits(limits))
}

/// Calls `each` with the number of every page that is a picture, and the decoder there, which it gives back.
fn pages<R: Read + Seek>(
    path: &Path,
    mut decoder: Decoder<Greys<R>>,
    mut each: impl FnMut(usize, Decoder<Greys<R>>) -> Result<Decoder<Greys<R>>, DataError>,
) -> Result<(), DataError> {
    let mut found = false;
    for index in 0..PAGES {
        // Bit 0 is a smaller copy, bit 2 a mask.
        let kind: u32 = decoder.find_tag_unsigned(Tag::NewSubfileType).ok().flatten().unwrap_or(0);
        if kind & 0b101 == 0 {
            found = true;
            decoder = each(index, decoder)?;
        }
        if !decoder.more_images() {
            break;
        }
        decoder.next_image().map_err(|error| of_error(path, error))?;
    }
    match found {
        true => Ok(()),
        false => {
            Err(DataError::BadImage { path: path.to_path_buf(), reason: "a TIFF file of thumbnails alone".into() })
        }
    }
}

/// Reads all pages but thumbnails, smaller copies and masks.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Raw>, DataError> {
    let (mut all, mut total) = (Vec::new(), 0u64);
    pages(path, decoder(path, Cursor::new(bytes), LIMIT)?, |index, mut decoder| {
        let stored = Stored::of(path, &mut decoder, bytes.len() as u64, LIMIT)?;
        let mut rows = Rows::new(path, decoder, stored);
        let raw = rows.read(0..stored.height)?;
        total = total.saturating_add(size(&raw));
        if total > LIMIT {
            return Err(too_large(path, raw.width as u64, raw.height as u64));
        }
        all.push(Raw { page: Some(index + 1), ..raw });
        Ok(rows.into_decoder())
    })?;
    if let [only] = all.as_mut_slice() {
        only.page = None;
    }
    Ok(all)
}

fn size(raw: &Raw) -> u64 {
    match &raw.numbers {
        Numbers::Eight(v) => v.len() as u64,
        Numbers::Sixteen(v) => 2 * v.len() as u64,
        Numbers::Float(v) => 4 * v.len() as u64,
    }
}

/// The pages of a file that are pictures, of at most `limit` bytes each.
pub fn listed(path: &Path, limit: u64) -> Result<Vec<PageAt>, DataError> {
    let (file, length) = rord_files::open(path)?;
    let mut all = Vec::new();
    pages(path, decoder(path, BufReader::new(file), LIMIT)?, |index, mut decoder| {
        let stored = Stored::of(path, &mut decoder, length, limit)?;
        all.push(PageAt { index, bytes: stored.bytes(stored.height) });
        Ok(decoder)
    })?;
    Ok(all)
}

/// Opens page number `index`, from 0, of a file, to read it by rows with at most `most` bytes at a time; `None` where its
/// chunks are larger, or it has to be turned.
pub fn open(path: &Path, index: usize, limit: u64, most: u64) -> Result<Option<(Rows<OnDisk>, Raw)>, DataError> {
    let (file, length) = rord_files::open(path)?;
    let mut decoder = decoder(path, BufReader::new(file), most.saturating_mul(2))?;
    decoder.seek_to_image(index).map_err(|error| of_error(path, error))?;
    let stored = Stored::of(path, &mut decoder, length, limit)?;
    let Stored { width, height, colors, alpha, white, orientation, .. } = stored;
    let rows = Rows::new(path, decoder, stored);
    let numbers = Numbers::Eight(Vec::new());
    let head = Raw { width, height, colors, alpha, numbers, white, orientation, page: None };
    let fits = rows.held() <= most && !(2..=8).contains(&orientation);
    Ok(fits.then_some((rows, head)))
}

fn unsupported(path: &Path, what: &str) -> DataError {
    let help = format!("convert it:  magick \"{}\" picture.png", path.display());
    DataError::Unsupported { path: path.to_path_buf(), what: what.into(), help }
}

fn of_error(path: &Path, error: TiffError) -> DataError {
    match error {
        TiffError::UnsupportedError(error) => unsupported(path, &format!("a TIFF picture ({error})")),
        TiffError::LimitsExceeded => too_large(path, 0, 0),
        other => DataError::BadImage { path: path.to_path_buf(), reason: format!("a broken TIFF picture: {other}") },
    }
}
