//! NumPy's archives: a zip of arrays, stored as they are, which `numpy.load` reads.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Array;

/// Headers are filled up with blanks to a multiple of this.
const ALIGNED: usize = 64;

/// The bytes of an archive of these arrays, in f32, the last axis fastest.
pub fn bytes(arrays: &[Array]) -> Result<Vec<u8>, String> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for array in arrays {
        let content = npy(array);
        // Archives above 4 GiB have larger fields.
        let large = content.len() as u64 >= u64::from(u32::MAX);
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
        zip.start_file(format!("{}.npy", array.name), options).map_err(|e| e.to_string())?;
        zip.write_all(&content).map_err(|e| e.to_string())?;
    }
    Ok(zip.finish().map_err(|e| e.to_string())?.into_inner())
}

/// An array with its header, as `numpy.lib.format` describes version 1.
fn npy(array: &Array) -> Vec<u8> {
    let sides: Vec<String> = array.shape.iter().map(|side| format!("{side},")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sides.join(" "));
    /// Magic, version and the header's length.
    const BEFORE: usize = 10;
    let length = (BEFORE + header.len() + 1).next_multiple_of(ALIGNED) - BEFORE;
    header += &" ".repeat(length - header.len() - 1);
    header.push('\n');
    let mut bytes = Vec::with_capacity(BEFORE + length + 4 * array.values.len());
    bytes.extend(b"\x93NUMPY\x01\x00");
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    array.values.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    bytes
}
