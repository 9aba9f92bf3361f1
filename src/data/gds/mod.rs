//! Reads layouts from GDSII files, plain or gzipped, and draws them.
//!
//! The parser is gds21; [`records`] prepares its input, [`flatten`] resolves the hierarchy, [`path`] gives wires their
//! width.
//!
//! ```no_run
//! use rord_data::gds::Gds;
//! // Metal 1 and 2 of sky130, at 10 pixels per micrometer.
//! let layers = ["68/20", "69/20"].map(|key| key.parse().unwrap()).to_vec();
//! let pictures = Gds { files: vec!["tiles/*.gds.gz".into()], layers, resolution: 10.0, ..Gds::default() }.load().unwrap();
//! ```

mod flatten;
mod path;
mod records;

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use gds21::GdsLibrary;
use rayon::prelude::*;

use super::files::{apart, find_all, unreadable};
use super::layout::Layout;
use super::{DataError, LayerKey, Picture, raster};

/// How the files of a folder must end to be read.
const ENDINGS: [&str; 4] = [".gds", ".gds.gz", ".gds2", ".gdsii"];

/// The recipe `gds(…)`: which files, which of their layers, how large.
#[derive(Clone, Debug, PartialEq)]
pub struct Gds {
    /// A file, a folder or a glob pattern.
    pub files: Vec<String>,
    /// The same for layouts that are validated on; empty where the split chooses.
    pub validation: Vec<String>,
    /// The layers in drawing order, the lowest first; none: all that have polygons, by number.
    pub layers: Vec<LayerKey>,
    /// Pixels per micrometer.
    pub resolution: f64,
    /// The cell to draw; `None`: the one that no other places, and of several the one with the most flat polygons.
    pub top: Option<String>,
}

impl Default for Gds {
    fn default() -> Self {
        Self { files: Vec::new(), validation: Vec::new(), layers: Vec::new(), resolution: 10.0, top: None }
    }
}

impl Gds {
    /// Reads and draws every file, in the order of their paths. The first file in that order with an error gives the
    /// error.
    pub fn load(&self) -> Result<Vec<Picture>, DataError> {
        let mut files = find_all(&self.files, &ENDINGS)?;
        let trained = files.len();
        if !self.validation.is_empty() {
            let held = find_all(&self.validation, &ENDINGS)?;
            apart(&files, &held)?;
            files.extend(held);
        }
        let draw = |(index, path): (usize, &std::path::PathBuf)| {
            let picture = raster::rasterize(&read(path, &self.layers, self.top.as_deref())?, self.resolution)?;
            Ok(picture.validated(index >= trained))
        };
        let drawn: Vec<Result<Picture, DataError>> = files.par_iter().enumerate().map(draw).collect();
        drawn.into_iter().collect()
    }
}

/// How much is made of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression.
    pub bytes: u64,
    /// Flat polygons.
    pub polygons: u64,
    /// Their vertices.
    pub points: u64,
}

impl Limits {
    /// What is made of a file on disk.
    pub const FILE: Self = Self { bytes: 2 << 30, polygons: 50_000_000, points: 400_000_000 };
}

/// A gzip stream may grow by this much whatever its size, and beyond that by [`MOST_GROWTH`] times its size: layouts
/// grow five- to fiftyfold, and a stream that grows a thousandfold was made to.
const FREE_GROWTH: u64 = 64 << 20;
const MOST_GROWTH: u64 = 200;

/// One file's flat layout: BOUNDARY, BOX and PATH elements of the top cell and all that it places. Texts, nodes,
/// properties, boundaries of less than three points and paths without width have no area and are left out. See [`Gds`]
/// for `layers` and `top`. A wanted layer without polygons stays, empty, as long as another has some.
pub fn read(path: &Path, layers: &[LayerKey], top: Option<&str>) -> Result<Layout, DataError> {
    let (file, _) = rord_files::open(path).map_err(|error| unreadable(path, &error.source))?;
    let mut raw = Vec::new();
    file.take(Limits::FILE.bytes + 1).read_to_end(&mut raw).map_err(|error| unreadable(path, &error))?;
    layout(path, raw, layers, top, Limits::FILE)
}

/// As [`read`], of the content of a file, decompressed where it begins as gzip does. `path` is what errors call it.
pub fn layout(
    path: &Path,
    raw: Vec<u8>,
    layers: &[LayerKey],
    top: Option<&str>,
    most: Limits,
) -> Result<Layout, DataError> {
    let bytes = records::prepare(path, &content(path, raw, most)?)?;
    let library = GdsLibrary::from_bytes(&bytes).map_err(|error| records::malformed(path, &error))?;
    drop(bytes);
    flatten::flatten(path, library, layers, top, most)
}

fn content(path: &Path, raw: Vec<u8>, most: Limits) -> Result<Vec<u8>, DataError> {
    let (mut content, mut limit) = (raw, most.bytes);
    if content.starts_with(&[0x1f, 0x8b]) {
        let packed = content.len() as u64;
        limit = limit.min(FREE_GROWTH.saturating_add(packed.saturating_mul(MOST_GROWTH)));
        let unpack = |unpacked: &mut Vec<u8>, limit: u64| {
            let read = MultiGzDecoder::new(content.as_slice()).take(limit).read_to_end(unpacked);
            read.map_err(|error| DataError::Gzip { path: path.to_path_buf(), reason: error.to_string() })
        };
        // What is no layout is not unpacked as a whole.
        let mut head = Vec::new();
        unpack(&mut head, records::HEADER.len() as u64)?;
        if !head.is_empty() && head != records::HEADER {
            return Err(DataError::NotGds { path: path.to_path_buf() });
        }
        let mut unpacked = Vec::with_capacity(content.len().saturating_mul(6).min(limit as usize));
        unpack(&mut unpacked, limit + 1)?;
        content = unpacked;
    }
    if content.is_empty() {
        return Err(DataError::EmptyFile { path: path.to_path_buf() });
    }
    if content.len() as u64 > limit {
        return Err(DataError::FileTooLarge { path: path.to_path_buf(), limit });
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
