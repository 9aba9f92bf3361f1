//! TIFF pictures with a palette, which the decoder refuses: their numbers are read as greys, and looked up here.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use tiff::TiffError;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

use crate::images::raw::Numbers;

/// The tag that says what numbers mean, and two of its values.
const INTERPRETATION: u64 = 262;
const PALETTE: u64 = 3;
const GREY: u8 = 1;
/// As many pages are looked at.
const PAGES: usize = 10_000;
/// No directory has more entries than 16 bits count.
const ENTRIES: u64 = 65_535;

/// A file in which pictures with a palette say that they are grey.
pub struct Greys<R> {
    file: R,
    at: u64,
    /// The bytes that are read otherwise than they are, by their places.
    places: Vec<u64>,
    /// Where in the file pages with a palette are described.
    pub pages: HashSet<u64>,
}

impl<R: Read + Seek> Greys<R> {
    /// Goes over the directories of a file. What is broken in them is left for the decoder to tell.
    pub fn new(mut file: R) -> io::Result<Self> {
        let mut greys = (Vec::new(), HashSet::new());
        let _ = look(&mut file, &mut greys.0, &mut greys.1);
        let at = file.seek(SeekFrom::Start(0))?;
        greys.0.sort_unstable();
        Ok(Self { file, at, places: greys.0, pages: greys.1 })
    }
}

impl<R: Read> Read for Greys<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let first = self.places.partition_point(|place| *place < self.at);
        for place in self.places.iter().skip(first).take_while(|place| **place < self.at + count as u64) {
            if let Some(byte) = buffer.get_mut((place - self.at) as usize) {
                *byte = GREY;
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Greys<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

/// Finds pages with a palette, and the bytes that say so.
fn look(file: &mut (impl Read + Seek), places: &mut Vec<u64>, pages: &mut HashSet<u64>) -> Option<()> {
    let mut magic = [0; 4];
    file.read_exact(&mut magic).ok()?;
    let little = magic.first() == Some(&b'I');
    let big_file = magic.contains(&43);
    let number = |bytes: &[u8]| {
        let shift = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if little { bytes.iter().rev().fold(0, shift) } else { bytes.iter().fold(0, shift) }
    };
    let mut read = |at: u64, size: usize| -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at)).ok()?;
        file.take(size as u64).read_to_end(&mut bytes).ok()?;
        (bytes.len() == size).then_some(bytes)
    };
    let (count_size, entry, value, pointer) = if big_file { (8, 20, 12, 8) } else { (2, 12, 8, 4) };
    let mut seen = HashSet::new();
    let mut next = number(&read(if big_file { 8 } else { 4 }, pointer)?);
    while next != 0 && seen.len() < PAGES && seen.insert(next) {
        let directory = next;
        let count = Some(number(&read(directory, count_size)?)).filter(|count| *count <= ENTRIES)?;
        let start = directory.checked_add(count_size as u64)?;
        let length = count * entry as u64;
        let entries = read(start, length as usize)?;
        for (k, bytes) in entries.chunks_exact(entry).enumerate() {
            let tag = number(bytes.get(..2)?);
            if tag == INTERPRETATION && number(bytes.get(value..value + 2)?) == PALETTE {
                places.push(start + (k * entry + value) as u64 + u64::from(!little));
                pages.insert(directory);
            }
        }
        next = number(&read(start.checked_add(length)?, pointer)?);
    }
    Some(())
}

/// Colors of a palette's numbers.
pub fn colors<R: Read + Seek>(decoder: &mut Decoder<R>, numbers: &Numbers, bits: u8) -> Result<Numbers, TiffError> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap)?;
    let count = map.len() / 3;
    let color =
        |index: usize| [0, 1, 2].map(|c| map.get(c * count + index.min(count.saturating_sub(1))).copied().unwrap_or(0));
    // Programs that knew eight bits alone wrote colors of 0 to 255.
    let old = bits <= 8 && map.iter().all(|value| *value < 256);
    let indices: Box<dyn Iterator<Item = usize>> = match numbers {
        Numbers::Eight(v) => Box::new(v.iter().map(|x| usize::from(*x))),
        Numbers::Sixteen(v) => Box::new(v.iter().map(|x| usize::from(*x))),
        Numbers::Float(v) => Box::new(v.iter().map(|x| *x as usize)),
    };
    let whole = indices.flat_map(color);
    // Most palettes hold eight bits, each byte twice.
    let eight = old || map.iter().all(|value| value % 257 == 0);
    Ok(match (eight, old) {
        (true, true) => Numbers::Eight(whole.map(|x| x as u8).collect()),
        (true, false) => Numbers::Eight(whole.map(|x| (x / 257) as u8).collect()),
        _ => Numbers::Sixteen(whole.collect()),
    })
}
