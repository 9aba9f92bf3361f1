//! Records of TensorBoard's event files: an `Event` of TensorFlow's protocol buffers in a TFRecord.
//!
//! A record is the length of its data in 8 bytes, their checksum, the data, and its checksum; a checksum is CRC-32C, turned and shifted so
//! that one of data which hold checksums is no other's. Source: TensorFlow's `record_writer.cc`, `event.proto`, `summary.proto`.

use rord_files::protobuf::Message;

/// The plugin that shows texts.
const TEXT: &str = "text";
/// `DT_STRING` of TensorFlow's types.
const STRING: i64 = 7;

/// Something that an event says.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// The first event of a file: which version it is of.
    Version,
    /// Numbers by name.
    Scalars(&'a [(&'a str, f64)]),
    /// A text, in Markdown, by name.
    Text(&'a str, &'a str),
}

/// A record with an event of this moment (in seconds since 1970) and step.
pub fn record(wall: f64, step: u64, said: Said<'_>) -> Vec<u8> {
    let event = Message::default().double(1, wall);
    let event = if step > 0 { event.int(2, step.cast_signed()) } else { event };
    let event = match said {
        Said::Version => event.text(3, "brain.Event:2"),
        Said::Scalars(values) => {
            let value = |(tag, x): &(&str, f64)| Message::default().text(1, tag).float(2, *x as f32);
            event.message(5, Message::default().each(values, |all, one| all.message(1, value(one))))
        }
        Said::Text(tag, text) => {
            let metadata = Message::default().message(1, Message::default().text(1, TEXT));
            // Without axes: one text.
            let tensor = Message::default().int(1, STRING).message(2, Message::default()).text(8, text);
            let value = Message::default().text(1, tag).message(8, tensor).message(9, metadata);
            event.message(5, Message::default().message(1, value))
        }
    };
    framed(&event.into_bytes())
}

/// The bytes of a file up to its first record that `keep` does not want by its step, or that is not whole.
pub fn kept(file: &[u8], keep: impl Fn(u64) -> bool) -> usize {
    let mut at = 0;
    while let Some((data, next)) = next(file, at) {
        if !keep(step(data).unwrap_or(0)) {
            break;
        }
        at = next;
    }
    at
}

/// The data of the record at a place, and where the next one begins.
fn next(file: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = usize::try_from(u64::from_le_bytes(file.get(at..at.checked_add(8)?)?.try_into().ok()?)).ok()?;
    let (start, end) = (at.checked_add(12)?, at.checked_add(12)?.checked_add(length)?);
    let sum = file.get(end..end.checked_add(4)?)?;
    let data = file.get(start..end)?;
    (sum == masked(data).to_le_bytes()).then_some((data, end + 4))
}

/// The step of an event as this file writes it: behind the moment, which takes 9 bytes.
fn step(event: &[u8]) -> Option<u64> {
    let rest = event.get(9..)?;
    let (first, rest) = rest.split_first()?;
    if *first != 2 << 3 {
        return Some(0);
    }
    let mut step = 0u64;
    for (index, byte) in rest.iter().take(10).enumerate() {
        step |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: events are short.
fn crc32c(data: &[u8]) -> u32 {
    let of = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    };
    !data.iter().fold(!0, of)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// From RFC 3720, B.4.
    #[test]
    fn checksums_are_castagnolis() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    /// The bytes that TensorFlow's own classes make of the same events; `tests/golden/events.py` prints them.
    #[test]
    fn events_have_tensorflows_bytes() {
        let version = record(1.5, 0, Said::Version);
        let scalars = record(1.5, 300, Said::Scalars(&[("total", 0.5), ("lr", f64::NAN)]));
        let text = record(2.0, 0, Said::Text("pipeline", "a"));
        assert_eq!([&version, &scalars, &text].map(|b| hex(b)), GOLDEN);
    }

    const GOLDEN: [&str; 3] = [
        "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
        "2700000000000000bbe1b14609000000000000f83f10ac022a190a0c0a05746f74616c150000003f0a090a026c72150000c07f46382bb7",
        "2a00000000000000ae8d91f50900000000000000402a1f0a1d0a08706970656c696e654207080712004201614a080a060a0474657874df235bc0",
    ];

    #[test]
    fn a_file_is_kept_up_to_a_step() {
        let events = [0, 1, 130, 131].map(|step| record(1.0, step, Said::Scalars(&[("a", 1.0)])));
        let file = events.concat();
        let lengths: Vec<usize> = events.iter().map(Vec::len).collect();
        let three: usize = lengths[..3].iter().sum();
        assert_eq!(kept(&file, |step| step <= 130), three);
        assert_eq!(kept(&file, |_| true), file.len());
        // Half a record goes.
        assert_eq!(kept(&file[..file.len() - 1], |_| true), three);
        assert_eq!(kept(&[0xff; 40], |_| true), 0);
    }
}
