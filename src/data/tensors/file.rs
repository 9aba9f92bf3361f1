//! A safetensors file: a header that is checked against the file's length, and where each tensor lies.

use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::tensor::Metadata;

use super::numbers::Number;
use super::stored::{Bytes, Stored};
use crate::DataError;

/// The bytes that hold the header's length.
const PREFIX: u64 = 8;
/// The longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// A file of tensors whose header fits the file.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    metadata: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl TensorFile {
    /// Opens a file. Its header is refused where the file is shorter or longer than the tensors that it lists, so that
    /// nothing is allocated for a size that is only claimed.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (mut file, length) = rord_files::open(path)?;
        let malformed = |reason: String| DataError::Malformed { path: path.to_path_buf(), reason };
        let unreadable = |error: std::io::Error| crate::files::unreadable(path, &error);
        if length < PREFIX {
            return Err(malformed(format!("no safetensors file: it has {length} bytes, and a header takes more")));
        }
        let mut prefix = [0; PREFIX as usize];
        file.read_exact(&mut prefix).map_err(unreadable)?;
        let header = u64::from_le_bytes(prefix);
        if header > LONGEST_HEADER || header > length - PREFIX {
            let reason = format!("no safetensors file: a header of {header} bytes in a file of {length}");
            return Err(malformed(reason));
        }
        let mut text = vec![0; header as usize];
        file.read_exact(&mut text).map_err(unreadable)?;
        let metadata: Metadata =
            serde_json::from_slice(&text).map_err(|e| malformed(format!("its safetensors header is broken: {e}")))?;
        let (start, listed) = (PREFIX + header, metadata.data_len() as u64);
        if start.checked_add(listed) != Some(length) {
            let found = length - start;
            let reason = format!("its header lists {listed} bytes of tensors, and {found} follow; is the file whole?");
            return Err(malformed(reason));
        }
        Ok(Self { path: path.to_path_buf(), metadata, start })
    }

    /// The names and shapes of all tensors.
    pub fn present(&self) -> Vec<(String, Vec<usize>)> {
        self.metadata.tensors().iter().map(|(name, info)| (name.clone(), info.shape.clone())).collect()
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// Where the numbers of a tensor lie, or the reason why they are not read.
    pub fn stored(&self, name: &str) -> Result<Stored, String> {
        let info = self.metadata.info(name).ok_or("the file does not have it")?;
        let number = Number::of_safetensors(info.dtype)
            .ok_or_else(|| format!("its numbers are of type {:?}, which is not read", info.dtype))?;
        let start = self.start + info.data_offsets.0 as u64;
        Ok(Stored { bytes: Bytes::closed(&self.path), start, number, big: false, shape: info.shape.clone() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    /// The reason why a file of this header, followed by this many bytes, is refused.
    fn refused(header: &str, bytes: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        let content = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; bytes]].concat();
        std::fs::write(&path, content).unwrap();
        match TensorFile::open(&path).err().unwrap() {
            DataError::Malformed { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_header_that_lists_more_or_less_than_the_file_holds_is_refused() {
        let of =
            |shape: &str, end: usize| format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
        assert_eq!(
            refused(&of("[1000000000000]", 4_000_000_000_000), 16),
            "its header lists 4000000000000 bytes of tensors, and 16 follow; is the file whole?"
        );
        assert_eq!(
            refused(&of("[4]", 16), 15),
            "its header lists 16 bytes of tensors, and 15 follow; is the file whole?"
        );
        assert_eq!(
            refused(&of("[4]", 16), 17),
            "its header lists 16 bytes of tensors, and 17 follow; is the file whole?"
        );
        for (shape, end) in [("[4]", 12), ("[9223372036854775807, 4]", 16), ("[4]", usize::MAX)] {
            assert!(refused(&of(shape, end), 16).starts_with("its safetensors header is broken: "), "{shape} {end}");
        }
        assert!(refused("[]", 0).starts_with("its safetensors header is broken: "));
    }

    #[test]
    fn a_header_longer_than_the_file_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.safetensors");
        for (content, said) in [
            (&b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"[..], "a header of 9223372036854775807 bytes in a file of 10"),
            (b"\x03\0\0\0\0\0\0\0{}", "a header of 3 bytes in a file of 10"),
            (b"", "it has 0 bytes, and a header takes more"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = TensorFile::open(&path).err().unwrap();
            assert_eq!(error.to_string(), format!("{}: no safetensors file: {said}", path.display()));
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, said) in [
            (Path::new("/dev/zero"), "it is not a regular file"),
            (&pipe, "it is not a regular file"),
            (folder.path(), "it is a folder"),
        ] {
            let error = TensorFile::open(path).err().unwrap();
            assert_eq!(error, DataError::Unreadable { path: path.to_path_buf(), reason: said.into() });
        }
    }
}
