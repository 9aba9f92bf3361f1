//! NumPy's archives: a zip of arrays, `image.npy` holds the tensor `image`.
//!
//! Arrays that are stored as they are, the samples first, are read in place. What is compressed, or lies in Fortran's
//! order, is written anew to a file without a name, which the system removes at the end of the run.

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::npy::{Header, PREFIX};
use super::stored::{Bytes, Stored};
use crate::DataError;
use crate::files::unreadable;

/// As many bytes as are held at a time while an array is turned round.
const BLOCK: usize = 32 << 20;

/// Where arrays are unpacked to: one file for all of them.
#[derive(Debug, Default)]
pub struct Scratch(Option<(Arc<File>, u64)>);

/// An array of an archive.
#[derive(Debug)]
pub struct Array {
    /// The tensor's name.
    pub name: String,
    header: Header,
    /// Where the entry's bytes begin in the file.
    start: u64,
    /// Bytes of the entry, unpacked.
    size: u64,
    /// Bytes of it in the file.
    packed: u64,
    deflated: bool,
    crc: u32,
}

impl Array {
    /// Its sizes.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// Why its numbers are not read.
    pub fn not_read(&self) -> Option<String> {
        self.header
            .numbers
            .as_ref()
            .err()
            .map(|descr| format!("its numbers are of NumPy's type {descr}, which is not read"))
    }
}

/// An open archive.
#[derive(Debug)]
pub struct Npz {
    path: PathBuf,
    /// Its arrays, by name.
    pub arrays: Vec<Array>,
}

impl Npz {
    /// Reads which arrays there are, and their headers. Nothing is allocated for a size that is only claimed.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (file, length) = rord_files::open(path)?;
        let malformed = |reason: String| DataError::Malformed { path: path.to_path_buf(), reason };
        let broken = |reason: String| malformed(format!("its zip archive is broken: {reason}"));
        let mut archive = ZipArchive::new(io::BufReader::new(&file)).map_err(|error| broken(error.to_string()))?;
        let mut arrays = Vec::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(|error| broken(error.to_string()))?;
            let called = entry.name().map_err(|error| broken(error.to_string()))?;
            let Some(name) = called.strip_suffix(".npy").map(str::to_string) else { continue };
            let deflated = match entry.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::DEFLATE => true,
                other => {
                    let help = "store it with  numpy.savez(…)".into();
                    let what = format!("`{name}` is compressed by {other}");
                    return Err(DataError::Unsupported { path: path.to_path_buf(), what, help });
                }
            };
            if entry.encrypted() {
                let (what, help) = (format!("`{name}` is encrypted"), "store it with  numpy.savez(…)".into());
                return Err(DataError::Unsupported { path: path.to_path_buf(), what, help });
            }
            let (size, packed, crc) = (entry.size(), entry.compressed_size(), entry.crc32());
            let start = entry.data_start().ok_or_else(|| broken(format!("`{name}` has no place")))?;
            drop(entry);
            if start.checked_add(packed).is_none_or(|end| end > length) || !deflated && size != packed {
                return Err(malformed(format!("`{name}` reaches beyond the end of the file; is the file whole?")));
            }
            let mut reader = entry_reader(&file, start, packed, deflated).map_err(|error| unreadable(path, &error))?;
            let header = header(&mut reader).map_err(|reason| malformed(format!("`{name}`: {reason}")))?;
            let listed = header.bytes();
            let found = size.saturating_sub(header.length as u64);
            // A type that is not read is told where the field is wanted; how many bytes it takes is not known.
            if listed.is_none() || header.numbers.is_ok() && listed != Some(found) {
                let listed = listed.map_or_else(|| "too many".into(), |n| n.to_string());
                return Err(malformed(format!("`{name}` is {:?}, {listed} bytes, and {found} follow", header.shape)));
            }
            arrays.push(Array { name, header, start, size, packed, deflated, crc });
        }
        if arrays.is_empty() {
            return Err(malformed("it holds no NumPy array".into()));
        }
        Ok(Self { path: path.to_path_buf(), arrays })
    }

    /// Where the numbers of an array lie, which are checked against the archive's checksum.
    pub fn stored(&self, array: &Array, scratch: &mut Scratch) -> Result<Stored, DataError> {
        let Ok((number, big)) = array.header.numbers else {
            let reason = array.not_read().unwrap_or_default();
            return Err(DataError::Malformed { path: self.path.clone(), reason });
        };
        let (file, _) = rord_files::open(&self.path)?;
        let failed = |error: &io::Error| unreadable(&self.path, error);
        let header = array.header.length as u64;
        let turned = array.header.fortran && array.header.shape.iter().filter(|n| **n != 1).count() > 1;
        let mut reader = entry_reader(&file, array.start, array.packed, array.deflated).map_err(|e| failed(&e))?;
        let mut stored = Stored {
            bytes: Bytes::closed(&self.path),
            start: array.start + header,
            number,
            big,
            shape: array.header.shape.clone(),
        };
        let mut unpacked =
            array.deflated.then(|| Room::new(scratch, array.size)).transpose().map_err(|e| self.full(e))?;
        let mut sum = flate2::Crc::new();
        let (mut block, mut left) = (vec![0; 1 << 18], array.size);
        while left > 0 {
            let wanted = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let part = block.get_mut(..wanted).unwrap_or_default();
            reader.read_exact(part).map_err(|_| self.corrupt(array))?;
            sum.update(part);
            if let Some(room) = &mut unpacked {
                room.write(part).map_err(|e| self.full(e))?;
            }
            left -= wanted as u64;
        }
        if sum.sum() != array.crc {
            return Err(self.corrupt(array));
        }
        if let Some(room) = unpacked {
            stored.bytes = room.bytes(&self.path);
            stored.start = room.start + header;
        }
        if turned {
            let room = Room::new(scratch, array.size - header).map_err(|e| self.full(e))?;
            stored = turn_round(&stored, room).map_err(|e| self.full(e))?;
        }
        Ok(stored)
    }

    fn corrupt(&self, array: &Array) -> DataError {
        let reason = format!("`{}` is not what the archive's checksum says; is the file whole?", array.name);
        DataError::Malformed { path: self.path.clone(), reason }
    }

    fn full(&self, error: io::Error) -> DataError {
        let reason = format!(
            "its arrays cannot be unpacked into {}: {}",
            std::env::temp_dir().display(),
            rord_files::plain(&error)
        );
        DataError::Unreadable { path: self.path.clone(), reason }
    }
}

