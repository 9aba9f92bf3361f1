//! Named tensors as safetensors bytes, and a file of them that is written whole or not at all.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Result, Tensor};

use rord_files::{FileError, write_atomic};

/// Why tensors could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tensors could not be turned into bytes.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The bytes of a safetensors file of these tensors, each in its own type. `notes` are texts beside them.
pub fn bytes(tensors: &[(String, Tensor)], notes: Option<HashMap<String, String>>) -> Result<Vec<u8>> {
    let views: Result<Vec<(&str, Tensor)>> = tensors.iter().map(|(n, t)| Ok((n.as_str(), t.contiguous()?))).collect();
    Ok(safetensors::serialize(views?, notes)?)
}

/// Writes tensors to a file. Either the whole file appears under `path` or what was there stays.
pub fn write(path: &Path, tensors: &[(String, Tensor)]) -> std::result::Result<(), StoredError> {
    Ok(write_atomic(path, &bytes(tensors, None)?)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_file_that_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("batch.safetensors");
        let map = Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
        // Seen through exchanged axes: the file holds the numbers in the order of the shape.
        let tensors = [("a".to_string(), map.t().unwrap()), ("b".to_string(), map)];
        write(&path, &tensors).unwrap();
        let read = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        assert_eq!(read["a"].to_vec2::<f32>().unwrap(), [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        let error = write(&taken, &tensors).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}: ", taken.display())), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
