//! What is known of a file's drawing without reading the file's layout: enough to begin the next run at once.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The manifest's file in the folder of a drawing.
pub const NAME: &str = "manifest.json";
/// Hexadecimal digits of the hash at the end.
const HASH: usize = 64;

/// A drawn file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What the file was called when it was drawn.
    pub file: String,
    /// The cells that no other places.
    pub tops: Vec<String>,
    /// What was read although the format does not allow it, and what was left out.
    pub warnings: Vec<String>,
    /// What the file calls its layers, where it does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Its pictures.
    pub pictures: Vec<Drawn>,
}

/// A picture of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// The cell that is drawn; empty where there are none.
    pub top: String,
    /// Pixels in a row, and rows.
    pub size: (usize, usize),
    /// What it shows, in µm; 0 of what has no length.
    pub size_um: (f64, f64),
    /// Its left and its upper edge in the file's coordinates, in µm.
    pub corner_um: (f64, f64),
    /// The layers that are drawn, the lowest first.
    pub layers: Vec<Layer>,
    /// All layers that have polygons below the cell, and how many.
    pub present: Vec<(String, u64)>,
    /// The page of its file, from 1, where that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
    /// What is to be told of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A layer of a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// The share of the picture's area that it covers.
    pub share: f64,
}

impl Manifest {
    /// Its file's content, with a hash at the end.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        let hash = blake3::hash(&text).to_hex();
        text.extend(hash.as_bytes());
        text
    }

    /// Reads its file; `None` where that is not there, not whole, or of another version.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = rord_files::read(path, 1 << 28).ok()?;
        let (text, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
        if blake3::hash(text).to_hex().as_bytes() != hash {
            return None;
        }
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_back_and_a_broken_one_is_none() {
        let layers = vec![Layer { name: "68/20".into(), share: 0.1 + 0.2 }];
        let (present, size_um, corner_um) = (vec![("68/20".into(), u64::MAX)], (2.5, 1.0 / 3.0), (-0.1, 7.0));
        let top = "inv \"1\"".into();
        let drawn = Drawn { top, size: (25, 17), size_um, corner_um, layers, present, ..Drawn::default() };
        let manifest =
            Manifest { file: "a.gds".into(), tops: vec!["t".into()], pictures: vec![drawn], ..Manifest::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        std::fs::write(&path, manifest.bytes()).unwrap();
        assert_eq!(Manifest::read(&path), Some(manifest.clone()));
        for end in 0..manifest.bytes().len() {
            std::fs::write(&path, &manifest.bytes()[..end]).unwrap();
            assert_eq!(Manifest::read(&path), None);
        }
        assert_eq!(Manifest::read(&folder.path().join("gone")), None);
    }
}