/// The bytes of an entry, unpacked.
fn entry_reader(file: &File, start: u64, packed: u64, deflated: bool) -> io::Result<Box<dyn Read + '_>> {
    let mut file = file;
    file.seek(SeekFrom::Start(start))?;
    let reader = io::BufReader::with_capacity(1 << 16, file.take(packed));
    Ok(if deflated { Box::new(DeflateDecoder::new(reader)) } else { Box::new(reader) })
}

fn header(reader: &mut dyn Read) -> Result<Header, String> {
    let mut bytes = Vec::with_capacity(128);
    reader.take(PREFIX as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let length = Header::length(&bytes)?;
    if length < bytes.len() {
        return Err("its header stops early".into());
    }
    let more = (length - bytes.len()) as u64;
    reader.take(more).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() < length { Err("its header stops early".into()) } else { Header::parse(&bytes) }
}

/// A part of the file that arrays are unpacked to.
struct Room {
    file: Arc<File>,
    start: u64,
    at: u64,
}

impl Room {
    fn new(scratch: &mut Scratch, size: u64) -> io::Result<Self> {
        let (file, end) = match scratch.0.take() {
            Some(there) => there,
            None => (Arc::new(tempfile::tempfile()?), 0),
        };
        scratch.0 = Some((Arc::clone(&file), end.saturating_add(size)));
        Ok(Self { file, start: end, at: end })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.at))?;
        file.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn bytes(&self, path: &Path) -> Bytes {
        Bytes { path: path.to_path_buf(), open: Some(Arc::clone(&self.file)) }
    }
}

/// Writes an array in Fortran's order anew with the last axis fastest, a block of samples at a time.
fn turn_round(array: &Stored, mut room: Room) -> io::Result<Stored> {
    let (samples, cells, size) = (array.samples(), array.cells(), array.number.bytes());
    let rest = array.shape.get(1..).unwrap_or_default();
    let at_once = (BLOCK / (cells * size).max(1)).clamp(1, samples.max(1));
    let (mut run, mut block) = (Vec::new(), Vec::new());
    let mut from = 0;
    while from < samples {
        let count = at_once.min(samples - from);
        run.resize(count * size, 0u8);
        block.resize(count * cells * size, 0u8);
        for cell in 0..cells {
            // All samples' numbers of one cell lie in a row.
            array.bytes.read(&mut run, array.start + ((cell * samples + from) * size) as u64)?;
            let to = in_c_order(cell, rest);
            for (number, sample) in run.chunks_exact(size).zip(block.chunks_exact_mut(cells * size)) {
                if let Some(place) = sample.get_mut(to * size..(to + 1) * size) {
                    place.copy_from_slice(number);
                }
            }
        }
        room.write(&block)?;
        from += count;
    }
    Ok(Stored { bytes: room.bytes(&array.bytes.path), start: room.start, ..array.clone() })
}

/// The place of a cell, counted with the first axis fastest, when the last is.
fn in_c_order(mut cell: usize, sizes: &[usize]) -> usize {
    let mut stride = sizes.iter().product::<usize>();
    let mut place = 0;
    for size in sizes.iter().copied().filter(|n| *n > 0) {
        stride /= size;
        place += cell % size * stride;
        cell /= size;
    }
    place
}
