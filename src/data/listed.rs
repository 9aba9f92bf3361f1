//! Lists of pairs of pictures: two files each, and the homography that leads from one to the other.
//!
//! A list is a CSV file of lines `a.png, b.png, h11, …, h33`, a file of JSON lines `{"a": …, "b": …, "H": [[…], …]}`, a
//! folder in the form of HPatches (`1.ppm` to `6.ppm` with `H_1_2` to `H_1_6`, or folders of such), or two folders with
//! files of the same names. Homographies are in pixels of the whole pictures as OpenCV counts them: the middle of the first
//! pixel is (0, 0).

mod csv;
mod folders;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;

use std::path::{Path, PathBuf};

use super::DataError;
use super::files::find_all;
use super::geometry::Homography;

/// How lists end.
const LISTS: [&str; 3] = [".csv", ".jsonl", ".ndjson"];
/// The most bytes of a list.
const LONGEST: u64 = 1 << 30;

/// Two pictures of the same thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The first picture.
    pub a: PathBuf,
    /// The second picture.
    pub b: PathBuf,
    /// Takes pixels of the first to pixels of the second, the middle of the first pixel at (0, 0).
    pub h: Homography,
}

/// The pairs of all lists, in the order of their paths. With `second`, those of files of the same name in both.
pub fn listed(paths: &[String], second: &[String]) -> Result<Vec<Listed>, DataError> {
    if !second.is_empty() {
        return folders::aligned(paths, second);
    }
    let mut all = Vec::new();
    for pattern in paths {
        let path = Path::new(pattern);
        match path.is_dir() {
            true => all.append(&mut folders::sequences(path)?),
            false => {
                for list in find_all(&[pattern], &LISTS)? {
                    all.append(&mut csv::read(&list)?);
                }
            }
        }
    }
    match all.is_empty() {
        true => Err(DataError::NoMatch { pattern: paths.join(", ") }),
        false => Ok(all),
    }
}

/// The homography of nine numbers, row by row.
fn homography(numbers: &[f64]) -> Result<Homography, String> {
    let (rows, rest) = numbers.as_chunks::<3>();
    let ([a, b, c], []) = (rows, rest) else {
        return Err(format!("{} numbers of a matrix instead of 9", numbers.len()));
    };
    let h = Homography([*a, *b, *c]);
    match h.normal().filter(|h| h.inverse().is_some()) {
        Some(h) => Ok(h),
        None => Err("a matrix that cannot be undone".into()),
    }
}
