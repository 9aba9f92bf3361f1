//! Pairs that lie in folders: sequences in the form of HPatches, and two folders with files of the same names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Listed, homography};
use crate::DataError;
use crate::files::{PICTURES, find_all, unreadable};
use crate::geometry::Homography;

/// The pairs of a sequence, or of all sequences that a folder holds: from picture 1 to each other.
pub fn sequences(folder: &Path) -> Result<Vec<Listed>, DataError> {
    let mut folders = vec![folder.to_path_buf()];
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        folders.push(entry.map_err(|error| unreadable(folder, &error))?.path());
    }
    folders.sort();
    let mut all = Vec::new();
    for folder in folders.iter().filter(|folder| folder.join("H_1_2").is_file()) {
        all.append(&mut sequence(folder)?);
    }
    match all.is_empty() {
        true => Err(DataError::EmptyFolder { path: folder.to_path_buf(), endings: vec!["H_1_2".into()] }),
        false => Ok(all),
    }
}

/// One sequence, as far as there are homographies.
fn sequence(folder: &Path) -> Result<Vec<Listed>, DataError> {
    let first = picture(folder, 1)?;
    let mut pairs = Vec::new();
    for k in 2.. {
        let path = folder.join(format!("H_1_{k}"));
        if !path.is_file() {
            break;
        }
        let text = rord_files::read(&path, 1 << 16)?;
        let text = String::from_utf8_lossy(&text);
        let wrong = |reason| DataError::BadList { path: path.clone(), line: 1, reason };
        let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let numbers = words.map(|word| word.parse::<f64>().map_err(|_| format!("{word:?} is no number")));
        let numbers: Vec<f64> = numbers.collect::<Result<_, _>>().map_err(wrong)?;
        let h = homography(&numbers).map_err(wrong)?;
        pairs.push(Listed { a: first.clone(), b: picture(folder, k)?, h });
    }
    Ok(pairs)
}

/// The picture of that number.
fn picture(folder: &Path, number: usize) -> Result<PathBuf, DataError> {
    let there = PICTURES.iter().map(|ending| folder.join(format!("{number}{ending}"))).find(|path| path.is_file());
    there.ok_or_else(|| DataError::NotFound { path: folder.join(format!("{number}.ppm")) })
}

/// Files of the same name, whatever they end in, as pictures that lie over each other.
pub fn aligned(first: &[String], second: &[String]) -> Result<Vec<Listed>, DataError> {
    let (first, second) = (by_name(first)?, by_name(second)?);
    let alone = first.iter().find(|(name, _)| !second.contains_key(*name));
    if let Some((_, path)) = alone.or(second.iter().find(|(name, _)| !first.contains_key(*name))) {
        return Err(DataError::NoPartner { path: path.clone() });
    }
    let h = Homography::linear([[1.0, 0.0], [0.0, 1.0]]);
    let pairs = first.into_iter().zip(second).map(|((_, a), (_, b))| Listed { a, b, h });
    Ok(pairs.collect())
}

fn by_name(paths: &[String]) -> Result<BTreeMap<String, PathBuf>, DataError> {
    let mut all = BTreeMap::new();
    for path in find_all(paths, &PICTURES)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = all.insert(name, path.clone()) {
            return Err(DataError::SameName { path, other });
        }
    }
    Ok(all)
}
