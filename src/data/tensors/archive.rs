//! A file of tensors of either kind: safetensors, or NumPy's npz.

use std::io::Read;
use std::path::Path;

use super::file::TensorFile;
use super::npz::{Npz, Scratch};
use super::stored::Stored;
use crate::DataError;
use crate::files::{foreign, unreadable};

/// A file whose list of tensors is read.
#[derive(Debug)]
pub enum Archive {
    /// A safetensors file.
    Safetensors(TensorFile),
    /// A zip of arrays.
    Npz(Npz),
}

impl Archive {
    /// Opens a file; which of the two it is, is found from its content.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (file, _) = rord_files::open(path)?;
        let mut head = Vec::new();
        file.take(512).read_to_end(&mut head).map_err(|error| unreadable(path, &error))?;
        if head.starts_with(b"PK") {
            return Npz::open(path).map(Self::Npz);
        }
        // The length of a safetensors header could be any number; its text begins with a brace.
        if head.get(8) != Some(&b'{')
            && let Some(error) = foreign(path, &head, &[])
        {
            return Err(error);
        }
        TensorFile::open(path).map(Self::Safetensors)
    }

    /// The names and shapes of all tensors: `image [10, 1, 8, 12]`.
    pub fn present(&self) -> Vec<String> {
        let mut present: Vec<String> = match self {
            Self::Safetensors(file) => file.present().iter().map(|(name, shape)| format!("{name} {shape:?}")).collect(),
            Self::Npz(file) => file.arrays.iter().map(|array| format!("{} {:?}", array.name, array.shape())).collect(),
        };
        present.sort();
        present
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        match self {
            Self::Safetensors(file) => file.shape(name),
            Self::Npz(file) => file.arrays.iter().find(|array| array.name == name).map(|array| array.shape()),
        }
    }

    /// Where the numbers of a tensor lie, or the reason why they are not read.
    pub fn stored(&self, name: &str, scratch: &mut Scratch) -> Result<Stored, String> {
        match self {
            Self::Safetensors(file) => file.stored(name),
            Self::Npz(file) => {
                let array = file.arrays.iter().find(|array| array.name == name).ok_or("the file does not have it")?;
                array.not_read().map_or_else(|| file.stored(array, scratch).map_err(|error| error.to_string()), Err)
            }
        }
    }
}

/// Reads what there is of any bytes as a file of tensors, all samples of all of them: what a fuzzer calls.
pub fn read_all(path: &Path) -> Result<usize, DataError> {
    let archive = Archive::open(path)?;
    let mut scratch = Scratch::default();
    let names: Vec<String> = match &archive {
        Archive::Safetensors(file) => file.present().into_iter().map(|(name, _)| name).collect(),
        Archive::Npz(file) => file.arrays.iter().map(|array| array.name.clone()).collect(),
    };
    let (mut raw, mut count) = (Vec::new(), 0);
    for name in names {
        let Ok(stored) = archive.stored(&name, &mut scratch) else { continue };
        for sample in 0..stored.samples().min(1000) {
            let mut out = Vec::new();
            stored.read(sample, 1, &mut raw, &mut out).map_err(|error| unreadable(path, &error))?;
            count += out.len();
        }
    }
    Ok(count)
}
