//! Reads pictures: PNG, JPEG, TIFF, WebP, BMP, PPM, PGM and PBM.
//!
//! Color becomes grey by the luma of Rec. 709, `0.2126 R + 0.7152 G + 0.0722 B` on the stored values, or stays three
//! planes. Eight bits stay eight and sixteen stay sixteen; numbers beyond are scaled to sixteen. What is transparent is
//! drawn over black, a camera's note of how it was held is followed, and each page of a TIFF file is a picture.
//!
//! ```no_run
//! use rord_data::images::{Images, decode};
//! for page in decode("scan.tif".as_ref(), &Images::default()).unwrap() {
//!     println!("{} × {} px, {} planes", page.width, page.height, page.planes.len());
//! }
//! ```

mod animated;
pub mod header;
mod jpeg;
mod plain;
mod planes;
mod png;
mod pnm;
mod raw;
mod resize;
mod stored;
mod strips;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
mod tiff;

use std::path::Path;

use super::DataError;
use super::files::{PICTURES, apart, find_all, foreign, unreadable};
use super::gate::in_parallel;
use super::loaded::{FileFacts, Loaded, PictureFacts, Unfit, UnfitFile};
use super::store::Store;

pub use planes::Page;
pub use stored::pictures;

/// The name of a grey picture's only plane.
pub const GREY: &str = "grey";
/// The names of a color picture's planes.
pub const COLORS: [&str; 3] = ["red", "green", "blue"];
/// The most bytes that a picture takes while it is read.
pub const LIMIT: u64 = 4 << 30;

/// What the first bytes of pictures are that are read.
const READ: &[&[u8]] = &[];

/// The recipe `images(…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    /// Files, folders or glob patterns.
    pub files: Vec<String>,
    /// The same for pictures that are validated on; empty where the split chooses.
    pub validation: Vec<String>,
    /// The stored values that become 0 and 1; without it the whole range of the file's type.
    pub range: Option<(f64, f64)>,
    /// How many pixels a pixel of the file becomes along an axis.
    pub resize: f64,
    /// Whether colors stay three planes.
    pub color: bool,
    /// What to do about files that cannot be used.
    pub unfit: Unfit,
}

impl Default for Images {
    fn default() -> Self {
        Self { files: Vec::new(), validation: Vec::new(), range: None, resize: 1.0, color: false, unfit: Unfit::Refuse }
    }
}

/// Reads the pages of one file; its kind is found from its content.
pub fn decode(path: &Path, images: &Images) -> Result<Vec<Page>, DataError> {
    let bytes = rord_files::whole(path).map_err(|error| unreadable(path, &error.source))?;
    from_bytes(path, &bytes, images)
}

/// As [`decode`], of a file's bytes; `path` is what errors call it.
pub fn from_bytes(path: &Path, bytes: &[u8], images: &Images) -> Result<Vec<Page>, DataError> {
    if bytes.is_empty() {
        return Err(DataError::EmptyFile { path: path.to_path_buf() });
    }
    if let Some(error) = foreign(path, bytes.get(..512).unwrap_or(bytes), READ) {
        return Err(error);
    }
    let raws = match bytes {
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => tiff::read(path, bytes)?,
        _ => vec![plain::read(path, bytes)?],
    };
    raws.into_iter().map(|raw| planes::page(path, raw, images)).collect()
}

/// The bytes that files take at once while they are drawn.
const AT_ONCE: u64 = 320 << 20;

impl Images {
    /// The pictures of all files, in the order of their paths, those to validate on behind the others: drawn into `store`
    /// where no run has done so before, a large TIFF or PNG file by strips, and read from there. Files that cannot be
    /// used are listed in what is returned. Errors: no file, or nowhere to write.
    pub fn load(&self, store: &Store) -> Result<Loaded, DataError> {
        let mut files = find_all(&self.files, &PICTURES)?;
        let trained = files.len();
        if !self.validation.is_empty() {
            let held = find_all(&self.validation, &PICTURES)?;
            apart(&files, &held)?;
            files.extend(held);
        }
        let read = load(&files, self, store);
        let mut loaded = Loaded { unfit: self.unfit, ..Loaded::default() };
        for (index, (path, read)) in files.into_iter().zip(read).enumerate() {
            match read {
                Ok((pictures, cached)) => {
                    let mut facts = FileFacts { path, cached, ..FileFacts::default() };
                    for picture in pictures {
                        facts.warnings.extend_from_slice(&picture.notes);
                        let number = loaded.pictures.len();
                        facts.pictures.push(PictureFacts { picture: number, ..PictureFacts::default() });
                        loaded.pictures.push(picture.validated(index >= trained));
                    }
                    loaded.files.push(facts);
                }
                Err(error @ DataError::NoPlace { .. }) => return Err(error),
                Err(error) => loaded.skipped.push(UnfitFile { path, error: Box::new(error) }),
            }
        }
        loaded.warnings.extend(store.warning());
        Ok(loaded)
    }
}

/// The pictures of each of these files, and whether an earlier run had read them.
pub fn load<P: AsRef<Path> + Sync>(
    files: &[P],
    images: &Images,
    store: &Store,
) -> Vec<Result<(Vec<super::Picture>, bool), DataError>> {
    let cost = |path: &P| stored::cost(path.as_ref(), images);
    in_parallel(files, cost, AT_ONCE, |path| pictures(path.as_ref(), images, store))
}
