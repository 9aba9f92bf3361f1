//! Prepares a GDSII stream for gds21: checks that it is whole, and leaves out what has no area.
//!
//! gds21 panics on a string record without characters and refuses records that are rare but legal (reference libraries,
//! fonts). Nothing of that kind reaches it: texts, nodes and properties are dropped, names are checked.

use std::path::Path;

use gds21::GdsError;

use super::super::DataError;

// Record types, from the GDSII Stream Format Manual, release 6.0.
const LIBNAME: u8 = 0x02;
const ENDLIB: u8 = 0x04;
const STRNAME: u8 = 0x06;
const TEXT: u8 = 0x0c;
const XY: u8 = 0x10;
const ENDEL: u8 = 0x11;
const SNAME: u8 = 0x12;
const NODE: u8 = 0x15;
/// REFLIBS, FONTS, GENERATIONS, ATTRTABLE, ELFLAGS, PROPATTR, PROPVALUE, PLEX, STRCLASS, FORMAT, MASK, ENDMASKS,
/// LIBDIRSIZE, SRFNAME, LIBSECUR: none of them changes a polygon.
const DROPPED: [u8; 15] = [0x1f, 0x20, 0x22, 0x23, 0x26, 0x2b, 0x2c, 0x2f, 0x34, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b];
/// A HEADER record's first four bytes.
pub const HEADER: [u8; 4] = [0, 6, 0, 2];

/// The stream `bytes` as gds21 reads it safely, up to and with its ENDLIB.
pub fn prepare(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&HEADER) {
        return Err(DataError::NotGds { path: path.to_path_buf() });
    }
    let truncated = || DataError::Truncated { path: path.to_path_buf(), offset: bytes.len() as u64 };
    let malformed = |reason: String| DataError::Malformed { path: path.to_path_buf(), reason };
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut skipping, mut placed) = (0, false, false);
    loop {
        let Some(&[high, low, kind, _]) = bytes.get(at..at + 4) else { return Err(truncated()) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 4 || length % 2 != 0 {
            return Err(malformed(format!("a record of {length} bytes at byte {at}")));
        }
        let record = bytes.get(at..at + length).ok_or_else(truncated)?;
        match kind {
            ENDLIB => {
                out.extend_from_slice(record);
                return Ok(out);
            }
            LIBNAME => out.extend_from_slice(&[0, 6, LIBNAME, 6, b'L', 0]),
            TEXT | NODE => skipping = true,
            ENDEL if skipping => skipping = false,
            _ if skipping || DROPPED.contains(&kind) => {}
            STRNAME | SNAME if record.get(4).is_none_or(|&first| first == 0) => {
                return Err(malformed(format!("a cell without a name at byte {at}")));
            }
            // gds21 would keep the last one and lose the others.
            XY if placed => return Err(malformed(format!("a second XY record in one element at byte {at}"))),
            _ => {
                placed = kind == XY || placed && kind != ENDEL;
                out.extend_from_slice(record);
            }
        }
        at += length;
    }
}

/// gds21's error in a line; its own text prints whole records.
pub fn malformed(path: &Path, error: &GdsError) -> DataError {
    let reason = match error {
        GdsError::RecordDecode(kind, data, bytes) => format!("a {kind:?} record of {bytes} bytes of type {data:?}"),
        GdsError::RecordLen(bytes) => format!("a record of {bytes} bytes"),
        GdsError::InvalidDataType(kind) => format!("data type {kind}"),
        GdsError::InvalidRecordType(kind) => format!("record type {kind}"),
        GdsError::Unsupported(..) => "a record that is not supported".into(),
        GdsError::Parse { msg, ctx, .. } => match ctx.last() {
            Some(place) => format!("{msg}, in {place:?}"),
            None => msg.clone(),
        },
        GdsError::Boxed(error) => error.to_string(),
        GdsError::Str(text) => text.clone(),
    };
    DataError::Malformed { path: path.to_path_buf(), reason }
}
