//! The END record: table offsets, padding to 256 bytes, and perhaps a checksum of the file.

use flate2::Crc;

use super::fault::Fault;
use super::reader::Reader;
use super::source::Place;

/// The length of an END record.
const LENGTH: u64 = 256;

impl Reader<'_> {
    /// Reads an END record that begins at `place`, and compares the file with its checksum. What is wrong here changes
    /// no shape, so it is reported and read.
    pub(super) fn end(&mut self, place: Place, offsets: bool) -> Result<(), Fault> {
        self.builder.close();
        self.cell = None;
        if place.within.is_some() {
            self.builder.liberty("an END record in a compressed block");
            return Ok(());
        }
        match self.end_of_file(place.at, offsets) {
            Err(Fault::EndOfData) => self.builder.liberty("an END record that is cut off"),
            other => other?,
        }
        Ok(())
    }

    fn end_of_file(&mut self, start: u64, offsets: bool) -> Result<(), Fault> {
        if offsets {
            self.table_offsets()?;
        }
        self.source.skip_string()?;
        let scheme = self.source.unsigned()?;
        let covered = self.source.file().get(..self.source.place().at as usize).unwrap_or_default();
        let sum = match scheme {
            0 => None,
            1 => {
                let mut crc = Crc::new();
                crc.update(covered);
                Some(crc.sum())
            }
            2 => Some(covered.iter().fold(0u32, |sum, &byte| sum.wrapping_add(u32::from(byte)))),
            _ => {
                self.builder.liberty("a validation scheme that OASIS does not have");
                return Ok(());
            }
        };
        if let Some(sum) = sum
            && sum != u32::from_le_bytes(self.source.bytes()?)
        {
            self.builder.liberty("a checksum that is not the file's: its bytes have changed since it was written");
        }
        if self.source.place().at != start + LENGTH {
            self.builder.liberty("an END record of other than 256 bytes");
        }
        if !self.source.rest().is_empty() {
            self.builder.liberty("bytes behind the END record");
        }
        Ok(())
    }
}
