//! GDSII as a stream of records: two bytes of length, a type, a data type, and a body of up to 65531 bytes.

use std::io::Read;
use std::ops::Range;

// Record types, from the GDSII Stream Format Manual, release 6.0.
pub const HEADER: u8 = 0x00;
pub const BGNLIB: u8 = 0x01;
pub const LIBNAME: u8 = 0x02;
pub const UNITS: u8 = 0x03;
pub const ENDLIB: u8 = 0x04;
pub const BGNSTR: u8 = 0x05;
pub const STRNAME: u8 = 0x06;
pub const ENDSTR: u8 = 0x07;
pub const BOUNDARY: u8 = 0x08;
pub const PATH: u8 = 0x09;
pub const SREF: u8 = 0x0a;
pub const AREF: u8 = 0x0b;
pub const TEXT: u8 = 0x0c;
pub const LAYER: u8 = 0x0d;
pub const DATATYPE: u8 = 0x0e;
pub const WIDTH: u8 = 0x0f;
pub const XY: u8 = 0x10;
pub const ENDEL: u8 = 0x11;
pub const SNAME: u8 = 0x12;
pub const COLROW: u8 = 0x13;
pub const NODE: u8 = 0x15;
pub const STRANS: u8 = 0x1a;
pub const MAG: u8 = 0x1b;
pub const ANGLE: u8 = 0x1c;
pub const PATHTYPE: u8 = 0x21;
pub const BOX: u8 = 0x2d;
pub const BOXTYPE: u8 = 0x2e;
pub const BGNEXTN: u8 = 0x30;
pub const ENDEXTN: u8 = 0x31;
/// TEXTTYPE, PRESENTATION, STRING, REFLIBS, FONTS, GENERATIONS, ATTRTABLE, ELFLAGS, NODETYPE, PROPATTR, PROPVALUE, PLEX,
/// TAPENUM, TAPECODE, STRCLASS, FORMAT, MASK, ENDMASKS, LIBDIRSIZE, SRFNAME, LIBSECUR: records of the format that change
/// no polygon.
pub const WITHOUT_SHAPE: [u8; 21] = [
    0x16, 0x17, 0x19, 0x1f, 0x20, 0x22, 0x23, 0x26, 0x2a, 0x2b, 0x2c, 0x2f, 0x32, 0x33, 0x34, 0x36, 0x37, 0x38, 0x39,
    0x3a, 0x3b,
];

/// Why there is no next record.
#[derive(Debug)]
pub enum Fault {
    /// The stream ends at this byte.
    Ends(u64),
    /// It is longer than is read.
    TooLong,
    /// The record that begins at this byte has a length that no record has.
    Length(u64, u16),
    /// The source fails.
    Source(std::io::Error),
}

/// So much of the source is in memory at a time: several records.
const BUFFER: usize = 1 << 18;

/// Reads record after record in one buffer.
pub struct Records<R> {
    source: R,
    /// Bytes read so far, and how many are read at most.
    read: u64,
    limit: u64,
    /// Part of the source, of which `ahead` is not handed out yet.
    buffer: Vec<u8>,
    ahead: Range<usize>,
    body: Range<usize>,
    /// The byte where the current record begins.
    pub at: u64,
    /// Its type.
    pub kind: u8,
}

impl<R: Read> Records<R> {
    /// The records of `source`, of which at most `limit` bytes are read.
    pub fn new(source: R, limit: u64) -> Self {
        Self { source, read: 0, limit, buffer: vec![0; BUFFER], ahead: 0..0, body: 0..0, at: 0, kind: 0 }
    }

    /// The body of the current record.
    pub fn body(&self) -> &[u8] {
        self.buffer.get(self.body.clone()).unwrap_or_default()
    }

    /// Goes on to the next record.
    pub fn advance(&mut self) -> Result<(), Fault> {
        self.at = self.read - self.ahead.len() as u64;
        self.fill(4)?;
        let head = self.buffer.get(self.ahead.clone()).and_then(<[u8]>::first_chunk);
        let &[high, low, kind, _] = head.unwrap_or(&[0; 4]);
        let length = u16::from_be_bytes([high, low]);
        if length < 4 {
            return Err(Fault::Length(self.at, length));
        }
        self.fill(usize::from(length))?;
        self.kind = kind;
        let end = self.ahead.start + usize::from(length);
        self.body = self.ahead.start + 4..end;
        self.ahead.start = end;
        Ok(())
    }

    /// Reads on until as many bytes are ahead.
    fn fill(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.ahead.len() >= bytes {
            return Ok(());
        }
        self.buffer.copy_within(self.ahead.clone(), 0);
        self.ahead = 0..self.ahead.len();
        while self.ahead.len() < bytes {
            match self.source.read(self.buffer.get_mut(self.ahead.end..).unwrap_or_default()) {
                Ok(0) => return Err(Fault::Ends(self.read)),
                Ok(read) => {
                    self.read += read as u64;
                    self.ahead.end += read;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Source(error)),
            }
            if self.read > self.limit {
                return Err(Fault::TooLong);
            }
        }
        Ok(())
    }

    /// Reads what follows the last record to its end; true where any of it is not zero.
    pub fn drain(&mut self) -> Result<bool, Fault> {
        let mut other = false;
        loop {
            other |= self.buffer.get(self.ahead.clone()).unwrap_or_default().iter().any(|&byte| byte != 0);
            self.ahead = 0..0;
            match self.fill(1) {
                Ok(()) => {}
                Err(Fault::Ends(_)) => return Ok(other),
                Err(fault) => return Err(fault),
            }
        }
    }
}

/// A two-byte number without a sign; `None` where the body is too short.
pub fn unsigned(body: &[u8]) -> Option<u16> {
    body.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// A four-byte number with a sign.
pub fn signed(body: &[u8]) -> Option<i32> {
    body.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

/// A real: a sign, an exponent of 16 beyond 64, and a mantissa of 56 bits below 1 (24 where it has four bytes).
pub fn real(body: &[u8]) -> Option<f64> {
    let bits = match (body.first_chunk::<8>(), body.first_chunk::<4>()) {
        (Some(bytes), _) => u64::from_be_bytes(*bytes),
        (None, Some(bytes)) => u64::from(u32::from_be_bytes(*bytes)) << 32,
        (None, None) => return None,
    };
    let mantissa = (bits & ((1 << 56) - 1)) as f64 / (1u64 << 56) as f64;
    let exponent = ((bits >> 56) & 0x7f) as i32 - 64;
    let value = mantissa * 16f64.powi(exponent);
    Some(if bits >> 63 == 1 { -value } else { value })
}
