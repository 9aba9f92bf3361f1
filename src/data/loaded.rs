//! What was loaded: pictures, what is known of each file, and the files that cannot be used.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::DataError;
use super::picture::Picture;

/// What to do about files that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unfit {
    /// Refuse all, and name every one of them.
    #[default]
    Refuse,
    /// Leave them out, and count them.
    Skip,
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfitFile {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: Box<DataError>,
}

/// What is known of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileFacts {
    /// The file.
    pub path: PathBuf,
    /// The cells that no other places.
    pub tops: Vec<String>,
    /// What was read although the format does not allow it, and what was left out.
    pub warnings: Vec<String>,
    /// What its layers are called, by their numbers: `68/20` is `met1`.
    pub names: BTreeMap<String, String>,
    /// The pictures that were made of it.
    pub pictures: Vec<PictureFacts>,
    /// Whether an earlier run had drawn it.
    pub cached: bool,
}

impl FileFacts {
    /// A layer by its name, where it has one, and its number: `met1 68/20`.
    pub fn layer(&self, number: &str) -> String {
        called(&self.names, number)
    }
}

/// A layer by its name, where it has one of `names`, and its number.
pub fn called(names: &BTreeMap<String, String>, number: &str) -> String {
    names.get(number).map_or(number.to_string(), |name| format!("{name} {number}"))
}

/// What is known of a picture of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PictureFacts {
    /// Its number among all pictures.
    pub picture: usize,
    /// The cell that is drawn; empty where there are none.
    pub top: String,
    /// Width and height of what is shown, in µm.
    pub size_um: (f64, f64),
    /// Its left and its upper edge in the file's coordinates, in µm.
    pub corner_um: (f64, f64),
    /// The layers that have polygons below the cell, and how many.
    pub present: Vec<(String, u64)>,
    /// The layers that are drawn, hidden ones too.
    pub drawn: Vec<LayerFacts>,
}

/// What is known of a layer of a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerFacts {
    /// Its name.
    pub name: String,
    /// The share of the area that it covers.
    pub share: f64,
}

/// Pictures and where they come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// The pictures, in a fixed order.
    pub pictures: Vec<Picture>,
    /// The files that they are made of; none where they are generated.
    pub files: Vec<FileFacts>,
    /// Files that cannot be used.
    pub skipped: Vec<UnfitFile>,
    /// What to do about these.
    pub unfit: Unfit,
    /// What holds for all files.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Pictures that come from no file.
    pub fn made(pictures: Vec<Picture>) -> Self {
        Self { pictures, ..Self::default() }
    }

    /// Leaves out pictures of files with a side shorter than `needed` pixels. A file of which none is left cannot be used.
    /// Generated ones are all of one size, which the split judges.
    pub fn leave_out_small(&mut self, needed: usize) {
        if self.files.is_empty() {
            return;
        }
        let small = |picture: &Picture| picture.width.min(picture.height) < needed;
        let mut places = BTreeMap::new();
        let mut kept = Vec::new();
        let mut error_of = BTreeMap::new();
        for (number, picture) in std::mem::take(&mut self.pictures).into_iter().enumerate() {
            if small(&picture) {
                let (name, width, height) = (picture.name, picture.width, picture.height);
                error_of.insert(number, DataError::PictureTooSmall { name, width, height, needed });
            } else {
                places.insert(number, kept.len());
                kept.push(picture);
            }
        }
        self.pictures = kept;
        for mut file in std::mem::take(&mut self.files) {
            let before = file.pictures.len();
            let first = file.pictures.first().and_then(|facts| error_of.get(&facts.picture)).cloned();
            file.pictures.retain_mut(|facts| places.get(&facts.picture).map(|place| facts.picture = *place).is_some());
            let gone = before - file.pictures.len();
            match first {
                Some(error) if file.pictures.is_empty() => {
                    self.skipped.push(UnfitFile { path: file.path, error: Box::new(error) });
                    continue;
                }
                _ if gone > 0 => {
                    let text = format!("{gone} of {before} cells are smaller than {needed} px and left out");
                    file.warnings.push(text);
                }
                _ => {}
            }
            self.files.push(file);
        }
        self.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// The pictures; where files cannot be used and are not to be skipped, or nothing is left, an error with all of
    /// these files.
    pub fn fit(self) -> Result<Vec<Picture>, DataError> {
        let refused = self.unfit == Unfit::Refuse || self.pictures.is_empty();
        match self.skipped.is_empty() || !refused {
            true => Ok(self.pictures),
            false => Err(DataError::Unfit { fit: self.files.len(), files: self.skipped }),
        }
    }
}
