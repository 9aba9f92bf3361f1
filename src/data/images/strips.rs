//! Pictures that are too large to be held, by strips of rows where their format allows that.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::planes::{Plan, Tally, strip, survey};
use super::raw::Raw;
use super::tiff::{OnDisk, PageAt};
use super::{Images, png, tiff};
use crate::DataError;
use crate::picture::{SQUARE, Samples};

/// Pictures whose numbers take more bytes are read by strips.
pub const HELD: u64 = 64 << 20;
/// The most bytes that one strip or tile row may take.
const STRIP: u64 = 256 << 20;
/// The most bytes that a picture may have which is read by strips.
const LARGEST: u64 = 1 << 38;

/// A picture of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Its page, counted from 0.
    index: usize,
    /// Its page, counted from 1, where there are several.
    pub page: Option<usize>,
}

enum Rows {
    Png(Box<png::Rows>),
    Tiff(Box<tiff::Rows<OnDisk>>),
}

/// A picture, read from the top.
pub struct Strips {
    rows: Rows,
    /// What it is, without its numbers.
    pub head: Raw,
    /// What becomes of them.
    pub plan: Plan,
    /// What was counted so far.
    pub tally: Tally,
}

/// The pictures of a file that is to be read by strips; `None` where it is small, or can be read whole alone.
pub fn pictures(path: &Path, images: &Images) -> Result<Option<Vec<At>>, DataError> {
    if images.resize != 1.0 {
        return Ok(None);
    }
    let (file, _) = rord_files::open(path)?;
    let mut magic = Vec::new();
    file.take(8).read_to_end(&mut magic).map_err(|error| crate::files::unreadable(path, &error))?;
    match magic.as_slice() {
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => {
            // What is wrong with a file is told by what reads it whole.
            let Ok(pages) = tiff::listed(path, LARGEST) else { return Ok(None) };
            if pages.iter().map(|page| page.bytes).fold(0, u64::saturating_add) <= HELD {
                return Ok(None);
            }
            for PageAt { index, .. } in &pages {
                if tiff::open(path, *index, LARGEST, STRIP)?.is_none() {
                    return Ok(None);
                }
            }
            let number = |index: usize| (pages.len() > 1).then_some(index + 1);
            Ok(Some(pages.iter().map(|page| At { index: page.index, page: number(page.index) }).collect()))
        }
        [0x89, b'P', b'N', b'G', ..] => {
            let Ok(Some(rows)) = png::Rows::open(path) else { return Ok(None) };
            let head = rows.head();
            let row = (head.width * head.channels()) as u64 * 2;
            let large = row.saturating_mul(head.height as u64) > 2 * HELD && row <= STRIP / SQUARE as u64;
            Ok(large.then(|| vec![At { index: 0, page: None }]))
        }
        _ => Ok(None),
    }
}

impl Strips {
    /// Opens a picture. One of numbers that no type bounds is read through for their range, where none is set.
    pub fn open(path: &Path, at: At, images: &Images) -> Result<Self, DataError> {
        let gone = || DataError::Changed { path: path.to_path_buf() };
        let (rows, head) = match tiff_or_png(path, at)? {
            Some(opened) => opened,
            None => return Err(gone()),
        };
        let unknown = Plan { planes: 1, range: None };
        let mut strips = Self { rows, head, plan: unknown, tally: Tally::default() };
        let first = strips.raw(0..1)?;
        strips.head = Raw { numbers: first.numbers.clone(), ..strips.head };
        strips.plan = match Plan::new(&first, images) {
            Ok(plan) => plan,
            Err(planes) => {
                let (mut ends, height) = (None, strips.head.height);
                for y in (0..height).step_by(SQUARE) {
                    ends = survey(&strips.raw(y..(y + SQUARE).min(height))?, planes, ends);
                }
                Plan::own(planes, ends, &mut strips.tally)
            }
        };
        Ok(strips)
    }

    fn raw(&mut self, rows: Range<usize>) -> Result<Raw, DataError> {
        match &mut self.rows {
            Rows::Png(reader) => reader.read(rows),
            Rows::Tiff(reader) => reader.read(rows),
        }
    }

    /// The planes in some rows; fast from the top on.
    pub fn read(&mut self, rows: Range<usize>) -> Result<Vec<Samples>, DataError> {
        let raw = self.raw(rows)?;
        Ok(strip(&raw, self.plan, &mut self.tally))
    }
}

fn tiff_or_png(path: &Path, at: At) -> Result<Option<(Rows, Raw)>, DataError> {
    if let Ok(Some(rows)) = png::Rows::open(path) {
        let head = rows.head().clone();
        return Ok(Some((Rows::Png(Box::new(rows)), head)));
    }
    let opened = tiff::open(path, at.index, LARGEST, STRIP)?;
    Ok(opened.map(|(rows, head)| (Rows::Tiff(Box::new(rows)), head)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
