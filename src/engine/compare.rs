//! What differs between two files of weights: names, shapes, and by how much their numbers do.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::weights::WeightsError;

/// Two files of weights, compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The files have the same bytes.
    pub same_bytes: bool,
    /// All tensors have the same names, shapes and bits.
    pub same_numbers: bool,
    /// Tensors that only one of them has, or that have another shape there.
    pub other: Vec<String>,
    /// The largest difference of two numbers, and the tensor that it is in.
    pub largest: Option<(f64, String)>,
    /// The square root of the sum of squared differences, over that of the first file's numbers.
    pub relative: f64,
}

/// Compares two files.
pub fn weights(a: &Path, b: &Path) -> Result<Compared, WeightsError> {
    let (left, right) = (rord_files::whole(a)?, rord_files::whole(b)?);
    if left == right {
        return Ok(Compared { same_bytes: true, same_numbers: true, ..Compared::default() });
    }
    Ok(tensors(&read(a, &left)?, &read(b, &right)?)?)
}

/// Compares two sets of tensors; files have none of their bytes here.
pub fn tensors(left: &BTreeMap<String, Tensor>, right: &BTreeMap<String, Tensor>) -> candle_core::Result<Compared> {
    let mut found = Compared { same_numbers: left.len() == right.len(), ..Compared::default() };
    found.other.extend(right.keys().filter(|name| !left.contains_key(*name)).cloned());
    let (mut differing, mut all) = (0.0, 0.0);
    for (name, one) in left {
        let Some(two) = right.get(name).filter(|two| two.dims() == one.dims()) else {
            found.other.push(name.clone());
            found.same_numbers = false;
            continue;
        };
        let (one, two) = (numbers(one)?, numbers(two)?);
        found.same_numbers &= one.iter().zip(&two).all(|(a, b)| a.to_bits() == b.to_bits());
        for (a, b) in one.iter().zip(&two) {
            let by = (a - b).abs();
            (differing, all) = (differing + by * by, all + a * a);
            // What is not a number differs from everything.
            if found.largest.as_ref().is_none_or(|(most, _)| by > *most || (by.is_nan() && !most.is_nan())) {
                found.largest = Some((by, name.clone()));
            }
        }
    }
    found.relative = if all > 0.0 { (differing / all).sqrt() } else { 0.0 };
    Ok(found)
}

/// The tensors of a file.
pub fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, WeightsError> {
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu);
    let malformed = |e: candle_core::Error| WeightsError::Malformed { path: path.into(), reason: e.to_string() };
    Ok(tensors.map_err(malformed)?.into_iter().collect())
}

fn numbers(tensor: &Tensor) -> candle_core::Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::stored;

    #[test]
    fn differences_are_found_by_name_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, tensors: &[(&str, &[f32])], note: &str| {
            let tensors: Vec<(String, Tensor)> =
                tensors.iter().map(|(n, x)| (n.to_string(), Tensor::new(*x, &Device::Cpu).unwrap())).collect();
            let notes = [("note".to_string(), note.to_string())].into();
            let path = folder.path().join(name);
            std::fs::write(&path, stored::bytes(&tensors, Some(notes)).unwrap()).unwrap();
            path
        };
        let a = file("a", &[("x", &[1.0, 2.0]), ("y", &[3.0])], "");
        assert!(weights(&a, &a).unwrap().same_bytes);
        let noted = weights(&a, &file("b", &[("x", &[1.0, 2.0]), ("y", &[3.0])], "other")).unwrap();
        assert!(!noted.same_bytes && noted.same_numbers);
        let found = weights(&a, &file("c", &[("x", &[1.0, 2.5]), ("z", &[3.0])], "")).unwrap();
        assert_eq!((found.same_numbers, found.other.len(), found.largest), (false, 2, Some((0.5, "x".into()))));
        assert!(weights(&a, &folder.path().join("absent")).is_err());
    }
}
