//! Rows of a page of a TIFF file, from the strips or tiles that hold them.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{ByteOrder, Tag};

use super::numbers::{Chunk, Lines, as_numbers, unpacked};
use super::of_error;
use super::page::Stored;
use super::palette::{self, Greys};
use crate::DataError;
use crate::images::raw::{Numbers, Raw};

/// Reads rows of the page at which its decoder is.
pub struct Rows<R: Read + Seek> {
    path: PathBuf,
    decoder: Decoder<Greys<R>>,
    stored: Stored,
    /// Where a page's only strip begins in the file, if it lies there as it is.
    start: Option<u64>,
    /// The row of chunks that was read last, which the next rows may need too.
    last: Option<(usize, Lines)>,
}

impl<R: Read + Seek> Rows<R> {
    /// Of the page at which `decoder` is.
    pub fn new(path: &Path, mut decoder: Decoder<Greys<R>>, stored: Stored) -> Self {
        let offsets = decoder.find_tag_unsigned_vec::<u64>(Tag::StripOffsets).ok().flatten().unwrap_or_default();
        let start = if let (true, [only]) = (stored.plain, offsets.as_slice()) { Some(*only) } else { None };
        Self { path: path.to_path_buf(), decoder, stored, start, last: None }
    }

    /// The decoder, to go on with another page.
    pub fn into_decoder(self) -> Decoder<Greys<R>> {
        self.decoder
    }

    /// What has to be in memory to read any row.
    pub fn held(&self) -> u64 {
        match self.start {
            Some(_) => 0,
            None => self.stored.bytes(self.stored.chunk.1.min(self.stored.height)),
        }
    }

    /// Some rows, which are a picture of their own.
    pub fn read(&mut self, rows: Range<usize>) -> Result<Raw, DataError> {
        let Stored { width, colors, alpha, white, orientation, .. } = self.stored;
        let height = rows.len();
        let read = match self.start {
            Some(start) => self.plain(start, rows).map_err(TiffError::from),
            None => self.chunks(rows),
        };
        let mut numbers = read.map_err(|error| of_error(&self.path, error))?;
        if self.stored.palette {
            let looked_up = palette::colors(&mut self.decoder, &numbers, self.stored.bits);
            numbers = looked_up.map_err(|error| of_error(&self.path, error))?;
        }
        Ok(Raw { width, height, colors, alpha, numbers, white, orientation, page: None })
    }

    fn chunks(&mut self, rows: Range<usize>) -> Result<Numbers, TiffError> {
        let Stored { width, height, samples, chunk: (_, high), .. } = self.stored;
        let mut out = Lines { width, height: rows.len(), samples, numbers: None };
        for at in rows.start / high..rows.end.min(height).div_ceil(high) {
            let whole = at * high..((at + 1) * high).min(height);
            if self.last.as_ref().is_none_or(|(last, _)| *last != at) {
                self.last = Some((at, self.chunk_row(at, whole.len())?));
            }
            let Some((_, lines)) = &self.last else { continue };
            let (from, until) = (rows.start.max(whole.start), rows.end.min(whole.end));
            out.copy(lines, from - whole.start, from - rows.start, until - from);
        }
        Ok(out.numbers.unwrap_or(Numbers::Eight(Vec::new())))
    }

    /// A row of strips or tiles, `height` rows of pixels.
    fn chunk_row(&mut self, row: usize, height: usize) -> Result<Lines, TiffError> {
        let Stored { width, samples, apart, bits, chunk: (wide, high), .. } = self.stored;
        let (across, down) = (width.div_ceil(wide), self.stored.height.div_ceil(high));
        let planes = if apart { samples } else { 1 };
        let within = samples / planes.max(1);
        let mut lines = Lines { width, height, samples, numbers: None };
        for plane in 0..planes {
            for column in 0..across {
                let index = u32::try_from((plane * down + row) * across + column).unwrap_or(u32::MAX);
                let size = self.decoder.chunk_data_dimensions(index);
                let size = (size.0 as usize, size.1 as usize);
                let numbers = match self.decoder.read_chunk(index)? {
                    DecodingResult::U8(v) if bits < 8 => Numbers::Eight(unpacked(&v, size.0 * within, size.1, bits)),
                    other => as_numbers(other),
                };
                lines.put(&Chunk { at: (column * wide, 0), size, within: (within, plane), numbers });
            }
        }
        Ok(lines)
    }

    /// Rows that lie in the file as they are.
    fn plain(&mut self, start: u64, rows: Range<usize>) -> std::io::Result<Numbers> {
        let row = self.stored.bytes(1);
        let order = self.decoder.byte_order();
        let file = self.decoder.inner();
        let at = start.saturating_add(row.saturating_mul(rows.start as u64));
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        let needed = row.saturating_mul(rows.len() as u64);
        file.take(needed).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < needed {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let little = order == ByteOrder::LittleEndian;
        Ok(match self.stored.bits {
            8 => Numbers::Eight(bytes),
            16 => {
                let number =
                    |pair: &[u8; 2]| if little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
                Numbers::Sixteen(bytes.as_chunks().0.iter().map(number).collect())
            }
            _ => {
                let number =
                    |four: &[u8; 4]| if little { f32::from_le_bytes(*four) } else { f32::from_be_bytes(*four) };
                Numbers::Float(bytes.as_chunks().0.iter().map(number).collect())
            }
        })
    }
}
