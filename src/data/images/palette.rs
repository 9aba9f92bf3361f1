//! TIFF pictures with a palette, which the decoder refuses: their numbers are read as greys, and looked up here.

use std::borrow::Cow;
use std::collections::HashSet;

/// The tag that says what numbers mean, and two of its values.
const INTERPRETATION: u64 = 262;
const PALETTE: u64 = 3;
const GREY: u8 = 1;
/// As many pages are looked at.
const PAGES: usize = 10_000;

/// A file in which pictures with a palette say that they are grey, and where in the file those pages are described.
pub struct Greys<'a> {
    /// The file.
    pub bytes: Cow<'a, [u8]>,
    /// The pages with a palette, by the offset of their directory.
    pub pages: HashSet<u64>,
}

/// Goes over the directories of a file. What is broken in them is left for the decoder to tell.
pub fn as_greys(bytes: &[u8]) -> Greys<'_> {
    let mut greys = Greys { bytes: Cow::Borrowed(bytes), pages: HashSet::new() };
    let (little, big_file) = (bytes.first() == Some(&b'I'), bytes.get(2) == Some(&43) || bytes.get(3) == Some(&43));
    let number = |at: u64, size: usize| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let part = bytes.get(at..at.checked_add(size)?)?;
        let shift = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if little { part.iter().rev().fold(0, shift) } else { part.iter().fold(0, shift) })
    };
    let (count_size, entry, value, pointer) = if big_file { (8, 20, 12, 8) } else { (2, 12, 8, 4) };
    let mut seen = HashSet::new();
    let mut next = number(if big_file { 8 } else { 4 }, pointer);
    while let Some(directory) = next.filter(|at| *at != 0 && seen.len() < PAGES && seen.insert(*at)) {
        let Some(count) = number(directory, count_size).filter(|count| *count <= 65_535) else { break };
        let Some(start) = directory.checked_add(count_size as u64) else { break };
        for k in 0..count {
            let Some(at) = start.checked_add(k * entry) else { break };
            if number(at, 2) == Some(INTERPRETATION) && number(at + value, 2) == Some(PALETTE) {
                let place = usize::try_from(at + value + u64::from(!little)).unwrap_or(usize::MAX);
                if let Some(byte) = greys.bytes.to_mut().get_mut(place) {
                    *byte = GREY;
                    greys.pages.insert(directory);
                }
            }
        }
        next = start.checked_add(count * entry).and_then(|at| number(at, pointer));
    }
    greys
}
